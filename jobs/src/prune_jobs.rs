//! Delete finished jobs that are old, jobs for nodes that are gone, and workers long gone.

use store::queue::{PruneJobs, inspect};

use crate::Context;

/// Rows deleted in one statement, so that none holds its locks for long.
const BATCH: u32 = 1000;

/// Days that dead letters are kept: time enough for somebody to look, even after a long absence.
const KEEP_DEAD_DAYS: u32 = 90;

/// Safe to repeat: what is gone is gone.
pub(crate) async fn run(context: Context, _job: PruneJobs) -> anyhow::Result<()> {
    let mut connection = context.db.acquire().await?;
    let keep_done_days = context.settings.jobs.keep_done_days;
    let mut deleted = 0;
    loop {
        let batch = inspect::prune_jobs(&mut connection, keep_done_days, KEEP_DEAD_DAYS, BATCH).await?
            + inspect::prune_abandoned(&mut connection, keep_done_days, BATCH).await?;
        deleted += batch;
        if batch == 0 {
            break;
        }
    }
    let workers = inspect::prune_workers(&mut connection).await?;
    if deleted + workers > 0 {
        tracing::info!(jobs = deleted, workers, "deleted old jobs and workers");
    }
    Ok(())
}
