//! Search beside its peers on a made catalogue: how long answers take, how many a second, how long the build, how much memory.
//!
//! On the server that `COOKBOOK_TEST_DATABASE_URL` names. Beside it, over the same rows in the same run: MariaDB FULLTEXT with GROUP BY for
//! facets, SQLite FTS5 (by Python's `sqlite3`), and bare tantivy on the engine's own index with the engine's kinds of terms. The rows that
//! matter are ratios: times of one machine say little about another. `--quick` prints the same table from fewer rows and queries.
#![expect(clippy::print_stdout, reason = "its table is its result")]

mod bare;
mod catalogue;
mod peers;
mod queries;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use config::Settings;
use indexer::{Index, SearchRequest};
use mimalloc::MiMalloc;
use test_support::TestDb;

use self::catalogue::Catalogue;
use self::queries::{Kind, Query};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Clients that ask at once, in the second measurement.
const MANY: usize = 8;

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    workflows: u64,
    /// Queries of each kind.
    queries: usize,
    /// Queries of each kind that peers are asked, who may take seconds for each.
    of_peers: usize,
}

const QUICK: &[Size] = &[Size {
    workflows: 20_000,
    queries: 200,
    of_peers: 20,
}];

const FULL: &[Size] = &[
    Size {
        workflows: 100_000,
        queries: 1000,
        of_peers: 40,
    },
    Size {
        workflows: 1_000_000,
        queries: 500,
        of_peers: 20,
    },
];

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let asked = arguments.iter().any(|argument| argument == "--quick");
    // `cargo bench -- --only 1000000` for one size alone, whichever.
    let only = arguments.iter().position(|argument| argument == "--only");
    let only: Option<u64> = only.and_then(|at| arguments.get(at + 1)).and_then(|size| size.parse().ok());
    let sizes = match only {
        Some(workflows) => {
            let known = FULL.iter().find(|size| size.workflows == workflows);
            vec![known.copied().unwrap_or(Size { workflows, ..QUICK[0] })]
        }
        None if asked => QUICK.to_vec(),
        None => FULL.to_vec(),
    };
    // `-- --only 1000000 --index FOLDER` keeps the index, and the next time asks the one that is there, without peers; `--of text` of one
    // kind alone.
    let kept = arguments.iter().position(|argument| argument == "--index");
    let kept = kept.and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    let mut seen = Vec::new();
    for size in sizes {
        seen.push((size.workflows, measure(size, kept.as_deref()).await?));
    }
    if let [(small, before), (large, after)] = seen.as_slice() {
        println!("\ngrowth of p50 from {small} to {large} workflows ({}x)", large / small);
        for (kind, before, after) in before.iter().zip(after).map(|(before, after)| (before.0, before.1, after.1)) {
            let ratio = after.as_secs_f64() / before.as_secs_f64().max(1e-9);
            println!("  {:<18}{ratio:>6.1}x", kind.name());
        }
        println!("  Times grow with the number of matching documents, all of which are counted: totals are exact.");
    }
    Ok(())
}

/// Builds one size, asks, prints, and gives the median of each kind.
async fn measure(size: Size, kept: Option<&Path>) -> Result<Vec<(Kind, Duration)>> {
    let settings = Settings::defaults().context("defaults")?.index;
    let catalogue = Catalogue::new(size.workflows);
    let temporary = tempfile::tempdir().context("a folder")?;
    let folder = kept.unwrap_or(temporary.path());
    let index = Index::open(folder, settings.writer_memory_bytes)?;
    if index.status().documents == size.workflows {
        println!("\nsearch: {} workflows, the index of an earlier run", size.workflows);
        return asked(&index, &catalogue, size);
    }
    let db = TestDb::new().await;
    let server = if db.is_mariadb().await { "MariaDB" } else { "MySQL" };
    println!("\nsearch: {} workflows, {server}", size.workflows);
    let started = Instant::now();
    catalogue.fill(&db).await;
    println!("rows written in {:.1} s", started.elapsed().as_secs_f64());

    let before = anonymous_megabytes();
    let built = index.rebuild(db.pool(), |_| {}).await?;
    ensure!(built.documents == size.workflows, "{} documents were built", built.documents);
    println!(
        "full build from {server}: {:.0} documents/s, {:.1} s; {:.0} MB on disk, {} segments",
        built.documents as f64 / built.took.as_secs_f64(),
        built.took.as_secs_f64(),
        megabytes_in(folder),
        index.status().segments,
    );
    let medians = asked(&index, &catalogue, size)?;
    println!(
        "anonymous memory: {:.0} MB, of which before the build {before:.0} MB",
        anonymous_megabytes()
    );
    beside_peers(&db, &catalogue, &index, folder, size).await?;
    Ok(medians)
}

/// Asks one size, prints, and gives the median of each kind.
fn asked(index: &Index, catalogue: &Catalogue, size: Size) -> Result<Vec<(Kind, Duration)>> {
    println!(
        "\n{:<18}{:>10}{:>10}{:>10}   {:>10}{:>10}{:>10}",
        "1 client",
        "p50 ms",
        "p99 ms",
        "q/s",
        format!("{MANY}: p50"),
        "p99 ms",
        "q/s"
    );
    let mut medians = Vec::new();
    let arguments: Vec<String> = std::env::args().collect();
    let of = arguments.iter().position(|argument| argument == "--of");
    let of = of.and_then(|at| arguments.get(at + 1));
    for kind in Kind::ALL.into_iter().filter(|kind| of.is_none_or(|of| of == kind.name())) {
        let queries = catalogue.queries(kind, size.queries);
        // Once through, so that what is read from disk is in memory, as it is on a machine that serves.
        ask(index, &queries[..queries.len().min(20)])?;
        let one = timed(index, &queries, 1)?;
        let many = timed(index, &queries, MANY)?;
        println!(
            "{:<18}{:>10.2}{:>10.2}{:>10.0}   {:>10.2}{:>10.2}{:>10.0}",
            kind.name(),
            ms(one.p(50)),
            ms(one.p(99)),
            one.per_second,
            ms(many.p(50)),
            ms(many.p(99)),
            many.per_second
        );
        medians.push((kind, one.p(50)));
    }
    Ok(medians)
}

/// The same questions to the peers, as ratios.
async fn beside_peers(db: &TestDb, catalogue: &Catalogue, index: &Index, folder: &Path, size: Size) -> Result<()> {
    println!("\npeers, mean of a query in ms{:>22}{:>12}{:>10}", "peer", "ours", "ratio");
    let row = |name: &str, peer: Duration, ours: Duration| {
        let ratio = peer.as_secs_f64() / ours.as_secs_f64().max(1e-9);
        println!("{name:<34}{:>16.2}{:>12.2}{ratio:>9.1}x", ms(peer), ms(ours));
    };
    let plain = catalogue.queries(Kind::Text, size.of_peers);
    let faceted = catalogue.queries(Kind::Faceted, size.of_peers);
    let of_plain = mean(index, &plain)?;
    let of_faceted = mean(index, &faceted)?;

    let bare = bare::Bare::open(folder)?;
    row("bare tantivy, (TopDocs, Count)", bare.mean(&plain, true)?, of_plain);
    row("bare tantivy, top 10 alone", bare.mean(&plain, false)?, of_plain);

    peers::prepare_fulltext(db).await;
    row("FULLTEXT and count, text", peers::fulltext(db, &plain, false).await, of_plain);
    row(
        "FULLTEXT and 5 x GROUP BY",
        peers::fulltext(db, &faceted, true).await,
        of_faceted,
    );

    match peers::sqlite(catalogue, &plain, &faceted) {
        Ok((text, facets)) => {
            row("SQLite FTS5 and count, text", text, of_plain);
            row("SQLite FTS5 and 5 x GROUP BY", facets, of_faceted);
        }
        Err(error) => println!("SQLite FTS5: not run, {error:#}"),
    }
    Ok(())
}

/// Times of queries.
struct Times {
    sorted: Vec<Duration>,
    per_second: f64,
}

impl Times {
    /// Of sorted times, by the nearest rank.
    fn p(&self, percent: usize) -> Duration {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

/// Asks all queries, by so many clients at once, each its share.
fn timed(index: &Index, queries: &[Query], clients: usize) -> Result<Times> {
    let started = Instant::now();
    let shares = queries.chunks(queries.len().div_ceil(clients));
    let mut sorted = std::thread::scope(|scope| -> Result<Vec<Duration>> {
        let running: Vec<_> = shares.map(|share| scope.spawn(move || ask(index, share))).collect();
        let mut all = Vec::new();
        for client in running {
            match client.join() {
                Ok(times) => all.extend(times?),
                Err(_) => anyhow::bail!("a client panicked"),
            }
        }
        Ok(all)
    })?;
    let per_second = sorted.len() as f64 / started.elapsed().as_secs_f64();
    sorted.sort_unstable();
    Ok(Times { sorted, per_second })
}

fn ask(index: &Index, queries: &[Query]) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(queries.len());
    for query in queries {
        let request: SearchRequest = query.request();
        let started = Instant::now();
        index.search(&request)?;
        times.push(started.elapsed());
    }
    Ok(times)
}

fn mean(index: &Index, queries: &[Query]) -> Result<Duration> {
    let times = ask(index, queries)?;
    Ok(times.iter().sum::<Duration>() / u32::try_from(times.len().max(1))?)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Memory of this process that is no file's: what a machine must have.
fn anonymous_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

fn megabytes_in(folder: &Path) -> f64 {
    fn bytes(folder: &Path) -> u64 {
        let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
        entries
            .flatten()
            .map(|entry| match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
                Ok(metadata) => metadata.len(),
                Err(_) => 0,
            })
            .sum()
    }
    bytes(folder) as f64 / 1e6
}
