//! How attempts end, and what becomes of their jobs.

use chrono::{TimeDelta, Utc};
use jobs::testing::{Ran, run_pending_jobs_of};
use store::queue::inspect::{self, Status};
use store::queue::{Options, enqueue_with};
use test_support::TestDb;

use crate::support::{Probe, Running, Trace, context, context_with, enqueue, rows, until};

#[tokio::test]
async fn urgent_jobs_go_first_and_jobs_of_the_future_wait() {
    let db = TestDb::new().await;
    let context = context(&db);
    let mut connection = context.db.acquire().await.unwrap();
    let tomorrow = Some(Utc::now() + TimeDelta::days(1));
    let yesterday = Some(Utc::now() - TimeDelta::days(1));
    for (number, priority, run_at) in [
        (1, 0, None),
        (2, -10, None),
        (3, 10, None),
        (4, 10, tomorrow),
        (5, 0, yesterday),
    ] {
        enqueue_with(
            &mut connection,
            &Probe::Succeed(number),
            Options {
                key: None,
                priority,
                run_at,
            },
        )
        .await
        .unwrap();
    }
    drop(connection);
    let trace = Trace::default();
    let ran = run_pending_jobs_of(&context, &[trace.job()]).await.unwrap();
    assert_eq!(ran, Ran { done: 4, failed: 0 });
    assert_eq!(trace.succeeded(), [3, 5, 1, 2]);
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_wait_that_is_kept_in_the_row_and_ends_as_a_dead_letter() {
    let db = TestDb::new().await;
    let context = context_with(&db, |settings| settings.jobs.max_attempts = 3);
    enqueue(&context, &[Probe::Fail]).await;
    let trace = Trace::default();
    for (attempt, nominal_s) in [(1, 60), (2, 120)] {
        assert_eq!(
            run_pending_jobs_of(&context, &[trace.job()]).await.unwrap(),
            Ran { done: 0, failed: 1 }
        );
        let row = rows(&context).await.remove(0);
        assert_eq!((row.status, row.attempts), (Status::Pending, attempt));
        assert_eq!(row.error.as_deref(), Some("the disk is full"));
        let wait = db
            .integer("SELECT CAST(TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), run_at) AS SIGNED) FROM queue_jobs")
            .await;
        assert!(
            wait > nominal_s / 2 && wait <= nominal_s * 5 / 4,
            "{wait} s after attempt {attempt}"
        );
        db.execute("UPDATE queue_jobs SET run_at = UTC_TIMESTAMP(6)").await;
    }
    run_pending_jobs_of(&context, &[trace.job()]).await.unwrap();
    let row = rows(&context).await.remove(0);
    assert_eq!((row.status, row.attempts), (Status::Killed, 3));
    assert!(row.done_at.is_some() && row.worker.is_none());
    // A dead letter stays dead until somebody retries it, and then has all its attempts again.
    assert_eq!(run_pending_jobs_of(&context, &[trace.job()]).await.unwrap(), Ran::default());
    let mut connection = context.db.acquire().await.unwrap();
    assert!(inspect::retry(&mut connection, &row.id).await.unwrap());
    assert!(
        !inspect::retry(&mut connection, &row.id).await.unwrap(),
        "it is no dead letter any more"
    );
    drop(connection);
    run_pending_jobs_of(&context, &[trace.job()]).await.unwrap();
    assert_eq!(rows(&context).await[0].attempts, 1);
}

#[tokio::test]
async fn workers_end_each_kind_of_attempt_as_they_should() {
    let db = TestDb::new().await;
    let context = context(&db);
    enqueue(
        &context,
        &[Probe::Succeed(1), Probe::Fail, Probe::GiveUp, Probe::Panic, Probe::Hang],
    )
    .await;
    db.execute("INSERT INTO queue_jobs (id, queue, job, run_at) VALUES ('7ZZZZZZZZZZZZZZZZZZZZZZZZZ', 'probe', 'no json', UTC_TIMESTAMP(6))")
        .await;
    let trace = Trace::default();
    let running = Running::start(&context, trace.job().at_once(2).at_most(std::time::Duration::from_millis(50)));
    until(|| async { rows(&context).await.iter().all(|row| row.attempts == 1) }).await;
    running.stop().await;
    let ends: Vec<_> = rows(&context)
        .await
        .into_iter()
        .map(|row| (row.status, row.error.unwrap_or_default()))
        .collect();
    let expected = [
        (Status::Done, ""),
        (Status::Pending, "the disk is full"),
        (Status::Killed, "not a rack"),
        (Status::Pending, "panicked: index out of bounds"),
        (Status::Pending, "took longer than 0 s"),
    ];
    for (end, (status, error)) in ends.iter().zip(expected) {
        assert_eq!((end.0, end.1.as_str()), (status, error));
    }
    assert_eq!(ends[5].0, Status::Killed);
    assert!(ends[5].1.starts_with("payload of `probe` cannot be read"), "{}", ends[5].1);
    assert_eq!(trace.started(), 5);
}
