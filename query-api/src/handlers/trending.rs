//! What trends: from the boards of the current generation, less what is not visible any more.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use store::trending::{self, Board, BoardLine, CreatorCard, Parts, Span};
use store::workflow::{self, Card};
use store::{UserId, WorkflowId};
use utoipa::{IntoParams, ToSchema};

use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};

/// Most that are listed.
const MAX_LIMIT: usize = 100;

/// Looked up beyond what is asked for, in place of what is not visible any more: a generation lasts a minute.
const SPARE: usize = 50;

/// Which list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrendingParams {
    /// `24h`, `7d` (when absent) or `30d`.
    window: Option<String>,
    /// Only this genre; letter case does not matter.
    genre: Option<String>,
    /// Only `audio_effect`, `instrument`, `midi_effect` or `drum`.
    kind: Option<String>,
    /// Only with this tag; letter case does not matter.
    tag: Option<String>,
    /// How many; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// Which list of creators.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrendingCreatorParams {
    /// `24h`, `7d` (when absent) or `30d`.
    window: Option<String>,
    /// How many; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

/// What trends.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TrendingList {
    /// The window: `24h`, `7d` or `30d`.
    window: &'static str,
    /// The moment that it was computed for; null before the first time.
    as_of: Option<DateTime<Utc>>,
    /// What trends most first.
    items: Vec<TrendingBody>,
}

/// A workflow that trends.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Trending)]
struct TrendingBody {
    /// Its place in this list, from 1.
    rank: usize,
    /// Places that it has risen in this list since it was last computed, negative when it fell; null when it was not in it.
    movement: Option<i64>,
    /// Its score: how far what was observed lies above what is usual. See `parts`.
    score: f64,
    /// Why the score is what it is.
    parts: PartsBody,
    /// The workflow.
    workflow: TrendingWorkflowBody,
}

/// A workflow of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrendingWorkflow)]
struct TrendingWorkflowBody {
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
    /// Tags.
    tags: Vec<String>,
    /// Downloads of all times.
    downloads: i32,
    /// Likes.
    likes: i32,
    /// When it became public.
    published_at: Option<DateTime<Utc>>,
}

/// Creators who trend.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TrendingCreatorList {
    /// The window: `24h`, `7d` or `30d`.
    window: &'static str,
    /// The moment that it was computed for; null before the first time.
    as_of: Option<DateTime<Utc>>,
    /// Who trends most first.
    items: Vec<TrendingCreatorBody>,
}

/// A creator who trends.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrendingCreator)]
struct TrendingCreatorBody {
    /// Their place in this list, from 1.
    rank: usize,
    /// Places that they have risen in this list since it was last computed, negative when they fell; null when they were not in it.
    movement: Option<i64>,
    /// The score, as for a workflow, over all that they published.
    score: f64,
    /// Why the score is what it is.
    parts: PartsBody,
    /// Who.
    creator: AuthorBody,
    /// Followers.
    followers: i32,
}

/// Why a score is what it is: `(observed - expected) / sqrt(expected + 1)`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrendingParts)]
struct PartsBody {
    /// Different people within the window.
    actors: u32,
    /// Of those, people with an account that is not new.
    established: u32,
    /// How many of them viewed.
    views: u32,
    /// How many downloaded.
    downloads: u32,
    /// How many liked.
    likes: u32,
    /// How many commented.
    comments: u32,
    /// How many gave more than three stars.
    ratings: u32,
    /// How many put it into a collection.
    collection_adds: u32,
    /// Weights of what they did, less with age.
    raw: f64,
    /// What is left after damping bursts from one network, newcomers, and what a single person does.
    observed: f64,
    /// What is usual, by its own past.
    own_expected: f64,
    /// What is usual in its genre, or among its kind without one.
    group_expected: f64,
    /// The greater of both.
    expected: f64,
}

/// List what trends
///
/// Workflows that get more attention, from more different people, than is usual for them and for their genre. Computed anew every minute.
#[utoipa::path(
    get, path = "/v1/trending", tag = "trending", params(TrendingParams),
    responses((status = 200, body = TrendingList), (status = 422, body = Problem)),
)]
pub(crate) async fn list_trending(
    State(context): State<ApiContext>,
    params: Result<Query<TrendingParams>, QueryRejection>,
) -> Result<Json<TrendingList>, ApiError> {
    let Query(params) = params.map_err(|_| bad_limit())?;
    let (span, limit) = span_and_limit(params.window.as_deref(), params.limit)?;
    let Some(Board { generation, lines }) = context.boards.workflows(&context.db, span).await? else {
        return Ok(Json(TrendingList {
            window: span.name(),
            as_of: None,
            items: Vec::new(),
        }));
    };
    let filter = Filter::new(&params);
    let listed: Vec<&BoardLine> = lines.iter().filter(|line| filter.passes(line)).collect();
    let moved = movements(
        &listed,
        |line| (line.score, line.previous_score, line.workflow.0),
        limit + SPARE,
    );
    let shown: Vec<(&BoardLine, Option<i64>)> = listed
        .into_iter()
        .zip(moved)
        .take_while(|(line, _)| line.score > 0.0)
        .take(limit + SPARE)
        .collect();
    let ids: Vec<WorkflowId> = shown.iter().map(|(line, _)| line.workflow).collect();
    let mut cards: HashMap<WorkflowId, Card> = if ids.is_empty() {
        HashMap::new()
    } else {
        let cards = workflow::cards(&mut *context.connection().await?, None, &ids).await?;
        cards.into_iter().map(|card| (card.id, card)).collect()
    };
    let items = shown
        .into_iter()
        .filter_map(|(line, movement)| Some((line, movement, cards.remove(&line.workflow)?)))
        .zip(1..)
        .take(limit)
        .map(|((line, movement, card), rank)| TrendingBody {
            rank,
            movement,
            score: line.score,
            parts: (&line.parts).into(),
            workflow: TrendingWorkflowBody {
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
                tags: line.tags.clone(),
                downloads: card.downloads,
                likes: card.likes,
                published_at: card.published_at,
            },
        })
        .collect();
    Ok(Json(TrendingList {
        window: span.name(),
        as_of: Some(generation.as_of),
        items,
    }))
}

/// List rising creators
///
/// Authors whose workflows together get more attention, from more different people, than is usual for them.
#[utoipa::path(
    get, path = "/v1/trending/creators", tag = "trending", params(TrendingCreatorParams),
    responses((status = 200, body = TrendingCreatorList), (status = 422, body = Problem)),
)]
pub(crate) async fn list_trending_creators(
    State(context): State<ApiContext>,
    params: Result<Query<TrendingCreatorParams>, QueryRejection>,
) -> Result<Json<TrendingCreatorList>, ApiError> {
    let Query(params) = params.map_err(|_| bad_limit())?;
    let (span, limit) = span_and_limit(params.window.as_deref(), params.limit)?;
    let Some(board) = context.boards.creators(&context.db, span).await? else {
        return Ok(Json(TrendingCreatorList {
            window: span.name(),
            as_of: None,
            items: Vec::new(),
        }));
    };
    let listed: Vec<_> = board.lines.iter().collect();
    let moved = movements(&listed, |line| (line.score, line.previous_score, line.user.0), limit + SPARE);
    let shown: Vec<_> = listed
        .into_iter()
        .zip(moved)
        .take_while(|(line, _)| line.score > 0.0)
        .take(limit + SPARE)
        .collect();
    let ids: Vec<UserId> = shown.iter().map(|(line, _)| line.user).collect();
    let mut cards: HashMap<UserId, CreatorCard> = if ids.is_empty() {
        HashMap::new()
    } else {
        let cards = trending::visible_creators(&mut *context.connection().await?, &ids).await?;
        cards.into_iter().map(|card| (card.id, card)).collect()
    };
    let items = shown
        .into_iter()
        .filter_map(|(line, movement)| Some((line, movement, cards.remove(&line.user)?)))
        .zip(1..)
        .take(limit)
        .map(|((line, movement, card), rank)| TrendingCreatorBody {
            rank,
            movement,
            score: line.score,
            parts: (&line.parts).into(),
            creator: AuthorBody {
                id: card.id.0,
                username: card.username,
                display_name: card.display_name,
            },
            followers: card.followers,
        })
        .collect();
    Ok(Json(TrendingCreatorList {
        window: span.name(),
        as_of: Some(board.generation.as_of),
        items,
    }))
}

fn bad_limit() -> ApiError {
    ApiError::Invalid(vec![FieldError::new("limit", "must be 1 to 100")])
}

fn span_and_limit(window: Option<&str>, limit: Option<usize>) -> Result<(Span, usize), ApiError> {
    let span = match window {
        None => Span::Week,
        Some(name) => {
            Span::parse(name).ok_or_else(|| ApiError::Invalid(vec![FieldError::new("window", "must be `24h`, `7d` or `30d`")]))?
        }
    };
    let limit = limit.unwrap_or(20);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(bad_limit());
    }
    Ok((span, limit))
}

/// How far each of the first `count` lines has risen, when lines were in order of their score before. `None`: it had none.
fn movements<T>(listed: &[&T], of: impl Fn(&T) -> (f64, f64, u64), count: usize) -> Vec<Option<i64>> {
    let mut before: Vec<usize> = (0..listed.len()).filter(|at| of(listed[*at]).1 > 0.0).collect();
    before.sort_unstable_by(|a, b| {
        let ((_, score_a, id_a), (_, score_b, id_b)) = (of(listed[*a]), of(listed[*b]));
        score_b.total_cmp(&score_a).then(id_b.cmp(&id_a))
    });
    let mut moved = vec![None; listed.len()];
    for (place, at) in before.into_iter().enumerate() {
        moved[at] = Some(place as i64 - at as i64);
    }
    moved.truncate(count);
    moved
}

/// What a list is narrowed to.
struct Filter {
    genre: Option<String>,
    kind: Option<String>,
    tag: Option<String>,
}

impl Filter {
    fn new(params: &TrendingParams) -> Self {
        let folded = |text: &Option<String>| text.as_deref().map(fold).filter(|text| !text.is_empty());
        Self {
            genre: folded(&params.genre),
            kind: folded(&params.kind),
            tag: folded(&params.tag),
        }
    }

    fn passes(&self, line: &BoardLine) -> bool {
        let genre = self
            .genre
            .as_ref()
            .is_none_or(|wanted| line.genre.as_deref().map(fold).as_ref() == Some(wanted));
        let kind = self.kind.as_ref().is_none_or(|wanted| line.kind == *wanted);
        let tag = self
            .tag
            .as_ref()
            .is_none_or(|wanted| line.tags.iter().any(|tag| fold(tag) == *wanted));
        genre && kind && tag
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

impl From<&Parts> for PartsBody {
    fn from(parts: &Parts) -> Self {
        Self {
            actors: parts.actors,
            established: parts.established,
            views: parts.views,
            downloads: parts.downloads,
            likes: parts.likes,
            comments: parts.comments,
            ratings: parts.ratings,
            collection_adds: parts.collection_adds,
            raw: parts.raw,
            observed: parts.observed,
            own_expected: parts.own_expected,
            group_expected: parts.group_expected,
            expected: parts.expected,
        }
    }
}
