//! `cookbook rebuild`: builds every live node's search index anew.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {}

/// Runs `cookbook rebuild`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: RebuildArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook rebuild` is not built yet")
}
