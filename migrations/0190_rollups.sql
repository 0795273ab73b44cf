-- What happened to each workflow, by hour and by day: written by the job `roll-up`, never by hand, and safe to delete.
-- `cookbook rollup` makes any range again.

-- Times are UTC. `unique_…` counts actors and cannot be summed over hours or days.
CREATE TABLE IF NOT EXISTS workflow_stats_hourly (
  hour TIMESTAMP NOT NULL DEFAULT '1970-01-02 00:00:00',
  workflow_id BIGINT UNSIGNED NOT NULL,
  views INT UNSIGNED NOT NULL,
  unique_viewers INT UNSIGNED NOT NULL,
  downloads INT UNSIGNED NOT NULL,
  unique_downloaders INT UNSIGNED NOT NULL,
  likes INT UNSIGNED NOT NULL,
  comments INT UNSIGNED NOT NULL,
  ratings INT UNSIGNED NOT NULL,
  collection_adds INT UNSIGNED NOT NULL,
  PRIMARY KEY (hour, workflow_id),
  INDEX ix_workflow (workflow_id, hour)
);

CREATE TABLE IF NOT EXISTS workflow_stats_daily (
  day DATE NOT NULL,
  workflow_id BIGINT UNSIGNED NOT NULL,
  views INT UNSIGNED NOT NULL,
  unique_viewers INT UNSIGNED NOT NULL,
  downloads INT UNSIGNED NOT NULL,
  unique_downloaders INT UNSIGNED NOT NULL,
  likes INT UNSIGNED NOT NULL,
  comments INT UNSIGNED NOT NULL,
  ratings INT UNSIGNED NOT NULL,
  collection_adds INT UNSIGNED NOT NULL,
  PRIMARY KEY (day, workflow_id),
  INDEX ix_workflow (workflow_id, day)
);

-- One row a day that was ever rolled up. Whoever rolls a day up holds its row until the end, so that the one who waited reads what
-- was committed meanwhile and has the last word.
CREATE TABLE IF NOT EXISTS rollup_days (
  day DATE NOT NULL PRIMARY KEY,
  rolled_up_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

-- The moments at which something happened, or no longer happened, since they were last rolled up. Only ever appended to by triggers,
-- in the transaction that writes the event: no two writers wait for each other here, and no event is seen without its mark. A
-- partition that is dropped marks nothing. No AUTO_INCREMENT: on MariaDB the triggers below that INSERT … SELECT would hold its lock
-- until their statement ends, and a user's long deletion all events with it (see the traps in README.md).
CREATE TABLE IF NOT EXISTS rollup_dirty (
  id BIGINT UNSIGNED NOT NULL DEFAULT (UUID_SHORT()) PRIMARY KEY,
  at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- The only source that had no index on its time.
SET @statement = IF(
  EXISTS (SELECT 1 FROM information_schema.statistics
          WHERE table_schema = DATABASE() AND table_name = 'collection_workflows' AND index_name = 'ix_created'),
  'DO 0',
  'ALTER TABLE collection_workflows ADD INDEX ix_created (created_at)');
PREPARE s FROM @statement;
EXECUTE s;
DEALLOCATE PREPARE s;

-- ------------------------------------------------------------------------------------------------ workflow_views

DROP TRIGGER IF EXISTS mark_workflow_views_insert;
CREATE TRIGGER mark_workflow_views_insert AFTER INSERT ON workflow_views FOR EACH ROW
BEGIN
  IF NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_views_delete;
CREATE TRIGGER mark_workflow_views_delete AFTER DELETE ON workflow_views FOR EACH ROW
BEGIN
  IF OLD.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_views_update;
CREATE TRIGGER mark_workflow_views_update AFTER UPDATE ON workflow_views FOR EACH ROW
BEGIN
  IF NOT (OLD.created_at <=> NEW.created_at AND OLD.workflow_id <=> NEW.workflow_id
          AND OLD.user_id <=> NEW.user_id
          AND OLD.ip_address <=> NEW.ip_address
          AND OLD.session_id <=> NEW.session_id
          AND OLD.counted <=> NEW.counted) THEN
    IF OLD.created_at IS NOT NULL THEN
      INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
    END IF;
    IF NEW.created_at IS NOT NULL AND NOT (NEW.created_at <=> OLD.created_at) THEN
      INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
    END IF;
  END IF;
END;

-- -------------------------------------------------------------------------------------------- workflow_downloads

DROP TRIGGER IF EXISTS mark_workflow_downloads_insert;
CREATE TRIGGER mark_workflow_downloads_insert AFTER INSERT ON workflow_downloads FOR EACH ROW
BEGIN
  IF NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_downloads_delete;
CREATE TRIGGER mark_workflow_downloads_delete AFTER DELETE ON workflow_downloads FOR EACH ROW
BEGIN
  IF OLD.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_downloads_update;
CREATE TRIGGER mark_workflow_downloads_update AFTER UPDATE ON workflow_downloads FOR EACH ROW
BEGIN
  IF NOT (OLD.created_at <=> NEW.created_at AND OLD.workflow_id <=> NEW.workflow_id
          AND OLD.user_id <=> NEW.user_id
          AND OLD.ip_address <=> NEW.ip_address
          AND OLD.counted <=> NEW.counted) THEN
    IF OLD.created_at IS NOT NULL THEN
      INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
    END IF;
    IF NEW.created_at IS NOT NULL AND NOT (NEW.created_at <=> OLD.created_at) THEN
      INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
    END IF;
  END IF;
END;

-- ------------------------------------------------------------------------------------------------ workflow_likes

DROP TRIGGER IF EXISTS mark_workflow_likes_insert;
CREATE TRIGGER mark_workflow_likes_insert AFTER INSERT ON workflow_likes FOR EACH ROW
BEGIN
  IF NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_likes_delete;
CREATE TRIGGER mark_workflow_likes_delete AFTER DELETE ON workflow_likes FOR EACH ROW
BEGIN
  IF OLD.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_likes_update;
CREATE TRIGGER mark_workflow_likes_update AFTER UPDATE ON workflow_likes FOR EACH ROW
BEGIN
  IF NOT (OLD.created_at <=> NEW.created_at AND OLD.workflow_id <=> NEW.workflow_id
          AND OLD.user_id <=> NEW.user_id) THEN
    IF OLD.created_at IS NOT NULL THEN
      INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
    END IF;
    IF NEW.created_at IS NOT NULL AND NOT (NEW.created_at <=> OLD.created_at) THEN
      INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
    END IF;
  END IF;
END;

-- --------------------------------------------------------------------------------------------- workflow_comments

DROP TRIGGER IF EXISTS mark_workflow_comments_insert;
CREATE TRIGGER mark_workflow_comments_insert AFTER INSERT ON workflow_comments FOR EACH ROW
BEGIN
  IF NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;

-- With all that answers it, which goes by cascade.
DROP TRIGGER IF EXISTS mark_workflow_comments_delete;
CREATE TRIGGER mark_workflow_comments_delete BEFORE DELETE ON workflow_comments FOR EACH ROW
  INSERT INTO rollup_dirty (at)
    WITH RECURSIVE thread AS (
      SELECT topmost.id, topmost.created_at FROM workflow_comments AS topmost WHERE topmost.id = OLD.id
      UNION ALL
      SELECT reply.id, reply.created_at FROM thread JOIN workflow_comments AS reply ON reply.parent_id = thread.id
    )
    SELECT created_at FROM thread WHERE created_at IS NOT NULL;

DROP TRIGGER IF EXISTS mark_workflow_comments_update;
CREATE TRIGGER mark_workflow_comments_update AFTER UPDATE ON workflow_comments FOR EACH ROW
BEGIN
  IF NOT (OLD.created_at <=> NEW.created_at AND OLD.workflow_id <=> NEW.workflow_id
          AND OLD.user_id <=> NEW.user_id) THEN
    IF OLD.created_at IS NOT NULL THEN
      INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
    END IF;
    IF NEW.created_at IS NOT NULL AND NOT (NEW.created_at <=> OLD.created_at) THEN
      INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
    END IF;
  END IF;
END;

-- ---------------------------------------------------------------------------------------------- workflow_ratings

DROP TRIGGER IF EXISTS mark_workflow_ratings_insert;
CREATE TRIGGER mark_workflow_ratings_insert AFTER INSERT ON workflow_ratings FOR EACH ROW
BEGIN
  IF NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_ratings_delete;
CREATE TRIGGER mark_workflow_ratings_delete AFTER DELETE ON workflow_ratings FOR EACH ROW
BEGIN
  IF OLD.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_workflow_ratings_update;
CREATE TRIGGER mark_workflow_ratings_update AFTER UPDATE ON workflow_ratings FOR EACH ROW
BEGIN
  IF NOT (OLD.created_at <=> NEW.created_at AND OLD.workflow_id <=> NEW.workflow_id
          AND OLD.user_id <=> NEW.user_id) THEN
    IF OLD.created_at IS NOT NULL THEN
      INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
    END IF;
    IF NEW.created_at IS NOT NULL AND NOT (NEW.created_at <=> OLD.created_at) THEN
      INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
    END IF;
  END IF;
END;

-- ------------------------------------------------------------------------------------------ collection_workflows

DROP TRIGGER IF EXISTS mark_collection_workflows_insert;
CREATE TRIGGER mark_collection_workflows_insert AFTER INSERT ON collection_workflows FOR EACH ROW
BEGIN
  IF NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_collection_workflows_delete;
CREATE TRIGGER mark_collection_workflows_delete AFTER DELETE ON collection_workflows FOR EACH ROW
BEGIN
  IF OLD.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
  END IF;
END;

DROP TRIGGER IF EXISTS mark_collection_workflows_update;
CREATE TRIGGER mark_collection_workflows_update AFTER UPDATE ON collection_workflows FOR EACH ROW
BEGIN
  IF NOT (OLD.created_at <=> NEW.created_at AND OLD.workflow_id <=> NEW.workflow_id
          AND OLD.collection_id <=> NEW.collection_id) THEN
    IF OLD.created_at IS NOT NULL THEN
      INSERT INTO rollup_dirty (at) VALUES (OLD.created_at);
    END IF;
    IF NEW.created_at IS NOT NULL AND NOT (NEW.created_at <=> OLD.created_at) THEN
      INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
    END IF;
  END IF;
END;

-- What is left of a workflow that is deleted: its likes and ratings go by cascade, which fires no trigger.
DROP TRIGGER IF EXISTS mark_workflow_stats;
CREATE TRIGGER mark_workflow_stats AFTER DELETE ON workflows FOR EACH ROW
  INSERT INTO rollup_dirty (at) SELECT day FROM workflow_stats_daily WHERE workflow_id = OLD.id;

-- And of a collection.
DROP TRIGGER IF EXISTS mark_collection_adds;
CREATE TRIGGER mark_collection_adds BEFORE DELETE ON workflow_collections FOR EACH ROW
  INSERT INTO rollup_dirty (at) SELECT created_at FROM collection_workflows WHERE collection_id = OLD.id AND created_at IS NOT NULL;

-- And of a user, whose collections go by cascade.
DROP TRIGGER IF EXISTS mark_user_collection_adds;
CREATE TRIGGER mark_user_collection_adds BEFORE DELETE ON users FOR EACH ROW
  INSERT INTO rollup_dirty (at)
    SELECT held.created_at FROM workflow_collections AS own JOIN collection_workflows AS held ON held.collection_id = own.id
    WHERE own.user_id = OLD.id AND held.created_at IS NOT NULL;

-- Own actions do not count, so a new author changes what does.
DROP TRIGGER IF EXISTS mark_workflow_author;
CREATE TRIGGER mark_workflow_author AFTER UPDATE ON workflows FOR EACH ROW
BEGIN
  IF OLD.user_id <> NEW.user_id THEN
    INSERT INTO rollup_dirty (at)
      SELECT created_at FROM workflow_views WHERE workflow_id = NEW.id
      UNION ALL SELECT created_at FROM workflow_downloads WHERE workflow_id = NEW.id;
    INSERT INTO rollup_dirty (at) SELECT day FROM workflow_stats_daily WHERE workflow_id = NEW.id;
  END IF;
END;

-- The days that were there before.

INSERT INTO rollup_dirty (at) SELECT DISTINCT DATE(created_at) FROM workflow_views WHERE created_at >= '1970-01-02';

INSERT INTO rollup_dirty (at) SELECT DISTINCT DATE(created_at) FROM workflow_downloads WHERE created_at >= '1970-01-02';

INSERT INTO rollup_dirty (at) SELECT DISTINCT DATE(created_at) FROM workflow_likes WHERE created_at >= '1970-01-02';

INSERT INTO rollup_dirty (at) SELECT DISTINCT DATE(created_at) FROM workflow_comments WHERE created_at >= '1970-01-02';

INSERT INTO rollup_dirty (at) SELECT DISTINCT DATE(created_at) FROM workflow_ratings WHERE created_at >= '1970-01-02';

INSERT INTO rollup_dirty (at) SELECT DISTINCT DATE(created_at) FROM collection_workflows WHERE created_at >= '1970-01-02';
