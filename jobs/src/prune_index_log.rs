//! Shorten the log of changes to what a follower may still need.

use store::queue::PruneIndexLog;
use store::{index_log, index_node};

use crate::Context;

/// Days that the log is kept for a node that does not follow it. One that was away for longer builds its index anew, which takes
/// seconds, so there is no need for more.
const KEEP_DAYS: u32 = 3;

/// Days without a sign of life after which a node is forgotten.
const FORGET_DAYS: u32 = 7;

/// Safe to repeat: what is gone is gone.
pub(crate) async fn run(context: Context, _job: PruneIndexLog) -> anyhow::Result<()> {
    let mut connection = context.db.acquire().await?;
    let nodes = index_node::forget_gone(&mut connection, FORGET_DAYS).await?;
    let rows = index_log::prune(&mut connection, KEEP_DAYS).await?;
    if nodes + rows > 0 {
        tracing::info!(rows, nodes, "shortened the log of changes, forgot index nodes long gone");
    }
    Ok(())
}
