//! `cookbook ingest`: takes folders of racks in.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Files, or folders that are searched for racks and device presets
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<std::path::PathBuf>,
}

/// Runs `cookbook ingest`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: IngestArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook ingest` is not built yet")
}
