//! Make the partitions of coming months.

use store::partition;
use store::queue::ExtendPartitions;

use crate::Context;

/// Months made ahead: so many that nobody need hurry when this has failed for weeks.
const MONTHS_AHEAD: u32 = 3;

/// Safe to repeat: what is there is not made again.
pub(crate) async fn run(context: Context, _job: ExtendPartitions) -> anyhow::Result<()> {
    let made = partition::extend(&context.db, MONTHS_AHEAD).await?;
    if !made.is_empty() {
        tracing::info!(partitions = made.join(", "), "made partitions of coming months");
    }
    Ok(())
}
