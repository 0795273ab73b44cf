-- People: blocks, accounts that wait for their mail, attempts to log in, what admins did, and answers to repeated requests.

-- Who does not want to see whom. It works both ways: neither sees the other in feeds, follows and comments.
CREATE TABLE IF NOT EXISTS user_blocks (
  blocker_id BIGINT UNSIGNED NOT NULL,
  blocked_id BIGINT UNSIGNED NOT NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (blocker_id, blocked_id),
  INDEX idx_blocked (blocked_id, blocker_id),
  FOREIGN KEY (blocker_id) REFERENCES users(id) ON DELETE CASCADE,
  FOREIGN KEY (blocked_id) REFERENCES users(id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- What admins did to whom and why. Ids without foreign keys: the account of what was done outlives what it was done to. `actor_id` is
-- null for whoever used the command line.
CREATE TABLE IF NOT EXISTS audit_log (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  actor_id BIGINT UNSIGNED NULL,
  action VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject_kind ENUM('user','workflow','comment','collection') NOT NULL,
  subject_id BIGINT UNSIGNED NOT NULL,
  reason VARCHAR(500) NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  INDEX idx_subject (subject_kind, subject_id, id)
) ENGINE=InnoDB;

-- Accounts that are made once the link in their mail is opened. A row is written whether or not the address has an account already, so
-- that nobody can tell by what follows; the mail says which. Handles are public and reserved here; an address may wait in several rows,
-- and the first that is confirmed gets it.
CREATE TABLE IF NOT EXISTS registrations (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  username VARCHAR(50) NOT NULL,
  email VARCHAR(255) NOT NULL,
  password VARCHAR(255) NOT NULL,
  expires_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  UNIQUE KEY uq_username (username),
  INDEX idx_email (email),
  INDEX idx_expires (expires_at)
) ENGINE=InnoDB;

-- Attempts to log in, kept for as long as they are counted. Account and address are keyed hashes: the table names nobody.
CREATE TABLE IF NOT EXISTS login_attempts (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  account_hash BINARY(32) NOT NULL,
  address_hash BINARY(32) NOT NULL,
  succeeded BOOLEAN NOT NULL DEFAULT FALSE,
  attempted_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  INDEX idx_account (account_hash, attempted_at),
  INDEX idx_address (address_hash, attempted_at),
  INDEX idx_attempted (attempted_at)
) ENGINE=InnoDB;

-- Answers to requests that carried an Idempotency-Key. `status` is null while the first of them is worked on, by the holder of `claim`
-- and not after `claimed_until`.
CREATE TABLE IF NOT EXISTS idempotent_requests (
  key_hash BINARY(32) NOT NULL PRIMARY KEY,
  request_hash BINARY(32) NOT NULL,
  claim CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  claimed_until TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  status SMALLINT UNSIGNED NULL,
  headers TEXT NULL,
  body MEDIUMBLOB NULL,
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  INDEX idx_created (created_at)
) ENGINE=InnoDB;

-- Who left by their own wish comes back by logging in; `is_active` alone may also be somebody else's decision.
SET SESSION group_concat_max_len = 1000000;
SET @alterations = (
  SELECT GROUP_CONCAT('ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    SELECT 1 AS place, 'deactivated_at' AS name, 'TIMESTAMP NULL' AS definition
    UNION ALL SELECT 2, 'suspended_reason', 'VARCHAR(500) NULL'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.columns AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'users' AND present.column_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE users ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;
