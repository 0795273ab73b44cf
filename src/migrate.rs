//! `cookbook migrate`: brings the database's schema up to date, or adopts one that holds the seed's tables.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Result, bail};
use clap::Args;

/// Arguments of `cookbook migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {}

/// Runs `cookbook migrate`.
///
/// # Errors
/// Always, for the moment.
pub async fn run(_args: MigrateArgs, _settings: Settings) -> Result<ExitCode> {
    bail!("`cookbook migrate` is not built yet")
}
