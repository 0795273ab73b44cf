//! Delete what was searched longer ago than reports look back.

use store::queue::PruneSearchLog;
use store::search_log;

use crate::Context;

/// Rows deleted in one statement, so that none holds its locks for long.
const BATCH: u32 = 5000;

/// Safe to repeat: what is gone is gone.
pub(crate) async fn run(context: Context, _job: PruneSearchLog) -> anyhow::Result<()> {
    let keep_days = context.settings.search_log.keep_days;
    let mut connection = context.db.acquire().await?;
    let mut deleted = 0;
    loop {
        let batch = search_log::prune(&mut connection, keep_days, BATCH).await?;
        deleted += batch;
        if batch == 0 {
            break;
        }
    }
    if deleted > 0 {
        tracing::info!(rows = deleted, "deleted old searches");
    }
    Ok(())
}
