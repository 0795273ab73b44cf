//! Shorten the log of changes to what a follower may still need.

use store::queue::PruneIndexLog;
use store::{index_log, index_node};

use crate::Context;

/// Safe to repeat: what is gone is gone.
pub(crate) async fn run(context: Context, _job: PruneIndexLog) -> anyhow::Result<()> {
    let keep_days = context.settings.index.keep_log_days;
    let mut db = context.db.acquire().await?;
    let nodes = index_node::forget_gone(&mut db, keep_days).await?;
    let rows = index_log::prune(&mut db, keep_days).await?;
    if nodes + rows > 0 {
        tracing::info!(rows, nodes, "shortened the log of changes, forgot index nodes long gone");
    }
    Ok(())
}
