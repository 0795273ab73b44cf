//! `cookbook work`: workers and the scheduler.

use std::process::ExitCode;
use std::sync::Arc;

use ::config::Settings;
use anyhow::{Context, Result};
use clap::Args;
use store::files::Files;
use store::wake::Wake;

use crate::shutdown;

/// Arguments of `cookbook work`.
#[derive(Debug, Args)]
pub struct WorkArgs {}

/// Runs `cookbook work`: until a signal to stop comes.
///
/// # Errors
/// The database or the file store cannot be opened, or a schedule cannot be read.
pub async fn run(_args: WorkArgs, settings: Settings) -> Result<ExitCode> {
    let shutdown = shutdown::on_signal().context("listen for signals")?;
    let context = context(settings).await?;
    jobs::run(context, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// What jobs need, opened from the settings.
///
/// # Errors
/// The database or the file store cannot be opened.
pub(crate) async fn context(settings: Settings) -> Result<jobs::Context> {
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to the database")?;
    let files = Files::open(&settings).context("open the file store")?;
    let wake = Wake::start(&settings.redis).context("`redis.url`")?;
    Ok(jobs::Context::new(db, files, Arc::new(settings), wake))
}
