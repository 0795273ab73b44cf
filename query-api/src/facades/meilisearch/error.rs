//! Errors, in the form in which Meilisearch has them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::BUSY;
use crate::error::ApiError;
use crate::facades::{in_place_of, other_words};

/// Seconds after which a client may try again when there is too much to do: what Meilisearch says too.
const RETRY_AFTER_S: u32 = 10;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) struct MeiliError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Carries what lies behind it to the log.
    cause: Option<Box<ApiError>>,
}

impl MeiliError {
    /// The request is wrong.
    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
            cause: None,
        }
    }

    /// There is no such thing.
    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::invalid(code, message)
        }
    }

    /// There is no index of that name.
    pub(super) fn index_not_found(uid: &str) -> Self {
        let uid: String = uid.chars().take(512).collect();
        Self::not_found("index_not_found", format!("Index `{uid}` not found."))
    }

    /// Nobody has the right.
    pub(super) fn forbidden() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            ..Self::invalid("invalid_api_key", "The provided API key is invalid.")
        }
    }

    /// The body is too large.
    pub(super) fn too_large() -> Self {
        let message = "The provided payload reached the size limit.";
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Self::invalid("payload_too_large", message)
        }
    }

    /// The index is being built.
    pub(super) fn not_ready() -> Self {
        Self {
            status: BUSY,
            ..Self::invalid("index_not_accessible", "The index is being built.")
        }
    }

    /// Says where in the body it was.
    pub(super) fn inside(mut self, place: &str) -> Self {
        self.message.insert_str(0, place);
        self
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "auth",
            _ if self.code == "too_many_search_requests" || self.code == "index_not_accessible" => "system",
            status if status.is_server_error() => "internal",
            _ => "invalid_request",
        }
    }
}

impl From<ApiError> for MeiliError {
    fn from(error: ApiError) -> Self {
        let told = match &error {
            ApiError::Unavailable { what, .. } if what.starts_with("the index") => Self::not_ready(),
            ApiError::Unavailable { .. } | ApiError::TimedOut => Self {
                status: BUSY,
                ..Self::invalid(
                    "too_many_search_requests",
                    format!("Too many search requests running at the same time. Retry after {RETRY_AFTER_S}s."),
                )
            },
            ApiError::Invalid(_) | ApiError::BadRequest { .. } => Self::invalid("invalid_search_filter", error.to_string()),
            _ => Self {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                ..Self::invalid("internal", error.to_string())
            },
        };
        Self {
            cause: Some(Box::new(error)),
            ..told
        }
    }
}

impl IntoResponse for MeiliError {
    fn into_response(self) -> Response {
        let body = json!({
            "message": self.message,
            "code": self.code,
            "type": self.kind(),
            "link": format!("https://docs.meilisearch.com/errors#{}", self.code),
        });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == BUSY {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().extend(cause.into_response().extensions().clone());
        }
        response
    }
}

/// An answer that something before the handler gave (a limit, a body that is too large, a method that is not there), in these words.
pub(crate) async fn in_its_words(response: Response) -> Response {
    if !other_words(&response) {
        return response;
    }
    let status = response.status();
    let told = match status {
        StatusCode::PAYLOAD_TOO_LARGE => MeiliError::too_large(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => MeiliError {
            status,
            ..MeiliError::invalid("too_many_search_requests", "Too many search requests. Try again later.")
        },
        _ => {
            let code = if status.is_server_error() { "internal" } else { "bad_request" };
            MeiliError {
                status,
                ..MeiliError::invalid(code, status.canonical_reason().unwrap_or("The request cannot be answered."))
            }
        }
    };
    in_place_of(response, told.into_response())
}
