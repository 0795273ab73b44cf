SELECT STRAIGHT_JOIN event.user_id AS `user!: UserId`, event.workflow_id AS `workflow!: WorkflowId`, 1 AS `kind!: i64`, 0 AS `stars!: i64`,
       MAX(event.created_at) AS `at: DateTime<Utc>`
  FROM workflow_downloads AS event FORCE INDEX (idx_user_id) JOIN workflows AS w FORCE INDEX (PRIMARY) ON w.id = event.workflow_id
  WHERE event.user_id >= ? AND event.user_id <= ? AND event.counted
    AND w.user_id <> event.user_id AND w.is_published = TRUE AND w.taken_down_at IS NULL
  GROUP BY event.user_id, event.workflow_id
UNION ALL
SELECT STRAIGHT_JOIN event.user_id, event.workflow_id, 2, 0, event.created_at
  FROM workflow_likes AS event FORCE INDEX (idx_user_id) JOIN workflows AS w FORCE INDEX (PRIMARY) ON w.id = event.workflow_id
  WHERE event.user_id >= ? AND event.user_id <= ? AND w.user_id <> event.user_id AND w.is_published = TRUE AND w.taken_down_at IS NULL
UNION ALL
SELECT STRAIGHT_JOIN event.user_id, event.workflow_id, 3, CAST(event.rating AS SIGNED), event.created_at
  FROM workflow_ratings AS event FORCE INDEX (idx_user_id) JOIN workflows AS w FORCE INDEX (PRIMARY) ON w.id = event.workflow_id
  WHERE event.user_id >= ? AND event.user_id <= ? AND w.user_id <> event.user_id AND w.is_published = TRUE AND w.taken_down_at IS NULL
UNION ALL
SELECT STRAIGHT_JOIN c.user_id, event.workflow_id, 4, 0, event.created_at
  FROM workflow_collections AS c FORCE INDEX (idx_user_id)
  JOIN collection_workflows AS event FORCE INDEX (unique_collection_workflow) ON event.collection_id = c.id
  JOIN workflows AS w FORCE INDEX (PRIMARY) ON w.id = event.workflow_id
  WHERE c.user_id >= ? AND c.user_id <= ? AND w.user_id <> c.user_id AND w.is_published = TRUE AND w.taken_down_at IS NULL
UNION ALL
SELECT STRAIGHT_JOIN event.user_id, event.workflow_id, 6, 0, event.created_at
  FROM workflow_dismissals AS event FORCE INDEX (PRIMARY)
  WHERE event.user_id >= ? AND event.user_id <= ?
