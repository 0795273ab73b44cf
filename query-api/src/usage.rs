//! Counts how often things are used of which no other row tells, for reports: in memory, and added to the database every few seconds.
//! What a process that is killed had not added yet is lost, which a report can bear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use store::usage::{self, Use};
use store::{Db, StoreError};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Time between two writes.
const EVERY: Duration = Duration::from_secs(5);

/// Time for a write. What is broken off is written again with the next: at worst it counts twice.
const LONGEST_WRITE: Duration = Duration::from_secs(30);

/// Time for the last write at the end.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// Uses since the last write, in the order of [`Use::ALL`]. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(Arc<[AtomicU64; Use::ALL.len()]>);

impl Usage {
    /// Counts uses.
    pub(crate) fn count(&self, kind: Use, uses: u64) {
        for (known, counted) in Use::ALL.iter().zip(&*self.0) {
            if *known == kind {
                counted.fetch_add(uses, Ordering::Relaxed);
            }
        }
    }

    /// Writes what is counted until `stop` is cancelled, and then once more.
    pub(crate) async fn write_until(self, db: Db, stop: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let write = timeout(LONGEST_WRITE, self.write(&db));
            let Some(written) = stop.run_until_cancelled(write).await else {
                break;
            };
            let error = match written {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(elapsed) => Some(elapsed.to_string()),
            };
            // A database that is gone for an hour is said once.
            if let (Some(error), false) = (&error, failing) {
                warn!(error, "uses were not noted, trying again until they are");
            }
            failing = error.is_some();
        }
        match timeout(LAST_WRITE, self.write(&db)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "the last uses were not noted"),
            Err(_) => warn!("the last uses were not noted in time"),
        }
    }

    async fn write(&self, db: &Db) -> Result<(), StoreError> {
        for (kind, counted) in Use::ALL.into_iter().zip(&*self.0) {
            let uses = counted.load(Ordering::Relaxed);
            if uses == 0 {
                continue;
            }
            let mut db = db.acquire().await?;
            usage::add(&mut db, Utc::now(), kind, uses).await?;
            counted.fetch_sub(uses, Ordering::Relaxed);
        }
        Ok(())
    }
}
