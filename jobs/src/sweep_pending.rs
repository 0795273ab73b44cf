//! Enqueue a parse of every workflow that was left pending: rows that somebody inserted with plain SQL, and those whose job died.

use store::queue::{JobPayload, Options, ParseRack, SweepPending, enqueue_with, forget_dead_parses, stuck_workflows};
use store::{Conn, StoreError, WorkflowId};

use crate::Context;

/// Workflows enqueued in one transaction.
const BATCH: u32 = 500;

/// Uploads that somebody waits for go first.
const PRIORITY: i32 = -10;

/// Whether any workflow is stuck.
pub(crate) async fn is_needed(db: &mut Conn) -> Result<bool, StoreError> {
    Ok(!stuck_workflows(db, WorkflowId(0), 1).await?.is_empty())
}

/// Safe to repeat: a workflow with a job is not stuck.
pub(crate) async fn run(context: Context, _job: SweepPending) -> anyhow::Result<()> {
    let mut after = WorkflowId(0);
    let mut enqueued = 0;
    loop {
        let mut transaction = context.db.begin().await?;
        let stuck = stuck_workflows(&mut transaction, after, BATCH).await?;
        let Some(last) = stuck.last() else { break };
        for &workflow_id in &stuck {
            let job = ParseRack { workflow_id };
            forget_dead_parses(&mut transaction, &job).await?;
            enqueue_with(
                &mut transaction,
                &job,
                Options {
                    priority: PRIORITY,
                    ..Options::default()
                },
            )
            .await?;
        }
        transaction.commit().await?;
        context.wake.notify(ParseRack::QUEUE);
        after = *last;
        enqueued += stuck.len();
    }
    if enqueued > 0 {
        tracing::info!(workflows = enqueued, "enqueued parses of workflows that were left pending");
    }
    Ok(())
}
