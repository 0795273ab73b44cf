//! Jobs to test with, and a context to run them in.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::Settings;
use jobs::{Context, Job, Workers, permanent};
use serde::{Deserialize, Serialize};
use store::queue::inspect::{self, JobRow};
use store::queue::{JobPayload, Options, enqueue_with};
use store::wake::Wake;
use test_support::TestDb;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A job that does as it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Probe {
    /// End well.
    Succeed(u32),
    /// Fail as if it might heal.
    Fail,
    /// Fail for good.
    GiveUp,
    /// Panic.
    Panic,
    /// Take this many milliseconds.
    Sleep(u64),
    /// Never end.
    Hang,
}

impl JobPayload for Probe {
    const QUEUE: &'static str = "probe";
}

/// What probes left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// Every `Succeed` in the order of their start.
    pub(crate) succeeded: Arc<Mutex<Vec<u32>>>,
    /// Attempts started, of every kind.
    pub(crate) started: Arc<AtomicU32>,
}

impl Trace {
    /// Attempts started so far.
    pub(crate) fn started(&self) -> u32 {
        self.started.load(Ordering::SeqCst)
    }

    /// The numbers that succeeded so far.
    pub(crate) fn succeeded(&self) -> Vec<u32> {
        self.succeeded.lock().unwrap().clone()
    }

    /// The job that leaves this trace.
    pub(crate) fn job(&self) -> Job {
        let trace = self.clone();
        Job::new::<Probe, _, _>(move |_context, probe| {
            let trace = trace.clone();
            async move {
                trace.started.fetch_add(1, Ordering::SeqCst);
                match probe {
                    Probe::Succeed(number) => trace.succeeded.lock().unwrap().push(number),
                    Probe::Fail => anyhow::bail!("the disk is full"),
                    Probe::GiveUp => return Err(permanent(anyhow::anyhow!("not a rack"))),
                    Probe::Panic => panic!("index out of bounds"),
                    Probe::Sleep(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    Probe::Hang => std::future::pending().await,
                }
                Ok(())
            }
        })
    }
}

/// A context on a test database, with `change` made to the settings. Backoff is so long that nothing is retried by chance.
pub(crate) fn context_with(db: &TestDb, change: impl FnOnce(&mut Settings)) -> Context {
    let mut settings = Settings::defaults().unwrap();
    settings.jobs.node = format!("node-{}", ulid::Ulid::generate());
    settings.jobs.poll_ms = 20;
    settings.jobs.backoff_base_ms = 60_000;
    change(&mut settings);
    let files = store::files::Files::local(std::env::temp_dir().join(db.name())).unwrap();
    Context::new(db.pool().clone(), files, Arc::new(settings), Wake::local())
}

/// A context with nothing special.
pub(crate) fn context(db: &TestDb) -> Context {
    context_with(db, |_| {})
}

/// Enqueues probes, in this order.
pub(crate) async fn enqueue(context: &Context, probes: &[Probe]) {
    let mut transaction = context.db.begin().await.unwrap();
    for probe in probes {
        enqueue_with(&mut transaction, probe, Options::default()).await.unwrap();
    }
    transaction.commit().await.unwrap();
    context.wake.notify(Probe::QUEUE);
}

/// Every job in the queue, the oldest first.
pub(crate) async fn rows(context: &Context) -> Vec<JobRow> {
    let mut connection = context.db.acquire().await.unwrap();
    let mut rows = inspect::list(&mut connection, None, None, 100_000).await.unwrap();
    rows.sort_by_key(|row| row.created_at);
    rows
}

/// Workers that run until they are told to stop.
pub(crate) struct Running {
    shutdown: CancellationToken,
    workers: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Starts workers for `job`.
    pub(crate) fn start(context: &Context, job: Job) -> Self {
        let shutdown = CancellationToken::new();
        let workers = tokio::spawn(Workers::new(context.clone()).job(job).run(shutdown.clone()));
        Self { shutdown, workers }
    }

    /// Stops them as SIGTERM does, and waits for their end.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.workers.await.unwrap().unwrap();
    }
}

/// Waits until something is so, looking every 10 ms. The test runner ends a test that waits for ever.
pub(crate) async fn until<F, Fut>(is_so: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
