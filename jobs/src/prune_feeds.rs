//! Forget the feeds of people who have not been here for long.

use store::feed;
use store::queue::PruneFeeds;

use crate::Context;

/// Safe to repeat: what is forgotten is gone.
pub(crate) async fn run(context: Context, _job: PruneFeeds) -> anyhow::Result<()> {
    let forgotten = feed::forget_dormant(&context.db, context.settings.feed.active_days).await?;
    if forgotten > 0 {
        tracing::info!(forgotten, "forgot the feeds of people who were not here");
    }
    Ok(())
}
