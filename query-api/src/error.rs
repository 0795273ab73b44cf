//! One error for every answer that is none: problem+json (RFC 9457) with a stable `code`.
//!
//! What caused an internal error is logged once, with the request's line ([`crate::observe`]), and never sent.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ingest::upload::UploadError;
use serde::{Deserialize, Serialize};
use store::StoreError;
use store::files::FilesError;
use utoipa::ToSchema;

/// Media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client may try again when something is down or too busy.
const RETRY_AFTER_S: u32 = 5;

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There is no such thing, or it is another's and private.
    #[error("{0} does not exist")]
    NotFound(&'static str),
    /// No token, or one that is unknown, ended or of a suspended account.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The thing is visible, but not yours to change.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The request cannot be read: its form is wrong.
    #[error("{detail}")]
    BadRequest {
        /// Stable name.
        code: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The request can be read, but fields of it are refused.
    #[error("{}", .0.first().map_or_else(|| "fields are refused".to_owned(), |error| format!("`{}` {}", error.field, error.message)))]
    Invalid(Vec<FieldError>),
    /// The uploaded file is no rack; code and message are the parser's.
    #[error("{detail}")]
    NotARack {
        /// Stable name.
        code: &'static str,
        /// What it is instead.
        detail: String,
    },
    /// It cannot be done in the present state.
    #[error("{detail}")]
    Conflict {
        /// Stable name.
        code: &'static str,
        /// What has to happen first.
        detail: String,
    },
    /// It cannot be done at all, although each field is well.
    #[error("{detail}")]
    Unprocessable {
        /// Stable name.
        code: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Too much was asked for.
    #[error("{detail}")]
    TooManyRequests {
        /// Of what.
        detail: String,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A body or file is too large.
    #[error("the {what} is larger than {limit} bytes")]
    TooLarge {
        /// What is.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The body is of a type that this route does not read.
    #[error("the body must be `{0}`")]
    UnsupportedMediaType(&'static str),
    /// The request took too long.
    #[error("the request took longer than allowed")]
    TimedOut,
    /// Something that the answer needs is down or busy; trying again helps.
    #[error("{what} is not available at the moment")]
    Unavailable {
        /// What is.
        what: &'static str,
        /// Why, for the log.
        cause: Option<Cause>,
    },
    /// Our fault.
    #[error("something went wrong on our side")]
    Internal(Cause),
}

/// What lies behind an error: for the log only.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A refused field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Name of the field or parameter.
    #[schema(example = "bpm")]
    pub field: String,
    /// Why it is refused, to be read after the field's name.
    #[schema(example = "must be from 20 to 999 beats per minute")]
    pub message: String,
}

impl FieldError {
    /// Names a field and why it is refused.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// An error, as sent (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem: `urn:cookbook:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:cookbook:problem:not_found")]
    pub kind: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// The status.
    #[schema(example = 404)]
    pub status: u16,
    /// Stable name of the problem, for programs.
    #[schema(example = "not_found")]
    pub code: String,
    /// What is wrong, for people.
    #[schema(example = "workflow does not exist")]
    pub detail: String,
    /// Fields that are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    /// Our fault, with what lies behind it.
    pub fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Arc::new(cause))
    }

    /// The status that it is sent with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::NotARack { .. } | Self::Unprocessable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TimedOut | Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Stable name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::BadRequest { code, .. }
            | Self::NotARack { code, .. }
            | Self::Conflict { code, .. }
            | Self::Unprocessable { code, .. } => code,
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Invalid(_) => "invalid_fields",
            Self::TooLarge { .. } => "too_large",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::TimedOut => "timed_out",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    fn problem(&self) -> Problem {
        Problem::new(
            self.status(),
            self.code(),
            self.to_string(),
            match self {
                Self::Invalid(errors) => errors.clone(),
                _ => Vec::new(),
            },
        )
    }

    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Internal(cause) => Some(Arc::clone(cause)),
            Self::Unavailable { cause, .. } => cause.clone(),
            _ => None,
        }
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: String, errors: Vec<FieldError>) -> Self {
        Self {
            kind: format!("urn:cookbook:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail,
            errors,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"cookbook\""),
            );
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }
}

/// Carries the cause of an error from where it is answered to where it is logged.
#[derive(Clone, Debug)]
pub(crate) struct LoggedCause(pub(crate) Cause);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        if let Self::TooManyRequests { retry_after, .. } = &self {
            let seconds = retry_after.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = self.cause() {
            response.extensions_mut().insert(LoggedCause(cause));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Files(FilesError::NotFound(_)) => Self::NotFound("file"),
            error if error.is_unreachable() => Self::Unavailable {
                what: match error {
                    StoreError::Files(_) => "the file store",
                    _ => "the database",
                },
                cause: Some(Arc::new(error)),
            },
            error if error.is_lock_conflict() => Self::Unavailable {
                what: "the workflow, which others are changing,",
                cause: Some(Arc::new(error)),
            },
            error => Self::Internal(Arc::new(error)),
        }
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        StoreError::from(error).into()
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { limit } => Self::TooLarge { what: "file", limit },
            UploadError::NotARack(error) => Self::NotARack {
                code: error.code(),
                detail: error.to_string(),
            },
            UploadError::Store(error) => error.into(),
        }
    }
}
