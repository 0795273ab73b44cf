//! `cookbook report`: makes, lists and shows the reports for admins.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use jobs::report::Report;
use store::report::{self, Period, ReportKind};

use crate::output::line;
use crate::parts::Shared;

/// Arguments of `cookbook report`.
#[derive(Debug, Args)]
#[command(after_help = "Workers make reports by themselves, at the times in `[schedule]`.\n\n\
    Examples:\n  \
    cookbook report run daily                          make yesterday's, anew if it is there\n  \
    cookbook report show daily 2026-03-01              its figures as text\n  \
    cookbook report show monthly 2026-03 --format html --out march.html")]
pub struct ReportArgs {
    #[command(subcommand)]
    command: ReportCommand,
}

#[derive(Debug, Subcommand)]
enum ReportCommand {
    /// Make a report here and now, in the place of the one that is there
    Run {
        /// daily, weekly or monthly
        report: KindArg,
        /// Its period, such as 2026-03-01, 2026-W09 or 2026-03 [default: the last one that is over]
        period: Option<String>,
    },
    /// List reports, the latest first
    List {
        /// Only daily, weekly or monthly ones
        report: Option<KindArg>,
        /// At most as many of each
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Print a report
    Show {
        /// daily, weekly or monthly
        report: KindArg,
        /// Its period, such as 2026-03-01, 2026-W09 or 2026-03
        period: String,
        /// In which form
        #[arg(long, value_enum, default_value_t = FormatArg::Text)]
        format: FormatArg,
        /// Into this file [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// How long a report's period is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KindArg {
    Daily,
    Weekly,
    Monthly,
}

impl From<KindArg> for ReportKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Daily => Self::Daily,
            KindArg::Weekly => Self::Weekly,
            KindArg::Monthly => Self::Monthly,
        }
    }
}

/// A form of a report.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArg {
    /// The figures, for people
    Text,
    /// Everything, for programs
    Json,
    /// A line for each number
    Csv,
    /// The same with types
    Parquet,
    /// A page with charts
    Html,
}

impl FormatArg {
    /// Its name among the stored forms.
    fn stored(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Json => None,
            Self::Csv => Some("csv"),
            Self::Parquet => Some("parquet"),
            Self::Html => Some("html"),
        }
    }
}

/// Runs `cookbook report`.
///
/// # Errors
/// The database cannot be reached, the period is none or not over, or there is no such report.
pub async fn run(args: ReportArgs, settings: Settings) -> Result<ExitCode> {
    match args.command {
        ReportCommand::Run { report, period } => make(report.into(), period.as_deref(), settings).await?,
        ReportCommand::List { report, limit } => list(report.map(ReportKind::from), limit, settings).await?,
        ReportCommand::Show {
            report,
            period,
            format,
            out,
        } => show(report.into(), &period, format, out, settings).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn make(kind: ReportKind, period: Option<&str>, settings: Settings) -> Result<()> {
    let context = Shared::open(settings).await?.for_jobs();
    let period = match period {
        Some(period) => Period::parse(kind, period).map_err(|error| anyhow!(error))?,
        None => jobs::report::last_complete(&context, kind)?,
    };
    let made = jobs::make_report(&context, period).await?;
    // Else this process would end before its hints have left it.
    context.wake.flush().await;
    line(jobs::report::text(&made))?;
    Ok(())
}

async fn list(kind: Option<ReportKind>, limit: u32, settings: Settings) -> Result<()> {
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to the database")?;
    let mut connection = db.acquire().await?;
    let kinds = kind.map_or_else(|| ReportKind::ALL.to_vec(), |kind| vec![kind]);
    line(format!(
        "{:<8}  {:<10}  {:>4}  {:<19}  ZONE",
        "REPORT", "PERIOD", "MADE", "LAST (UTC)"
    ))?;
    for kind in kinds {
        for row in report::list(&mut connection, kind, None, limit).await? {
            line(format!(
                "{:<8}  {:<10}  {:>4}  {:<19}  {}",
                row.report,
                row.period,
                row.version,
                row.generated_at.format("%Y-%m-%d %H:%M:%S"),
                row.zone
            ))?;
        }
    }
    Ok(())
}

async fn show(kind: ReportKind, period: &str, format: FormatArg, out: Option<PathBuf>, settings: Settings) -> Result<()> {
    let period = Period::parse(kind, period).map_err(|error| anyhow!(error))?.to_string();
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to the database")?;
    let mut connection = db.acquire().await?;
    let bytes = match format.stored() {
        Some(stored) => report::file(&mut connection, kind, &period, stored).await?,
        None => report::figures(&mut connection, kind, &period).await?.map(String::into_bytes),
    };
    let Some(mut bytes) = bytes else {
        bail!("there is no {kind} report of `{period}`; `cookbook report run {kind} {period}` makes it");
    };
    if matches!(format, FormatArg::Text) {
        let report: Report = serde_json::from_slice(&bytes).context("the report is of another version; make it again")?;
        bytes = jobs::report::text(&report).into_bytes();
    }
    match out {
        Some(path) => std::fs::write(&path, bytes).with_context(|| format!("write `{}`", path.display()))?,
        None => {
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(&bytes)
                .and_then(|()| stdout.flush())
                .context("write to standard output")?;
        }
    }
    Ok(())
}
