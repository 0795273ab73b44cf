//! People, as everybody sees them.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::media::{self, MediaKind, MediaPath};
use store::profile::Profile;
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::VisibleUser;

/// A profile, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Profile)]
pub(crate) struct ProfileBody {
    /// Id.
    id: u64,
    /// Handle.
    #[schema(example = "producer-017")]
    username: String,
    /// Name.
    display_name: Option<String>,
    /// About them, as they wrote it: to be shown as text.
    bio: Option<String>,
    /// Where they are.
    location: Option<String>,
    /// Their page: an `http` or `https` address.
    website: Option<String>,
    /// Where their picture is.
    avatar_url: Option<String>,
    /// Whether the staff found that they are who they say they are.
    is_verified: bool,
    /// Those who follow them.
    followers: i32,
    /// Those whom they follow.
    following: i32,
    /// Their visible workflows.
    workflows: i64,
    /// Since when they are here.
    created_at: Option<DateTime<Utc>>,
}

impl ProfileBody {
    /// The form in which everybody gets it.
    pub(crate) fn new(profile: Profile) -> Self {
        let has_avatar = avatar_of(&profile).is_some();
        Self {
            avatar_url: has_avatar.then(|| format!("/v1/users/{}/avatar", profile.username)),
            id: profile.id.0,
            username: profile.username,
            display_name: profile.display_name,
            bio: profile.bio,
            location: profile.location,
            // Another program may have written what is no address of a page.
            website: profile.website.filter(|website| is_web_address(website)),
            is_verified: profile.is_verified,
            followers: profile.followers,
            following: profile.following,
            workflows: profile.workflows,
            created_at: profile.created_at,
        }
    }
}

/// Whether a text is the address of a page, and not of something that runs.
pub(crate) fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || "<>\"'`\\".contains(c))
    })
}

/// The picture, where the column names one of ours.
pub(crate) fn avatar_of(profile: &Profile) -> Option<MediaPath> {
    MediaPath::parse(profile.avatar_path.as_deref()?, MediaKind::Avatar, profile.id.0)
}

/// Get a profile
///
/// Of somebody who is there to be seen: neither deactivated nor suspended.
#[utoipa::path(
    get, path = "/v1/users/{username}", tag = "people",
    params(("username" = String, Path, description = "Handle")),
    responses((status = 200, body = ProfileBody), (status = 401, body = Problem), (status = 404, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn get_user(VisibleUser(profile): VisibleUser) -> Json<ProfileBody> {
    Json(ProfileBody::new(profile))
}

/// Get a picture
#[utoipa::path(
    get, path = "/v1/users/{username}/avatar", tag = "people",
    params(("username" = String, Path, description = "Handle")),
    responses(
        (status = 200, content_type = "image/png", body = Vec<u8>, description = "PNG, JPEG, WebP or GIF"),
        (status = 304, description = "The picture with that `ETag`"),
        (status = 401, body = Problem),
        (status = 404, body = Problem),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn get_user_avatar(
    State(context): State<ApiContext>,
    VisibleUser(profile): VisibleUser,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = avatar_of(&profile).ok_or(ApiError::NotFound("avatar"))?;
    let etag = format!("\"{}\"", path.hash());
    let has_it = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    if has_it {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let kind = match path.ending() {
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        _ => return Err(ApiError::NotFound("avatar")),
    };
    let file = media::open(&context.files, &path).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_LENGTH, file.size.into()),
        (header::ETAG, HeaderValue::from_str(&etag).map_err(ApiError::internal)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
    ];
    Ok((headers, Body::from_stream(file.bytes)).into_response())
}
