//! Who follows whom.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::block;
use store::follow::{self, ListedUser};
use utoipa::ToSchema;

use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{Cursor, MaybeSignedIn, PageParams, SignedIn, UserPath};
use crate::transaction::{Refused, in_transaction};

/// How one stands to somebody, as sent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Follow)]
pub(crate) struct FollowBody {
    /// Whether you follow them now.
    is_following: bool,
    /// How many do.
    followers: i32,
}

/// Somebody in a list, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ListedUser)]
pub(crate) struct ListedUserBody {
    /// Who.
    user: AuthorBody,
    /// Since when.
    since: Option<DateTime<Utc>>,
}

/// A page of people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UserPage {
    /// People, the latest first.
    items: Vec<ListedUserBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

impl UserPage {
    /// Of one entry more than the page has, if there are more.
    pub(crate) fn new(mut users: Vec<ListedUser>, limit: u32) -> Self {
        let has_more = users.len() > limit as usize;
        users.truncate(limit as usize);
        Self {
            next: users.last().filter(|_| has_more).map(|user| Position(user.position).write()),
            items: users
                .into_iter()
                .map(|user| ListedUserBody {
                    user: AuthorBody {
                        id: user.user_id.0,
                        username: user.username,
                        display_name: user.display_name,
                    },
                    since: user.since,
                })
                .collect(),
        }
    }
}

/// Where a page of a list ended whose entries have ids of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position(pub(crate) u64);

impl Cursor for Position {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// Follow somebody
///
/// Following again changes nothing.
#[utoipa::path(
    put, path = "/v1/users/{username}/follow", tag = "people",
    params(("username" = String, Path, description = "Handle of the user")),
    responses(
        (status = 200, body = FollowBody),
        (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`own_account`: nobody follows themselves"),
        (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn follow_user(
    State(context): State<ApiContext>,
    me: SignedIn,
    UserPath(them): UserPath,
) -> Result<Json<FollowBody>, ApiError> {
    if me.user_id == them {
        return Err(ApiError::Conflict {
            code: "own_account",
            detail: "nobody follows themselves".to_owned(),
        });
    }
    set_follow(&context, me, them, true).await
}

/// Unfollow somebody
///
/// Whom you don't follow stays so.
#[utoipa::path(
    delete, path = "/v1/users/{username}/follow", tag = "people",
    params(("username" = String, Path, description = "Handle of the user")),
    responses(
        (status = 200, body = FollowBody),
        (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unfollow_user(
    State(context): State<ApiContext>,
    me: SignedIn,
    UserPath(them): UserPath,
) -> Result<Json<FollowBody>, ApiError> {
    set_follow(&context, me, them, false).await
}

async fn set_follow(
    context: &ApiContext,
    me: SignedIn,
    them: store::UserId,
    is_following: bool,
) -> Result<Json<FollowBody>, ApiError> {
    let followers = in_transaction(context, move |tx| {
        Box::pin(async move {
            if !follow::lock(tx, me.user_id, them).await? {
                return Err(Refused::Api(ApiError::NotFound("user")));
            }
            if is_following {
                // Who blocked whom, nobody is told.
                if block::is_blocked_either_way(tx, me.user_id, them).await? {
                    return Err(Refused::Api(ApiError::NotFound("user")));
                }
                follow::add(tx, me.user_id, them).await?;
            } else {
                follow::remove(tx, me.user_id, them).await?;
            }
            Ok(follow::count_followers(tx, them).await?)
        })
    })
    .await?;
    Ok(Json(FollowBody { is_following, followers }))
}

/// List followers
///
/// The latest first.
#[utoipa::path(
    get, path = "/v1/users/{username}/followers", tag = "people",
    params(("username" = String, Path, description = "Handle of the user"), PageParams),
    responses((status = 200, body = UserPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_followers(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    UserPath(user): UserPath,
    page: PageParams,
) -> Result<Json<UserPage>, ApiError> {
    let viewer = viewer.map(|viewer| viewer.user_id);
    let before = page.after::<Position>()?.map(|position| position.0);
    let mut db = context.connection().await?;
    let users = follow::list_followers(&mut db, user, viewer, before, page.limit() + 1).await?;
    Ok(Json(UserPage::new(users, page.limit())))
}

/// List whom somebody follows
///
/// The latest first.
#[utoipa::path(
    get, path = "/v1/users/{username}/following", tag = "people",
    params(("username" = String, Path, description = "Handle of the user"), PageParams),
    responses((status = 200, body = UserPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_following(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    UserPath(user): UserPath,
    page: PageParams,
) -> Result<Json<UserPage>, ApiError> {
    let viewer = viewer.map(|viewer| viewer.user_id);
    let before = page.after::<Position>()?.map(|position| position.0);
    let mut db = context.connection().await?;
    let users = follow::list_following(&mut db, user, viewer, before, page.limit() + 1).await?;
    Ok(Json(UserPage::new(users, page.limit())))
}
