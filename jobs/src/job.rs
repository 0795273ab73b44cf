//! What a job is to the queue: a name, a function, and how it may run.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use store::queue::JobPayload;

use crate::Context;

/// A job's work in progress.
type Work = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// What starts a job's work.
type Start = dyn Fn(Context, &[u8]) -> Work + Send + Sync;

/// A kind of job: its queue, what does it, and how it may run.
#[derive(Clone)]
pub struct Job {
    /// Its queue, and so its name.
    pub queue: Arc<str>,
    /// How many run at once in one process.
    pub at_once: usize,
    /// How long one attempt may take; longer is a failure that is tried again.
    pub at_most: Duration,
    start: Arc<Start>,
}

impl Job {
    /// A job on its payload's own queue: one at a time, ten minutes at most.
    ///
    /// The function must be safe to repeat. It returns `Err` for what may heal by itself, and [`permanent`] for what never will.
    pub fn new<P, F, Fut>(work: F) -> Self
    where
        P: JobPayload,
        F: Fn(Context, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let start = move |context: Context, payload: &[u8]| -> Work {
            match serde_json::from_slice(payload) {
                Ok(payload) => Box::pin(work(context, payload)),
                Err(error) => {
                    let error = anyhow::Error::new(error).context(format!("payload of `{}` cannot be read", P::QUEUE));
                    Box::pin(std::future::ready(Err(permanent(error))))
                }
            }
        };
        Self {
            queue: P::QUEUE.into(),
            at_once: 1,
            at_most: Duration::from_secs(600),
            start: Arc::new(start),
        }
    }

    /// On another queue than its payload's: one of this node alone.
    #[must_use]
    pub fn on_queue(self, queue: impl Into<Arc<str>>) -> Self {
        Self {
            queue: queue.into(),
            ..self
        }
    }

    /// As many at once in one process.
    #[must_use]
    pub fn at_once(self, at_once: usize) -> Self {
        Self { at_once, ..self }
    }

    /// As long an attempt at most.
    #[must_use]
    pub fn at_most(self, at_most: Duration) -> Self {
        Self { at_most, ..self }
    }

    /// Starts an attempt at a job with this payload.
    pub(crate) fn start(&self, context: Context, payload: &[u8]) -> Work {
        (self.start)(context, payload)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// Marks an error that trying again cannot heal: the job goes to the dead letters at once.
pub fn permanent(error: impl Into<anyhow::Error>) -> anyhow::Error {
    anyhow::Error::new(Permanent(error.into()))
}

/// See [`permanent`].
#[derive(Debug)]
pub(crate) struct Permanent(anyhow::Error);

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The whole chain: it is one opaque error to whoever prints it.
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for Permanent {}
