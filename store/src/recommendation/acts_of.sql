(SELECT workflow_id AS `workflow!: WorkflowId`, IF(counted, 1, 5) AS `kind!: i64`, 0 AS `stars!: i64`, created_at AS `at: DateTime<Utc>`
   FROM workflow_downloads FORCE INDEX (idx_user_id) WHERE user_id = ? ORDER BY id DESC LIMIT ?)
UNION ALL
(SELECT workflow_id, 2, 0, created_at FROM workflow_likes FORCE INDEX (idx_user_id) WHERE user_id = ? ORDER BY id DESC LIMIT ?)
UNION ALL
(SELECT workflow_id, 3, CAST(rating AS SIGNED), created_at
   FROM workflow_ratings FORCE INDEX (idx_user_id) WHERE user_id = ? ORDER BY id DESC LIMIT ?)
UNION ALL
(SELECT STRAIGHT_JOIN entry.workflow_id, 4, 0, entry.created_at
   FROM workflow_collections AS c FORCE INDEX (idx_user_id)
   JOIN collection_workflows AS entry FORCE INDEX (unique_collection_workflow) ON entry.collection_id = c.id
   WHERE c.user_id = ? ORDER BY entry.id DESC LIMIT ?)
UNION ALL
(SELECT workflow_id, 5, 0, created_at FROM workflow_views FORCE INDEX (idx_user_id) WHERE user_id = ? ORDER BY id DESC LIMIT ?)
UNION ALL
(SELECT workflow_id, 5, 0, created_at FROM workflow_comments FORCE INDEX (idx_user_id) WHERE user_id = ? ORDER BY id DESC LIMIT ?)
UNION ALL
(SELECT workflow_id, 6, 0, created_at FROM workflow_dismissals FORCE INDEX (PRIMARY) WHERE user_id = ? ORDER BY created_at DESC LIMIT ?)
