//! `workflow_downloads`: one row a download. Who asked from where is not kept.

use crate::{Conn, StoreError, UserId, WorkflowId};

/// `discount_reason` of what authors do with their own workflows.
const OWN: &str = "own";

/// Records a download, by nobody known when `user` is `None`. An author's own download of theirs (`is_own`) is kept and does not count.
///
/// # Errors
/// The database refused.
pub async fn record(db: &mut Conn, workflow: WorkflowId, user: Option<UserId>, is_own: bool) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO workflow_downloads (workflow_id, user_id, counted, discount_reason) VALUES (?, ?, ?, ?)",
        workflow,
        user,
        !is_own,
        is_own.then_some(OWN)
    )
    .execute(db)
    .await?;
    Ok(())
}
