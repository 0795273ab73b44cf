//! Parse a workflow's stored file and record what is in it.

use anyhow::Context as _;
use ingest::Limits;
use ingest::record::{Recorded, parse_and_record};
use store::queue::ParseRack;

use crate::Context;

/// Safe to repeat: the same bytes give the same facts, which replace what was recorded before. A file that is no rack is recorded as such,
/// and that is a job well done.
pub(crate) async fn run(context: Context, job: ParseRack) -> anyhow::Result<()> {
    let workflow_id = job.workflow_id;
    let limits = Limits::from(&context.settings.parser);
    let recorded = parse_and_record(&context.db, &context.files, &limits, workflow_id)
        .await
        .with_context(|| format!("workflow `{workflow_id}`"))?;
    match recorded {
        Recorded::Parsed => tracing::debug!(%workflow_id, "parsed"),
        Recorded::Failed { code } => tracing::info!(%workflow_id, code, "file cannot be parsed"),
        Recorded::NoFile => tracing::info!(%workflow_id, "names no stored file"),
        Recorded::Gone => tracing::debug!(%workflow_id, "is gone"),
    }
    Ok(())
}
