//! Who asks: `Authorization: Bearer TOKEN`.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use store::{TokenId, UserId, token, user};
use tracing::warn;

use crate::context::ApiContext;
use crate::error::ApiError;
use crate::observe::RequestNotes;

/// Longest token that is looked at, in bytes; ours have 73.
const MAX_TOKEN_BYTES: usize = 256;

/// A signed-in user.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn {
    /// Who.
    pub user_id: UserId,
    /// By which token.
    pub token_id: TokenId,
    /// Whether they are an admin.
    pub is_admin: bool,
}

/// A signed-in user, or nobody. A token that is sent must be valid all the same.
#[derive(Clone, Copy, Debug)]
pub struct MaybeSignedIn(pub Option<SignedIn>);

/// A signed-in admin.
#[derive(Clone, Copy, Debug)]
pub struct Admin(pub SignedIn);

impl FromRequestParts<ApiContext> for MaybeSignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            return Ok(Self(None));
        };
        if let Some(found) = parts.extensions.get::<SignedIn>() {
            return Ok(Self(Some(*found)));
        }
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token.len() <= MAX_TOKEN_BYTES)
            .map(|(_, token)| token.trim())
            .ok_or(ApiError::Unauthenticated("the `Authorization` header must be `Bearer TOKEN`"))?;
        let mut db = context.connection().await?;
        let owner = token::find_owner(&mut db, token).await?.ok_or(ApiError::Unauthenticated(
            "the token is unknown, ended or revoked, or its account is not active",
        ))?;
        drop(db);
        if owner.use_is_stale {
            note_use(context, owner.token_id, owner.user_id);
        }
        if let Some(notes) = parts.extensions.get::<RequestNotes>() {
            notes.set_user(owner.user_id);
        }
        let found = SignedIn {
            user_id: owner.user_id,
            token_id: owner.token_id,
            is_admin: owner.is_admin,
        };
        // A request is looked at once, whoever of its extractors asks first.
        parts.extensions.insert(found);
        Ok(Self(Some(found)))
    }
}

/// Notes that the token was used and its user was here, at most once a minute, beside the request, which need not wait for it.
fn note_use(context: &ApiContext, id: TokenId, user_id: UserId) {
    let db = context.db.clone();
    tokio::spawn(async move {
        let noted = async {
            let mut db = db.acquire().await?;
            token::touch(&mut db, id).await?;
            user::touch(&mut db, user_id).await
        };
        if let Err(error) = noted.await {
            warn!(%error, token_id = %id, "use of a token was not noted");
        }
    });
}

impl FromRequestParts<ApiContext> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let MaybeSignedIn(user) = MaybeSignedIn::from_request_parts(parts, context).await?;
        user.ok_or(ApiError::Unauthenticated(
            "this needs a token: send `Authorization: Bearer TOKEN`",
        ))
    }
}

impl FromRequestParts<ApiContext> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let user = SignedIn::from_request_parts(parts, context).await?;
        if user.is_admin {
            Ok(Self(user))
        } else {
            Err(ApiError::Forbidden("this is for admins"))
        }
    }
}
