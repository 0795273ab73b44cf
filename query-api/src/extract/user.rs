//! Which user: the handle in the path, loaded where the policy needs it.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use store::profile::{self, Profile};
use store::{UserId, user};

use super::{MaybeSignedIn, SignedIn};
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
        let username = username(parts, context).await?;
        let mut db = context.connection().await?;
        user::find_active(&mut db, &username).await?.map(Self).ok_or(NO_USER)
    }
}

/// The user of the `{username}` in a path, who is there for everybody to see, or for this viewer because they are an admin or it is they.
#[derive(Debug)]
pub(crate) struct VisibleUser(pub(crate) Profile);

/// The user of the `{username}` in a path, whatever their state: for what their owner or an admin does.
#[derive(Debug)]
pub(crate) struct AnyUser(pub(crate) Profile);

impl FromRequestParts<ApiContext> for AnyUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let username = username(parts, context).await?;
        let mut db = context.connection().await?;
        let id = user::find_by_username(&mut db, &username).await?.ok_or(NO_USER)?;
        profile::find(&mut db, id).await?.map(Self).ok_or(NO_USER)
    }
}

impl FromRequestParts<ApiContext> for VisibleUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let MaybeSignedIn(viewer) = MaybeSignedIn::from_request_parts(parts, context).await?;
        let AnyUser(profile) = AnyUser::from_request_parts(parts, context).await?;
        let is_insider = viewer.is_some_and(|viewer: SignedIn| viewer.is_admin || viewer.user_id == profile.id);
        if profile.is_visible || is_insider {
            Ok(Self(profile))
        } else {
            Err(NO_USER)
        }
    }
}

/// The handle, if it can be one.
async fn username(parts: &mut Parts, context: &ApiContext) -> Result<String, ApiError> {
    let Path(username) = Path::<String>::from_request_parts(parts, context)
        .await
        .map_err(|_| NO_USER)?;
    if username.chars().count() > MAX_USERNAME_CHARS {
        return Err(NO_USER);
    }
    Ok(username)
}
