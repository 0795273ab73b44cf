//! When scheduled jobs are enqueued.

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use jobs::schedule::{Entry, Scheduler};
use store::queue::PruneJobs;
use test_support::TestDb;

use crate::support::{context, context_with, rows};

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn every_hour() -> Vec<Entry> {
    vec![Entry::new::<PruneJobs>(|_times| "0 0 * * * *")]
}

#[tokio::test]
async fn a_tick_fires_once_however_many_schedulers_there_are() {
    let db = TestDb::new().await;
    let mut schedulers: Vec<_> = (0..4).map(|_| Scheduler::new(context(&db), every_hour()).unwrap()).collect();
    for scheduler in &mut schedulers {
        assert!(
            scheduler.step(at("2026-03-01T00:30:00Z")).await.unwrap().is_empty(),
            "a new name has no past"
        );
    }
    for hour in 1..6 {
        let now = at("2026-03-01T00:00:00Z") + TimeDelta::hours(hour);
        let fired = futures::future::join_all(schedulers.iter_mut().map(|scheduler| scheduler.step(now))).await;
        assert_eq!(fired.into_iter().flat_map(Result::unwrap).count(), 1, "at {now}");
        // The job of the hour before may still wait, and then is joined.
        db.execute("UPDATE queue_jobs SET status = 'Done', waiting = NULL").await;
    }
    assert_eq!(rows(&context(&db)).await.len(), 5);
}

#[tokio::test]
async fn ticks_missed_while_nobody_kept_the_schedule_fire_once() {
    let db = TestDb::new().await;
    let mut before = Scheduler::new(context(&db), every_hour()).unwrap();
    before.step(at("2026-03-01T00:30:00Z")).await.unwrap();
    drop(before);
    let mut after = Scheduler::new(context(&db), every_hour()).unwrap();
    assert_eq!(after.step(at("2026-03-03T12:30:00Z")).await.unwrap(), ["prune-jobs"]);
    assert!(after.step(at("2026-03-03T12:59:59Z")).await.unwrap().is_empty());
    assert_eq!(after.step(at("2026-03-03T13:00:00Z")).await.unwrap(), ["prune-jobs"]);
}

#[tokio::test]
async fn a_tick_with_nothing_to_do_leaves_no_trace() {
    let db = TestDb::new().await;
    let idle = vec![Entry::new::<PruneJobs>(|_times| "0 0 * * * *").only_if(|_db| std::future::ready(Ok(false)).boxed())];
    let mut scheduler = Scheduler::new(context(&db), idle).unwrap();
    scheduler.step(at("2026-03-01T00:30:00Z")).await.unwrap();
    assert!(scheduler.step(at("2026-03-01T01:00:00Z")).await.unwrap().is_empty());
    assert!(rows(&context(&db)).await.is_empty());
}

#[tokio::test]
async fn a_tick_whose_job_cannot_be_enqueued_is_due_still() {
    let db = TestDb::new().await;
    let mut scheduler = Scheduler::new(context(&db), every_hour()).unwrap();
    scheduler.step(at("2026-03-01T00:30:00Z")).await.unwrap();
    db.execute("RENAME TABLE queue_jobs TO away").await;
    scheduler
        .step(at("2026-03-01T01:00:00Z"))
        .await
        .expect_err("the table is away");
    db.execute("RENAME TABLE away TO queue_jobs").await;
    assert_eq!(scheduler.step(at("2026-03-01T01:00:01Z")).await.unwrap(), ["prune-jobs"]);
}

#[tokio::test]
async fn a_time_that_cannot_be_read_is_named_at_the_start() {
    let db = TestDb::new().await;
    let context = context_with(&db, |settings| settings.schedule.prune_jobs = "hourly-ish".to_owned());
    let error = Scheduler::new(context, jobs::schedule::all()).expect_err("no time");
    let text = format!("{error:#}");
    assert!(
        text.starts_with("`schedule.prune_jobs` is `hourly-ish`: not a time"),
        "{text}"
    );
}
