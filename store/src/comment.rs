//! `workflow_comments`: discussions of workflows. Triggers count; the activity goes along.
//!
//! A comment that is taken back while replies hang on it stays as a tombstone: a row without text (`deleted_at`), which is still counted
//! and goes with its last reply. Whoever changes a discussion locks the workflow first; likes of a comment lock that alone.

use chrono::{DateTime, Utc};

use crate::activity::{self, Activity};
use crate::{CommentId, Conn, StoreError, UserId, WorkflowId};

/// A comment, as one viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id; ids ascend with time.
    pub id: CommentId,
    /// What it is on.
    pub workflow_id: WorkflowId,
    /// The comment that it answers.
    pub parent_id: Option<CommentId>,
    /// Who wrote it.
    pub user_id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// As written; empty for a tombstone.
    pub content: String,
    /// Likes.
    pub likes: i32,
    /// Direct replies, tombstones included.
    pub replies: i64,
    /// Whether the workflow's author put it on top.
    pub is_pinned: bool,
    /// Whether the viewer likes it.
    pub is_liked: bool,
    /// Whether it is a tombstone.
    pub is_deleted: bool,
    /// Whether its author's account is active and not suspended, and no block stands between them and the viewer.
    pub is_author_shown: bool,
    /// When it was written.
    pub created_at: Option<DateTime<Utc>>,
    /// When its author changed it last.
    pub edited_at: Option<DateTime<Utc>>,
}

/// A comment to be written, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewComment {
    /// On what.
    pub workflow: WorkflowId,
    /// By whom.
    pub user: UserId,
    /// The comment that it answers, of the same workflow.
    pub parent: Option<CommentId>,
    /// What it says.
    pub content: String,
}

/// Locks a comment until the transaction ends. False when it is gone.
///
/// # Errors
/// The database refused.
pub async fn lock(db: &mut Conn, id: CommentId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!("SELECT id FROM workflow_comments WHERE id = ? FOR UPDATE", id)
        .fetch_optional(db)
        .await?;
    Ok(found.is_some())
}

/// How deep a comment lies: 1 on the workflow itself, 2 for a reply.
///
/// # Errors
/// The database refused.
pub async fn depth(db: &mut Conn, id: CommentId) -> Result<u32, StoreError> {
    let depth = sqlx::query_scalar!(
        r#"
        WITH RECURSIVE above AS (
          SELECT own.id, own.parent_id FROM workflow_comments AS own WHERE own.id = ?
          UNION ALL
          SELECT parent.id, parent.parent_id FROM above JOIN workflow_comments AS parent ON parent.id = above.parent_id
        )
        SELECT COUNT(*) FROM above
        "#,
        id
    )
    .fetch_one(db)
    .await?;
    Ok(u32::try_from(depth).unwrap_or(u32::MAX))
}

/// Adds a comment, in a transaction that has locked the workflow.
///
/// # Errors
/// The database refused.
pub async fn add(db: &mut Conn, new: &NewComment) -> Result<CommentId, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO workflow_comments (workflow_id, user_id, parent_id, content) VALUES (?, ?, ?, ?)",
        new.workflow,
        new.user,
        new.parent,
        new.content
    )
    .execute(&mut *db)
    .await?;
    let comment = CommentId(done.last_insert_id());
    let activity = Activity::Comment {
        workflow: new.workflow,
        comment,
        parent: new.parent,
    };
    activity::record(db, new.user, activity).await?;
    Ok(comment)
}

/// Changes what a comment says. A tombstone stays one.
///
/// # Errors
/// The database refused.
pub async fn edit(db: &mut Conn, id: CommentId, content: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE workflow_comments SET content = ?, edited_at = UTC_TIMESTAMP() WHERE id = ? AND deleted_at IS NULL",
        content,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a comment back, in a transaction that has locked its workflow: to a tombstone while it is answered, else altogether, with the
/// tombstones above it that nobody answers any more. One that is gone is no error.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, id: CommentId) -> Result<(), StoreError> {
    let mut next = Some(id);
    let mut is_asked_for = true;
    while let Some(id) = next.take() {
        let found = sqlx::query!(
            r#"
            SELECT workflow_id AS "workflow_id: WorkflowId", user_id AS "user_id: UserId", parent_id AS "parent_id: CommentId",
                   deleted_at IS NOT NULL AS "is_deleted!: bool"
            FROM workflow_comments WHERE id = ? FOR UPDATE
            "#,
            id
        )
        .fetch_optional(&mut *db)
        .await?;
        let Some(comment) = found else { break };
        if !is_asked_for && !comment.is_deleted {
            break;
        }
        let is_answered = sqlx::query_scalar!("SELECT id FROM workflow_comments WHERE parent_id = ? LIMIT 1", id)
            .fetch_optional(&mut *db)
            .await?
            .is_some();
        if is_answered && !is_asked_for {
            break;
        }
        sqlx::query!("DELETE FROM comment_likes WHERE comment_id = ?", id)
            .execute(&mut *db)
            .await?;
        if is_answered {
            sqlx::query!(
                r#"
                UPDATE workflow_comments
                SET content = '', is_pinned = FALSE, deleted_at = COALESCE(deleted_at, UTC_TIMESTAMP()) WHERE id = ?
                "#,
                id
            )
            .execute(&mut *db)
            .await?;
            let activity = Activity::Comment {
                workflow: comment.workflow_id,
                comment: id,
                parent: comment.parent_id,
            };
            activity::forget(db, comment.user_id, activity).await?;
        } else {
            // Its activity goes by trigger.
            sqlx::query!("DELETE FROM workflow_comments WHERE id = ?", id)
                .execute(&mut *db)
                .await?;
            next = comment.parent_id;
        }
        is_asked_for = false;
    }
    Ok(())
}

/// Puts one comment on top of its workflow's discussion in place of another, in a transaction that has locked the workflow; with `None`,
/// none.
///
/// # Errors
/// The database refused.
pub async fn pin(db: &mut Conn, workflow: WorkflowId, comment: Option<CommentId>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE workflow_comments SET is_pinned = FALSE, updated_at = updated_at WHERE is_pinned = TRUE AND workflow_id = ?",
        workflow
    )
    .execute(&mut *db)
    .await?;
    if let Some(comment) = comment {
        sqlx::query!(
            "UPDATE workflow_comments SET is_pinned = TRUE, updated_at = updated_at WHERE id = ? AND workflow_id = ?",
            comment,
            workflow
        )
        .execute(db)
        .await?;
    }
    Ok(())
}

/// One comment.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, id: CommentId, viewer: Option<UserId>) -> Result<Option<Comment>, StoreError> {
    Ok(sqlx::query_as!(
        Comment,
        r#"
        SELECT c.id AS "id: CommentId", c.workflow_id AS "workflow_id: WorkflowId", c.parent_id AS "parent_id: CommentId",
               c.user_id AS "user_id: UserId", u.username, u.display_name, c.content,
               COALESCE(c.likes_count, 0) AS "likes!: i32",
               (SELECT COUNT(*) FROM workflow_comments r WHERE r.parent_id = c.id) AS "replies!: i64",
               COALESCE(c.is_pinned, FALSE) AS "is_pinned!: bool",
               EXISTS (SELECT 1 FROM comment_likes l WHERE l.comment_id = c.id AND l.user_id = ?) AS "is_liked!: bool",
               c.deleted_at IS NOT NULL AS "is_deleted!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = ? AND b.blocked_id = c.user_id)
                AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = c.user_id AND b.blocked_id = ?)
               ) AS "is_author_shown!: bool",
               c.created_at, c.edited_at
        FROM workflow_comments c JOIN users u ON u.id = c.user_id
        WHERE c.id = ?
        "#,
        viewer,
        viewer,
        viewer,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Comments on a workflow itself, the latest first, before one.
///
/// # Errors
/// The database refused.
pub async fn list_threads(
    db: &mut Conn,
    workflow: WorkflowId,
    viewer: Option<UserId>,
    before: Option<CommentId>,
    limit: u32,
) -> Result<Vec<Comment>, StoreError> {
    Ok(sqlx::query_as!(
        Comment,
        r#"
        SELECT c.id AS "id: CommentId", c.workflow_id AS "workflow_id: WorkflowId", c.parent_id AS "parent_id: CommentId",
               c.user_id AS "user_id: UserId", u.username, u.display_name, c.content,
               COALESCE(c.likes_count, 0) AS "likes!: i32",
               (SELECT COUNT(*) FROM workflow_comments r WHERE r.parent_id = c.id) AS "replies!: i64",
               COALESCE(c.is_pinned, FALSE) AS "is_pinned!: bool",
               EXISTS (SELECT 1 FROM comment_likes l WHERE l.comment_id = c.id AND l.user_id = ?) AS "is_liked!: bool",
               c.deleted_at IS NOT NULL AS "is_deleted!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = ? AND b.blocked_id = c.user_id)
                AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = c.user_id AND b.blocked_id = ?)
               ) AS "is_author_shown!: bool",
               c.created_at, c.edited_at
        FROM workflow_comments c JOIN users u ON u.id = c.user_id
        WHERE c.parent_id IS NULL AND c.workflow_id = ? AND c.id < ?
        ORDER BY c.id DESC LIMIT ?
        "#,
        viewer,
        viewer,
        viewer,
        workflow,
        before.unwrap_or(CommentId(u64::MAX)),
        limit
    )
    .fetch_all(db)
    .await?)
}

/// The comment that the workflow's author put on top.
///
/// # Errors
/// The database refused.
pub async fn find_pinned(db: &mut Conn, workflow: WorkflowId, viewer: Option<UserId>) -> Result<Option<Comment>, StoreError> {
    let id = sqlx::query_scalar!(
        r#"
        SELECT id AS "id: CommentId" FROM workflow_comments WHERE is_pinned = TRUE AND workflow_id = ? AND deleted_at IS NULL
        ORDER BY id DESC LIMIT 1
        "#,
        workflow
    )
    .fetch_optional(&mut *db)
    .await?;
    match id {
        Some(id) => find(db, id, viewer).await,
        None => Ok(None),
    }
}

/// Direct replies to a comment, the first first, after one.
///
/// # Errors
/// The database refused.
pub async fn list_replies(
    db: &mut Conn,
    parent: CommentId,
    viewer: Option<UserId>,
    after: Option<CommentId>,
    limit: u32,
) -> Result<Vec<Comment>, StoreError> {
    Ok(sqlx::query_as!(
        Comment,
        r#"
        SELECT c.id AS "id: CommentId", c.workflow_id AS "workflow_id: WorkflowId", c.parent_id AS "parent_id: CommentId",
               c.user_id AS "user_id: UserId", u.username, u.display_name, c.content,
               COALESCE(c.likes_count, 0) AS "likes!: i32",
               (SELECT COUNT(*) FROM workflow_comments r WHERE r.parent_id = c.id) AS "replies!: i64",
               COALESCE(c.is_pinned, FALSE) AS "is_pinned!: bool",
               EXISTS (SELECT 1 FROM comment_likes l WHERE l.comment_id = c.id AND l.user_id = ?) AS "is_liked!: bool",
               c.deleted_at IS NOT NULL AS "is_deleted!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = ? AND b.blocked_id = c.user_id)
                AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = c.user_id AND b.blocked_id = ?)
               ) AS "is_author_shown!: bool",
               c.created_at, c.edited_at
        FROM workflow_comments c JOIN users u ON u.id = c.user_id
        WHERE c.parent_id = ? AND c.id > ?
        ORDER BY c.id LIMIT ?
        "#,
        viewer,
        viewer,
        viewer,
        parent,
        after.unwrap_or(CommentId(0)),
        limit
    )
    .fetch_all(db)
    .await?)
}
