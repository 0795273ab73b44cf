//! Work on the index of this node alone: build it anew, or compare it with the database.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::{Either, select};
use indexer::{CounterPoller, Index, RebuildReason};
use store::index_node::{self, IndexJob, queue_of};
use tokio::time::sleep;

use crate::{Context, Job};

/// Between notes of how far a build has come.
const PROGRESS: Duration = Duration::from_millis(500);

/// Longest build or comparison. A million workflows take minutes.
const AT_MOST: Duration = Duration::from_secs(6 * 3600);

/// The job, on the queue of this index alone.
pub(crate) fn job(index: &Index) -> Job {
    let (queue, index) = (queue_of(index.name()), index.clone());
    Job::new(move |context, job| run(context, index.clone(), job))
        .on_queue(queue)
        .at_most(AT_MOST)
}

/// Safe to repeat: a build replaces the index by what the database has, a comparison mends what differs.
async fn run(context: Context, index: Index, job: IndexJob) -> anyhow::Result<()> {
    match job {
        IndexJob::Build { reason } => build(&context, &index, &reason).await,
        IndexJob::Compare => compare(&context, &index).await,
    }
}

async fn build(context: &Context, index: &Index, reason: &str) -> anyhow::Result<()> {
    let asked = reason == RebuildReason::Asked.name();
    if !asked && index.rebuild_wanted().is_none() {
        tracing::info!(reason, "the index has been built anew already");
        return Ok(());
    }
    let node = index.name();
    index_node::build_started(&mut *context.db.acquire().await?, node, reason).await?;
    let (done, of) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    // Never ends by itself.
    let noting = async {
        loop {
            sleep(PROGRESS).await;
            let (done, of) = (done.load(Ordering::Relaxed), of.load(Ordering::Relaxed));
            let noted = async { index_node::build_progress(&mut *context.db.acquire().await?, node, done, of).await };
            if let Err(error) = noted.await {
                tracing::warn!(%error, "the progress of the build could not be noted");
            }
        }
    };
    let building = index.rebuild(&context.db, |progress| {
        done.store(progress.done, Ordering::Relaxed);
        of.store(progress.of, Ordering::Relaxed);
    });
    let built = match select(pin!(building), pin!(noting)).await {
        Either::Left((built, _)) => built,
        Either::Right((never, _)) => match never {},
    };
    let mut db = context.db.acquire().await?;
    match built {
        Ok(built) => {
            let (done, of) = (done.load(Ordering::Relaxed), of.load(Ordering::Relaxed));
            index_node::build_progress(&mut db, node, done, of).await?;
            index_node::beat(&mut db, node, index.status().durable_position, built.documents).await?;
            index_node::build_ended(&mut db, node, None).await?;
            let took_ms = u64::try_from(built.took.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(reason, documents = built.documents, took_ms, "built the index anew");
            Ok(())
        }
        Err(error) => {
            index_node::build_ended(&mut db, node, Some(&error.to_string())).await?;
            Err(error).context("build the index")
        }
    }
}

async fn compare(context: &Context, index: &Index) -> anyhow::Result<()> {
    let found = index
        .compare(&context.db)
        .await
        .context("compare the index with the database")?;
    let counters = CounterPoller::new(index.clone(), context.db.clone())
        .read_all()
        .await
        .context("read all counters")?;
    let differences = found.differences();
    index_node::compared(
        &mut *context.db.acquire().await?,
        index.name(),
        found.documents,
        differences as u64,
    )
    .await?;
    if differences == 0 && found.damaged_files == 0 {
        tracing::info!(documents = found.documents, "the index agrees with the database");
    } else {
        tracing::error!(
            documents = found.documents,
            missing = found.missing.len(),
            stale = found.stale.len(),
            surplus = found.surplus.len(),
            damaged_files = found.damaged_files,
            "the index differed from the database, and is mended"
        );
    }
    if counters > 0 {
        tracing::info!(counters, "counters had been missed");
    }
    Ok(())
}
