//! `workflow_dismissals`: what somebody does not want to be shown.

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError, UserId, WorkflowId};

/// Notes that somebody does not want to be shown a workflow. Noting it again changes nothing.
///
/// # Errors
/// The database refused, or there is no such workflow.
pub async fn add(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO workflow_dismissals (user_id, workflow_id) VALUES (?, ?) ON DUPLICATE KEY UPDATE workflow_id = workflow_id",
        user,
        workflow
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes it back. False when it was not noted.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM workflow_dismissals WHERE user_id = ? AND workflow_id = ?",
        user,
        workflow
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A workflow that somebody does not want to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DismissedWorkflow {
    /// Which.
    pub id: WorkflowId,
    /// Title.
    pub title: String,
    /// Unique name for addresses.
    pub slug: String,
    /// Since when.
    pub dismissed_at: DateTime<Utc>,
}

/// What somebody does not want to be shown and everybody may see, by id, after one.
///
/// # Errors
/// The database refused.
pub async fn list(
    db: &mut Conn,
    user: UserId,
    after: Option<WorkflowId>,
    limit: u32,
) -> Result<Vec<DismissedWorkflow>, StoreError> {
    Ok(sqlx::query_as!(
        DismissedWorkflow,
        r#"
        SELECT STRAIGHT_JOIN w.id AS "id: WorkflowId", w.title, w.slug, d.created_at AS dismissed_at
        FROM workflow_dismissals d JOIN workflows w ON w.id = d.workflow_id JOIN users u ON u.id = w.user_id
        WHERE d.user_id = ? AND d.workflow_id > ?
          AND w.is_published = TRUE AND w.taken_down_at IS NULL AND u.is_active = TRUE AND u.suspended_at IS NULL
          AND (w.published_at IS NULL OR w.published_at <= NOW())
        ORDER BY d.workflow_id
        LIMIT ?
        "#,
        user,
        after.map_or(0, |id| id.0),
        limit
    )
    .fetch_all(db)
    .await?)
}
