//! `cookbook token`: makes, lists and revokes API tokens.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook token`.
#[derive(Debug, Args)]
pub struct TokenArgs {}

/// Runs `cookbook token`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: TokenArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook token` is not built yet")
}
