SELECT 1 AS `kind!: i64`, event.workflow_id AS `workflow_id!: u64`, event.created_at AS `at!: DateTime<Utc>`, event.user_id AS `user_id: u64`,
       event.ip_address AS `ip_address: String`, event.session_id AS `session_id: String`, event.network_hash AS `network_hash: Vec<u8>`,
       0 AS `rating!: i64`, actor.created_at AS `since: DateTime<Utc>`
  FROM workflow_views AS event JOIN workflows ON workflows.id = event.workflow_id
  LEFT JOIN users AS actor ON actor.id = event.user_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.counted AND NOT (event.user_id <=> workflows.user_id)
UNION ALL
SELECT 2, event.workflow_id, event.created_at, event.user_id, event.ip_address, NULL, event.network_hash, 0, actor.created_at
  FROM workflow_downloads AS event JOIN workflows ON workflows.id = event.workflow_id
  LEFT JOIN users AS actor ON actor.id = event.user_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.counted AND NOT (event.user_id <=> workflows.user_id)
UNION ALL
SELECT 3, event.workflow_id, event.created_at, event.user_id, NULL, NULL, NULL, 0, actor.created_at
  FROM workflow_likes AS event JOIN workflows ON workflows.id = event.workflow_id
  LEFT JOIN users AS actor ON actor.id = event.user_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id <> workflows.user_id
UNION ALL
SELECT 4, event.workflow_id, event.created_at, event.user_id, NULL, NULL, NULL, 0, actor.created_at
  FROM workflow_comments AS event JOIN workflows ON workflows.id = event.workflow_id
  LEFT JOIN users AS actor ON actor.id = event.user_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id <> workflows.user_id
UNION ALL
SELECT 5, event.workflow_id, event.created_at, event.user_id, NULL, NULL, NULL, CAST(event.rating AS SIGNED), actor.created_at
  FROM workflow_ratings AS event JOIN workflows ON workflows.id = event.workflow_id
  LEFT JOIN users AS actor ON actor.id = event.user_id
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id <> workflows.user_id
UNION ALL
SELECT 6, event.workflow_id, event.created_at, workflow_collections.user_id, NULL, NULL, NULL, 0, actor.created_at
  FROM collection_workflows AS event JOIN workflows ON workflows.id = event.workflow_id
  JOIN workflow_collections ON workflow_collections.id = event.collection_id
  LEFT JOIN users AS actor ON actor.id = workflow_collections.user_id
  WHERE event.created_at >= ? AND event.created_at < ? AND workflow_collections.user_id <> workflows.user_id
