//! `cookbook work`: workers and the scheduler.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::Result;
use clap::Args;

use crate::parts::{self, Shared, Wanted};
use crate::shutdown;

/// Arguments of `cookbook work`.
#[derive(Debug, Args)]
#[command(after_help = "As many as are wanted can run, on as many machines: the queue is in MySQL.")]
pub struct WorkArgs {}

/// Works until a signal to stop comes.
///
/// # Errors
/// The file store cannot be opened, a schedule cannot be read, or a part fails.
pub async fn run(_args: WorkArgs, settings: Settings) -> Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let wanted = Wanted {
        api: None,
        workers: true,
    };
    parts::run(&Shared::open(settings).await?, wanted, stop).await?;
    Ok(ExitCode::SUCCESS)
}
