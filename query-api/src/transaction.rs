//! Writes as one transaction that a client cannot stop half-way, and that is done again when it loses a lock: the one place where that
//! is decided, so that no deadlock reaches a client.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rand::RngExt;
use store::idempotent::{self, Claim};
use store::{Conn, StoreError, db};

use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::ApiError;
use crate::idempotency;

/// For how long a transaction that loses against others is done again. Writers lock in one order, so most need one attempt; others' plain SQL
/// does not.
const PATIENCE: Duration = Duration::from_secs(8);

/// Longest wait before the second attempt; it doubles up to [`LONGEST_WAIT`]. Random, so that those who met once don't meet again.
const FIRST_WAIT: Duration = Duration::from_millis(8);

/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// Why a write was not made: the database's errors apart, since some of them pass.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The database's.
    Store(StoreError),
    /// What the client is told.
    Api(ApiError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// Runs a write in a transaction and commits it. Once begun, it is done whether or not the client waits; each statement in it sees what
/// is committed by then. Locks come first in it: the workflow, or both users of a follow. With it commits that the request's idempotency
/// key is used up, if it has one.
///
/// # Errors
/// Those of the write; nothing is changed then.
pub(crate) async fn in_transaction<T, W>(context: &ApiContext, write: W) -> Result<T, ApiError>
where
    T: Send + 'static,
    W: for<'c> Fn(&'c mut Conn) -> BoxFuture<'c, Result<T, Refused>> + Send + Sync + 'static,
{
    let pool = context.db.clone();
    let claim = idempotency::claim();
    detached(async move {
        let begun = Instant::now();
        let mut longest = FIRST_WAIT;
        loop {
            match once(&pool, claim.as_ref(), &write).await {
                Ok(done) => return Ok(done),
                Err(Refused::Store(error)) if error.is_lock_conflict() && begun.elapsed() < PATIENCE => {
                    let wait = rand::rng().random_range(Duration::ZERO..longest);
                    tokio::time::sleep(wait).await;
                    longest = (longest * 2).min(LONGEST_WAIT);
                }
                Err(Refused::Store(error)) => return Err(error.into()),
                Err(Refused::Api(error)) => return Err(error),
            }
        }
    })
    .await
}

async fn once<T, W>(pool: &store::Db, claim: Option<&Claim>, write: &W) -> Result<T, Refused>
where
    W: for<'c> Fn(&'c mut Conn) -> BoxFuture<'c, Result<T, Refused>>,
{
    let mut tx = db::begin_read_committed(pool).await?;
    let done = write(&mut tx).await?;
    if let Some(claim) = claim
        && !idempotent::mark_done(&mut tx, claim).await?
    {
        return Err(idempotency::is_running().into());
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(done)
}
