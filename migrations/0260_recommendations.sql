-- What people who took one thing took too: written by the job `compute-recommendations`, never by hand, and safe to delete but for the
-- last table.
--
-- Generations as in 0250: rows first, then one row that makes them current; the one before stays until the next.

CREATE TABLE IF NOT EXISTS recommendation_generations (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  as_of TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);

-- One row at most, whose `one` is 1. `workflows` of them have neighbours.
CREATE TABLE IF NOT EXISTS recommendation_current (
  one TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  generation_id BIGINT UNSIGNED NOT NULL,
  previous_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
  as_of TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  workflows INT UNSIGNED NOT NULL DEFAULT 0
);

-- `neighbours` is a list of [id, likeness], the likest first.
CREATE TABLE IF NOT EXISTS workflow_neighbours (
  generation_id BIGINT UNSIGNED NOT NULL,
  workflow_id BIGINT UNSIGNED NOT NULL,
  neighbours JSON NOT NULL,
  PRIMARY KEY (generation_id, workflow_id)
);

-- What somebody does not want to be shown. This is theirs, and not to be deleted.
CREATE TABLE IF NOT EXISTS workflow_dismissals (
  user_id BIGINT UNSIGNED NOT NULL,
  workflow_id BIGINT UNSIGNED NOT NULL,
  created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (user_id, workflow_id),
  INDEX ix_workflow (workflow_id),
  CONSTRAINT fk_dismissals_user FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE,
  CONSTRAINT fk_dismissals_workflow FOREIGN KEY (workflow_id) REFERENCES workflows(id) ON DELETE CASCADE
);
