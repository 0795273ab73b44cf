-- What an adopted database brings along: counts that drifted while nothing kept them, and rows that the triggers have
-- never seen. From here on the triggers keep them. Writers that are at work meanwhile can leave a count off by theirs;
-- the nightly recount finds it. Each statement touches only what is wrong, so running them again does nothing.

-- The BEFORE UPDATE trigger fills in `musical_key` and `tempo`.
UPDATE workflows SET updated_at = updated_at
WHERE (key_signature IS NOT NULL AND musical_key IS NULL) OR (bpm IS NOT NULL AND tempo IS NULL);

UPDATE workflows
  LEFT JOIN (SELECT workflow_id, COUNT(*) AS rows_of FROM workflow_likes GROUP BY workflow_id) AS liked
    ON liked.workflow_id = workflows.id
  LEFT JOIN (SELECT workflow_id, COUNT(*) AS rows_of FROM workflow_comments GROUP BY workflow_id) AS commented
    ON commented.workflow_id = workflows.id
  LEFT JOIN (SELECT workflow_id, COUNT(*) AS rows_of FROM workflow_downloads WHERE counted GROUP BY workflow_id) AS downloaded
    ON downloaded.workflow_id = workflows.id
  LEFT JOIN (SELECT workflow_id, COUNT(*) AS rows_of, SUM(rating) AS stars FROM workflow_ratings GROUP BY workflow_id) AS rated
    ON rated.workflow_id = workflows.id
  SET workflows.likes_count = COALESCE(liked.rows_of, 0),
      workflows.comments_count = COALESCE(commented.rows_of, 0),
      workflows.downloads_count = COALESCE(downloaded.rows_of, 0),
      workflows.ratings_count = COALESCE(rated.rows_of, 0),
      workflows.ratings_sum = COALESCE(rated.stars, 0),
      workflows.average_rating = COALESCE(ROUND(rated.stars / rated.rows_of, 2), 0),
      workflows.counts_changed_at = NOW(6),
      workflows.updated_at = workflows.updated_at
  WHERE NOT (
    workflows.likes_count <=> COALESCE(liked.rows_of, 0)
    AND workflows.comments_count <=> COALESCE(commented.rows_of, 0)
    AND workflows.downloads_count <=> COALESCE(downloaded.rows_of, 0)
    AND workflows.ratings_count <=> COALESCE(rated.rows_of, 0)
    AND workflows.ratings_sum <=> COALESCE(rated.stars, 0)
    AND workflows.average_rating <=> COALESCE(ROUND(rated.stars / rated.rows_of, 2), 0)
  );

UPDATE users
  LEFT JOIN (SELECT user_id, COUNT(*) AS rows_of FROM workflows GROUP BY user_id) AS owned ON owned.user_id = users.id
  LEFT JOIN (SELECT following_id, COUNT(*) AS rows_of FROM user_follows GROUP BY following_id) AS followed
    ON followed.following_id = users.id
  LEFT JOIN (SELECT follower_id, COUNT(*) AS rows_of FROM user_follows GROUP BY follower_id) AS following
    ON following.follower_id = users.id
  SET users.workflows_count = COALESCE(owned.rows_of, 0),
      users.followers_count = COALESCE(followed.rows_of, 0),
      users.following_count = COALESCE(following.rows_of, 0),
      users.updated_at = users.updated_at
  WHERE NOT (
    users.workflows_count <=> COALESCE(owned.rows_of, 0)
    AND users.followers_count <=> COALESCE(followed.rows_of, 0)
    AND users.following_count <=> COALESCE(following.rows_of, 0)
  );

UPDATE workflow_tags
  LEFT JOIN (SELECT tag_id, COUNT(*) AS rows_of FROM workflow_tag_pivot GROUP BY tag_id) AS used ON used.tag_id = workflow_tags.id
  SET workflow_tags.usage_count = COALESCE(used.rows_of, 0), workflow_tags.updated_at = workflow_tags.updated_at
  WHERE NOT (workflow_tags.usage_count <=> COALESCE(used.rows_of, 0));

UPDATE workflow_comments
  LEFT JOIN (SELECT comment_id, COUNT(*) AS rows_of FROM comment_likes GROUP BY comment_id) AS liked
    ON liked.comment_id = workflow_comments.id
  SET workflow_comments.likes_count = COALESCE(liked.rows_of, 0), workflow_comments.updated_at = workflow_comments.updated_at
  WHERE NOT (workflow_comments.likes_count <=> COALESCE(liked.rows_of, 0));

UPDATE workflow_collections
  LEFT JOIN (SELECT collection_id, COUNT(*) AS rows_of FROM collection_workflows GROUP BY collection_id) AS held
    ON held.collection_id = workflow_collections.id
  SET workflow_collections.workflows_count = COALESCE(held.rows_of, 0),
      workflow_collections.updated_at = workflow_collections.updated_at
  WHERE NOT (workflow_collections.workflows_count <=> COALESCE(held.rows_of, 0));
