//! Logging in and out. A session is a token that ends by itself.

use std::net::IpAddr;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use store::{token, user};
use utoipa::ToSchema;

use crate::accounts::{self, Counted, Refusal, Refused};
use crate::client::Client;
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{JsonBody, SignedIn};

/// What a login that is refused is told, whatever is wrong.
const WRONG: &str = "there is no account with this address and password";

/// What one logs in with.
#[derive(Deserialize, ToSchema)]
#[schema(as = Login)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    /// E-mail address.
    #[schema(example = "producer-017@example.org")]
    email: String,
    /// Password.
    #[schema(max_length = 256)]
    password: String,
    /// What lists of tokens call it, such as the device.
    #[serde(default)]
    #[schema(max_length = 100, example = "laptop")]
    name: Option<String>,
}

/// A session, as sent once.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionBody {
    /// The token to send as `Authorization: Bearer …`. It is shown this once.
    token: String,
    /// Its id in the list of tokens.
    token_id: u64,
    /// When it ends.
    expires_at: DateTime<Utc>,
    /// Handle of who logged in.
    username: String,
}

/// Log in
///
/// Answers with a token that ends by itself after some days. What is refused takes the same time whether or not there is such an account.
/// An account that its owner deactivated is taken into use again.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "accounts",
    request_body = LoginBody,
    responses(
        (status = 201, body = SessionBody),
        (status = 400, body = Problem),
        (status = 401, body = Problem, description = "There is no account with this address and password"),
        (status = 403, body = Problem, description = "The account is suspended"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem, description = "Too many attempts of late"),
    ),
)]
pub(crate) async fn log_in(
    State(context): State<ApiContext>,
    Client(from): Client,
    JsonBody(login): JsonBody<LoginBody>,
) -> Result<(StatusCode, Json<SessionBody>), ApiError> {
    let started = Instant::now();
    let mut refused = Refused::default();
    let name = refused
        .check("name", accounts::token_name(login.name.as_deref().unwrap_or("login")))
        .unwrap_or_default();
    refused.end()?;
    let _place = context.passwords.place_to_log_in()?;
    match try_to_log_in(&context, login.email, login.password, from, name).await {
        Ok(session) => Ok((StatusCode::CREATED, Json(session))),
        Err(refusal) => {
            context.passwords.wait_out(started).await;
            Err(refusal.answer(&context, WRONG))
        }
    }
}

async fn try_to_log_in(
    context: &ApiContext,
    email: String,
    password: String,
    from: IpAddr,
    name: String,
) -> Result<SessionBody, Refusal> {
    // What is no address is nobody's, and counts and takes as long as any other.
    let email = accounts::email(&email).unwrap_or_default();
    let credentials = user::credentials_by_email(&mut *context.connection().await?, &email).await?;
    let counted = Counted::login(context, &email, from);
    let credentials = accounts::check_password(context, counted, credentials, password).await?;
    let mut db = context.connection().await?;
    let account = user::account(&mut db, credentials.id).await?.ok_or(Refusal::Wrong)?;
    if account.is_suspended {
        return Err(ApiError::Forbidden("the account is suspended").into());
    }
    if account.is_deactivated {
        user::reactivate(&mut db, account.id).await?;
    } else if !account.is_active {
        return Err(ApiError::Forbidden("the account is not in use").into());
    }
    user::touch(&mut db, account.id).await?;
    drop(db);
    let days = context.settings.auth.session_days;
    let (token_id, token) = accounts::new_token(context, account.id, name, Some(days), true).await?;
    Ok(SessionBody {
        token: token.expose().to_owned(),
        token_id: token_id.0,
        expires_at: Utc::now() + TimeDelta::days(days.into()),
        username: account.username,
    })
}

/// Log out
///
/// Ends the token that the request was sent with.
#[utoipa::path(
    delete, path = "/v1/sessions/current", tag = "accounts",
    responses((status = 204), (status = 401, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn log_out(State(context): State<ApiContext>, user: SignedIn) -> Result<StatusCode, ApiError> {
    token::revoke(&mut *context.connection().await?, user.token_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
