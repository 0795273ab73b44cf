-- Comments that were taken back but are still answered, and the order in which discussions are read.

SET SESSION group_concat_max_len = 1000000;

SET @alterations = (
  SELECT GROUP_CONCAT('ADD ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    -- when its author changed it last; `updated_at` moves for other reasons too
    SELECT 1 AS place, 'edited_at' AS name, 'COLUMN edited_at TIMESTAMP NULL' AS definition
    -- a tombstone: the text is gone, the row stays as long as replies hang on it
    UNION ALL SELECT 2, 'deleted_at', 'COLUMN deleted_at TIMESTAMP NULL'
    -- The nullable column first: MySQL checks a foreign key by any index that begins with its column, and takes a NULL further
    -- on for one in the key.
    UNION ALL SELECT 3, 'idx_thread', 'INDEX idx_thread (parent_id, workflow_id)'
    UNION ALL SELECT 4, 'idx_pinned', 'INDEX idx_pinned (is_pinned, workflow_id)'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.columns AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'workflow_comments' AND present.column_name = wanted.name
  ) AND NOT EXISTS (
    SELECT 1 FROM information_schema.statistics AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'workflow_comments' AND present.index_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE workflow_comments ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;
