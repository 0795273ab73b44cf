//! `cookbook work`: workers and the scheduler.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook work`.
#[derive(Debug, Args)]
pub struct WorkArgs {}

/// Runs `cookbook work`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: WorkArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook work` is not built yet")
}
