//! What authors do to their workflows, each as one transaction that a client cannot stop half-way.

use ingest::publish::{PublishError, publish};
use store::workflow::{self, DetailChanges};
use store::{Db, StoreError, WorkflowId, tag};

use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::ApiError;

/// Attempts at a transaction that loses against others.
const ATTEMPTS: usize = 5;

/// A change to one workflow.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// What its author says about it, and, if given, all its tags.
    Details(DetailChanges, Option<Vec<String>>),
    /// Show it to everybody.
    Publish,
    /// Show it to its author only.
    Unpublish,
    /// Delete it.
    Delete,
}

/// Makes a change, and returns its position in the log of changes. Once begun, it is done whether or not the client waits.
pub(crate) async fn change_workflow(context: &ApiContext, id: WorkflowId, change: Change) -> Result<u64, ApiError> {
    let db = context.db.clone();
    detached(async move {
        let mut attempt = 1;
        loop {
            match change_once(&db, id, &change).await {
                Err(Refused::Store(error)) if error.is_lock_conflict() && attempt < ATTEMPTS => attempt += 1,
                Err(Refused::Store(error)) => return Err(error.into()),
                Err(Refused::Api(error)) => return Err(error),
                Ok(position) => return Ok(position),
            }
        }
    })
    .await
}

/// Why a change was not made: the database's errors apart, since some of them pass.
enum Refused {
    Store(StoreError),
    Api(ApiError),
}

impl From<PublishError> for Refused {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Store(error) => Self::Store(error),
            PublishError::Gone => Self::Api(ApiError::NotFound("workflow")),
            error @ (PublishError::NotParsedYet | PublishError::Unreadable(_) | PublishError::FileLost) => {
                Self::Api(ApiError::Conflict {
                    code: error.code(),
                    detail: error.to_string(),
                })
            }
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn change_once(db: &Db, id: WorkflowId, change: &Change) -> Result<u64, Refused> {
    let mut tx = db.begin().await.map_err(StoreError::from)?;
    if !workflow::lock(&mut tx, id).await? {
        return Err(Refused::Api(ApiError::NotFound("workflow")));
    }
    match change {
        Change::Details(details, tags) => {
            workflow::change_details(&mut tx, id, details).await?;
            if let Some(tags) = tags {
                tag::set(&mut tx, id, tags).await?;
            }
        }
        Change::Publish => publish(&mut tx, id).await?,
        Change::Unpublish => workflow::unpublish(&mut tx, id).await?,
        Change::Delete => workflow::delete(&mut tx, id).await?,
    }
    let position = workflow::latest_change(&mut tx).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(position)
}
