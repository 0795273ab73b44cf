//! `cookbook serve`: the API and the follower of its search index.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {}

/// Runs `cookbook serve`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: ServeArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook serve` is not built yet")
}
