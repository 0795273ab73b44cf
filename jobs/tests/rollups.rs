//! Rolled-up numbers against a naive recount, whatever happened to the events, and however late and often it was done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use config::{DatabaseSettings, Secret};
use futures::TryStreamExt;
use jobs::testing::run_pending_jobs;
use jobs::{roll_up_day, roll_up_days};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::queue::{RollUp, enqueue};
use test_support::TestDb;

use crate::support::{context, rows};

/// Communities tried, each on a server with four times of rolling up.
const CASES: usize = 6;

/// Kinds of events, in the order of the columns.
const VIEW: usize = 0;
const DOWNLOAD: usize = 1;
const LIKE: usize = 2;
const COMMENT: usize = 3;
const RATING: usize = 4;
const COLLECTION_ADD: usize = 5;

/// The user who is deleted in the end.
const LEAVER: u64 = 4;

/// Midnight before the first of three days: 2026-03-01.
const START_S: u64 = 1_772_323_200;

/// One thing that somebody did.
#[derive(Clone, Debug)]
struct Event {
    kind: usize,
    /// 1 is by user 1, 2 by user 2.
    workflow: u64,
    /// 1 to 4 are users, 5 to 7 sessions without a user, 0 is nobody known.
    actor: u64,
    /// Since the start.
    minute: u64,
    counted: bool,
}

impl Event {
    /// Only views and downloads can be anybody's, or not count.
    fn possible(mut self) -> Self {
        if self.kind > DOWNLOAD {
            self.actor = self.actor % 4 + 1;
            self.counted = true;
        }
        // Downloads know no session.
        if self.kind == DOWNLOAD && self.actor > 4 {
            self.actor = 5;
        }
        self
    }

    fn at(&self) -> String {
        format!("FROM_UNIXTIME({})", START_S + self.minute * 60)
    }

    fn insert(&self, id: usize) -> String {
        let Self {
            kind,
            workflow,
            actor,
            counted,
            ..
        } = self;
        let at = self.at();
        let user = if (1..=4).contains(actor) {
            actor.to_string()
        } else {
            "NULL".to_owned()
        };
        let address = if *actor > 4 { "'192.0.2.7'" } else { "NULL" };
        let session = if *actor > 4 {
            format!("'session-{actor}'")
        } else {
            "NULL".to_owned()
        };
        match *kind {
            VIEW => format!(
                "INSERT INTO workflow_views (id, workflow_id, user_id, ip_address, session_id, counted, created_at)
                 VALUES ({id}, {workflow}, {user}, {address}, {session}, {counted}, {at});"
            ),
            DOWNLOAD => format!(
                "INSERT INTO workflow_downloads (id, workflow_id, user_id, ip_address, counted, created_at)
                 VALUES ({id}, {workflow}, {user}, {address}, {counted}, {at});"
            ),
            LIKE => format!(
                "INSERT INTO workflow_likes (id, workflow_id, user_id, created_at) VALUES ({id}, {workflow}, {user}, {at});"
            ),
            COMMENT => format!(
                "INSERT INTO workflow_comments (id, workflow_id, user_id, content, created_at) VALUES ({id}, {workflow}, {user}, 'x', {at});"
            ),
            RATING => format!(
                "INSERT INTO workflow_ratings (id, workflow_id, user_id, rating, created_at) VALUES ({id}, {workflow}, {user}, 4, {at});"
            ),
            _ => format!(
                "INSERT INTO collection_workflows (id, collection_id, workflow_id, created_at) VALUES ({id}, {user}, {workflow}, {at});"
            ),
        }
    }

    fn delete(&self, id: usize) -> String {
        let table = [
            "workflow_views",
            "workflow_downloads",
            "workflow_likes",
            "workflow_comments",
            "workflow_ratings",
            "collection_workflows",
        ][self.kind];
        format!("DELETE FROM {table} WHERE id = {id};")
    }
}

fn event() -> impl Strategy<Value = Event> {
    // Few hours, so that many fall into one.
    (
        0_usize..6,
        1_u64..3,
        0_u64..8,
        0_u64..3,
        0_u64..180,
        prop::bool::weighted(0.9),
    )
        .prop_map(|(kind, workflow, actor, day, minute, counted)| {
            let minute = day * 1440 + (minute * 8) % 1440 / 4 + 60 * (minute % 3);
            Event {
                kind,
                workflow,
                actor,
                minute,
                counted,
            }
            .possible()
        })
}

/// The rows of spans that are `minutes` long, as text, counted one event after the other.
fn recount(events: &BTreeMap<usize, Event>, minutes: u64) -> Vec<String> {
    #[derive(Default)]
    struct Row {
        events: [BTreeSet<(u64, u64)>; 6],
        actors: [BTreeSet<u64>; 2],
    }
    let mut rows: BTreeMap<(u64, u64), Row> = BTreeMap::new();
    for (id, event) in events {
        if !event.counted || event.actor == event.workflow {
            continue;
        }
        let row = rows.entry((event.minute / minutes, event.workflow)).or_default();
        let is_known = event.actor != 0;
        let repeats = event.kind <= DOWNLOAD && is_known;
        let once = if repeats {
            (event.actor, event.minute / 30)
        } else {
            (*id as u64, u64::MAX)
        };
        row.events[event.kind].insert(once);
        if repeats {
            row.actors[event.kind].insert(event.actor);
        }
    }
    rows.iter()
        .map(|((span, workflow), row)| {
            let [views, downloads, likes, comments, ratings, adds] = row.events.each_ref().map(BTreeSet::len);
            let [viewers, downloaders] = row.actors.each_ref().map(BTreeSet::len);
            format!("{span},{workflow},{views},{viewers},{downloads},{downloaders},{likes},{comments},{ratings},{adds}")
        })
        .collect()
}

/// The rows of a table in the same form, in the same order. `span` is the number of its span since the start.
async fn stored(db: &TestDb, table: &str, span: &str, spans: u64) -> Vec<String> {
    let mut rows = Vec::new();
    for number in 0..spans {
        for workflow in 1..=2 {
            let row = db
                .shell()
                .text(&format!(
                    "SELECT CONCAT_WS(',', CAST({span} AS SIGNED), workflow_id, views, unique_viewers, downloads, unique_downloaders, likes,
                                      comments, ratings, collection_adds)
                     FROM {table} WHERE {span} = {number} AND workflow_id = {workflow}"
                ))
                .await;
            rows.extend(row);
        }
    }
    assert_eq!(
        db.integer(&format!("SELECT COUNT(*) FROM {table}")).await,
        i64::try_from(rows.len()).unwrap(),
        "rows of other spans or workflows are left in {table}"
    );
    rows
}

async fn assert_same(db: &TestDb, events: &BTreeMap<usize, Event>, when: &str) {
    let hours = format!("(UNIX_TIMESTAMP(hour) - {START_S}) DIV 3600");
    assert_eq!(
        stored(db, "workflow_stats_hourly", &hours, 72).await,
        recount(events, 60),
        "hours, {when}"
    );
    let days = "DATEDIFF(day, '2026-03-01')";
    assert_eq!(
        stored(db, "workflow_stats_daily", days, 3).await,
        recount(events, 1440),
        "days, {when}"
    );
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM rollup_dirty").await,
        0,
        "marks are left, {when}"
    );
}

async fn add(db: &TestDb, events: &BTreeMap<usize, Event>) {
    for (id, event) in events {
        db.execute(&event.insert(*id)).await;
    }
}

async fn roll_up(context: &jobs::Context) {
    enqueue(&mut context.db.acquire().await.unwrap(), &RollUp::default(), None)
        .await
        .unwrap();
    let ran = run_pending_jobs(context).await.unwrap();
    let errors: Vec<_> = rows(context).await.into_iter().filter_map(|row| row.error).collect();
    assert_eq!((ran.done, ran.failed), (1, 0), "{errors:?}");
}

async fn community() -> TestDb {
    let db = TestDb::new().await;
    db.execute(
        "INSERT INTO users (id, username, email, password) VALUES
           (1, 'producer-001', '1@example.org', 'x'), (2, 'producer-002', '2@example.org', 'x'),
           (3, 'producer-003', '3@example.org', 'x'), (4, 'producer-004', '4@example.org', 'x');
         INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, parse_state) VALUES
           (1, 1, 'One', 'one', 'instrument', 'one.adg', 'no_file'), (2, 2, 'Two', 'two', 'instrument', 'two.adg', 'no_file');
         INSERT INTO workflow_collections (id, user_id, name) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'd');",
    )
    .await;
    db
}

/// Numbers events from `first` on, and leaves out second likes, ratings and additions by the same user.
fn numbered(events: Vec<Event>, first: usize, seen: &mut BTreeSet<(usize, u64, u64)>) -> BTreeMap<usize, Event> {
    let possible = events.into_iter().filter(|event| {
        !matches!(event.kind, LIKE | RATING | COLLECTION_ADD) || seen.insert((event.kind, event.workflow, event.actor))
    });
    (first..).zip(possible).collect()
}

#[tokio::test]
async fn whatever_comes_late_or_goes_the_numbers_are_those_of_a_naive_recount() {
    let mut runner = TestRunner::default();
    for _ in 0..CASES {
        let (first, late, gone) = (vec(event(), 0..120), vec(event(), 0..40), vec(any::<bool>(), 160))
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let db = community().await;
        let context = context(&db);
        let mut seen = BTreeSet::new();
        let mut events = numbered(first, 1, &mut seen);
        add(&db, &events).await;
        roll_up(&context).await;
        assert_same(&db, &events, "at first").await;

        let late = numbered(late, 1000, &mut seen);
        add(&db, &late).await;
        events.extend(late);
        let gone: Vec<usize> = events
            .keys()
            .zip(&gone)
            .filter(|(_, gone)| **gone)
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            db.execute(&events.remove(&id).unwrap().delete(id)).await;
        }
        roll_up(&context).await;
        assert_same(&db, &events, "after late and deleted events").await;

        let days: Vec<_> = store::stats::days("2026-03-01".parse().unwrap(), "2026-03-03".parse().unwrap()).collect();
        let all = days.iter().chain(days.iter().rev()).map(|day| roll_up_day(&context.db, *day));
        for outcome in futures::future::join_all(all).await {
            outcome.unwrap();
        }
        assert_same(&db, &events, "twice at once").await;

        db.execute(&format!("DELETE FROM users WHERE id = {LEAVER}")).await;
        events.retain(|_, event| event.actor != LEAVER || event.kind <= DOWNLOAD);
        for event in events.values_mut().filter(|event| event.actor == LEAVER) {
            event.actor = 0;
        }
        roll_up(&context).await;
        assert_same(&db, &events, "after a user has left").await;

        db.execute("DELETE FROM workflows WHERE id = 1").await;
        events.retain(|_, event| event.workflow != 1);
        roll_up(&context).await;
        assert_same(&db, &events, "after a workflow is gone").await;
    }
}

#[tokio::test]
async fn an_event_that_commits_late_and_one_that_moves_are_rolled_up_and_replies_that_go_by_cascade_too() {
    let db = community().await;
    let context = context(&db);
    let mut open = db.pool().begin().await.unwrap();
    test_support::execute_on(
        &mut open,
        "INSERT INTO workflow_likes (id, workflow_id, user_id, created_at) VALUES (5, 1, 3, '2026-03-01 10:00:00')",
    )
    .await;
    db.execute(
        "INSERT INTO workflow_comments (id, workflow_id, user_id, parent_id, content, created_at) VALUES
           (1, 2, 3, NULL, 'x', '2026-03-01 10:00:00'), (2, 2, 4, 1, 'y', '2026-03-02 10:00:00')",
    )
    .await;
    roll_up(&context).await;
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_stats_daily WHERE likes > 0").await,
        0
    );
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_stats_daily WHERE comments = 1")
            .await,
        2
    );
    open.commit().await.unwrap();
    db.execute("DELETE FROM workflow_comments WHERE id = 1").await;
    roll_up(&context).await;
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_stats_daily WHERE likes = 1").await,
        1
    );
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_stats_daily WHERE comments > 0")
            .await,
        0
    );
    db.execute("UPDATE workflow_likes SET created_at = '2026-03-03 10:00:00'")
        .await;
    roll_up(&context).await;
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_stats_hourly WHERE hour = '2026-03-03 10:00:00' AND likes = 1")
            .await,
        1
    );
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_stats_hourly").await, 1);
}

#[tokio::test]
async fn events_that_were_brought_in_later_are_found_among_those_of_other_days() {
    let db = community().await;
    db.execute(
        "INSERT INTO workflow_views (id, workflow_id, user_id, created_at) VALUES
           (1, 1, 3, '2026-03-01 10:00:00'), (2, 1, 3, '2026-03-02 10:00:00'), (3, 1, 4, '2026-03-02 10:00:00'),
           (4, 1, 3, '2026-03-03 10:00:00'), (5000, 1, 4, '2026-03-01 10:00:00')",
    )
    .await;
    roll_up(&context(&db)).await;
    let days = "SELECT CAST(GROUP_CONCAT(views ORDER BY day) AS CHAR) FROM workflow_stats_daily";
    assert_eq!(db.shell().text(days).await.as_deref(), Some("2,2,1"));
}

#[tokio::test]
async fn days_are_rolled_up_in_their_order_over_one_connection_too() {
    let db = community().await;
    db.execute(
        "INSERT INTO workflow_views (workflow_id, user_id, created_at) VALUES
           (1, 3, '2026-03-01 10:00:00'), (1, 3, '2026-03-02 10:00:00'), (1, 4, '2026-03-02 10:00:00'), (1, 3, '2026-03-03 10:00:00')",
    )
    .await;
    let first: chrono::NaiveDate = "2026-03-01".parse().unwrap();
    for max_connections in [1, 4] {
        let settings = DatabaseSettings {
            url: Secret::new(db.url()),
            max_connections,
            acquire_timeout_s: 1,
        };
        let pool = store::db::connect(&settings).await.unwrap();
        // Another process has the first day for longer than one waits for a connection.
        let other = store::stats::begin_day(db.pool(), first).await.unwrap();
        let ends = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            other.rollback().await.unwrap();
        };
        let days = roll_up_days(&pool, first.iter_days().take(4)).try_collect::<Vec<_>>();
        let (rolled_up, ()) = tokio::join!(days, ends);
        assert_eq!(rolled_up.unwrap(), [1, 2, 1, 0], "over {max_connections}");
    }
}
