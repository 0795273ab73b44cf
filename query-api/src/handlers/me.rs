//! One's own account: what one says about oneself, the picture, the password, and leaving.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use store::media::{self, MediaKind, MediaPath};
use store::profile::{self, ProfileChanges};
use store::queue::{self, DeleteAccount, JobPayload, SendMail};
use store::{StoreError, UserId, token, user};
use utoipa::ToSchema;

use super::users::{ProfileBody, is_web_address};
use crate::accounts::{self, Refused, confirm_password};
use crate::client::Client;
use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{JsonBody, SignedIn};

/// Longest text about oneself, in characters: a screen or two.
const MAX_BIO_CHARS: usize = 2000;

/// One's own profile, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OwnProfile)]
pub(crate) struct OwnProfileBody {
    /// What everybody sees.
    #[serde(flatten)]
    profile: ProfileBody,
    /// E-mail address.
    email: String,
    /// When it was confirmed.
    email_verified_at: Option<DateTime<Utc>>,
    /// Whether this is an admin.
    is_admin: bool,
    /// When they were last here, to the minute.
    last_active_at: Option<DateTime<Utc>>,
}

/// What one changes. An absent field stays as it is; `null` empties it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ProfileChanges)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileChangesBody {
    /// Name, one line.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 100)]
    display_name: Option<Option<String>>,
    /// About oneself, any lines.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 2000)]
    bio: Option<Option<String>>,
    /// Where one is.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 100)]
    location: Option<Option<String>>,
    /// Address of a page: `https://…`.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 255)]
    website: Option<Option<String>>,
}

/// Tells a field that is `null` from one that is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChangeBody {
    /// The present one.
    #[schema(max_length = 256)]
    password: String,
    /// The new one.
    #[schema(min_length = 10, max_length = 256)]
    new_password: String,
}

/// That one means it.
#[derive(Deserialize, ToSchema)]
#[schema(as = Confirmation)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmationBody {
    /// The handle of the account, written out.
    #[schema(example = "producer-017")]
    username: String,
    /// The password, where the account has one.
    #[serde(default)]
    #[schema(max_length = 256)]
    password: Option<String>,
}

async fn own_profile(context: &ApiContext, id: UserId) -> Result<OwnProfileBody, ApiError> {
    let mut db = context.connection().await?;
    let gone = || ApiError::NotFound("account");
    let profile = profile::find(&mut db, id).await?.ok_or_else(gone)?;
    let private = profile::find_private(&mut db, id).await?.ok_or_else(gone)?;
    Ok(OwnProfileBody {
        profile: ProfileBody::new(profile),
        email: private.email,
        email_verified_at: private.email_verified_at,
        is_admin: private.is_admin,
        last_active_at: private.last_active_at,
    })
}

/// Get one's own profile
#[utoipa::path(
    get, path = "/v1/me", tag = "accounts",
    responses((status = 200, body = OwnProfileBody), (status = 401, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn get_me(State(context): State<ApiContext>, user: SignedIn) -> Result<Json<OwnProfileBody>, ApiError> {
    Ok(Json(own_profile(&context, user.user_id).await?))
}

/// Change one's own profile
///
/// An absent field stays as it is, `null` empties it. Text is kept as it was written and is to be shown as text.
#[utoipa::path(
    patch, path = "/v1/me", tag = "accounts",
    request_body = ProfileChangesBody,
    responses(
        (status = 200, body = OwnProfileBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem, description = "Fields are refused; `errors` names each"),
    ),
    security(("token" = []))
)]
pub(crate) async fn update_me(
    State(context): State<ApiContext>,
    user: SignedIn,
    JsonBody(asked): JsonBody<ProfileChangesBody>,
) -> Result<Json<OwnProfileBody>, ApiError> {
    let mut refused = Refused::default();
    let mut field = |name: &str, value: Option<Option<String>>, check: &dyn Fn(&str) -> Result<(), String>| {
        value.and_then(
            |value| match value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
                Some(text) => refused.check(name, check(&text)).map(|()| Some(text)),
                None => Some(None),
            },
        )
    };
    let changes = ProfileChanges {
        display_name: field("display_name", asked.display_name, &|text| one_line(text, 100)),
        bio: field("bio", asked.bio, &lines),
        location: field("location", asked.location, &|text| one_line(text, 100)),
        website: field("website", asked.website, &|text| {
            one_line(text, 255)?;
            if is_web_address(text) {
                Ok(())
            } else {
                Err("must begin with `https://` or `http://`".to_owned())
            }
        }),
    };
    refused.end()?;
    profile::change(&mut *context.connection().await?, user.user_id, &changes).await?;
    Ok(Json(own_profile(&context, user.user_id).await?))
}

fn one_line(text: &str, max_chars: usize) -> Result<(), String> {
    if text.chars().count() > max_chars || text.chars().any(char::is_control) {
        return Err(format!("must be one line of at most {max_chars} characters"));
    }
    Ok(())
}

fn lines(text: &str) -> Result<(), String> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().count() > MAX_BIO_CHARS || text.chars().any(is_odd) {
        return Err(format!("must be text of at most {MAX_BIO_CHARS} characters"));
    }
    Ok(())
}

/// Set one's own picture
///
/// The body is the picture: PNG, JPEG, WebP or GIF, as its bytes say, whatever is claimed of them.
#[utoipa::path(
    put, path = "/v1/me/avatar", tag = "accounts",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = OwnProfileBody),
        (status = 401, body = Problem),
        (status = 413, body = Problem),
        (status = 422, body = Problem, description = "`not_an_image`"),
        (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn set_avatar(
    State(context): State<ApiContext>,
    user: SignedIn,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Json<OwnProfileBody>, ApiError> {
    let limit = context.settings.files.max_avatar_bytes;
    let bytes = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge {
            what: "picture",
            limit: limit as u64,
        },
        _ => ApiError::BadRequest {
            code: "broken_body",
            detail: "the body ended early".to_owned(),
        },
    })?;
    let ending = infer::get(&bytes)
        .map(|kind| kind.extension())
        .filter(|ending| ["png", "jpg", "webp", "gif"].contains(ending))
        .ok_or_else(|| ApiError::Unprocessable {
            code: "not_an_image",
            detail: "the picture is neither PNG nor JPEG, WebP or GIF".to_owned(),
        })?;
    let path = MediaPath::of(MediaKind::Avatar, user.user_id.0, &bytes, ending);
    replace_avatar(&context, user.user_id, Some((path, bytes))).await?;
    Ok(Json(own_profile(&context, user.user_id).await?))
}

/// Remove one's own picture
#[utoipa::path(
    delete, path = "/v1/me/avatar", tag = "accounts",
    responses((status = 204), (status = 401, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn remove_avatar(State(context): State<ApiContext>, user: SignedIn) -> Result<StatusCode, ApiError> {
    replace_avatar(&context, user.user_id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Stores the new picture first, names it, and then deletes the old one: at no time does the row name what is not there.
async fn replace_avatar(context: &ApiContext, id: UserId, new: Option<(MediaPath, Bytes)>) -> Result<(), ApiError> {
    let (db, files) = (context.db.clone(), context.files.clone());
    detached(async move {
        if let Some((path, bytes)) = &new {
            media::put(&files, path, bytes.clone()).await?;
        }
        let mut tx = db.begin().await.map_err(StoreError::from)?;
        profile::set_avatar(&mut tx, id, new.as_ref().map(|(path, _)| path.as_str())).await?;
        if let Some((path, bytes)) = new {
            media::keep(&files, &path, bytes).await?;
        }
        tx.commit().await.map_err(StoreError::from)?;
        Ok(())
    })
    .await
}

/// Change one's password
///
/// All other tokens end, and a mail says so.
#[utoipa::path(
    put, path = "/v1/me/password", tag = "accounts",
    request_body = PasswordChangeBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 409, body = Problem, description = "`changed_meanwhile`"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem, description = "Too many wrong passwords of late"),
    ),
    security(("token" = []))
)]
pub(crate) async fn change_password(
    State(context): State<ApiContext>,
    user: SignedIn,
    Client(from): Client,
    JsonBody(asked): JsonBody<PasswordChangeBody>,
) -> Result<StatusCode, ApiError> {
    let mut refused = Refused::default();
    let new = refused.check("new_password", accounts::password(asked.new_password));
    refused.end()?;
    let seen = confirm_password(&context, user.user_id, from, Some(asked.password)).await?;
    if seen.password == user::NO_PASSWORD {
        let error = FieldError::new("password", "is not set: ask for a mail that sets one");
        return Err(ApiError::Invalid(vec![error]));
    }
    let hash = context.passwords.hash(new.unwrap_or_default()).await?;
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        if !user::replace_password(&mut tx, &seen, &hash).await? {
            return Err(ApiError::Conflict {
                code: "changed_meanwhile",
                detail: "the password was changed at the same time".to_owned(),
            });
        }
        token::revoke_all(&mut tx, user.user_id, Some(user.token_id)).await?;
        queue::enqueue(&mut tx, &SendMail::PasswordChanged { user_id: user.user_id }, None).await?;
        tx.commit().await.map_err(StoreError::from)?;
        context.wake.notify(SendMail::QUEUE);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Checks that somebody means it.
async fn confirm(context: &ApiContext, user: SignedIn, client: Client, body: ConfirmationBody) -> Result<(), ApiError> {
    let account = user::account(&mut *context.connection().await?, user.user_id)
        .await?
        .ok_or(ApiError::NotFound("account"))?;
    if !account.username.eq_ignore_ascii_case(body.username.trim()) {
        return Err(ApiError::Invalid(vec![FieldError::new(
            "username",
            "must be the handle of your account",
        )]));
    }
    confirm_password(context, user.user_id, client.0, body.password)
        .await
        .map(drop)
}

/// Deactivate one's account
///
/// All that is one's own is hidden, and all tokens end. Logging in takes it into use again.
#[utoipa::path(
    post, path = "/v1/me/deactivate", tag = "accounts",
    request_body = ConfirmationBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn deactivate_me(
    State(context): State<ApiContext>,
    user: SignedIn,
    client: Client,
    JsonBody(body): JsonBody<ConfirmationBody>,
) -> Result<StatusCode, ApiError> {
    confirm(&context, user, client, body).await?;
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        user::deactivate(&mut tx, user.user_id).await?;
        token::revoke_all(&mut tx, user.user_id, None).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Delete one's account
///
/// With everything personal: workflows, comments, likes, ratings, follows, collections, activities. It is hidden at once and gone soon;
/// views and downloads stay, of nobody. There is no way back.
#[utoipa::path(
    delete, path = "/v1/me", tag = "accounts",
    request_body = ConfirmationBody,
    responses(
        (status = 202, description = "Hidden, and being deleted"),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn delete_me(
    State(context): State<ApiContext>,
    user: SignedIn,
    client: Client,
    JsonBody(body): JsonBody<ConfirmationBody>,
) -> Result<StatusCode, ApiError> {
    confirm(&context, user, client, body).await?;
    detached(async move {
        let mut tx = context.db.begin().await.map_err(StoreError::from)?;
        user::leave(&mut tx, user.user_id).await?;
        queue::enqueue(&mut tx, &DeleteAccount { user_id: user.user_id }, None).await?;
        tx.commit().await.map_err(StoreError::from)?;
        context.wake.notify(DeleteAccount::QUEUE);
        Ok(StatusCode::ACCEPTED)
    })
    .await
}
