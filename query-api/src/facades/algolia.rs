//! Speaks the Algolia queries API: queries, several at once, and search in values of a facet.
//!
//! Parameters come flat, as an object, or as one text like an address's query (`params`); bodies are JSON whatever their content type says;
//! keys may stand in the address. A parameter that is not known is ignored, as most of those that are sent only tune an engine.

mod answer;
mod error;
mod filters;
mod params;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use store::search_log::Source;

use self::error::AlgoliaError;
pub(crate) use self::error::in_its_words;
use self::params::{Params, Request, read_body};
use super::document::PRIMARY_KEY;
use super::query::{self, Found};
use crate::context::ApiContext;
use crate::search_log::Searcher;

/// Most queries of one body, as in Algolia.
const MAX_QUERIES: usize = 50;

type Result<T> = std::result::Result<T, AlgoliaError>;

/// Several searches (Algolia)
///
/// As `POST /1/indexes/*/queries` of the Algolia search API, for the index `workflows` and its orders (`workflows_likes`, …). Queries of the
/// same text are answered in one pass over the index.
#[utoipa::path(
    post, path = "/1/indexes/{index}/queries", tag = "algolia",
    params(("index" = String, Path, description = "`*`")),
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn algolia_queries(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path(index): Path<String>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    if index != "*" && super::index_name::order_of(&index).is_none() {
        return Err(AlgoliaError::index_not_found(&index));
    }
    let body = read_body(body)?;
    let queries = match body.get("requests") {
        Some(Value::Array(queries)) if queries.len() <= MAX_QUERIES => queries,
        Some(Value::Array(_)) => return Err(AlgoliaError::invalid(format!("Too many queries: at most {MAX_QUERIES}"))),
        _ => return Err(AlgoliaError::invalid("\"requests\" must be an array")),
    };
    let mut requests: Vec<Request> = Vec::with_capacity(queries.len());
    for query in queries {
        let mut params = Params::of(query)?;
        let name = params.text("indexName").unwrap_or_else(|| index.clone());
        let mut request = Request::read(&name, &mut params)?;
        if requests.iter().any(|earlier| earlier.question.text == request.question.text) {
            request.question.noted = false;
        }
        requests.push(request);
    }
    let results = answered(&context, &searcher, requests).await?;
    Ok(Json(json!({ "results": results })))
}

/// Search (Algolia)
///
/// As `POST /1/indexes/{index}/query`.
#[utoipa::path(
    post, path = "/1/indexes/{index}/query", tag = "algolia",
    params(("index" = String, Path, description = "`workflows`")),
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn algolia_query(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path(index): Path<String>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let mut params = Params::of(&read_body(body)?)?;
    let request = Request::read(&index, &mut params)?;
    let results = answered(&context, &searcher, vec![request]).await?;
    Ok(Json(results.into_iter().next().unwrap_or(Value::Null)))
}

/// Search in values of a facet (Algolia)
///
/// As `POST /1/indexes/{index}/facets/{facet}/query`.
#[utoipa::path(
    post, path = "/1/indexes/{index}/facets/{facet}/query", tag = "algolia",
    params(("index" = String, Path, description = "`workflows`"), ("facet" = String, Path, description = "Name of a native facet")),
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn algolia_facet_query(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path((index, facet)): Path<(String, String)>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let mut params = Params::of(&read_body(body)?)?;
    let request = Request::read_facet(&index, &facet, &mut params)?;
    let results = answered(&context, &searcher, vec![request]).await?;
    Ok(Json(results.into_iter().next().unwrap_or(Value::Null)))
}

/// A document (Algolia)
///
/// As `GET /1/indexes/{index}/{objectID}`.
#[utoipa::path(
    get, path = "/1/indexes/{index}/{object_id}", tag = "algolia",
    params(("index" = String, Path, description = "`workflows`"), ("object_id" = u64, Path, description = "Id of the workflow")),
    responses((status = 200, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn algolia_object(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path((index, id)): Path<(String, String)>,
) -> Result<Json<Value>> {
    if super::index_name::order_of(&index).is_none() {
        return Err(AlgoliaError::index_not_found(&index));
    }
    let condition = query::of_id(&id).ok_or_else(AlgoliaError::object_not_found)?;
    let (found, _) = query::answer(&context, &searcher, Source::Algolia, vec![query::one(condition)]).await?;
    let found = found.into_iter().next().and_then(|found| found.documents.into_iter().next());
    let mut document = found.ok_or_else(AlgoliaError::object_not_found)?;
    document.attributes.remove(PRIMARY_KEY);
    document.attributes.insert("objectID".to_owned(), json!(id));
    Ok(Json(Value::Object(document.attributes)))
}

/// Refuses what the API has besides: everything that writes or administers, as to a key without that right.
pub(crate) async fn algolia_refused() -> AlgoliaError {
    AlgoliaError::forbidden()
}

async fn answered(context: &ApiContext, searcher: &Searcher, requests: Vec<Request>) -> Result<Vec<Value>> {
    let questions = requests.iter().map(|request| request.question.clone()).collect();
    let (found, took) = query::answer(context, searcher, Source::Algolia, questions).await?;
    let answers = requests.iter().zip(found);
    Ok(answers
        .map(|(request, found): (&Request, Found)| answer::body(request, found, took))
        .collect())
}
