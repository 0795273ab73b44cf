//! Views and downloads that share a commit, and the end of their addresses.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use config::{EventsSettings, Secret};
use store::event::{Discount, EventKind, NewEvent};
use store::event_writer::{EventError, EventWriter};
use store::secret::SigningKey;
use store::{UserId, WorkflowId, event_retention};
use test_support::TestDb;

use crate::counts::{assert_counts_are_true, rows, small_community};

fn settings() -> EventsSettings {
    config::Settings::defaults().unwrap().events
}

/// A writer of an installation with this secret, which has the tests' Redis; of one without when the secret is empty.
fn writer(db: &TestDb, settings: &EventsSettings, secret: &str) -> EventWriter {
    let mut redis = config::Settings::defaults().unwrap().redis;
    if !secret.is_empty() {
        redis.url = Secret::new(test_support::redis_url());
    }
    let key = SigningKey::new(&format!("a long secret that only tests have: {secret}")).unwrap();
    EventWriter::start(db.pool().clone(), settings, &redis, key).unwrap()
}

fn event(kind: EventKind, workflow: u64, user: Option<u64>, address: &str) -> NewEvent {
    NewEvent {
        kind,
        workflow: WorkflowId(workflow),
        user: user.map(UserId),
        address: Some(address.to_owned()),
        network: Some([7; 16]),
        session: None,
        user_agent: Some("Browser".to_owned()),
        discount: None,
    }
}

/// Hands all in at once, and gives what each is told, in the same order.
async fn record_all(writer: &EventWriter, events: Vec<NewEvent>) -> Vec<Result<Option<Discount>, EventError>> {
    futures::future::join_all(events.into_iter().map(|event| writer.record(event))).await
}

#[tokio::test]
async fn what_comes_at_once_shares_a_commit_and_is_all_there_when_answered() {
    let db = small_community().await;
    // A statement has one moment, to the microsecond, for all its rows and triggers.
    db.execute(
        "DELETE FROM workflow_views; DELETE FROM workflow_downloads;
         CREATE TABLE moments (at TIMESTAMP(6) NOT NULL);
         CREATE TRIGGER note_moment AFTER INSERT ON workflow_views FOR EACH ROW INSERT INTO moments VALUES (NOW(6))",
    )
    .await;
    let writer = writer(&db, &settings(), "");
    let events = (0..900)
        .map(|n| {
            let kind = if n % 9 == 0 { EventKind::Download } else { EventKind::View };
            event(kind, 1 + n % 3, None, &format!("address {n}"))
        })
        .collect();
    let told = record_all(&writer, events).await;
    assert!(told.iter().all(|told| matches!(told, Ok(None))), "{told:?}");
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views").await, 800);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_downloads WHERE user_agent = 'Browser'")
            .await,
        100
    );
    assert_counts_are_true(&db).await;
    let statements = db.integer("SELECT COUNT(DISTINCT at) FROM moments").await;
    assert!(statements < 40, "800 views were written by {statements} statements");
}

#[tokio::test]
async fn one_that_cannot_be_recorded_spoils_it_for_nobody_else() {
    let db = small_community().await;
    db.execute("DELETE FROM workflow_views; DELETE FROM workflow_downloads").await;
    let writer = writer(&db, &settings(), "");
    let told = record_all(
        &writer,
        vec![
            event(EventKind::Download, 1, Some(2), "a"),
            event(EventKind::Download, 999, Some(2), "a"),
            event(EventKind::View, 998, None, "a"),
            event(EventKind::View, 2, Some(777), "a"),
            event(EventKind::View, 3, None, "a"),
        ],
    )
    .await;
    assert!(
        matches!(
            told[..],
            [Ok(None), Err(EventError::Gone), Err(EventError::Gone), Ok(None), Ok(None)]
        ),
        "{told:?}"
    );
    assert_eq!(
        rows(
            &db,
            "workflow_id, COALESCE(user_id, '-')",
            "workflow_views ORDER BY workflow_id"
        )
        .await,
        ["2 -", "3 -"],
        "a user who is gone is nobody known"
    );
    assert_eq!(rows(&db, "workflow_id, user_id", "workflow_downloads").await, ["1 2"]);
    assert_counts_are_true(&db).await;
}

#[tokio::test]
async fn what_repeats_in_another_process_is_a_repeat_and_another_installation_is_none_of_it() {
    let db = small_community().await;
    db.execute("DELETE FROM workflow_views; DELETE FROM workflow_downloads").await;
    let secret = test_support::redis_prefix();
    let (one, two) = (writer(&db, &settings(), &secret), writer(&db, &settings(), &secret));
    let seen = || event(EventKind::View, 1, None, "a");
    let by_user = || event(EventKind::Download, 1, Some(2), "a");
    assert!(
        record_all(&one, vec![seen(), by_user()])
            .await
            .iter()
            .all(|told| matches!(told, Ok(None)))
    );
    let others = vec![
        seen(),
        by_user(),
        event(EventKind::View, 2, None, "a"),
        event(EventKind::View, 1, None, "b"),
    ];
    let told = record_all(&two, others).await;
    assert!(
        matches!(
            told[..],
            [Ok(Some(Discount::Repeat)), Ok(Some(Discount::Repeat)), Ok(None), Ok(None)]
        ),
        "{told:?}"
    );
    let elsewhere = writer(&db, &settings(), &test_support::redis_prefix());
    assert!(
        matches!(record_all(&elsewhere, vec![seen()]).await[..], [Ok(None)]),
        "same ids, another community"
    );
    // What could not be written was not done, for the other process neither.
    db.execute("CREATE TRIGGER refuse BEFORE INSERT ON workflow_views FOR EACH ROW SIGNAL SQLSTATE '45000'")
        .await;
    let lost = || event(EventKind::View, 3, None, "a");
    assert!(matches!(
        record_all(&one, vec![lost()]).await[..],
        [Err(EventError::Failed(_))]
    ));
    db.execute("DROP TRIGGER refuse").await;
    assert!(matches!(record_all(&two, vec![lost()]).await[..], [Ok(None)]));
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflow_views WHERE discount_reason = 'repeat'")
            .await,
        1
    );
    assert_counts_are_true(&db).await;
}

#[tokio::test]
async fn a_full_queue_says_so_at_once_and_what_waits_is_recorded_when_it_can_be() {
    let db = small_community().await;
    db.execute("DELETE FROM workflow_downloads").await;
    let settings = EventsSettings {
        queue: 3,
        batch: 1,
        ..settings()
    };
    let writer = writer(&db, &settings, "");
    let mut holder = db.pool().begin().await.unwrap();
    sqlx::query("SELECT id FROM workflows WHERE id = 1 FOR UPDATE")
        .fetch_all(&mut *holder)
        .await
        .unwrap();
    let mut waiting = Vec::new();
    for n in 0..20 {
        let writer = writer.clone();
        waiting.push(tokio::spawn(async move {
            writer
                .record(event(EventKind::Download, 1, None, &format!("address {n}")))
                .await
        }));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let is_shed = |told: &Result<_, EventError>| matches!(told, Err(EventError::Overloaded));
    let shed_early = waiting.iter().filter(|task| task.is_finished()).count();
    holder.rollback().await.unwrap();
    let told: Vec<_> = futures::future::join_all(waiting)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let recorded = told.iter().filter(|told| told.is_ok()).count();
    assert!(
        recorded >= 4 && told.iter().all(|told| told.is_ok() || is_shed(told)),
        "{told:?}"
    );
    assert!(shed_early >= 10, "{shed_early} were told while the database was held up");
    let stored = db.integer("SELECT COUNT(*) FROM workflow_downloads").await;
    assert_eq!(stored, i64::try_from(recorded).unwrap());
}

#[tokio::test]
async fn addresses_end_and_who_is_the_same_on_a_day_stays_so() {
    let db = small_community().await;
    db.execute(
        "DELETE FROM workflow_views; DELETE FROM workflow_downloads;
         INSERT INTO workflow_views (workflow_id, user_id, ip_address, session_id, network_hash, created_at) VALUES
           (1, NULL, 'a', 's', REPEAT('n', 16), NOW() - INTERVAL 40 DAY), (2, NULL, 'a', 's', REPEAT('n', 16), NOW() - INTERVAL 40 DAY),
           (1, NULL, 'b', NULL, NULL, NOW() - INTERVAL 40 DAY), (1, 2, 'a', 's', REPEAT('n', 16), NOW() - INTERVAL 40 DAY),
           (1, NULL, 'a', 's', REPEAT('n', 16), NOW() - INTERVAL 39 DAY), (1, NULL, 'a', 's', REPEAT('n', 16), NOW() - INTERVAL 2 DAY),
           (1, NULL, 'a', 's', NULL, '1970-01-02 00:00:00');
         INSERT INTO workflow_downloads (workflow_id, ip_address, user_agent, network_hash, created_at) VALUES
           (1, 'a', 'Browser', REPEAT('n', 16), NOW() - INTERVAL 40 DAY), (1, 'a', 'Browser', REPEAT('n', 16), NOW())",
    )
    .await;
    let until = (Utc::now() - TimeDelta::days(30)).date_naive();
    assert_eq!(event_retention::forget_addresses(db.pool(), until).await.unwrap(), 7);
    assert_eq!(
        rows(
            &db,
            "COUNT(DISTINCT ip_address), COUNT(DISTINCT session_id), COUNT(*)",
            "workflow_views"
        )
        .await,
        ["5 4 7"],
        "`a` of three days and of now, and `b`; sessions of three days and of now"
    );
    let left =
        "(ip_address IN ('a', 'b') OR session_id = 's' OR network_hash IS NOT NULL) AND created_at < NOW() - INTERVAL 30 DAY";
    assert_eq!(
        db.integer(&format!("SELECT COUNT(*) FROM workflow_views WHERE {left}")).await,
        0
    );
    assert_eq!(
        rows(&db, "a.ip_address = b.ip_address, a.session_id = b.session_id", "workflow_views a JOIN workflow_views b
             ON b.workflow_id = 2 AND a.workflow_id = 1 AND a.user_id IS NULL AND a.created_at = b.created_at AND a.session_id IS NOT NULL")
            .await,
        ["1 1"]
    );
    assert_eq!(
        rows(&db, "COUNT(ip_address)", "workflow_views WHERE user_id = 2").await,
        ["0"]
    );
    assert_eq!(
        rows(
            &db,
            "COUNT(user_agent), COUNT(network_hash), COUNT(ip_address)",
            "workflow_downloads"
        )
        .await,
        ["1 1 2"]
    );
    assert_eq!(
        event_retention::forget_addresses(db.pool(), until).await.unwrap(),
        0,
        "once a day"
    );
    assert_counts_are_true(&db).await;
}
