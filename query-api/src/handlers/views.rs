//! Views of workflows, told by the pages that show them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use store::event::EventKind;
use store::usage::Use;
use store::workflow;
use utoipa::{IntoParams, ToSchema};

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{MaybeSignedIn, SignedIn, WorkflowPath};
use crate::visitor::{SessionParams, Visitor};

/// What led to a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ViewedFrom {
    /// A list of recommendations.
    Recommendations,
}

/// What led to a view.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViewParams {
    /// `recommendations` where the workflow was chosen from what was recommended: counted for reports.
    #[param(inline)]
    from: Option<ViewedFrom>,
}

/// Record a view
///
/// For pages to send when they show a workflow, as with `navigator.sendBeacon`; a body is not read. Once it is answered the view is kept,
/// whatever happens; programs that look at everything (by user agent) leave none. The author's own, and the same visitor's within a moment,
/// are kept and do not count.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/views", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow"), SessionParams, ViewParams),
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
    params: Result<Query<ViewParams>, QueryRejection>,
    visitor: Visitor,
) -> Result<StatusCode, ApiError> {
    let Query(params) = params.map_err(|error| ApiError::BadRequest {
        code: "bad_query",
        detail: error.body_text(),
    })?;
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
        let view = visitor.event(EventKind::View, id, author, user);
        let discount = context.events.record(view).await?;
        // Only who is signed in is recommended anything.
        if params.from == Some(ViewedFrom::Recommendations) && user.is_some() && discount.is_none() {
            context.usage.count(Use::RecommendationFollowed, 1);
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
