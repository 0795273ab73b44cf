//! Parse a workflow's stored file and record what is in it.

use ingest::Limits;
use ingest::record::{Recorded, parse_and_record};
use store::queue::ParseRack;
use tracing::info;

use crate::Context;

/// Safe to repeat: it replaces what an earlier parse recorded. A file that is no rack is an outcome, which the row tells, and no error.
pub(crate) async fn run(context: Context, job: ParseRack) -> anyhow::Result<()> {
    let limits = Limits::from(&context.settings.parser);
    let workflow_id = job.workflow_id;
    match parse_and_record(&context.db, &context.files, &limits, workflow_id).await? {
        Recorded::Parsed => info!(%workflow_id, "parsed"),
        Recorded::Failed { code } => info!(%workflow_id, code, "not a rack that can be read"),
        Recorded::NoFile => info!(%workflow_id, "no stored file"),
        Recorded::Gone => info!(%workflow_id, "workflow is gone"),
    }
    Ok(())
}
