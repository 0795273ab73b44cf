//! Forget registrations that ended, attempts to log in and answers that need not be remembered.

use store::queue::PruneTraces;
use store::{idempotent, login_attempt, registration};

use crate::Context;

/// Rows deleted in one statement, so that none holds its locks for long.
const BATCH: u32 = 1000;

/// Safe to repeat: what is gone is gone.
pub(crate) async fn run(context: Context, _job: PruneTraces) -> anyhow::Result<()> {
    let mut db = context.db.acquire().await?;
    let settings = &context.settings;
    let mut deleted = 0;
    loop {
        let batch = registration::prune(&mut db, BATCH).await?
            + login_attempt::prune(&mut db, settings.auth.login_window_s, BATCH).await?
            + idempotent::prune(&mut db, settings.http.idempotency_keep_h, BATCH).await?;
        deleted += batch;
        if batch == 0 {
            break;
        }
    }
    if deleted > 0 {
        tracing::info!(rows = deleted, "forgot what need not be remembered");
    }
    Ok(())
}
