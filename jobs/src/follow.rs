//! Keeps the index of this process in step with the database: an apalis worker whose backend watches the log of changes, one for the
//! counters, and one that tells the others how far it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis::prelude::{Monitor, WorkerBuilder, WorkerBuilderExt};
use apalis_core::error::BoxDynError;
use indexer::{CounterPoller, Follower, Index, RebuildReason, Step};
use store::index_node::{self, IndexJob, queue_of};
use store::queue::{Options, enqueue_on};
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::poller::{Due, Poller};
use crate::{Context, Workers, build_index};

/// Between signs of life in `index_nodes`.
const BEAT: Duration = Duration::from_secs(2);

/// Between saves of the counters beside the index. They come back from the database; saved ones are for when that is away.
const SAVE: Duration = Duration::from_secs(30);

/// Between requests for a build, should the last one have come to nothing.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// First and longest wait after a failure.
const REST: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Time that the last words may take.
const SIGN_OFF: Duration = Duration::from_secs(1);

/// Follows the log with this index, polls counters, and does the node's index jobs, until `shutdown`.
///
/// # Errors
/// A worker ended although it is to be started again. Trouble with the database is waited out; searches answer meanwhile.
pub async fn run_index(context: Context, index: Index, shutdown: CancellationToken) -> anyhow::Result<()> {
    let workers = Workers::new(context.clone())
        .job(build_index::job(&index))
        .with(|monitor| register(monitor, &context, &index));
    let result = workers.run(shutdown).await;
    if let Err(error) = index.save_counters() {
        tracing::warn!(%error, "the counters were not saved");
    }
    let goodbye = async { index_node::sign_off(&mut *context.db.acquire().await?, index.name()).await };
    match tokio::time::timeout(SIGN_OFF, goodbye).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the index could not sign off"),
        Err(_) => tracing::warn!("the index could not sign off in time"),
    }
    result
}

/// Adds the three workers.
fn register(monitor: Monitor, context: &Context, index: &Index) -> Monitor {
    let settings = &context.settings.index;
    let poll = Duration::from_millis(settings.poll_ms);
    let follower = Follower::new(index.clone(), context.db.clone(), settings.batch);
    let monitor = monitor.register({
        let following = Arc::new(Following {
            context: context.clone(),
            index: index.clone(),
            follower: follower.clone(),
            state: Mutex::default(),
        });
        move |_restarts| {
            let follower = follower.clone();
            let poller = Poller::new(move || news(follower.clone(), poll));
            let following = following.clone();
            WorkerBuilder::new("follow-log")
                .backend(poller)
                .concurrency(1)
                .build(move |_: Due| {
                    let following = following.clone();
                    async move {
                        following.follow().await;
                        Ok::<(), BoxDynError>(())
                    }
                })
        }
    });
    let every = Duration::from_millis(settings.counters_poll_ms);
    let monitor = monitor.register({
        let poller = Arc::new(Mutex::new(CounterPoller::new(index.clone(), context.db.clone())));
        move |_restarts| {
            let poller = poller.clone();
            WorkerBuilder::new("poll-counters")
                .backend(Poller::new(move || sleep(every)))
                .concurrency(1)
                .build(move |_: Due| {
                    let poller = poller.clone();
                    async move {
                        if let Err(error) = poller.lock().await.step(Instant::now()).await {
                            tracing::warn!(%error, "the counters could not be polled, trying again");
                            sleep(REST.1).await;
                        }
                        Ok::<(), BoxDynError>(())
                    }
                })
        }
    });
    let (context, index) = (context.clone(), index.clone());
    let saved_at = Arc::new(Mutex::new(Instant::now()));
    monitor.register(move |_restarts| {
        let (context, index, saved_at) = (context.clone(), index.clone(), saved_at.clone());
        WorkerBuilder::new("index-pulse")
            .backend(Poller::new(|| sleep(BEAT)))
            .concurrency(1)
            .build(move |_: Due| {
                let (context, index, saved_at) = (context.clone(), index.clone(), saved_at.clone());
                async move {
                    beat(&context, &index, &mut *saved_at.lock().await).await;
                    Ok::<(), BoxDynError>(())
                }
            })
    })
}

/// Waits until the log has something for the follower.
async fn news(follower: Follower, poll: Duration) {
    loop {
        match follower.has_news().await {
            Ok(true) => return,
            Ok(false) => sleep(poll).await,
            Err(error) => {
                tracing::warn!(%error, "the log of changes could not be looked at, trying again");
                sleep(REST.1).await;
            }
        }
    }
}

/// What the worker that follows the log works with.
struct Following {
    context: Context,
    index: Index,
    follower: Follower,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How long to rest after the next failure; none after a success.
    rest: Option<Duration>,
    asked_at: Option<Instant>,
}

impl Following {
    /// Steps until there is nothing left to do at once. Safe to repeat: see [`Follower::step`].
    async fn follow(&self) {
        let mut state = self.state.lock().await;
        loop {
            match self.follower.step(Instant::now()).await {
                Ok(Step::Applied {
                    changes,
                    workflows,
                    logged_at,
                    more,
                }) => {
                    state.rest = None;
                    let lag_ms = (chrono::Utc::now() - logged_at).num_milliseconds();
                    tracing::debug!(changes, workflows, lag_ms, "followed the log");
                    if !more {
                        break;
                    }
                }
                Ok(Step::Idle) => {
                    state.rest = None;
                    // Gaps are open, or there would have been no call: they change at their own pace.
                    sleep(Duration::from_millis(self.context.settings.index.poll_ms)).await;
                    break;
                }
                Ok(Step::RebuildNeeded(_)) => {
                    sleep(Duration::from_millis(self.context.settings.index.poll_ms)).await;
                    break;
                }
                Err(error) => {
                    let rest = state.rest.unwrap_or(REST.0);
                    tracing::warn!(%error, "the log of changes could not be followed, trying again");
                    state.rest = Some((rest * 2).min(REST.1));
                    sleep(rest).await;
                    break;
                }
            }
        }
        if let Some(reason) = self.index.rebuild_wanted()
            && !self.index.is_building()
            && state.asked_at.is_none_or(|asked_at| asked_at.elapsed() > ASK_AGAIN)
        {
            state.asked_at = Some(Instant::now());
            if let Err(error) = ask_for_build(&self.context, &self.index, reason).await {
                tracing::warn!(%error, "no build of the index could be asked for, trying again");
                state.asked_at = None;
            }
        }
    }
}

/// Puts a build on this index's queue.
async fn ask_for_build(context: &Context, index: &Index, reason: RebuildReason) -> Result<(), store::StoreError> {
    tracing::info!(?reason, "the index is to be built anew");
    let queue = queue_of(index.name());
    let job = IndexJob::Build {
        reason: reason.name().to_owned(),
    };
    enqueue_on(&mut *context.db.acquire().await?, &queue, &job, Options::default()).await?;
    context.wake.notify(&queue);
    Ok(())
}

/// A sign of life, and now and then a save of the counters. Failing is harmless: the next one comes.
async fn beat(context: &Context, index: &Index, saved_at: &mut Instant) {
    let status = index.status();
    let beat = async {
        let mut db = context.db.acquire().await?;
        index_node::beat(&mut db, index.name(), status.durable_position, status.documents).await
    };
    if let Err(error) = beat.await {
        tracing::warn!(%error, "the index could not give a sign of life, trying again");
    }
    if saved_at.elapsed() >= SAVE {
        *saved_at = Instant::now();
        let index = index.clone();
        let saved = tokio::task::spawn_blocking(move || index.save_counters()).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(%error, "the counters were not saved");
        }
    }
}
