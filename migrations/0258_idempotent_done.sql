-- Whether what was asked for is done, said in the transaction that does it: the answer is kept after that.

SET SESSION group_concat_max_len = 1000000;

SET @alterations = (
  SELECT GROUP_CONCAT('ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.name SEPARATOR ', ')
  FROM (
    SELECT 'is_done' AS name, 'BOOLEAN NOT NULL DEFAULT FALSE' AS definition
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.columns AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'idempotent_requests' AND present.column_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE idempotent_requests ', @alterations), 'DO 0');
PREPARE statement FROM @statement;
EXECUTE statement;
DEALLOCATE PREPARE statement;
