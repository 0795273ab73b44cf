-- Interim: the end state of our additions, as plain statements. Becomes guarded migrations.

ALTER TABLE users
  ADD COLUMN is_admin BOOLEAN NOT NULL DEFAULT FALSE,
  ADD COLUMN suspended_at TIMESTAMP NULL;

ALTER TABLE workflows
  -- what the bytes are
  ADD COLUMN kind ENUM('audio_effect','instrument','midi_effect','drum') NULL,
  ADD COLUMN preset_form ENUM('rack','device') NULL,
  ADD COLUMN file_hash BINARY(32) NULL,
  ADD COLUMN content_hash BINARY(32) NULL,
  -- what became of the parse
  ADD COLUMN parse_state ENUM('pending','parsed','failed','no_file') NOT NULL DEFAULT 'pending',
  ADD COLUMN parse_error_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN parse_error VARCHAR(1000) NULL,
  ADD COLUMN parser_version INT UNSIGNED NULL,
  ADD COLUMN parsed_at TIMESTAMP(6) NULL,
  -- what it needs to open
  ADD COLUMN required_live_version VARCHAR(20) NULL,
  ADD COLUMN required_edition ENUM('intro','standard','suite','unknown') NULL,
  ADD COLUMN requirements JSON NULL,
  -- canonical forms, kept by triggers
  ADD COLUMN musical_key VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN tempo DECIMAL(6,2) NULL,
  -- moderation, and the marker that counters changed
  ADD COLUMN taken_down_at TIMESTAMP NULL,
  ADD COLUMN taken_down_reason VARCHAR(500) NULL,
  ADD COLUMN counts_changed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  ADD UNIQUE KEY uq_user_file (user_id, file_hash),
  ADD INDEX idx_file_hash (file_hash),
  ADD INDEX idx_content_hash (content_hash),
  ADD INDEX idx_parse_state (parse_state, id),
  ADD INDEX idx_counts_changed (counts_changed_at, id);

CREATE TABLE parsed_racks (
  workflow_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  parser_version INT UNSIGNED NOT NULL,
  -- the few facts that the index needs, small
  summary JSON NOT NULL,
  -- the whole ParsedRack
  rack JSON NOT NULL,
  warnings JSON NOT NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  FOREIGN KEY (workflow_id) REFERENCES workflows(id) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE api_tokens (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  user_id BIGINT UNSIGNED NOT NULL,
  name VARCHAR(100) NOT NULL,
  token_hash BINARY(32) NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  last_used_at TIMESTAMP NULL,
  expires_at TIMESTAMP NULL,
  revoked_at TIMESTAMP NULL,
  UNIQUE KEY uq_token_hash (token_hash),
  INDEX idx_user (user_id),
  FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- No foreign key: a deleted workflow's id must reach the index.
CREATE TABLE index_log (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  workflow_id BIGINT UNSIGNED NOT NULL,
  logged_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  INDEX idx_logged (logged_at)
) ENGINE=InnoDB;

-- Users whose follow counts a cascade left behind.
CREATE TABLE count_repairs (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  noted_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;

CREATE TABLE queue_workers (
  id VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  node VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  storage VARCHAR(64) NOT NULL,
  layers TEXT NOT NULL,
  started_at DATETIME(6) NOT NULL,
  last_seen DATETIME(6) NOT NULL,
  PRIMARY KEY (id, queue),
  KEY ix_last_seen (last_seen)
) ENGINE=InnoDB;

CREATE TABLE queue_jobs (
  id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  job LONGBLOB NOT NULL,
  status ENUM('Pending','Queued','Running','Done','Failed','Killed') NOT NULL DEFAULT 'Pending',
  attempts INT UNSIGNED NOT NULL DEFAULT 0,
  max_attempts INT UNSIGNED NOT NULL DEFAULT 5,
  priority INT NOT NULL DEFAULT 0,
  run_at DATETIME(6) NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  lock_by VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL,
  lock_at DATETIME(6) NULL,
  done_at DATETIME(6) NULL,
  last_result MEDIUMTEXT NULL,
  metadata MEDIUMTEXT NULL,
  idempotency_key VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NULL,
  UNIQUE KEY uq_idem (queue, idempotency_key),
  KEY ix_fetch (queue, status, priority DESC, run_at, id),
  KEY ix_lock (lock_by, status),
  KEY ix_done (status, done_at)
) ENGINE=InnoDB;

-- One row a schedule: the last time that it fired, so that a tick fires once however many schedulers run.
CREATE TABLE schedules (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  last_fired_at DATETIME(6) NOT NULL
) ENGINE=InnoDB;
