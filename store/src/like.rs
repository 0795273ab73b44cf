//! `workflow_likes`: who likes which workflow. Triggers count; the activity goes along.

use chrono::{DateTime, Utc};

use crate::activity::{self, Activity};
use crate::follow::ListedUser;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// A workflow in a list of somebody's likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LikedWorkflow {
    /// Position in the list: the like's own id.
    pub position: u64,
    /// Which.
    pub workflow_id: WorkflowId,
    /// Its title.
    pub title: String,
    /// Its unique name.
    pub slug: String,
    /// Its author.
    pub author_id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// When it was liked.
    pub liked_at: Option<DateTime<Utc>>,
}

/// Likes a workflow, in a transaction that has locked it ([`crate::workflow::lock`]). False when the like stood already.
///
/// # Errors
/// The database refused.
pub async fn add(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<bool, StoreError> {
    if is_liked(db, user, workflow).await? {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO workflow_likes (workflow_id, user_id) VALUES (?, ?)",
        workflow,
        user
    )
    .execute(&mut *db)
    .await?;
    activity::record(db, user, Activity::Like(workflow)).await?;
    Ok(true)
}

/// Takes a like away, in a transaction that has locked the workflow. False when there was none.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<bool, StoreError> {
    if !is_liked(db, user, workflow).await? {
        return Ok(false);
    }
    sqlx::query!(
        "DELETE FROM workflow_likes WHERE workflow_id = ? AND user_id = ?",
        workflow,
        user
    )
    .execute(&mut *db)
    .await?;
    activity::forget(db, user, Activity::Like(workflow)).await?;
    Ok(true)
}

/// Whether a user likes a workflow.
///
/// # Errors
/// The database refused.
pub async fn is_liked(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM workflow_likes WHERE workflow_id = ? AND user_id = ?",
        workflow,
        user
    )
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// How many like a workflow.
///
/// # Errors
/// The database refused.
pub async fn count(db: &mut Conn, workflow: WorkflowId) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT COALESCE(likes_count, 0) AS "count!: i32" FROM workflows WHERE id = ?"#,
        workflow
    )
    .fetch_optional(db)
    .await?;
    Ok(count.unwrap_or_default())
}

/// Active people who like a workflow, the latest first, before a position.
///
/// # Errors
/// The database refused.
pub async fn list_users(
    db: &mut Conn,
    workflow: WorkflowId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<ListedUser>, StoreError> {
    Ok(sqlx::query_as!(
        ListedUser,
        r#"
        SELECT l.id AS position, u.id AS "user_id: UserId", u.username, u.display_name, l.created_at AS since
        FROM workflow_likes l JOIN users u ON u.id = l.user_id
        WHERE l.workflow_id = ? AND l.id < ? AND u.is_active AND u.suspended_at IS NULL
        ORDER BY l.id DESC LIMIT ?
        "#,
        workflow,
        before.unwrap_or(u64::MAX),
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Workflows that a user likes and may see now, the latest like first, before a position.
///
/// # Errors
/// The database refused.
pub async fn list_workflows(
    db: &mut Conn,
    user: UserId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<LikedWorkflow>, StoreError> {
    Ok(sqlx::query_as!(
        LikedWorkflow,
        r#"
        SELECT l.id AS position, w.id AS "workflow_id: WorkflowId", w.title, w.slug, u.id AS "author_id: UserId", u.username,
               u.display_name, l.created_at AS liked_at
        FROM workflow_likes l JOIN workflows w ON w.id = l.workflow_id JOIN users u ON u.id = w.user_id
        WHERE l.user_id = ? AND l.id < ?
          AND (w.user_id = ? OR (w.is_published AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP(6))
                                 AND w.taken_down_at IS NULL AND u.is_active AND u.suspended_at IS NULL))
        ORDER BY l.id DESC LIMIT ?
        "#,
        user,
        before.unwrap_or(u64::MAX),
        user,
        limit
    )
    .fetch_all(db)
    .await?)
}
