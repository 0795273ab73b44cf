-- Feeds that are kept ready for whoever reads theirs.
--
-- All of it is derived: feeds are made of `user_activities` and `user_follows`, and what is here makes them fast. Emptying `feeds` and
-- `user_feed_cache`, or a position that is set to null, costs time and nothing else.

-- One row for everybody whose feed is kept in `user_feed_cache`. From its floor on, that holds every activity of every followee, but for
-- followees in `feed_pulled_authors`; below it, pages are read from the activities themselves. Rows beyond what belongs there do no harm:
-- what may be seen is tested when a page is read.
CREATE TABLE IF NOT EXISTS feeds (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  -- when somebody asked for it
  wanted_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  -- null: wanted, and not to be used yet
  filled_at TIMESTAMP(6) NULL,
  -- the lowest place (time in seconds, id) from which on it is complete; 0 and 0 when nothing lies below
  floor_s BIGINT NOT NULL DEFAULT 0,
  floor_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  -- part of the key in Redis: what is there under another one is not read any more
  version INT UNSIGNED NOT NULL DEFAULT 0,
  INDEX idx_filled (filled_at, wanted_at),
  INDEX idx_wanted (wanted_at),
  FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- Authors with so many followers that what they do is not copied to each, but merged in when a page is read. While one is leaving
-- the list, pages still merge and fills already copy.
CREATE TABLE IF NOT EXISTS feed_pulled_authors (
  author_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  is_leaving BOOLEAN NOT NULL DEFAULT FALSE,
  since TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  FOREIGN KEY (author_id) REFERENCES users(id) ON DELETE CASCADE
) ENGINE=InnoDB;

-- How far activities were copied (a position as `store::gaps` has it, null before the first time), and which generation of Redis' keys is
-- good. Whoever copies holds this row.
CREATE TABLE IF NOT EXISTS feed_fan_out (
  id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  position MEDIUMTEXT NULL,
  generation INT UNSIGNED NOT NULL DEFAULT 0
) ENGINE=InnoDB;

-- A number at random, so that two databases can share a Redis.
INSERT INTO feed_fan_out (id, generation) VALUES (1, FLOOR(RAND() * 2000000000)) ON DUPLICATE KEY UPDATE id = id;

-- What changed for whose feed, since a job looked: only ever appended to, in the transaction of the change. Either whose
-- (`user_id`) view of whom (`author_id`), or an activity that went or moved. The job looks how it is then, so order and repetition do not matter.
CREATE TABLE IF NOT EXISTS feed_marks (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  user_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  author_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  activity_id BIGINT UNSIGNED NOT NULL DEFAULT 0
) ENGINE=InnoDB;

DROP TRIGGER IF EXISTS mark_feed_follow_insert;
CREATE TRIGGER mark_feed_follow_insert AFTER INSERT ON user_follows FOR EACH ROW
  INSERT INTO feed_marks (user_id, author_id) VALUES (NEW.follower_id, NEW.following_id);

DROP TRIGGER IF EXISTS mark_feed_follow_delete;
CREATE TRIGGER mark_feed_follow_delete AFTER DELETE ON user_follows FOR EACH ROW
  INSERT INTO feed_marks (user_id, author_id) VALUES (OLD.follower_id, OLD.following_id);

DROP TRIGGER IF EXISTS mark_feed_follow_update;
CREATE TRIGGER mark_feed_follow_update AFTER UPDATE ON user_follows FOR EACH ROW
BEGIN
  IF NEW.follower_id <> OLD.follower_id OR NEW.following_id <> OLD.following_id THEN
    INSERT INTO feed_marks (user_id, author_id) VALUES (OLD.follower_id, OLD.following_id), (NEW.follower_id, NEW.following_id);
  END IF;
END;

-- Neither sees the other.
DROP TRIGGER IF EXISTS mark_feed_block_insert;
CREATE TRIGGER mark_feed_block_insert AFTER INSERT ON user_blocks FOR EACH ROW
  INSERT INTO feed_marks (user_id, author_id) VALUES (NEW.blocker_id, NEW.blocked_id), (NEW.blocked_id, NEW.blocker_id);

DROP TRIGGER IF EXISTS mark_feed_block_delete;
CREATE TRIGGER mark_feed_block_delete AFTER DELETE ON user_blocks FOR EACH ROW
  INSERT INTO feed_marks (user_id, author_id) VALUES (OLD.blocker_id, OLD.blocked_id), (OLD.blocked_id, OLD.blocker_id);

-- Instead of deleting the activity from every follower's feed there and then (0008): somebody who takes a like back should not wait for
-- thousands of rows, nor lock them. No page shows it from the moment of the commit.
DROP TRIGGER IF EXISTS after_activity_delete;
CREATE TRIGGER after_activity_delete AFTER DELETE ON user_activities FOR EACH ROW
  INSERT INTO feed_marks (activity_id) VALUES (OLD.id);

DROP TRIGGER IF EXISTS mark_feed_activity_update;
CREATE TRIGGER mark_feed_activity_update AFTER UPDATE ON user_activities FOR EACH ROW
BEGIN
  IF NEW.user_id <> OLD.user_id OR NEW.created_at <> OLD.created_at THEN
    INSERT INTO feed_marks (activity_id) VALUES (NEW.id);
  END IF;
END;

-- As in 0006, but whoever gives the activity's time has looked already: the lookup opens every month, for every row of a fan-out.
DROP TRIGGER IF EXISTS check_user_feed_cache_parent;
CREATE TRIGGER check_user_feed_cache_parent BEFORE INSERT ON user_feed_cache FOR EACH ROW
BEGIN
  IF NEW.activity_at IS NULL THEN
    SET NEW.activity_at = (SELECT created_at FROM user_activities WHERE id = NEW.activity_id);
    IF NEW.activity_at IS NULL THEN
      SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1452, MESSAGE_TEXT = 'Cannot add to a feed: the activity does not exist';
    END IF;
  END IF;
END;
