//! Which workflow: the id in the path, loaded where the policy needs it.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use store::WorkflowId;
use store::workflow::{self, Workflow};

use super::SignedIn;
use crate::context::ApiContext;
use crate::error::ApiError;

/// The `{id}` of a path. What is no id names no workflow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkflowPath(pub(crate) WorkflowId);

/// A workflow that its author, or an admin, asks to change.
#[derive(Debug)]
pub(crate) struct OwnedWorkflow(pub(crate) Workflow);

/// There is none, or it is none of your business: both look the same.
const NO_WORKFLOW: ApiError = ApiError::NotFound("workflow");

impl FromRequestParts<ApiContext> for WorkflowPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, context)
            .await
            .map_err(|_| NO_WORKFLOW)?;
        // `u64::from_str` takes a plus sign; ids have one form only.
        let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        id.parse()
            .ok()
            .filter(|_| is_plain)
            .map(|id| Self(WorkflowId(id)))
            .ok_or(NO_WORKFLOW)
    }
}

impl FromRequestParts<ApiContext> for OwnedWorkflow {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let user = SignedIn::from_request_parts(parts, context).await?;
        let WorkflowPath(id) = WorkflowPath::from_request_parts(parts, context).await?;
        let workflow = visible_workflow(context, id, Some(user)).await?;
        if may_change(&workflow, user) {
            Ok(Self(workflow))
        } else {
            Err(ApiError::Forbidden("this is for the workflow's author"))
        }
    }
}

fn may_change(workflow: &Workflow, user: SignedIn) -> bool {
    user.is_admin || workflow.author.id == user.user_id
}

/// Loads a workflow that everybody may see, or that this viewer may because it is theirs or they are an admin.
pub(crate) async fn visible_workflow(
    context: &ApiContext,
    id: WorkflowId,
    viewer: Option<SignedIn>,
) -> Result<Workflow, ApiError> {
    let mut db = context.connection().await?;
    let workflow = workflow::find(&mut db, id).await?.ok_or(NO_WORKFLOW)?;
    if workflow.is_visible || viewer.is_some_and(|viewer| may_change(&workflow, viewer)) {
        Ok(workflow)
    } else {
        Err(NO_WORKFLOW)
    }
}
