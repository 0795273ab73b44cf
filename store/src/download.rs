//! `workflow_downloads`: one row a download. Who asked from where is not kept.

use crate::{Conn, StoreError, UserId, WorkflowId};

/// Records a download, by nobody known when `user` is `None`.
///
/// # Errors
/// The database refused.
pub async fn record(db: &mut Conn, workflow: WorkflowId, user: Option<UserId>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO workflow_downloads (workflow_id, user_id) VALUES (?, ?)",
        workflow,
        user
    )
    .execute(db)
    .await?;
    Ok(())
}
