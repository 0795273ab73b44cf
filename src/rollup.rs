//! `cookbook rollup`: makes the hourly and daily numbers of any range again.

use std::pin::pin;
use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, bail};
use chrono::{NaiveDate, Utc};
use clap::Args;
use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

/// Arguments of `cookbook rollup`.
#[derive(Debug, Args)]
#[command(after_help = "Workers do this by themselves for every day on which something changed. Days are UTC.")]
pub struct RollupArgs {
    /// First day, such as 2026-01-31
    #[arg(long, value_name = "DAY")]
    pub from: NaiveDate,
    /// Last day [default: today]
    #[arg(long, value_name = "DAY")]
    pub to: Option<NaiveDate>,
}

/// Rolls up a range of days in their order, and shows how far it is. What is done stays done when it is broken off.
///
/// # Errors
/// The range is backwards, the database is not there, or it refused.
pub async fn run(args: RollupArgs, settings: Settings) -> Result<ExitCode> {
    let to = args.to.unwrap_or_else(|| Utc::now().date_naive());
    if to < args.from {
        bail!("`--to` {to} is before `--from` {}", args.from);
    }
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to `database.url`")?;
    let days: Vec<NaiveDate> = store::stats::days(args.from, to).collect();
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} days {msg}").context("the bar's template")?;
    let bar = ProgressBar::new(days.len() as u64).with_style(style);
    let mut events = 0;
    let mut rolled_up = pin!(jobs::roll_up_days(&db, days.iter().copied()));
    for day in &days {
        bar.set_message(day.to_string());
        events += rolled_up.try_next().await?.unwrap_or_default();
        bar.inc(1);
    }
    bar.finish_and_clear();
    output::line(format!("rolled up {} days, {events} events", days.len()))?;
    Ok(ExitCode::SUCCESS)
}
