//! `cookbook migrate`: brings the database's schema up to date, or adopts one that holds the community's tables.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result};
use clap::Args;
use tracing::{info, warn};

use crate::output;

/// Arguments of `cookbook migrate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Safe to run again, after a crash, and from several machines at once. A database that already holds the \
    community's tables and rows keeps them all."
)]
pub struct MigrateArgs {}

/// Runs `cookbook migrate`.
///
/// # Errors
/// The database is not there, or a migration fails.
pub async fn run(_args: MigrateArgs, settings: Settings) -> Result<ExitCode> {
    match apply(&settings).await? {
        0 => output::line("the schema is up to date")?,
        1 => output::line("applied 1 migration")?,
        applied => output::line(format!("applied {applied} migrations"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies what is missing, and gives how many migrations that were.
///
/// # Errors
/// The database is not there, or a migration fails.
pub async fn apply(settings: &Settings) -> Result<usize> {
    let report = store::migrate::run(settings.database.url.expose())
        .await
        .with_context(|| format!("migrate `{}`", settings.database.url))?;
    for version in &report.resumed {
        warn!(version, "a migration that had broken off was run again");
    }
    for name in &report.applied {
        info!(migration = name, "applied");
    }
    Ok(report.applied.len())
}
