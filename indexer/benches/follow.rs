//! How soon a change is found, and how fast an index is built: on the server that `COOKBOOK_TEST_DATABASE_URL` names, with the schema's own
//! triggers and the settings' own polling. `--quick` prints the same table from fewer rows and samples.
#![expect(clippy::print_stdout, reason = "its table is its result")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use config::Settings;
use indexer::{Follower, Index, SearchRequest, Step};
use mimalloc::MiMalloc;
use store::Db;
use test_support::{TestDb, execute_on};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Changes a second in the background of the second measurement.
const LOAD_PER_SECOND: u32 = 50;

/// A change that is not found within this time is an error.
const LOST: Duration = Duration::from_secs(30);

/// The aim at the 99th percentile.
const AIM: Duration = Duration::from_secs(1);

/// Workflows of one INSERT.
const INSERT: u64 = 500;

/// How much is done.
struct Size {
    documents: u64,
    samples: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let size = if quick {
        Size {
            documents: 20_000,
            samples: 60,
        }
    } else {
        Size {
            documents: 100_000,
            samples: 400,
        }
    };
    let settings = Settings::defaults().context("defaults")?.index;
    let db = TestDb::new().await;
    let server = if db.is_mariadb().await { "MariaDB" } else { "MySQL" };
    fill(&db, size.documents).await;

    let folder = tempfile::tempdir().context("a folder")?;
    let index = Index::open(folder.path(), settings.writer_memory_bytes)?;
    let processor_before = processor_time().context("time in /proc/self/stat")?;
    let built = index.rebuild(db.pool(), |_| {}).await?;
    let processor = processor_time()
        .context("time in /proc/self/stat")?
        .saturating_sub(processor_before);
    ensure!(
        built.documents == size.documents,
        "{} of {} documents were built",
        built.documents,
        size.documents
    );
    println!(
        "follow: {server}, {} workflows{}",
        size.documents,
        if quick { " (quick)" } else { "" }
    );
    println!(
        "full build        {:>8.0} documents/s  {:>8.2} s, of which {:.2} s of processor time in this process",
        built.documents as f64 / built.took.as_secs_f64(),
        built.took.as_secs_f64(),
        processor.as_secs_f64()
    );

    println!("commit to visible      p50        p99        max   samples");
    let follower = Follower::new(index.clone(), db.pool().clone(), settings.batch);
    let following = tokio::spawn(follow(follower, Duration::from_millis(settings.poll_ms)));
    let idle = measure(&index, db.pool(), &size, "idle").await?;
    print("idle", &idle);
    let load = tokio::spawn(changes(db.pool().clone(), size.documents));
    let busy = measure(&index, db.pool(), &size, "busy").await?;
    print(&format!("{LOAD_PER_SECOND} changes/s"), &busy);
    stop(load).await?;
    stop(following).await?;
    println!("segments at the end: {}", index.status().segments);
    let met = [&idle, &busy].iter().all(|times| percentile(times, 99) < AIM);
    println!(
        "aim, 99th percentile under {} ms: {}",
        AIM.as_millis(),
        if met { "met" } else { "missed" }
    );
    Ok(())
}

/// Inserts published workflows with tags and devices, as somebody in a SQL shell would.
async fn fill(db: &TestDb, documents: u64) {
    const WORDS: [&str; 12] = [
        "warm", "dusty", "wide", "deep", "glitch", "tape", "vocal", "drum", "bass", "pad", "chord", "noise",
    ];
    let word = |seed: u64| WORDS[(seed.wrapping_mul(2_654_435_761) >> 7) as usize % WORDS.len()];
    db.execute("INSERT INTO users (id, username, email, password) VALUES (1, 'producer-001', 'producer-001@example.org', 'x')")
        .await;
    let tags: Vec<String> = (1..).zip(WORDS).map(|(id, name)| format!("({id}, '{name}')")).collect();
    db.execute(&format!("INSERT INTO workflow_tags (id, name) VALUES {}", tags.join(", ")))
        .await;
    for from in (1..=documents).step_by(INSERT as usize) {
        let ids = from..(from + INSERT).min(documents + 1);
        let rows: Vec<String> = ids
            .clone()
            .map(|id| {
                let (a, b, c) = (word(id), word(id * 7), word(id * 13));
                format!(
                    "({id}, 1, '{a} {b} {c}', 'A {b} rack for {c} sounds, made with {a} {c} in mind.', 'rack-{id}', 'instrument', '{a}', {},
                      '[\"Operator\", \"Echo\", \"{b}\", \"{c} Filter\"]', '{{\"1\": \"{b} Amount\", \"2\": \"{c}\"}}', 'none.adg', TRUE)",
                    80 + id % 90
                )
            })
            .collect();
        let pivots: Vec<String> = ids
            .map(|id| format!("({id}, {}), ({id}, {})", 1 + id % 5, 6 + id % 7))
            .collect();
        db.execute(&format!(
            "INSERT INTO workflows (id, user_id, title, description, slug, rack_type, genre, bpm, devices_used, macro_controls, adg_file_path,
               is_published) VALUES {}; INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES {}",
            rows.join(", "),
            pivots.join(", ")
        ))
        .await;
    }
}

/// Follows as the serving process does.
async fn follow(follower: Follower, poll: Duration) -> Result<()> {
    loop {
        if !follower.has_news().await? {
            sleep(poll).await;
            continue;
        }
        while let Step::Applied { more: true, .. } = follower.step(Instant::now()).await? {}
    }
}

/// Changes workflows at random, steadily.
async fn changes(db: Db, documents: u64) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / LOAD_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for change in 0_u64.. {
        ticks.tick().await;
        let id = 1000 + change.wrapping_mul(7919) % (documents - 1000);
        let mut connection = db.acquire().await?;
        execute_on(
            &mut connection,
            &format!("UPDATE workflows SET description = 'change {change}' WHERE id = {id}"),
        )
        .await;
    }
    Ok(())
}

/// Changes titles, one at a time, and waits until each is found.
async fn measure(index: &Index, db: &Db, size: &Size, name: &str) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(size.samples);
    for sample in 0..size.samples {
        // At every phase of the poll.
        sleep(Duration::from_millis(37 * (sample as u64 % 11))).await;
        let word = format!("{name}{sample}");
        let mut connection = db.acquire().await?;
        execute_on(
            &mut connection,
            &format!("UPDATE workflows SET title = '{word}' WHERE id = {}", 1 + sample),
        )
        .await;
        drop(connection);
        let committed = Instant::now();
        let request = SearchRequest {
            facets: Vec::new(),
            ..SearchRequest::text(format!("{word} "))
        };
        while index.search(&request)?.total == 0 {
            ensure!(
                committed.elapsed() < LOST,
                "change {sample} was not found within {} s",
                LOST.as_secs()
            );
            sleep(Duration::from_millis(2)).await;
        }
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// Time that all threads of this process have spent on processors, as Linux counts it in hundredths of a second. On a machine that does
/// other things besides, it says more than the time that passed.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, which may hold blanks.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok());
    Some(Duration::from_millis(10) * u32::try_from(ticks.sum::<Option<u64>>()?).ok()?)
}

/// Of sorted times, by the nearest rank.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

fn print(name: &str, times: &[Duration]) {
    let ms = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1000.0);
    println!(
        "{name:<16} {:>9}  {:>9}  {:>9}  {:>8}",
        ms(percentile(times, 50)),
        ms(percentile(times, 99)),
        ms(percentile(times, 100)),
        times.len()
    );
}

/// Ends a task that runs for ever; one that has ended by itself has failed.
async fn stop(task: JoinHandle<Result<()>>) -> Result<()> {
    if task.is_finished() {
        return task.await.context("a task panicked")?;
    }
    task.abort();
    Ok(())
}
