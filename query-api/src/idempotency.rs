//! `Idempotency-Key`: a POST that is sent again, because its answer was lost, is answered as before and not done again
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! A key is its user's. The first request of a key does the work, also when its client hangs up; others of the same key wait for its answer.
//! Only answers that say that something was done are kept: after an error nothing was, and trying again may succeed. The transaction that does
//! the work says so of the key (see `crate::transaction`), so a process that dies before it has kept the answer leaves a key of
//! which the answer is lost, and not one that does it twice.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use store::StoreError;
use store::idempotent::{self, KeptAnswer, Turn};
use store::{Db, UserId};
use tracing::warn;

use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::ApiError;
use crate::extract::MaybeSignedIn;

/// The header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Headers that are part of an answer, and not of the way in which it was sent.
const KEPT_HEADERS: &[&str] = &["content-type", "location", "index-position", "etag"];

/// Longest key, in characters.
pub(crate) const MAX_KEY_CHARS: usize = 255;

/// Largest answer, in bytes: one about what was made, never a list.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long a request waits for another of its key, and how often it looks.
const WAIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(40));

/// Routes whose answers hold a secret, which is stored nowhere.
pub(crate) const SECRET_ROUTES: &[&str] = &["/v1/sessions", "/v1/me/tokens", "/v1/me/tokens/{id}/rotate"];

tokio::task_local! {
    /// The claim of the request that is being answered.
    static CLAIM: idempotent::Claim;
}

/// The claim that the request being answered holds on its key, if it has one; for the transaction that does its work.
pub(crate) fn claim() -> Option<idempotent::Claim> {
    CLAIM.try_with(Clone::clone).ok()
}

/// What a request is told while another of its key is at work.
pub(crate) fn is_running() -> ApiError {
    ApiError::Conflict {
        code: "request_running",
        detail: "another request with this `Idempotency-Key` is still worked on".to_owned(),
    }
}

/// Does a POST with a key once.
pub(crate) async fn once(State(context): State<ApiContext>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY) else {
        return next.run(request).await;
    };
    if request.method() != Method::POST || SECRET_ROUTES.contains(&path) || !request.headers().contains_key(header::AUTHORIZATION)
    {
        return next.run(request).await;
    }
    let Some(key) = readable(key) else {
        return ApiError::BadRequest {
            code: "bad_idempotency_key",
            detail: format!("`Idempotency-Key` must be 1 to {MAX_KEY_CHARS} printable ASCII characters"),
        }
        .into_response();
    };
    match once_by_key(context, &key, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

/// The key, without the quotation marks that structured headers have.
fn readable(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?.trim().trim_matches('"');
    (!text.is_empty() && text.len() <= MAX_KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '))
        .then(|| text.to_owned())
}

async fn once_by_key(context: ApiContext, key: &str, request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let MaybeSignedIn(user) = MaybeSignedIn::from_request_parts(&mut parts, &context).await?;
    let Some(user) = user else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    // The parts of a form are separated by other bytes each time, and files are told apart by their hash anyway.
    let is_form = content_type(&parts.headers).starts_with("multipart/");
    let (body, bytes) = if is_form {
        (body, Bytes::new())
    } else {
        let limit = context.settings.http.max_body_bytes;
        let bytes = to_bytes(body, limit).await.map_err(|_| ApiError::TooLarge {
            what: "body",
            limit: limit as u64,
        })?;
        (Body::from(bytes.clone()), bytes)
    };
    let request_hash = digest(&[
        parts.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes(),
        if is_form {
            b"form"
        } else {
            content_type(&parts.headers).as_bytes()
        },
        &bytes,
    ]);
    let request = Request::from_parts(parts, body);
    let key_hash = key_of(user.user_id, key);
    let settings = &context.settings.http;
    // Longer than any request takes: a claim that has ended is a dead process'.
    let claim_s = u32::try_from(settings.request_timeout_s * 2 + 5).unwrap_or(u32::MAX);
    let started = tokio::time::Instant::now();
    loop {
        let mut db = context.connection().await?;
        let turn = idempotent::take_turn(&mut db, key_hash, request_hash, settings.idempotency_keep_h, claim_s).await;
        drop(db);
        match turn {
            Ok(Turn::Yours(claim)) => {
                let db = context.db.clone();
                return detached(async move { Ok(work(&db, claim, request, next).await) }).await;
            }
            Ok(Turn::Done(answer)) => return replay(answer),
            Ok(Turn::OtherRequest) => {
                return Err(ApiError::Unprocessable {
                    code: "idempotency_key_reused",
                    detail: "this `Idempotency-Key` was sent with another request".to_owned(),
                });
            }
            Ok(Turn::Running) if started.elapsed() < WAIT.0 => {}
            Ok(Turn::Running) => return Err(is_running()),
            Ok(Turn::AnswerLost) => {
                return Err(ApiError::Conflict {
                    code: "answer_lost",
                    detail: "what was asked for with this `Idempotency-Key` is done, and its answer is lost".to_owned(),
                });
            }
            Err(error) if error.is_lock_conflict() && started.elapsed() < WAIT.0 => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(WAIT.1).await;
    }
}

/// Whose key: another's like is another.
fn key_of(user: UserId, key: &str) -> [u8; 32] {
    digest(&[&user.0.to_be_bytes(), key.as_bytes()])
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Does the work, and keeps its answer or gives the key back.
async fn work(db: &Db, claim: idempotent::Claim, request: Request, next: Next) -> Response {
    let response = CLAIM.scope(claim.clone(), next.run(request)).await;
    if !response.status().is_success() {
        give_back(db, &claim).await;
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = match to_bytes(body, MAX_ANSWER_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) => {
            give_back(db, &claim).await;
            return ApiError::internal(std::io::Error::other(error.to_string())).into_response();
        }
    };
    let headers: Vec<(&str, &str)> = KEPT_HEADERS
        .iter()
        .filter_map(|name| Some((*name, parts.headers.get(*name)?.to_str().ok()?)))
        .collect();
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        headers: serde_json::to_string(&headers).unwrap_or_default(),
        body: bytes.to_vec(),
    };
    let kept = async { idempotent::keep(&mut *db.acquire().await?, &claim, &answer).await };
    if let Err(error) = kept.await {
        warn!(%error, "the answer to a request with an idempotency key was not kept");
    }
    Response::from_parts(parts, Body::from(bytes))
}

async fn give_back(db: &Db, claim: &idempotent::Claim) {
    let released = async { idempotent::release(&mut *db.acquire().await.map_err(StoreError::from)?, claim).await };
    if let Err(error) = released.await {
        warn!(%error, "an idempotency key was not given back, and ends by itself");
    }
}

/// An answer that was given before.
fn replay(answer: KeptAnswer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
    let mut response = (status, Body::from(answer.body)).into_response();
    let kept: Vec<(String, String)> = serde_json::from_str(&answer.headers).unwrap_or_default();
    for (name, value) in kept {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
