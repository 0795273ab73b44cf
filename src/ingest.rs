//! `cookbook ingest`: takes files and folders of racks in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ::config::Settings;
use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::folder::{self, FileOutcome, FolderOptions};
use store::files::Files;
use store::wake::Wake;
use store::{Db, UserId, user};

use crate::output;
use crate::token::make_user;

/// Arguments of `cookbook ingest`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each file becomes a workflow titled after its name, and is published once it is parsed. Running it again adds \
                        only what is new. It needs a running `cookbook up` (or `cookbook work`) to parse the files."
)]
pub struct IngestArgs {
    /// Files, or folders that are searched for racks and device presets
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// For whom; made, if there is no such user
    #[arg(long, value_name = "NAME", default_value = "cookbook")]
    user: String,
    /// Leave them unpublished
    #[arg(long)]
    no_publish: bool,
}

/// Runs `cookbook ingest`. Files that are no racks are told, each on a line, and are no failure.
///
/// # Errors
/// A path cannot be read, the database or the file store cannot be reached, or nobody parses.
pub async fn run(args: IngestArgs, settings: Settings) -> Result<ExitCode> {
    let paths = folder::find_files(&args.paths)?;
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to the database")?;
    let files = Files::open(&settings).context("open the file store")?;
    let wake = Wake::start(&settings.redis).context("`redis.url`")?;
    let options = FolderOptions {
        user_id: user_id(&db, &args.user).await?,
        publish: !args.no_publish,
        max_bytes: settings.http.max_upload_bytes,
        dead_after: Duration::from_secs(settings.jobs.dead_after_s),
    };
    let (started, count) = (Instant::now(), paths.len());
    let bar = progress_bar(count as u64)?;
    let taken = folder::take_in(&db, &files, &wake, paths, &options, |path, outcome| {
        if let Some(line) = complaint(path, outcome) {
            // Above the bar on a terminal; where there is none, the bar is hidden and swallows lines.
            if bar.is_hidden() {
                let _ = output::line(line);
            } else {
                bar.println(line);
            }
        }
        bar.inc(1);
    })
    .await;
    bar.finish_and_clear();
    let summary = taken?;
    let seconds = started.elapsed().as_secs_f64();
    output::line(format!(
        "{count} files in {seconds:.1} s: {} added, {} already there, {} refused, {} failed",
        summary.added, summary.already_there, summary.refused, summary.failed
    ))?;
    Ok(if summary.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn user_id(db: &Db, username: &str) -> Result<UserId> {
    let mut connection = db.acquire().await?;
    match user::find_by_username(&mut connection, username).await? {
        Some(id) => Ok(id),
        None => make_user(&mut connection, username, None).await,
    }
}

fn progress_bar(count: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files, {per_sec}, {eta} left")?;
    Ok(ProgressBar::new(count).with_style(style))
}

/// The line about a file that was not taken in.
fn complaint(path: &Path, outcome: &FileOutcome) -> Option<String> {
    match outcome {
        FileOutcome::Added | FileOutcome::AlreadyThere => None,
        FileOutcome::Refused { code, reason } => Some(format!("refused {}: {reason} ({code})", path.display())),
        FileOutcome::Failed(error) => Some(format!("failed {}: {error}", path.display())),
    }
}
