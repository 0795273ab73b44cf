//! `cookbook parse`: what is in rack files, as JSON.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook parse`.
#[derive(Debug, Args)]
pub struct ParseArgs {
    /// Rack files (.adg) or device presets (.adv)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<std::path::PathBuf>,
}

/// Runs `cookbook parse`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: ParseArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook parse` is not built yet")
}
