-- What admins read each morning: written by the job `make-report`, and made again by it.

-- One row a report and period, however many processes make it: the last one stays. `figures` is the whole report as JSON, in the form
-- `shape`; `version` counts how often it was made, and what is sent names it by report and period alone.
CREATE TABLE IF NOT EXISTS reports (
  report VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- `2026-03-01`, `2026-W09` or `2026-03`
  period VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- whose midnights the period begins and ends at
  zone VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  starts_at DATETIME NOT NULL,
  ends_at DATETIME NOT NULL,
  figures LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  shape INT UNSIGNED NOT NULL,
  version INT UNSIGNED NOT NULL DEFAULT 1,
  generated_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (report, period),
  INDEX ix_report (report, starts_at)
) ENGINE=InnoDB;

-- The same as a page, as tables for programs, and so on: kept, since whoever answers requests does not know how to make them.
CREATE TABLE IF NOT EXISTS report_files (
  report VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  period VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  format VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bytes LONGBLOB NOT NULL,
  PRIMARY KEY (report, period, format),
  FOREIGN KEY (report, period) REFERENCES reports (report, period) ON DELETE CASCADE
) ENGINE=InnoDB;

-- What was sent where, so that it can be seen. A delivery that is repeated carries the same id.
CREATE TABLE IF NOT EXISTS report_deliveries (
  report VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  period VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- `mail` or `webhook`
  channel VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  event_id VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  delivered_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (report, period, channel),
  FOREIGN KEY (report, period) REFERENCES reports (report, period) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Each nightly reconciliation of counts, and what it mended.
CREATE TABLE IF NOT EXISTS recounts (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  started_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  -- null: it runs, or was stopped
  ended_at DATETIME(6) NULL,
  -- rows whose counts were compared
  compared BIGINT UNSIGNED NOT NULL DEFAULT 0,
  users BIGINT UNSIGNED NOT NULL DEFAULT 0,
  workflows BIGINT UNSIGNED NOT NULL DEFAULT 0,
  tags BIGINT UNSIGNED NOT NULL DEFAULT 0,
  comments BIGINT UNSIGNED NOT NULL DEFAULT 0,
  collections BIGINT UNSIGNED NOT NULL DEFAULT 0,
  INDEX ix_started (started_at)
) ENGINE=InnoDB;

-- The timetable as the schedulers keep it, for whoever asks what happens when.
SET @alterations = (
  SELECT GROUP_CONCAT('ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    SELECT 1 AS place, 'expression' AS name, 'VARCHAR(100) NOT NULL DEFAULT ''''' AS definition
    UNION ALL SELECT 2, 'zone', 'VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT ''UTC'''
    UNION ALL SELECT 3, 'next_at', 'DATETIME(6) NULL'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.columns AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'schedules' AND present.column_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE schedules ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;
