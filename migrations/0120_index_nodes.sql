-- One row for every process that answers searches from an index of its own: how far it has followed `index_log`, so that the log is not
-- shortened under it, how a full build is coming along, and what the last comparison with the database found.
CREATE TABLE IF NOT EXISTS index_nodes (
  node VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  -- Id in `index_log` up to which its index is durable; 0 before the first build.
  position BIGINT UNSIGNED NOT NULL DEFAULT 0,
  documents BIGINT UNSIGNED NOT NULL DEFAULT 0,
  -- The full build that runs, or the last one.
  build_reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  build_done BIGINT UNSIGNED NOT NULL DEFAULT 0,
  build_total BIGINT UNSIGNED NOT NULL DEFAULT 0,
  build_started_at DATETIME(6) NULL,
  build_ended_at DATETIME(6) NULL,
  build_error VARCHAR(1000) NULL,
  -- The last comparison.
  compared_at DATETIME(6) NULL,
  compared_documents BIGINT UNSIGNED NOT NULL DEFAULT 0,
  compared_differences BIGINT UNSIGNED NOT NULL DEFAULT 0,
  seen_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;
