//! `cookbook rollup`: numbers that were lost, and ranges that make no sense.

use std::path::Path;
use std::process::Output;

use test_support::TestDb;

use crate::program::{cookbook, error_of, folder};

async fn roll_up(folder: &Path, db: &TestDb, from: &str, to: &str) -> Output {
    let mut command = cookbook(folder);
    command
        .args(["rollup", "--from", from, "--to", to])
        .env("COOKBOOK_DATABASE__URL", db.url());
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
