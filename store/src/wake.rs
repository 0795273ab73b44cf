//! Wake-up hints: "something was added to this queue, look now".
//!
//! A hint is never needed. Whoever waits for one also looks every so often by itself, so a hint that is lost, because Redis is
//! down or slow or not there at all, costs that wait and nothing else. Within the process hints go straight to the waiters;
//! between processes they go over Redis, from a task of their own, so that giving one never waits and never fails.

mod over_redis;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use config::RedisSettings;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::StoreError;

/// Hints that may wait to be published. More than that are dropped: the queues have been hinted at by then.
const OUTBOX: usize = 256;

/// Gives hints and waits for them. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    waiters: Arc<Waiters>,
    outbox: Option<Arc<Outbox>>,
}

/// One `Notify` a queue.
#[derive(Debug, Default)]
struct Waiters(Mutex<HashMap<String, Arc<Notify>>>);

impl Waiters {
    fn of(&self, queue: &str) -> Arc<Notify> {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(waiters.entry(queue.to_owned()).or_default())
    }

    fn wake(&self, queue: &str) {
        // `notify_one` keeps one permit, so that a hint given just before somebody starts to wait is not lost.
        self.of(queue).notify_one();
    }
}

/// What goes into the outbox.
#[derive(Debug)]
enum Hint {
    /// This queue has something new.
    Queue(String),
    /// Answer when all that came before is on its way.
    Flush(oneshot::Sender<()>),
}

/// The way to other processes. Dropping the last clone ends its tasks.
#[derive(Debug)]
struct Outbox {
    hints: mpsc::Sender<Hint>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl Wake {
    /// Hints within this process only.
    pub fn local() -> Self {
        Self::default()
    }

    /// Hints within this process and, when `redis.url` is set, between processes. Nothing is connected yet: Redis may come and go.
    /// To be called within a tokio runtime.
    ///
    /// # Errors
    /// The URL is malformed.
    pub fn start(settings: &RedisSettings) -> Result<Self, StoreError> {
        let waiters = Arc::new(Waiters::default());
        if settings.url.is_empty() {
            return Ok(Self { waiters, outbox: None });
        }
        let client = redis::Client::open(settings.url.expose())?;
        let (hints, published) = mpsc::channel(OUTBOX);
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(over_redis::publish(
                client.clone(),
                settings.timeout(),
                published,
            ))),
            AbortOnDropHandle::new(tokio::spawn(over_redis::listen(
                client,
                settings.timeout(),
                Arc::clone(&waiters),
            ))),
        ];
        let outbox = Some(Arc::new(Outbox { hints, _tasks: tasks }));
        Ok(Self { waiters, outbox })
    }

    /// Says that a queue has something new. To be called after the commit; never waits, never fails.
    pub fn notify(&self, queue: &str) {
        self.waiters.wake(queue);
        if let Some(outbox) = &self.outbox {
            // A full outbox means that Redis is slow, and then the poll does.
            let _ = outbox.hints.try_send(Hint::Queue(queue.to_owned()));
        }
    }

    /// Waits until the hints given so far have reached Redis, or were given up: for a process that is about to end.
    pub async fn flush(&self) {
        let Some(outbox) = &self.outbox else { return };
        let (answer, answered) = oneshot::channel();
        if outbox.hints.send(Hint::Flush(answer)).await.is_ok() {
            let _ = answered.await;
        }
    }

    /// Waits for a hint for `queue`. To be combined with a timeout.
    pub async fn notified(&self, queue: &str) {
        self.waiters.of(queue).notified().await;
    }
}
