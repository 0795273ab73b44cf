//! Whether the process lives, and whether what it leans on is there.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::ApiContext;

/// Longest wait for a sign of life of one part.
const PATIENCE: Duration = Duration::from_secs(2);

/// Health, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` when everything is there. `degraded` when something is down that search does without. `down` when search does not answer.
    #[schema(example = "ok")]
    status: &'static str,
    /// MySQL: `ok` or `down`.
    database: &'static str,
    /// Redis: `ok`, `down`, or `none` where none is configured.
    redis: &'static str,
    /// The file store: `ok` or `down`.
    files: &'static str,
    /// The search index: `ok`, or `building`.
    index: &'static str,
    /// Position in the log of changes that the index reflects.
    index_position: u64,
    /// Documents in the index.
    index_documents: u64,
}

/// Whether the process lives
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, content_type = "text/plain", body = String)))]
pub(crate) async fn get_livez() -> &'static str {
    "ok\n"
}

/// What is there and what is down
///
/// 200 when everything is there, else 503, with each part's state. Search answers without the database and without Redis.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(crate) async fn get_readyz(State(context): State<ApiContext>) -> (StatusCode, Json<Health>) {
    let (has_database, redis, has_files) =
        tokio::join!(database_answers(&context), redis_state(&context), files_answer(&context));
    let index = context.index.status();
    let status = if !index.ready {
        "down"
    } else if has_database && redis != "down" && has_files {
        "ok"
    } else {
        "degraded"
    };
    let health = Health {
        status,
        database: word(has_database),
        redis,
        files: word(has_files),
        index: if index.ready { "ok" } else { "building" },
        index_position: index.position,
        index_documents: index.documents,
    };
    let code = if status == "ok" {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(health))
}

fn word(is_there: bool) -> &'static str {
    if is_there { "ok" } else { "down" }
}

async fn database_answers(context: &ApiContext) -> bool {
    tokio::time::timeout(PATIENCE, store::health::database(&context.db))
        .await
        .is_ok_and(|answer| answer.is_ok())
}

async fn files_answer(context: &ApiContext) -> bool {
    context.files.ping().await.is_ok()
}

async fn redis_state(context: &ApiContext) -> &'static str {
    if context.settings.redis.url.is_empty() {
        return "none";
    }
    let answer = tokio::time::timeout(PATIENCE, store::health::redis(&context.settings.redis)).await;
    word(answer.is_ok_and(|answer| answer.is_ok()))
}
