//! Suggestions while somebody types, and search inside a facet's values: from the index alone.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use chrono::Utc;
use indexer::{Facet, FacetSearch, Suggestion};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::search_answer::FacetValueBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::FacetSearchParams;

/// Longest text, in characters.
const MAX_TEXT_CHARS: usize = 512;

/// Most suggestions of each kind.
const MAX_EACH: u32 = 20;

/// What was typed so far.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuggestParams {
    /// The text so far.
    #[param(max_length = 512)]
    q: Option<String>,
    /// Most suggestions of each kind; 5 when absent.
    #[param(minimum = 1, maximum = 20)]
    limit: Option<u32>,
    /// Wait, for a bounded time, until the answer reflects this `index-position`.
    wait_for: Option<u64>,
}

/// What may be meant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SuggestionList {
    /// Titles first, then devices, plug-ins, tags, authors, genres and vendors, of each kind the best first.
    items: Vec<SuggestionBody>,
    /// Position in the log of changes that the answer reflects.
    position: u64,
}

/// Something that may be meant.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Suggestion)]
struct SuggestionBody {
    /// `title`, or the facet that it is a value of: `device`, `plugin`, `tag`, `author`, `genre` or `vendor`.
    kind: &'static str,
    /// The title or value.
    value: String,
    /// How many public workflows have it, exactly; of a title, how many have all of its words in theirs.
    count: u64,
    /// Of a title: id of the most downloaded workflow with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
}

/// Values of a facet that fit a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FacetValueList {
    /// Those that begin so, then those with a word that does, then those that nearly do; of each the most frequent first.
    values: Vec<FacetValueBody>,
    /// How many fit in all.
    found: usize,
    /// Position in the log of changes that the answer reflects.
    position: u64,
}

/// Suggest
///
/// Titles and values that begin with what was typed so far, nearly begin so, or have a word that does. It answers from the index alone.
#[utoipa::path(
    get, path = "/v1/suggest", tag = "search",
    params(SuggestParams),
    responses(
        (status = 200, body = SuggestionList),
        (status = 400, body = Problem, description = "A parameter is of another type"),
        (status = 422, body = Problem),
        (status = 503, body = Problem, description = "The index is being built or does not reflect `wait_for` yet, or too many ask at once"),
    ),
)]
pub(crate) async fn suggest_searches(
    State(context): State<ApiContext>,
    params: Result<Query<SuggestParams>, QueryRejection>,
) -> Result<Json<SuggestionList>, ApiError> {
    let Query(params) = params.map_err(|error| ApiError::BadRequest {
        code: "bad_query",
        detail: error.body_text(),
    })?;
    let each = params.limit.unwrap_or(5);
    if !(1..=MAX_EACH).contains(&each) {
        return Err(ApiError::Invalid(vec![FieldError::new("limit", "must be 1 to 20")]));
    }
    let text = params.q.unwrap_or_default();
    if text.chars().count() > MAX_TEXT_CHARS {
        let message = format!("must be at most {MAX_TEXT_CHARS} characters");
        return Err(ApiError::Invalid(vec![FieldError::new("q", message)]));
    }
    if let Some(position) = params.wait_for {
        context.index_reaches(position).await?;
    }
    let found = context
        .ask_index(move |index, deadline| index.suggest(&text, each as usize, Utc::now(), Some(deadline)))
        .await?;
    Ok(Json(SuggestionList {
        items: found.items.into_iter().map(SuggestionBody::from).collect(),
        position: found.position,
    }))
}

/// Search a facet's values
///
/// Values of a facet that fit `q`, with exact counts under the same parameters as a search has; its text is `text` here. What is chosen
/// in the facet itself does not narrow its counts.
#[utoipa::path(
    get, path = "/v1/facets/{name}", tag = "search",
    params(
        ("name" = String, Path, description = "Name of the facet, as in a search's `facets`"),
        ("q" = Option<String>, Query, description = "What the value begins with, or one of its words; all when absent", max_length = 512),
        ("text" = Option<String>, Query, description = "The `q` of a search", max_length = 512),
        ("limit" = Option<u32>, Query, description = "Most values; 20 when absent", maximum = 100),
        ("tag" = Option<Vec<String>>, Query, description = "This and all other conditions of a search"),
    ),
    responses(
        (status = 200, body = FacetValueList),
        (status = 404, body = Problem, description = "There is no such facet"),
        (status = 422, body = Problem),
        (status = 503, body = Problem, description = "The index is being built, or too many ask at once"),
    ),
)]
pub(crate) async fn search_facet_values(
    State(context): State<ApiContext>,
    name: Result<Path<String>, PathRejection>,
    params: FacetSearchParams,
) -> Result<Json<FacetValueList>, ApiError> {
    let facet = name.ok().and_then(|Path(name)| Facet::parse(&name));
    let facet = facet.ok_or(ApiError::NotFound("facet"))?;
    if let Some(position) = params.search.wait_for {
        context.index_reaches(position).await?;
    }
    let found = context
        .ask_index(move |index, deadline| {
            let mut request = params.search.request;
            request.deadline = Some(deadline);
            index.facet_values(facet, &params.text, request.limit, &request)
        })
        .await?;
    Ok(Json(found.into()))
}

impl From<Suggestion> for SuggestionBody {
    fn from(suggestion: Suggestion) -> Self {
        Self {
            kind: suggestion.facet.map_or("title", Facet::name),
            value: suggestion.value,
            count: suggestion.count,
            id: suggestion.id,
        }
    }
}

impl From<FacetSearch> for FacetValueList {
    fn from(found: FacetSearch) -> Self {
        Self {
            values: found.values.into_iter().map(FacetValueBody::from).collect(),
            found: found.found,
            position: found.position,
        }
    }
}
