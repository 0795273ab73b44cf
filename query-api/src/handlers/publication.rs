//! Whether everybody may see a workflow.

use axum::extract::State;
use axum::response::Response;

use super::workflow::{WorkflowBody, change_and_show};
use crate::change::Change;
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::OwnedWorkflow;

/// Publish a workflow
///
/// Refused before its file is parsed. Publishing again changes nothing; the time of the first publication stays.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/publish", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, body = WorkflowBody),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`not_parsed_yet`, `unreadable_file` or `file_lost`"),
    ),
    security(("token" = []))
)]
pub(crate) async fn publish_workflow(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
) -> Result<Response, ApiError> {
    change_and_show(&context, workflow.id, Change::Publish).await
}

/// Unpublish a workflow
///
/// Only its author and admins see it then.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/unpublish", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, body = WorkflowBody),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unpublish_workflow(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
) -> Result<Response, ApiError> {
    change_and_show(&context, workflow.id, Change::Unpublish).await
}
