//! New accounts: asked for, and made once the link in the mail is opened.
//!
//! The answer to whoever asks is the same whether or not the address has an account, and so is everything that follows but the mail.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use store::link::Link;
use store::queue::{self, JobPayload, SendMail};
use store::{StoreError, profile, registration};
use utoipa::{IntoParams, ToSchema};

use super::users::ProfileBody;
use crate::accounts::{self, Refused};
use crate::client::Client;
use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::{ApiError, Problem};
use crate::extract::JsonBody;

/// What an account is asked for with.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewAccount)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccountBody {
    /// Handle, public: letters, digits, `-`, `_` and `.`.
    #[schema(min_length = 1, max_length = 50, example = "producer-017")]
    username: String,
    /// E-mail address, never shown.
    #[schema(example = "producer-017@example.org")]
    email: String,
    /// Password.
    #[schema(min_length = 10, max_length = 256, example = "a long sentence is best")]
    password: String,
}

/// That a mail is on its way.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CheckYourMail)]
pub(crate) struct CheckYourMailBody {
    /// For people.
    #[schema(example = "check your mail")]
    message: &'static str,
}

/// The answer to whoever causes a mail, whatever will be in it.
pub(crate) const CHECK_YOUR_MAIL: CheckYourMailBody = CheckYourMailBody {
    message: "check your mail",
};

/// A link's proof.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LinkParams {
    /// What the link in the mail carries.
    token: String,
}

/// What a link brought, if it can be one.
pub(crate) fn link(params: Result<Query<LinkParams>, QueryRejection>) -> Result<(String, Link), ApiError> {
    let Query(LinkParams { token }) = params.map_err(|error| ApiError::BadRequest {
        code: "bad_query",
        detail: error.body_text(),
    })?;
    let link = Link::parse(&token).ok_or_else(bad_link)?;
    Ok((token, link))
}

/// A link that proves nothing.
pub(crate) fn bad_link() -> ApiError {
    ApiError::BadRequest {
        code: "bad_link",
        detail: "the link is wrong, was used before, or has ended".to_owned(),
    }
}

/// Ask for an account
///
/// The answer is always to check the mail, in which there is a link that makes the account, or the news that the address has one already.
/// The handle is reserved until the link ends.
#[utoipa::path(
    post, path = "/v1/registrations", tag = "accounts",
    request_body = NewAccountBody,
    responses(
        (status = 202, body = CheckYourMailBody),
        (status = 400, body = Problem),
        (status = 409, body = Problem, description = "`username_taken`: handles are public"),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem, description = "Fields are refused; `errors` names each"),
    ),
)]
pub(crate) async fn register(
    State(context): State<ApiContext>,
    Client(from): Client,
    JsonBody(asked): JsonBody<NewAccountBody>,
) -> Result<(StatusCode, Json<CheckYourMailBody>), ApiError> {
    let mut refused = Refused::default();
    let username = refused.check("username", accounts::username(&asked.username));
    let email = refused.check("email", accounts::email(&asked.email));
    let password = refused.check("password", accounts::password(asked.password));
    refused.end()?;
    let (Some(username), Some(email), Some(password)) = (username, email, password) else {
        return Err(ApiError::Invalid(Vec::new()));
    };
    let taken = || ApiError::Conflict {
        code: "username_taken",
        detail: "somebody has this handle".to_owned(),
    };
    if registration::is_username_taken(&mut *context.connection().await?, &username).await? {
        return Err(taken());
    }
    let hash = context.passwords.hash(password).await?;
    let may_mail = accounts::may_mail(&context, &email, from).await?;
    let expires_at = Utc::now() + TimeDelta::hours(context.settings.auth.registration_hours.into());
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        let id = match registration::create(&mut tx, &username, &email, &hash, expires_at).await {
            Err(error) if error.is_duplicate() => return Err(taken()),
            outcome => outcome?,
        };
        if may_mail {
            queue::enqueue(&mut tx, &SendMail::Registration { registration_id: id }, None).await?;
        }
        tx.commit().await.map_err(StoreError::from)?;
        context.wake.notify(SendMail::QUEUE);
        Ok((StatusCode::ACCEPTED, Json(CHECK_YOUR_MAIL)))
    })
    .await
}

/// Look at a confirmation
///
/// The page that the link in the mail opens: one button, which confirms. Programs that follow links in mails to look for dangers do not
/// press it.
#[utoipa::path(
    get, path = "/v1/registrations/confirm", tag = "accounts", params(LinkParams),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 400, body = Problem, description = "`bad_link`"),
    ),
)]
pub(crate) async fn show_confirmation(
    State(context): State<ApiContext>,
    params: Result<Query<LinkParams>, QueryRejection>,
) -> Result<Response, ApiError> {
    let (token, link) = link(params)?;
    let waiting = registration::find(&mut *context.connection().await?, link.registration())
        .await?
        .filter(|waiting| link.confirms(&context.key, waiting))
        .ok_or_else(bad_link)?;
    Ok(page(
        "Confirm your address",
        &format!(
            "<p>This makes the account <b>@{}</b>.</p>\
             <form method=\"post\" action=\"/v1/registrations/confirm?token={token}\"><button>Make my account</button></form>",
            escaped(&waiting.username)
        ),
    ))
}

/// Confirm a registration
///
/// Makes the account. A link works once.
#[utoipa::path(
    post, path = "/v1/registrations/confirm", tag = "accounts", params(LinkParams),
    responses(
        (status = 201, body = ProfileBody),
        (status = 400, body = Problem, description = "`bad_link`"),
        (status = 409, body = Problem, description = "`account_exists`: the address or the handle has an account by now"),
    ),
)]
pub(crate) async fn confirm_registration(
    State(context): State<ApiContext>,
    params: Result<Query<LinkParams>, QueryRejection>,
) -> Result<(StatusCode, Json<ProfileBody>), ApiError> {
    let (_, link) = link(params)?;
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        registration::find(&mut tx, link.registration())
            .await?
            .filter(|waiting| link.confirms(&context.key, waiting))
            .ok_or_else(bad_link)?;
        let user_id = match registration::confirm(&mut tx, link.registration()).await {
            Err(error) if error.is_duplicate() => {
                return Err(ApiError::Conflict {
                    code: "account_exists",
                    detail: "the address or the handle has an account by now".to_owned(),
                });
            }
            outcome => outcome?.ok_or_else(bad_link)?,
        };
        let profile = profile::find(&mut tx, user_id).await?.ok_or(ApiError::NotFound("user"))?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok((StatusCode::CREATED, Json(ProfileBody::new(profile))))
    })
    .await
}

/// A page for people who open a link in a mail.
pub(crate) fn page(title: &str, body: &str) -> Response {
    let html =
        format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{body}</html>");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ];
    (headers, html).into_response()
}

/// Text, safe within HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            other => other.to_string(),
        })
        .collect()
}
