//! Uploads that nothing works on.

use super::{JobPayload, ParseRack};
use crate::{Conn, StoreError, WorkflowId};

/// Workflows past `after` that are still to be parsed while no job will do it: rows that somebody inserted with plain SQL, and
/// those whose job died. A dead letter counts as a job for an hour, so that what keeps failing is tried hourly and not at every sweep.
///
/// No age is asked for: an upload commits together with its job, and a parse records its outcome before the job ends, so a
/// pending row without a job is stuck the moment that it is seen.
///
/// # Errors
/// The database refused.
pub async fn stuck_workflows(db: &mut Conn, after: WorkflowId, limit: u32) -> Result<Vec<WorkflowId>, StoreError> {
    // The key is compared as ascii, as its column is: otherwise MySQL converts the column and cannot use its index.
    let ids = sqlx::query_scalar!(
        r#"SELECT w.id AS "id: WorkflowId"
           FROM workflows w
           WHERE w.parse_state = 'pending' AND w.id > ?
             AND NOT EXISTS (
               SELECT 1 FROM queue_jobs j
               WHERE j.queue = ? AND j.idempotency_key = CONVERT(CONCAT('workflow:', w.id) USING ascii)
                 AND (j.status IN ('Pending', 'Queued', 'Running')
                      OR (j.status = 'Killed' AND j.done_at > UTC_TIMESTAMP(6) - INTERVAL 1 HOUR)))
           ORDER BY w.id LIMIT ?"#,
        after,
        ParseRack::QUEUE,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// Deletes the dead letters of a workflow's parse, which a new job takes over from.
///
/// # Errors
/// The database refused.
pub async fn forget_dead_parses(db: &mut Conn, job: &ParseRack) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM queue_jobs WHERE queue = ? AND idempotency_key = ? AND status = 'Killed'",
        ParseRack::QUEUE,
        job.key()
    )
    .execute(db)
    .await?;
    Ok(())
}
