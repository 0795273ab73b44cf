//! Reading a generation, and which creators of it may be shown.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Parts, Span};
use crate::{Conn, StoreError, UserId, WorkflowId};

/// One line of a board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoardLine {
    /// Which workflow.
    pub workflow: WorkflowId,
    /// Its score; 0 for what only scored before.
    pub score: f64,
    /// Its score in the generation before.
    pub previous_score: f64,
    /// Why.
    pub parts: Parts,
    /// Genre.
    pub genre: Option<String>,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    pub kind: String,
    /// Tags.
    pub tags: Vec<String>,
}

/// All scores of a generation and span, in order of the score and the id, both descending.
///
/// # Errors
/// The database refused.
pub async fn board(db: &mut Conn, generation: u64, span: Span) -> Result<Vec<BoardLine>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN t.workflow_id AS "workflow: WorkflowId", t.score, t.previous_score,
             CAST(t.parts AS CHAR) AS "parts!: String", w.genre,
             COALESCE(CAST(w.kind AS CHAR), CAST(w.rack_type AS CHAR)) AS "kind!: String"
           FROM trending_workflows t JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = t.workflow_id
           WHERE t.generation_id = ? AND t.span = ?
           ORDER BY t.score DESC, t.workflow_id DESC"#,
        generation,
        span as u8
    )
    .fetch_all(&mut *db)
    .await?;
    let tags = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN t.workflow_id AS "workflow: WorkflowId", tag.name
           FROM trending_workflows t
           JOIN workflow_tag_pivot p FORCE INDEX (PRIMARY) ON p.workflow_id = t.workflow_id
           JOIN workflow_tags tag FORCE INDEX (PRIMARY) ON tag.id = p.tag_id
           WHERE t.generation_id = ? AND t.span = ?
           ORDER BY t.workflow_id, tag.name"#,
        generation,
        span as u8
    )
    .fetch_all(&mut *db)
    .await?;
    let mut by_workflow: HashMap<WorkflowId, Vec<String>> = HashMap::new();
    for row in tags {
        by_workflow.entry(row.workflow).or_default().push(row.name);
    }
    Ok(rows
        .into_iter()
        .map(|row| BoardLine {
            workflow: row.workflow,
            score: row.score,
            previous_score: row.previous_score,
            // Written by us; another version's reads as zeros.
            parts: serde_json::from_str(&row.parts).unwrap_or_default(),
            genre: row.genre,
            kind: row.kind,
            tags: by_workflow.remove(&row.workflow).unwrap_or_default(),
        })
        .collect())
}

/// One line of the board of creators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreatorLine {
    /// Who.
    pub user: UserId,
    /// Their score; 0 for who only scored before.
    pub score: f64,
    /// Their score in the generation before.
    pub previous_score: f64,
    /// Why.
    pub parts: Parts,
}

/// All scores of creators of a generation and span, in order of the score and the id, both descending.
///
/// # Errors
/// The database refused.
pub async fn creator_board(db: &mut Conn, generation: u64, span: Span) -> Result<Vec<CreatorLine>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT user_id AS "user: UserId", score, previous_score, CAST(parts AS CHAR) AS "parts!: String"
           FROM trending_creators WHERE generation_id = ? AND span = ? ORDER BY score DESC, user_id DESC"#,
        generation,
        span as u8
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| CreatorLine {
            user: row.user,
            score: row.score,
            previous_score: row.previous_score,
            parts: serde_json::from_str(&row.parts).unwrap_or_default(),
        })
        .collect())
}

/// A creator as they are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatorCard {
    /// Who.
    pub id: UserId,
    /// Handle.
    pub username: String,
    /// Display name.
    pub display_name: Option<String>,
    /// Followers.
    pub followers: i32,
}

/// Those of these users whom everybody may see now, in whatever order.
///
/// # Errors
/// The database refused.
pub async fn visible_creators(db: &mut Conn, users: &[UserId]) -> Result<Vec<CreatorCard>, StoreError> {
    let wanted = serde_json::to_string(users)?;
    Ok(sqlx::query_as!(
        CreatorCard,
        r#"SELECT STRAIGHT_JOIN u.id AS "id: UserId", u.username, u.display_name, COALESCE(u.followers_count, 0) AS "followers!: i32"
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN users u FORCE INDEX (PRIMARY) ON u.id = wanted.id
           WHERE u.is_active = TRUE AND u.suspended_at IS NULL"#,
        wanted
    )
    .fetch_all(db)
    .await?)
}
