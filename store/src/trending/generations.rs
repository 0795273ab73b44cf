//! Generations of scores: written, made current, deleted.

use chrono::{DateTime, Utc};
use sqlx::{MySql, QueryBuilder};

use super::{Generation, Parts, ROWS, Span};
use crate::{Conn, StoreError, UserId, WorkflowId};

/// One score of a generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored<Id> {
    /// Of which list.
    pub span: Span,
    /// Whose.
    pub id: Id,
    /// 0 for what only scored before.
    pub score: f64,
    /// Its score in the generation before; 0 if it had none.
    pub previous_score: f64,
    /// Why.
    pub parts: Parts,
}

/// The current generation; none before the first.
///
/// # Errors
/// The database refused.
pub async fn current(db: &mut Conn) -> Result<Option<Generation>, StoreError> {
    let row = sqlx::query!(r#"SELECT generation_id, as_of AS "as_of!: DateTime<Utc>" FROM trending_current WHERE one = 1"#)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| Generation {
        id: row.generation_id,
        as_of: row.as_of,
    }))
}

/// Begins a generation that nobody sees yet.
///
/// # Errors
/// The database refused.
pub async fn begin(db: &mut Conn, as_of: DateTime<Utc>) -> Result<Generation, StoreError> {
    let id = sqlx::query!("INSERT INTO trending_generations (as_of) VALUES (?)", as_of)
        .execute(db)
        .await?
        .last_insert_id();
    Ok(Generation { id, as_of })
}

/// Adds scores of workflows to a generation that nobody sees yet.
///
/// # Errors
/// The database refused.
pub async fn add_workflows(db: &mut Conn, generation: Generation, scores: &[Scored<WorkflowId>]) -> Result<(), StoreError> {
    add(db, "trending_workflows (generation_id, span, workflow_id", generation, scores).await
}

/// Adds scores of creators to a generation that nobody sees yet.
///
/// # Errors
/// The database refused.
pub async fn add_creators(db: &mut Conn, generation: Generation, scores: &[Scored<UserId>]) -> Result<(), StoreError> {
    add(db, "trending_creators (generation_id, span, user_id", generation, scores).await
}

async fn add<Id>(db: &mut Conn, head: &str, generation: Generation, scores: &[Scored<Id>]) -> Result<(), StoreError>
where
    Id: Copy + Send + Sync + for<'q> sqlx::Encode<'q, MySql> + sqlx::Type<MySql> + 'static,
{
    for group in scores.chunks(ROWS) {
        let mut rows = Vec::with_capacity(group.len());
        for scored in group {
            rows.push((scored, serde_json::to_string(&scored.parts)?));
        }
        let mut statement = QueryBuilder::<MySql>::new("INSERT INTO ");
        statement.push(head).push(", score, previous_score, parts) ");
        statement.push_values(rows, |mut values, (scored, parts)| {
            values
                .push_bind(generation.id)
                .push_bind(scored.span as u8)
                .push_bind(scored.id)
                .push_bind(scored.score)
                .push_bind(scored.previous_score)
                .push_bind(parts);
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
pub async fn publish(db: &mut Conn, generation: Generation) -> Result<bool, StoreError> {
    sqlx::query!(
        "INSERT INTO trending_current (one, generation_id, as_of) VALUES (1, ?, ?)
         ON DUPLICATE KEY UPDATE
           previous_id = IF(? > generation_id, generation_id, previous_id),
           as_of = IF(? > generation_id, ?, as_of),
           generation_id = GREATEST(?, generation_id)",
        generation.id,
        generation.as_of,
        generation.id,
        generation.id,
        generation.as_of,
        generation.id
    )
    .execute(&mut *db)
    .await?;
    let row = sqlx::query!("SELECT generation_id, previous_id FROM trending_current WHERE one = 1")
        .fetch_one(&mut *db)
        .await?;
    let is_current = row.generation_id == generation.id;
    if !is_current && generation.id != row.previous_id {
        delete(db, generation.id, generation.id + 1).await?;
    }
    delete(db, 0, row.previous_id).await?;
    Ok(is_current)
}

/// Deletes the generations from `first` on that are before `end`.
async fn delete(db: &mut Conn, first: u64, end: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM trending_workflows WHERE generation_id >= ? AND generation_id < ?",
        first,
        end
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "DELETE FROM trending_creators WHERE generation_id >= ? AND generation_id < ?",
        first,
        end
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("DELETE FROM trending_generations WHERE id >= ? AND id < ?", first, end)
        .execute(&mut *db)
        .await?;
    Ok(())
}

/// Scores of workflows above 0 in a generation, of one span.
///
/// # Errors
/// The database refused.
pub async fn scores(db: &mut Conn, generation: u64, span: Span) -> Result<Vec<(WorkflowId, f64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT workflow_id AS "id: WorkflowId", score FROM trending_workflows WHERE generation_id = ? AND span = ? AND score > 0"#,
        generation,
        span as u8
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.score)).collect())
}

/// Scores of creators above 0 in a generation, of one span.
///
/// # Errors
/// The database refused.
pub async fn creator_scores(db: &mut Conn, generation: u64, span: Span) -> Result<Vec<(UserId, f64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT user_id AS "id: UserId", score FROM trending_creators WHERE generation_id = ? AND span = ? AND score > 0"#,
        generation,
        span as u8
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.score)).collect())
}
