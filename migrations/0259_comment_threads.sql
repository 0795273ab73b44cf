-- No comment answers itself, and deleting reads threads in the order in which they hang together.
--
-- A comment that answers itself, directly or around, is nobody's last reply: deletions from the last reply up (0008) never come to
-- it, and a cascade takes it without its count.
--
-- Where a statement joins a thread with a table, STRAIGHT_JOIN makes the thread come first. MySQL 9.7 read `workflows` first, whole, and locked every row
-- on the way: with 200 people at work, nearly every deletion of a comment met a deadlock.

-- A copied id, or a guess at the next one.
UPDATE workflow_comments SET parent_id = NULL, updated_at = updated_at WHERE parent_id = id;

DROP TRIGGER IF EXISTS refuse_comment_that_answers_itself;
CREATE TRIGGER refuse_comment_that_answers_itself AFTER INSERT ON workflow_comments FOR EACH ROW
BEGIN
  IF NEW.parent_id = NEW.id THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add a comment: it answers itself';
  END IF;
END;

DROP TRIGGER IF EXISTS refuse_comments_in_a_circle;
CREATE TRIGGER refuse_comments_in_a_circle BEFORE UPDATE ON workflow_comments FOR EACH ROW
BEGIN
  IF NEW.parent_id IS NOT NULL AND NOT (NEW.parent_id <=> OLD.parent_id) AND EXISTS (
    WITH RECURSIVE above AS (
      SELECT answered.id, answered.parent_id FROM workflow_comments AS answered WHERE answered.id = NEW.parent_id
      UNION
      SELECT further.id, further.parent_id FROM above JOIN workflow_comments AS further ON further.id = above.parent_id
    )
    SELECT 1 FROM above WHERE id = NEW.id
  ) THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot move a comment: it would answer itself';
  END IF;
END;

-- ------------------------------------------------------------------------------------------------ as in 0008, but for the joins

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
          SELECT answer.id FROM thread STRAIGHT_JOIN workflow_comments AS answer ON answer.parent_id = thread.id
        )
        SELECT id FROM thread
      ) AS gone
      STRAIGHT_JOIN workflow_comments AS comment ON comment.id = gone.id
      LEFT JOIN workflow_comments AS reply ON reply.parent_id = comment.id
      WHERE reply.id IS NULL;
  UNTIL ROW_COUNT() = 0 END REPEAT;
  -- In place of foreign keys.
  DELETE FROM workflow_views WHERE workflow_id = OLD.id;
  DELETE FROM workflow_downloads WHERE workflow_id = OLD.id;
END;

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
      UPDATE (
          WITH RECURSIVE thread AS (
            SELECT topmost.id, topmost.workflow_id FROM workflow_comments AS topmost WHERE topmost.id = OLD.id
            UNION
            SELECT reply.id, reply.workflow_id FROM thread STRAIGHT_JOIN workflow_comments AS reply ON reply.parent_id = thread.id
          )
          SELECT workflow_id, COUNT(*) AS comments FROM thread GROUP BY workflow_id
        ) AS gone
        STRAIGHT_JOIN workflows ON workflows.id = gone.workflow_id
        SET workflows.comments_count = GREATEST(COALESCE(workflows.comments_count, 0) - gone.comments, 0),
            workflows.counts_changed_at = NOW(6),
            workflows.updated_at = workflows.updated_at;
    END IF;
  END IF;
END;

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
          SELECT answer.id FROM thread STRAIGHT_JOIN workflow_comments AS answer ON answer.parent_id = thread.id
        )
        SELECT id FROM thread
      ) AS gone
      STRAIGHT_JOIN workflow_comments AS comment ON comment.id = gone.id
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

-- As in 0190.
DROP TRIGGER IF EXISTS mark_workflow_comments_delete;
CREATE TRIGGER mark_workflow_comments_delete BEFORE DELETE ON workflow_comments FOR EACH ROW
  INSERT INTO rollup_dirty (at)
    WITH RECURSIVE thread AS (
      SELECT topmost.id, topmost.created_at FROM workflow_comments AS topmost WHERE topmost.id = OLD.id
      UNION
      SELECT reply.id, reply.created_at FROM thread STRAIGHT_JOIN workflow_comments AS reply ON reply.parent_id = thread.id
    )
    SELECT created_at FROM thread WHERE created_at IS NOT NULL;

-- As in 0230.
DROP TRIGGER IF EXISTS forget_activities_of_comment;
CREATE TRIGGER forget_activities_of_comment BEFORE DELETE ON workflow_comments FOR EACH ROW
  DELETE activity
    FROM (
      WITH RECURSIVE thread AS (
        SELECT topmost.id FROM workflow_comments AS topmost WHERE topmost.id = OLD.id
        UNION
        SELECT reply.id FROM thread STRAIGHT_JOIN workflow_comments AS reply ON reply.parent_id = thread.id
      )
      SELECT id FROM thread
    ) AS gone
    STRAIGHT_JOIN user_activities AS activity ON activity.comment_id = gone.id;
