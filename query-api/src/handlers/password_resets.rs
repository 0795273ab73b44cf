//! A new password for who forgot theirs: asked for, and set by the link in the mail.

use std::time::Instant;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use chrono::Utc;
use serde::Deserialize;
use store::queue::{self, JobPayload, SendMail};
use store::{StoreError, token, user};
use utoipa::ToSchema;

use super::registrations::{CHECK_YOUR_MAIL, CheckYourMailBody, LinkParams, bad_link, escaped, link, page};
use crate::accounts::{self, Refused};
use crate::client::Client;
use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::{ApiError, Problem};
use crate::extract::{JsonBody, read_json};

/// Largest body of a new password, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// Whose password.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordReset)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordResetBody {
    /// E-mail address of the account.
    #[schema(example = "producer-017@example.org")]
    email: String,
}

/// The new password.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPassword)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPasswordBody {
    /// Password.
    #[schema(min_length = 10, max_length = 256)]
    password: String,
}

/// Ask for a new password
///
/// The answer is always to check the mail, and takes the same time whether or not there is such an account.
#[utoipa::path(
    post, path = "/v1/password-resets", tag = "accounts",
    request_body = PasswordResetBody,
    responses(
        (status = 202, body = CheckYourMailBody),
        (status = 400, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
)]
pub(crate) async fn ask_for_password_reset(
    State(context): State<ApiContext>,
    Client(from): Client,
    JsonBody(asked): JsonBody<PasswordResetBody>,
) -> Result<(StatusCode, Json<CheckYourMailBody>), ApiError> {
    let started = Instant::now();
    let mut refused = Refused::default();
    let email = refused.check("email", accounts::email(&asked.email)).unwrap_or_default();
    refused.end()?;
    let _place = context.passwords.place_to_log_in()?;
    let outcome = enqueue_mail(&context, &email, from).await;
    context.passwords.wait_out(started).await;
    outcome?;
    Ok((StatusCode::ACCEPTED, Json(CHECK_YOUR_MAIL)))
}

async fn enqueue_mail(context: &ApiContext, email: &str, from: std::net::IpAddr) -> Result<(), ApiError> {
    if !accounts::may_mail(context, email, from).await? {
        return Ok(());
    }
    let mut db = context.connection().await?;
    let Some(credentials) = user::credentials_by_email(&mut db, email).await? else {
        return Ok(());
    };
    if user::has_left(&mut db, credentials.id).await? {
        return Ok(());
    }
    let mail = SendMail::PasswordReset {
        user_id: credentials.id,
        asked_at_s: Utc::now().timestamp(),
    };
    queue::enqueue(&mut db, &mail, None).await?;
    context.wake.notify(SendMail::QUEUE);
    Ok(())
}

/// Look at a reset
///
/// The page that the link in the mail opens: a field for the new password.
#[utoipa::path(
    get, path = "/v1/password-resets/confirm", tag = "accounts", params(LinkParams),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 400, body = Problem, description = "`bad_link`"),
    ),
)]
pub(crate) async fn show_password_reset(
    State(context): State<ApiContext>,
    params: Result<Query<LinkParams>, QueryRejection>,
) -> Result<Response, ApiError> {
    let (token, link) = link(params)?;
    let mut db = context.connection().await?;
    user::credentials(&mut db, link.user())
        .await?
        .filter(|credentials| link.resets(&context.key, credentials))
        .ok_or_else(bad_link)?;
    let account = user::account(&mut db, link.user()).await?.ok_or_else(bad_link)?;
    Ok(page(
        "Set a new password",
        &format!(
            "<p>For the account <b>@{}</b>.</p>\
             <form method=\"post\" action=\"/v1/password-resets/confirm?token={token}\">\
             <input type=\"password\" name=\"password\" minlength=\"10\" maxlength=\"256\" autocomplete=\"new-password\" required> \
             <button>Set it</button></form>",
            escaped(&account.username)
        ),
    ))
}

/// Set a new password
///
/// By the link of the mail, which works once. All tokens end. The body is JSON, or the form of the page that the link opens.
#[utoipa::path(
    post, path = "/v1/password-resets/confirm", tag = "accounts", params(LinkParams),
    request_body(content((NewPasswordBody = "application/json"), (NewPasswordBody = "application/x-www-form-urlencoded"))),
    responses(
        (status = 204),
        (status = 400, body = Problem, description = "`bad_link`"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
)]
pub(crate) async fn set_password(
    State(context): State<ApiContext>,
    params: Result<Query<LinkParams>, QueryRejection>,
    headers: HeaderMap,
    body: String,
) -> Result<StatusCode, ApiError> {
    let (_, link) = link(params)?;
    let asked = read_password(&headers, &body)?;
    let mut refused = Refused::default();
    let password = refused.check("password", accounts::password(asked.password));
    refused.end()?;
    // Before the costly hash.
    let seen = user::credentials(&mut *context.connection().await?, link.user())
        .await?
        .filter(|credentials| link.resets(&context.key, credentials))
        .ok_or_else(bad_link)?;
    let hash = context.passwords.hash(password.unwrap_or_default()).await?;
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        if !user::replace_password(&mut tx, &seen, &hash).await? {
            return Err(bad_link());
        }
        // Whoever read the mail has the address.
        user::verify_email(&mut tx, seen.id).await?;
        token::revoke_all(&mut tx, seen.id, None).await?;
        queue::enqueue(&mut tx, &SendMail::PasswordChanged { user_id: seen.id }, None).await?;
        tx.commit().await.map_err(StoreError::from)?;
        context.wake.notify(SendMail::QUEUE);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Reads JSON, or what a page's form sends.
fn read_password(headers: &HeaderMap, body: &str) -> Result<NewPasswordBody, ApiError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(ApiError::TooLarge {
            what: "body",
            limit: MAX_BODY_BYTES as u64,
        });
    }
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    match kind.trim().to_ascii_lowercase().as_str() {
        "application/json" => read_json(body.as_bytes()),
        // A form is written as the query of an address is.
        "application/x-www-form-urlencoded" => format!("/?{body}")
            .parse::<Uri>()
            .ok()
            .and_then(|uri| Query::<NewPasswordBody>::try_from_uri(&uri).ok())
            .map(|Query(body)| body)
            .ok_or_else(|| ApiError::BadRequest {
                code: "bad_form",
                detail: "the form has no field `password`, or others".to_owned(),
            }),
        _ => Err(ApiError::UnsupportedMediaType("application/json")),
    }
}
