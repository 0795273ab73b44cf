-- A job's idempotency key must hold off its like only while the job waits to be started: a re-parse that is asked for while a
-- parse runs is news to the running one. `waiting` is 1 until the job is first started and NULL ever after, and a unique key
-- takes no notice of NULL. The key itself stays in the row, where the sweep finds what a job is about.
-- Every statement looks first, so that a half-applied run can be repeated.

SET @statement = IF(
  EXISTS (SELECT 1 FROM information_schema.columns
          WHERE table_schema = DATABASE() AND table_name = 'queue_jobs' AND column_name = 'waiting'),
  'DO 0',
  'ALTER TABLE queue_jobs ADD COLUMN waiting TINYINT NULL DEFAULT 1 AFTER idempotency_key');
PREPARE s FROM @statement;
EXECUTE s;
DEALLOCATE PREPARE s;

SET @statement = IF(
  EXISTS (SELECT 1 FROM information_schema.statistics
          WHERE table_schema = DATABASE() AND table_name = 'queue_jobs' AND index_name = 'uq_waiting'),
  'DO 0',
  'ALTER TABLE queue_jobs ADD UNIQUE KEY uq_waiting (queue, idempotency_key, waiting)');
PREPARE s FROM @statement;
EXECUTE s;
DEALLOCATE PREPARE s;

SET @statement = IF(
  EXISTS (SELECT 1 FROM information_schema.statistics
          WHERE table_schema = DATABASE() AND table_name = 'queue_jobs' AND index_name = 'uq_idem'),
  'ALTER TABLE queue_jobs DROP INDEX uq_idem',
  'DO 0');
PREPARE s FROM @statement;
EXECUTE s;
DEALLOCATE PREPARE s;
