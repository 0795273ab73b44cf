//! The job queue's rows: enqueue in the caller's transaction.
//!
//! Payloads live here because whoever enqueues must know them and need not know how they are done; `jobs` does them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use ulid::Ulid;

use crate::{Conn, StoreError, WorkflowId};

/// What a job is about: ids, never content, so that a job that runs late sees the row as it is then.
pub trait JobPayload: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name of the job and of its queue, written into rows: never to be changed, and not the Rust type's.
    const QUEUE: &'static str;
}

/// Parse the stored file of a workflow and record what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ParseRack {
    /// Whose file.
    pub workflow_id: WorkflowId,
}

impl JobPayload for ParseRack {
    const QUEUE: &'static str = "parse-rack";
}

/// Adds a job to its queue, in the transaction of the row that it is about. With a `key`, a job of the same queue and key that is
/// already there makes this a no-op.
///
/// # Errors
/// The database refused, or the payload cannot be written as JSON.
pub async fn enqueue<J: JobPayload>(db: &mut Conn, job: &J, key: Option<&str>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO queue_jobs (id, queue, job, run_at, idempotency_key) VALUES (?, ?, ?, UTC_TIMESTAMP(6), ?)
         ON DUPLICATE KEY UPDATE id = id",
    )
    .bind(Ulid::generate().to_string())
    .bind(J::QUEUE)
    .bind(serde_json::to_vec(job)?)
    .bind(key)
    .execute(db)
    .await?;
    Ok(())
}
