//! The plan of every statement of the program, on filled tables: none reads a whole table, but for a short list with reasons.

use std::path::Path;

use sqlx::{AssertSqlSafe, Row};
use store::migrate;
use test_support::TestDb;

use crate::adoption::drifted_community;

/// Parts of statements that may read a whole table, and why. A statement ends with a semicolon here, so that a part can say so.
const MAY_SCAN: &[(&str, &str)] = &[
    (
        "INSERT INTO workflow_downloads_base",
        "what is dropped is counted once, whole",
    ),
    (
        "FROM queue_jobs GROUP BY queue, status",
        "an operator's table of all jobs; old ones are pruned, and the index alone is read",
    ),
    (
        "SELECT EXISTS (SELECT 1 FROM count_repairs) OR EXISTS",
        "whether a table has a row: the first one is the answer",
    ),
    (
        "DELETE FROM workflow_likes;",
        "the demo starts its load anew, in a database of its own",
    ),
    ("DELETE FROM workflow_ratings;", "the demo"),
    ("DELETE FROM workflow_comments;", "the demo"),
    ("DELETE FROM workflow_views;", "the demo"),
    ("DELETE FROM workflow_downloads;", "the demo"),
    ("DELETE FROM user_activities;", "the demo"),
    (
        "AS clicks, SUM(e.position) AS positions",
        "an admin's report: clicks are grouped in the order of their index",
    ),
    (
        "DELETE FROM idempotent_requests WHERE created_at <",
        "along the index of times, from the oldest on",
    ),
    (
        "DELETE FROM login_attempts WHERE attempted_at <",
        "along the index of times, from the oldest on",
    ),
    ("FROM information_schema.tables", "the server's catalogue, one row a table"),
];

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let db = filled().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let mut scans = Vec::new();
    let mut explained = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let query = file["query"].as_str().unwrap();
        let one_line = query.split_whitespace().collect::<Vec<_>>().join(" ");
        let inserts_values = one_line.starts_with("INSERT") && !one_line.contains("SELECT");
        let ended = format!("{one_line};");
        if inserts_values || MAY_SCAN.iter().any(|(part, _)| ended.contains(part)) {
            continue;
        }
        explained += 1;
        for scan in scanned_tables(&db, &with_literals(&one_line)).await {
            scans.push(format!("{scan}: {one_line}"));
        }
    }
    assert!(explained > 30, "only {explained} statements were found in `.sqlx`");
    scans.sort();
    assert!(
        scans.is_empty(),
        "{} full scans in {explained} statements:\n{}",
        scans.len(),
        scans.join("\n")
    );
}

/// Every reason is still needed by some statement.
#[test]
fn every_exception_is_of_a_statement_that_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let all: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let file: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
            file["query"]
                .as_str()
                .unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                + ";"
        })
        .collect();
    for (part, reason) in MAY_SCAN {
        assert!(
            all.iter().any(|query| query.contains(part)),
            "`{part}` ({reason}) is of no statement"
        );
    }
}

/// Tables of which a statement reads every row or every entry of an index, at least as many as matter.
async fn scanned_tables(db: &TestDb, query: &str) -> Vec<String> {
    /// A smaller table is read whole by right.
    const ROWS: u64 = 400;
    let plan = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN FORMAT=TRADITIONAL {query}")))
        .fetch_all(db.pool())
        .await
        .unwrap_or_else(|error| panic!("`{query}`: {error}"));
    let text = |row: &sqlx::mysql::MySqlRow, column: &str| -> String {
        row.try_get_unchecked::<Option<String>, _>(column)
            .ok()
            .flatten()
            .unwrap_or_default()
    };
    plan.iter()
        .filter(|row| {
            let kind = text(row, "type");
            let rows = row
                .try_get_unchecked::<Option<u64>, _>("rows")
                .ok()
                .flatten()
                .unwrap_or(u64::MAX);
            let table = text(row, "table");
            matches!(kind.as_str(), "ALL" | "index")
                && rows >= ROWS
                && !table.starts_with('<')
                // The table that is written to, which MySQL names in a line of its own.
                && text(row, "select_type") != "INSERT"
                && !text(row, "Extra").contains("Zero limit")
        })
        .map(|row| format!("{} of {} ({})", text(row, "type"), text(row, "table"), text(row, "key")))
        .collect()
}

/// A plausible literal for each parameter, by what stands before it.
fn with_literals(query: &str) -> String {
    let mut parts = query.split('?');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let before = filled.trim_end_matches(['(', ' ']).to_owned();
        let words: Vec<&str> = before.split_whitespace().collect();
        let last = words.last().copied().unwrap_or_default().to_uppercase();
        let column = if matches!(last.as_str(), "=" | "<" | ">" | "<=" | ">=" | "<=>" | "<>") {
            words.get(words.len().saturating_sub(2)).copied().unwrap_or_default()
        } else {
            ""
        };
        let literal = if last == "LIMIT" || last == "OFFSET" {
            "20"
        } else if last == "INTERVAL" {
            "1"
        } else if column.ends_with("_at") || column.ends_with("last_seen") || column == "hour" {
            "'2026-06-01 00:00:00'"
        } else if column == "day" || column == "month" {
            "'2026-06-01'"
        } else if column.ends_with("hash") {
            "UNHEX(SHA2('x', 256))"
        } else {
            "'1'"
        };
        filled += literal;
        filled += part;
    }
    filled
}

/// The seed's tables and ours with thousands of rows, and statistics of them.
async fn filled() -> TestDb {
    let db = drifted_community(300).await;
    migrate::run(db.url()).await.unwrap();
    db.execute(
        "UPDATE workflows SET parse_state = 'parsed', file_hash = UNHEX(SHA2(id, 256)), content_hash = UNHEX(SHA2(id, 256)),
             counts_changed_at = '2025-01-01' + INTERVAL id SECOND, published_at = '2025-01-01' + INTERVAL id MINUTE;
         UPDATE workflows SET parse_state = 'pending' WHERE id % 500 = 0;
         INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings) SELECT id, id % 3, '{}', '{}', '[]' FROM workflows;
         INSERT INTO api_tokens (user_id, name, token_hash) SELECT user_id, 'x', UNHEX(SHA2(id, 256)) FROM workflows;
         INSERT INTO queue_jobs (id, queue, job, status, run_at, idempotency_key, lock_by, lock_at, done_at)
           SELECT LPAD(id, 26, '0'), ELT(id % 3 + 1, 'parse-rack', 'sweep', 'index:a'), '{}', ELT(LEAST(id % 50, 4) + 1, 'Pending', 'Running', 'Failed', 'Killed', 'Done'),
                  '2026-01-01' + INTERVAL id MINUTE, CONCAT('rack:', id), CONCAT('w', id % 5), '2026-01-01', '2026-01-01' + INTERVAL id MINUTE FROM workflows;
         INSERT INTO workflow_count_repairs (workflow_id) SELECT id FROM workflows;
         INSERT INTO feeds (user_id, filled_at, wanted_at) SELECT id, IF(id % 20, '2026-01-01', NULL), '2025-01-01' + INTERVAL id MINUTE FROM users;
         INSERT INTO feed_marks (user_id, author_id) SELECT user_id, id FROM workflows;
         INSERT INTO searches (query_id, searched_at, text, hits) SELECT LPAD(id, 26, '0'), UTC_TIMESTAMP() - INTERVAL id SECOND, CONCAT('t', id % 90), id % 7 FROM workflows;
         INSERT INTO search_events (query_id, kind, workflow_id, position, happened_at)
           SELECT LPAD(id, 26, '0'), 'click', id, 1 + id % 5, UTC_TIMESTAMP() - INTERVAL id SECOND FROM workflows;
         INSERT INTO workflow_neighbours (generation_id, workflow_id, neighbours) SELECT id % 2, id, '[[1,0.5]]' FROM workflows;
         INSERT INTO recommendation_current (one, generation_id) VALUES (1, 1);
         INSERT INTO workflow_dismissals (user_id, workflow_id) SELECT user_id, id FROM workflows;
         INSERT INTO count_repairs (user_id) SELECT id FROM users;
         INSERT INTO user_blocks (blocker_id, blocked_id) SELECT one.id, other.id FROM users AS one JOIN users AS other ON other.id > one.id AND other.id < one.id + 5;
         INSERT INTO audit_log (actor_id, action, subject_kind, subject_id, reason) SELECT user_id, 'feature', 'workflow', id, 'good' FROM workflows;
         INSERT INTO registrations (username, email, password, expires_at) SELECT CONCAT('r', id), CONCAT('r', id, '@example.org'), '!', '2026-01-01' + INTERVAL id DAY FROM workflows;
         INSERT INTO login_attempts (account_hash, address_hash, attempted_at) SELECT UNHEX(SHA2(id, 256)), UNHEX(SHA2(id % 50, 256)), '2026-01-01' + INTERVAL id MINUTE FROM workflows;
         INSERT INTO idempotent_requests (key_hash, request_hash, claim, created_at) SELECT UNHEX(SHA2(id, 256)), UNHEX(SHA2(id, 256)), '', '2026-01-01' + INTERVAL id MINUTE FROM workflows",
    )
    .await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE()")
            .fetch_all(db.pool())
            .await
            .unwrap();
    db.execute(&format!("ANALYZE TABLE {}", tables.join(", "))).await;
    db
}
