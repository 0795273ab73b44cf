//! Events that are not kept for ever: archived, read back, dropped, and counted all the same.

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use jobs::testing::run_pending_jobs;
use jobs::{Context, CountBy, counts_between, retire_events, roll_up_day, span_of_days};
use serde_json::json;
use store::queue::{RollUp, enqueue};
use store::stat_totals::{Label, totals_by};
use test_support::TestDb;

use crate::support::context;

/// The first day of a month, so many before this one.
fn month(before: u32) -> NaiveDate {
    Utc::now().date_naive().with_day(1).unwrap() - Months::new(before)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    store::stats::midnight(day)
}

/// The oldest month that has a partition, and an older day that lies in it too.
const OLDEST: u32 = 2;

/// Three downloads that count and one that does not in the oldest month and before, two in this one; four views and two.
async fn community() -> TestDb {
    let db = TestDb::new().await;
    db.execute(
        "INSERT INTO users (id, username, email, password) VALUES
           (1, 'producer-001', '1@example.org', 'x'), (2, 'producer-002', '2@example.org', 'x'),
           (3, 'producer-003', '3@example.org', 'x'), (4, 'producer-004', '4@example.org', 'x');
         INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, adg_file_path, parse_state) VALUES
           (1, 1, 'One', 'one', 'instrument', 'Techno', 'one.adg', 'no_file'), (2, 2, 'Two', 'two', 'instrument', NULL, 'two.adg', 'no_file')",
    )
    .await;
    let (old, older) = (month(OLDEST) + TimeDelta::days(9), month(OLDEST) - TimeDelta::days(400));
    let now = Utc::now().date_naive();
    for (id, workflow, user, day, counted) in [
        (1, 1, 2, old, true),
        (2, 1, 3, old, true),
        (3, 1, 4, older, true),
        (4, 1, 4, old, false),
        (5, 1, 2, now, true),
        (6, 2, 3, now, true),
    ] {
        for table in ["workflow_downloads", "workflow_views"] {
            db.execute(&format!(
                "INSERT INTO {table} (id, workflow_id, user_id, ip_address, network_hash, counted, created_at)
                 VALUES ({id}, {workflow}, {user}, NULL, UNHEX('00ff00ff00ff00ff00ff00ff00ff00ff'), {counted}, '{day} 00:00:00')"
            ))
            .await;
        }
    }
    db.execute(&format!(
        "INSERT INTO workflow_likes (workflow_id, user_id, created_at) VALUES (1, 3, '{old} 10:00:00')"
    ))
    .await;
    db
}

async fn roll_up(context: &Context) {
    enqueue(&mut context.db.acquire().await.unwrap(), &RollUp::default(), None)
        .await
        .unwrap();
    assert_eq!(run_pending_jobs(context).await.unwrap().failed, 0);
}

/// All daily and hourly rows, as text.
async fn numbers(db: &TestDb) -> (Option<String>, Option<String>) {
    let text = async |span: &str, table: &str| {
        db.shell()
            .text(&format!(
                "SELECT CAST(GROUP_CONCAT(CONCAT_WS(',', {span}, workflow_id, views, unique_viewers, downloads, unique_downloaders, likes)
                                     ORDER BY {span}, workflow_id SEPARATOR ' ') AS CHAR) FROM {table}"
            ))
            .await
    };
    (
        text("day", "workflow_stats_daily").await,
        text("hour", "workflow_stats_hourly").await,
    )
}

async fn downloads(db: &TestDb) -> i64 {
    db.integer("SELECT downloads_count FROM workflows WHERE id = 1").await
}

async fn assert_counts_are_true(db: &TestDb) {
    let found = store::recount::differences(&mut db.pool().acquire().await.unwrap())
        .await
        .unwrap();
    assert_eq!(found, []);
}

#[tokio::test]
async fn a_month_is_archived_read_back_and_dropped_and_every_number_stays() {
    let db = community().await;
    let context = context(&db);
    roll_up(&context).await;
    let before = numbers(&db).await;
    assert_eq!(downloads(&db).await, 4);

    assert_eq!(
        retire_events(&context, midnight(month(OLDEST - 1))).await.unwrap(),
        2,
        "both tables' month"
    );
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_downloads").await, 2);
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views").await, 2);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM event_archives WHERE state = 'dropped' AND rows_archived = 4 AND parts = 1")
            .await,
        2
    );
    assert_eq!(
        db.integer("SELECT CAST(SUM(downloads) AS SIGNED) FROM workflow_downloads_base")
            .await,
        3
    );
    assert_eq!(downloads(&db).await, 4, "dropping fires no trigger");
    assert_counts_are_true(&db).await;
    let name = format!("workflow_views/{}/00000.parquet", month(OLDEST).format("%Y-%m"));
    assert!(context.files.get_archive(&name).await.unwrap().starts_with(b"PAR1"));

    // A day whose events are gone keeps its numbers, and still follows what is not gone.
    let old = month(OLDEST) + TimeDelta::days(9);
    assert_eq!(numbers(&db).await, before);
    roll_up_day(&context.db, old).await.unwrap();
    assert_eq!(numbers(&db).await, before);
    db.execute("DELETE FROM workflow_likes").await;
    roll_up(&context).await;
    assert_eq!(
        db.shell()
            .text(&format!(
                "SELECT CONCAT(views, ' ', downloads, ' ', likes) FROM workflow_stats_daily WHERE day = '{old}'"
            ))
            .await
            .as_deref(),
        Some("2 2 0")
    );

    // Sums need no events; different actors do.
    let mut connection = context.db.acquire().await.unwrap();
    let today = Utc::now().date_naive();
    let sums = totals_by(&mut connection, Label::Genre, old, today).await.unwrap();
    assert_eq!((sums.len(), sums["Techno"].downloads), (1, 3));
    let tomorrow = midnight(today) + TimeDelta::days(1);
    for by in [CountBy::All, CountBy::Workflow, CountBy::Label(Label::Author)] {
        assert_eq!(
            counts_between(&mut connection, midnight(old), tomorrow, by).await.unwrap(),
            None,
            "no data"
        );
    }
    let counts = counts_between(&mut connection, midnight(month(OLDEST - 1)), tomorrow, CountBy::All)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((counts[0].1.downloads, counts[0].1.unique_downloaders), (2, 2));
    drop(connection);

    assert_eq!(
        retire_events(&context, midnight(month(OLDEST - 1))).await.unwrap(),
        0,
        "nothing is left to do"
    );
    db.execute("DELETE FROM workflows WHERE id = 1").await;
    roll_up(&context).await;
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_stats_daily WHERE workflow_id = 1")
            .await,
        0
    );
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_downloads_base").await, 0);
}

#[tokio::test]
async fn what_cannot_be_archived_is_not_dropped() {
    let db = community().await;
    let context = context(&db);
    // A file in the place of the archives' folder.
    let folder = std::env::temp_dir().join(db.name());
    std::fs::write(folder.join("archive"), "in the way").unwrap();
    retire_events(&context, midnight(month(OLDEST - 1))).await.unwrap_err();
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_downloads").await, 6);
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views").await, 6);
    assert_eq!(db.integer("SELECT COUNT(*) FROM event_archives").await, 0);
    std::fs::remove_file(folder.join("archive")).unwrap();
    assert_eq!(retire_events(&context, midnight(month(OLDEST - 1))).await.unwrap(), 2);
}

#[tokio::test]
async fn a_crash_in_the_middle_counts_nothing_twice_and_is_ended_by_the_next_run() {
    let db = community().await;
    let context = context(&db);
    roll_up(&context).await;
    let (first, until) = (month(OLDEST), month(OLDEST - 1));
    // Died between the decision and the ALTER TABLE.
    let dropping = format!(
        "INSERT INTO event_archives (table_name, month, ends_at, parts, rows_archived, state)
           VALUES ('workflow_downloads', '{first}', '{until} 00:00:00', 1, 4, 'dropping');
         INSERT INTO workflow_downloads_base (workflow_id, month, downloads) VALUES (1, '{first}', 3)"
    );
    db.execute(&dropping).await;
    assert_counts_are_true(&db).await;
    // What changes meanwhile begins it anew.
    db.execute("DELETE FROM workflow_downloads WHERE id = 2").await;
    assert_eq!(retire_events(&context, midnight(until)).await.unwrap(), 2);
    assert_eq!(
        db.integer("SELECT CAST(SUM(downloads) AS SIGNED) FROM workflow_downloads_base")
            .await,
        2
    );
    assert_eq!(downloads(&db).await, 3);
    assert_counts_are_true(&db).await;

    // Died after it.
    db.execute("UPDATE event_archives SET state = 'dropping'").await;
    assert_counts_are_true(&db).await;
    assert_eq!(retire_events(&context, midnight(until)).await.unwrap(), 0);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM event_archives WHERE state = 'dropped'")
            .await,
        2
    );
    assert_counts_are_true(&db).await;
}

#[tokio::test]
async fn labels_and_windows_are_counted_by_actors_and_not_summed() {
    let db = community().await;
    db.execute(
        "UPDATE workflows SET genre = 'Techno';
         INSERT INTO workflow_tags (id, name) VALUES (1, 'dark'), (2, 'deep');
         INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES (1, 1), (2, 1), (2, 2);
         DELETE FROM workflow_views;
         INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES
           (1, 3, '2026-03-01 23:30:00'), (2, 3, '2026-03-02 00:30:00'), (2, 4, '2026-03-02 00:30:00'), (2, 4, '2026-03-02 00:40:00')",
    )
    .await;
    let mut connection = db.pool().acquire().await.unwrap();
    let count = async |connection: &mut store::Conn, from: &str, to: &str, by: CountBy| {
        let counts = counts_between(connection, from.parse().unwrap(), to.parse().unwrap(), by)
            .await
            .unwrap()
            .unwrap();
        counts
            .into_iter()
            .map(|(name, counts)| (name, counts.views, counts.unique_viewers))
            .collect::<Vec<_>>()
    };
    let (from, to) = ("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z");
    let line = |name: &str, views, viewers| (name.to_owned(), views, viewers);
    assert_eq!(count(&mut connection, from, to, CountBy::All).await, [line("", 3, 2)]);
    assert_eq!(
        count(&mut connection, from, to, CountBy::Label(Label::Genre)).await,
        [line("Techno", 3, 2)]
    );
    assert_eq!(
        count(&mut connection, from, to, CountBy::Label(Label::Tag)).await,
        [line("dark", 3, 2), line("deep", 2, 2)]
    );
    assert_eq!(
        count(&mut connection, from, to, CountBy::Label(Label::Author)).await,
        [line("producer-001", 1, 1), line("producer-002", 2, 2)]
    );
    assert_eq!(
        count(&mut connection, from, to, CountBy::Workflow).await,
        [line("1", 1, 1), line("2", 2, 2)]
    );
    // The first of March in a zone that is an hour ahead ends at 23:00 UTC.
    assert_eq!(
        count(&mut connection, "2026-02-28T23:00:00Z", "2026-03-01T23:00:00Z", CountBy::All).await,
        []
    );
}

#[tokio::test]
async fn devices_of_one_name_count_once_and_zones_off_the_hour_have_days_of_their_own() {
    let db = community().await;
    let device =
        |element| json!({"name": "Auto Filter", "element": element, "origin": "native", "category": "audio_effect", "count": 1});
    let summary = json!({ "devices": [device("AutoFilter"), device("AutoFilter2")] });
    db.execute(&format!(
        "DELETE FROM workflow_views;
         REPLACE INTO parsed_racks (workflow_id, parser_version, rack, warnings, summary)
           VALUES (1, 1, '{{}}', '[]', '{summary}');
         INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES
           (1, 3, '2026-03-01 18:10:00'), (1, 3, '2026-03-01 18:20:00'), (1, 4, '2026-03-02 18:10:00')"
    ))
    .await;
    let mut connection = db.pool().acquire().await.unwrap();
    // The second of March in Kathmandu, which is ahead by 5 hours and 45 minutes.
    let (from, to) = span_of_days("Asia/Kathmandu", "2026-03-02".parse().unwrap(), "2026-03-02".parse().unwrap()).unwrap();
    let counts = counts_between(&mut connection, from, to, CountBy::Label(Label::Device))
        .await
        .unwrap()
        .unwrap();
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, counts)| (name.as_str(), counts.views, counts.unique_viewers))
        .collect();
    // All but the first view.
    assert_eq!(counts, [("Auto Filter", 2, 2)]);
}
