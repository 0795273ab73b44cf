//! What every request gets around it: an id, one line in the log, and an error body where none was written.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, histogram};
use store::UserId;
use tracing::{error, info, warn};
use ulid::Ulid;

use crate::error::{LoggedCause, Problem};

/// Header that carries a request's id, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken over from a client.
const MAX_ID_CHARS: usize = 64;

/// What is learnt about a request on its way, for its line in the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestNotes(Arc<OnceLock<UserId>>);

impl RequestNotes {
    /// Notes who asks.
    pub(crate) fn set_user(&self, user: UserId) {
        // A second extractor finds the same user.
        let _ = self.0.set(user);
    }
}

/// Gives the request its id and writes its line: route, status, duration and user id. No address of a client, and nothing of the
/// query, which may be personal.
pub(crate) async fn log_request(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let notes = RequestNotes::default();
    request.extensions_mut().insert(notes.clone());
    let mut response = next.run(request).await;
    let status = response.status();
    let route = response
        .extensions()
        .get::<Route>()
        .map_or_else(|| "-".to_owned(), |route| route.0.as_str().to_owned());
    measure(&method, &route, status, started.elapsed().as_secs_f64());
    let user_id = notes.0.get().map(|user| user.0);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let cause = response.extensions().get::<LoggedCause>().map(|cause| cause.0.to_string());
    let (id_text, status_number, cause) = (id.to_str().unwrap_or_default(), status.as_u16(), cause.as_deref());
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        error!(request_id = id_text, %method, route, status = status_number, duration_ms, user_id, cause, "request");
    } else if status.is_server_error() {
        warn!(request_id = id_text, %method, route, status = status_number, duration_ms, user_id, cause, "request");
    } else {
        info!(request_id = id_text, %method, route, status = status_number, duration_ms, user_id, "request");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Counts a request. Labels are of what we know, so that nobody can make up new ones.
fn measure(method: &Method, route: &str, status: StatusCode, seconds: f64) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let route = route.to_owned();
    let status = status.as_u16().to_string();
    histogram!("cookbook_http_request_seconds", "method" => method, "route" => route.clone()).record(seconds);
    counter!("cookbook_http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
}

/// The route that a request matched, handed from inside the router to the line in the log.
#[derive(Clone, Debug)]
struct Route(MatchedPath);

/// Notes the matched route, where there is one.
pub(crate) async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(Route(route));
    }
    response
}

/// The client's own id where it is harmless, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| {
            let id = id.as_bytes();
            !id.is_empty()
                && id.len() <= MAX_ID_CHARS
                && id
                    .iter()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        })
        .cloned()
        .or_else(|| HeaderValue::from_str(&Ulid::generate().to_string()).ok())
        .unwrap_or_else(|| HeaderValue::from_static("-"))
}

/// Turns errors that the framework answered by itself (no such route, wrong method, body too large) into problems like ours.
pub(crate) async fn explain_bare_errors(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
    if !is_error || is_ours {
        return response;
    }
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this address does not take that method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "this address does not read bodies of that type"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "not available at the moment"),
        _ if status.is_client_error() => ("bad_request", "the request cannot be read"),
        _ => ("internal", "something went wrong on our side"),
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let extensions = response.extensions().clone();
    let mut problem = Problem::new(status, code, detail.to_owned(), Vec::new()).into_response();
    problem.extensions_mut().extend(extensions);
    if let Some(allow) = allow {
        problem.headers_mut().insert(header::ALLOW, allow);
    }
    problem
}

/// Headers that make browsers careful, unless the handler set its own.
pub(crate) async fn secure_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
