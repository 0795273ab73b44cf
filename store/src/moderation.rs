//! What admins do to workflows. What they do to users is in [`crate::user`]; that it is written down is the caller's duty
//! ([`crate::audit`]).

use crate::{Conn, StoreError, WorkflowId};

/// Chooses a workflow to be shown first, or no longer. False when it was so before.
///
/// # Errors
/// The database refused.
pub async fn set_featured(db: &mut Conn, id: WorkflowId, is_featured: bool) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE workflows SET is_featured = ?, updated_at = updated_at WHERE id = ? AND COALESCE(is_featured, FALSE) <> ?",
        is_featured,
        id,
        is_featured
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Hides a workflow from everybody but its author, for a reason that its author sees. False when it was so before.
///
/// # Errors
/// The database refused.
pub async fn take_down(db: &mut Conn, id: WorkflowId, reason: Option<&str>) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE workflows SET taken_down_at = UTC_TIMESTAMP(), taken_down_reason = ?, updated_at = updated_at
         WHERE id = ? AND taken_down_at IS NULL",
        reason,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Shows it again. False when it was not taken down.
///
/// # Errors
/// The database refused.
pub async fn restore(db: &mut Conn, id: WorkflowId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE workflows SET taken_down_at = NULL, taken_down_reason = NULL, updated_at = updated_at
         WHERE id = ? AND taken_down_at IS NOT NULL",
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}
