//! The jobs themselves, as the schedule enqueues them.

use jobs::schedule::{self, Scheduler};
use jobs::testing::{Ran, run_pending_jobs};
use store::files::FileHash;
use store::index_node;
use store::queue::inspect::Status;
use store::report::ReportKind;
use test_support::TestDb;

use crate::support::{context, rows};

async fn fire(context: &jobs::Context, name: &str) {
    let entry = schedule::all().into_iter().find(|entry| entry.name == name).unwrap();
    entry.run_now(context).await.unwrap();
}

async fn add_user(db: &TestDb) {
    db.execute("INSERT INTO users (id, username, email, password) VALUES (1, 'producer-001', 'producer-001@example.org', 'x')")
        .await;
}

#[tokio::test]
async fn every_scheduled_job_runs_on_an_empty_database() {
    let db = TestDb::new().await;
    let context = context(&db);
    for entry in schedule::all() {
        entry.run_now(&context).await.unwrap();
    }
    let ran = run_pending_jobs(&context).await.unwrap();
    let errors: Vec<_> = rows(&context).await.into_iter().filter_map(|row| row.error).collect();
    assert_eq!(ran.failed, 0, "{errors:?}");
    // One for each entry, but for the comparison (no index is up) and the first recommendations, which are the nightly job; and the
    // reports that are due.
    assert_eq!(ran.done, schedule::all().len() - 2 + ReportKind::ALL.len());
}

#[tokio::test]
async fn a_row_that_names_no_stored_file_is_marked_so_once() {
    let db = TestDb::new().await;
    let context = context(&db);
    add_user(&db).await;
    db.execute(
        "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES (7, 1, 'Rack', 'rack', 'instrument', 'gone.adg')",
    )
    .await;
    fire(&context, "sweep-pending").await;
    assert_eq!(run_pending_jobs(&context).await.unwrap(), Ran { done: 2, failed: 0 });
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflows WHERE parse_state = 'no_file'")
            .await,
        1
    );
    fire(&context, "sweep-pending").await;
    assert_eq!(
        run_pending_jobs(&context).await.unwrap(),
        Ran { done: 1, failed: 0 },
        "only the sweep itself"
    );
}

#[tokio::test]
async fn a_file_that_is_no_rack_is_recorded_as_such_and_not_tried_again() {
    let db = TestDb::new().await;
    let context = context(&db);
    add_user(&db).await;
    let bytes = b"not a rack at all".as_slice();
    let hash = FileHash::of(bytes);
    context.files.put(hash, bytes.into()).await.unwrap();
    db.execute(&format!(
        "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, file_hash)
         VALUES (7, 1, 'Rack', 'rack', 'instrument', '{}', X'{hash}')",
        hash.path()
    ))
    .await;
    fire(&context, "sweep-pending").await;
    assert_eq!(run_pending_jobs(&context).await.unwrap(), Ran { done: 2, failed: 0 });
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflows WHERE parse_state = 'failed' AND parse_error IS NOT NULL")
            .await,
        1
    );
    assert!(rows(&context).await.iter().all(|row| row.status == Status::Done));
}

#[tokio::test]
async fn a_parse_that_the_file_store_fails_is_tried_again_and_not_swept_meanwhile() {
    let db = TestDb::new().await;
    let context = context(&db);
    add_user(&db).await;
    // A link to itself where the file should be: it is there, and cannot be read.
    let hash = FileHash::of(b"a rack");
    let in_the_way = std::env::temp_dir().join(db.name()).join(hash.path());
    std::fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&in_the_way, &in_the_way).unwrap();
    db.execute(&format!(
        "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, file_hash)
         VALUES (7, 1, 'Rack', 'rack', 'instrument', '{}', X'{hash}')",
        hash.path()
    ))
    .await;
    fire(&context, "sweep-pending").await;
    assert_eq!(run_pending_jobs(&context).await.unwrap(), Ran { done: 1, failed: 1 });
    fire(&context, "sweep-pending").await;
    assert_eq!(run_pending_jobs(&context).await.unwrap(), Ran { done: 1, failed: 0 });
    let parses: Vec<_> = rows(&context)
        .await
        .into_iter()
        .filter(|row| row.queue == "parse-rack")
        .collect();
    assert_eq!(parses.len(), 1);
    assert_eq!((parses[0].status, parses[0].attempts), (Status::Pending, 1));
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflows WHERE parse_state = 'pending'")
            .await,
        1
    );
}

#[tokio::test]
async fn every_live_node_is_told_to_compare_its_index_and_the_jobs_of_a_gone_one_are_pruned() {
    let db = TestDb::new().await;
    let context = context(&db);
    let mut connection = context.db.acquire().await.unwrap();
    for node in ["node-1", "node-2"] {
        index_node::beat(&mut connection, node, 0, 0).await.unwrap();
    }
    drop(connection);
    fire(&context, "compare-index").await;
    let queues: Vec<_> = rows(&context).await.into_iter().map(|row| row.queue).collect();
    assert_eq!(queues, ["index:node-1", "index:node-2"]);
    db.execute("UPDATE queue_jobs SET run_at = run_at - INTERVAL 8 DAY").await;
    db.execute(
        "INSERT INTO queue_workers (id, queue, node, storage, layers, started_at, last_seen)
         VALUES ('node-2:a', 'index:node-2', 'node-2', 'mysql', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
    )
    .await;
    fire(&context, "prune-jobs").await;
    run_pending_jobs(&context).await.unwrap();
    let left: Vec<_> = rows(&context)
        .await
        .into_iter()
        .filter(|row| row.status == Status::Pending)
        .map(|row| row.queue)
        .collect();
    assert_eq!(left, ["index:node-2"]);
}

#[tokio::test]
async fn follow_counts_that_a_cascade_left_behind_are_mended_and_an_idle_second_leaves_no_trace() {
    let db = TestDb::new().await;
    let context = context(&db);
    let repair = || {
        schedule::all()
            .into_iter()
            .filter(|entry| entry.name == "repair-counts")
            .collect::<Vec<_>>()
    };
    let mut scheduler = Scheduler::new(context.clone(), repair()).unwrap();
    scheduler.step("2026-03-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert!(
        scheduler
            .step("2026-03-01T00:00:01Z".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(rows(&context).await.is_empty());
    for id in 1..=2 {
        db.execute(&format!(
            "INSERT INTO users (id, username, email, password) VALUES ({id}, 'producer-00{id}', 'p{id}@example.org', 'x')"
        ))
        .await;
    }
    db.execute("INSERT INTO user_follows (follower_id, following_id) VALUES (1, 2)")
        .await;
    db.execute("DELETE FROM users WHERE id = 1").await;
    assert_eq!(
        scheduler.step("2026-03-01T00:00:02Z".parse().unwrap()).await.unwrap(),
        ["repair-counts"]
    );
    assert_eq!(run_pending_jobs(&context).await.unwrap(), Ran { done: 1, failed: 0 });
    assert_eq!(
        db.integer("SELECT CAST(followers_count AS SIGNED) FROM users WHERE id = 2")
            .await,
        0
    );
    assert_eq!(db.integer("SELECT COUNT(*) FROM count_repairs").await, 0);
}
