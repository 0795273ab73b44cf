//! Feeds and other lists of what people did.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::feed::{self, Activity, Comment, Group, Key, Kind, Page, Person, Rack};
use store::usage::Use;
use store::workflow::RackKind;
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{Cursor, MaybeSignedIn, PageParams, SignedIn, UserPath};

/// A page of what people did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ActivityPage {
    /// The entries, the newest first.
    items: Vec<EntryBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// What one person did: one thing, or several of the same kind one soon after the other.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ActivityEntry)]
pub(super) struct EntryBody {
    /// `upload`, `like`, `comment`, `follow` or `rating`.
    #[schema(value_type = String, example = "upload")]
    kind: Kind,
    /// Who did it.
    actor: PersonBody,
    /// When the newest of them was.
    at: DateTime<Utc>,
    /// The activities, the newest first, at most 20.
    activities: Vec<ActivityBody>,
}

/// One thing that somebody did.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Activity)]
pub(crate) struct ActivityBody {
    /// Its id.
    id: u64,
    /// When it was.
    at: DateTime<Utc>,
    /// The rack that was uploaded, liked, commented on or rated.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<RackBody>,
    /// The comment, of comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<CommentBody>,
    /// Stars from 1 to 5, of ratings: as they are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<u8>,
    /// Who was followed, of follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<PersonBody>,
}

/// Somebody.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ActivityPerson)]
pub(crate) struct PersonBody {
    /// Their id.
    id: u64,
    /// Their handle.
    #[schema(example = "producer-017")]
    username: String,
    /// Their name, if they gave one.
    display_name: Option<String>,
}

/// A rack in a line of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ActivityWorkflow)]
struct RackBody {
    /// Its id.
    id: u64,
    /// Title.
    title: String,
    /// Unique name for addresses.
    slug: String,
    /// What it is for.
    #[schema(value_type = String, example = "instrument")]
    kind: RackKind,
    /// Who made it.
    author: PersonBody,
}

/// A comment in a line of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ActivityComment)]
struct CommentBody {
    /// Its id.
    id: u64,
    /// Its first 280 characters, as written: to be shown as text, never as HTML.
    beginning: String,
}

impl Cursor for Key {
    fn read(text: &str) -> Option<Self> {
        let (at_s, id) = text.split_once('.')?;
        let key = Self {
            at_s: at_s.parse().ok()?,
            id: id.parse().ok()?,
        };
        (Self::START..=Self::END).contains(&key).then_some(key)
    }

    fn write(&self) -> String {
        format!("{}.{}", self.at_s, self.id)
    }
}

/// List your feed
///
/// What the people whom you follow did, the newest first by when it was. What was done by one person in one go is one entry, and `limit`
/// counts entries. Nothing is listed that you may not see now: unpublished or taken down racks, suspended people, and people whom you
/// block or who block you.
#[utoipa::path(
    get, path = "/v1/feed", tag = "feed", params(PageParams),
    responses((status = 200, body = ActivityPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_feed(
    State(context): State<ApiContext>,
    user: SignedIn,
    page: PageParams,
) -> Result<Json<ActivityPage>, ApiError> {
    let before = page.after::<Key>()?;
    let mut db = context.connection().await?;
    let page = feed::feed(&mut db, &context.feeds, user.user_id, before, page.limit()).await?;
    context.usage.count(Use::FeedPage, 1);
    Ok(Json(page.into()))
}

/// List public activity
///
/// What everybody did in public, the newest first. With a token, without whom you block and who blocks you.
#[utoipa::path(
    get, path = "/v1/activity", tag = "feed", params(PageParams),
    responses((status = 200, body = ActivityPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 422, body = Problem), (status = 503, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_activity(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    page: PageParams,
) -> Result<Json<ActivityPage>, ApiError> {
    let before = page.after::<Key>()?;
    let mut db = context.connection().await?;
    let page = feed::public_activity(&mut db, viewer.map(|viewer| viewer.user_id), before, page.limit()).await?;
    Ok(Json(page.into()))
}

/// List a user's activity
///
/// What they did in public, the newest first. With a token, nothing of whom you block or who blocks you.
#[utoipa::path(
    get, path = "/v1/users/{username}/activity", tag = "feed",
    params(("username" = String, Path, description = "Handle of the user"), PageParams),
    responses((status = 200, body = ActivityPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_user_activity(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    UserPath(user): UserPath,
    page: PageParams,
) -> Result<Json<ActivityPage>, ApiError> {
    let before = page.after::<Key>()?;
    let mut db = context.connection().await?;
    let viewer = viewer.map(|viewer| viewer.user_id);
    let page = feed::activity_of(&mut db, user, viewer, before, page.limit()).await?;
    Ok(Json(page.into()))
}

impl From<Page> for ActivityPage {
    fn from(page: Page) -> Self {
        Self {
            items: page.groups.into_iter().filter_map(EntryBody::new).collect(),
            next: page.next.map(|key| key.write()),
        }
    }
}

impl EntryBody {
    /// None for a group of nothing, which there is not.
    pub(super) fn new(group: Group) -> Option<Self> {
        let newest = group.activities.first()?;
        Some(Self {
            kind: newest.kind,
            actor: newest.actor.clone().into(),
            at: newest.at,
            activities: group.activities.into_iter().map(ActivityBody::from).collect(),
        })
    }
}

impl From<Activity> for ActivityBody {
    fn from(activity: Activity) -> Self {
        Self {
            id: activity.key.id,
            at: activity.at,
            workflow: activity.rack.map(RackBody::from),
            comment: activity.comment.map(CommentBody::from),
            rating: activity.rating,
            user: activity.followed.map(PersonBody::from),
        }
    }
}

impl From<Person> for PersonBody {
    fn from(person: Person) -> Self {
        Self {
            id: person.id.0,
            username: person.username,
            display_name: person.display_name,
        }
    }
}

impl From<Rack> for RackBody {
    fn from(rack: Rack) -> Self {
        Self {
            id: rack.id.0,
            title: rack.title,
            slug: rack.slug,
            kind: rack.kind,
            author: rack.author.into(),
        }
    }
}

impl From<Comment> for CommentBody {
    fn from(comment: Comment) -> Self {
        Self {
            id: comment.id.0,
            beginning: comment.beginning,
        }
    }
}
