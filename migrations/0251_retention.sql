-- Views and downloads that are not kept for ever: what was archived, and what has to be counted in the place of what was dropped. Nothing
-- is dropped unless `events.keep_days` says so.

-- One row a table and month. `archived`: its Parquet was written and read back. `dropping`: what it says counts, and the rows of the table
-- before `ends_at` do not any more. `dropped`: they are gone.
CREATE TABLE IF NOT EXISTS event_archives (
  table_name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  month DATE NOT NULL,
  ends_at TIMESTAMP NOT NULL DEFAULT '1970-01-02 00:00:00',
  parts INT UNSIGNED NOT NULL,
  rows_archived BIGINT UNSIGNED NOT NULL,
  state ENUM('archived', 'dropping', 'dropped') NOT NULL,
  archived_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (table_name, month)
);

-- Downloads that count and whose rows were dropped.
CREATE TABLE IF NOT EXISTS workflow_downloads_base (
  workflow_id BIGINT UNSIGNED NOT NULL,
  month DATE NOT NULL,
  downloads INT UNSIGNED NOT NULL,
  PRIMARY KEY (workflow_id, month),
  INDEX ix_month (month),
  CONSTRAINT fk_downloads_base FOREIGN KEY (workflow_id) REFERENCES workflows(id) ON DELETE CASCADE
);
