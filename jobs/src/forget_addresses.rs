//! Forget from where views and downloads came, once that has been kept for `events.keep_addresses_days`.

use chrono::{TimeDelta, Utc};
use store::event_retention;
use store::queue::ForgetAddresses;

use crate::Context;

/// Safe to repeat: days that are done are not looked at again, and one that was broken off is done from its beginning.
pub(crate) async fn run(context: Context, _job: ForgetAddresses) -> anyhow::Result<()> {
    let keep = TimeDelta::days(i64::from(context.settings.events.keep_addresses_days));
    let until = (Utc::now() - keep).date_naive();
    let events = event_retention::forget_addresses(&context.db, until).await?;
    if events > 0 {
        tracing::info!(events, %until, "forgot from where old views and downloads came");
    }
    Ok(())
}
