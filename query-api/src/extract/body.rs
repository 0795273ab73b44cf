//! JSON bodies, with errors that name what is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::context::ApiContext;
use crate::error::ApiError;

/// A JSON body of bounded size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiContext> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, context: &ApiContext) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| {
                let kind = kind.trim().to_ascii_lowercase();
                kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
            });
        if !is_json {
            return Err(ApiError::UnsupportedMediaType("application/json"));
        }
        let bytes = Bytes::from_request(request, context)
            .await
            .map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge {
                    what: "body",
                    limit: context.settings.http.max_body_bytes as u64,
                },
                _ => ApiError::BadRequest {
                    code: "broken_body",
                    detail: "the body ended early".to_owned(),
                },
            })?;
        read_json(&bytes).map(Self)
    }
}

/// Reads JSON. Whether it is none, or of another shape than asked for, the code tells.
pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (code, detail) = match error.classify() {
            serde_json::error::Category::Data => ("wrong_json", format!("the JSON is not what is asked for: {error}")),
            _ => ("malformed_json", format!("the body is not JSON: {error}")),
        };
        ApiError::BadRequest { code, detail }
    })
}
