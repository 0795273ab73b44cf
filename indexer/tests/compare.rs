//! The nightly comparison finds what went wrong and mends it.

use std::fs;
use std::time::{Duration, Instant};

use indexer::{CounterPoller, Follower, Index, IndexError, RebuildReason};
use store::WorkflowId;

use crate::support::Fixture;

#[tokio::test]
async fn differences_are_found_told_apart_and_mended() {
    let fixture = Fixture::new().await;
    let values: Vec<String> = (1..=2500)
        .map(|id| format!("({id}, 1, 'Rack {id}', 'rack-{id}', 'instrument', 'none.adg', TRUE)"))
        .collect();
    fixture
        .db
        .execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published) VALUES {}",
            values.join(", ")
        ))
        .await;
    fixture.rebuild().await;
    let follower = Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 1000);
    follower.catch_up().await.expect("caught up");
    let clean = fixture.index.compare(fixture.db.pool()).await.expect("compared");
    assert_eq!((clean.documents, clean.differences(), clean.damaged_files), (2500, 0, 0));

    // Changes of which the log does not tell.
    fixture
        .db
        .execute(
            "UPDATE workflows SET title = 'Unnoticed' WHERE id IN (7, 1001);
             DELETE FROM workflows WHERE id IN (1, 2500);
             INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, is_published)
               VALUES (3000, 1, 'New', 'new', 'instrument', 'none.adg', TRUE);
             UPDATE workflows SET likes_count = likes_count + 1 WHERE id = 9",
        )
        .await;
    let position = fixture.index.status().position;
    fixture
        .db
        .execute(&format!("DELETE FROM index_log WHERE id > {position}"))
        .await;
    // The comparison waits for the follower, which is at work meanwhile.
    let following = tokio::spawn({
        let follower = follower.clone();
        async move {
            loop {
                follower.step(Instant::now()).await.expect("followed");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let found = fixture.index.compare(fixture.db.pool()).await.expect("compared");
    let ids = |ids: &[WorkflowId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!(ids(&found.missing), [3000]);
    assert_eq!(ids(&found.stale), [7, 1001]);
    assert_eq!(ids(&found.surplus), [1, 2500]);
    let mended = fixture.index.compare(fixture.db.pool()).await.expect("compared");
    assert_eq!((mended.documents, mended.differences()), (2499, 0));
    following.abort();
    assert_eq!(fixture.search(&indexer::SearchRequest::text("unnoticed")).total, 2);
}

#[tokio::test]
async fn a_comparison_of_an_index_that_does_not_follow_says_so() {
    let fixture = Fixture::new().await;
    assert!(matches!(
        fixture.index.compare(fixture.db.pool()).await,
        Err(IndexError::NotReady)
    ));
}

#[tokio::test]
async fn files_that_do_not_hold_what_was_written_ask_for_a_build() {
    let fixture = Fixture::new().await;
    for id in 1..=20 {
        fixture.insert(id, "Whole", "").await;
    }
    fixture.rebuild().await;
    let Fixture { db, index, folder } = fixture;
    drop(index);
    let generation = folder.path().join("g-000001");
    let file = fs::read_dir(&generation)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "pos"))
        .expect("a file of positions");
    let mut bytes = fs::read(&file).expect("read");
    bytes[0] ^= 0xff;
    fs::write(&file, bytes).expect("written");
    let index = Index::open(folder.path(), crate::support::MEMORY).expect("opened");
    assert_eq!(index.rebuild_wanted(), None, "opening does not read everything");
    Follower::new(index.clone(), db.pool().clone(), 100)
        .catch_up()
        .await
        .expect("caught up");
    let found = index.compare(db.pool()).await.expect("compared");
    assert_eq!(found.damaged_files, 1);
    assert_eq!(index.rebuild_wanted(), Some(RebuildReason::Broken));
}

#[tokio::test]
async fn counters_are_polled_without_a_commit_of_the_index() {
    let fixture = Fixture::new().await;
    for id in 1..=3 {
        fixture.insert(id, "Counted", "").await;
    }
    fixture.rebuild().await;
    let mut poller = CounterPoller::new(fixture.index.clone(), fixture.db.pool().clone());
    let mut now = Instant::now();
    poller.step(now).await.expect("polled");
    let position = fixture.index.status().position;
    let by_likes = || {
        let request = indexer::SearchRequest {
            sort: indexer::Sort::Likes,
            ..indexer::SearchRequest::default()
        };
        let answer = fixture.search(&request);
        answer
            .hits
            .iter()
            .map(|hit| (hit.card.id, hit.counts.likes))
            .collect::<Vec<_>>()
    };
    assert_eq!(by_likes(), [(3, 0), (2, 0), (1, 0)]);
    let like =
        |id: u64, likes: u32| format!("UPDATE workflows SET likes_count = {likes}, counts_changed_at = NOW(6) WHERE id = {id}");
    fixture.db.execute(&like(2, 5)).await;
    now += Duration::from_millis(500);
    assert_eq!(poller.step(now).await.expect("polled"), 1);
    assert_eq!(by_likes(), [(2, 5), (3, 0), (1, 0)]);

    // A statement that ran earlier and commits later than another is found by the overlap.
    let mut slow = fixture.db.pool().begin().await.expect("a transaction");
    test_support::execute_on(&mut slow, &like(1, 9)).await;
    fixture.db.execute(&like(3, 7)).await;
    now += Duration::from_millis(500);
    poller.step(now).await.expect("polled");
    slow.commit().await.expect("committed");
    now += Duration::from_secs(2);
    poller.step(now).await.expect("polled");
    assert_eq!(by_likes(), [(1, 9), (3, 7), (2, 5)]);
    assert_eq!(fixture.index.status().position, position);
}
