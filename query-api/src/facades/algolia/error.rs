//! Errors, in the form in which Algolia has them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::ApiError;
use crate::facades::{in_place_of, other_words};

/// Seconds after which a client may try again when there is too much to do.
const RETRY_AFTER_S: u32 = 5;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(crate) struct AlgoliaError {
    status: StatusCode,
    message: String,
    /// Carries what lies behind it to the log.
    cause: Option<Box<ApiError>>,
}

impl AlgoliaError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            cause: None,
        }
    }

    /// The request is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no index of that name.
    pub(super) fn index_not_found(name: &str) -> Self {
        let name: String = name.chars().take(256).collect();
        Self::new(StatusCode::NOT_FOUND, format!("Index {name} does not exist"))
    }

    /// There is no such document.
    pub(super) fn object_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ObjectID does not exist")
    }

    /// Nobody has the right.
    pub(super) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Method not allowed with this API key")
    }

    /// The body is too large.
    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large")
    }
}

impl From<ApiError> for AlgoliaError {
    fn from(error: ApiError) -> Self {
        let status = match &error {
            ApiError::Invalid(_) | ApiError::BadRequest { .. } => StatusCode::BAD_REQUEST,
            ApiError::Unavailable { .. } | ApiError::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            message: error.to_string(),
            cause: Some(Box::new(error)),
            status,
        }
    }
}

impl IntoResponse for AlgoliaError {
    fn into_response(self) -> Response {
        let body = json!({ "message": self.message, "status": self.status.as_u16() });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
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
        StatusCode::PAYLOAD_TOO_LARGE => AlgoliaError::too_large(),
        StatusCode::TOO_MANY_REQUESTS => AlgoliaError::new(status, "Too many requests"),
        _ => AlgoliaError::new(status, status.canonical_reason().unwrap_or("The request cannot be answered")),
    };
    in_place_of(response, told.into_response())
}
