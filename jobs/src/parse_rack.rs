//! Parse a workflow's stored file and record what is in it.

use store::queue::ParseRack;

use crate::Context;

/// Safe to repeat: it replaces what an earlier parse recorded.
pub(crate) async fn run(_context: Context, _job: ParseRack) -> anyhow::Result<()> {
    anyhow::bail!("parsing is not wired yet")
}
