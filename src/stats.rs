//! `cookbook stats`: what happened within some days, by what workflows have in common.

use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, bail};
use chrono::{NaiveDate, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use jobs::{CountBy, counts_between, span_of_days};
use serde::Serialize;
use store::Conn;
use store::stat_totals::{self, Label, Totals};
use store::stats::{Counts, midnight};

use crate::output;

/// Arguments of `cookbook stats`.
#[derive(Debug, Args)]
#[command(
    after_help = "Different viewers and downloaders are counted from events, so that an account counts once in any span and zone, and who has \
                  none as long as addresses are kept (`events.keep_addresses_days`), later once a day. Where events were dropped \
                  (`events.keep_days`), the rest is summed from days of UTC, and different people are `no data`.\n\n\
                  Examples:\n  \
                  cookbook stats --from 2026-03-01 --to 2026-03-31 --by genre\n  \
                  cookbook stats --from 2026-03-01 --by device --zone Europe/Berlin --json"
)]
pub struct StatsArgs {
    /// First day, such as 2026-01-31
    #[arg(long, value_name = "DAY")]
    from: NaiveDate,
    /// Last day [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// By what to count
    #[arg(long, value_enum, default_value_t = By::All)]
    by: By,
    /// Time zone of the days, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// At most as many lines, those with most downloads and views first
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// By what to count.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    All,
    Workflow,
    Author,
    Genre,
    Kind,
    Tag,
    Device,
}

impl From<By> for CountBy {
    fn from(by: By) -> Self {
        match by {
            By::All => Self::All,
            By::Workflow => Self::Workflow,
            By::Author => Self::Label(Label::Author),
            By::Genre => Self::Label(Label::Genre),
            By::Kind => Self::Label(Label::Kind),
            By::Tag => Self::Label(Label::Tag),
            By::Device => Self::Label(Label::Device),
        }
    }
}

/// What happened to one of them.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    views: u64,
    /// None: no data.
    unique_viewers: Option<u32>,
    downloads: u64,
    /// None: no data.
    unique_downloaders: Option<u32>,
    likes: u64,
    comments: u64,
    ratings: u64,
    collection_adds: u64,
}

impl Line {
    fn counted((name, counts): (String, Counts)) -> Self {
        Self {
            name,
            views: counts.views.into(),
            unique_viewers: Some(counts.unique_viewers),
            downloads: counts.downloads.into(),
            unique_downloaders: Some(counts.unique_downloaders),
            likes: counts.likes.into(),
            comments: counts.comments.into(),
            ratings: counts.ratings.into(),
            collection_adds: counts.collection_adds.into(),
        }
    }

    fn summed((name, totals): (String, Totals)) -> Self {
        Self {
            name,
            views: totals.views,
            unique_viewers: None,
            downloads: totals.downloads,
            unique_downloaders: None,
            likes: totals.likes,
            comments: totals.comments,
            ratings: totals.ratings,
            collection_adds: totals.collection_adds,
        }
    }
}

/// Prints what happened.
///
/// # Errors
/// The range is backwards, there is no such time zone, nothing is known of its days any more, the database is not there, or it refused.
pub async fn run(args: StatsArgs, settings: Settings) -> Result<ExitCode> {
    let last = args.to.unwrap_or_else(|| Utc::now().date_naive());
    if last < args.from {
        bail!("`--to` {last} is before `--from` {}", args.from);
    }
    let zone = args.zone.as_deref().unwrap_or("UTC");
    let (from, to) = span_of_days(zone, args.from, last)?;
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to `database.url`")?;
    let mut connection = db.acquire().await.context("connect to `database.url`")?;
    let counted = counts_between(&mut connection, from, to, args.by.into()).await?;
    let mut lines: Vec<Line> = match counted {
        Some(counted) => counted.into_iter().map(Line::counted).collect(),
        None if from == midnight(args.from) && to == midnight(last) + TimeDelta::days(1) => {
            let summed = sums(&mut connection, args.by.into(), args.from, last).await?;
            summed.into_iter().map(Line::summed).collect()
        }
        None => bail!("no data: events of that time were dropped, and what is kept of them is by days of UTC"),
    };
    // Else as they come: by name, or by id.
    lines.sort_by_key(|line| std::cmp::Reverse((line.downloads, line.views)));
    lines.truncate(args.limit);
    print(&lines, args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// What can be summed from days of UTC, from the first day that there ever was.
async fn sums(db: &mut Conn, by: CountBy, first: NaiveDate, last: NaiveDate) -> Result<Vec<(String, Totals)>> {
    if let CountBy::Label(label) = by {
        return Ok(stat_totals::totals_by(db, label, first, last).await?.into_iter().collect());
    }
    let workflows = stat_totals::totals(db, first, last).await?;
    if by == CountBy::Workflow {
        return Ok(workflows
            .into_iter()
            .map(|(workflow, totals)| (workflow.to_string(), totals))
            .collect());
    }
    let all = workflows.into_iter().map(|(_, totals)| totals).reduce(std::ops::Add::add);
    Ok(all.map(|totals| (String::new(), totals)).into_iter().collect())
}

fn print(lines: &[Line], json: bool) -> Result<()> {
    if json {
        for line in lines {
            output::line(serde_json::to_string(line)?)?;
        }
        return Ok(());
    }
    let no_data = |number: Option<u32>| number.map_or_else(|| "no data".to_owned(), |number| number.to_string());
    let width = lines.iter().map(|line| line.name.chars().count()).max().unwrap_or_default();
    output::line(format!(
        "{:width$} {:>9} {:>9} {:>9} {:>11} {:>7} {:>8} {:>7} {:>11}",
        "", "views", "viewers", "downloads", "downloaders", "likes", "comments", "ratings", "collections"
    ))?;
    for line in lines {
        // What is in uploaded racks must not steer a terminal.
        let name = line.name.replace(char::is_control, " ");
        output::line(format!(
            "{name:width$} {:>9} {:>9} {:>9} {:>11} {:>7} {:>8} {:>7} {:>11}",
            line.views,
            no_data(line.unique_viewers),
            line.downloads,
            no_data(line.unique_downloaders),
            line.likes,
            line.comments,
            line.ratings,
            line.collection_adds
        ))?;
    }
    Ok(())
}
