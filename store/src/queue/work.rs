//! What a worker does with the queue: sign on, take jobs, finish them or give them back, show that it lives, sign off.
//!
//! Times are the database's own, so that clocks of machines need not agree.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Connection;

use crate::db::BEGIN_READ_COMMITTED;
use crate::{Conn, Db, StoreError};

/// A job as a worker takes it.
#[derive(Clone, Debug)]
pub struct TakenJob {
    /// A ULID.
    pub id: String,
    /// Its payload as JSON.
    pub payload: Vec<u8>,
    /// Attempts made before this one.
    pub attempts: u32,
    /// Attempts after which it is a dead letter.
    pub max_attempts: u32,
    /// Its priority.
    pub priority: i32,
    /// The time from which it could run.
    pub run_at: DateTime<Utc>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The job is done.
    Done,
    /// It failed, and may do better after a while. Out of attempts, it is a dead letter all the same.
    Failed {
        /// What went wrong, for people.
        error: String,
        /// How long to wait before the next attempt.
        retry_after: Duration,
    },
    /// It failed and always will: a dead letter at once.
    Dead {
        /// What went wrong, for people.
        error: String,
    },
}

/// What a worker reports about one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The job.
    pub id: String,
    /// Which attempt this was, counted from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// Notes a worker of one queue. Whatever it held before goes back to the queue: a worker that signs on has nothing in hand.
///
/// # Errors
/// The database refused.
pub async fn sign_on(db: &mut Conn, worker: &str, queue: &str, node: &str) -> Result<(), StoreError> {
    beat(&mut *db, worker, queue, node).await?;
    hand_back_all(db, worker, queue).await?;
    Ok(())
}

/// Forgets a worker, and gives back what it holds.
///
/// # Errors
/// The database refused.
pub async fn sign_off(db: &mut Conn, worker: &str, queue: &str) -> Result<u64, StoreError> {
    let handed_back = hand_back_all(db, worker, queue).await?;
    sqlx::query!("DELETE FROM queue_workers WHERE id = ? AND queue = ?", worker, queue)
        .execute(db)
        .await?;
    Ok(handed_back)
}

/// Shows that a worker lives. It is noted anew if it was forgotten meanwhile.
///
/// # Errors
/// The database refused.
pub async fn beat(db: &mut Conn, worker: &str, queue: &str, node: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO queue_workers (id, queue, node, storage, layers, started_at, last_seen)
         VALUES (?, ?, ?, 'mysql', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
         ON DUPLICATE KEY UPDATE last_seen = UTC_TIMESTAMP(6)",
        worker,
        queue,
        node
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes up to `limit` jobs of a queue that are due, the most urgent first, for `worker`. Rows that another worker is just taking are
/// passed over. `max_attempts` is written into the rows: it is the policy under which they now run.
///
/// # Errors
/// The database refused.
pub async fn take(db: &Db, worker: &str, queue: &str, limit: u32, max_attempts: u32) -> Result<Vec<TakenJob>, StoreError> {
    let mut connection = db.acquire().await?;
    // Most looks find nothing: a plain read spares the transaction.
    let any_due = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM queue_jobs WHERE queue = ? AND status = 'Pending' AND run_at <= UTC_TIMESTAMP(6)) AS "due: bool""#,
        queue
    )
    .fetch_one(&mut *connection)
    .await?;
    if !any_due {
        return Ok(Vec::new());
    }
    let mut transaction = connection.begin_with(BEGIN_READ_COMMITTED).await?;
    let jobs = sqlx::query_as!(
        TakenJob,
        r#"SELECT id, job AS payload, attempts, CAST(? AS UNSIGNED) AS "max_attempts!: u32", priority, run_at AS "run_at: DateTime<Utc>"
           FROM queue_jobs FORCE INDEX (ix_fetch)
           WHERE queue = ? AND status = 'Pending' AND run_at <= UTC_TIMESTAMP(6)
           ORDER BY priority DESC, run_at, id LIMIT ? FOR UPDATE SKIP LOCKED"#,
        max_attempts,
        queue,
        limit
    )
    .fetch_all(&mut *transaction)
    .await?;
    for job in &jobs {
        sqlx::query!(
            "UPDATE queue_jobs SET status = 'Running', waiting = NULL, lock_by = ?, lock_at = UTC_TIMESTAMP(6), max_attempts = ?
             WHERE id = ?",
            worker,
            max_attempts,
            job.id
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(jobs)
}

/// Writes down how attempts ended, all in one transaction. A job that `worker` no longer holds, because it was taken for dead meanwhile,
/// is left to whoever holds it now.
///
/// # Errors
/// The database refused; nothing is written then.
pub async fn finish(db: &Db, worker: &str, finished: &[Finished]) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    for job in finished {
        match &job.outcome {
            Outcome::Done => done(&mut transaction, worker, job).await?,
            Outcome::Failed { error, retry_after } => {
                failed(&mut transaction, worker, job, error, *retry_after).await?;
            }
            Outcome::Dead { error } => dead(&mut transaction, worker, job, error).await?,
        }
    }
    transaction.commit().await?;
    Ok(())
}

async fn done(db: &mut Conn, worker: &str, job: &Finished) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE queue_jobs SET status = 'Done', attempts = ?, done_at = UTC_TIMESTAMP(6), last_result = NULL,
                lock_by = NULL, lock_at = NULL
         WHERE id = ? AND lock_by = ?",
        job.attempt,
        job.id,
        worker
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn failed(db: &mut Conn, worker: &str, job: &Finished, error: &str, retry_after: Duration) -> Result<(), StoreError> {
    let wait_us = i64::try_from(retry_after.as_micros()).unwrap_or(i64::MAX);
    // Assignments run from left to right on both servers, so nothing here reads a column that was assigned before it.
    sqlx::query!(
        "UPDATE queue_jobs
         SET status = IF(? >= max_attempts, 'Killed', 'Pending'),
             done_at = IF(? >= max_attempts, UTC_TIMESTAMP(6), NULL),
             run_at = IF(? >= max_attempts, run_at, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND),
             attempts = ?, last_result = ?, lock_by = NULL, lock_at = NULL
         WHERE id = ? AND lock_by = ?",
        job.attempt,
        job.attempt,
        job.attempt,
        wait_us,
        job.attempt,
        error,
        job.id,
        worker
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn dead(db: &mut Conn, worker: &str, job: &Finished, error: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE queue_jobs SET status = 'Killed', attempts = ?, done_at = UTC_TIMESTAMP(6), last_result = ?,
                lock_by = NULL, lock_at = NULL
         WHERE id = ? AND lock_by = ?",
        job.attempt,
        error,
        job.id,
        worker
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives back jobs that were taken and not started, or not finished: as if they had never been taken.
///
/// # Errors
/// The database refused.
pub async fn hand_back(db: &mut Conn, worker: &str, ids: &[String]) -> Result<u64, StoreError> {
    let mut handed_back = 0;
    for id in ids {
        handed_back += sqlx::query!(
            "UPDATE queue_jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL WHERE id = ? AND lock_by = ?",
            id,
            worker
        )
        .execute(&mut *db)
        .await?
        .rows_affected();
    }
    Ok(handed_back)
}

/// The jobs that a worker holds, as far as the database knows. A worker whose fetch was cut off before the answer came may hold jobs that
/// it does not know of.
///
/// # Errors
/// The database refused.
pub async fn held(db: &mut Conn, worker: &str, queue: &str) -> Result<Vec<String>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM queue_jobs WHERE lock_by = ? AND status = 'Running' AND queue = ?",
        worker,
        queue
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn hand_back_all(db: &mut Conn, worker: &str, queue: &str) -> Result<u64, StoreError> {
    let result = sqlx::query!(
        "UPDATE queue_jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL
         WHERE lock_by = ? AND status = 'Running' AND queue = ?",
        worker,
        queue
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected())
}

/// Takes jobs away from workers that were silent for `dead_after`, or that are not known at all. Each job counts
///  as failed once more, so that a job which kills its process ends among the dead letters and not in a circle.
///
/// # Errors
/// The database refused.
pub async fn reap(db: &mut Conn, dead_after: Duration) -> Result<u64, StoreError> {
    let silence_us = i64::try_from(dead_after.as_micros()).unwrap_or(i64::MAX);
    let orphans = sqlx::query!(
        r#"SELECT j.id, j.lock_by AS "worker!"
           FROM queue_jobs j LEFT JOIN queue_workers w ON w.id = j.lock_by AND w.queue = j.queue
           WHERE j.lock_by IS NOT NULL AND j.status = 'Running'
             AND (w.last_seen IS NULL OR w.last_seen < UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND)"#,
        silence_us
    )
    .fetch_all(&mut *db)
    .await?;
    let mut reaped = 0;
    for orphan in &orphans {
        // By id and holder, one row a statement: two reapers at work give the same result, since the second finds no holder.
        reaped += sqlx::query!(
            "UPDATE queue_jobs
             SET status = IF(attempts + 1 >= max_attempts, 'Killed', 'Pending'),
                 done_at = IF(attempts + 1 >= max_attempts, UTC_TIMESTAMP(6), NULL),
                 last_result = CONCAT('worker `', lock_by, '` died'),
                 run_at = UTC_TIMESTAMP(6), attempts = attempts + 1, lock_by = NULL, lock_at = NULL
             WHERE id = ? AND lock_by = ? AND status = 'Running'",
            orphan.id,
            orphan.worker
        )
        .execute(&mut *db)
        .await?
        .rows_affected();
    }
    Ok(reaped)
}
