//! When an upload may be shown to everybody.

use store::activity::{self, Activity};
use store::workflow::{self, ParseState, Workflow};
use store::{Conn, StoreError, WorkflowId};

/// Why a workflow is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no such workflow.
    #[error("workflow does not exist")]
    Gone,
    /// The parse has not come to it yet.
    #[error("its file is not parsed yet; ask again in a moment")]
    NotParsedYet,
    /// The parse found that it is no rack.
    #[error("its file could not be read: {0}")]
    Unreadable(String),
    /// The store lost its file.
    #[error("its file is not in the store any more; upload the same file again")]
    FileLost,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PublishError {
    /// Stable name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gone => "not_found",
            Self::NotParsedYet => "not_parsed_yet",
            Self::Unreadable(_) => "unreadable_file",
            Self::FileLost => "file_lost",
            Self::Store(_) => "database",
        }
    }
}

/// Shows a workflow to everybody and notes the upload among its author's activities, in the caller's transaction. Doing it again
/// changes nothing.
///
/// # Errors
/// Its present state does not allow it, or the database refused.
pub async fn publish(db: &mut Conn, id: WorkflowId) -> Result<(), PublishError> {
    if !workflow::lock(db, id).await? {
        return Err(PublishError::Gone);
    }
    let found = workflow::find(db, id).await?.ok_or(PublishError::Gone)?;
    may_be_published(&found)?;
    workflow::publish(db, id).await?;
    activity::record(db, found.author.id, Activity::Upload(id)).await?;
    Ok(())
}

/// Nobody should be shown an upload that may turn out to be broken.
fn may_be_published(workflow: &Workflow) -> Result<(), PublishError> {
    match workflow.parse_state {
        ParseState::Parsed => Ok(()),
        // Rows of other programs may do without a file; an upload that lost its file may not.
        ParseState::NoFile if workflow.file_hash.is_none() => Ok(()),
        ParseState::NoFile => Err(PublishError::FileLost),
        ParseState::Pending => Err(PublishError::NotParsedYet),
        ParseState::Failed => Err(PublishError::Unreadable(
            workflow
                .parse_error
                .clone()
                .unwrap_or_else(|| "no reason was recorded".to_owned()),
        )),
    }
}
