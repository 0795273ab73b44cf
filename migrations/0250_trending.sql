-- What trends now: written by the job `compute-trending`, never by hand, and safe to delete.
--
-- A generation is one computation of all lists. Its rows are written first and then made current by one row, so that readers see all of
-- the old one or all of the new one; the one before stays until the next, for readers who are still at it.

CREATE TABLE IF NOT EXISTS trending_generations (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  as_of TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

-- One row at most, whose `one` is 1.
CREATE TABLE IF NOT EXISTS trending_current (
  one TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  generation_id BIGINT UNSIGNED NOT NULL,
  previous_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  as_of TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

-- `span` is 1 for a day, 2 for a week, 3 for 30 days. What scored in the generation before and does not now stays for one generation with
-- a score of 0, so that who overtook it can be told.
CREATE TABLE IF NOT EXISTS trending_workflows (
  generation_id BIGINT UNSIGNED NOT NULL,
  span TINYINT UNSIGNED NOT NULL,
  workflow_id BIGINT UNSIGNED NOT NULL,
  score DOUBLE NOT NULL,
  previous_score DOUBLE NOT NULL DEFAULT 0,
  parts JSON NOT NULL,
  PRIMARY KEY (generation_id, span, workflow_id)
);

CREATE TABLE IF NOT EXISTS trending_creators (
  generation_id BIGINT UNSIGNED NOT NULL,
  span TINYINT UNSIGNED NOT NULL,
  user_id BIGINT UNSIGNED NOT NULL,
  score DOUBLE NOT NULL,
  previous_score DOUBLE NOT NULL DEFAULT 0,
  parts JSON NOT NULL,
  PRIMARY KEY (generation_id, span, user_id)
);

-- How much attention each workflow got on each day, in the formula's measure: what is usual for it is made from these. `version` is the
-- rolling up of the day (`rollup_days.rolled_up_at`) that they were made after.
CREATE TABLE IF NOT EXISTS trending_attention (
  day DATE NOT NULL,
  workflow_id BIGINT UNSIGNED NOT NULL,
  weight DOUBLE NOT NULL,
  PRIMARY KEY (day, workflow_id)
);

CREATE TABLE IF NOT EXISTS trending_days (
  day DATE NOT NULL PRIMARY KEY,
  version TIMESTAMP(6) NOT NULL DEFAULT '1970-01-02 00:00:00'
);

-- Who is suspended does not count. (Few are, so a look is short.)
SET @statement = IF(
  EXISTS (SELECT 1 FROM information_schema.statistics
          WHERE table_schema = DATABASE() AND table_name = 'users' AND index_name = 'idx_suspended'),
  'DO 0',
  'ALTER TABLE users ADD INDEX idx_suspended (suspended_at)');
PREPARE s FROM @statement;
EXECUTE s;
DEALLOCATE PREPARE s;

-- A rating that becomes another counts otherwise.
DROP TRIGGER IF EXISTS mark_workflow_ratings_value;
CREATE TRIGGER mark_workflow_ratings_value AFTER UPDATE ON workflow_ratings FOR EACH ROW
BEGIN
  IF OLD.rating <> NEW.rating AND NEW.created_at IS NOT NULL THEN
    INSERT INTO rollup_dirty (at) VALUES (NEW.created_at);
  END IF;
END;
