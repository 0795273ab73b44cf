//! What authors do to their workflows, each as one transaction that a client cannot stop half-way.

use store::workflow::{self, DetailChanges, ParseState, Workflow};
use store::{Conn, Db, StoreError, WorkflowId, activity, tag};

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

async fn publish(db: &mut Conn, id: WorkflowId) -> Result<(), Refused> {
    let workflow = workflow::find(db, id)
        .await?
        .ok_or(Refused::Api(ApiError::NotFound("workflow")))?;
    if let Some((code, detail)) = why_not_yet(&workflow) {
        return Err(Refused::Api(ApiError::Conflict { code, detail }));
    }
    workflow::publish(db, id).await?;
    activity::record_upload(db, workflow.author.id, id).await?;
    Ok(())
}

/// Why a workflow may not be published in its present state: nobody should be shown an upload that may turn out to be broken.
fn why_not_yet(workflow: &Workflow) -> Option<(&'static str, String)> {
    match workflow.parse_state {
        ParseState::Parsed => None,
        // Rows of other programs may do without a file; an upload that lost its file may not.
        ParseState::NoFile if workflow.file_hash.is_none() => None,
        ParseState::NoFile => Some((
            "file_lost",
            "its file is not in the store any more; upload the same file again".to_owned(),
        )),
        ParseState::Pending => Some((
            "not_parsed_yet",
            "its file is not parsed yet; ask again in a moment".to_owned(),
        )),
        ParseState::Failed => Some((
            "unreadable_file",
            format!(
                "its file could not be read: {}",
                workflow.parse_error.as_deref().unwrap_or("no reason was recorded")
            ),
        )),
    }
}
