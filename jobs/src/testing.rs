//! For tests: do what is due, here and now, without workers and without waiting.

use std::time::Duration;

use store::queue::work::{self, Finished, Outcome};

use crate::attempt::attempt;
use crate::backoff::backoff;
use crate::{Context, Job, registry};

/// What [`run_pending_jobs`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Attempts that ended well.
    pub done: usize,
    /// Attempts that failed; those jobs wait for another attempt, or are dead letters.
    pub failed: usize,
}

/// Does all due jobs of all queues in [`registry::all`], and those that they enqueue, until none is due.
///
/// # Errors
/// The database refused.
pub async fn run_pending_jobs(context: &Context) -> anyhow::Result<Ran> {
    run_pending_jobs_of(context, &registry::all(context)).await
}

/// As [`run_pending_jobs`], for these jobs only.
///
/// # Errors
/// The database refused.
pub async fn run_pending_jobs_of(context: &Context, jobs: &[Job]) -> anyhow::Result<Ran> {
    let mut ran = Ran::default();
    loop {
        let before = ran;
        for job in jobs {
            while step(context, job, &mut ran).await? {}
        }
        if ran == before {
            return Ok(ran);
        }
    }
}

/// Takes one job and does it; false when none is due.
async fn step(context: &Context, job: &Job, ran: &mut Ran) -> anyhow::Result<bool> {
    let settings = &context.settings.jobs;
    let worker = format!("{}:test", context.node);
    let mut connection = context.db.acquire().await?;
    work::beat(&mut connection, &worker, &job.queue, &context.node).await?;
    drop(connection);
    let taken = work::take(&context.db, &worker, &job.queue, 1, settings.max_attempts).await?;
    let Some(taken) = taken.first() else { return Ok(false) };
    let number = taken.attempts + 1;
    let outcome = match attempt(job, context, &taken.payload, &taken.id, number).await {
        Ok(()) => Outcome::Done,
        Err(failure) if failure.permanent => Outcome::Dead { error: failure.error },
        Err(failure) => {
            let retry_after = backoff(number, settings.backoff_base_ms, settings.backoff_cap_ms).max(Duration::from_millis(1));
            Outcome::Failed {
                error: failure.error,
                retry_after,
            }
        }
    };
    if outcome == Outcome::Done {
        ran.done += 1
    } else {
        ran.failed += 1
    }
    let finished = Finished {
        id: taken.id.clone(),
        attempt: number,
        outcome,
    };
    work::finish(&context.db, &worker, &[finished]).await?;
    Ok(true)
}
