//! An index follows the log of changes, whatever the order in which transactions commit.

use std::time::{Duration, Instant};

use indexer::{Follower, Index, SearchRequest, Sort, Step};
use test_support::TestDb;

use crate::support::{Fixture, MEMORY, ids};

/// Rows of the log that the triggers of the schema would write.
async fn log(db: &TestDb, workflow: u64) {
    db.execute(&format!("INSERT INTO index_log (workflow_id) VALUES ({workflow})"))
        .await;
}

/// Steps of a follower at times of the test's own, so that gaps settle without waiting.
struct Clock {
    follower: Follower,
    now: Instant,
}

impl Clock {
    fn new(index: &Index, db: &TestDb) -> Self {
        Self {
            follower: Follower::new(index.clone(), db.pool().clone(), 1000),
            now: Instant::now(),
        }
    }

    /// A step, `after` the one before.
    async fn step(&mut self, after: Duration) -> Step {
        self.now += after;
        self.follower.step(self.now).await.expect("the step succeeds")
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn inserts_updates_and_deletes_by_plain_sql_are_followed() {
    let fixture = Fixture::new().await;
    fixture.rebuild().await;
    let mut clock = Clock::new(&fixture.index, &fixture.db);
    assert_eq!(clock.step(SECOND).await, Step::Idle);
    fixture.insert(1, "First", "").await;
    fixture.insert(2, "Second", "").await;
    log(&fixture.db, 1).await;
    log(&fixture.db, 2).await;
    assert!(matches!(
        clock.step(SECOND).await,
        Step::Applied {
            workflows: 2,
            more: false,
            ..
        }
    ));
    assert_eq!(fixture.ids(""), [2, 1]);
    fixture
        .db
        .execute("UPDATE workflows SET title = 'Renamed' WHERE id = 1")
        .await;
    fixture.db.execute("DELETE FROM workflows WHERE id = 2").await;
    log(&fixture.db, 1).await;
    log(&fixture.db, 2).await;
    clock.step(SECOND).await;
    assert_eq!(fixture.ids("renamed"), [1]);
    assert_eq!(fixture.ids("first"), Vec::<u64>::new());
    assert_eq!(fixture.ids(""), [1]);
    fixture.db.execute("UPDATE users SET is_active = FALSE WHERE id = 1").await;
    log(&fixture.db, 1).await;
    clock.step(SECOND).await;
    assert_eq!(fixture.search(&SearchRequest::default()).total, 0);
}

#[tokio::test]
async fn when_something_new_was_found_first_is_noted_once() {
    let fixture = Fixture::new().await;
    fixture.rebuild().await;
    let mut clock = Clock::new(&fixture.index, &fixture.db);
    fixture.insert(1, "New", "parse_state = 'parsed'").await;
    fixture.insert(2, "Not parsed", "").await;
    fixture
        .insert(3, "Old", "parse_state = 'parsed', created_at = NOW() - INTERVAL 2 DAY")
        .await;
    fixture
        .insert(4, "Later", "parse_state = 'parsed', published_at = NOW() + INTERVAL 1 DAY")
        .await;
    for id in 1..=4 {
        log(&fixture.db, id).await;
    }
    let logged = fixture.db.integer("SELECT COUNT(*) FROM index_log").await;
    clock.step(SECOND).await;
    let noted = "SELECT COUNT(*) FROM workflows WHERE searchable_at IS NOT NULL";
    let until = Instant::now() + Duration::from_secs(20);
    while fixture.db.integer(noted).await < 2 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let wait = "SELECT TIMESTAMPDIFF(SECOND, created_at, searchable_at) FROM workflows WHERE id = 1";
    assert!((0..20).contains(&fixture.db.integer(wait).await));
    assert_eq!(fixture.db.integer(noted).await, 2);
    // What is to be seen later is found when it is.
    let later = "SELECT COUNT(*) FROM workflows WHERE id = 4 AND searchable_at = published_at";
    assert_eq!(fixture.db.integer(later).await, 1);
    assert_eq!(
        fixture.db.integer("SELECT COUNT(*) FROM index_log").await,
        logged,
        "noting it is no change to follow"
    );
    fixture
        .db
        .execute("UPDATE workflows SET searchable_at = '2020-01-01' WHERE id = 1")
        .await;
    log(&fixture.db, 1).await;
    clock.step(SECOND).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let first = "SELECT CAST(YEAR(searchable_at) AS SIGNED) FROM workflows WHERE id = 1";
    assert_eq!(fixture.db.integer(first).await, 2020);
    // What is new when an index is built is found when it answers.
    fixture
        .insert(5, "Built", "parse_state = 'parsed', published_at = NOW() - INTERVAL 1 HOUR")
        .await;
    fixture.rebuild().await;
    let built = "SELECT TIMESTAMPDIFF(MINUTE, published_at, searchable_at) FROM workflows WHERE id = 5";
    assert!((60..70).contains(&fixture.db.integer(built).await));
}

#[tokio::test]
async fn a_transaction_that_stays_open_while_others_commit_is_found_when_it_commits() {
    let fixture = Fixture::new().await;
    fixture.rebuild().await;
    let mut clock = Clock::new(&fixture.index, &fixture.db);
    fixture.insert(1, "Slow", "").await;
    fixture.insert(2, "Quick", "").await;
    clock.follower.catch_up().await.expect("caught up");

    let mut slow = fixture.db.pool().begin().await.expect("a transaction");
    let slow_id = store::index_log::log(&mut slow, &[store::WorkflowId(1)])
        .await
        .expect("logged");
    log(&fixture.db, 2).await;
    clock.step(SECOND).await;
    assert_eq!(fixture.index.status().open_gaps, 1);
    // For as long as it likes: here, an hour of the follower's time.
    for _ in 0..60 {
        assert_eq!(clock.step(60 * SECOND).await, Step::Idle);
        assert_eq!(fixture.index.status().open_gaps, 1);
    }
    assert!(!fixture.index.wait_for(slow_id, Duration::from_millis(10)).await);
    slow.commit().await.expect("committed");
    assert!(matches!(clock.step(SECOND).await, Step::Applied { workflows: 1, .. }));
    assert!(fixture.index.wait_for(slow_id, Duration::from_millis(10)).await);
    assert_eq!(fixture.index.status().open_gaps, 0);
}

#[tokio::test]
async fn an_open_transaction_is_remembered_when_the_index_is_opened_again() {
    let fixture = Fixture::new().await;
    fixture.rebuild().await;
    fixture.insert(1, "Before", "").await;
    Clock::new(&fixture.index, &fixture.db)
        .follower
        .catch_up()
        .await
        .expect("caught up");
    let mut slow = fixture.db.pool().begin().await.expect("a transaction");
    sqlx_update(&mut slow, 1).await;
    fixture.insert(2, "Other", "").await;
    log(&fixture.db, 2).await;
    let mut clock = Clock::new(&fixture.index, &fixture.db);
    clock.step(SECOND).await;
    assert_eq!(fixture.index.status().open_gaps, 1);

    let Fixture { db, index, folder } = fixture;
    drop((index, clock));
    let index = Index::open(folder.path(), MEMORY).expect("opened again");
    assert_eq!(index.status().open_gaps, 1);
    let mut clock = Clock::new(&index, &db);
    assert_eq!(clock.step(120 * SECOND).await, Step::Idle);
    slow.commit().await.expect("committed after two minutes");
    assert!(matches!(clock.step(SECOND).await, Step::Applied { workflows: 1, .. }));
    let found = index.search(&SearchRequest::text("kept")).expect("answered");
    assert_eq!(ids(&found), [1]);
}

/// Renames a workflow and logs it, in a transaction that is still open.
async fn sqlx_update(db: &mut store::Conn, id: u64) {
    store::index_log::log(db, &[store::WorkflowId(id)]).await.expect("logged");
    test_support::execute_on(db, &format!("UPDATE workflows SET title = 'Kept waiting' WHERE id = {id}")).await;
}

#[tokio::test]
async fn a_rolled_back_transaction_leaves_no_gap_after_two_looks() {
    let fixture = Fixture::new().await;
    fixture.rebuild().await;
    let mut clock = Clock::new(&fixture.index, &fixture.db);
    let mut undone = fixture.db.pool().begin().await.expect("a transaction");
    store::index_log::log(&mut undone, &[store::WorkflowId(1); 3])
        .await
        .expect("logged");
    log(&fixture.db, 2).await;
    clock.step(SECOND).await;
    assert_eq!(fixture.index.status().open_gaps, 1);
    undone.rollback().await.expect("rolled back");
    clock.step(SECOND).await;
    assert_eq!(fixture.index.status().open_gaps, 1, "one empty look proves nothing");
    clock.step(SECOND / 2).await;
    assert_eq!(fixture.index.status().open_gaps, 1, "too soon to look again");
    clock.step(SECOND / 2).await;
    assert_eq!(fixture.index.status().open_gaps, 0);
}

#[tokio::test]
async fn a_transaction_that_was_open_before_a_build_and_commits_after_it_is_not_missed() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "Before", "").await;
    let mut slow = fixture.db.pool().begin().await.expect("a transaction");
    sqlx_update(&mut slow, 1).await;
    fixture.rebuild().await;
    assert_eq!(fixture.ids("before"), [1]);
    slow.commit().await.expect("committed");
    Clock::new(&fixture.index, &fixture.db).step(SECOND).await;
    assert_eq!(fixture.ids("before"), Vec::<u64>::new());
    assert_eq!(fixture.ids("kept"), [1]);
}

#[tokio::test]
async fn two_followers_of_one_database_do_not_disturb_each_other() {
    let fixture = Fixture::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = Index::open(folder.path(), MEMORY).expect("a second index");
    fixture.rebuild().await;
    other.rebuild(fixture.db.pool(), |_| {}).await.expect("built");
    let followers = [
        Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 3),
        Follower::new(other.clone(), fixture.db.pool().clone(), 50),
    ];
    for id in 1..=40 {
        fixture.insert(id, "Shared", "").await;
        log(&fixture.db, id).await;
    }
    let (first, second) = tokio::join!(followers[0].catch_up(), followers[1].catch_up());
    assert_eq!(
        (first.expect("caught up"), second.expect("caught up")),
        (Step::Idle, Step::Idle)
    );
    for index in [&fixture.index, &other] {
        assert_eq!(index.search(&SearchRequest::text("shared")).expect("answered").total, 40);
    }
}

/// Ids that a text finds once everything that is committed is followed. Triggers write the log here, nobody else.
async fn found(fixture: &Fixture, text: &str) -> Vec<u64> {
    Clock::new(&fixture.index, &fixture.db)
        .follower
        .catch_up()
        .await
        .expect("caught up");
    let mut found = fixture.ids(text);
    found.sort_unstable();
    found
}

#[tokio::test]
async fn whatever_changes_a_document_reaches_the_index_by_itself() {
    let fixture = Fixture::new().await;
    fixture.rebuild().await;
    for id in 1..=3 {
        fixture.insert(id, "Rack", "").await;
    }
    fixture
        .db
        .execute(
            "UPDATE workflows SET user_id = 2 WHERE id = 3;
             INSERT INTO workflow_tags (id, name) VALUES (1, 'dusty'), (2, 'wide');
             INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES (1, 1), (2, 2), (3, 1)",
        )
        .await;
    assert_eq!(found(&fixture, "rack").await, [1, 2, 3]);
    assert_eq!(found(&fixture, "dusty").await, [1, 3]);
    for (change, text, expected) in [
        ("UPDATE workflow_tags SET name = 'grainy' WHERE id = 1", "grainy", &[1, 3][..]),
        ("DELETE FROM workflow_tag_pivot WHERE workflow_id = 3", "grainy", &[1]),
        ("DELETE FROM workflow_tags WHERE id = 1", "grainy", &[]),
        ("UPDATE users SET display_name = 'Sable Hours' WHERE id = 2", "sable", &[3]),
        ("UPDATE users SET is_active = FALSE WHERE id = 2", "rack", &[1, 2]),
        ("UPDATE users SET is_active = TRUE WHERE id = 2", "rack", &[1, 2, 3]),
        ("UPDATE users SET suspended_at = NOW() WHERE id = 2", "rack", &[1, 2]),
        ("UPDATE users SET suspended_at = NULL WHERE id = 2", "rack", &[1, 2, 3]),
        ("UPDATE workflows SET taken_down_at = NOW() WHERE id = 1", "rack", &[2, 3]),
        ("UPDATE workflows SET is_published = FALSE WHERE id = 2", "rack", &[3]),
        (
            "INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings)
             VALUES (3, 1, '{\"macro_names\": [\"Shimmer Amount\"]}', '{}', '[]'); UPDATE workflows SET parser_version = 1 WHERE id = 3",
            "shimmer",
            &[3],
        ),
        ("DELETE FROM users WHERE id = 2", "rack", &[]),
    ] {
        fixture.db.execute(change).await;
        assert_eq!(found(&fixture, text).await, expected, "{change}");
    }
}

#[tokio::test]
async fn a_counter_that_moves_is_no_change_of_the_index() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "Liked", "").await;
    fixture.rebuild().await;
    let position = fixture.index.status().position;
    fixture
        .db
        .execute(
            "INSERT INTO workflow_likes (workflow_id, user_id) VALUES (1, 1), (1, 2);
             UPDATE users SET last_active_at = NOW(); UPDATE workflows SET downloads_count = 5",
        )
        .await;
    assert_eq!(found(&fixture, "liked").await, [1]);
    assert_eq!(fixture.index.status().position, position);
    let mut poller = indexer::CounterPoller::new(fixture.index.clone(), fixture.db.pool().clone());
    poller.step(Instant::now()).await.expect("polled");
    assert_eq!(fixture.search(&SearchRequest::default()).hits[0].counts.likes, 2);
}

#[tokio::test]
async fn what_trends_orders_hits_as_soon_as_its_generation_is_current() {
    let fixture = Fixture::new().await;
    for id in 1..=3 {
        fixture.insert(id, "Trends", "").await;
    }
    fixture.rebuild().await;
    let by_trend = SearchRequest {
        sort: Sort::Trending,
        ..SearchRequest::default()
    };
    let order = || -> Vec<u64> { fixture.search(&by_trend).hits.iter().map(|hit| hit.card.id).collect() };
    let mut poller = indexer::CounterPoller::new(fixture.index.clone(), fixture.db.pool().clone());
    poller.step(Instant::now()).await.expect("polled");
    assert_eq!(order(), [3, 2, 1], "nothing trends");

    let generation = |id: u64, rows: &str| {
        format!(
            "INSERT INTO trending_workflows (generation_id, span, workflow_id, score, parts) VALUES {rows};
             INSERT INTO trending_current (one, generation_id) VALUES (1, {id}) ON DUPLICATE KEY UPDATE generation_id = {id}"
        )
    };
    fixture
        .db
        .execute(&generation(
            7,
            "(7, 2, 1, 1.5, '{}'), (7, 2, 2, 2.5, '{}'), (7, 1, 3, 9, '{}')",
        ))
        .await;
    poller.step(Instant::now()).await.expect("polled");
    assert_eq!(order(), [2, 1, 3], "by the week's scores");
    fixture.db.execute(&generation(8, "(8, 2, 3, 0.5, '{}')")).await;
    poller.step(Instant::now()).await.expect("polled");
    assert_eq!(order(), [3, 2, 1], "of the new generation alone");
}
