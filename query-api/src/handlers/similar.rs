//! Racks like a given one: by what is in them, from the index, and by who took both, from the database. It answers while the database is down,
//! by content alone.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::Utc;
use indexer::{Likeness, Similar};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::search_answer::HitBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::WorkflowPath;

/// Most that are listed.
const MAX_LIMIT: u32 = 50;

/// How many.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SimilarParams {
    /// Racks wanted; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<u32>,
    /// Wait, for a bounded time, until the answer reflects this `index-position`.
    wait_for: Option<u64>,
}

/// Racks like another one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SimilarList {
    /// The most alike first, but no author twice in a row.
    items: Vec<SimilarBody>,
    /// Position in the log of changes that the answer reflects.
    position: u64,
}

/// A rack that is like another one.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Similar)]
struct SimilarBody {
    /// The rack; its `score` is the sum of its reasons' scores.
    workflow: HitBody,
    /// Why it is alike, what counts most first.
    reasons: Vec<ReasonBody>,
}

/// One reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SimilarReason)]
struct ReasonBody {
    /// `devices`, `plugins`, `tags`, `macros`, `title`, `text`, `genre`, `key`, `tempo`, or `behaviour`: the same people took both.
    kind: &'static str,
    /// What both share, the rarest first; for key and tempo, those of this rack.
    values: Vec<String>,
    /// Its part of the score.
    score: f64,
}

/// List similar workflows
///
/// Visible workflows that are like this one in devices, plug-ins, tags, macro names, title, description, genre, key and tempo; rare names weigh more.
/// What the same people took counts too, as of last night. Leaves out what has the same content. It answers everybody, for workflows that everybody may see.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/similar", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow"), SimilarParams),
    responses(
        (status = 200, body = SimilarList),
        (status = 400, body = Problem, description = "A parameter is of another type"),
        (status = 404, body = Problem, description = "There is no such workflow, or it is not public"),
        (status = 422, body = Problem),
        (status = 503, body = Problem, description = "The index is being built, or does not reflect `wait_for` yet"),
    ),
)]
pub(crate) async fn list_similar_workflows(
    State(context): State<ApiContext>,
    WorkflowPath(id): WorkflowPath,
    params: Result<Query<SimilarParams>, QueryRejection>,
) -> Result<Json<SimilarList>, ApiError> {
    let Query(params) = params.map_err(|error| ApiError::BadRequest {
        code: "bad_query",
        detail: error.body_text(),
    })?;
    let limit = params.limit.unwrap_or(10);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::Invalid(vec![FieldError::new("limit", "must be 1 to 50")]));
    }
    if let Some(position) = params.wait_for {
        context.index_reaches(position).await?;
    }
    let behaviour: Vec<(u64, f32)> = context
        .neighbours
        .of(&context.db, id)
        .await
        .into_iter()
        .map(|(workflow, likeness)| (workflow.0, likeness))
        .collect();
    let settings = context.settings.clone();
    let found = context
        .ask_index(move |index, deadline| {
            index.similar(
                id.0,
                limit as usize,
                Utc::now(),
                Some(deadline),
                &settings.similar,
                &behaviour,
            )
        })
        .await?
        .ok_or(ApiError::NotFound("workflow"))?;
    Ok(Json(SimilarList {
        items: found.racks.into_iter().map(SimilarBody::from).collect(),
        position: found.position,
    }))
}

impl From<Similar> for SimilarBody {
    fn from(similar: Similar) -> Self {
        Self {
            workflow: similar.hit.into(),
            reasons: similar.reasons.into_iter().map(ReasonBody::from).collect(),
        }
    }
}

impl From<Likeness> for ReasonBody {
    fn from(reason: Likeness) -> Self {
        Self {
            kind: reason.kind.name(),
            values: reason.values,
            score: reason.score,
        }
    }
}
