//! Speaks the Meilisearch search API (as of 1.50): search, multi-search, facet search, similar documents, and what clients ask besides.
//!
//! Not had: federated multi-search, vectors, `distinct`, `attributesToSearchOn`, and everything that writes.

mod answer;
mod error;
mod fields;
mod filter;
mod request;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::Utc;
use serde_json::{Map, Value, json};
use store::search_log::Source;

use self::answer::Answers;
use self::error::MeiliError;
pub(crate) use self::error::in_its_words;
use self::fields::Fields;
use self::request::{FacetSearch, Search, Similar};
use super::document::{Document, PRIMARY_KEY};
use super::index_name::{INDEX, order_of};
use super::query;
use crate::context::ApiContext;
use crate::search_log::Searcher;

/// Most queries of one multi-search: a page with as many controls.
const MAX_QUERIES: usize = 50;

/// The version of Meilisearch whose search API this follows.
const SPOKEN_VERSION: &str = "1.50.0";

type Result<T> = std::result::Result<T, MeiliError>;

/// Search (Meilisearch)
///
/// As `POST /indexes/{uid}/search` of the Meilisearch search API, for the index `workflows`. Attributes have the names of the native facets.
#[utoipa::path(
    post, path = "/indexes/{uid}/search", tag = "meilisearch",
    params(("uid" = String, Path, description = "`workflows`")),
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_search(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path(uid): Path<String>,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let fields = Fields::read(body)?;
    search_one(&context, &searcher, &uid, fields, &headers).await
}

/// Search by address (Meilisearch)
///
/// The same search with parameters in the address; lists are joined by commas.
#[utoipa::path(
    get, path = "/indexes/{uid}/search", tag = "meilisearch",
    params(("uid" = String, Path, description = "`workflows`"), ("q" = Option<String>, Query, description = "Text")),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_search_by_address(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path(uid): Path<String>,
    headers: HeaderMap,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>> {
    let fields = Fields::of_address(pairs);
    search_one(&context, &searcher, &uid, fields, &headers).await
}

async fn search_one(
    context: &ApiContext,
    searcher: &Searcher,
    uid: &str,
    mut fields: Fields,
    headers: &HeaderMap,
) -> Result<Json<Value>> {
    let search = Search::read(uid, &mut fields, true)?;
    fields.finish()?;
    let answers = Answers::of(context, searcher, vec![search], headers).await?;
    Ok(Json(answers.into_first()))
}

/// Several searches (Meilisearch)
///
/// As `POST /multi-search`. Queries of the same text are answered in one pass over the index. `federation` must be absent or null.
#[utoipa::path(
    post, path = "/multi-search", tag = "meilisearch",
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_multi_search(
    State(context): State<ApiContext>,
    searcher: Searcher,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let mut fields = Fields::read(body)?;
    if fields.take("federation").is_some_and(|federation| !federation.is_null()) {
        return Err(MeiliError::invalid(
            "invalid_multi_search_federation",
            "Federated search is not available here: send `federation` as null or not at all.",
        ));
    }
    let queries = match fields.take("queries") {
        Some(Value::Array(queries)) if queries.len() <= MAX_QUERIES => queries,
        Some(Value::Array(queries)) => {
            let message = format!(
                "`.queries` has {} queries; at most {MAX_QUERIES} are answered at once.",
                queries.len()
            );
            return Err(MeiliError::invalid("invalid_multi_search_queries", message));
        }
        Some(other) => {
            return Err(fields::wrong_type(
                "queries",
                "an array",
                &other,
                "invalid_multi_search_queries",
            ));
        }
        None => return Err(MeiliError::invalid("bad_request", "Missing field `queries`")),
    };
    fields.finish()?;
    let mut searches: Vec<Search> = Vec::with_capacity(queries.len());
    for (at, query) in queries.into_iter().enumerate() {
        let read = || -> Result<Search> {
            let mut fields = Fields::of(query)?;
            let uid = fields.text("indexUid", "invalid_index_uid")?;
            let uid = uid.ok_or_else(|| MeiliError::invalid("missing_index_uid", "Missing field `indexUid`"))?;
            let noted = !searches.iter().any(|earlier| earlier.text() == fields.peek_text("q"));
            let search = Search::read(&uid, &mut fields, noted)?;
            fields.finish()?;
            Ok(search)
        };
        let search = read().map_err(|error| error.inside(&format!("Inside `.queries[{at}]`: ")))?;
        searches.push(search);
    }
    let answers = Answers::of(&context, &searcher, searches, &headers).await?;
    Ok(Json(json!({ "results": answers.into_all() })))
}

/// Search in values of a facet (Meilisearch)
///
/// As `POST /indexes/{uid}/facet-search`.
#[utoipa::path(
    post, path = "/indexes/{uid}/facet-search", tag = "meilisearch",
    params(("uid" = String, Path, description = "`workflows`")),
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_facet_search(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path(uid): Path<String>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let mut fields = Fields::read(body)?;
    let search = FacetSearch::read(&uid, &mut fields)?;
    let (found, took) = query::answer(&context, &searcher, Source::Meilisearch, vec![search.question()]).await?;
    let hits: Vec<Value> = search
        .hits(&found)
        .map(|(value, count)| json!({ "value": value, "count": count }))
        .collect();
    Ok(Json(json!({
        "facetHits": hits,
        "facetQuery": search.facet_query,
        "processingTimeMs": answer::milliseconds(took),
    })))
}

/// Similar documents (Meilisearch)
///
/// As `POST /indexes/{uid}/similar`, by what is in the racks: `embedder` is not looked at.
#[utoipa::path(
    post, path = "/indexes/{uid}/similar", tag = "meilisearch",
    params(("uid" = String, Path, description = "`workflows`")),
    request_body(content = Value, content_type = "application/json"),
    responses((status = 200, body = Value), (status = 400, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_similar(
    State(context): State<ApiContext>,
    Path(uid): Path<String>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let started = std::time::Instant::now();
    let mut fields = Fields::read(body)?;
    let similar = Similar::read(&uid, &mut fields)?;
    fields.finish()?;
    let settings = context.settings.clone();
    let (id, wanted) = (similar.id, similar.offset + similar.limit);
    let found = context
        .ask_index(move |index, deadline| index.similar(id, wanted, Utc::now(), Some(deadline), &settings.similar, &[]))
        .await?
        .ok_or_else(|| MeiliError::invalid("not_found_similar_id", format!("Document `{id}` not found.")))?
        .racks;
    let total = found.len();
    let hits = found.into_iter().skip(similar.offset).map(|found| {
        let score = found.hit.score;
        let mut document = Document::from(found.hit);
        document.retain(&similar.attributes_to_retrieve);
        if let Some(score) = score.filter(|_| similar.show_ranking_score) {
            document.attributes.insert("_rankingScore".to_owned(), json!(score));
        }
        Value::Object(document.attributes)
    });
    Ok(Json(json!({
        "hits": hits.collect::<Vec<_>>(),
        "id": id.to_string(),
        "processingTimeMs": answer::milliseconds(started.elapsed()),
        "limit": similar.limit,
        "offset": similar.offset,
        "estimatedTotalHits": total,
    })))
}

/// A document (Meilisearch)
///
/// As `GET /indexes/{uid}/documents/{id}`.
#[utoipa::path(
    get, path = "/indexes/{uid}/documents/{id}", tag = "meilisearch",
    params(
        ("uid" = String, Path, description = "`workflows`"),
        ("id" = u64, Path, description = "Id of the workflow"),
        ("fields" = Option<String>, Query, description = "Attributes wanted, joined by commas"),
    ),
    responses((status = 200, body = Value), (status = 404, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_document(
    State(context): State<ApiContext>,
    searcher: Searcher,
    Path((uid, id)): Path<(String, String)>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Value>> {
    known(&uid)?;
    let missing = || MeiliError::not_found("document_not_found", format!("Document `{id}` not found."));
    let condition = query::of_id(&id).ok_or_else(missing)?;
    let (found, _) = query::answer(&context, &searcher, Source::Meilisearch, vec![query::one(condition)]).await?;
    let found = found.into_iter().next().and_then(|found| found.documents.into_iter().next());
    let mut document = found.ok_or_else(missing)?;
    if let Some((_, fields)) = pairs.iter().find(|(name, _)| name == "fields") {
        document.retain(&fields.split(',').map(str::to_owned).collect::<Vec<_>>());
    }
    Ok(Json(Value::Object(document.attributes)))
}

/// The index (Meilisearch)
///
/// As `GET /indexes/{uid}`.
#[utoipa::path(
    get, path = "/indexes/{uid}", tag = "meilisearch",
    params(("uid" = String, Path, description = "`workflows`")),
    responses((status = 200, body = Value), (status = 404, body = Value)),
)]
pub(crate) async fn meili_index(Path(uid): Path<String>) -> Result<Json<Value>> {
    known(&uid)?;
    Ok(Json(index_body()))
}

/// The indexes (Meilisearch)
///
/// As `GET /indexes`: there is one.
#[utoipa::path(get, path = "/indexes", tag = "meilisearch", responses((status = 200, body = Value)))]
pub(crate) async fn meili_indexes() -> Json<Value> {
    Json(json!({ "results": [index_body()], "offset": 0, "limit": 20, "total": 1 }))
}

/// Health (Meilisearch)
///
/// As `GET /health`. `/readyz` says more.
#[utoipa::path(
    get, path = "/health", tag = "meilisearch",
    responses((status = 200, body = Value), (status = 503, body = Value)),
)]
pub(crate) async fn meili_health(State(context): State<ApiContext>) -> Result<Json<Value>> {
    if !context.index.status().ready {
        return Err(MeiliError::not_ready());
    }
    Ok(Json(json!({ "status": "available" })))
}

/// Version (Meilisearch)
///
/// As `GET /version`: the version whose search API this follows.
#[utoipa::path(get, path = "/version", tag = "meilisearch", responses((status = 200, body = Value)))]
pub(crate) async fn meili_version() -> Json<Value> {
    Json(json!({ "commitSha": "unknown", "commitDate": "unknown", "pkgVersion": SPOKEN_VERSION }))
}

/// Refuses what the API has besides: everything that writes or administers, as to a key without that right.
pub(crate) async fn meili_refused() -> MeiliError {
    MeiliError::forbidden()
}

/// Refuses a name that is not the index's.
fn known(uid: &str) -> Result<()> {
    order_of(uid).map(|_| ()).ok_or_else(|| MeiliError::index_not_found(uid))
}

fn index_body() -> Value {
    let mut body = Map::new();
    body.insert("uid".to_owned(), json!(INDEX));
    // It is as old as the database, which is not asked here.
    body.insert("createdAt".to_owned(), json!("1970-01-01T00:00:00Z"));
    body.insert("updatedAt".to_owned(), json!(Utc::now()));
    body.insert("primaryKey".to_owned(), json!(PRIMARY_KEY));
    Value::Object(body)
}

/// The status of an answer to too much at once.
const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
