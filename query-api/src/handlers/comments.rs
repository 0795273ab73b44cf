//! Discussions of workflows.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::comment::{self, Comment, NewComment};
use store::{CommentId, Conn, UserId, block, comment_like, workflow};
use utoipa::ToSchema;

use super::likes::LikeBody;
use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{
    Cursor, HostedComment, JsonBody, MaybeSignedIn, ModeratedComment, OwnedComment, PageParams, SignedIn, VisibleComment,
    WorkflowPath, visible_workflow,
};
use crate::text::{self, TextBody};
use crate::transaction::{Refused, in_transaction};

/// Said to both sides alike.
const BLOCKED: ApiError = ApiError::Forbidden("one of you has blocked the other, or their account is not active");

/// A comment, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Comment)]
pub(crate) struct CommentBody {
    /// Its id.
    id: u64,
    /// The workflow that it is on.
    workflow_id: u64,
    /// The comment that it answers; null on the workflow itself.
    parent_id: Option<u64>,
    /// `shown`; `deleted` when it was taken back but is still answered; `hidden` when its author's account is not active, or
    /// one of you has blocked the other. What is not
    /// shown has neither author nor content.
    #[schema(example = "shown")]
    state: &'static str,
    /// Who wrote it.
    author: Option<AuthorBody>,
    /// What it says.
    content: Option<TextBody>,
    /// Likes.
    likes: i32,
    /// Whether you like it.
    is_liked: bool,
    /// Whether the workflow's author put it on top.
    is_pinned: bool,
    /// Direct replies.
    replies: i64,
    /// When it was written.
    created_at: Option<DateTime<Utc>>,
    /// When its author changed it last.
    edited_at: Option<DateTime<Utc>>,
}

/// A page of a discussion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CommentPage {
    /// The comment that the workflow's author put on top; only on the first page of a discussion. It stands in its place in `items` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned: Option<CommentBody>,
    /// Comments.
    items: Vec<CommentBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// What somebody writes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommentDraft {
    /// What it says: plain text, any lines. `@name` mentions somebody.
    #[schema(example = "Love the tape wobble, @producer-017")]
    content: String,
    /// The comment that it answers.
    parent_id: Option<u64>,
}

/// What somebody writes instead.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommentChange {
    /// What it then says.
    content: String,
}

impl Cursor for CommentId {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// Comments as they are sent, in the same order.
async fn bodies(db: &mut Conn, comments: Vec<Comment>) -> Result<Vec<CommentBody>, ApiError> {
    let is_shown = |comment: &Comment| !comment.is_deleted && comment.is_author_shown;
    let texts = comments
        .iter()
        .filter(|comment| is_shown(comment))
        .map(|comment| comment.content.clone())
        .collect();
    let mut texts = text::render(db, texts).await?.into_iter();
    Ok(comments
        .into_iter()
        .map(|comment| {
            let is_shown = is_shown(&comment);
            CommentBody {
                id: comment.id.0,
                workflow_id: comment.workflow_id.0,
                parent_id: comment.parent_id.map(|id| id.0),
                state: match (comment.is_deleted, is_shown) {
                    (true, _) => "deleted",
                    (false, false) => "hidden",
                    (false, true) => "shown",
                },
                author: is_shown.then_some(AuthorBody {
                    id: comment.user_id.0,
                    username: comment.username,
                    display_name: comment.display_name,
                }),
                content: if is_shown { texts.next() } else { None },
                likes: comment.likes,
                is_liked: comment.is_liked,
                is_pinned: comment.is_pinned,
                replies: comment.replies,
                created_at: comment.created_at,
                edited_at: comment.edited_at,
            }
        })
        .collect())
}

async fn page(
    db: &mut Conn,
    pinned: Option<Comment>,
    mut comments: Vec<Comment>,
    limit: u32,
) -> Result<Json<CommentPage>, ApiError> {
    let has_more = comments.len() > limit as usize;
    comments.truncate(limit as usize);
    let next = comments.last().filter(|_| has_more).map(|comment| comment.id.write());
    let has_pinned = pinned.is_some();
    let mut items = bodies(db, pinned.into_iter().chain(comments).collect()).await?;
    let pinned = has_pinned.then(|| items.remove(0));
    Ok(Json(CommentPage { pinned, items, next }))
}

/// List comments on a workflow
///
/// Those on the workflow itself, the latest first; `replies` says how many answer each, `/v1/comments/{id}/replies` lists them.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/comments", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow"), PageParams),
    responses((status = 200, body = CommentPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_comments(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    params: PageParams,
) -> Result<Json<CommentPage>, ApiError> {
    let before = params.after::<CommentId>()?;
    visible_workflow(&context, id, viewer).await?;
    let viewer = viewer.map(|viewer| viewer.user_id);
    let mut db = context.connection().await?;
    let comments = comment::list_threads(&mut db, id, viewer, before, params.limit() + 1).await?;
    let pinned = match before {
        None => comment::find_pinned(&mut db, id, viewer).await?,
        Some(_) => None,
    };
    page(&mut db, pinned, comments, params.limit()).await
}

/// List replies to a comment
///
/// The first first.
#[utoipa::path(
    get, path = "/v1/comments/{id}/replies", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment"), PageParams),
    responses((status = 200, body = CommentPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_replies(
    State(context): State<ApiContext>,
    VisibleComment { comment, viewer, .. }: VisibleComment,
    params: PageParams,
) -> Result<Json<CommentPage>, ApiError> {
    let after = params.after::<CommentId>()?;
    let viewer = viewer.map(|viewer| viewer.user_id);
    let mut db = context.connection().await?;
    let replies = comment::list_replies(&mut db, comment.id, viewer, after, params.limit() + 1).await?;
    page(&mut db, None, replies, params.limit()).await
}

/// Get a comment
#[utoipa::path(
    get, path = "/v1/comments/{id}", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    responses((status = 200, body = CommentBody), (status = 401, body = Problem), (status = 404, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn get_comment(
    State(context): State<ApiContext>,
    VisibleComment { comment, .. }: VisibleComment,
) -> Result<Json<CommentBody>, ApiError> {
    let mut db = context.connection().await?;
    first(&mut db, comment).await
}

async fn first(db: &mut Conn, comment: Comment) -> Result<Json<CommentBody>, ApiError> {
    let mut bodies = bodies(db, vec![comment]).await?;
    bodies.pop().map(Json).ok_or(ApiError::NotFound("comment"))
}

/// Loads a comment as it is after a write.
async fn show(context: &ApiContext, id: CommentId, viewer: UserId) -> Result<Json<CommentBody>, ApiError> {
    let mut db = context.connection().await?;
    let comment = comment::find(&mut db, id, Some(viewer)).await?;
    first(&mut db, comment.ok_or(ApiError::NotFound("comment"))?).await
}

/// Comment on a workflow
///
/// Or, with `parent_id`, answer a comment.
#[utoipa::path(
    post, path = "/v1/workflows/{id}/comments", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = CommentDraft,
    responses(
        (status = 201, body = CommentBody, headers(("location" = String))),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem, description = "A block stands between you and whom you would answer"), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`too_deep`: answer the comment above it instead"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn create_comment(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
    body: Result<JsonBody<CommentDraft>, ApiError>,
) -> Result<(StatusCode, HeaderMap, Json<CommentBody>), ApiError> {
    // What one may not see is not there, whatever is said of it.
    let workflow = visible_workflow(&context, id, Some(me)).await?;
    let JsonBody(draft) = body?;
    let community = &context.settings.community;
    text::check("content", &draft.content, community.comment_max_chars)?;
    let (max_depth, author) = (community.comment_max_depth, workflow.author.id);
    let new = NewComment {
        workflow: id,
        user: me.user_id,
        parent: draft.parent_id.map(CommentId),
        content: draft.content,
    };
    let comment = in_transaction(&context, move |tx| {
        let new = new.clone();
        Box::pin(async move {
            if !workflow::lock(tx, id).await? {
                return Err(Refused::Api(ApiError::NotFound("workflow")));
            }
            if block::is_blocked_either_way(tx, me.user_id, author).await? {
                return Err(Refused::Api(BLOCKED));
            }
            if let Some(parent) = new.parent {
                may_answer(tx, parent, &new, max_depth).await?;
            }
            Ok(comment::add(tx, &new).await?)
        })
    })
    .await?;
    let location = HeaderValue::from_str(&format!("/v1/comments/{comment}")).map_err(ApiError::internal)?;
    let body = show(&context, comment, me.user_id).await?;
    Ok((
        StatusCode::CREATED,
        HeaderMap::from_iter([(header::LOCATION, location)]),
        body,
    ))
}

/// Whether a comment may be answered: it is on the same workflow, has not been taken back, and does not lie too deep.
async fn may_answer(tx: &mut Conn, parent: CommentId, new: &NewComment, max_depth: u32) -> Result<(), Refused> {
    let found = comment::find(tx, parent, Some(new.user)).await?;
    if found.as_ref().is_some_and(|parent| !parent.is_author_shown) {
        return Err(Refused::Api(BLOCKED));
    }
    if !found.is_some_and(|parent| parent.workflow_id == new.workflow && !parent.is_deleted) {
        let error = FieldError::new("parent_id", "is no comment on this workflow");
        return Err(Refused::Api(ApiError::Invalid(vec![error])));
    }
    if comment::depth(tx, parent).await? >= max_depth {
        return Err(Refused::Api(ApiError::Conflict {
            code: "too_deep",
            detail: format!("discussions are at most {max_depth} deep: answer the comment above it instead"),
        }));
    }
    Ok(())
}

/// Change a comment
#[utoipa::path(
    patch, path = "/v1/comments/{id}", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    request_body = CommentChange,
    responses(
        (status = 200, body = CommentBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn update_comment(
    State(context): State<ApiContext>,
    OwnedComment(comment): OwnedComment,
    JsonBody(change): JsonBody<CommentChange>,
) -> Result<Json<CommentBody>, ApiError> {
    text::check("content", &change.content, context.settings.community.comment_max_chars)?;
    let id = comment.id;
    in_transaction(&context, move |tx| {
        let content = change.content.clone();
        Box::pin(async move { Ok(comment::edit(tx, id, &content).await?) })
    })
    .await?;
    show(&context, id, comment.user_id).await
}

/// Delete a comment
///
/// While it is answered its text goes and its place stays. Its author may, and the workflow's.
#[utoipa::path(
    delete, path = "/v1/comments/{id}", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn delete_comment(
    State(context): State<ApiContext>,
    ModeratedComment(comment): ModeratedComment,
) -> Result<StatusCode, ApiError> {
    in_transaction(&context, move |tx| {
        Box::pin(async move {
            workflow::lock(tx, comment.workflow_id).await?;
            Ok(comment::remove(tx, comment.id).await?)
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pin a comment
///
/// Puts it on top of the discussion, in place of another.
#[utoipa::path(
    put, path = "/v1/comments/{id}/pin", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    responses(
        (status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`is_reply`: only comments on the workflow itself can be pinned"),
        (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn pin_comment(
    State(context): State<ApiContext>,
    HostedComment(comment): HostedComment,
) -> Result<StatusCode, ApiError> {
    if comment.parent_id.is_some() {
        return Err(ApiError::Conflict {
            code: "is_reply",
            detail: "only comments on the workflow itself can be pinned".to_owned(),
        });
    }
    set_pinned(&context, comment, true).await
}

/// Unpin a comment
#[utoipa::path(
    delete, path = "/v1/comments/{id}/pin", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn unpin_comment(
    State(context): State<ApiContext>,
    HostedComment(comment): HostedComment,
) -> Result<StatusCode, ApiError> {
    set_pinned(&context, comment, false).await
}

async fn set_pinned(context: &ApiContext, comment: Comment, is_pinned: bool) -> Result<StatusCode, ApiError> {
    let (workflow, id) = (comment.workflow_id, comment.id);
    in_transaction(context, move |tx| {
        Box::pin(async move {
            workflow::lock(tx, workflow).await?;
            let Some(now) = comment::find(tx, id, None).await?.filter(|now| !now.is_deleted) else {
                return Err(Refused::Api(ApiError::NotFound("comment")));
            };
            // To unpin what is not pinned must not take another's place.
            if is_pinned != now.is_pinned {
                comment::pin(tx, workflow, is_pinned.then_some(id)).await?;
            }
            Ok(())
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Like a comment
///
/// Liking again changes nothing.
#[utoipa::path(
    put, path = "/v1/comments/{id}/like", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    responses((status = 200, body = LikeBody), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn like_comment(
    State(context): State<ApiContext>,
    me: SignedIn,
    VisibleComment { comment, .. }: VisibleComment,
) -> Result<Json<LikeBody>, ApiError> {
    if comment.is_deleted {
        return Err(ApiError::NotFound("comment"));
    }
    set_like(&context, me, comment.id, true).await
}

/// Take a like of a comment away
#[utoipa::path(
    delete, path = "/v1/comments/{id}/like", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the comment")),
    responses((status = 200, body = LikeBody), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn unlike_comment(
    State(context): State<ApiContext>,
    me: SignedIn,
    VisibleComment { comment, .. }: VisibleComment,
) -> Result<Json<LikeBody>, ApiError> {
    set_like(&context, me, comment.id, false).await
}

async fn set_like(context: &ApiContext, me: SignedIn, id: CommentId, is_liked: bool) -> Result<Json<LikeBody>, ApiError> {
    let likes = in_transaction(context, move |tx| {
        Box::pin(async move {
            if !comment::lock(tx, id).await? {
                return Err(Refused::Api(ApiError::NotFound("comment")));
            }
            if is_liked {
                comment_like::add(tx, me.user_id, id).await?;
            } else {
                comment_like::remove(tx, me.user_id, id).await?;
            }
            Ok(comment_like::count(tx, id).await?)
        })
    })
    .await?;
    Ok(Json(LikeBody { is_liked, likes }))
}
