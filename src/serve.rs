//! `cookbook serve`: the API and the follower of its search index.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::Result;
use clap::Args;

use crate::parts::{self, Api, Shared, Wanted};
use crate::shutdown;

/// Arguments of `cookbook serve`.
#[derive(Debug, Args)]
#[command(after_help = "Several can run, each with an index folder of its own (`index.dir`). Jobs are done by `cookbook work`.")]
pub struct ServeArgs {}

/// Serves until a signal to stop comes.
///
/// # Errors
/// The address is taken, the file store cannot be opened, or a part fails.
pub async fn run(_args: ServeArgs, settings: Settings) -> Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let listener = parts::listen(&settings).await?;
    let shared = Shared::open(settings).await?;
    let index = shared.open_index()?;
    let wanted = Wanted {
        api: Some(Api { listener, index }),
        workers: false,
    };
    parts::run(&shared, wanted, stop).await?;
    Ok(ExitCode::SUCCESS)
}
