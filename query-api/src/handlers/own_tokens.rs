//! One's own tokens: listed, made, given a new secret, revoked. Another's are 404, to admins too.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use store::token::{self, NewToken, TokenRow};
use store::{StoreError, TokenId};
use utoipa::ToSchema;

use crate::accounts::{self, MAX_TOKENS, Refused};
use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::{ApiError, Problem};
use crate::extract::{JsonBody, SignedIn};

/// Longest life of a token that has an end, in days.
const MAX_DAYS: u32 = 3650;

/// There is none of yours.
const NO_TOKEN: ApiError = ApiError::NotFound("token");

/// A token, as lists show it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenBody {
    /// Its id.
    id: u64,
    /// What it is for.
    #[schema(example = "laptop")]
    name: String,
    /// Whether this request was sent with it.
    is_current: bool,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
    /// When it ends; null for one that does not.
    expires_at: Option<DateTime<Utc>>,
}

/// All valid tokens, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TokenList {
    /// The tokens, at most 50.
    items: Vec<TokenBody>,
}

/// A token to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenBody {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "backup script")]
    name: String,
    /// Days after which it ends; never, when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    days: Option<u32>,
}

/// A token, as sent once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub(crate) struct IssuedTokenBody {
    /// The token itself. It is shown this once.
    token: String,
    /// Its id.
    id: u64,
    /// When it ends; null for one that does not.
    expires_at: Option<DateTime<Utc>>,
}

impl TokenBody {
    fn new(row: TokenRow, current: TokenId) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            is_current: row.id == current,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

/// List own tokens
///
/// Those that are neither revoked nor past their end, sessions among them; never in clear.
#[utoipa::path(
    get, path = "/v1/me/tokens", tag = "accounts",
    responses((status = 200, body = TokenList), (status = 401, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_own_tokens(State(context): State<ApiContext>, user: SignedIn) -> Result<Json<TokenList>, ApiError> {
    let rows = token::list_valid(&mut *context.connection().await?, user.user_id, MAX_TOKENS).await?;
    let items = rows.into_iter().map(|row| TokenBody::new(row, user.token_id)).collect();
    Ok(Json(TokenList { items }))
}

/// Make a token
///
/// For a program of one's own. Its answer is never kept for an `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/me/tokens", tag = "accounts",
    request_body = NewTokenBody,
    responses(
        (status = 201, body = IssuedTokenBody),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 409, body = Problem, description = "`too_many_tokens`"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn create_token(
    State(context): State<ApiContext>,
    user: SignedIn,
    JsonBody(asked): JsonBody<NewTokenBody>,
) -> Result<(StatusCode, Json<IssuedTokenBody>), ApiError> {
    let mut refused = Refused::default();
    let name = refused.check("name", accounts::token_name(&asked.name)).unwrap_or_default();
    if asked.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        refused.check::<()>("days", Err(format!("must be from 1 to {MAX_DAYS}")));
    }
    refused.end()?;
    let (id, token) = accounts::new_token(&context, user.user_id, name, asked.days, false).await?;
    let issued = IssuedTokenBody {
        token: token.expose().to_owned(),
        id: id.0,
        expires_at: asked.days.map(|days| Utc::now() + TimeDelta::days(days.into())),
    };
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Rotate a token
///
/// Makes another of the same name and end in its place, and ends it.
#[utoipa::path(
    post, path = "/v1/me/tokens/{id}/rotate", tag = "accounts",
    params(("id" = u64, Path, description = "Id of the token")),
    responses((status = 201, body = IssuedTokenBody), (status = 401, body = Problem), (status = 404, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn rotate_token(
    State(context): State<ApiContext>,
    user: SignedIn,
    id: Result<Path<u64>, axum::extract::rejection::PathRejection>,
) -> Result<(StatusCode, Json<IssuedTokenBody>), ApiError> {
    let id = TokenId(id.map_err(|_| NO_TOKEN)?.0);
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        let old = token::find_own(&mut tx, user.user_id, id).await?.ok_or(NO_TOKEN)?;
        // Of two that rotate at once, the second finds it revoked.
        if !token::revoke(&mut tx, id).await? {
            return Err(NO_TOKEN);
        }
        let new = NewToken::generate().map_err(ApiError::internal)?;
        let new_id = token::create(&mut tx, user.user_id, &old.name, &new, old.expires_at).await?;
        tx.commit().await.map_err(StoreError::from)?;
        let issued = IssuedTokenBody {
            token: new.expose().to_owned(),
            id: new_id.0,
            expires_at: old.expires_at,
        };
        Ok((StatusCode::CREATED, Json(issued)))
    })
    .await
}

/// Revoke a token
#[utoipa::path(
    delete, path = "/v1/me/tokens/{id}", tag = "accounts",
    params(("id" = u64, Path, description = "Id of the token")),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn revoke_token(
    State(context): State<ApiContext>,
    user: SignedIn,
    id: Result<Path<u64>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = TokenId(id.map_err(|_| NO_TOKEN)?.0);
    let mut db = context.connection().await?;
    token::find_own(&mut db, user.user_id, id).await?.ok_or(NO_TOKEN)?;
    token::revoke(&mut db, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
