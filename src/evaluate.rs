//! `cookbook evaluate`: measures what the program recommends on what people did.

use std::path::PathBuf;
use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use jobs::{Measured, Split};

use crate::{output, servers};

/// Arguments of `cookbook evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    #[command(subcommand)]
    command: EvaluateCommand,
}

#[derive(Debug, Subcommand)]
enum EvaluateCommand {
    /// Hold back what each person took last, recommend as of then, and compare with popularity and item-kNN; changes nothing
    Recommendations(RecommendationArgs),
}

#[derive(Debug, Args)]
struct RecommendationArgs {
    /// Share of what somebody took that is held back
    #[arg(long, value_name = "SHARE", default_value_t = Split::default().held_back)]
    held_back: f64,
    /// Fewest workflows that somebody took, to be measured
    #[arg(long, value_name = "COUNT", default_value_t = Split::default().least)]
    least: usize,
    /// Most people who are measured; all are learnt from
    #[arg(long, value_name = "COUNT", default_value_t = Split::default().people)]
    people: usize,
    /// Measure on ratings in this file, rather than on what is in the database: a line of names, then person, thing, stars and seconds since 1970 in
    /// each, apart by commas or tabs
    #[arg(long, value_name = "FILE")]
    ratings: Option<PathBuf>,
}

/// Runs `cookbook evaluate`.
///
/// # Errors
/// The database is not there or refused, the file cannot be read, or there is nobody to measure.
pub async fn run(args: EvaluateArgs, settings: Settings) -> Result<ExitCode> {
    let EvaluateCommand::Recommendations(args) = args.command;
    if !(0.0..1.0).contains(&args.held_back) {
        bail!("`--held-back` {} is no share between 0 and 1", args.held_back);
    }
    let split = Split {
        held_back: args.held_back,
        least: args.least,
        people: args.people,
    };
    let found = if let Some(file) = args.ratings {
        jobs::evaluate_ratings(&file, &settings.recommendations, split).await?
    } else {
        let settings = servers::locate(settings)?;
        let db = store::db::connect(&settings.database)
            .await
            .context("connect to `database.url`")?;
        jobs::evaluate_recommendations(&db, &settings.recommendations, split).await?
    };
    output::line(format!(
        "{} people took {} workflows; learnt from {} interactions, {} held back of {} people",
        found.people, found.workflows, found.interactions, found.held_back, found.measured
    ))?;
    output::line(format!(
        "{:<46} {:>8} {:>10} {:>9} {:>8}",
        "", "nDCG@10", "recall@20", "coverage", "novelty"
    ))?;
    for row in [&found.bare, &found.list, &found.popularity, &found.plain, &found.best] {
        output::line(line(row))?;
    }
    output::line(format!(
        "bare ranking: {:.3} of the best item-kNN (aim 0.97), {:.2} times popularity (aim 1.5), by nDCG@10",
        found.bare.ndcg / found.best.ndcg,
        found.bare.ndcg / found.popularity.ndcg
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn line(row: &Measured) -> String {
    format!(
        "{:<46} {:>8.4} {:>10.4} {:>9.3} {:>8.2}",
        row.name, row.ndcg, row.recall, row.coverage, row.novelty
    )
}
