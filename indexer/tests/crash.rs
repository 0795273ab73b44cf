//! A follower that is killed at any moment leaves an index that the next one goes on with.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use config::{DatabaseSettings, Secret};
use indexer::{Follower, Index, SearchRequest, Step};

use crate::support::{Fixture, MEMORY};

/// Tell the child what to follow with.
const FOLDER: &str = "CRASH_TEST_INDEX";
const DATABASE: &str = "CRASH_TEST_DATABASE";

/// Not a test by itself: the process that [`kill_9_at_any_moment_loses_and_doubles_nothing`] starts and kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the child process of another test"]
async fn follow_until_killed() {
    let folder = std::env::var(FOLDER).expect("started by the test");
    let settings = DatabaseSettings {
        url: Secret::new(std::env::var(DATABASE).expect("started by the test")),
        max_connections: 3,
        acquire_timeout_s: 10,
    };
    let db = store::db::connect(&settings).await.expect("connected");
    let index = Index::open(Path::new(&folder), MEMORY).expect("opened");
    let follower = Follower::new(index, db, 7);
    loop {
        if follower.step(Instant::now()).await.expect("a step") == Step::Idle {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn start(folder: &Path, database: &str) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["crash::follow_until_killed", "--exact", "--ignored"])
        .env(FOLDER, folder)
        .env(DATABASE, database)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the child starts")
}

/// When the generation's last commit was.
fn last_commit(folder: &Path) -> SystemTime {
    let meta = folder.join("g-000001/meta.json");
    std::fs::metadata(meta).and_then(|meta| meta.modified()).expect("a commit")
}

#[tokio::test]
async fn kill_9_at_any_moment_loses_and_doubles_nothing() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "First", "").await;
    fixture.rebuild().await;
    let Fixture { db, index, folder } = fixture;
    drop(index);
    let mut next = 2;
    for round in 0..8_u64 {
        let before = last_commit(folder.path());
        let mut child = start(folder.path(), db.url());
        // Writes go on while it works, and it dies in the middle of them, some time after its first commit.
        let mut dies_at = None;
        while dies_at.is_none_or(|dies_at| Instant::now() < dies_at) {
            assert!(
                child.try_wait().expect("asked").is_none(),
                "the child works until it is killed"
            );
            if dies_at.is_none() && last_commit(folder.path()) != before {
                dies_at = Some(Instant::now() + Duration::from_millis(round * 61));
            }
            db.execute(&format!(
                "INSERT INTO workflows SET id = {next}, user_id = 1, title = 'Round {round}', slug = 'rack-{next}', rack_type = 'instrument',
                   adg_file_path = 'none.adg', is_published = TRUE;
                 UPDATE workflows SET title = 'Changed in round {round}' WHERE id = {};
                 INSERT INTO index_log (workflow_id) VALUES ({next}), ({})",
                next / 2,
                next / 2
            ))
            .await;
            next += 1;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    let index = Index::open(folder.path(), MEMORY).expect("opened");
    assert_eq!(index.rebuild_wanted(), None);
    let before = index.search(&SearchRequest::default()).expect("answered at once");
    assert!(before.total > 1, "the children had committed something");
    let follower = Follower::new(index.clone(), db.pool().clone(), 1000);
    follower.catch_up().await.expect("caught up");
    let compared = index.compare(db.pool()).await.expect("compared");
    assert_eq!(
        (compared.documents, compared.differences(), compared.damaged_files),
        (next - 1, 0, 0),
        "{compared:?}"
    );
    assert_eq!(index.search(&SearchRequest::default()).expect("answered").total, next - 1);
}
