SELECT 1 AS `kind!: i64`, workflow_id AS `workflow_id!: u64`, created_at AS `at!: DateTime<Utc>`, user_id AS `user_id: u64`,
       IF(user_id IS NULL, ip_address, NULL) AS `ip_address: String`, IF(user_id IS NULL, session_id, NULL) AS `session_id: String`
  FROM workflow_views FORCE INDEX (PRIMARY) WHERE id >= ? AND id <= ? AND created_at >= ? AND created_at < ? AND counted
UNION ALL
SELECT 1, workflow_id, created_at, user_id, IF(user_id IS NULL, ip_address, NULL), IF(user_id IS NULL, session_id, NULL)
  FROM workflow_views FORCE INDEX (idx_created_at) WHERE created_at >= ? AND created_at < ? AND counted
UNION ALL
SELECT 2, workflow_id, created_at, user_id, IF(user_id IS NULL, ip_address, NULL), NULL
  FROM workflow_downloads FORCE INDEX (PRIMARY) WHERE id >= ? AND id <= ? AND created_at >= ? AND created_at < ? AND counted
UNION ALL
SELECT 2, workflow_id, created_at, user_id, IF(user_id IS NULL, ip_address, NULL), NULL
  FROM workflow_downloads FORCE INDEX (idx_created_at) WHERE created_at >= ? AND created_at < ? AND counted
UNION ALL
SELECT 3, event.workflow_id, event.created_at, event.user_id, NULL, NULL
  FROM workflow_likes AS event JOIN workflows ON workflows.id = event.workflow_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id <> workflows.user_id
UNION ALL
SELECT 4, event.workflow_id, event.created_at, event.user_id, NULL, NULL
  FROM workflow_comments AS event JOIN workflows ON workflows.id = event.workflow_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id <> workflows.user_id
UNION ALL
SELECT 5, event.workflow_id, event.created_at, event.user_id, NULL, NULL
  FROM workflow_ratings AS event JOIN workflows ON workflows.id = event.workflow_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id <> workflows.user_id
UNION ALL
SELECT 6, event.workflow_id, event.created_at, workflow_collections.user_id, NULL, NULL
  FROM collection_workflows AS event JOIN workflows ON workflows.id = event.workflow_id
  JOIN workflow_collections ON workflow_collections.id = event.collection_id
  WHERE event.created_at >= ? AND event.created_at < ? AND workflow_collections.user_id <> workflows.user_id
