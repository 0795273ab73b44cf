//! `cookbook jobs`: shows the queue, and runs dead jobs again.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {}

/// Runs `cookbook jobs`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: JobsArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook jobs` is not built yet")
}
