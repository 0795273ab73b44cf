//! Ratings of workflows, with reviews.

use axum::Json;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::rating::{self, Rating, Verdict};
use store::{Conn, WorkflowId, workflow};
use utoipa::{IntoParams, ToSchema};

use super::follows::Position;
use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{Cursor, JsonBody, MaybeSignedIn, PageParams, SignedIn, WorkflowPath, visible_workflow};
use crate::text::{self, TextBody};
use crate::transaction::{Refused, in_transaction};

/// What you think of a workflow. Sent again, it takes the place of all that you said before.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictBody {
    /// Stars.
    #[schema(minimum = 1, maximum = 5, example = 4)]
    stars: i64,
    /// In words, any lines.
    #[schema(example = "Opens without a plug-in and sits right in the mix.")]
    review: Option<String>,
    /// Whether you recommend it.
    #[serde(default)]
    is_recommended: bool,
}

/// A rating, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Rating)]
pub(crate) struct RatingBody {
    /// Who gave it.
    user: AuthorBody,
    /// Stars, 1 to 5.
    stars: u8,
    /// In words.
    review: Option<TextBody>,
    /// Whether they recommend it.
    is_recommended: bool,
    /// When it was first given.
    created_at: Option<DateTime<Utc>>,
    /// When it was changed last.
    updated_at: Option<DateTime<Utc>>,
}

/// How a workflow stands, as sent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Standing)]
pub(crate) struct StandingBody {
    /// Ratings.
    ratings: i32,
    /// Their mean; null without any.
    average_rating: Option<f64>,
}

/// A page of ratings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RatingPage {
    /// Ratings, the latest first.
    items: Vec<RatingBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// Which ratings.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RatingParams {
    /// Only those with words.
    #[serde(default)]
    only_reviews: bool,
}

/// Refuses what concerns one's own workflow.
fn not_ones_own(author: store::UserId, me: SignedIn) -> Result<(), ApiError> {
    if author == me.user_id {
        return Err(ApiError::Conflict {
            code: "own_workflow",
            detail: "nobody rates their own workflow".to_owned(),
        });
    }
    Ok(())
}

/// Rate a workflow
///
/// One rating a user; rating again changes it. Nobody rates their own.
#[utoipa::path(
    put, path = "/v1/workflows/{id}/rating", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = VerdictBody,
    responses(
        (status = 200, body = StandingBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`own_workflow`"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn rate_workflow(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
    body: Result<JsonBody<VerdictBody>, ApiError>,
) -> Result<Json<StandingBody>, ApiError> {
    // What one may not see is not there, whatever is said of it.
    let workflow = visible_workflow(&context, id, Some(me)).await?;
    let JsonBody(verdict) = body?;
    not_ones_own(workflow.author.id, me)?;
    let verdict = check(verdict, context.settings.community.review_max_chars)?;
    change(&context, id, me, Some(verdict)).await
}

fn check(verdict: VerdictBody, max_chars: usize) -> Result<Verdict, ApiError> {
    let Some(stars) = u8::try_from(verdict.stars).ok().filter(|stars| (1..=5).contains(stars)) else {
        return Err(ApiError::Invalid(vec![FieldError::new("stars", "must be from 1 to 5")]));
    };
    let review = verdict.review.filter(|review| !review.trim().is_empty());
    if let Some(review) = &review {
        text::check("review", review, max_chars)?;
    }
    Ok(Verdict {
        stars,
        review,
        is_recommended: verdict.is_recommended,
    })
}

/// Take a rating back
///
/// With its review. What you did not rate stays so.
#[utoipa::path(
    delete, path = "/v1/workflows/{id}/rating", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, body = StandingBody),
        (status = 401, body = Problem), (status = 404, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unrate_workflow(
    State(context): State<ApiContext>,
    me: SignedIn,
    WorkflowPath(id): WorkflowPath,
) -> Result<Json<StandingBody>, ApiError> {
    visible_workflow(&context, id, Some(me)).await?;
    change(&context, id, me, None).await
}

async fn change(
    context: &ApiContext,
    id: WorkflowId,
    me: SignedIn,
    verdict: Option<Verdict>,
) -> Result<Json<StandingBody>, ApiError> {
    let standing = in_transaction(context, move |tx| {
        let verdict = verdict.clone();
        Box::pin(async move {
            if !workflow::lock(tx, id).await? {
                return Err(Refused::Api(ApiError::NotFound("workflow")));
            }
            match verdict {
                Some(verdict) => rating::set(tx, me.user_id, id, &verdict).await?,
                None => drop(rating::remove(tx, me.user_id, id).await?),
            }
            Ok(rating::standing(tx, id).await?)
        })
    })
    .await?;
    Ok(Json(StandingBody {
        ratings: standing.count,
        average_rating: standing.average(),
    }))
}

/// List ratings of a workflow
///
/// The latest first.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/ratings", tag = "reactions",
    params(("id" = u64, Path, description = "Id of the workflow"), RatingParams, PageParams),
    responses((status = 200, body = RatingPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_ratings(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    Query(params): Query<RatingParams>,
    page: PageParams,
) -> Result<Json<RatingPage>, ApiError> {
    let limit = page.limit();
    let before = page.after::<Position>()?.map(|position| position.0);
    visible_workflow(&context, id, viewer).await?;
    let mut db = context.connection().await?;
    let mut ratings = rating::list(&mut db, id, params.only_reviews, before, limit + 1).await?;
    let has_more = ratings.len() > limit as usize;
    ratings.truncate(limit as usize);
    Ok(Json(RatingPage {
        next: ratings
            .last()
            .filter(|_| has_more)
            .map(|last| Position(last.position).write()),
        items: bodies(&mut db, ratings).await?,
    }))
}

async fn bodies(db: &mut Conn, ratings: Vec<Rating>) -> Result<Vec<RatingBody>, ApiError> {
    let reviews = ratings.iter().filter_map(|rating| rating.review.clone()).collect();
    let mut reviews = text::render(db, reviews).await?.into_iter();
    Ok(ratings
        .into_iter()
        .map(|rating| RatingBody {
            user: AuthorBody {
                id: rating.user_id.0,
                username: rating.username,
                display_name: rating.display_name,
            },
            stars: rating.stars,
            review: rating.review.and_then(|_| reviews.next()),
            is_recommended: rating.is_recommended,
            created_at: rating.created_at,
            updated_at: rating.updated_at,
        })
        .collect())
}
