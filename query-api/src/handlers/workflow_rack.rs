//! What is in a workflow's file. A resource of its own, since a large rack has megabytes of it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use store::parsed_rack;
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{MaybeSignedIn, WorkflowPath, visible_workflow};

/// A parsed rack, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ParsedRack)]
pub(crate) struct ParsedRackBody {
    /// Version of the parser.
    parser_version: u32,
    /// The rack: racks, chains, devices, macros, mappings, samples.
    rack: Value,
    /// What the parser found odd.
    warnings: Value,
}

/// Get a workflow's parsed rack
///
/// Everything that the parser found in the file.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/rack", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, body = ParsedRackBody),
        (status = 401, body = Problem),
        (status = 404, body = Problem, description = "There is none, it is private, or its file is not parsed"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn get_workflow_rack(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
) -> Result<Json<ParsedRackBody>, ApiError> {
    visible_workflow(&context, id, viewer).await?;
    let mut db = context.connection().await?;
    let parsed = parsed_rack::find(&mut db, id)
        .await?
        .ok_or(ApiError::NotFound("parsed rack"))?;
    Ok(Json(ParsedRackBody {
        parser_version: parsed.parser_version,
        rack: parsed.rack,
        warnings: parsed.warnings,
    }))
}
