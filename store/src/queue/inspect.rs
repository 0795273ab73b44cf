//! What an operator sees and does: list, count, retry, prune; and which nodes live.

use chrono::{DateTime, Utc};
use std::time::Duration;

use crate::{Conn, StoreError};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, sqlx::Type)]
pub enum Status {
    /// Waits for its time or for a worker.
    Pending,
    /// Known to apalis; this queue does not use it.
    Queued,
    /// A worker has it.
    Running,
    /// Finished.
    Done,
    /// Known to apalis; this queue does not use it.
    Failed,
    /// A dead letter.
    Killed,
}

/// A job as people look at it.
#[derive(Clone, Debug)]
pub struct JobRow {
    /// A ULID, so its order is that of creation.
    pub id: String,
    /// Its queue.
    pub queue: String,
    /// Its payload, JSON.
    pub payload: String,
    /// Where it stands.
    pub status: Status,
    /// Attempts made.
    pub attempts: u32,
    /// Attempts after which it is a dead letter.
    pub max_attempts: u32,
    /// Higher goes first.
    pub priority: i32,
    /// The time from which it may run.
    pub run_at: DateTime<Utc>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it was done or died.
    pub done_at: Option<DateTime<Utc>>,
    /// The worker that has it.
    pub worker: Option<String>,
    /// What went wrong at its last failure.
    pub error: Option<String>,
}

/// The newest jobs first, of one queue or status if asked for.
///
/// # Errors
/// The database refused.
pub async fn list(db: &mut Conn, queue: Option<&str>, status: Option<Status>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
    let rows = sqlx::query_as!(
        JobRow,
        r#"SELECT id, queue, CONVERT(job USING utf8mb4) AS "payload!: String", status AS "status: Status", attempts, max_attempts, priority,
                  run_at AS "run_at: DateTime<Utc>", created_at AS "created_at: DateTime<Utc>", done_at AS "done_at: DateTime<Utc>",
                  lock_by AS worker, last_result AS error
           FROM queue_jobs
           WHERE (? IS NULL OR queue = ?) AND (? IS NULL OR status = ?)
           ORDER BY id DESC LIMIT ?"#,
        queue,
        queue,
        status,
        status,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// How many jobs of a queue stand where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The queue.
    pub queue: String,
    /// Where they stand.
    pub status: Status,
    /// How many.
    pub jobs: i64,
}

/// Counts the jobs of every queue.
///
/// # Errors
/// The database refused.
pub async fn count(db: &mut Conn) -> Result<Vec<Count>, StoreError> {
    let counts = sqlx::query_as!(
        Count,
        r#"SELECT queue, status AS "status: Status", COUNT(*) AS jobs FROM queue_jobs GROUP BY queue, status ORDER BY queue, status"#
    )
    .fetch_all(db)
    .await?;
    Ok(counts)
}

/// Counts the jobs of every queue that wait, run or are dead: few, whatever was done before.
///
/// # Errors
/// The database refused.
pub async fn open(db: &mut Conn) -> Result<Vec<Count>, StoreError> {
    Ok(sqlx::query_as!(
        Count,
        r#"SELECT queue, status AS "status: Status", COUNT(*) AS jobs FROM queue_jobs
           WHERE status IN ('Pending', 'Running', 'Killed') GROUP BY queue, status ORDER BY queue, status"#
    )
    .fetch_all(db)
    .await?)
}

/// Queues a dead letter again, with all its attempts before it. Says whether there was such a one.
///
/// # Errors
/// The database refused.
pub async fn retry(db: &mut Conn, id: &str) -> Result<bool, StoreError> {
    let result = sqlx::query!(
        "UPDATE queue_jobs SET status = 'Pending', attempts = 0, run_at = UTC_TIMESTAMP(6), done_at = NULL
         WHERE id = ? AND status = 'Killed'",
        id
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// Queues every dead letter again, of one queue if asked for. Says how many.
///
/// # Errors
/// The database refused.
pub async fn retry_all(db: &mut Conn, queue: Option<&str>) -> Result<u64, StoreError> {
    let result = sqlx::query!(
        "UPDATE queue_jobs SET status = 'Pending', attempts = 0, run_at = UTC_TIMESTAMP(6), done_at = NULL
         WHERE status = 'Killed' AND (? IS NULL OR queue = ?)",
        queue,
        queue
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected())
}

/// Deletes at most `limit` jobs that were done, or died, more than `done_days` or `dead_days` ago. Says how many.
///
/// # Errors
/// The database refused.
pub async fn prune_jobs(db: &mut Conn, done_days: u32, dead_days: u32, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM queue_jobs WHERE status = 'Done' AND done_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY ORDER BY done_at LIMIT ?",
        done_days,
        limit
    )
    .execute(&mut *db)
    .await?;
    let dead = sqlx::query!(
        "DELETE FROM queue_jobs WHERE status = 'Killed' AND done_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY ORDER BY done_at LIMIT ?",
        dead_days,
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() + dead.rows_affected())
}

/// Deletes at most `limit` jobs that have waited for more than so many days on a queue that nobody serves: that of a node which is gone for
/// good, such as `index:node-1`. Says how many.
///
/// # Errors
/// The database refused.
pub async fn prune_abandoned(db: &mut Conn, days: u32, limit: u32) -> Result<u64, StoreError> {
    let result = sqlx::query!(
        "DELETE FROM queue_jobs
         WHERE status = 'Pending' AND run_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY
           AND NOT EXISTS (SELECT 1 FROM queue_workers w WHERE w.queue = queue_jobs.queue)
         LIMIT ?",
        days,
        limit
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected())
}

/// Deletes workers that were silent for a day: nobody asks after them any more. Says how many.
///
/// # Errors
/// The database refused.
pub async fn prune_workers(db: &mut Conn) -> Result<u64, StoreError> {
    let result = sqlx::query!("DELETE FROM queue_workers WHERE last_seen < UTC_TIMESTAMP(6) - INTERVAL 1 DAY")
        .execute(db)
        .await?;
    Ok(result.rows_affected())
}

/// A worker that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveWorker {
    /// Its queue.
    pub queue: String,
    /// Its process.
    pub node: String,
}

/// The workers that gave a sign of life within `dead_after`.
///
/// # Errors
/// The database refused.
pub async fn live_workers(db: &mut Conn, dead_after: Duration) -> Result<Vec<LiveWorker>, StoreError> {
    let silence_us = i64::try_from(dead_after.as_micros()).unwrap_or(i64::MAX);
    let workers = sqlx::query_as!(
        LiveWorker,
        "SELECT DISTINCT queue, node FROM queue_workers WHERE last_seen >= UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND ORDER BY queue, node",
        silence_us
    )
    .fetch_all(db)
    .await?;
    Ok(workers)
}
