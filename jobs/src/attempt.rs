//! One attempt at a job: run it, bound it, survive its panics, and say in one line how it went.

use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use tokio::task::JoinError;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::Context;
use crate::job::{Job, Permanent};

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What went wrong, with its causes, for people.
    pub(crate) error: String,
    /// Whether another attempt cannot do better.
    pub(crate) permanent: bool,
}

/// Runs attempt number `number` (from 1) at a job. Dropping the future stops the job's own task too.
pub(crate) async fn attempt(job: &Job, context: &Context, payload: &[u8], id: &str, number: u32) -> Result<(), Failure> {
    let started = Instant::now();
    // A task of its own, so that a job which computes holds up neither other jobs nor the worker, and a panic ends only itself.
    // Whatever it logs carries its queue and id.
    let span = tracing::info_span!("job", queue = %job.queue, id, attempt = number);
    let work = job.start(context.clone(), payload).instrument(span);
    let work = AbortOnDropHandle::new(tokio::spawn(work));
    let result = match timeout(job.at_most, work).await {
        Ok(Ok(result)) => result.map_err(|error| Failure {
            permanent: error.chain().any(|cause| cause.is::<Permanent>()),
            error: format!("{error:#}"),
        }),
        Ok(Err(stopped)) => Err(transient(format!("panicked: {}", panic_message(stopped)))),
        Err(_) => Err(transient(format!("took longer than {} s", job.at_most.as_secs()))),
    };
    log(&job.queue, id, number, started.elapsed(), &result);
    measure(&job.queue, started.elapsed(), &result);
    result
}

fn transient(error: String) -> Failure {
    Failure { error, permanent: false }
}

fn panic_message(stopped: JoinError) -> String {
    let Ok(panic) = stopped.try_into_panic() else {
        return "stopped from outside".to_owned();
    };
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or("no message", |message| message)
            .to_owned(),
    }
}

fn measure(queue: &str, took: Duration, result: &Result<(), Failure>) {
    let outcome = match result {
        Ok(()) => "done",
        Err(Failure { permanent: false, .. }) => "failed",
        Err(Failure { permanent: true, .. }) => "dead",
    };
    counter!("cookbook_jobs_total", "queue" => queue.to_owned(), "outcome" => outcome).increment(1);
    histogram!("cookbook_job_seconds", "queue" => queue.to_owned()).record(took.as_secs_f64());
}

fn log(queue: &str, job: &str, attempt: u32, took: Duration, result: &Result<(), Failure>) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(()) => tracing::info!(queue, job, attempt, duration_ms, outcome = "done", "job"),
        Err(Failure { error, permanent: false }) => {
            tracing::warn!(queue, job, attempt, duration_ms, outcome = "failed", %error, "job");
        }
        Err(Failure { error, permanent: true }) => {
            tracing::error!(queue, job, attempt, duration_ms, outcome = "dead", %error, "job");
        }
    }
}
