SELECT STRAIGHT_JOIN
  activity.id, activity.created_at AS "created_at!: chrono::DateTime<chrono::Utc>", activity.activity_type AS "kind: Kind",
  actor.id AS "actor_id: UserId", actor.username AS actor_username, actor.display_name AS actor_display_name,
  workflow.id AS "workflow_id?: WorkflowId", workflow.title AS "title?", workflow.slug AS "slug?",
  COALESCE(CAST(workflow.kind AS CHAR), CAST(workflow.rack_type AS CHAR)) AS "rack_kind?: RackKind",
  author.id AS "author_id?: UserId", author.username AS "author_username?", author.display_name AS author_display_name,
  comment.id AS "comment_id?: CommentId", LEFT(comment.content, 280) AS "beginning?: String",
  rating.rating AS "rating?: u8",
  followed.id AS "followed_id?: UserId", followed.username AS "followed_username?", followed.display_name AS followed_display_name
FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', at_s BIGINT PATH '$[1]')) AS wanted
JOIN user_activities AS activity FORCE INDEX (PRIMARY)
  ON activity.id = wanted.id AND activity.created_at = FROM_UNIXTIME(wanted.at_s) AND activity.is_public = TRUE
JOIN users AS actor FORCE INDEX (PRIMARY)
  ON actor.id = activity.user_id AND actor.is_active = TRUE AND actor.suspended_at IS NULL
LEFT JOIN workflows AS workflow FORCE INDEX (PRIMARY)
  ON workflow.id = activity.workflow_id
  AND activity.activity_type <> 'user_follow'
  AND workflow.is_published = TRUE AND (workflow.published_at IS NULL OR workflow.published_at <= UTC_TIMESTAMP())
  AND workflow.taken_down_at IS NULL
LEFT JOIN users AS author FORCE INDEX (PRIMARY)
  ON author.id = workflow.user_id AND author.is_active = TRUE AND author.suspended_at IS NULL
LEFT JOIN workflow_likes AS liked FORCE INDEX (unique_user_like)
  ON liked.workflow_id = workflow.id AND liked.user_id = activity.user_id AND activity.activity_type = 'workflow_like'
LEFT JOIN workflow_comments AS comment FORCE INDEX (PRIMARY)
  ON comment.id = activity.comment_id AND comment.deleted_at IS NULL
  AND comment.workflow_id = workflow.id AND activity.activity_type = 'workflow_comment'
LEFT JOIN workflow_ratings AS rating FORCE INDEX (unique_user_rating)
  ON rating.workflow_id = workflow.id AND rating.user_id = activity.user_id AND activity.activity_type = 'workflow_rating'
LEFT JOIN user_follows AS follows FORCE INDEX (unique_follow)
  ON follows.follower_id = activity.user_id AND activity.activity_type = 'user_follow'
  AND follows.following_id = activity.following_id
LEFT JOIN users AS followed FORCE INDEX (PRIMARY)
  ON followed.id = follows.following_id AND followed.is_active = TRUE AND followed.suspended_at IS NULL
WHERE CASE activity.activity_type
    WHEN 'workflow_upload' THEN author.id = activity.user_id
    WHEN 'workflow_like' THEN author.id IS NOT NULL AND liked.id IS NOT NULL
    WHEN 'workflow_comment' THEN author.id IS NOT NULL AND comment.id IS NOT NULL
    WHEN 'workflow_rating' THEN author.id IS NOT NULL AND rating.id IS NOT NULL
    ELSE followed.id IS NOT NULL
  END
  AND (? = FALSE OR EXISTS (
    SELECT 1 FROM user_follows AS own WHERE own.follower_id = ? AND own.following_id = activity.user_id
  ))
  AND NOT EXISTS (
    SELECT 1 FROM user_blocks AS block WHERE block.blocker_id = ? AND block.blocked_id IN (actor.id, author.id, followed.id)
  )
  AND NOT EXISTS (
    SELECT 1 FROM user_blocks AS block WHERE block.blocked_id = ? AND block.blocker_id IN (actor.id, author.id, followed.id)
  )
ORDER BY activity.created_at DESC, activity.id DESC
