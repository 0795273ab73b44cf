//! The queue's SQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use store::WorkflowId;
use store::queue::inspect::{self, Status};
use store::queue::work::{self, Finished, Outcome, TakenJob};
use store::queue::{JobPayload, Options, ParseRack, PruneJobs, enqueue, enqueue_on, enqueue_with, stuck_workflows};
use test_support::TestDb;

const WORKER: &str = "node-1:a";
const QUEUE: &str = ParseRack::QUEUE;

fn parse(id: u64) -> ParseRack {
    ParseRack {
        workflow_id: WorkflowId(id),
    }
}

async fn add(db: &TestDb, job: &ParseRack, key: Option<&str>) {
    let mut connection = db.pool().acquire().await.unwrap();
    enqueue(&mut connection, job, key).await.unwrap();
}

async fn take(db: &TestDb, limit: u32) -> Vec<TakenJob> {
    let mut connection = db.pool().acquire().await.unwrap();
    work::beat(&mut connection, WORKER, QUEUE, "node-1").await.unwrap();
    work::take(db.pool(), WORKER, QUEUE, limit, 3).await.unwrap()
}

async fn finish(db: &TestDb, job: &TakenJob, outcome: Outcome) {
    let finished = Finished {
        id: job.id.clone(),
        attempt: job.attempts + 1,
        outcome,
    };
    work::finish(db.pool(), WORKER, &[finished]).await.unwrap();
}

async fn reap(db: &TestDb) -> u64 {
    let mut connection = db.pool().acquire().await.unwrap();
    work::reap(&mut connection, Duration::from_secs(60)).await.unwrap()
}

async fn jobs(db: &TestDb) -> i64 {
    db.integer("SELECT COUNT(*) FROM queue_jobs").await
}

#[tokio::test]
async fn a_job_commits_and_rolls_back_with_the_row_that_it_is_about() {
    let db = TestDb::new().await;
    let mut transaction = db.pool().begin().await.unwrap();
    enqueue(&mut transaction, &parse(1), None).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(jobs(&db).await, 0);
    let mut transaction = db.pool().begin().await.unwrap();
    enqueue(&mut transaction, &parse(1), None).await.unwrap();
    assert!(take(&db, 10).await.is_empty(), "what is not committed cannot be taken");
    transaction.commit().await.unwrap();
    assert_eq!(take(&db, 10).await.len(), 1);
}

#[tokio::test]
async fn a_key_holds_off_its_like_until_the_job_is_started() {
    let db = TestDb::new().await;
    add(&db, &parse(1), None).await;
    add(&db, &parse(1), None).await;
    add(&db, &parse(1), Some("again")).await;
    add(&db, &parse(2), None).await;
    let mut connection = db.pool().acquire().await.unwrap();
    enqueue_on(&mut connection, "elsewhere", &parse(1), Options::default())
        .await
        .unwrap();
    assert_eq!(
        jobs(&db).await,
        4,
        "the same key waits once in a queue; another key or queue is another job"
    );
    let taken = take(&db, 10).await;
    assert_eq!(taken.len(), 3);
    add(&db, &parse(1), None).await;
    add(&db, &parse(1), None).await;
    assert_eq!(jobs(&db).await, 5, "while it runs, one more may wait");
    // What was started once holds off nobody, even when it waits again, and is held off by nobody.
    let failed = Outcome::Failed {
        error: "later".to_owned(),
        retry_after: Duration::ZERO,
    };
    finish(&db, &taken[0], failed).await;
    assert_eq!(take(&db, 10).await.len(), 2);
    let too_long = "k".repeat(192);
    let error = enqueue(&mut connection, &parse(3), Some(&too_long))
        .await
        .expect_err("too long");
    assert!(error.to_string().contains("longer than 191 bytes"), "{error}");
}

#[tokio::test]
async fn workers_that_take_at_the_same_time_share_the_jobs_out() {
    let db = TestDb::new().await;
    for id in 1..=100 {
        add(&db, &parse(id), None).await;
    }
    let takers = (0..8).map(|worker| {
        let db = db.pool().clone();
        tokio::spawn(async move {
            let mut taken = Vec::new();
            loop {
                let jobs = work::take(&db, &format!("node-{worker}:a"), QUEUE, 3, 3).await.unwrap();
                if jobs.is_empty() {
                    return taken;
                }
                taken.extend(jobs.into_iter().map(|job| job.id));
            }
        })
    });
    let mut taken: Vec<_> = futures::future::join_all(takers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(taken.len(), 100);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 100, "a job was taken twice");
}

#[tokio::test]
async fn what_a_worker_lost_it_can_no_longer_finish() {
    let db = TestDb::new().await;
    add(&db, &parse(1), None).await;
    let taken = take(&db, 1).await.remove(0);
    db.execute("UPDATE queue_workers SET last_seen = last_seen - INTERVAL 1 HOUR")
        .await;
    assert_eq!(reap(&db).await, 1);
    finish(&db, &taken, Outcome::Done).await;
    let mut connection = db.pool().acquire().await.unwrap();
    let row = inspect::list(&mut connection, None, None, 1).await.unwrap().remove(0);
    assert_eq!((row.status, row.attempts), (Status::Pending, 1));
    assert_eq!(row.error.as_deref(), Some("worker `node-1:a` died"));
}

#[tokio::test]
async fn a_job_that_kills_its_worker_every_time_ends_as_a_dead_letter() {
    let db = TestDb::new().await;
    add(&db, &parse(1), None).await;
    for _ in 0..3 {
        assert_eq!(take(&db, 1).await.len(), 1);
        db.execute("DELETE FROM queue_workers").await;
        assert_eq!(reap(&db).await, 1);
    }
    assert!(take(&db, 1).await.is_empty());
    let mut connection = db.pool().acquire().await.unwrap();
    assert_eq!(
        inspect::list(&mut connection, None, Some(Status::Killed), 9)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_worker_that_signs_on_or_off_holds_nothing() {
    let db = TestDb::new().await;
    add(&db, &parse(1), None).await;
    add(&db, &parse(2), None).await;
    let mut connection = db.pool().acquire().await.unwrap();
    assert_eq!(take(&db, 2).await.len(), 2);
    assert_eq!(work::held(&mut connection, WORKER, QUEUE).await.unwrap().len(), 2);
    work::sign_on(&mut connection, WORKER, QUEUE, "node-1").await.unwrap();
    assert!(work::held(&mut connection, WORKER, QUEUE).await.unwrap().is_empty());
    assert_eq!(take(&db, 1).await.len(), 1);
    assert_eq!(work::sign_off(&mut connection, WORKER, QUEUE).await.unwrap(), 1);
    assert!(
        inspect::live_workers(&mut connection, Duration::from_secs(60))
            .await
            .unwrap()
            .is_empty()
    );
    let rows = inspect::list(&mut connection, None, None, 9).await.unwrap();
    assert!(rows.iter().all(|row| row.status == Status::Pending && row.attempts == 0));
}

#[tokio::test]
async fn old_jobs_are_pruned_and_young_and_waiting_ones_kept() {
    let db = TestDb::new().await;
    for id in 1..=4 {
        add(&db, &parse(id), None).await;
    }
    let taken = take(&db, 3).await;
    finish(&db, &taken[0], Outcome::Done).await;
    finish(
        &db,
        &taken[1],
        Outcome::Dead {
            error: "not a rack".to_owned(),
        },
    )
    .await;
    finish(&db, &taken[2], Outcome::Done).await;
    db.execute(&format!(
        "UPDATE queue_jobs SET done_at = done_at - INTERVAL 10 DAY WHERE id <> '{}'",
        taken[2].id
    ))
    .await;
    let mut connection = db.pool().acquire().await.unwrap();
    assert_eq!(inspect::prune_jobs(&mut connection, 7, 90, 100).await.unwrap(), 1);
    assert_eq!(inspect::prune_jobs(&mut connection, 7, 9, 100).await.unwrap(), 1);
    assert_eq!(inspect::prune_jobs(&mut connection, 7, 9, 100).await.unwrap(), 0);
    assert_eq!(jobs(&db).await, 2);
}

#[tokio::test]
async fn dead_letters_are_retried_by_queue() {
    let db = TestDb::new().await;
    add(&db, &parse(1), None).await;
    let mut connection = db.pool().acquire().await.unwrap();
    enqueue_with(&mut connection, &PruneJobs {}, Options::default())
        .await
        .unwrap();
    db.execute("UPDATE queue_jobs SET status = 'Killed', attempts = 5, done_at = UTC_TIMESTAMP(6)")
        .await;
    assert_eq!(inspect::retry_all(&mut connection, Some(QUEUE)).await.unwrap(), 1);
    assert_eq!(take(&db, 9).await.len(), 1);
    assert_eq!(inspect::retry_all(&mut connection, None).await.unwrap(), 1);
    let counts: Vec<_> = inspect::count(&mut connection)
        .await
        .unwrap()
        .into_iter()
        .map(|c| (c.queue, c.status, c.jobs))
        .collect();
    assert_eq!(
        counts,
        [
            (QUEUE.to_owned(), Status::Running, 1),
            (PruneJobs::QUEUE.to_owned(), Status::Pending, 1)
        ]
    );
}

#[tokio::test]
async fn pending_workflows_without_a_job_are_stuck_and_dead_letters_count_for_an_hour() {
    let db = TestDb::new().await;
    db.execute("INSERT INTO users (id, username, email, password) VALUES (1, 'producer-001', 'producer-001@example.org', 'x')")
        .await;
    for id in 1..=5 {
        db.execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES ({id}, 1, 'Rack', 'rack-{id}', 'instrument', 'x')"
        ))
        .await;
    }
    db.execute("UPDATE workflows SET parse_state = 'parsed' WHERE id = 5").await;
    for id in 1..=3 {
        add(&db, &parse(id), None).await;
    }
    let stuck = async || {
        let mut connection = db.pool().acquire().await.unwrap();
        stuck_workflows(&mut connection, WorkflowId(0), 9).await.unwrap()
    };
    assert_eq!(stuck().await, [WorkflowId(4)]);
    let taken = take(&db, 3).await;
    assert_eq!(stuck().await, [WorkflowId(4)], "a job that runs counts");
    let dead = Outcome::Dead {
        error: "boom".to_owned(),
    };
    for job in &taken {
        let outcome = if job.payload == br#"{"workflow_id":1}"# {
            Outcome::Done
        } else {
            dead.clone()
        };
        finish(&db, job, outcome).await;
    }
    assert_eq!(stuck().await, [WorkflowId(1), WorkflowId(4)]);
    db.execute("UPDATE queue_jobs SET done_at = done_at - INTERVAL 61 MINUTE WHERE idempotency_key = 'workflow:3'")
        .await;
    assert_eq!(stuck().await, [WorkflowId(1), WorkflowId(3), WorkflowId(4)]);
}
