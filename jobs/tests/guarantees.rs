//! What holds when processes, connections and the database fail.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use futures::FutureExt;
use jobs::schedule::{Entry, Scheduler};
use jobs::{Job, Workers};
use store::files::Files;
use store::queue::JobPayload;
use store::queue::inspect::Status;
use store::wake::Wake;
use test_support::{TestDb, execute_on};
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::support::{Probe, Running, Trace, context, context_with, enqueue, rows, until};

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_jobs_run_once_each_over_three_workers() {
    const JOBS: u32 = 3000;
    let db = TestDb::new().await;
    let context = context(&db);
    enqueue(&context, &(0..JOBS).map(Probe::Succeed).collect::<Vec<_>>()).await;
    let trace = Trace::default();
    let workers: Vec<_> = (0..3)
        .map(|_| Running::start(&crate::support::context(&db), trace.job().at_once(8)))
        .collect();
    until(|| async { db.integer("SELECT COUNT(*) FROM queue_jobs WHERE status <> 'Done'").await == 0 }).await;
    for running in workers {
        running.stop().await;
    }
    let mut succeeded = trace.succeeded();
    succeeded.sort_unstable();
    assert_eq!(succeeded, (0..JOBS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_only_what_it_can_start_and_a_busy_one_is_not_taken_for_dead() {
    let db = TestDb::new().await;
    let quick_to_judge = || {
        context_with(&db, |settings| {
            settings.jobs.heartbeat_s = 1;
            settings.jobs.dead_after_s = 3;
        })
    };
    let context = quick_to_judge();
    // Each takes longer than a silent worker is given.
    enqueue(&context, &[Probe::Sleep(3500), Probe::Sleep(3500), Probe::Succeed(1)]).await;
    let trace = Trace::default();
    let busy = Running::start(&context, trace.job());
    until(|| async { trace.started() == 1 }).await;
    let statuses: Vec<_> = rows(&context).await.into_iter().map(|row| row.status).collect();
    assert_eq!(statuses, [Status::Running, Status::Pending, Status::Pending]);
    // Another process looks for the dead all the while, but has no worker for this queue.
    let watcher = Running::start(&quick_to_judge(), trace.job().on_queue("other"));
    until(|| async { rows(&context).await.iter().all(|row| row.status == Status::Done) }).await;
    busy.stop().await;
    watcher.stop().await;
    assert_eq!(trace.started(), 3, "a job that runs was taken away from its worker");
    assert!(rows(&context).await.iter().all(|row| row.attempts == 1));
}

/// Not a test: the process that [`jobs_of_a_killed_process_come_back`] kills. It takes jobs and never ends them.
#[tokio::test]
#[ignore = "run by another test, as a process of its own"]
async fn a_process_that_is_killed() {
    let mut settings = config::Settings::defaults().unwrap();
    settings.database.url = config::Secret::new(std::env::var("VICTIM_DATABASE_URL").unwrap());
    settings.jobs.heartbeat_s = 1;
    let db = store::db::connect(&settings.database).await.unwrap();
    let files = Files::local(std::env::temp_dir()).unwrap();
    let context = jobs::Context::new(db, files, Arc::new(settings), Wake::local());
    let job = Job::new::<Probe, _, _>(|_context, _probe| std::future::pending());
    Workers::new(context)
        .job(job.at_once(4))
        .run(CancellationToken::new())
        .await
        .unwrap();
}

fn spawn_victim(db: &TestDb) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "guarantees::a_process_that_is_killed", "--ignored"])
        .env("VICTIM_DATABASE_URL", db.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn jobs_of_a_killed_process_come_back() {
    let db = TestDb::new().await;
    let context = context_with(&db, |settings| {
        settings.jobs.heartbeat_s = 1;
        settings.jobs.dead_after_s = 2;
    });
    let probes: Vec<_> = (0..6).map(Probe::Succeed).collect();
    enqueue(&context, &probes).await;
    let mut victim = spawn_victim(&db);
    until(|| async {
        rows(&context)
            .await
            .iter()
            .filter(|row| row.status == Status::Running)
            .count()
            == 4
    })
    .await;
    victim.kill().unwrap();
    victim.wait().unwrap();
    let trace = Trace::default();
    let survivor = Running::start(&context, trace.job());
    until(|| async { rows(&context).await.iter().all(|row| row.status == Status::Done) }).await;
    survivor.stop().await;
    let mut succeeded = trace.succeeded();
    succeeded.sort_unstable();
    assert_eq!(succeeded, [0, 1, 2, 3, 4, 5]);
    let mut attempts: Vec<_> = rows(&context).await.iter().map(|row| row.attempts).collect();
    attempts.sort_unstable();
    assert_eq!(
        attempts,
        [1, 1, 2, 2, 2, 2],
        "what the dead process held counts as tried once"
    );
}

#[tokio::test]
async fn shutdown_lets_a_running_job_finish_and_leaves_the_waiting_ones() {
    let db = TestDb::new().await;
    let context = context(&db);
    enqueue(&context, &[Probe::Sleep(300), Probe::Succeed(1)]).await;
    let trace = Trace::default();
    let running = Running::start(&context, trace.job());
    until(|| async { trace.started() == 1 }).await;
    running.stop().await;
    let ends: Vec<_> = rows(&context)
        .await
        .into_iter()
        .map(|row| (row.status, row.attempts))
        .collect();
    assert_eq!(ends, [(Status::Done, 1), (Status::Pending, 0)]);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM queue_workers").await,
        0,
        "a worker that stops signs off"
    );
}

#[tokio::test]
async fn shutdown_hands_back_what_does_not_finish_in_time() {
    let db = TestDb::new().await;
    let context = context_with(&db, |settings| settings.jobs.shutdown_grace_s = 0);
    enqueue(&context, &[Probe::Hang, Probe::Hang]).await;
    let trace = Trace::default();
    let running = Running::start(&context, trace.job().at_once(2));
    until(|| async { trace.started() == 2 }).await;
    running.stop().await;
    for row in rows(&context).await {
        assert_eq!((row.status, row.attempts, row.worker), (Status::Pending, 0, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_lose_no_job_and_repeat_none() {
    const JOBS: u32 = 400;
    let db = TestDb::new().await;
    let context = context(&db);
    enqueue(&context, &(0..JOBS).map(Probe::Succeed).collect::<Vec<_>>()).await;
    let trace = Trace::default();
    let workers: Vec<_> = (0..2)
        .map(|_| Running::start(&crate::support::context(&db), trace.job().at_once(4)))
        .collect();
    let mut killed = 0;
    for progress in (0..JOBS as usize).step_by(20) {
        until(|| async { trace.succeeded().len() >= progress }).await;
        killed += db.kill_connections().await;
    }
    until(|| async { rows(&context).await.iter().all(|row| row.status == Status::Done) }).await;
    for running in workers {
        running.stop().await;
    }
    assert!(killed > 0);
    let mut succeeded = trace.succeeded();
    succeeded.sort_unstable();
    assert_eq!(
        succeeded,
        (0..JOBS).collect::<Vec<_>>(),
        "after {killed} connections were killed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_database_is_waited_out_by_jobs_that_run_and_jobs_that_wait() {
    let db = TestDb::new().await;
    let gate = Gate::before(db.url()).await;
    let mut settings = config::Settings::defaults().unwrap();
    settings.database.url = config::Secret::new(gate.url());
    settings.database.acquire_timeout_s = 1;
    settings.jobs.heartbeat_s = 1;
    let pool = store::db::connect(&settings.database).await.unwrap();
    let behind_gate = context_with(&db, |settings| settings.jobs.heartbeat_s = 1);
    let direct = behind_gate.clone();
    let behind_gate = jobs::Context { db: pool, ..behind_gate };
    enqueue(&direct, &[Probe::Sleep(500), Probe::Succeed(1)]).await;
    let trace = Trace::default();
    let running = Running::start(&behind_gate, trace.job());
    until(|| async { trace.started() == 1 }).await;
    gate.close();
    // The running job ends during the outage, and what it came to can only be written afterwards.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!(rows(&direct).await.iter().all(|row| row.status != Status::Done));
    gate.open();
    until(|| async { rows(&direct).await.iter().all(|row| row.status == Status::Done) }).await;
    running.stop().await;
    assert_eq!(trace.started(), 2);
}

/// A job that writes down when it was begun and when it was ended, and by which process.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Noted {
    id: String,
}

impl JobPayload for Noted {
    const QUEUE: &'static str = "noted";
}

/// Not a test: a process with a scheduler and workers, two of which run at once.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, as a process of its own"]
async fn a_process_with_a_scheduler() {
    let name = std::env::var("SCHEDULER_NAME").unwrap();
    let mut settings = config::Settings::defaults().unwrap();
    settings.database.url = config::Secret::new(std::env::var("VICTIM_DATABASE_URL").unwrap());
    settings.jobs.heartbeat_s = 1;
    settings.jobs.dead_after_s = 2;
    settings.jobs.poll_ms = 20;
    let db = store::db::connect(&settings.database).await.unwrap();
    let files = Files::local(std::env::temp_dir()).unwrap();
    let context = jobs::Context::new(db, files, Arc::new(settings), Wake::local());
    let every_second = Entry::enqueued_by(
        "noted",
        |_times| "* * * * * *",
        |db| {
            async {
                // Four a tick, so that both processes are always at some.
                for _ in 0..4 {
                    let id = ulid::Ulid::generate().to_string();
                    store::queue::enqueue(db, &Noted { id }, None).await?;
                }
                Ok(vec![Noted::QUEUE.to_owned()])
            }
            .boxed()
        },
    );
    tokio::spawn(Scheduler::new(context.clone(), vec![every_second]).unwrap().run());
    let job = Job::new::<Noted, _, _>(move |context, noted| {
        let name = name.clone();
        async move {
            let note = |what: &'static str| {
                let (db, id, name) = (context.db.clone(), noted.id.clone(), name.clone());
                async move {
                    let mut connection = db.acquire().await.unwrap();
                    let sql = format!("INSERT INTO notes (one, two, three) VALUES ('{id}', '{name}', '{what}')");
                    execute_on(&mut connection, &sql).await;
                }
            };
            note("begun").await;
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            note("ended").await;
            Ok(())
        }
    });
    Workers::new(context)
        .job(job.at_once(2))
        .run(CancellationToken::new())
        .await
        .unwrap();
}

fn spawn_scheduler(db: &TestDb, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "guarantees::a_process_with_a_scheduler", "--ignored"])
        .env("VICTIM_DATABASE_URL", db.url())
        .env("SCHEDULER_NAME", name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Two processes with a worker and a scheduler each; one is killed while it is at some jobs.
#[tokio::test]
async fn two_schedulers_and_two_workers_lose_nothing_when_one_is_killed_and_fire_no_tick_twice() {
    let db = TestDb::new().await;
    db.execute(
        "CREATE TABLE notes (place BIGINT AUTO_INCREMENT PRIMARY KEY, one VARCHAR(40), two VARCHAR(40), three VARCHAR(40))",
    )
    .await;
    let count = async |what: &str| db.integer(&format!("SELECT COUNT(*) FROM notes WHERE {what}")).await;
    let (mut victim, mut survivor) = (spawn_scheduler(&db, "victim"), spawn_scheduler(&db, "survivor"));
    let at_work = |name: &str| {
        format!(
            "three = 'begun' AND two = '{name}' AND NOT EXISTS (SELECT 1 FROM notes AS later WHERE later.one = notes.one AND later.three = 'ended')"
        )
    };
    until(|| async {
        count("two = 'victim' AND three = 'ended'").await >= 4 && count("two = 'survivor' AND three = 'ended'").await >= 4
    })
    .await;
    until(|| async { count(&at_work("victim")).await == 2 }).await;
    victim.kill().unwrap();
    victim.wait().unwrap();
    let ended = count("three = 'ended'").await;
    until(|| async { count("three = 'ended'").await >= ended + 16 }).await;
    // No more ticks; what is there is worked off.
    db.execute("UPDATE schedules SET last_fired_at = '2100-01-01'").await;
    until(|| async { db.integer("SELECT COUNT(*) FROM queue_jobs WHERE status <> 'Done'").await == 0 }).await;
    survivor.kill().unwrap();
    survivor.wait().unwrap();

    let jobs = db.integer("SELECT COUNT(*) FROM queue_jobs").await;
    assert_eq!(count("three = 'ended'").await, jobs, "every job was ended");
    assert_eq!(
        db.integer("SELECT COUNT(DISTINCT one) FROM notes WHERE three = 'ended'")
            .await,
        jobs,
        "and none twice"
    );
    let again = "SELECT COUNT(*) FROM (SELECT one FROM notes WHERE three = 'begun' GROUP BY one HAVING COUNT(*) > 1) AS again";
    let by_victim = "SELECT COUNT(*) FROM (SELECT one FROM notes WHERE three = 'begun' GROUP BY one
                     HAVING COUNT(*) = 2 AND SUM(two = 'victim') = 1) AS again";
    assert_eq!(
        db.integer(again).await,
        db.integer(by_victim).await,
        "only what the dead one was at was begun again"
    );
    assert_eq!(db.integer(by_victim).await, 2);
    // A tick fires within its second, in one transaction: four jobs, by one of the two.
    let ticks = "SELECT COUNT(*) FROM (SELECT COUNT(*) AS jobs FROM queue_jobs GROUP BY UNIX_TIMESTAMP(created_at) DIV 1 HAVING jobs <> 4) AS odd";
    assert_eq!(db.integer(ticks).await, 0);
}
