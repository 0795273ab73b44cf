//! `cookbook up`: everything in one process.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Fill an empty database with a made-up community whose racks are real files
    #[arg(long)]
    pub demo: bool,
}

/// Runs `cookbook up`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: UpArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook up` is not built yet")
}
