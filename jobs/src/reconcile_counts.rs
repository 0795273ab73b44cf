//! Compare all counts with the rows that they count, some thousand at a time, and mend what differs.

use store::queue::ReconcileCounts;
use store::recount::{self, Kind, Run};

use crate::Context;

/// Rows compared in one step: a statement of some tens of milliseconds.
const STEP: u32 = 2000;

/// Safe to repeat: each row that differs is counted again under its lock. What was mended is written down after each step, so that a
/// run that is stopped half-way is in the report with what it did.
pub(crate) async fn run(context: Context, _job: ReconcileCounts) -> anyhow::Result<()> {
    reconcile(&context, STEP).await?;
    Ok(())
}

/// Compares and mends everything, `step` rows at a time, and says what it did.
///
/// # Errors
/// The database refused; what was mended until then stays mended.
pub async fn reconcile(context: &Context, step: u32) -> anyhow::Result<Run> {
    let mut run = Run::default();
    let id = recount::begin(&mut *context.db.acquire().await?).await?;
    for kind in Kind::ALL {
        let mut after = 0;
        // A connection a step, so that others get their turn.
        while let Some(compared) = {
            let mut db = context.db.acquire().await?;
            let compared = recount::differences_after(&mut db, kind, after, step).await?;
            if let Some(compared) = &compared {
                for row in &compared.found {
                    recount::repair(&mut db, *row).await?;
                }
                run.add(kind, compared);
                recount::progress(&mut db, id, &run).await?;
            }
            compared
        } {
            after = compared.last;
        }
    }
    recount::end(&mut *context.db.acquire().await?, id).await?;
    if run.repaired() > 0 {
        tracing::warn!(
            rows = run.repaired(),
            compared = run.compared,
            "counts were wrong and have been mended"
        );
    } else {
        tracing::info!(compared = run.compared, "all counts are right");
    }
    Ok(run)
}
