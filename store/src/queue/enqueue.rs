//! Adding jobs.

use chrono::{DateTime, Utc};
use ulid::Ulid;

use super::{JobPayload, MAX_KEY_BYTES};
use crate::{Conn, StoreError};

/// How a job is to be queued, where the ordinary way will not do.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// Joins a job of the same queue and key that has not been started yet, instead of adding one. The payload's own key when
    /// none is given.
    pub key: Option<&'a str>,
    /// Higher goes first; 0 for what a person waits for, negative for what a sweep finds.
    pub priority: i32,
    /// Not before this time; at once when none is given.
    pub run_at: Option<DateTime<Utc>>,
}

/// Adds a job to its queue, in the transaction of the row that it is about. With a `key`, given here or by the payload, a job of the same
/// queue and key that still waits to be started makes this a no-op; one that runs or has run does not.
///
/// Call [`crate::wake::Wake::notify`] after the commit, so that the job need not wait for the next poll.
///
/// # Errors
/// The database refused, the key is too long, or the payload cannot be written as JSON.
pub async fn enqueue<J: JobPayload>(db: &mut Conn, job: &J, key: Option<&str>) -> Result<(), StoreError> {
    enqueue_with(
        db,
        job,
        Options {
            key,
            ..Options::default()
        },
    )
    .await
}

/// As [`enqueue`], with every option.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_with<J: JobPayload>(db: &mut Conn, job: &J, options: Options<'_>) -> Result<(), StoreError> {
    enqueue_on(db, J::QUEUE, job, options).await
}

/// As [`enqueue_with`], on a queue that is not the payload's own: a queue of one node, such as `index:node-1`.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_on<J: JobPayload>(db: &mut Conn, queue: &str, job: &J, options: Options<'_>) -> Result<(), StoreError> {
    let own_key = job.key();
    let key = options.key.or(own_key.as_deref());
    if let Some(key) = key.filter(|key| key.len() > MAX_KEY_BYTES) {
        return Err(StoreError::Invalid(format!(
            "idempotency key `{key}` is longer than {MAX_KEY_BYTES} bytes"
        )));
    }
    let id = Ulid::generate().to_string();
    let payload = serde_json::to_vec(job)?;
    // The only unique key that can fire is that of a waiting job: the id is random. `id = id` changes nothing, where INSERT IGNORE
    // would hide bad data too.
    sqlx::query!(
        "INSERT INTO queue_jobs (id, queue, job, priority, run_at, idempotency_key)
         VALUES (?, ?, ?, ?, COALESCE(?, UTC_TIMESTAMP(6)), ?)
         ON DUPLICATE KEY UPDATE id = id",
        id,
        queue,
        payload,
        options.priority,
        options.run_at.map(|time| time.naive_utc()),
        key,
    )
    .execute(db)
    .await?;
    Ok(())
}
