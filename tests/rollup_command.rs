//! `cookbook rollup` and `cookbook stats`: numbers that were lost, ranges that make no sense, and what is printed of them.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use test_support::TestDb;

use crate::program::{cookbook, error_of, folder};

async fn roll_up(folder: &Path, db: &TestDb, from: &str, to: &str) -> Output {
    run(folder, db, &["rollup", "--from", from, "--to", to]).await
}

async fn run(folder: &Path, db: &TestDb, arguments: &[&str]) -> Output {
    let mut command = cookbook(folder);
    command.args(arguments).env("COOKBOOK_DATABASE__URL", db.url());
    tokio::task::spawn_blocking(move || command.output().expect("run the command"))
        .await
        .expect("wait for the command")
}

#[tokio::test]
async fn a_range_of_days_is_made_again_and_what_is_outside_stays() {
    let (folder, db) = (folder(), TestDb::new().await);
    db.execute(
        "INSERT INTO users (id, username, email, password) VALUES
           (1, 'producer-001', '1@example.org', 'x'), (2, 'producer-002', '2@example.org', 'x');
         INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES (1, 1, 'One', 'one', 'instrument', 'one.adg');
         INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES
           (1, 2, '2026-02-28 23:59:59'), (1, 2, '2026-03-01 00:00:00'), (1, 2, '2026-03-02 23:59:59'), (1, 2, '2026-03-03 00:00:00')",
    )
    .await;
    for _ in 0..2 {
        let output = roll_up(folder.path(), &db, "2026-03-01", "2026-03-02").await;
        assert!(output.status.success(), "{}", error_of(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "rolled up 2 days, 2 events\n");
    }
    for table in ["workflow_stats_hourly", "workflow_stats_daily"] {
        let rows = format!("SELECT COUNT(*) FROM {table} WHERE workflow_id = 1 AND views = 1 AND unique_viewers = 1");
        assert_eq!(db.integer(&rows).await, 2, "{table}");
    }
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM rollup_dirty").await,
        4,
        "marks are the job's to take away"
    );
}

#[tokio::test]
async fn a_range_that_runs_backwards_is_refused() {
    let (folder, db) = (folder(), TestDb::new().await);
    let output = roll_up(folder.path(), &db, "2026-03-02", "2026-03-01").await;
    assert!(!output.status.success());
    let error = error_of(&output);
    assert!(error.contains("`--to` 2026-03-01 is before `--from` 2026-03-02"), "{error}");
}

/// What `cookbook stats` prints, line by line.
async fn stats(folder: &Path, db: &TestDb, arguments: &[&str]) -> Vec<Value> {
    let output = run(folder, db, &[&["stats", "--json"], arguments].concat()).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn stats_count_different_people_in_any_zone_and_sum_days_where_events_are_gone() {
    let (folder, db) = (folder(), TestDb::new().await);
    db.execute(
        "INSERT INTO users (id, username, email, password) VALUES
           (1, 'producer-001', '1@example.org', 'x'), (2, 'producer-002', '2@example.org', 'x');
         INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, adg_file_path) VALUES
           (1, 1, 'One', 'one', 'instrument', 'House', 'one.adg'), (2, 1, 'Two', 'two', 'instrument', 'Techno', 'two.adg');
         INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES
           (1, 2, '2026-03-01 23:30:00'), (1, 2, '2026-03-02 10:00:00'), (2, 2, '2026-03-02 10:00:00'),
           (1, 1, '2026-03-02 11:00:00')",
    )
    .await;
    let days = ["--from", "2026-03-01", "--to", "2026-03-02"];
    let all = stats(folder.path(), &db, &days).await;
    // The author's own view is none, and somebody who came three times is one viewer.
    assert_eq!((&all[0]["views"], &all[0]["unique_viewers"]), (&json!(3), &json!(1)));
    let by_genre = stats(folder.path(), &db, &[&days[..], &["--by", "genre"]].concat()).await;
    let genres: Vec<_> = by_genre.iter().map(|line| (&line["name"], &line["views"])).collect();
    assert_eq!(genres, [(&json!("House"), &json!(2)), (&json!("Techno"), &json!(1))]);
    let berlin = ["--from", "2026-03-02", "--to", "2026-03-02", "--zone", "Europe/Berlin"];
    assert_eq!(stats(folder.path(), &db, &berlin).await[0]["views"], json!(3));
    let text = run(folder.path(), &db, &[&["stats"], &days[..], &["--by", "genre"]].concat()).await;
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("\nHouse          2         1"),
        "{text:?}"
    );

    // As `events.keep_days` does once a month is rolled up and archived.
    assert!(roll_up(folder.path(), &db, "2026-03-01", "2026-03-02").await.status.success());
    db.execute(
        "DELETE FROM workflow_views; 
         INSERT INTO event_archives (table_name, month, ends_at, parts, rows_archived, state) VALUES
           ('workflow_views', '2026-03-01', '2026-04-01', 1, 4, 'dropped')",
    )
    .await;
    let all = stats(folder.path(), &db, &days).await;
    assert_eq!((&all[0]["views"], &all[0]["unique_viewers"]), (&json!(3), &Value::Null));
    let by_workflow = stats(
        folder.path(),
        &db,
        &[&days[..], &["--by", "workflow", "--limit", "1"]].concat(),
    )
    .await;
    assert_eq!(by_workflow.len(), 1);
    assert_eq!((&by_workflow[0]["name"], &by_workflow[0]["views"]), (&json!("1"), &json!(2)));
    let gone = run(folder.path(), &db, &[&["stats"], &berlin[..]].concat()).await;
    assert!(error_of(&gone).contains("no data: "), "{gone:?}");
    let winter = [
        "stats",
        "--from",
        "2026-03-01",
        "--to",
        "2026-03-02",
        "--zone",
        "Europe/London",
    ];
    assert!(
        run(folder.path(), &db, &winter).await.status.success(),
        "its days were those of UTC"
    );
    let nowhere = run(folder.path(), &db, &["stats", "--from", "2026-03-01", "--zone", "Mars"]).await;
    assert!(error_of(&nowhere).contains("`Mars` is no time zone"), "{nowhere:?}");
}
