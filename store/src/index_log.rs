//! The log of changes that search indexes follow. Triggers write it; a row with workflow 0 is a mark that changes nothing.

use chrono::{DateTime, Utc};

use crate::gaps::Position;
use crate::{Conn, StoreError, WorkflowId};

/// The workflow that no workflow is: its rows are marks.
pub const MARK: WorkflowId = WorkflowId(0);

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log.
    pub id: u64,
    /// What changed, or [`MARK`].
    pub workflow_id: WorkflowId,
    /// When its statement ran, which may be long before its transaction committed.
    pub logged_at: DateTime<Utc>,
}

/// Changes with an id of `from` or higher, in the order of their ids.
///
/// # Errors
/// The database refused.
pub async fn read_from(db: &mut Conn, from: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
    let changes = sqlx::query_as!(
        Change,
        r#"SELECT id, workflow_id AS "workflow_id: WorkflowId", logged_at AS "logged_at!: DateTime<Utc>"
           FROM index_log WHERE id >= ? ORDER BY id LIMIT ?"#,
        from,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(changes)
}

/// Changes with ids of a run, both ends included.
///
/// # Errors
/// The database refused.
pub async fn read_between(db: &mut Conn, first: u64, last: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
    let changes = sqlx::query_as!(
        Change,
        r#"SELECT id, workflow_id AS "workflow_id: WorkflowId", logged_at AS "logged_at!: DateTime<Utc>"
           FROM index_log WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"#,
        first,
        last,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(changes)
}

/// Writes a mark, and gives where the log stands with it: a build that reads all rows afterwards has every change up to there, but for
/// those of transactions that are still open, whose ids are among the position's gaps.
///
/// # Errors
/// The database refused.
pub async fn mark(db: &mut Conn) -> Result<(Change, Position), StoreError> {
    let id = log(db, &[MARK]).await?;
    let change = sqlx::query_as!(
        Change,
        r#"SELECT id, workflow_id AS "workflow_id: WorkflowId", logged_at AS "logged_at!: DateTime<Utc>"
           FROM index_log WHERE id = ?"#,
        id
    )
    .fetch_one(&mut *db)
    .await?;
    let visible = sqlx::query_scalar!("SELECT id FROM index_log WHERE id <= ? ORDER BY id", id)
        .fetch_all(db)
        .await?;
    // From 1, and not from the oldest row: what is below may have been trimmed, or be a transaction older than all of the log.
    Ok((change, Position::at(id, 1, visible)))
}

/// Logs workflows, so that every index looks at them again. Returns the id of the last row.
///
/// # Errors
/// The database refused.
pub async fn log(db: &mut Conn, workflows: &[WorkflowId]) -> Result<u64, StoreError> {
    let mut last = 0;
    for workflow in workflows {
        last = sqlx::query!("INSERT INTO index_log (workflow_id) VALUES (?)", workflow.0)
            .execute(&mut *db)
            .await?
            .last_insert_id();
    }
    Ok(last)
}

/// The highest id that is visible; 0 in an empty log. An index that covers it has every change that was committed before the question.
///
/// # Errors
/// The database refused.
pub async fn end(db: &mut Conn) -> Result<u64, StoreError> {
    let end = sqlx::query_scalar!(r#"SELECT MAX(id) AS "end: u64" FROM index_log"#)
        .fetch_one(db)
        .await?;
    Ok(end.unwrap_or(0))
}

/// Rows deleted in one statement: short locks.
const PRUNE_BATCH: u32 = 5000;

/// Shortens the log: rows of over an hour ago that every known node has applied, and all rows older than `keep_days`, whoever may want
/// them: a node that was away for longer builds anew. The newest row always stays, and so does the row at each node's position, by which
/// the node knows that this is the log it followed. Returns how many rows went.
///
/// # Errors
/// The database refused.
pub async fn prune(db: &mut Conn, keep_days: u32) -> Result<u64, StoreError> {
    let end = end(db).await?;
    let applied = sqlx::query_scalar!(r#"SELECT MIN(position) AS "position: u64" FROM index_nodes"#)
        .fetch_one(&mut *db)
        .await?
        .unwrap_or(0);
    let mut pruned = 0;
    loop {
        let result = sqlx::query!(
            "DELETE FROM index_log
             WHERE (id < ? AND logged_at < UTC_TIMESTAMP(6) - INTERVAL 1 HOUR) OR (id < ? AND logged_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY)
             ORDER BY id LIMIT ?",
            applied.min(end),
            end,
            keep_days,
            PRUNE_BATCH
        )
        .execute(&mut *db)
        .await?;
        pruned += result.rows_affected();
        if result.rows_affected() < u64::from(PRUNE_BATCH) {
            return Ok(pruned);
        }
    }
}
