//! Remove stored files that no row names.

use chrono::TimeDelta;
use store::queue::SweepFiles;

use crate::Context;

/// Safe to repeat, and to stop in the middle: each file is looked at by itself.
pub(crate) async fn run(context: Context, _job: SweepFiles) -> anyhow::Result<()> {
    let keep = TimeDelta::hours(i64::from(context.settings.files.unnamed_keep_hours));
    let removed = store::unnamed_files::remove(&context.db, &context.files, keep).await?;
    if removed > 0 {
        tracing::info!(files = removed, "removed stored files that no workflow names");
    }
    let removed = store::media::remove_unnamed(&context.db, &context.files, keep).await?;
    if removed > 0 {
        tracing::info!(files = removed, "removed pictures and sounds that nothing names");
    }
    Ok(())
}
