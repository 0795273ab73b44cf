//! Neighbours for an answer that must not wait for the database: what is not there in time is left out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use store::recommendation::{self, Neighbour};
use store::{Db, StoreError, WorkflowId};

/// How long the database may take.
const LIMIT: Duration = Duration::from_millis(150);

/// How long it is left alone after it took longer, so that its absence costs one wait and not one each answer.
const REST: Duration = Duration::from_secs(5);

/// Reads neighbours. Clones share what they learnt of the database.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptionalNeighbours {
    rests_until: Arc<Mutex<Option<Instant>>>,
}

impl OptionalNeighbours {
    /// The neighbours of a workflow, the likest first; none when the database is not there, or has none.
    pub(crate) async fn of(&self, db: &Db, workflow: WorkflowId) -> Vec<Neighbour> {
        if self.rests_until().is_some_and(|until| Instant::now() < until) {
            return Vec::new();
        }
        let asked = tokio::time::timeout(LIMIT, async {
            let mut connection = db.acquire().await?;
            recommendation::neighbours_of(&mut connection, workflow).await
        });
        let outcome: Result<Vec<Neighbour>, StoreError> = match asked.await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::debug!("neighbours took too long");
                *self.rests_until() = Some(Instant::now() + REST);
                return Vec::new();
            }
        };
        outcome.unwrap_or_else(|error| {
            tracing::debug!(%error, "neighbours are not there");
            *self.rests_until() = Some(Instant::now() + REST);
            Vec::new()
        })
    }

    fn rests_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
