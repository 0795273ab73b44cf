//! A worker process: its workers, its pulse, its schedule, and how they end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use apalis::prelude::{Attempt, Monitor, TaskId, WorkerBuilder, WorkerBuilderExt};
use apalis_core::error::{AbortError, BoxDynError};
use futures::future::join_all;
use store::queue::work;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use ulid::Ulid;

use crate::attempt::{Failure, attempt};
use crate::backend::QueueBackend;
use crate::pulse::Pulse;
use crate::schedule::Scheduler;
use crate::{Context, Job, registry, schedule};

/// How long handing back may take once the grace time is over.
const SIGN_OFF_LIMIT: Duration = Duration::from_secs(1);

/// Fewest characters of a key that signs: 128 bits in hexadecimal.
const MIN_SECRET: usize = 32;

/// Does every job of [`registry::all`] and keeps the schedule until `shutdown`, then finishes what is running or hands it back.
///
/// # Errors
/// A schedule's expression cannot be read. Later trouble, such as a database that is away for a while, is waited out.
pub async fn run(context: Context, shutdown: CancellationToken) -> anyhow::Result<()> {
    let scheduler = Scheduler::new(context.clone(), schedule::all()).context("the schedule cannot be read")?;
    let reports = &context.settings.reports;
    ensure!(
        reports.webhook_url.is_empty() || reports.webhook_secret.expose().len() >= MIN_SECRET,
        "`reports.webhook_url` needs a `reports.webhook_secret` of {MIN_SECRET} characters or more"
    );
    let workers = Workers::new(context.clone()).jobs(registry::all(&context));
    let _scheduler = AbortOnDropHandle::new(tokio::spawn(scheduler.run()));
    workers.run(shutdown).await
}

/// Workers of one process.
#[must_use = "workers do nothing until they are run"]
pub struct Workers {
    context: Context,
    /// Id of this process among the workers: unlike the node's name it is new at each start, so that nobody is mistaken for
    /// a predecessor who died.
    worker: Arc<str>,
    monitor: Monitor,
    queues: Vec<String>,
}

impl Workers {
    /// None yet.
    pub fn new(context: Context) -> Self {
        let worker = format!("{}:{}", context.node, Ulid::generate()).into();
        let monitor = Monitor::new().should_restart(|worker, error| {
            tracing::error!(worker = worker.name(), %error, "a worker failed, starting it again");
            true
        });
        Self {
            context,
            worker,
            monitor,
            queues: Vec::new(),
        }
    }

    /// And one for each of these jobs.
    pub fn jobs(self, jobs: impl IntoIterator<Item = Job>) -> Self {
        jobs.into_iter().fold(self, Self::job)
    }

    /// And one for this job.
    pub fn job(mut self, job: Job) -> Self {
        let (context, worker) = (self.context.clone(), Arc::clone(&self.worker));
        self.queues.push(job.queue.to_string());
        self.monitor = self.monitor.register(move |_restarts| {
            let backend = QueueBackend::new(context.clone(), Arc::clone(&job.queue), Arc::clone(&worker), job.at_once);
            let (context, job) = (context.clone(), job.clone());
            WorkerBuilder::new(job.queue.to_string())
                .backend(backend)
                .concurrency(job.at_once)
                .build(move |payload: Vec<u8>, id: TaskId, number: Attempt| {
                    let (context, job) = (context.clone(), job.clone());
                    async move { attempt_for_apalis(&job, &context, &payload, &id, &number).await }
                })
        });
        self
    }

    /// And others that are apalis workers of another kind, so that they stop and start with these.
    pub fn with(mut self, add: impl FnOnce(Monitor) -> Monitor) -> Self {
        self.monitor = add(self.monitor);
        self
    }

    /// Works until `shutdown`; then takes no more jobs, lets the running ones finish within the grace time, and hands back the rest.
    ///
    /// # Errors
    /// A worker ended although it is to be started again.
    pub async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let jobs = &self.context.settings.jobs;
        let pulse = Pulse {
            db: self.context.db.clone(),
            worker: self.worker.to_string(),
            node: self.context.node.to_string(),
            queues: self.queues.clone(),
            heartbeat: Duration::from_secs(jobs.heartbeat_s),
            dead_after: Duration::from_secs(jobs.dead_after_s),
        };
        let grace = Duration::from_secs(jobs.shutdown_grace_s);
        let handle = self.monitor.context();
        // Tasks of their own, so that they depend on nothing that this one waits for.
        let pulse = AbortOnDropHandle::new(tokio::spawn(pulse.run()));
        let mut workers = AbortOnDropHandle::new(tokio::spawn(self.monitor.run()));
        tracing::info!(worker = %self.worker, queues = self.queues.len(), "working");

        let ended = tokio::select! {
            ended = &mut workers => Some(ended),
            () = shutdown.cancelled() => {
                handle.shutdown().context("workers could not be told to stop")?;
                timeout(grace, &mut workers).await.ok()
            }
        };
        if ended.is_none() {
            tracing::warn!(
                grace_s = grace.as_secs(),
                "jobs still run at the end of the grace time, handing them back"
            );
        }
        drop(workers);
        drop(pulse);
        sign_off(&self.context, &self.worker, &self.queues).await;
        if let Some(ended) = ended {
            ended.context("workers panicked")?.context("workers ended")?;
        }
        Ok(())
    }
}

/// An attempt, with its failure in apalis' terms.
async fn attempt_for_apalis(
    job: &Job,
    context: &Context,
    payload: &[u8],
    id: &TaskId,
    number: &Attempt,
) -> Result<(), BoxDynError> {
    let number = u32::try_from(number.current()).unwrap_or(u32::MAX);
    match attempt(job, context, payload, &id.to_string(), number).await {
        Ok(()) => Ok(()),
        Err(Failure { error, permanent: true }) => Err(Box::new(AbortError::new(error))),
        Err(Failure { error, permanent: false }) => Err(error.into()),
    }
}

/// Says goodbye for every queue. Failing to is harmless: the others notice the silence.
async fn sign_off(context: &Context, worker: &str, queues: &[String]) {
    let goodbyes = queues.iter().map(|queue| async move {
        let mut connection = context.db.acquire().await?;
        work::sign_off(&mut connection, worker, queue).await
    });
    match timeout(SIGN_OFF_LIMIT, join_all(goodbyes)).await {
        Ok(results) => {
            for error in results.into_iter().filter_map(Result::err) {
                tracing::warn!(%error, "could not sign off, others will notice");
            }
        }
        Err(_) => tracing::warn!("could not sign off in time, others will notice"),
    }
}
