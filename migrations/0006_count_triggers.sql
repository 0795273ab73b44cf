-- Triggers that keep every count of the seed, whoever writes: this program, the community's own application, a SQL shell.
--
-- Rules that all of them follow, each learnt from both servers:
-- * A BEFORE INSERT trigger locks the parent first. The foreign-key check takes a shared lock on the parent, which the
--   counting trigger then wants exclusively; eight clients liking one rack deadlock in most statements without it.
--   A follow has two parents: they are locked in the order of their ids.
-- * Whoever takes a like or a rating away holds its row already when the trigger runs, and must not wait for the parent:
--   an INSERT holds the parent, and looks for duplicates by locking rows beside its own, deleted ones too. So the trigger
--   counts at once if nobody holds the parent (SKIP LOCKED), and otherwise leaves a note that a job counts within a second.
--   MySQL 9 takes no notice of SKIP LOCKED within a trigger: there, likes and unlikes of one rack at one moment can still
--   deadlock, unless the writer locks the workflow first, as every writer of ours must.
-- * `updated_at = updated_at`: a like is no edit. Counters of workflows set `counts_changed_at` instead.
-- * A trigger cannot write a table that its statement uses (error 1442). So while a statement deletes users, workflows,
--   tags, comments or collections (the variables @cookbook_deleting_… say so, see 0008), counts in that very table are
--   left alone: they go with their rows, or are noted in `count_repairs`.
--   The variables hold NOW(6), which within a statement and its triggers is one and the same moment and never again:
--   a statement that fails half-way leaves no flag that a later one could trip over.
-- * Nothing falls below zero, even where an adopted count had drifted.

-- ------------------------------------------------------------------------------------------------- likes of workflows

DROP TRIGGER IF EXISTS lock_workflow_likes_parent;
CREATE TRIGGER lock_workflow_likes_parent BEFORE INSERT ON workflow_likes FOR EACH ROW
  SET @cookbook_locked = (SELECT id FROM workflows WHERE id = NEW.workflow_id FOR UPDATE);

DROP TRIGGER IF EXISTS update_workflow_likes_count_insert;
CREATE TRIGGER update_workflow_likes_count_insert AFTER INSERT ON workflow_likes FOR EACH ROW
  UPDATE workflows
  SET likes_count = COALESCE(likes_count, 0) + 1, counts_changed_at = NOW(6), updated_at = updated_at
  WHERE id = NEW.workflow_id;

DROP TRIGGER IF EXISTS update_workflow_likes_count_delete;
CREATE TRIGGER update_workflow_likes_count_delete AFTER DELETE ON workflow_likes FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_workflows <=> NOW(6)) THEN
    SET @cookbook_locked = (SELECT id FROM workflows WHERE id = OLD.workflow_id FOR UPDATE SKIP LOCKED);
    IF @cookbook_locked IS NULL THEN
      INSERT INTO workflow_count_repairs (workflow_id) VALUES (OLD.workflow_id);
    ELSE
      UPDATE workflows
      SET likes_count = GREATEST(COALESCE(likes_count, 0) - 1, 0), counts_changed_at = NOW(6), updated_at = updated_at
      WHERE id = OLD.workflow_id;
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS update_workflow_likes_count_update;
CREATE TRIGGER update_workflow_likes_count_update AFTER UPDATE ON workflow_likes FOR EACH ROW
BEGIN
  IF NEW.workflow_id <> OLD.workflow_id THEN
    UPDATE workflows
    SET likes_count = GREATEST(COALESCE(likes_count, 0) - 1, 0), counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = OLD.workflow_id;
    UPDATE workflows
    SET likes_count = COALESCE(likes_count, 0) + 1, counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = NEW.workflow_id;
  END IF;
END;

-- ----------------------------------------------------------------------------------------------- ratings of workflows
-- The average is made of `ratings_sum`, not of the ratings: reading those would lock them, and two people who change
-- their ratings of one rack at once would each wait for the other's row.

DROP TRIGGER IF EXISTS lock_workflow_ratings_parent;
CREATE TRIGGER lock_workflow_ratings_parent BEFORE INSERT ON workflow_ratings FOR EACH ROW
  SET @cookbook_locked = (SELECT id FROM workflows WHERE id = NEW.workflow_id FOR UPDATE);

DROP TRIGGER IF EXISTS update_workflow_ratings_count_insert;
CREATE TRIGGER update_workflow_ratings_count_insert AFTER INSERT ON workflow_ratings FOR EACH ROW
  UPDATE workflows
  SET average_rating = ROUND((ratings_sum + NEW.rating) / (COALESCE(ratings_count, 0) + 1), 2),
      ratings_sum = ratings_sum + NEW.rating,
      ratings_count = COALESCE(ratings_count, 0) + 1,
      counts_changed_at = NOW(6), updated_at = updated_at
  WHERE id = NEW.workflow_id;

DROP TRIGGER IF EXISTS update_workflow_ratings_count_delete;
CREATE TRIGGER update_workflow_ratings_count_delete AFTER DELETE ON workflow_ratings FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_workflows <=> NOW(6)) THEN
    SET @cookbook_locked = (SELECT id FROM workflows WHERE id = OLD.workflow_id FOR UPDATE SKIP LOCKED);
    IF @cookbook_locked IS NULL THEN
      INSERT INTO workflow_count_repairs (workflow_id) VALUES (OLD.workflow_id);
    ELSE
      UPDATE workflows
      SET average_rating = IF(COALESCE(ratings_count, 0) <= 1, 0, ROUND((ratings_sum - OLD.rating) / (ratings_count - 1), 2)),
          ratings_sum = GREATEST(ratings_sum - OLD.rating, 0),
          ratings_count = GREATEST(COALESCE(ratings_count, 0) - 1, 0),
          counts_changed_at = NOW(6), updated_at = updated_at
      WHERE id = OLD.workflow_id;
    END IF;
  END IF;
END;

DROP TRIGGER IF EXISTS update_workflow_ratings_count_update;
CREATE TRIGGER update_workflow_ratings_count_update AFTER UPDATE ON workflow_ratings FOR EACH ROW
BEGIN
  IF NEW.workflow_id <> OLD.workflow_id OR NEW.rating <> OLD.rating THEN
    UPDATE workflows
    SET average_rating = IF(COALESCE(ratings_count, 0) <= 1, 0, ROUND((ratings_sum - OLD.rating) / (ratings_count - 1), 2)),
        ratings_sum = GREATEST(ratings_sum - OLD.rating, 0),
        ratings_count = GREATEST(COALESCE(ratings_count, 0) - 1, 0),
        counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = OLD.workflow_id;
    UPDATE workflows
    SET average_rating = ROUND((ratings_sum + NEW.rating) / (COALESCE(ratings_count, 0) + 1), 2),
        ratings_sum = ratings_sum + NEW.rating,
        ratings_count = COALESCE(ratings_count, 0) + 1,
        counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = NEW.workflow_id;
  END IF;
END;

-- ---------------------------------------------------------------------------------------------- comments on workflows
-- Replies go with the comment that they answer, by a cascade that fires no triggers today and may tomorrow. So the whole
-- thread is counted when its topmost deleted comment goes (in 0008), and what a cascade then fires counts nothing.
-- A reply locks the comment that it answers before the workflow, since that is the order in which a deletion locks.

DROP TRIGGER IF EXISTS lock_workflow_comments_parent;
CREATE TRIGGER lock_workflow_comments_parent BEFORE INSERT ON workflow_comments FOR EACH ROW
BEGIN
  IF NEW.parent_id IS NOT NULL THEN
    SET @cookbook_locked = (SELECT id FROM workflow_comments WHERE id = NEW.parent_id LOCK IN SHARE MODE);
  END IF;
  SET @cookbook_locked = (SELECT id FROM workflows WHERE id = NEW.workflow_id FOR UPDATE);
END;

DROP TRIGGER IF EXISTS update_workflow_comments_count_insert;
CREATE TRIGGER update_workflow_comments_count_insert AFTER INSERT ON workflow_comments FOR EACH ROW
  UPDATE workflows
  SET comments_count = COALESCE(comments_count, 0) + 1, counts_changed_at = NOW(6), updated_at = updated_at
  WHERE id = NEW.workflow_id;

DROP TRIGGER IF EXISTS update_workflow_comments_count_update;
CREATE TRIGGER update_workflow_comments_count_update AFTER UPDATE ON workflow_comments FOR EACH ROW
BEGIN
  IF NEW.workflow_id <> OLD.workflow_id THEN
    UPDATE workflows
    SET comments_count = GREATEST(COALESCE(comments_count, 0) - 1, 0), counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = OLD.workflow_id;
    UPDATE workflows
    SET comments_count = COALESCE(comments_count, 0) + 1, counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = NEW.workflow_id;
  END IF;
END;

-- -------------------------------------------------------------------------------------------------- likes of comments

DROP TRIGGER IF EXISTS lock_comment_likes_parent;
CREATE TRIGGER lock_comment_likes_parent BEFORE INSERT ON comment_likes FOR EACH ROW
  SET @cookbook_locked = (SELECT id FROM workflow_comments WHERE id = NEW.comment_id FOR UPDATE);

DROP TRIGGER IF EXISTS update_comment_likes_count_insert;
CREATE TRIGGER update_comment_likes_count_insert AFTER INSERT ON comment_likes FOR EACH ROW
  UPDATE workflow_comments SET likes_count = COALESCE(likes_count, 0) + 1, updated_at = updated_at
  WHERE id = NEW.comment_id;

DROP TRIGGER IF EXISTS update_comment_likes_count_delete;
CREATE TRIGGER update_comment_likes_count_delete AFTER DELETE ON comment_likes FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_comments <=> NOW(6)) THEN
    UPDATE workflow_comments SET likes_count = GREATEST(COALESCE(likes_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.comment_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_comment_likes_count_update;
CREATE TRIGGER update_comment_likes_count_update AFTER UPDATE ON comment_likes FOR EACH ROW
BEGIN
  IF NEW.comment_id <> OLD.comment_id THEN
    UPDATE workflow_comments SET likes_count = GREATEST(COALESCE(likes_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.comment_id;
    UPDATE workflow_comments SET likes_count = COALESCE(likes_count, 0) + 1, updated_at = updated_at
    WHERE id = NEW.comment_id;
  END IF;
END;

-- --------------------------------------------------------------------------------------------- downloads of workflows
-- Only rows with `counted` count. The foreign keys that partitioning took away are checked here, with their own error.

DROP TRIGGER IF EXISTS lock_workflow_downloads_parent;
CREATE TRIGGER lock_workflow_downloads_parent BEFORE INSERT ON workflow_downloads FOR EACH ROW
BEGIN
  SET @cookbook_locked = (SELECT id FROM workflows WHERE id = NEW.workflow_id FOR UPDATE);
  IF @cookbook_locked IS NULL THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add a download: its workflow does not exist';
  END IF;
  IF NEW.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id) THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add a download: its user does not exist';
  END IF;
END;

DROP TRIGGER IF EXISTS update_workflow_downloads_count_insert;
CREATE TRIGGER update_workflow_downloads_count_insert AFTER INSERT ON workflow_downloads FOR EACH ROW
BEGIN
  IF NEW.counted THEN
    UPDATE workflows
    SET downloads_count = COALESCE(downloads_count, 0) + 1, counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = NEW.workflow_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_workflow_downloads_count_delete;
CREATE TRIGGER update_workflow_downloads_count_delete AFTER DELETE ON workflow_downloads FOR EACH ROW
BEGIN
  IF OLD.counted AND NOT (@cookbook_deleting_workflows <=> NOW(6)) THEN
    UPDATE workflows
    SET downloads_count = GREATEST(COALESCE(downloads_count, 0) - 1, 0), counts_changed_at = NOW(6), updated_at = updated_at
    WHERE id = OLD.workflow_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_workflow_downloads_count_update;
CREATE TRIGGER update_workflow_downloads_count_update AFTER UPDATE ON workflow_downloads FOR EACH ROW
BEGIN
  IF NEW.workflow_id <> OLD.workflow_id OR NEW.counted <> OLD.counted THEN
    IF OLD.counted THEN
      UPDATE workflows
      SET downloads_count = GREATEST(COALESCE(downloads_count, 0) - 1, 0), counts_changed_at = NOW(6), updated_at = updated_at
      WHERE id = OLD.workflow_id;
    END IF;
    IF NEW.counted THEN
      UPDATE workflows
      SET downloads_count = COALESCE(downloads_count, 0) + 1, counts_changed_at = NOW(6), updated_at = updated_at
      WHERE id = NEW.workflow_id;
    END IF;
  END IF;
END;

-- ----------------------------------------------------------------------------------------------------- uses of a tag

DROP TRIGGER IF EXISTS lock_workflow_tag_pivot_parent;
CREATE TRIGGER lock_workflow_tag_pivot_parent BEFORE INSERT ON workflow_tag_pivot FOR EACH ROW
  SET @cookbook_locked = (SELECT id FROM workflow_tags WHERE id = NEW.tag_id FOR UPDATE);

DROP TRIGGER IF EXISTS update_workflow_tags_usage_count_insert;
CREATE TRIGGER update_workflow_tags_usage_count_insert AFTER INSERT ON workflow_tag_pivot FOR EACH ROW
  UPDATE workflow_tags SET usage_count = COALESCE(usage_count, 0) + 1, updated_at = updated_at WHERE id = NEW.tag_id;

DROP TRIGGER IF EXISTS update_workflow_tags_usage_count_delete;
CREATE TRIGGER update_workflow_tags_usage_count_delete AFTER DELETE ON workflow_tag_pivot FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_tags <=> NOW(6)) THEN
    UPDATE workflow_tags SET usage_count = GREATEST(COALESCE(usage_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.tag_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_workflow_tags_usage_count_update;
CREATE TRIGGER update_workflow_tags_usage_count_update AFTER UPDATE ON workflow_tag_pivot FOR EACH ROW
BEGIN
  IF NEW.tag_id <> OLD.tag_id THEN
    UPDATE workflow_tags SET usage_count = GREATEST(COALESCE(usage_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.tag_id;
    UPDATE workflow_tags SET usage_count = COALESCE(usage_count, 0) + 1, updated_at = updated_at WHERE id = NEW.tag_id;
  END IF;
END;

-- -------------------------------------------------------------------------------------------- workflows of collections

DROP TRIGGER IF EXISTS lock_collection_workflows_parent;
CREATE TRIGGER lock_collection_workflows_parent BEFORE INSERT ON collection_workflows FOR EACH ROW
  SET @cookbook_locked = (SELECT id FROM workflow_collections WHERE id = NEW.collection_id FOR UPDATE);

DROP TRIGGER IF EXISTS update_collections_workflows_count_insert;
CREATE TRIGGER update_collections_workflows_count_insert AFTER INSERT ON collection_workflows FOR EACH ROW
  UPDATE workflow_collections SET workflows_count = COALESCE(workflows_count, 0) + 1, updated_at = updated_at
  WHERE id = NEW.collection_id;

DROP TRIGGER IF EXISTS update_collections_workflows_count_delete;
CREATE TRIGGER update_collections_workflows_count_delete AFTER DELETE ON collection_workflows FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_collections <=> NOW(6)) THEN
    UPDATE workflow_collections SET workflows_count = GREATEST(COALESCE(workflows_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.collection_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_collections_workflows_count_update;
CREATE TRIGGER update_collections_workflows_count_update AFTER UPDATE ON collection_workflows FOR EACH ROW
BEGIN
  IF NEW.collection_id <> OLD.collection_id THEN
    UPDATE workflow_collections SET workflows_count = GREATEST(COALESCE(workflows_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.collection_id;
    UPDATE workflow_collections SET workflows_count = COALESCE(workflows_count, 0) + 1, updated_at = updated_at
    WHERE id = NEW.collection_id;
  END IF;
END;

-- ------------------------------------------------------------------------------------------------- workflows of a user
-- All of them, published or not: it is the number of rows, as every count here is.

DROP TRIGGER IF EXISTS lock_workflows_parent;
CREATE TRIGGER lock_workflows_parent BEFORE INSERT ON workflows FOR EACH ROW
  SET @cookbook_locked = (SELECT id FROM users WHERE id = NEW.user_id FOR UPDATE);

DROP TRIGGER IF EXISTS update_users_workflows_count_insert;
CREATE TRIGGER update_users_workflows_count_insert AFTER INSERT ON workflows FOR EACH ROW
  UPDATE users SET workflows_count = COALESCE(workflows_count, 0) + 1, updated_at = updated_at WHERE id = NEW.user_id;

DROP TRIGGER IF EXISTS update_users_workflows_count_delete;
CREATE TRIGGER update_users_workflows_count_delete AFTER DELETE ON workflows FOR EACH ROW
BEGIN
  IF NOT (@cookbook_deleting_users <=> NOW(6)) THEN
    UPDATE users SET workflows_count = GREATEST(COALESCE(workflows_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.user_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_users_workflows_count_update;
CREATE TRIGGER update_users_workflows_count_update AFTER UPDATE ON workflows FOR EACH ROW
BEGIN
  IF NEW.user_id <> OLD.user_id THEN
    UPDATE users SET workflows_count = GREATEST(COALESCE(workflows_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.user_id;
    UPDATE users SET workflows_count = COALESCE(workflows_count, 0) + 1, updated_at = updated_at WHERE id = NEW.user_id;
  END IF;
END;

-- ----------------------------------------------------------------------------------------------------------- follows

DROP TRIGGER IF EXISTS lock_user_follows_parents;
CREATE TRIGGER lock_user_follows_parents BEFORE INSERT ON user_follows FOR EACH ROW
BEGIN
  SET @cookbook_locked = (SELECT id FROM users WHERE id = LEAST(NEW.follower_id, NEW.following_id) FOR UPDATE);
  SET @cookbook_locked = (SELECT id FROM users WHERE id = GREATEST(NEW.follower_id, NEW.following_id) FOR UPDATE);
END;

DROP TRIGGER IF EXISTS update_users_follow_counts_insert;
CREATE TRIGGER update_users_follow_counts_insert AFTER INSERT ON user_follows FOR EACH ROW
BEGIN
  UPDATE users SET following_count = COALESCE(following_count, 0) + 1, updated_at = updated_at WHERE id = NEW.follower_id;
  UPDATE users SET followers_count = COALESCE(followers_count, 0) + 1, updated_at = updated_at WHERE id = NEW.following_id;
END;

DROP TRIGGER IF EXISTS update_users_follow_counts_delete;
CREATE TRIGGER update_users_follow_counts_delete AFTER DELETE ON user_follows FOR EACH ROW
BEGIN
  IF @cookbook_deleting_users <=> NOW(6) THEN
    INSERT INTO count_repairs (user_id) VALUES (OLD.follower_id), (OLD.following_id)
    ON DUPLICATE KEY UPDATE noted_at = NOW(6);
  ELSE
    SET @cookbook_locked = (SELECT id FROM users WHERE id = LEAST(OLD.follower_id, OLD.following_id) FOR UPDATE);
    SET @cookbook_locked = (SELECT id FROM users WHERE id = GREATEST(OLD.follower_id, OLD.following_id) FOR UPDATE);
    UPDATE users SET following_count = GREATEST(COALESCE(following_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.follower_id;
    UPDATE users SET followers_count = GREATEST(COALESCE(followers_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.following_id;
  END IF;
END;

DROP TRIGGER IF EXISTS update_users_follow_counts_update;
CREATE TRIGGER update_users_follow_counts_update AFTER UPDATE ON user_follows FOR EACH ROW
BEGIN
  IF NEW.follower_id <> OLD.follower_id OR NEW.following_id <> OLD.following_id THEN
    UPDATE users SET following_count = GREATEST(COALESCE(following_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.follower_id;
    UPDATE users SET following_count = COALESCE(following_count, 0) + 1, updated_at = updated_at WHERE id = NEW.follower_id;
    UPDATE users SET followers_count = GREATEST(COALESCE(followers_count, 0) - 1, 0), updated_at = updated_at
    WHERE id = OLD.following_id;
    UPDATE users SET followers_count = COALESCE(followers_count, 0) + 1, updated_at = updated_at WHERE id = NEW.following_id;
  END IF;
END;

-- ------------------------------------------------------------------------------------- parents that are only checked
-- What partitioning took away: a view or an activity of nobody, and a feed's row of no activity, are refused as before.

DROP TRIGGER IF EXISTS check_workflow_views_parents;
CREATE TRIGGER check_workflow_views_parents BEFORE INSERT ON workflow_views FOR EACH ROW
BEGIN
  IF NOT EXISTS (SELECT 1 FROM workflows WHERE id = NEW.workflow_id) THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add a view: its workflow does not exist';
  END IF;
  IF NEW.user_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id) THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add a view: its user does not exist';
  END IF;
END;

DROP TRIGGER IF EXISTS check_user_activities_parent;
CREATE TRIGGER check_user_activities_parent BEFORE INSERT ON user_activities FOR EACH ROW
BEGIN
  IF NOT EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id) THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add an activity: its user does not exist';
  END IF;
END;

DROP TRIGGER IF EXISTS check_user_feed_cache_parent;
CREATE TRIGGER check_user_feed_cache_parent BEFORE INSERT ON user_feed_cache FOR EACH ROW
BEGIN
  SET NEW.activity_at = (SELECT created_at FROM user_activities WHERE id = NEW.activity_id);
  IF NEW.activity_at IS NULL THEN
    SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add to a feed: the activity does not exist';
  END IF;
END;
