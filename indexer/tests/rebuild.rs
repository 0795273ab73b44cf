//! An index is built anew, beside the one that answers.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indexer::{Follower, Index, IndexError, RebuildReason, SearchError, SearchRequest, Step};

use crate::support::{Fixture, MEMORY};

fn generations(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("g-"))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_answered_rightly_all_through_rebuilds() {
    let fixture = Fixture::new().await;
    for id in 1..=50 {
        fixture.insert(id, "Steady", "").await;
    }
    fixture.rebuild().await;
    let stop = Arc::new(AtomicBool::new(false));
    let searching = std::thread::spawn({
        let (index, stop) = (fixture.index.clone(), stop.clone());
        move || {
            let mut answers = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = index.search(&SearchRequest::text("steady")).expect("answered");
                assert_eq!(answer.total, 50);
                assert_eq!(answer.hits.len(), 20);
                answers += 1;
            }
            answers
        }
    });
    for _ in 0..5 {
        fixture.rebuild().await;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(searching.join().expect("no search failed") > 0);
    assert_eq!(
        generations(fixture.folder.path()),
        ["g-000006"],
        "old generations are deleted"
    );
    assert_eq!(
        fs::read_to_string(fixture.folder.path().join("current")).expect("current"),
        "g-000006"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_during_a_build_are_in_it_and_answers_never_go_back() {
    let fixture = Fixture::new().await;
    for id in 1..=10 {
        fixture.insert(id, "Old", "").await;
    }
    fixture.rebuild().await;
    let follower = Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 1000);
    // `progress` is called after rows were read and before the new index is in place.
    let handle = tokio::runtime::Handle::current();
    let mut is_changed = false;
    fixture
        .index
        .rebuild(fixture.db.pool(), |_| {
            if !std::mem::replace(&mut is_changed, true) {
                let change = async {
                    let mut connection = fixture.db.pool().acquire().await.expect("a connection");
                    test_support::execute_on(&mut connection, "UPDATE workflows SET title = 'New' WHERE id = 3").await;
                    store::index_log::log(&mut connection, &[store::WorkflowId(3)])
                        .await
                        .expect("logged");
                    follower.catch_up().await.expect("the old index follows meanwhile");
                };
                std::thread::scope(|scope| {
                    scope.spawn(|| handle.block_on(change));
                });
                assert_eq!(fixture.ids("new"), [3], "the index that answers is followed during the build");
            }
        })
        .await
        .expect("built");
    assert_eq!(fixture.ids("new"), [3], "and the one that replaces it has the change at once");
}

#[tokio::test]
async fn a_log_that_was_trimmed_past_the_cursor_or_replaced_means_a_rebuild() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "One", "").await;
    for destroy in [
        "INSERT INTO index_log (workflow_id) VALUES (1), (1), (1); DELETE FROM index_log ORDER BY id LIMIT 2",
        "TRUNCATE TABLE index_log",
        "UPDATE index_log SET logged_at = '2026-01-01'",
    ] {
        fixture.rebuild().await;
        let follower = Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 1000);
        assert_eq!(follower.step(Instant::now()).await.expect("a step"), Step::Idle);
        // The proof is the row at the cursor; older ones may go.
        fixture
            .db
            .execute("DELETE FROM index_log WHERE id < (SELECT end FROM (SELECT MAX(id) AS end FROM index_log) AS log)")
            .await;
        assert_eq!(follower.step(Instant::now()).await.expect("a step"), Step::Idle);
        fixture.db.execute(destroy).await;
        assert_eq!(
            follower.step(Instant::now()).await.expect("a step"),
            Step::RebuildNeeded(RebuildReason::LogLost),
            "{destroy}"
        );
        assert_eq!(fixture.ids("one"), [1], "the old index goes on answering");
        fixture.rebuild().await;
        assert_eq!(fixture.index.rebuild_wanted(), None);
    }
}

#[tokio::test]
async fn an_index_that_does_not_open_is_built_anew() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "One", "").await;
    fixture.rebuild().await;
    let Fixture { db, mut index, folder } = fixture;
    for (reason, destroy) in [
        (
            RebuildReason::Broken,
            (|dir: &Path| fs::write(dir.join("meta.json"), "{").expect("written")) as fn(&Path),
        ),
        (RebuildReason::Broken, |dir: &Path| {
            for file in fs::read_dir(dir).expect("a folder").flatten() {
                if file.path().extension().is_some_and(|extension| extension == "term") {
                    fs::remove_file(file.path()).expect("removed");
                }
            }
        }),
        (RebuildReason::OtherSchema, |dir: &Path| {
            let meta = fs::read_to_string(dir.join("meta.json")).expect("read");
            fs::write(dir.join("meta.json"), meta.replace(r#"\"schema\":"#, r#"\"schema\":9"#)).expect("written");
        }),
        (RebuildReason::Missing, |dir: &Path| {
            fs::remove_file(dir.with_file_name("current")).expect("removed")
        }),
    ] {
        drop(index);
        let name = generations(folder.path()).pop().expect("a generation");
        destroy(&folder.path().join(name));
        index = Index::open(folder.path(), MEMORY).expect("the folder opens");
        assert_eq!(index.rebuild_wanted(), Some(reason));
        assert!(matches!(index.search(&SearchRequest::default()), Err(SearchError::NotReady)));
        let follower = Follower::new(index.clone(), db.pool().clone(), 1000);
        assert_eq!(
            follower.step(Instant::now()).await.expect("a step"),
            Step::RebuildNeeded(reason)
        );
        index.rebuild(db.pool(), |_| {}).await.expect("built");
        assert_eq!(index.search(&SearchRequest::default()).expect("answered").total, 1);
        assert_eq!(follower.step(Instant::now()).await.expect("a step"), Step::Idle);
    }
}

#[tokio::test]
async fn one_process_has_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = Index::open(folder.path(), MEMORY).expect("opened");
    assert!(matches!(Index::open(folder.path(), MEMORY), Err(IndexError::InUse(_))));
    drop(index);
    assert!(Index::open(folder.path(), MEMORY).is_ok());
}

#[tokio::test]
async fn search_answers_when_the_database_is_gone() {
    let fixture = Fixture::new().await;
    fixture
        .insert(1, "Alone", "likes_count = 9, counts_changed_at = NOW(6)")
        .await;
    fixture.rebuild().await;
    let mut poller = indexer::CounterPoller::new(fixture.index.clone(), fixture.db.pool().clone());
    poller.step(Instant::now()).await.expect("polled");
    assert!(fixture.index.save_counters().expect("saved"));
    let Fixture { db, index, folder } = fixture;
    db.pool().close().await;
    drop((index, poller, db));
    let index = Index::open(folder.path(), MEMORY).expect("opens without a database");
    let answer = index.search(&SearchRequest::text("alone")).expect("answered");
    assert_eq!(answer.hits[0].counts.likes, 9);
    assert!(!index.wait_for(u64::MAX, Duration::from_millis(1)).await);
}
