//! How fast events are rolled up: `script/bench rollup [--quick]`, or `--events N`.
//!
//! Three questions, on the same events: how long polars takes from Parquet beside DuckDB (whose line `script/bench` adds, from the files that
//! are left in `target/bench-rollup`); how long the job takes from MySQL, end to end; and how long the server itself takes with GROUP BY.
//! All make hourly and daily rows with different actors. Triggers are taken off while the tables are filled, which is not measured.
#![expect(clippy::print_stdout, reason = "its table is its result")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::{NaiveDate, TimeDelta};
use futures::TryStreamExt;
use jobs::roll_up_days;
use jobs::tally::Tally;
use polars::prelude::{Column, DataFrame, ParquetReader, ParquetWriter, SerReader};
use store::stats::{Counts, Events};
use test_support::TestDb;

/// Days that the events lie in.
const DAYS: u64 = 10;

/// Workflows and users; the first tenth as many users as workflows are the authors, who do nothing else.
const WORKFLOWS: u64 = 50_000;
const USERS: u64 = 200_000;
const AUTHORS: u64 = WORKFLOWS / 10;

/// Rows of one INSERT.
const INSERT: usize = 5000;

/// Events given to the tally at once.
const BATCH: usize = 1 << 19;

/// SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 1 on, about as by Zipf's law: the hundredth gets a hundredth of what the first gets.
    fn zipf(&mut self, below: u64) -> u64 {
        (below as f64).powf(self.unit()) as u64
    }

    /// Some do more than others: the square of an even number.
    fn skewed(&mut self, below: u64) -> u64 {
        let unit = self.unit();
        (unit * unit * below as f64) as u64
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Every day of the events.
fn days() -> impl Iterator<Item = NaiveDate> {
    NaiveDate::from_ymd_opt(2026, 3, 1)
        .unwrap_or_default()
        .iter_days()
        .take(DAYS as usize)
}

/// Views and downloads of a day; every tenth is a download.
fn make(day: NaiveDate, count: usize) -> Events {
    let start_s = store::stats::midnight(day).timestamp();
    let mut random = Random(start_s.unsigned_abs());
    let mut events = Events::default();
    for number in 0..count {
        events.kind.push(if random.next().is_multiple_of(10) { 2 } else { 1 });
        events.workflow.push(random.zipf(WORKFLOWS));
        // One after the other, as rows are written.
        events.at_s.push(start_s + (number * 86_400 / count) as i64);
        events.actor.push(1 + AUTHORS + random.skewed(USERS - AUTHORS));
    }
    events
}

fn write(path: &Path, events: Events) -> Result<()> {
    let mut frame = DataFrame::new(
        events.kind.len(),
        vec![
            Column::new("kind".into(), events.kind),
            Column::new("workflow".into(), events.workflow),
            Column::new("at_s".into(), events.at_s),
            Column::new("actor".into(), events.actor),
        ],
    )?;
    ParquetWriter::new(File::create(path)?).finish(&mut frame)?;
    Ok(())
}

/// What a run comes to, to be compared: hourly rows, daily rows, views, downloads, different viewers of hours and of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Checks {
    hourly: u64,
    daily: u64,
    views: u64,
    downloads: u64,
    hourly_viewers: u64,
    daily_viewers: u64,
}

impl Checks {
    fn add(&mut self, hourly: impl Iterator<Item = Counts>, daily: impl Iterator<Item = Counts>) {
        for counts in hourly {
            self.hourly += 1;
            self.hourly_viewers += u64::from(counts.unique_viewers);
        }
        for counts in daily {
            self.daily += 1;
            self.views += u64::from(counts.views);
            self.downloads += u64::from(counts.downloads);
            self.daily_viewers += u64::from(counts.unique_viewers);
        }
    }

    fn text(&self) -> String {
        format!(
            "{} {} {} {} {} {}",
            self.hourly, self.daily, self.views, self.downloads, self.hourly_viewers, self.daily_viewers
        )
    }
}

/// The polars part alone, from Parquet, a day at a time as the job does.
fn from_parquet(folder: &Path) -> Result<Checks> {
    let mut checks = Checks::default();
    for day in days() {
        let frame = ParquetReader::new(File::open(folder.join(format!("{day}.parquet")))?).finish()?;
        let from = store::stats::midnight(day);
        let mut tally = Tally::between(from, from + TimeDelta::days(1));
        for start in (0..frame.height()).step_by(BATCH) {
            let batch = frame.slice(start as i64, BATCH);
            tally.add(Events {
                kind: batch.column("kind")?.u32()?.into_no_null_iter().collect(),
                workflow: batch.column("workflow")?.u64()?.into_no_null_iter().collect(),
                at_s: batch.column("at_s")?.i64()?.into_no_null_iter().collect(),
                actor: batch.column("actor")?.u64()?.into_no_null_iter().collect(),
            })?;
        }
        drop(frame);
        let (hourly, daily) = (tally.by_hour()?, tally.by_workflow()?);
        checks.add(
            hourly.into_iter().map(|(_, _, counts)| counts),
            daily.into_iter().map(|(_, counts)| counts),
        );
    }
    Ok(checks)
}

/// Sets the mark of the most memory back to what is used now. Where that is not allowed, the peak of the whole run is shown.
fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Most memory since [`forget_peak`], in MB.
fn peak_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|kilobytes| kilobytes.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn print(what: &str, events: usize, took: Duration, memory: &str) {
    let rate = events as f64 / took.as_secs_f64() / 1e6;
    println!("{what:<44} {:>8.2} s {rate:>8.2} M events/s {memory:>12}", took.as_secs_f64());
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments
        .iter()
        .position(|argument| argument == "--events")
        .and_then(|at| arguments.get(at + 1));
    let events: usize = match given {
        Some(given) => given.parse().context("`--events` takes a number")?,
        None if arguments.iter().any(|argument| argument == "--quick") => 1_000_000,
        None => 20_000_000,
    };
    let a_day = events / DAYS as usize;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-rollup");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    println!("rollup: {events} events of {DAYS} days, {WORKFLOWS} workflows, {USERS} users; most memory of the process");
    for day in days() {
        write(&folder.join(format!("{day}.parquet")), make(day, a_day))?;
    }

    forget_peak();
    let start = Instant::now();
    let expected = from_parquet(&folder)?;
    print(
        "polars from Parquet, by hour and by day",
        events,
        start.elapsed(),
        &format!("{} MB", peak_mb()),
    );
    fs::write(folder.join("expected"), expected.text())?;

    let db = TestDb::new().await;
    let start = Instant::now();
    fill(&db, &folder, a_day).await?;
    println!("(the tables filled in {:.0} s)", start.elapsed().as_secs_f64());

    forget_peak();
    let start = Instant::now();
    roll_up_days(db.pool(), days()).try_collect::<Vec<_>>().await?;
    print(
        "the job, from MySQL to MySQL",
        events,
        start.elapsed(),
        &format!("{} MB", peak_mb()),
    );
    let found = stored(&db).await;
    ensure!(
        found == expected.text(),
        "the job found {found}, polars from Parquet {}",
        expected.text()
    );

    let start = Instant::now();
    roll_up_days(db.pool(), days()).try_collect::<Vec<_>>().await?;
    print("the job again, when nothing is new", events, start.elapsed(), "");

    let start = Instant::now();
    group_by(&db).await;
    print("SQL GROUP BY, by hour and by day", events, start.elapsed(), "the server's");
    let found = stored(&db).await;
    ensure!(
        found == expected.text(),
        "SQL found {found}, polars from Parquet {}",
        expected.text()
    );
    Ok(())
}

/// What is in the two tables, as [`Checks::text`].
async fn stored(db: &TestDb) -> String {
    db.shell()
        .text(
            "SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM workflow_stats_hourly), COUNT(*), SUM(views), SUM(downloads),
                              (SELECT SUM(unique_viewers) FROM workflow_stats_hourly), SUM(unique_viewers)) FROM workflow_stats_daily",
        )
        .await
        .unwrap_or_default()
}

/// Fills the tables with the same events.
async fn fill(db: &TestDb, folder: &Path, a_day: usize) -> Result<()> {
    let triggers = db
        .shell()
        .text(
            "SELECT CAST(GROUP_CONCAT('DROP TRIGGER ', trigger_name SEPARATOR ';') AS CHAR) FROM information_schema.triggers
             WHERE trigger_schema = DATABASE() AND event_object_table IN ('users', 'workflows', 'workflow_views', 'workflow_downloads')",
        )
        .await
        .context("triggers")?;
    db.execute(&triggers).await;
    insert(db, "users (id, username, email, password)", USERS, |id| {
        format!("({id},'u{id}','{id}@example.org','x')")
    })
    .await;
    insert(
        db,
        "workflows (id, user_id, title, slug, rack_type, adg_file_path, parse_state)",
        WORKFLOWS,
        |id| format!("({id},{},'Rack','rack-{id}','instrument','x','no_file')", 1 + id % AUTHORS),
    )
    .await;
    for (kind, table) in [(1, "workflow_views"), (2, "workflow_downloads")] {
        // An index is made faster of all rows at once.
        let [drop, add] = indexes(db, table).await?;
        db.execute(&drop).await;
        for day in days() {
            load(db, folder, table, kind, &make(day, a_day)).await?;
        }
        db.execute(&add).await;
    }
    Ok(())
}

/// The statements that take a table's indexes away, and that make them again.
async fn indexes(db: &TestDb, table: &str) -> Result<[String; 2]> {
    let of = |action: &str| {
        format!(
            "SELECT CONCAT('ALTER TABLE {table} ', GROUP_CONCAT({action} SEPARATOR ', ')) FROM (
               SELECT index_name AS name, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS parts FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = '{table}' AND index_name <> 'PRIMARY' GROUP BY index_name) AS present"
        )
    };
    let mut statements = [String::new(), String::new()];
    for (statement, action) in statements
        .iter_mut()
        .zip(["'DROP INDEX ', name", "'ADD INDEX ', name, ' (', parts, ')'"])
    {
        *statement = db.shell().text(&of(action)).await.context("indexes")?;
    }
    Ok(statements)
}

/// Has the server read a day's events of one kind from a file, which it can, being on the same machine.
async fn load(db: &TestDb, folder: &Path, table: &str, kind: u32, events: &Events) -> Result<()> {
    let path = folder.join("rows.csv");
    let mut rows = String::new();
    for at in (0..events.kind.len()).filter(|at| events.kind[*at] == kind) {
        writeln!(rows, "{},{},{}", events.workflow[at], events.actor[at], events.at_s[at])?;
    }
    fs::write(&path, rows)?;
    db.execute(&format!(
        "LOAD DATA INFILE '{}' INTO TABLE {table} FIELDS TERMINATED BY ',' (workflow_id, user_id, @at) SET created_at = FROM_UNIXTIME(@at)",
        path.display()
    ))
    .await;
    Ok(())
}

async fn insert(db: &TestDb, head: &str, rows: u64, row: impl Fn(u64) -> String) {
    let ids: Vec<u64> = (1..=rows).collect();
    for group in ids.chunks(INSERT) {
        let rows: Vec<String> = group.iter().map(|id| row(*id)).collect();
        db.execute(&format!("INSERT INTO {head} VALUES {}", rows.join(","))).await;
    }
}

/// The same rows, made by the server.
async fn group_by(db: &TestDb) {
    db.execute("DELETE FROM workflow_stats_hourly; DELETE FROM workflow_stats_daily")
        .await;
    let of = |kind: u32, table: &str| {
        format!(
            "SELECT {kind} AS kind, event.workflow_id, event.user_id, event.created_at FROM {table} AS event
             JOIN workflows ON workflows.id = event.workflow_id WHERE event.counted AND NOT (event.user_id <=> workflows.user_id)"
        )
    };
    let events = format!("{} UNION ALL {}", of(1, "workflow_views"), of(2, "workflow_downloads"));
    let half_hour = "CONCAT(user_id, ' ', UNIX_TIMESTAMP(created_at) DIV 1800)";
    for (table, span, group) in [
        (
            "workflow_stats_hourly",
            "hour",
            "FROM_UNIXTIME(UNIX_TIMESTAMP(created_at) DIV 3600 * 3600)",
        ),
        ("workflow_stats_daily", "day", "DATE(created_at)"),
    ] {
        db.execute(&format!(
            "INSERT INTO {table} ({span}, workflow_id, views, unique_viewers, downloads, unique_downloaders, likes, comments, ratings,
                                  collection_adds)
             SELECT {group}, workflow_id, COUNT(DISTINCT IF(kind = 1, {half_hour}, NULL)), COUNT(DISTINCT IF(kind = 1, user_id, NULL)),
               COUNT(DISTINCT IF(kind = 2, {half_hour}, NULL)), COUNT(DISTINCT IF(kind = 2, user_id, NULL)), 0, 0, 0, 0
             FROM ({events}) AS event GROUP BY 1, 2"
        ))
        .await;
    }
}
