//! Pages of workflows, by position and never by offset.

use chrono::{DateTime, Utc};

use super::{ParseState, RackKind, RackType};
use crate::{Conn, StoreError, UserId, WorkflowId};

/// One line of an author's own list.
#[derive(Clone, Debug)]
pub struct OwnWorkflow {
    /// Its id.
    pub id: WorkflowId,
    /// Title.
    pub title: String,
    /// Unique name for addresses.
    pub slug: String,
    /// What it is for.
    pub kind: RackKind,
    /// What became of the parse.
    pub parse_state: ParseState,
    /// Whether its author published it.
    pub is_published: bool,
    /// When the row was made.
    pub created_at: Option<DateTime<Utc>>,
}

/// A user's own workflows, visible or not, newest first, before the workflow `before` if given.
///
/// # Errors
/// The database refused.
pub async fn list_own(
    db: &mut Conn,
    user: UserId,
    before: Option<WorkflowId>,
    limit: u32,
) -> Result<Vec<OwnWorkflow>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id AS "id: WorkflowId", title, slug, rack_type AS "rack_type: RackType", kind AS "kind: RackKind",
               parse_state AS "parse_state: ParseState", COALESCE(is_published, FALSE) AS "is_published!: bool", created_at
        FROM workflows
        WHERE user_id = ? AND id < ?
        ORDER BY id DESC
        LIMIT ?
        "#,
        user,
        before.map_or(u64::MAX, |id| id.0),
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OwnWorkflow {
            id: row.id,
            title: row.title,
            slug: row.slug,
            kind: row.kind.unwrap_or(row.rack_type.into()),
            parse_state: row.parse_state,
            is_published: row.is_published,
            created_at: row.created_at,
        })
        .collect())
}
