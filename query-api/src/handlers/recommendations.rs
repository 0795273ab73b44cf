//! What is recommended to somebody, and what they do not want to be recommended.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::usage::Use;
use store::{WorkflowId, recommendation, workflow};
use utoipa::{IntoParams, ToSchema};

use super::follows::Position;
use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{Cursor, PageParams, SignedIn, WorkflowPath, visible_workflow};
use crate::recommender::{Entry, recommend};
use crate::transaction::{Refused, in_transaction};

/// Most that are listed.
const MAX_LIMIT: usize = 100;

/// How many.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecommendationParams {
    /// How many; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// What is recommended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RecommendationList {
    /// The newest act of anybody that the likenesses of workflows are computed from; null before the first time. Your own acts count at once.
    as_of: Option<DateTime<Utc>>,
    /// The best first.
    items: Vec<RecommendationBody>,
}

/// A workflow that is recommended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Recommendation)]
struct RecommendationBody {
    /// Its place, from 1.
    rank: usize,
    /// How like it is to what you took; null for what is listed for another reason.
    score: Option<f64>,
    /// Why it is here.
    reason: ReasonBody,
    /// The workflow.
    workflow: RecommendedWorkflowBody,
}

/// Why something is recommended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RecommendationReason)]
struct ReasonBody {
    /// `downloaded`, `liked`, `rated` or `collected`: others who took `workflow`, to which you did that, took this too. `alike`: it has `values` in common
    /// with `workflow`. `followed`: you follow its author. `genre`: it trends in the genre of which you take much. `trending`. `new`: try it.
    kind: &'static str,
    /// What you took.
    workflow: Option<SourceBody>,
    /// What both have in common, or the genre.
    values: Vec<String>,
    /// The same in English words.
    text: String,
}

/// A workflow that is a reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RecommendationSource)]
struct SourceBody {
    /// Its id.
    id: u64,
    /// Unique name for addresses.
    slug: String,
    /// Title.
    title: String,
}

/// A recommended workflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RecommendedWorkflow)]
struct RecommendedWorkflowBody {
    /// Its id.
    id: u64,
    /// Unique name for addresses.
    slug: String,
    /// Title.
    title: String,
    /// Who made it.
    author: AuthorBody,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    kind: String,
    /// Genre.
    genre: Option<String>,
    /// Downloads of all times.
    downloads: i32,
    /// Likes.
    likes: i32,
    /// When it became public.
    published_at: Option<DateTime<Utc>>,
}

/// How one stands to being recommended a workflow.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = NotInterested)]
pub(crate) struct NotInterestedBody {
    /// Whether you said that you do not want it.
    is_not_interested: bool,
}

/// A workflow that one does not want to be recommended.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DismissedWorkflow)]
struct DismissedBody {
    /// Its id.
    id: u64,
    /// Unique name for addresses.
    slug: String,
    /// Title.
    title: String,
    /// When you said so.
    since: DateTime<Utc>,
}

/// A page of what one does not want to be recommended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DismissedPage {
    /// Workflows, the oldest first.
    items: Vec<DismissedBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// List what is recommended to you
///
/// What goes together with what you downloaded, liked, rated with four stars or more, or collected, and what is like it; else what those publish
/// whom you follow, what trends, what is new. Never your own, what you have seen, the same content under another id, or what you said you don't want; of each
/// author two at most. Some places are for new workflows, which change daily.
#[utoipa::path(
    get, path = "/v1/recommendations", tag = "trending", params(RecommendationParams),
    responses((status = 200, body = RecommendationList), (status = 401, body = Problem), (status = 422, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_recommendations(
    State(context): State<ApiContext>,
    me: SignedIn,
    params: Result<Query<RecommendationParams>, QueryRejection>,
) -> Result<Json<RecommendationList>, ApiError> {
    let bad_limit = || ApiError::Invalid(vec![FieldError::new("limit", "must be 1 to 100")]);
    let Query(params) = params.map_err(|_| bad_limit())?;
    let limit = params.limit.unwrap_or(20);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(bad_limit());
    }
    let found = recommend(&context, me.user_id, limit).await?;
    context.usage.count(Use::RecommendationList, 1);
    context.usage.count(Use::RecommendationShown, found.entries.len() as u64);
    Ok(Json(RecommendationList {
        as_of: found.as_of,
        items: found
            .entries
            .into_iter()
            .zip(1..)
            .map(|(entry, rank)| RecommendationBody::new(entry, rank))
            .collect(),
    }))
}

/// Say that you don't want a workflow
///
/// It is not recommended to you any more, nor is anything because of it. Saying it again changes nothing.
#[utoipa::path(
    put, path = "/v1/workflows/{id}/not-interested", tag = "trending",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses((status = 200, body = NotInterestedBody), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn dismiss_workflow(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
) -> Result<Json<NotInterestedBody>, ApiError> {
    set_dismissed(&context, me, id, true).await
}

/// Take back that you don't want a workflow
///
/// What you did not say stays so.
#[utoipa::path(
    delete, path = "/v1/workflows/{id}/not-interested", tag = "trending",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses((status = 200, body = NotInterestedBody), (status = 401, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn undismiss_workflow(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
) -> Result<Json<NotInterestedBody>, ApiError> {
    set_dismissed(&context, me, id, false).await
}

async fn set_dismissed(
    context: &ApiContext,
    me: SignedIn,
    id: WorkflowId,
    is_not_interested: bool,
) -> Result<Json<NotInterestedBody>, ApiError> {
    visible_workflow(context, id, Some(me)).await?;
    in_transaction(context, move |tx| {
        Box::pin(async move {
            if !workflow::lock(tx, id).await? {
                return Err(Refused::Api(ApiError::NotFound("workflow")));
            }
            if is_not_interested {
                recommendation::dismiss(tx, me.user_id, id).await?;
            } else {
                recommendation::undismiss(tx, me.user_id, id).await?;
            }
            Ok(())
        })
    })
    .await?;
    Ok(Json(NotInterestedBody { is_not_interested }))
}

/// List what you don't want to be recommended
///
/// By id; those that nobody may see any more are left out.
#[utoipa::path(
    get, path = "/v1/me/not-interested", tag = "trending", params(PageParams),
    responses((status = 200, body = DismissedPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 422, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_dismissed(
    State(context): State<ApiContext>,
    me: SignedIn,
    page: PageParams,
) -> Result<Json<DismissedPage>, ApiError> {
    let limit = page.limit();
    let after = page.after::<Position>()?.map(|position| WorkflowId(position.0));
    let mut db = context.connection().await?;
    let mut dismissed = recommendation::dismissed(&mut db, me.user_id, after, limit + 1).await?;
    let has_more = dismissed.len() > limit as usize;
    dismissed.truncate(limit as usize);
    Ok(Json(DismissedPage {
        next: dismissed.last().filter(|_| has_more).map(|last| Position(last.id.0).write()),
        items: dismissed
            .into_iter()
            .map(|one| DismissedBody {
                id: one.id.0,
                slug: one.slug,
                title: one.title,
                since: one.dismissed_at,
            })
            .collect(),
    }))
}

impl RecommendationBody {
    fn new(entry: Entry, rank: usize) -> Self {
        let Entry { card, score, reason } = entry;
        Self {
            rank,
            score,
            reason: ReasonBody {
                kind: reason.name(),
                workflow: reason.source().map(|source| SourceBody {
                    id: source.id.0,
                    slug: source.slug.clone(),
                    title: source.title.clone(),
                }),
                values: reason.values(),
                text: reason.text(&card),
            },
            workflow: RecommendedWorkflowBody {
                id: card.id.0,
                slug: card.slug,
                title: card.title,
                author: AuthorBody {
                    id: card.author.0,
                    username: card.username,
                    display_name: card.display_name,
                },
                kind: card.kind,
                genre: card.genre,
                downloads: card.downloads,
                likes: card.likes,
                published_at: card.published_at,
            },
        }
    }
}
