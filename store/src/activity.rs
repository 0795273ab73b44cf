//! `user_activities`: what people did, in public. Feeds are made of it.

use serde_json::json;

use crate::{Conn, StoreError, UserId, WorkflowId};

/// Notes that a workflow became public. Once a workflow: publishing it again after hiding it is no new upload, and while it is
/// hidden nobody sees the activity, since visibility is tested when a feed is read.
///
/// # Errors
/// The database refused.
pub async fn record_upload(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<(), StoreError> {
    if is_upload_recorded(db, user, workflow).await? {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO user_activities (user_id, activity_type, activity_data) VALUES (?, 'workflow_upload', ?)",
        user,
        json!({ "workflow_id": workflow })
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn is_upload_recorded(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT id FROM user_activities
        WHERE user_id = ? AND activity_type = 'workflow_upload' AND JSON_VALUE(activity_data, '$.workflow_id') = ?
        LIMIT 1
        "#,
        user,
        workflow
    )
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// Takes back the note of a workflow that is being deleted.
///
/// # Errors
/// The database refused.
pub async fn forget_upload(db: &mut Conn, workflow: WorkflowId) -> Result<(), StoreError> {
    // The author is read first: with a subquery, the delete would lock the row of `workflows` for sharing, and the trigger of the
    // delete that follows would wait for itself.
    let Some(author) = sqlx::query_scalar!(r#"SELECT user_id AS "id: UserId" FROM workflows WHERE id = ?"#, workflow)
        .fetch_optional(&mut *db)
        .await?
    else {
        return Ok(());
    };
    sqlx::query!(
        r#"
        DELETE FROM user_activities
        WHERE user_id = ? AND activity_type = 'workflow_upload' AND JSON_VALUE(activity_data, '$.workflow_id') = ?
        "#,
        author,
        workflow
    )
    .execute(db)
    .await?;
    Ok(())
}
