//! Count again what triggers noted as wrong: what a cascade left behind, and what nobody should have to wait for.

use store::count_repair;
use store::queue::RepairCounts;
use store::{Conn, StoreError};

use crate::Context;

/// Whether anything was noted. Asked every second.
pub(crate) async fn is_needed(db: &mut Conn) -> Result<bool, StoreError> {
    count_repair::is_any_noted(db).await
}

/// Safe to repeat: it counts anew.
pub(crate) async fn run(context: Context, _job: RepairCounts) -> anyhow::Result<()> {
    let mut rows = 0;
    loop {
        let batch = count_repair::apply(&context.db).await?;
        rows += batch;
        if batch == 0 {
            break;
        }
    }
    if rows > 0 {
        tracing::info!(rows, "counted again what was noted");
    }
    Ok(())
}
