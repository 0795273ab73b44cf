-- What reports say of the index, of feeds and of recommendations that no other row tells.

-- When search first found it, published and parsed: written by whoever follows the log first, once, and only about what is new.
SET @statement = IF(
  EXISTS (
    SELECT 1 FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'workflows' AND column_name = 'searchable_at'
  ),
  'DO 0',
  'ALTER TABLE workflows ADD COLUMN searchable_at TIMESTAMP(6) NULL DEFAULT NULL'
);
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

-- How often something was used in an hour (UTC), added up by every process every few seconds. Safe to delete.
CREATE TABLE IF NOT EXISTS usage_hourly (
  hour TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  kind VARCHAR(32) NOT NULL,
  uses BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, kind)
);
