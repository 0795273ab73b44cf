//! Workflows that may stand in a list, by what they are made of and where they come from.

use std::collections::HashMap;

use super::Listed;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// Followed people whose workflows are looked at, those followed last.
const FOLLOWEES: u32 = 200;

/// Ids looked up by one statement.
const IDS: usize = 5000;

/// Authors and contents of workflows, visible or not. One that is missing from the answer is gone.
///
/// # Errors
/// The database refused.
pub async fn facts(db: &mut Conn, workflows: &[WorkflowId]) -> Result<HashMap<WorkflowId, Listed<WorkflowId>>, StoreError> {
    let mut facts = HashMap::with_capacity(workflows.len());
    for group in workflows.chunks(IDS) {
        let wanted = serde_json::to_string(group)?;
        let rows = sqlx::query!(
            r#"SELECT STRAIGHT_JOIN w.id AS "workflow: WorkflowId", w.user_id AS "author: UserId", w.content_hash AS "content: Vec<u8>"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
               JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id"#,
            wanted
        )
        .fetch_all(&mut *db)
        .await?;
        facts.extend(rows.into_iter().map(|row| {
            let listed = Listed {
                workflow: row.workflow,
                author: row.author,
                content: row.content.and_then(|hash| hash.try_into().ok()),
            };
            (row.workflow, listed)
        }));
    }
    Ok(facts)
}

/// Another workflow with the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Of which.
    pub of: WorkflowId,
    /// The other.
    pub id: WorkflowId,
    /// Its author.
    pub author: UserId,
}

/// All workflows, visible or not, with the content of one of these.
///
/// # Errors
/// The database refused.
pub async fn twins(db: &mut Conn, workflows: &[WorkflowId]) -> Result<Vec<Twin>, StoreError> {
    let wanted = serde_json::to_string(workflows)?;
    Ok(sqlx::query_as!(
        Twin,
        r#"SELECT STRAIGHT_JOIN w.id AS "of: WorkflowId", twin.id AS "id: WorkflowId", twin.user_id AS "author: UserId"
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id
           JOIN workflows twin FORCE INDEX (idx_content_hash) ON twin.content_hash = w.content_hash AND twin.id <> w.id"#,
        wanted
    )
    .fetch_all(db)
    .await?)
}

/// What was published last.
///
/// # Errors
/// The database refused.
pub async fn newest(db: &mut Conn, limit: u32) -> Result<Vec<WorkflowId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: WorkflowId" FROM workflows FORCE INDEX (idx_published)
           WHERE is_published = TRUE AND published_at <= NOW() ORDER BY published_at DESC, id DESC LIMIT ?"#,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// What people published whom somebody follows, the newest first.
///
/// # Errors
/// The database refused.
pub async fn of_followees(db: &mut Conn, follower: UserId, limit: u32) -> Result<Vec<WorkflowId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT STRAIGHT_JOIN w.id AS "id: WorkflowId"
           FROM (SELECT following_id FROM user_follows FORCE INDEX (idx_follower) WHERE follower_id = ? ORDER BY id DESC LIMIT ?) AS followed
           JOIN workflows w FORCE INDEX (idx_user_id) ON w.user_id = followed.following_id
           WHERE w.is_published = TRUE AND (w.published_at IS NULL OR w.published_at <= NOW())
           ORDER BY COALESCE(w.published_at, w.created_at) DESC, w.id DESC
           LIMIT ?"#,
        follower,
        FOLLOWEES,
        limit
    )
    .fetch_all(db)
    .await?)
}
