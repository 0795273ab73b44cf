-- Pruning asks which queues nobody serves. Looks first, so that a half-applied run can be repeated.
SET @statement = IF(
  EXISTS (SELECT 1 FROM information_schema.statistics
          WHERE table_schema = DATABASE() AND table_name = 'queue_workers' AND index_name = 'ix_queue'),
  'DO 0',
  'ALTER TABLE queue_workers ADD INDEX ix_queue (queue)');
PREPARE s FROM @statement;
EXECUTE s;
DEALLOCATE PREPARE s;
