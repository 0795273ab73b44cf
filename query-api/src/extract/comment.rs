//! Which comment: the id in the path, loaded where the policy needs it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use store::CommentId;
use store::comment::{self, Comment};
use store::workflow::Workflow;

use super::{MaybeSignedIn, SignedIn, WorkflowPath, visible_workflow};
use crate::context::ApiContext;
use crate::error::ApiError;

/// There is none, or what it is on is none of your business: both look the same.
const NO_COMMENT: ApiError = ApiError::NotFound("comment");

/// A comment that the viewer may see, with the workflow that it is on.
#[derive(Debug)]
pub(crate) struct VisibleComment {
    /// The comment.
    pub(crate) comment: Comment,
    /// What it is on.
    pub(crate) workflow: Workflow,
    /// Who asks.
    pub(crate) viewer: Option<SignedIn>,
}

/// A comment that its author, or an admin, asks to change.
#[derive(Debug)]
pub(crate) struct OwnedComment(pub(crate) Comment);

/// A comment that its author, the author of what it is on, or an admin asks to take away.
#[derive(Debug)]
pub(crate) struct ModeratedComment(pub(crate) Comment);

/// A comment about whose place the author of what it is on, or an admin, decides.
#[derive(Debug)]
pub(crate) struct HostedComment(pub(crate) Comment);

impl FromRequestParts<ApiContext> for VisibleComment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let MaybeSignedIn(viewer) = MaybeSignedIn::from_request_parts(parts, context).await?;
        let WorkflowPath(id) = WorkflowPath::from_request_parts(parts, context)
            .await
            .map_err(|_| NO_COMMENT)?;
        let mut db = context.connection().await?;
        let comment = comment::find(&mut db, CommentId(id.0), viewer.map(|viewer| viewer.user_id)).await?;
        drop(db);
        let comment = comment.ok_or(NO_COMMENT)?;
        let workflow = visible_workflow(context, comment.workflow_id, viewer)
            .await
            .map_err(|error| match error {
                ApiError::NotFound(_) => NO_COMMENT,
                other => other,
            })?;
        Ok(Self {
            comment,
            workflow,
            viewer,
        })
    }
}

/// Loads a comment that exists, is no tombstone, and which somebody asks to change.
async fn to_change(parts: &mut Parts, context: &ApiContext) -> Result<(Comment, Workflow, SignedIn), ApiError> {
    let user = SignedIn::from_request_parts(parts, context).await?;
    let VisibleComment { comment, workflow, .. } = VisibleComment::from_request_parts(parts, context).await?;
    if comment.is_deleted {
        return Err(NO_COMMENT);
    }
    Ok((comment, workflow, user))
}

impl FromRequestParts<ApiContext> for OwnedComment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let (comment, _, user) = to_change(parts, context).await?;
        if user.is_admin || comment.user_id == user.user_id {
            Ok(Self(comment))
        } else {
            Err(ApiError::Forbidden("only its author may change a comment"))
        }
    }
}

impl FromRequestParts<ApiContext> for ModeratedComment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let (comment, workflow, user) = to_change(parts, context).await?;
        if user.is_admin || [comment.user_id, workflow.author.id].contains(&user.user_id) {
            Ok(Self(comment))
        } else {
            Err(ApiError::Forbidden(
                "only its author and the author of the workflow may delete a comment",
            ))
        }
    }
}

impl FromRequestParts<ApiContext> for HostedComment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let (comment, workflow, user) = to_change(parts, context).await?;
        if user.is_admin || workflow.author.id == user.user_id {
            Ok(Self(comment))
        } else {
            Err(ApiError::Forbidden("only the author of the workflow may pin a comment"))
        }
    }
}
