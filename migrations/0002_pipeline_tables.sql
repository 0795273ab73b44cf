-- Tables of the pipeline's own, beside the seed's.

-- What the parser found in a workflow's file. Apart from `workflows`, because a rack can be megabytes of JSON.
CREATE TABLE IF NOT EXISTS parsed_racks (
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

-- Bearer tokens. Only a hash is kept: whoever reads this table cannot sign in with it.
CREATE TABLE IF NOT EXISTS api_tokens (
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

-- Which workflows an index must look at again. Written by triggers only, in the transaction of the change.
-- No foreign key: a deleted workflow's id must reach the index.
CREATE TABLE IF NOT EXISTS index_log (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  workflow_id BIGINT UNSIGNED NOT NULL,
  logged_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  INDEX idx_logged (logged_at)
) ENGINE=InnoDB;

-- Users whose counts a statement changed without being allowed to write them (error 1442); a job recounts them.
CREATE TABLE IF NOT EXISTS count_repairs (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  noted_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;

-- Workflows whose counts a statement changed while another held their row. Many rows for one workflow, so that those who
-- note it never wait for each other.
CREATE TABLE IF NOT EXISTS workflow_count_repairs (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  workflow_id BIGINT UNSIGNED NOT NULL,
  noted_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) ENGINE=InnoDB;

-- Processes that take jobs, one row a queue.
CREATE TABLE IF NOT EXISTS queue_workers (
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

-- Jobs, written in the transaction of the row that they are about.
CREATE TABLE IF NOT EXISTS queue_jobs (
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
CREATE TABLE IF NOT EXISTS schedules (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  last_fired_at DATETIME(6) NOT NULL
) ENGINE=InnoDB;
