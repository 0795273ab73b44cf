//! How many views and downloads a second the group commit takes, beside hand-batched INSERTs of the same rows on the same server, and how
//! long one waits at a steady 2,000 a second. `--quick` prints the same table from fewer seconds.
//!
//! Both go through the schema's own triggers, and are flushed at every commit. Nineteen in twenty are views.
#![expect(clippy::print_stdout, reason = "its table is its result")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use config::{Secret, Settings};
use sqlx::AssertSqlSafe;
use store::event::{EventKind, NewEvent};
use store::event_writer::{EventError, EventWriter};
use store::secret::SigningKey;
use store::{StoreError, UserId, WorkflowId};
use test_support::TestDb;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Workflows that things happen to.
const WORKFLOWS: u64 = 2_000;

/// Users who do them, half of the time.
const USERS: u64 = 5_000;

/// Rows of a hand-batched INSERT: as many as the writer puts into one.
const BATCH: u64 = 500;

/// One in so many is a download.
const DOWNLOAD_EVERY: u64 = 20;

/// Requests that wait at once when as many as possible are handed in.
const WAITING: usize = 2_000;

/// Events a second of the steady load.
const STEADY: u64 = 2_000;

/// The aims: of hand-batched INSERTs, and at the 99th percentile.
const AIM_SHARE: f64 = 0.6;
const AIM_WAIT: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let seconds = Duration::from_secs(if quick { 6 } else { 30 });
    let db = TestDb::new().await;
    let server = if db.is_mariadb().await { "MariaDB" } else { "MySQL" };
    fill(&db).await;
    println!(
        "events: {server}, {} s each{}",
        seconds.as_secs(),
        if quick { " (quick)" } else { "" }
    );

    // In turns, so that a machine that slows down slows down both.
    let mut by_hand = [0.0_f64; 2];
    let mut grouped = 0.0_f64;
    let mut settings = Settings::defaults().context("defaults")?;
    settings.redis.url = Secret::new(test_support::redis_url());
    let key = SigningKey::new("a secret of this measurement alone, long enough")?;
    let writer = EventWriter::start(db.pool().clone(), &settings.events, &settings.redis, key)?;
    for _ in 0..2 {
        for (best, connections) in by_hand.iter_mut().zip([1, 4]) {
            *best = best.max(insert_by_hand(&db, connections, seconds / 2).await?);
        }
        grouped = grouped.max(as_many_as_possible(&writer, seconds / 2).await?);
    }
    let hand = by_hand[0].max(by_hand[1]);
    println!("hand-batched, 1 connection   {:>8.0} events/s", by_hand[0]);
    println!("hand-batched, 4 connections  {:>8.0} events/s", by_hand[1]);
    println!(
        "group commit                 {grouped:>8.0} events/s   {:.2} of the best by hand",
        grouped / hand
    );

    let (times, shed) = steadily(&writer, seconds).await?;
    println!(
        "at {STEADY} events/s           p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms   {} recorded, {shed} shed",
        ms(percentile(&times, 50)),
        ms(percentile(&times, 99)),
        ms(percentile(&times, 100)),
        times.len()
    );
    let met = grouped / hand >= AIM_SHARE && percentile(&times, 99) < AIM_WAIT && shed == 0;
    println!(
        "aim, {AIM_SHARE} of the best by hand and a 99th percentile under {} ms: {}",
        AIM_WAIT.as_millis(),
        if met { "met" } else { "missed" }
    );
    Ok(())
}

async fn fill(db: &TestDb) {
    for from in (1..=USERS).step_by(1000) {
        let rows: Vec<String> = (from..from + 1000)
            .map(|id| format!("({id}, 'producer-{id}', '{id}@example.org', 'x')"))
            .collect();
        db.execute(&format!(
            "INSERT INTO users (id, username, email, password) VALUES {}",
            rows.join(", ")
        ))
        .await;
    }
    for from in (1..=WORKFLOWS).step_by(500) {
        let rows: Vec<String> = (from..from + 500)
            .map(|id| {
                format!(
                    "({id}, {}, 'Rack {id}', 'rack-{id}', 'instrument', 'none.adg', TRUE)",
                    1 + id % USERS
                )
            })
            .collect();
        db.execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published) VALUES {}",
            rows.join(", ")
        ))
        .await;
    }
}

/// The same events for both sides: event number `n`.
fn event(n: u64) -> NewEvent {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
    NewEvent {
        kind: if n.is_multiple_of(DOWNLOAD_EVERY) {
            EventKind::Download
        } else {
            EventKind::View
        },
        workflow: WorkflowId(1 + mixed % WORKFLOWS),
        user: mixed.is_multiple_of(2).then(|| UserId(1 + mixed / 7 % USERS)),
        address: Some(format!("{mixed:032x}")),
        network: Some((u128::from(mixed) << 8).to_be_bytes()),
        session: Some(format!("{n:032x}")),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        discount: None,
    }
}

/// Multi-row INSERTs as somebody would write them who has all rows at hand: two statements a transaction, of views and of downloads.
async fn insert_by_hand(db: &TestDb, connections: u64, time: Duration) -> Result<f64> {
    let number = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (pool, number) = (db.pool().clone(), Arc::clone(&number));
        tasks.spawn(async move {
            let mut connection = pool.acquire().await?;
            while started.elapsed() < time {
                let first = number.fetch_add(BATCH, Ordering::Relaxed);
                let mut events: Vec<NewEvent> = (first..first + BATCH).map(event).collect();
                // Writers that lock workflows in one order don't wait for each other in a circle.
                events.sort_by_key(|event| event.workflow);
                let statements = statements(&events);
                // Who loses a lock all the same tries again, as anybody has to.
                while let Err(error) = sqlx::raw_sql(AssertSqlSafe(statements.clone()))
                    .execute(&mut *connection)
                    .await
                {
                    let error = StoreError::from(error);
                    ensure!(error.is_lock_conflict(), error);
                    sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(number.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

fn statements(events: &[NewEvent]) -> String {
    let nullable = |user: Option<UserId>| user.map_or("NULL".to_owned(), |user| user.to_string());
    let hash = |event: &NewEvent| event.network.map(u128::from_be_bytes).unwrap_or_default();
    let (mut views, mut downloads) = (Vec::new(), Vec::new());
    for event in events {
        let (workflow, user) = (event.workflow, nullable(event.user));
        let address = event.address.as_deref().unwrap_or_default();
        match event.kind {
            EventKind::View => views.push(format!(
                "({workflow}, {user}, '{address}', '{}', TRUE, NULL, X'{:032x}')",
                event.session.as_deref().unwrap_or_default(),
                hash(event)
            )),
            EventKind::Download => downloads.push(format!(
                "({workflow}, {user}, '{address}', '{}', TRUE, NULL, X'{:032x}')",
                event.user_agent.as_deref().unwrap_or_default(),
                hash(event)
            )),
        }
    }
    format!(
        "BEGIN;
         INSERT INTO workflow_views (workflow_id, user_id, ip_address, session_id, counted, discount_reason, network_hash) VALUES {};
         INSERT INTO workflow_downloads (workflow_id, user_id, ip_address, user_agent, counted, discount_reason, network_hash) VALUES {};
         COMMIT",
        views.join(", "),
        downloads.join(", ")
    )
}

/// As many as the writer takes: each who is answered hands in the next.
async fn as_many_as_possible(writer: &EventWriter, time: Duration) -> Result<f64> {
    let number = Arc::new(AtomicU64::new(1 << 40));
    let recorded = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..WAITING {
        let (writer, number, recorded) = (writer.clone(), Arc::clone(&number), Arc::clone(&recorded));
        tasks.spawn(async move {
            while started.elapsed() < time {
                writer.record(event(number.fetch_add(1, Ordering::Relaxed))).await?;
                recorded.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(recorded.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

/// Hands events in at a steady pace, whether or not those before are answered, and gives sorted times from handing in to answer.
async fn steadily(writer: &EventWriter, time: Duration) -> Result<(Vec<Duration>, u64)> {
    const TICK: Duration = Duration::from_millis(1);
    let started = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tasks = JoinSet::new();
    let mut number = 1 << 50;
    let mut due = Duration::ZERO;
    while due < time {
        ticks.tick().await;
        for _ in 0..STEADY / 1000 {
            let (writer, event) = (writer.clone(), event(number));
            number += 1;
            // From when it should have been handed in, so that a stall of this loop is not overlooked.
            let at = started + due;
            tasks.spawn(async move { (writer.record(event).await, at.elapsed()) });
        }
        due += TICK;
    }
    let (mut times, mut shed) = (Vec::new(), 0);
    while let Some(ended) = tasks.join_next().await {
        match ended? {
            (Ok(_), took) => times.push(took),
            (Err(EventError::Overloaded), _) => shed += 1,
            (Err(error), _) => return Err(error.into()),
        }
    }
    ensure!(!times.is_empty(), "nothing was recorded");
    times.sort_unstable();
    Ok((times, shed))
}

/// Of sorted times, by the nearest rank.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
