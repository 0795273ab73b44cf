SELECT event.user_id AS `user_id!: u64` FROM workflow_views AS event
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id IS NOT NULL AND NOT (event.discount_reason <=> 'bot')
UNION
SELECT event.user_id FROM workflow_downloads AS event
  WHERE event.created_at >= ? AND event.created_at < ? AND event.user_id IS NOT NULL AND NOT (event.discount_reason <=> 'bot')
UNION
SELECT event.user_id FROM workflow_likes AS event WHERE event.created_at >= ? AND event.created_at < ?
UNION
SELECT event.user_id FROM workflow_comments AS event WHERE event.created_at >= ? AND event.created_at < ?
UNION
SELECT event.user_id FROM workflow_ratings AS event WHERE event.created_at >= ? AND event.created_at < ?
UNION
SELECT workflow_collections.user_id FROM collection_workflows AS event
  JOIN workflow_collections ON workflow_collections.id = event.collection_id
  WHERE event.created_at >= ? AND event.created_at < ?
UNION
SELECT event.follower_id FROM user_follows AS event WHERE event.created_at >= ? AND event.created_at < ?
UNION
SELECT event.user_id FROM workflows AS event WHERE event.created_at >= ? AND event.created_at < ?
