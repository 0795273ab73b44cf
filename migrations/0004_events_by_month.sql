-- Views, downloads and activities, partitioned by month: a year of them is dropped in an instant, and what reads the last
-- days opens one or two partitions.
--
-- Both servers ask for the same three things. The partitioning column must be part of every unique key, so the primary key
-- becomes (id, created_at), and created_at NOT NULL. A partitioned table can have no foreign keys and none can refer to it
-- (errors 1217 and 150): triggers take their place (0006 and 0008). The months are bounds of UNIX_TIMESTAMP(created_at),
-- written as numbers, so that no session's time zone shifts them. The last partition is MAXVALUE and takes what
-- `store::partition::extend` has not yet made a month for.
--
-- Rows of an adopted database keep their ids and times and fall into their months. For them the tables are copied
-- here once, and written to by nobody else meanwhile.

-- MySQL cuts GROUP_CONCAT off at 1024 bytes, silently.
SET SESSION group_concat_max_len = 1000000;

-- ---------------------------------------------------------------------------------------------------- foreign keys
-- Their names are the server's own invention, so they are looked up.

SET @alterations = (
  SELECT GROUP_CONCAT('DROP FOREIGN KEY `', present.constraint_name, '`' ORDER BY present.constraint_name SEPARATOR ', ')
  FROM information_schema.referential_constraints AS present
  WHERE present.constraint_schema = DATABASE() AND present.table_name = 'workflow_views'
);
SET @statement = COALESCE(CONCAT('ALTER TABLE workflow_views ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @alterations = (
  SELECT GROUP_CONCAT('DROP FOREIGN KEY `', present.constraint_name, '`' ORDER BY present.constraint_name SEPARATOR ', ')
  FROM information_schema.referential_constraints AS present
  WHERE present.constraint_schema = DATABASE() AND present.table_name = 'workflow_downloads'
);
SET @statement = COALESCE(CONCAT('ALTER TABLE workflow_downloads ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @alterations = (
  SELECT GROUP_CONCAT('DROP FOREIGN KEY `', present.constraint_name, '`' ORDER BY present.constraint_name SEPARATOR ', ')
  FROM information_schema.referential_constraints AS present
  WHERE present.constraint_schema = DATABASE() AND present.table_name = 'user_feed_cache'
    AND present.referenced_table_name = 'user_activities'
);
SET @statement = COALESCE(CONCAT('ALTER TABLE user_feed_cache ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @alterations = (
  SELECT GROUP_CONCAT('DROP FOREIGN KEY `', present.constraint_name, '`' ORDER BY present.constraint_name SEPARATOR ', ')
  FROM information_schema.referential_constraints AS present
  WHERE present.constraint_schema = DATABASE() AND present.table_name = 'user_activities'
);
SET @statement = COALESCE(CONCAT('ALTER TABLE user_activities ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

-- ------------------------------------------------------------------------------------------------- times unknown
-- The seed lets created_at be NULL. Such events are put at the beginning of time: in no window, and in no month's report.

UPDATE workflow_views SET created_at = '1970-01-02 00:00:00' WHERE created_at IS NULL;
UPDATE workflow_downloads SET created_at = '1970-01-02 00:00:00' WHERE created_at IS NULL;
UPDATE user_activities SET created_at = '1970-01-02 00:00:00' WHERE created_at IS NULL;

-- ---------------------------------------------------------------------------------------------------- the months
-- From the month of the oldest event, at least two months and at most ten years back, to three months ahead. What is older
-- shares the first.

SET @oldest = (
  SELECT MIN(first_event) FROM (
    SELECT MIN(created_at) AS first_event FROM workflow_views WHERE created_at > '1970-01-03'
    UNION ALL SELECT MIN(created_at) FROM workflow_downloads WHERE created_at > '1970-01-03'
    UNION ALL SELECT MIN(created_at) FROM user_activities WHERE created_at > '1970-01-03'
  ) AS firsts
);
SET @first_month = DATE_FORMAT(
  GREATEST(LEAST(COALESCE(@oldest, NOW()), NOW() - INTERVAL 2 MONTH), NOW() - INTERVAL 120 MONTH), '%Y-%m-01');
SET @months = (
  WITH RECURSIVE months AS (
    SELECT CAST(@first_month AS DATE) AS month
    UNION ALL
    SELECT month + INTERVAL 1 MONTH FROM months WHERE month < NOW() + INTERVAL 2 MONTH
  )
  SELECT GROUP_CONCAT(
    'PARTITION p', DATE_FORMAT(month, '%Y%m'),
    ' VALUES LESS THAN (', TIMESTAMPDIFF(SECOND, '1970-01-01', month + INTERVAL 1 MONTH), ')'
    ORDER BY month SEPARATOR ', ')
  FROM months
);
SET @by_month = CONCAT(
  'PARTITION BY RANGE (UNIX_TIMESTAMP(created_at)) (', @months, ', PARTITION pmax VALUES LESS THAN MAXVALUE)');

-- ------------------------------------------------------------------------------------------------------ the tables
-- Each in one ALTER, which happens whole or not at all. The seed's indexes keep their names; idx_workflow_id and
-- idx_created_at grow by the columns that rollups read, and idx_user_id by what a feed is ordered by.

SET @statement = IF(
  (SELECT COUNT(*) FROM information_schema.partitions AS present
   WHERE present.table_schema = DATABASE() AND present.table_name = 'workflow_views' AND present.partition_name = 'pmax') > 0,
  'DO 0',
  CONCAT(
    'ALTER TABLE workflow_views
       MODIFY COLUMN created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
       ADD COLUMN counted BOOLEAN NOT NULL DEFAULT TRUE,
       ADD COLUMN discount_reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
       ADD COLUMN network_hash BINARY(16) NULL,
       DROP PRIMARY KEY, ADD PRIMARY KEY (id, created_at),
       DROP INDEX idx_workflow_id, ADD INDEX idx_workflow_id (workflow_id, created_at, counted),
       DROP INDEX idx_created_at, ADD INDEX idx_created_at (created_at, workflow_id, counted),
       ADD INDEX idx_network (network_hash, workflow_id, created_at) ',
    @by_month));
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @statement = IF(
  (SELECT COUNT(*) FROM information_schema.partitions AS present
   WHERE present.table_schema = DATABASE() AND present.table_name = 'workflow_downloads' AND present.partition_name = 'pmax') > 0,
  'DO 0',
  CONCAT(
    'ALTER TABLE workflow_downloads
       MODIFY COLUMN created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
       ADD COLUMN counted BOOLEAN NOT NULL DEFAULT TRUE,
       ADD COLUMN discount_reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
       ADD COLUMN network_hash BINARY(16) NULL,
       DROP PRIMARY KEY, ADD PRIMARY KEY (id, created_at),
       DROP INDEX idx_workflow_id, ADD INDEX idx_workflow_id (workflow_id, created_at, counted),
       DROP INDEX idx_created_at, ADD INDEX idx_created_at (created_at, workflow_id, counted),
       ADD INDEX idx_network (network_hash, workflow_id, created_at) ',
    @by_month));
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @statement = IF(
  (SELECT COUNT(*) FROM information_schema.partitions AS present
   WHERE present.table_schema = DATABASE() AND present.table_name = 'user_activities' AND present.partition_name = 'pmax') > 0,
  'DO 0',
  CONCAT(
    'ALTER TABLE user_activities
       MODIFY COLUMN created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
       DROP PRIMARY KEY, ADD PRIMARY KEY (id, created_at),
       DROP INDEX idx_user_id, ADD INDEX idx_user_id (user_id, created_at) ',
    @by_month));
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

-- ------------------------------------------------------------------------------------------------------ feed caches
-- A feed's row carries the time of its activity: a page is read in its order without opening every month of activities.
-- idx_activity_id is what the foreign key's own index was for: forgetting an activity that is deleted.

SET @statement = IF(
  (SELECT COUNT(*) FROM information_schema.columns AS present
   WHERE present.table_schema = DATABASE() AND present.table_name = 'user_feed_cache' AND present.column_name = 'activity_at') > 0,
  'DO 0',
  'ALTER TABLE user_feed_cache ADD COLUMN activity_at TIMESTAMP NULL');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

SET @alterations = (
  SELECT GROUP_CONCAT('ADD ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    SELECT 1 AS place, 'idx_feed' AS name, 'INDEX idx_feed (user_id, activity_at, activity_id)' AS definition
    UNION ALL SELECT 2, 'idx_activity_id', 'INDEX idx_activity_id (activity_id)'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.statistics AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'user_feed_cache' AND present.index_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE user_feed_cache ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

UPDATE user_feed_cache AS cached
  JOIN user_activities AS activity ON activity.id = cached.activity_id
  SET cached.activity_at = activity.created_at
  WHERE cached.activity_at IS NULL;
