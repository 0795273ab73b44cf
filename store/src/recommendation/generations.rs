//! Generations of neighbours: written, made current, read, deleted. As for trending (`trending::generations`), whose one row that makes all
//! others current is what keeps readers from a gap.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{MySql, QueryBuilder};

use super::newest_act;
use crate::{Conn, StoreError, WorkflowId};

/// Rows in one statement: some hundred kilobytes.
const ROWS: usize = 200;

/// A workflow, and how like it is.
pub type Neighbour = (WorkflowId, f32);

/// One computation of all neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its id.
    pub id: u64,
    /// The newest act that it knows.
    pub as_of: DateTime<Utc>,
}

/// The generation that readers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Which.
    pub generation: Generation,
    /// How many workflows have neighbours in it.
    pub workflows: u32,
}

/// The current generation; none before the first.
///
/// # Errors
/// The database refused.
pub async fn current(db: &mut Conn) -> Result<Option<Current>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT generation_id, as_of AS "as_of!: DateTime<Utc>", workflows FROM recommendation_current WHERE one = 1"#
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Current {
        generation: Generation {
            id: row.generation_id,
            as_of: row.as_of,
        },
        workflows: row.workflows,
    }))
}

/// Whether nobody has neighbours yet, although somebody did something. Asked at every tick until there are some.
///
/// # Errors
/// The database refused.
pub async fn is_first_wanted(db: &mut Conn) -> Result<bool, StoreError> {
    if current(&mut *db).await?.is_some_and(|current| current.workflows > 0) {
        return Ok(false);
    }
    Ok(newest_act(db).await?.is_some())
}

/// Begins a generation that nobody sees yet.
///
/// # Errors
/// The database refused.
pub async fn begin(db: &mut Conn, as_of: DateTime<Utc>) -> Result<Generation, StoreError> {
    let id = sqlx::query!("INSERT INTO recommendation_generations (as_of) VALUES (?)", as_of)
        .execute(db)
        .await?
        .last_insert_id();
    Ok(Generation { id, as_of })
}

/// Adds the neighbours of workflows to a generation that nobody sees yet.
///
/// # Errors
/// The database refused.
pub async fn add_neighbours(
    db: &mut Conn,
    generation: Generation,
    neighbours: &[(WorkflowId, Vec<Neighbour>)],
) -> Result<(), StoreError> {
    for group in neighbours.chunks(ROWS) {
        let mut rows = Vec::with_capacity(group.len());
        for (workflow, neighbours) in group {
            rows.push((*workflow, serde_json::to_string(neighbours)?));
        }
        let mut statement =
            QueryBuilder::<MySql>::new("INSERT INTO workflow_neighbours (generation_id, workflow_id, neighbours) ");
        statement.push_values(rows, |mut values, (workflow, neighbours)| {
            values.push_bind(generation.id).push_bind(workflow).push_bind(neighbours);
        });
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Makes a generation current, in one row, and deletes all before the one that was current until now. False when a later one is
/// current already; then this one goes.
///
/// # Errors
/// The database refused.
pub async fn publish(db: &mut Conn, generation: Generation, workflows: u32) -> Result<bool, StoreError> {
    // MySQL assigns from left to right: `generation_id` last.
    sqlx::query!(
        "INSERT INTO recommendation_current (one, generation_id, as_of, workflows) VALUES (1, ?, ?, ?)
         ON DUPLICATE KEY UPDATE
           previous_id = IF(? > generation_id, generation_id, previous_id),
           as_of = IF(? > generation_id, ?, as_of),
           workflows = IF(? > generation_id, ?, workflows),
           generation_id = GREATEST(?, generation_id)",
        generation.id,
        generation.as_of,
        workflows,
        generation.id,
        generation.id,
        generation.as_of,
        generation.id,
        workflows,
        generation.id
    )
    .execute(&mut *db)
    .await?;
    let row = sqlx::query!("SELECT generation_id, previous_id FROM recommendation_current WHERE one = 1")
        .fetch_one(&mut *db)
        .await?;
    let is_current = row.generation_id == generation.id;
    if !is_current && generation.id != row.previous_id {
        delete(db, generation.id, generation.id + 1).await?;
    }
    delete(db, 0, row.previous_id).await?;
    Ok(is_current)
}

/// Deletes the generations from `first` on that are before `end`, some thousand rows at a time.
async fn delete(db: &mut Conn, first: u64, end: u64) -> Result<(), StoreError> {
    loop {
        let deleted = sqlx::query!(
            "DELETE FROM workflow_neighbours WHERE generation_id >= ? AND generation_id < ? LIMIT 5000",
            first,
            end
        )
        .execute(&mut *db)
        .await?;
        if deleted.rows_affected() == 0 {
            break;
        }
    }
    sqlx::query!("DELETE FROM recommendation_generations WHERE id >= ? AND id < ?", first, end)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// The neighbours of these workflows in the current generation; one without any is not in the answer.
///
/// # Errors
/// The database refused.
pub async fn neighbours(db: &mut Conn, workflows: &[WorkflowId]) -> Result<HashMap<WorkflowId, Vec<Neighbour>>, StoreError> {
    let wanted = serde_json::to_string(workflows)?;
    let rows = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN n.workflow_id AS "workflow: WorkflowId", CAST(n.neighbours AS CHAR) AS "neighbours!: String"
           FROM recommendation_current AS c
           JOIN JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflow_neighbours AS n FORCE INDEX (PRIMARY) ON n.generation_id = c.generation_id AND n.workflow_id = wanted.id
           WHERE c.one = 1"#,
        wanted
    )
    .fetch_all(db)
    .await?;
    // Written by us; another version's reads as none.
    Ok(rows
        .into_iter()
        .map(|row| (row.workflow, serde_json::from_str(&row.neighbours).unwrap_or_default()))
        .collect())
}

/// The neighbours of one workflow in the current generation, the likest first.
///
/// # Errors
/// The database refused.
pub async fn neighbours_of(db: &mut Conn, workflow: WorkflowId) -> Result<Vec<Neighbour>, StoreError> {
    Ok(neighbours(db, &[workflow]).await?.remove(&workflow).unwrap_or_default())
}
