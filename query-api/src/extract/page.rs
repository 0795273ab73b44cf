//! Pages by position: `?limit=` and `?cursor=`.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError};

/// Entries of a page, when nothing is said.
const DEFAULT_LIMIT: u32 = 20;

/// Most entries of a page.
const MAX_LIMIT: u32 = 100;

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Entries wanted, at most 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

impl FromRequestParts<ApiContext> for PageParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let Query(params) = Query::<Self>::from_request_parts(parts, context)
            .await
            .map_err(|error| ApiError::BadRequest {
                code: "bad_query",
                detail: error.body_text(),
            })?;
        if params.limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
            let error = FieldError::new("limit", format!("must be from 1 to {MAX_LIMIT}"));
            return Err(ApiError::Invalid(vec![error]));
        }
        Ok(params)
    }
}

impl PageParams {
    /// Entries wanted.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// Where the page before ended, in the terms of this list.
    ///
    /// # Errors
    /// It is no cursor of this list.
    pub(crate) fn after<T: Cursor>(&self) -> Result<Option<T>, ApiError> {
        self.cursor
            .as_deref()
            .map(|cursor| {
                T::read(cursor).ok_or_else(|| ApiError::Invalid(vec![FieldError::new("cursor", "is no cursor of this list")]))
            })
            .transpose()
    }
}

/// A position in a list, in the form that clients hand back.
pub(crate) trait Cursor: Sized {
    /// Reads what [`Cursor::write`] wrote.
    fn read(text: &str) -> Option<Self>;
    /// Writes it in characters that need no escaping in addresses.
    fn write(&self) -> String;
}
