//! The pulse of a worker process: shows that its workers live, and takes jobs away from workers that don't.
//!
//! apalis-core has a heartbeat of its own, which stops while a worker is busy handing out what it fetched, so that a saturated worker
//! looks dead. This one is a task that depends on no worker.

use std::time::{Duration, Instant};

use store::db::PooledConn;
use store::queue::work;
use store::{Db, StoreError};
use tokio::time::{MissedTickBehavior, interval};

/// Longest wait after a beat that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Who is to be shown alive.
pub(crate) struct Pulse {
    pub(crate) db: Db,
    /// Id of the process among the workers.
    pub(crate) worker: String,
    pub(crate) node: String,
    pub(crate) queues: Vec<String>,
    pub(crate) heartbeat: Duration,
    pub(crate) dead_after: Duration,
}

impl Pulse {
    /// Beats until it is dropped.
    pub(crate) async fn run(self) {
        let mut ticks = interval(self.heartbeat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_beat: Option<Instant> = None;
        // A connection of its own: when requests and jobs have all the others and wait for locks, this process is busy, and not dead.
        let mut connection = None;
        loop {
            ticks.tick().await;
            match self.beat_once(&mut connection, &mut last_beat).await {
                Ok(0) => {}
                Ok(jobs) => tracing::warn!(jobs, "took back the jobs of dead workers"),
                Err(error) => {
                    tracing::warn!(%error, "no sign of life could be given, trying again");
                    connection = None;
                    ticks.reset_after(self.heartbeat.min(RETRY));
                }
            }
        }
    }

    /// One beat, and a look for the dead unless the last beat is too long ago. After an outage of the database everybody looks
    /// dead: whoever was cut off itself lets the others beat first.
    async fn beat_once(&self, connection: &mut Option<PooledConn>, last_beat: &mut Option<Instant>) -> Result<u64, StoreError> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.db.acquire().await?),
        };
        for queue in &self.queues {
            work::beat(connection, &self.worker, queue, &self.node).await?;
        }
        let was_cut_off = last_beat.is_none_or(|at| at.elapsed() > self.heartbeat * 2);
        *last_beat = Some(Instant::now());
        if was_cut_off {
            return Ok(0);
        }
        work::reap(connection, self.dead_after).await
    }
}
