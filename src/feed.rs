//! `cookbook feed rebuild`: makes what is kept of feeds anew.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use store::{Db, UserId, feed, user};

use crate::output;

/// People looked up at once.
const BATCH: u32 = 500;

/// How often a feed is tried again that others hold.
const TRIES: u32 = 5;

/// Arguments of `cookbook feed`.
#[derive(Debug, Args)]
pub struct FeedArgs {
    #[command(subcommand)]
    command: FeedCommand,
}

#[derive(Debug, Subcommand)]
enum FeedCommand {
    /// Make what is kept of feeds anew, from who follows whom and what they did; pages are the same before, meanwhile and after
    Rebuild {
        /// Only of this person [default: of everybody who was here within `feed.active_days`]
        #[arg(long, value_name = "USERNAME")]
        user: Option<String>,
    },
}

/// Runs `cookbook feed`. What is done stays done when it is broken off.
///
/// # Errors
/// There is no such user, the database is not there, or it refused.
pub async fn run(args: FeedArgs, settings: Settings) -> Result<ExitCode> {
    let FeedCommand::Rebuild { user } = args.command;
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to `database.url`")?;
    let feeds = match user {
        Some(username) => {
            let mut connection = db.acquire().await?;
            let Some(id) = user::find_by_username(&mut connection, &username).await? else {
                bail!("nobody is called `{username}`");
            };
            feed::want(&mut connection, id).await?;
            drop(connection);
            rebuild(&db, id, settings.feed.cap).await?;
            1
        }
        None => rebuild_all(&db, &settings).await?,
    };
    output::line(format!("rebuilt {feeds} feeds"))?;
    Ok(ExitCode::SUCCESS)
}

async fn rebuild_all(db: &Db, settings: &Settings) -> Result<u64> {
    let days = settings.feed.active_days;
    let all = feed::count_active(&mut *db.acquire().await?, days).await?;
    let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} feeds {eta}").context("the bar's template")?;
    let bar = ProgressBar::new(all).with_style(style);
    let mut after = UserId(0);
    let mut rebuilt = 0;
    loop {
        let users = feed::want_active(&mut *db.acquire().await?, after, days, BATCH).await?;
        for user in &users {
            rebuild(db, *user, settings.feed.cap).await?;
            rebuilt += 1;
            bar.inc(1);
        }
        match users.last() {
            Some(last) => after = *last,
            None => break,
        }
    }
    bar.finish_and_clear();
    Ok(rebuilt)
}

async fn rebuild(db: &Db, user: UserId, cap: u32) -> Result<()> {
    let mut tries = 0;
    loop {
        match feed::fill(db, user, cap).await {
            Err(error) if error.is_lock_conflict() && tries < TRIES => tries += 1,
            outcome => {
                outcome.with_context(|| format!("rebuild the feed of user {user}"))?;
                return Ok(());
            }
        }
    }
}
