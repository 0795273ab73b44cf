-- What reports say of the index, of feeds and of recommendations that no other row tells.

-- When search first found it, published and parsed: written by whoever follows the log first, once, and only about what is new. Of what
-- was new when this was migrated nobody knows it: a time before its publication says so, or else its next change would be noted.
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

UPDATE workflows SET searchable_at = '2000-01-01', updated_at = updated_at
WHERE searchable_at IS NULL AND is_published = TRUE AND published_at BETWEEN UTC_TIMESTAMP() - INTERVAL 1 DAY AND UTC_TIMESTAMP();

-- How often something was used in an hour (UTC), added up by every process every few seconds. Safe to delete.
CREATE TABLE IF NOT EXISTS usage_hourly (
  hour TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  kind VARCHAR(32) NOT NULL,
  uses BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, kind)
);
