-- What was searched, and what was done with the hits: for reports, never for an answer. Written in batches beside the requests, and pruned
-- after `search_log.keep_days`. Nobody is named: `actor_hash` is keyed with a random number that its process forgets every day, so it
-- tells the searchers of one day apart and leads back to none of them.

CREATE TABLE IF NOT EXISTS searches (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  -- A ULID, given out with the answer.
  query_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  searched_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  -- Folded and shortened; empty when nothing was typed. Compared byte by byte: folding is done already.
  text VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  -- What was selected, as `genre=House&bpm=120-130`.
  filters VARCHAR(500) NULL,
  -- How many there were, of which the answer showed a page.
  hits INT UNSIGNED NOT NULL DEFAULT 0,
  took_us INT UNSIGNED NOT NULL DEFAULT 0,
  source ENUM('native', 'meilisearch', 'algolia') NOT NULL DEFAULT 'native',
  actor_hash BINARY(8) NULL,
  UNIQUE KEY uq_query (query_id),
  INDEX ix_searched (searched_at, text),
  INDEX ix_text (text, searched_at)
);

-- A click on the same hit counts once, however often it is reported. Positions begin at 1.
CREATE TABLE IF NOT EXISTS search_events (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  query_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind ENUM('click', 'download', 'play') NOT NULL,
  workflow_id BIGINT UNSIGNED NOT NULL,
  position INT UNSIGNED NOT NULL,
  happened_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  UNIQUE KEY uq_event (query_id, workflow_id, kind),
  INDEX ix_happened (happened_at)
);
