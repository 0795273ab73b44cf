//! The peers: MariaDB's FULLTEXT, and SQLite's FTS5, each with a count and GROUP BY for facets, over the same rows.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use test_support::TestDb;

use crate::catalogue::Catalogue;
use crate::queries::Query;

/// Builds and asks SQLite. It reads the rows from its input, and prints two means in milliseconds.
const SQLITE: &str = r#"
import json, sqlite3, sys, time
db = sqlite3.connect(":memory:")
db.execute("CREATE VIRTUAL TABLE racks USING fts5(title, description, content='')")
db.execute("CREATE TABLE facts (id INTEGER PRIMARY KEY, genre TEXT, key TEXT, kind TEXT)")
db.execute("CREATE TABLE devices (id INTEGER, device TEXT)")
db.execute("CREATE TABLE tags (id INTEGER, tag INTEGER)")
text, faceted = json.loads(sys.stdin.readline())
for line in sys.stdin:
    id, title, description, genre, key, kind, devices, tags = line.rstrip("\n").split("\t")
    db.execute("INSERT INTO racks (rowid, title, description) VALUES (?, ?, ?)", (id, title, description))
    db.execute("INSERT INTO facts VALUES (?, ?, ?, ?)", (id, genre, key, kind))
    db.executemany("INSERT INTO devices VALUES (?, ?)", [(id, device) for device in devices.split("|")])
    db.executemany("INSERT INTO tags VALUES (?, ?)", [(id, tag) for tag in tags.split("|")])
db.execute("CREATE INDEX devices_by_id ON devices (id, device)")
db.execute("CREATE INDEX tags_by_id ON tags (id, tag)")
def ask(query, facets):
    match = " AND ".join('"%s"' % word for word in query.split())
    found = "(SELECT rowid AS id FROM racks WHERE racks MATCH ?)"
    db.execute("SELECT rowid FROM racks WHERE racks MATCH ? ORDER BY rank LIMIT 20", (match,)).fetchall()
    db.execute("SELECT COUNT(*) FROM " + found, (match,)).fetchall()
    if facets:
        for column in ("genre", "key", "kind"):
            db.execute(f"SELECT {column}, COUNT(*) FROM {found} JOIN facts USING (id) GROUP BY 1 ORDER BY 2 DESC LIMIT 20", (match,)).fetchall()
        for table, column in (("devices", "device"), ("tags", "tag")):
            db.execute(f"SELECT {column}, COUNT(*) FROM {found} JOIN {table} USING (id) GROUP BY 1 ORDER BY 2 DESC LIMIT 20", (match,)).fetchall()
for queries, facets in ((text, False), (faceted, True)):
    start = time.perf_counter()
    for query in queries:
        ask(query, facets)
    print((time.perf_counter() - start) * 1000 / len(queries))
"#;

/// Gives MariaDB what it needs to be quick: a FULLTEXT index, and devices as rows.
pub(crate) async fn prepare_fulltext(db: &TestDb) {
    db.execute(
        "CREATE FULLTEXT INDEX bench_text ON workflows (title, description);
         CREATE TABLE bench_devices (workflow_id BIGINT UNSIGNED NOT NULL, device VARCHAR(60) NOT NULL, PRIMARY KEY (workflow_id, device))
           SELECT w.id AS workflow_id, d.device FROM workflows w,
             JSON_TABLE(w.devices_used, '$[*]' COLUMNS (device VARCHAR(60) PATH '$')) d;
         ANALYZE TABLE workflows, bench_devices, workflow_tag_pivot",
    )
    .await;
}

/// Mean time of a query: the best hits, the count, and with facets five GROUP BYs.
pub(crate) async fn fulltext(db: &TestDb, queries: &[Query], facets: bool) -> Duration {
    let shell = db.shell();
    let started = Instant::now();
    for query in queries {
        let words: Vec<String> = query.words().map(|word| format!("+{word}")).collect();
        let matching = format!(
            "MATCH (w.title, w.description) AGAINST ('{}' IN BOOLEAN MODE)",
            words.join(" ")
        );
        let mut statements = vec![
            format!(
                "SELECT w.id FROM workflows w WHERE {matching} AND w.is_published ORDER BY {matching} DESC, w.id DESC LIMIT 20"
            ),
            format!("SELECT COUNT(*) FROM workflows w WHERE {matching} AND w.is_published"),
        ];
        if facets {
            for column in ["w.genre", "w.key_signature", "w.rack_type"] {
                statements.push(format!(
                    "SELECT {column}, COUNT(*) FROM workflows w WHERE {matching} AND w.is_published GROUP BY 1 ORDER BY 2 DESC LIMIT 20"
                ));
            }
            for (table, column) in [("bench_devices", "p.device"), ("workflow_tag_pivot", "p.tag_id")] {
                statements.push(format!(
                    "SELECT {column}, COUNT(*) FROM workflows w JOIN {table} p ON p.workflow_id = w.id
                     WHERE {matching} AND w.is_published GROUP BY 1 ORDER BY 2 DESC LIMIT 20"
                ));
            }
        }
        shell.execute(&statements.join("; ")).await;
    }
    started.elapsed() / u32::try_from(queries.len().max(1)).unwrap_or(1)
}

/// Mean times of a query in SQLite, without and with facets.
pub(crate) fn sqlite(catalogue: &Catalogue, plain: &[Query], faceted: &[Query]) -> Result<(Duration, Duration)> {
    let mut python = Command::new("python3")
        .args(["-c", SQLITE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("there is no python3")?;
    let mut input = std::io::BufWriter::new(python.stdin.take().context("its input")?);
    let texts = |queries: &[Query]| queries.iter().map(|query| query.text.clone()).collect::<Vec<_>>();
    writeln!(input, "{}", serde_json::to_string(&(texts(plain), texts(faceted)))?)?;
    for id in 1..=catalogue.workflows {
        let rack = catalogue.rack(id);
        let tags: Vec<String> = rack.tags.iter().map(ToString::to_string).collect();
        writeln!(
            input,
            "{id}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            rack.title,
            rack.description,
            rack.genre,
            rack.key,
            rack.kind,
            rack.devices.join("|"),
            tags.join("|")
        )?;
    }
    drop(input);
    let output = python.wait_with_output()?;
    ensure!(output.status.success(), "python3 failed: its sqlite3 may be without FTS5");
    let said = String::from_utf8_lossy(&output.stdout);
    let mut means = said
        .lines()
        .filter_map(|line| line.parse::<f64>().ok())
        .map(|ms| Duration::from_secs_f64(ms / 1000.0));
    Ok((means.next().context("no mean")?, means.next().context("no mean")?))
}
