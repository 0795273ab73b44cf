-- Triggers for what a deletion takes with it.
--
-- Cascades of foreign keys fire no triggers on MariaDB 10.11, nor on MySQL 9 as it comes. Some server may one day, and
-- neither behaviour may break a count or leave a document in the index. So whatever has a trigger to
-- fire is deleted here by a statement of its own, before the cascade, which then finds nothing; and the rows whose counts
-- live only in what is being deleted are left to it.
--
-- @cookbook_deleting_… tells the count triggers of 0006 which table they must not write: see there. It is taken back when
-- the row is gone, since a statement that deletes two users deletes the workflows of the first before the second's likes.

-- ---------------------------------------------------------------------------------------------------------- workflows

DROP TRIGGER IF EXISTS before_workflow_delete;
CREATE TRIGGER before_workflow_delete BEFORE DELETE ON workflows FOR EACH ROW
BEGIN
  SET @cookbook_deleting_workflows = NOW(6);
  SET @cookbook_deleted_workflow = OLD.id;
  DELETE FROM workflow_tag_pivot WHERE workflow_id = OLD.id;
  DELETE FROM collection_workflows WHERE workflow_id = OLD.id;
  -- Its comments and all that answer them: those that nobody answered first, and again until none is left. The cascade
  -- would take whole threads at once, and MySQL 9 gives up (error 6575) at three comments with a reply each; both servers
  -- do at a thread fifteen replies deep.
  REPEAT
    DELETE comment
      FROM (
        WITH RECURSIVE thread AS (
          SELECT own.id FROM workflow_comments AS own WHERE own.workflow_id = OLD.id
          UNION
          SELECT answer.id FROM thread JOIN workflow_comments AS answer ON answer.parent_id = thread.id
        )
        SELECT id FROM thread
      ) AS gone
      JOIN workflow_comments AS comment ON comment.id = gone.id
      LEFT JOIN workflow_comments AS reply ON reply.parent_id = comment.id
      WHERE reply.id IS NULL;
  UNTIL ROW_COUNT() = 0 END REPEAT;
  -- In place of foreign keys.
  DELETE FROM workflow_views WHERE workflow_id = OLD.id;
  DELETE FROM workflow_downloads WHERE workflow_id = OLD.id;
END;

DROP TRIGGER IF EXISTS after_workflow_delete;
CREATE TRIGGER after_workflow_delete AFTER DELETE ON workflows FOR EACH ROW
  SET @cookbook_deleting_workflows = NULL;

-- --------------------------------------------------------------------------------------------------------------- tags

DROP TRIGGER IF EXISTS before_tag_delete;
CREATE TRIGGER before_tag_delete BEFORE DELETE ON workflow_tags FOR EACH ROW
BEGIN
  SET @cookbook_deleting_tags = NOW(6);
  -- Its trigger logs each workflow for the index.
  DELETE FROM workflow_tag_pivot WHERE tag_id = OLD.id;
END;

DROP TRIGGER IF EXISTS after_tag_delete;
CREATE TRIGGER after_tag_delete AFTER DELETE ON workflow_tags FOR EACH ROW
  SET @cookbook_deleting_tags = NULL;

-- --------------------------------------------------------------------------------------------------------- collections

DROP TRIGGER IF EXISTS before_collection_delete;
CREATE TRIGGER before_collection_delete BEFORE DELETE ON workflow_collections FOR EACH ROW
  SET @cookbook_deleting_collections = NOW(6);

DROP TRIGGER IF EXISTS after_collection_delete;
CREATE TRIGGER after_collection_delete AFTER DELETE ON workflow_collections FOR EACH ROW
  SET @cookbook_deleting_collections = NULL;

-- ------------------------------------------------------------------------------------------------------------ comments
-- A comment takes its replies with it, and theirs. All are counted here, off the workflow that each belongs to. Replies
-- that a cascade fires triggers for come between the two triggers of the topmost, and count nothing.

DROP TRIGGER IF EXISTS before_comment_delete;
CREATE TRIGGER before_comment_delete BEFORE DELETE ON workflow_comments FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_comments <=> NOW(6)) THEN
    SET @cookbook_deleting_comments = NOW(6);
    SET @cookbook_topmost_comment = OLD.id;
    -- MySQL 9.7 refuses to delete a comment that has both a like and a reply with a reply (error 6575, with the seed's
    -- tables alone); without the like it does it.
    DELETE FROM comment_likes WHERE comment_id = OLD.id;
    IF @cookbook_deleting_workflows <=> NOW(6) THEN
      -- The seed lets a reply belong to another workflow than the comment that it answers.
      IF OLD.workflow_id <> @cookbook_deleted_workflow THEN
        INSERT INTO workflow_count_repairs (workflow_id) VALUES (OLD.workflow_id);
      END IF;
    ELSE
      -- Before the thread is counted: whoever adds a reply to it holds this lock until the reply is there to be seen.
      SET @cookbook_locked = (SELECT id FROM workflows WHERE id = OLD.workflow_id FOR UPDATE);
      UPDATE workflows
        JOIN (
          WITH RECURSIVE thread AS (
            SELECT topmost.id, topmost.workflow_id FROM workflow_comments AS topmost WHERE topmost.id = OLD.id
            UNION ALL
            SELECT reply.id, reply.workflow_id FROM thread JOIN workflow_comments AS reply ON reply.parent_id = thread.id
          )
          SELECT workflow_id, COUNT(*) AS comments FROM thread GROUP BY workflow_id
        ) AS gone ON gone.workflow_id = workflows.id
        SET workflows.comments_count = GREATEST(COALESCE(workflows.comments_count, 0) - gone.comments, 0),
            workflows.counts_changed_at = NOW(6),
            workflows.updated_at = workflows.updated_at;
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS after_comment_delete;
CREATE TRIGGER after_comment_delete AFTER DELETE ON workflow_comments FOR EACH ROW
BEGIN
  IF OLD.id = @cookbook_topmost_comment THEN
    SET @cookbook_deleting_comments = NULL;
  END IF;
END;

-- ---------------------------------------------------------------------------------------------------------- activities

DROP TRIGGER IF EXISTS after_activity_delete;
CREATE TRIGGER after_activity_delete AFTER DELETE ON user_activities FOR EACH ROW
  DELETE FROM user_feed_cache WHERE activity_id = OLD.id;

-- --------------------------------------------------------------------------------------------------------------- users
-- What they did to others' things goes first, then their own workflows. Follow counts of others are noted in
-- `count_repairs`, since a statement that deletes users lets no trigger write users; a job counts them within a second.

DROP TRIGGER IF EXISTS before_user_delete;
CREATE TRIGGER before_user_delete BEFORE DELETE ON users FOR EACH ROW
BEGIN
  SET @cookbook_deleting_users = NOW(6);
  DELETE FROM comment_likes WHERE user_id = OLD.id;
  -- With all replies, the last of each thread first: see `before_workflow_delete`.
  REPEAT
    DELETE comment
      FROM (
        WITH RECURSIVE thread AS (
          SELECT own.id FROM workflow_comments AS own WHERE own.user_id = OLD.id
          UNION
          SELECT answer.id FROM thread JOIN workflow_comments AS answer ON answer.parent_id = thread.id
        )
        SELECT id FROM thread
      ) AS gone
      JOIN workflow_comments AS comment ON comment.id = gone.id
      LEFT JOIN workflow_comments AS reply ON reply.parent_id = comment.id
      WHERE reply.id IS NULL;
  UNTIL ROW_COUNT() = 0 END REPEAT;
  DELETE FROM workflow_likes WHERE user_id = OLD.id;
  DELETE FROM workflow_ratings WHERE user_id = OLD.id;
  DELETE FROM user_follows WHERE follower_id = OLD.id;
  DELETE FROM user_follows WHERE following_id = OLD.id;
  DELETE FROM workflows WHERE user_id = OLD.id;
  -- In place of foreign keys.
  UPDATE workflow_views SET user_id = NULL WHERE user_id = OLD.id;
  UPDATE workflow_downloads SET user_id = NULL WHERE user_id = OLD.id;
  DELETE FROM user_activities WHERE user_id = OLD.id;
END;

DROP TRIGGER IF EXISTS after_user_delete;
CREATE TRIGGER after_user_delete AFTER DELETE ON users FOR EACH ROW
  SET @cookbook_deleting_users = NULL;
