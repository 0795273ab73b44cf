//! Likes of workflows.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::{WorkflowId, like, workflow};
use utoipa::ToSchema;

use super::follows::{Position, UserPage};
use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{Cursor, MaybeSignedIn, PageParams, SignedIn, WorkflowPath, visible_workflow};
use crate::transaction::{Refused, in_transaction};

/// How one stands to a thing, as sent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Like)]
pub(crate) struct LikeBody {
    /// Whether you like it now.
    pub(crate) is_liked: bool,
    /// How many do.
    pub(crate) likes: i32,
}

/// A workflow in a list of likes, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LikedWorkflow)]
pub(crate) struct LikedWorkflowBody {
    /// Its id.
    id: u64,
    /// Its unique name.
    slug: String,
    /// Its title.
    title: String,
    /// Who made it.
    author: AuthorBody,
    /// When you liked it.
    liked_at: Option<DateTime<Utc>>,
}

/// A page of one's likes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LikedWorkflowPage {
    /// Workflows, the latest like first.
    items: Vec<LikedWorkflowBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// Like a workflow
///
/// Liking again changes nothing.
#[utoipa::path(
    put, path = "/v1/workflows/{id}/like", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, body = LikeBody),
        (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn like_workflow(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
) -> Result<Json<LikeBody>, ApiError> {
    set_like(&context, me, id, true).await
}

/// Take a like of a workflow away
///
/// What you don't like stays so.
#[utoipa::path(
    delete, path = "/v1/workflows/{id}/like", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, body = LikeBody),
        (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unlike_workflow(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
) -> Result<Json<LikeBody>, ApiError> {
    set_like(&context, me, id, false).await
}

async fn set_like(context: &ApiContext, me: SignedIn, id: WorkflowId, is_liked: bool) -> Result<Json<LikeBody>, ApiError> {
    visible_workflow(context, id, Some(me)).await?;
    let likes = in_transaction(context, move |tx| {
        Box::pin(async move {
            if !workflow::lock(tx, id).await? {
                return Err(Refused::Api(ApiError::NotFound("workflow")));
            }
            if is_liked {
                like::add(tx, me.user_id, id).await?;
            } else {
                like::remove(tx, me.user_id, id).await?;
            }
            Ok(like::count(tx, id).await?)
        })
    })
    .await?;
    Ok(Json(LikeBody { is_liked, likes }))
}

/// List who likes a workflow
///
/// The latest first.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/likes", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow"), PageParams),
    responses((status = 200, body = UserPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_workflow_likes(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    page: PageParams,
) -> Result<Json<UserPage>, ApiError> {
    let before = page.after::<Position>()?.map(|position| position.0);
    visible_workflow(&context, id, viewer).await?;
    let mut db = context.connection().await?;
    let users = like::list_users(&mut db, id, before, page.limit() + 1).await?;
    Ok(Json(UserPage::new(users, page.limit())))
}

/// List workflows that you like
///
/// The latest like first; those that you may not see any more are left out.
#[utoipa::path(
    get, path = "/v1/me/likes", tag = "reactions", params(PageParams),
    responses((status = 200, body = LikedWorkflowPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 422, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_own_likes(
    State(context): State<ApiContext>,
    me: SignedIn,
    page: PageParams,
) -> Result<Json<LikedWorkflowPage>, ApiError> {
    let limit = page.limit();
    let before = page.after::<Position>()?.map(|position| position.0);
    let mut db = context.connection().await?;
    let mut liked = like::list_workflows(&mut db, me.user_id, before, limit + 1).await?;
    let has_more = liked.len() > limit as usize;
    liked.truncate(limit as usize);
    Ok(Json(LikedWorkflowPage {
        next: liked.last().filter(|_| has_more).map(|last| Position(last.position).write()),
        items: liked
            .into_iter()
            .map(|one| LikedWorkflowBody {
                id: one.workflow_id.0,
                slug: one.slug,
                title: one.title,
                author: AuthorBody {
                    id: one.author_id.0,
                    username: one.username,
                    display_name: one.display_name,
                },
                liked_at: one.liked_at,
            })
            .collect(),
    }))
}
