-- What an activity is about, in columns of its own, so that finding one, undoing one and testing whether it may be shown need not read JSON.
--
-- `activity_data` stays the truth, in the seed's form: triggers copy its ids whenever it is written, so that rows of other programs
-- have them too. An activity goes with what it is about: the table is partitioned, so triggers stand in for foreign keys.

SET SESSION group_concat_max_len = 1000000;

SET @alterations = (
  SELECT GROUP_CONCAT('ADD ', wanted.definition ORDER BY wanted.place SEPARATOR ', ')
  FROM (
    -- the workflow that was uploaded, liked, commented on or rated
    SELECT 1 AS place, 'workflow_id' AS name, 'COLUMN workflow_id BIGINT UNSIGNED NULL' AS definition
    -- the comment that was written
    UNION ALL SELECT 2, 'comment_id', 'COLUMN comment_id BIGINT UNSIGNED NULL'
    -- the user who was followed
    UNION ALL SELECT 3, 'following_id', 'COLUMN following_id BIGINT UNSIGNED NULL'
    UNION ALL SELECT 4, 'idx_workflow', 'INDEX idx_workflow (workflow_id, user_id, activity_type)'
    UNION ALL SELECT 5, 'idx_comment', 'INDEX idx_comment (comment_id)'
    UNION ALL SELECT 6, 'idx_following', 'INDEX idx_following (following_id, user_id)'
  ) AS wanted
  WHERE NOT EXISTS (
    SELECT 1 FROM information_schema.columns AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'user_activities' AND present.column_name = wanted.name
  ) AND NOT EXISTS (
    SELECT 1 FROM information_schema.statistics AS present
    WHERE present.table_schema = DATABASE() AND present.table_name = 'user_activities' AND present.index_name = wanted.name
  )
);
SET @statement = COALESCE(CONCAT('ALTER TABLE user_activities ', @alterations), 'DO 0');
PREPARE alteration FROM @statement;
EXECUTE alteration;
DEALLOCATE PREPARE alteration;

-- What is no id, in the JSON of another program, is about nothing.
DROP TRIGGER IF EXISTS fill_user_activities_insert;
CREATE TRIGGER fill_user_activities_insert BEFORE INSERT ON user_activities FOR EACH ROW
BEGIN
  SET NEW.workflow_id = IF(JSON_VALUE(NEW.activity_data, '$.workflow_id') REGEXP '^[0-9]{1,18}$',
                           JSON_VALUE(NEW.activity_data, '$.workflow_id'), NULL);
  SET NEW.comment_id = IF(JSON_VALUE(NEW.activity_data, '$.comment_id') REGEXP '^[0-9]{1,18}$',
                          JSON_VALUE(NEW.activity_data, '$.comment_id'), NULL);
  SET NEW.following_id = IF(JSON_VALUE(NEW.activity_data, '$.following_id') REGEXP '^[0-9]{1,18}$',
                            JSON_VALUE(NEW.activity_data, '$.following_id'), NULL);
END;

DROP TRIGGER IF EXISTS fill_user_activities_update;
CREATE TRIGGER fill_user_activities_update BEFORE UPDATE ON user_activities FOR EACH ROW
BEGIN
  SET NEW.workflow_id = IF(JSON_VALUE(NEW.activity_data, '$.workflow_id') REGEXP '^[0-9]{1,18}$',
                           JSON_VALUE(NEW.activity_data, '$.workflow_id'), NULL);
  SET NEW.comment_id = IF(JSON_VALUE(NEW.activity_data, '$.comment_id') REGEXP '^[0-9]{1,18}$',
                          JSON_VALUE(NEW.activity_data, '$.comment_id'), NULL);
  SET NEW.following_id = IF(JSON_VALUE(NEW.activity_data, '$.following_id') REGEXP '^[0-9]{1,18}$',
                            JSON_VALUE(NEW.activity_data, '$.following_id'), NULL);
END;

-- Rows that were there before.
UPDATE user_activities SET activity_data = activity_data
  WHERE activity_data IS NOT NULL AND workflow_id IS NULL AND following_id IS NULL;

DROP TRIGGER IF EXISTS forget_activities_of_workflow;
CREATE TRIGGER forget_activities_of_workflow BEFORE DELETE ON workflows FOR EACH ROW
  DELETE FROM user_activities WHERE workflow_id = OLD.id;

DROP TRIGGER IF EXISTS forget_activities_of_user;
CREATE TRIGGER forget_activities_of_user BEFORE DELETE ON users FOR EACH ROW
  DELETE FROM user_activities WHERE following_id = OLD.id;

-- With all that answers it, which goes by cascade.
DROP TRIGGER IF EXISTS forget_activities_of_comment;
CREATE TRIGGER forget_activities_of_comment BEFORE DELETE ON workflow_comments FOR EACH ROW
  DELETE activity
    FROM (
      WITH RECURSIVE thread AS (
        SELECT topmost.id FROM workflow_comments AS topmost WHERE topmost.id = OLD.id
        UNION ALL
        SELECT reply.id FROM thread JOIN workflow_comments AS reply ON reply.parent_id = thread.id
      )
      SELECT id FROM thread
    ) AS gone
    STRAIGHT_JOIN user_activities AS activity ON activity.comment_id = gone.id;
