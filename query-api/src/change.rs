//! What authors do to their workflows.

use ingest::publish::{PublishError, publish};
use store::workflow::{self, DetailChanges};
use store::{Conn, WorkflowId, tag};

use crate::context::ApiContext;
use crate::error::ApiError;
use crate::transaction::{Refused, in_transaction};

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

/// Makes a change, and returns its position in the log of changes.
pub(crate) async fn change_workflow(context: &ApiContext, id: WorkflowId, change: Change) -> Result<u64, ApiError> {
    let change = std::sync::Arc::new(change);
    in_transaction(context, move |tx| {
        let change = std::sync::Arc::clone(&change);
        Box::pin(async move { change_once(tx, id, &change).await })
    })
    .await
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

async fn change_once(tx: &mut Conn, id: WorkflowId, change: &Change) -> Result<u64, Refused> {
    if !workflow::lock(tx, id).await? {
        return Err(Refused::Api(ApiError::NotFound("workflow")));
    }
    match change {
        Change::Details(details, tags) => {
            workflow::change_details(tx, id, details).await?;
            if let Some(tags) = tags {
                tag::set(tx, id, tags).await?;
            }
        }
        Change::Publish => publish(tx, id).await?,
        Change::Unpublish => workflow::unpublish(tx, id).await?,
        Change::Delete => workflow::delete(tx, id).await?,
    }
    Ok(workflow::latest_change(tx).await?)
}
