//! The queue as apalis sees it: rows of `queue_jobs` behind apalis-core's persistence traits.
//!
//! All SQL is in `store::queue`. What is decided here is how apalis-core 1.0 is kept from harm, each point seen in its source:
//! * An error from the backend ends the worker, and with it the jobs that it is running. So no call here fails: what the database
//!   refuses is tried again until it works, and a look for new jobs that fails has found nothing.
//! * A payload that cannot be decoded would end the worker too, and again after its restart. So apalis gets the bytes, and decoding
//!   is part of the attempt.
//! * Its heartbeat stops while fetched jobs are being handed out. So the heartbeat is `pulse`'s, and no more is fetched than
//!   can start at once, which also leaves the rest to idle workers.
//! * A fetch that fails may have been done all the same, only its answer was lost; nobody would take those jobs from a worker that lives.
//!   So after a failure the worker gives back what it holds without knowing of it.
//! * A fetch that is under way at shutdown would be forgotten, after it may have taken jobs. So closing waits for it.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use apalis_codec::json::JsonCodec;
use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::persistence::{Persisted, Persistence, State, TaskEvent, TaskPersistLayer};
use apalis_core::backend::{Backend, BackendConfig, TaskResult};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use store::StoreError;
use store::queue::work::{self, Finished, Outcome, TakenJob};
use tokio::time::{sleep, timeout};

use crate::Context;
use crate::backoff::backoff;

/// First and longest wait after the database refused something that must be done.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// One queue in MySQL, as a backend for an apalis worker. The payload stays bytes.
#[derive(Debug)]
pub struct QueueBackend {
    rows: Persisted<QueueRows>,
    /// While the queue is empty: the wait for a hint, or for the next look.
    resting: Option<Resting>,
}

/// See [`QueueBackend::resting`].
struct Resting(BoxFuture<'static, ()>);

impl std::fmt::Debug for Resting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resting")
    }
}

/// The rows of one queue and who works on them.
#[derive(Clone, Debug)]
pub struct QueueRows {
    context: Context,
    queue: Arc<str>,
    /// Id of the process among the workers: what `lock_by` says.
    worker: Arc<str>,
    at_once: usize,
    in_hand: Arc<Mutex<InHand>>,
}

/// What a worker knows of the jobs that it holds.
#[derive(Debug, Default)]
struct InHand {
    ids: HashSet<String>,
    /// A fetch failed, so the database may know of more.
    unsure: bool,
}

impl QueueBackend {
    /// The queue, for `worker`, which does `at_once` jobs at a time.
    pub fn new(context: Context, queue: Arc<str>, worker: Arc<str>, at_once: usize) -> Self {
        Self {
            rows: Persisted::new(QueueRows {
                context,
                queue,
                worker,
                at_once,
                in_hand: Arc::default(),
            }),
            resting: None,
        }
    }
}

impl Backend for QueueBackend {
    type Task = Task<Vec<u8>>;
    type Error = Infallible;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>, worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        let heartbeat = Duration::from_secs(self.rows.context.settings.jobs.heartbeat_s);
        self.rows.poll_ready(cx, worker, heartbeat)
    }

    fn poll_next(&mut self, cx: &mut TaskContext<'_>, worker: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        loop {
            if let Some(resting) = &mut self.resting {
                ready!(resting.0.poll_unpin(cx));
                self.resting = None;
            }
            let polled = self.rows.poll_next(cx, worker);
            let found_nothing = polled.is_pending() && matches!(self.rows.state(), State::Ready);
            if !found_nothing {
                return polled;
            }
            self.resting = Some(Resting(self.rows.rest().boxed()));
        }
    }

    fn poll_close(&mut self, cx: &mut TaskContext<'_>, worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        if matches!(self.rows.state(), State::Fetch(_)) {
            let polled = self.rows.poll_next(cx, worker);
            if let Poll::Ready(Some(Ok(task))) = polled {
                self.put_back(task);
            } else if matches!(self.rows.state(), State::Fetch(_)) {
                return Poll::Pending;
            }
        }
        self.rows.poll_close(cx, worker)
    }
}

impl QueueBackend {
    /// Returns a job to the buffer from which closing hands back.
    fn put_back(&mut self, task: Task<Vec<u8>>) {
        match self.rows.state_mut() {
            State::Buffered(buffer) => buffer.push_front(task),
            state => *state = State::Buffered(VecDeque::from([task])),
        }
    }
}

impl BackendConfig for QueueBackend {
    type Args = Vec<u8>;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = TaskPersistLayer<JsonCodec<Value>, Value>;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Self::Layer {
        let at_once = self.rows.at_once;
        self.rows.layer(JsonCodec::default(), at_once).persist_results(true)
    }
}

impl QueueRows {
    /// Waits until it is time to look again.
    fn rest(&self) -> impl Future<Output = ()> + Send + 'static {
        let wake = self.context.wake.clone();
        let queue = Arc::clone(&self.queue);
        let poll = Duration::from_millis(self.context.settings.jobs.poll_ms);
        async move {
            // Either will do, so which of them it was does not matter.
            let _ = timeout(poll, wake.notified(&queue)).await;
        }
    }

    fn finished(&self, result: TaskResult<Value>) -> Finished {
        let attempt = u32::try_from(result.attempt).unwrap_or(u32::MAX);
        let jobs = &self.context.settings.jobs;
        let outcome = match (result.result, result.status) {
            (Ok(_), _) => Outcome::Done,
            (Err(error), Status::Killed) => Outcome::Dead {
                error: error.strip_prefix("AbortError: ").unwrap_or(&error).to_owned(),
            },
            (Err(error), _) => Outcome::Failed {
                error,
                retry_after: backoff(attempt, jobs.backoff_base_ms, jobs.backoff_cap_ms),
            },
        };
        Finished {
            id: result.task_id.to_string(),
            attempt,
            outcome,
        }
    }
}

impl Persistence for QueueRows {
    type Compact = Vec<u8>;
    type Response = Value;
    type Error = Infallible;

    async fn register(&mut self, _worker: &WorkerContext) -> Result<(), Infallible> {
        until_done("sign on", || async {
            let mut connection = self.context.db.acquire().await?;
            work::sign_on(&mut connection, &self.worker, &self.queue, &self.context.node).await
        })
        .await;
        Ok(())
    }

    async fn heartbeat(&mut self, _worker: &WorkerContext) -> Result<(), Infallible> {
        Ok(())
    }

    async fn fetch_next(&mut self, worker: &WorkerContext) -> Result<Vec<Task<Vec<u8>>>, Infallible> {
        self.give_back_unknown().await;
        let free = self.at_once.saturating_sub(worker.task_count()).max(1);
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        let max_attempts = self.context.settings.jobs.max_attempts;
        match work::take(&self.context.db, &self.worker, &self.queue, limit, max_attempts).await {
            Ok(jobs) => {
                self.in_hand().ids.extend(jobs.iter().map(|job| job.id.clone()));
                Ok(jobs.into_iter().map(|job| self.task(job)).collect())
            }
            Err(error) => {
                self.in_hand().unsure = true;
                tracing::warn!(queue = %self.queue, %error, "no jobs could be fetched, trying again");
                Ok(Vec::new())
            }
        }
    }

    async fn reenqueue_abandoned(&mut self, tasks: Vec<Task<Vec<u8>>>, _worker: &WorkerContext) -> Result<u64, Infallible> {
        let ids: Vec<String> = tasks
            .iter()
            .filter_map(|task| task.task_id().map(TaskId::to_string))
            .collect();
        let handed_back = until_done("hand back jobs", || async {
            let mut connection = self.context.db.acquire().await?;
            work::hand_back(&mut connection, &self.worker, &ids).await
        })
        .await;
        Ok(handed_back)
    }

    async fn handle_events(&mut self, events: Vec<TaskEvent<Value>>, _worker: &WorkerContext) -> Result<(), Infallible> {
        let finished: Vec<Finished> = events
            .into_iter()
            .filter_map(|event| match event {
                TaskEvent::Complete(result) => Some(self.finished(result)),
                // Taking a job locks it, and finishing it unlocks it.
                _ => None,
            })
            .collect();
        until_done("finish jobs", || work::finish(&self.context.db, &self.worker, &finished)).await;
        let mut in_hand = self.in_hand();
        for job in &finished {
            in_hand.ids.remove(&job.id);
        }
        Ok(())
    }

    async fn push_tasks(&mut self, tasks: Vec<Task<Vec<u8>>>) -> Result<(), Infallible> {
        // Jobs are enqueued in the transaction of their row (`store::queue::enqueue`), and never through apalis.
        tracing::error!(queue = %self.queue, jobs = tasks.len(), "refused jobs that were pushed through apalis");
        Ok(())
    }
}

impl QueueRows {
    fn in_hand(&self) -> MutexGuard<'_, InHand> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a fetch that failed: gives back what this worker holds without knowing of it.
    async fn give_back_unknown(&self) {
        if !self.in_hand().unsure {
            return;
        }
        let handed_back = until_done("look at what is held", || async {
            let mut connection = self.context.db.acquire().await?;
            let mut held = work::held(&mut connection, &self.worker, &self.queue).await?;
            held.retain(|id| !self.in_hand().ids.contains(id));
            work::hand_back(&mut connection, &self.worker, &held).await
        })
        .await;
        self.in_hand().unsure = false;
        if handed_back > 0 {
            tracing::info!(queue = %self.queue, jobs = handed_back, "gave back jobs of a fetch whose answer was lost");
        }
    }

    fn task(&self, job: TakenJob) -> Task<Vec<u8>> {
        TaskBuilder::new(job.payload)
            .task_id(TaskId::from_string(job.id))
            .queue(self.queue.as_ref().into())
            .attempt(job.attempts as usize)
            .max_attempts(job.max_attempts as usize)
            .status(Status::Running)
            .build()
    }
}

/// Repeats a step until the database lets it through.
async fn until_done<T, Step, Fut>(what: &str, step: Step) -> T
where
    Step: Fn() -> Fut,
    Fut: Future<Output = Result<T, StoreError>>,
{
    let mut rest = REST.0;
    loop {
        match step().await {
            Ok(done) => return done,
            Err(error) => tracing::warn!(%error, what, "the database refused, trying again"),
        }
        sleep(rest).await;
        rest = (rest * 2).min(REST.1);
    }
}
