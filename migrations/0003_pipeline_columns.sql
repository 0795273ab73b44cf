-- Columns of the pipeline's own on the seed's tables. Each has a default, so that the seed's INSERTs keep working.
--
-- MySQL has no ADD COLUMN IF NOT EXISTS. So what is wanted stands in a list, what is there is taken off it, and one
-- ALTER adds the rest: run twice, or after a crash, it does nothing.

-- MySQL cuts GROUP_CONCAT off at 1024 bytes, silently.
SET SESSION group_concat_max_len = 1000000;

SET @alterations = (
  SELECT GROUP_CONCAT('ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    SELECT 1 AS place, 'is_admin' AS name, 'BOOLEAN NOT NULL DEFAULT FALSE' AS definition
    UNION ALL SELECT 2, 'suspended_at', 'TIMESTAMP NULL'
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

SET @alterations = (
  SELECT GROUP_CONCAT('ADD COLUMN ', wanted.name, ' ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    -- what the bytes are
    SELECT 1 AS place, 'kind' AS name, 'ENUM(''audio_effect'',''instrument'',''midi_effect'',''drum'') NULL' AS definition
    UNION ALL SELECT 2, 'preset_form', 'ENUM(''rack'',''device'') NULL'
    UNION ALL SELECT 3, 'file_hash', 'BINARY(32) NULL'
    UNION ALL SELECT 4, 'content_hash', 'BINARY(32) NULL'
    -- what became of the parse
    UNION ALL SELECT 5, 'parse_state', 'ENUM(''pending'',''parsed'',''failed'',''no_file'') NOT NULL DEFAULT ''pending'''
    UNION ALL SELECT 6, 'parse_error_code', 'VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL'
    UNION ALL SELECT 7, 'parse_error', 'VARCHAR(1000) NULL'
    UNION ALL SELECT 8, 'parser_version', 'INT UNSIGNED NULL'
    UNION ALL SELECT 9, 'parsed_at', 'TIMESTAMP(6) NULL'
    -- what it needs to open
    UNION ALL SELECT 10, 'required_live_version', 'VARCHAR(20) NULL'
    UNION ALL SELECT 11, 'required_edition', 'ENUM(''intro'',''standard'',''suite'',''unknown'') NULL'
    UNION ALL SELECT 12, 'requirements', 'JSON NULL'
    -- canonical forms of key_signature and bpm, kept by triggers
    UNION ALL SELECT 13, 'musical_key', 'VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL'
    UNION ALL SELECT 14, 'tempo', 'DECIMAL(6,2) NULL'
    -- moderation
    UNION ALL SELECT 15, 'taken_down_at', 'TIMESTAMP NULL'
    UNION ALL SELECT 16, 'taken_down_reason', 'VARCHAR(500) NULL'
    -- the sum behind average_rating, so that a new rating need not read (and lock) all others
    UNION ALL SELECT 17, 'ratings_sum', 'INT NOT NULL DEFAULT 0'
    -- the marker that a counter moved
    UNION ALL SELECT 18, 'counts_changed_at', 'TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.columns AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'workflows' AND present.column_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE workflows ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @alterations = (
  SELECT GROUP_CONCAT('ADD ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    -- Not (user_id, file_hash): MySQL 9.7 checks a foreign key by an index of the child that begins with its column, takes
    -- a NULL in the rest of that index for a NULL in the key, and lets workflows of users in who do not exist.
    SELECT 1 AS place, 'uq_user_file' AS name, 'UNIQUE KEY uq_user_file (file_hash, user_id)' AS definition
    UNION ALL SELECT 3, 'idx_content_hash', 'INDEX idx_content_hash (content_hash)'
    UNION ALL SELECT 4, 'idx_parse_state', 'INDEX idx_parse_state (parse_state, id)'
    UNION ALL SELECT 5, 'idx_counts_changed', 'INDEX idx_counts_changed (counts_changed_at, id)'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.statistics AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'workflows' AND present.index_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE workflows ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;
