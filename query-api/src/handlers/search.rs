//! Search: from the index alone, so that it answers while the database and Redis are down.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use indexer::{BpmFacet, FacetCounts, Hit, SearchError, SearchResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::SearchParams;

/// Longest wait for a position in the log of changes. A change is found within a second of its commit.
const WAIT_FOR: Duration = Duration::from_secs(3);

/// An answer, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SearchAnswer {
    /// How many workflows match, exactly.
    total: u64,
    /// This page of them.
    hits: Vec<HitBody>,
    /// Counts of values by facet, exact. Values of a facet that are selected do not narrow that facet's own counts.
    facets: BTreeMap<&'static str, FacetBody>,
    /// Tempos of the matches.
    bpm: BpmBody,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
    /// Position in the log of changes that the answer reflects.
    position: u64,
}

/// A hit, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Hit)]
pub(crate) struct HitBody {
    /// Id of the workflow.
    id: u64,
    /// Unique name for addresses.
    slug: String,
    /// Title.
    title: String,
    /// Beginning of the description.
    excerpt: String,
    /// Who made it.
    author: AuthorBody,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    kind: String,
    /// `rack` or `device`, where known.
    form: Option<String>,
    /// Genre.
    genre: Option<String>,
    /// Beats per minute.
    bpm: Option<f64>,
    /// Key.
    key: Option<String>,
    /// Difficulty.
    difficulty: Option<String>,
    /// Tags.
    tags: Vec<String>,
    /// Native and Max for Live devices.
    devices: Vec<String>,
    /// Plug-ins.
    plugins: Vec<String>,
    /// Names of macros.
    macros: Vec<String>,
    /// What it needs to open.
    requires: HitRequiresBody,
    /// Counters, as of a moment ago.
    counts: HitCountsBody,
    /// Chosen by the staff.
    is_featured: bool,
    /// Has something to listen to.
    has_preview_audio: bool,
    /// Has a picture.
    has_preview_image: bool,
    /// When it became public.
    published_at: Option<DateTime<Utc>>,
    /// Its score, where hits are in order of relevance to a text.
    score: Option<f32>,
}

/// What a hit needs to open.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = HitRequires)]
struct HitRequiresBody {
    /// Version of Live that wrote it.
    written_by: Option<String>,
    /// Least version of Live.
    live_version: Option<String>,
    /// Least edition of Live; `unknown` where some device in it is not known well enough to promise.
    live_edition: Option<String>,
    /// What forces them.
    forced_by: Value,
}

/// Counters of a hit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = HitCounts)]
struct HitCountsBody {
    /// Downloads.
    downloads: u32,
    /// Likes.
    likes: u32,
    /// Comments.
    comments: u32,
    /// Ratings.
    ratings: u32,
    /// Mean of the ratings; null without any.
    average_rating: Option<f32>,
}

/// Counts of one facet.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FacetCounts)]
struct FacetBody {
    /// Values, the most frequent first.
    values: Vec<FacetValueBody>,
    /// How many values occur in all.
    distinct: usize,
}

/// One value of a facet.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FacetValue)]
struct FacetValueBody {
    /// The value.
    value: String,
    /// How many workflows have it, exactly.
    count: u64,
    /// Whether it was selected.
    selected: bool,
}

/// Tempos of the matches, not narrowed by `bpm` itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BpmFacet)]
struct BpmBody {
    /// Slowest.
    min: Option<f64>,
    /// Fastest.
    max: Option<f64>,
    /// Counts by step of ten beats per minute; empty steps are left out.
    steps: Vec<BpmStepBody>,
}

/// One step of tempo.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = BpmStep)]
struct BpmStepBody {
    /// Its lower end.
    from: u32,
    /// Its upper end, not included.
    to: u32,
    /// How many workflows lie in it.
    count: u64,
}

/// Search
///
/// Visible workflows, with exact totals and counts. A parameter of a facet may be repeated: any of its values, and that of every facet.
/// Letter case and accents do not matter. It answers from the index alone, also while the database is down.
#[utoipa::path(
    get, path = "/v1/search", tag = "search",
    params(
        ("q" = Option<String>, Query, description = "Text over title, description, tags, author, devices, plug-ins, macro and chain names", max_length = 512),
        ("genre" = Option<Vec<String>>, Query, description = "Genre"),
        ("bpm" = Option<String>, Query, description = "Tempo: `120-130`, `120-`, `-130` or `120`"),
        ("key" = Option<Vec<String>>, Query, description = "Key in any usual notation: `F#m`, `Gb minor`, `8A`, `1m`"),
        ("device" = Option<Vec<String>>, Query, description = "Native or Max for Live device"),
        ("plugin" = Option<Vec<String>>, Query, description = "Plug-in"),
        ("tag" = Option<Vec<String>>, Query, description = "Tag"),
        ("kind" = Option<Vec<String>>, Query, description = "`audio_effect`, `instrument`, `midi_effect` or `drum`"),
        ("difficulty" = Option<Vec<String>>, Query, description = "`beginner`, `intermediate` or `advanced`"),
        ("author" = Option<Vec<String>>, Query, description = "Handle of the author"),
        ("sort" = Option<String>, Query, description = "`relevance`, `newest`, `downloads`, `likes`, `rating` or `bpm`"),
        ("limit" = Option<u32>, Query, description = "Hits wanted; 0 for counts only", maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
        ("facets" = Option<String>, Query, description = "Facets to count, joined by commas; all when absent"),
        ("facet_limit" = Option<u32>, Query, description = "Most values of each facet", maximum = 200),
        ("wait_for" = Option<u64>, Query, description = "Wait, for at most three seconds, until the answer reflects this `index-position`"),
    ),
    responses(
        (status = 200, body = SearchAnswer),
        (status = 400, body = Problem),
        (status = 422, body = Problem, description = "Parameters are refused; `errors` names each"),
        (status = 503, body = Problem, description = "The index is being built, or does not reflect `wait_for` yet"),
    ),
)]
pub(crate) async fn search_workflows(
    State(context): State<ApiContext>,
    params: SearchParams,
) -> Result<Json<SearchAnswer>, ApiError> {
    if let Some(position) = params.wait_for
        && !context.index.wait_for(position, WAIT_FOR).await
    {
        return Err(ApiError::Unavailable {
            what: "the index as of that position",
            cause: None,
        });
    }
    let index = context.index.clone();
    let place = context.place_to_search().await?;
    let answer = tokio::task::spawn_blocking(move || {
        let answer = index.search(&params.request);
        drop(place);
        answer
    })
    .await
    .map_err(ApiError::internal)?
    .map_err(refused)?;
    Ok(Json(answer.into()))
}

pub(crate) fn refused(error: SearchError) -> ApiError {
    match error {
        SearchError::NotReady => ApiError::Unavailable {
            what: "the index, which is being built,",
            cause: None,
        },
        SearchError::BadCursor(_) => ApiError::Invalid(vec![FieldError::new("cursor", "is no cursor of this search")]),
        SearchError::BadBpm(_) => ApiError::Invalid(vec![FieldError::new("bpm", error.to_string())]),
        other => ApiError::internal(other),
    }
}

impl From<SearchResponse> for SearchAnswer {
    fn from(answer: SearchResponse) -> Self {
        Self {
            total: answer.total,
            hits: answer.hits.into_iter().map(HitBody::from).collect(),
            facets: answer
                .facets
                .into_iter()
                .map(|counts| (counts.facet.name(), FacetBody::from(counts)))
                .collect(),
            bpm: answer.bpm.into(),
            next: answer.next.map(|cursor| cursor.to_string()),
            position: answer.position,
        }
    }
}

impl From<Hit> for HitBody {
    fn from(hit: Hit) -> Self {
        let Hit { card, counts, score } = hit;
        Self {
            id: card.id,
            slug: card.slug,
            title: card.title,
            excerpt: card.excerpt,
            author: AuthorBody {
                id: card.author.id,
                username: card.author.username,
                display_name: card.author.display_name,
            },
            kind: card.kind,
            form: card.form,
            genre: card.genre,
            bpm: card.bpm,
            key: card.key,
            difficulty: card.difficulty,
            tags: card.tags,
            devices: card.devices,
            plugins: card.plugins,
            macros: card.macros,
            requires: HitRequiresBody {
                written_by: card.requirements.written_by,
                live_version: card.requirements.live_version,
                live_edition: card.requirements.live_edition,
                forced_by: card.requirements.forced_by,
            },
            counts: HitCountsBody {
                downloads: counts.downloads,
                likes: counts.likes,
                comments: counts.comments,
                ratings: counts.ratings,
                average_rating: (counts.ratings > 0).then_some(counts.average_rating),
            },
            is_featured: card.is_featured,
            has_preview_audio: card.has_preview_audio,
            has_preview_image: card.has_preview_image,
            published_at: card.published_at,
            score,
        }
    }
}

impl From<FacetCounts> for FacetBody {
    fn from(counts: FacetCounts) -> Self {
        Self {
            distinct: counts.distinct,
            values: counts
                .values
                .into_iter()
                .map(|value| FacetValueBody {
                    value: value.value,
                    count: value.count,
                    selected: value.selected,
                })
                .collect(),
        }
    }
}

impl From<BpmFacet> for BpmBody {
    fn from(bpm: BpmFacet) -> Self {
        Self {
            min: bpm.min,
            max: bpm.max,
            steps: bpm
                .steps
                .into_iter()
                .map(|(from, count)| BpmStepBody {
                    from,
                    to: from + BpmFacet::STEP,
                    count,
                })
                .collect(),
        }
    }
}
