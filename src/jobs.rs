//! `cookbook jobs`: shows the queue, runs dead jobs again, and scheduled ones now.

use std::collections::BTreeMap;
use std::process::ExitCode;

use ::config::Settings;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use store::Db;
use store::queue::inspect::{self, JobRow, Status};

use crate::output::line;

/// Longest text in a column of a table; JSON has all of it.
const WIDEST: usize = 60;

/// Arguments of `cookbook jobs`.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    command: Option<JobsCommand>,
    /// Print JSON rather than a table
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Count the jobs of every queue (this is what `cookbook jobs` alone does)
    Count,
    /// List jobs, the newest first
    List {
        /// Only of this queue
        #[arg(long)]
        queue: Option<String>,
        /// Only those that stand there
        #[arg(long, value_enum)]
        status: Option<StatusArg>,
        /// At most as many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// List dead letters: jobs that failed for good, or too often
    Dead {
        /// Only of this queue
        #[arg(long)]
        queue: Option<String>,
        /// At most as many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Queue a dead letter again, with all its attempts before it
    Retry {
        /// The job's id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All dead letters
        #[arg(long)]
        all: bool,
        /// With --all: only of this queue
        #[arg(long, requires = "all")]
        queue: Option<String>,
    },
    /// Show everything that happens at a time, when it last did, and when it will
    Timetable,
    /// Queue a scheduled job now, whatever the time
    Run {
        /// Its name, such as `sweep-pending`
        name: String,
    },
}

/// Where a job stands, in an operator's words.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StatusArg {
    Pending,
    Running,
    Done,
    Dead,
}

impl From<StatusArg> for Status {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Pending => Self::Pending,
            StatusArg::Running => Self::Running,
            StatusArg::Done => Self::Done,
            StatusArg::Dead => Self::Killed,
        }
    }
}

/// Runs `cookbook jobs`.
///
/// # Errors
/// The database cannot be reached, or there is no such job.
pub async fn run(args: JobsArgs, settings: Settings) -> Result<ExitCode> {
    if let Some(JobsCommand::Run { name }) = &args.command {
        return run_now(name, settings).await;
    }
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to the database")?;
    match args.command.unwrap_or(JobsCommand::Count) {
        JobsCommand::Count => count(&db, args.json).await?,
        JobsCommand::List { queue, status, limit } => {
            list(&db, queue.as_deref(), status.map(Status::from), limit, args.json).await?;
        }
        JobsCommand::Dead { queue, limit } => list(&db, queue.as_deref(), Some(Status::Killed), limit, args.json).await?,
        JobsCommand::Timetable => timetable(&db, &settings, args.json).await?,
        JobsCommand::Retry { id: Some(id), .. } => retry(&db, &id).await?,
        JobsCommand::Retry { queue, .. } => {
            let mut connection = db.acquire().await?;
            let jobs = inspect::retry_all(&mut connection, queue.as_deref()).await?;
            line(format!("{jobs} jobs queued again"))?;
        }
        JobsCommand::Run { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The times are those that this program is configured with; when each last fired, whoever fired it, is from the database.
async fn timetable(db: &Db, settings: &Settings, as_json: bool) -> Result<()> {
    let mut connection = db.acquire().await?;
    let fired: BTreeMap<String, DateTime<Utc>> = store::schedule::all(&mut connection)
        .await?
        .into_iter()
        .map(|row| (row.name, row.last_fired_at))
        .collect();
    let lines = jobs::schedule::timetable(settings, Utc::now())?;
    if as_json {
        for entry in lines {
            let last = fired.get(entry.name);
            line(
                json!({"name": entry.name, "times": entry.times, "zone": entry.zone, "last_fired_at": last, "next_at": entry.next_at})
                    .to_string(),
            )?;
        }
        return Ok(());
    }
    let time = |at: Option<DateTime<Utc>>| at.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    let rows: Vec<_> = lines
        .into_iter()
        .map(|entry| {
            let last = fired.get(entry.name).copied();
            vec![
                entry.name.to_owned(),
                entry.times,
                entry.zone,
                time(last),
                time(entry.next_at),
            ]
        })
        .collect();
    print_table(&["NAME", "TIMES", "ZONE", "LAST (UTC)", "NEXT (UTC)"], &rows)
}

async fn retry(db: &Db, id: &str) -> Result<()> {
    let mut connection = db.acquire().await?;
    if !inspect::retry(&mut connection, id).await? {
        bail!("no dead letter has the id `{id}`; `cookbook jobs dead` lists them");
    }
    line(format!("{id} queued again"))?;
    Ok(())
}

async fn run_now(name: &str, settings: Settings) -> Result<ExitCode> {
    let entries = jobs::schedule::all();
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
        let names: Vec<_> = entries.iter().map(|entry| format!("`{}`", entry.name)).collect();
        bail!("no scheduled job is called `{name}`; there are {}", names.join(", "));
    };
    let context = crate::parts::Shared::open(settings).await?.for_jobs();
    let queues = entry.run_now(&context).await?;
    // Else this process would end before its hints have left it, and workers would find the job at their next look only.
    context.wake.flush().await;
    if queues.is_empty() {
        line(format!("{name}: nothing to queue"))?;
    }
    for queue in queues {
        line(format!("{queue} queued"))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn count(db: &Db, as_json: bool) -> Result<()> {
    let mut connection = db.acquire().await?;
    let counts = inspect::count(&mut connection).await?;
    if as_json {
        for count in counts {
            line(json!({"queue": count.queue, "status": word(count.status), "jobs": count.jobs}).to_string())?;
        }
        return Ok(());
    }
    let rows: Vec<_> = counts
        .into_iter()
        .map(|count| vec![count.queue, word(count.status).to_owned(), count.jobs.to_string()])
        .collect();
    print_table(&["QUEUE", "STATUS", "JOBS"], &rows)
}

async fn list(db: &Db, queue: Option<&str>, status: Option<Status>, limit: u32, as_json: bool) -> Result<()> {
    let mut connection = db.acquire().await?;
    let jobs = inspect::list(&mut connection, queue, status, limit).await?;
    if as_json {
        for job in &jobs {
            line(as_json_line(job))?;
        }
        return Ok(());
    }
    let rows: Vec<_> = jobs.iter().map(as_row).collect();
    print_table(&["ID", "QUEUE", "STATUS", "TRIED", "SINCE (UTC)", "JOB", "ERROR"], &rows)
}

fn as_json_line(job: &JobRow) -> String {
    let payload: serde_json::Value = serde_json::from_str(&job.payload).unwrap_or_else(|_| json!(job.payload));
    json!({
        "id": job.id, "queue": job.queue, "status": word(job.status), "job": payload, "attempts": job.attempts,
        "max_attempts": job.max_attempts, "priority": job.priority, "created_at": job.created_at, "run_at": job.run_at,
        "done_at": job.done_at, "worker": job.worker, "error": job.error,
    })
    .to_string()
}

fn as_row(job: &JobRow) -> Vec<String> {
    let since = match job.status {
        Status::Done | Status::Killed => job.done_at.unwrap_or(job.run_at),
        _ => job.run_at,
    };
    vec![
        job.id.clone(),
        job.queue.clone(),
        word(job.status).to_owned(),
        format!("{}/{}", job.attempts, job.max_attempts),
        since.format("%Y-%m-%d %H:%M:%S").to_string(),
        shorten(&job.payload),
        shorten(job.error.as_deref().unwrap_or_default()),
    ]
}

/// A status in an operator's words.
fn word(status: Status) -> &'static str {
    match status {
        Status::Pending | Status::Queued => "pending",
        Status::Running => "running",
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Killed => "dead",
    }
}

fn shorten(text: &str) -> String {
    let flat = text.replace(char::is_control, " ");
    if flat.chars().count() <= WIDEST {
        return flat;
    }
    let mut short: String = flat.chars().take(WIDEST - 1).collect();
    short.push('…');
    short
}

/// Prints rows under headers, columns aligned.
fn print_table(headers: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    let mut widths = vec![0; headers.len()];
    for row in std::iter::once(&headers).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&headers).chain(rows) {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:<width$}"))
            .collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
