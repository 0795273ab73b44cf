//! Views of workflows, told by the pages that show them.

use axum::extract::State;
use axum::http::StatusCode;
use store::event::EventKind;
use store::workflow;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{MaybeSignedIn, SignedIn, WorkflowPath};
use crate::visitor::{SessionParams, Visitor};

/// Record a view
///
/// For pages to send when they show a workflow, as with `navigator.sendBeacon`; a body is not read. Once it is answered the view is kept,
/// whatever happens; programs that look at everything (by user agent) leave none. The author's own, and the same visitor's within a moment,
/// are kept and do not count.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/views", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow"), SessionParams),
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem, description = "Too many at once: try again later"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn record_view(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    visitor: Visitor,
) -> Result<StatusCode, ApiError> {
    let mut db = context.connection().await?;
    let found = workflow::find_visibility(&mut db, id).await?;
    drop(db);
    let is_insider = |author| viewer.is_some_and(|viewer: SignedIn| viewer.is_admin || viewer.user_id == author);
    let author = found
        .filter(|found| found.is_visible || is_insider(found.author))
        .ok_or(ApiError::NotFound("workflow"))?
        .author;
    if !visitor.is_bot {
        let user = viewer.map(|viewer| viewer.user_id);
        context
            .events
            .record(visitor.event(EventKind::View, id, author, user))
            .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
