//! Which user: the handle in the path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use store::{UserId, user};

use crate::context::ApiContext;
use crate::error::ApiError;

/// Longest handle, as the column has it.
const MAX_USERNAME_CHARS: usize = 50;

/// There is none, or they are not active: both look the same.
const NO_USER: ApiError = ApiError::NotFound("user");

/// The active user whom `{username}` of a path names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserPath(pub(crate) UserId);

impl FromRequestParts<ApiContext> for UserPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let Path(username) = Path::<String>::from_request_parts(parts, context)
            .await
            .map_err(|_| NO_USER)?;
        if username.chars().count() > MAX_USERNAME_CHARS {
            return Err(NO_USER);
        }
        let mut db = context.connection().await?;
        user::find_active(&mut db, &username).await?.map(Self).ok_or(NO_USER)
    }
}
