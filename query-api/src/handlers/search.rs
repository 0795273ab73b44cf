//! Search: from the index alone, so that it answers while the database and Redis are down.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use indexer::{
    Explained, FacetCounts, FacetValue, Highlight, Hit, Mix, NumberCounts, SearchError, SearchResponse, Sought, Understood,
};
use serde::Serialize;
use serde_json::Value;
use store::search_log::{QueryId, Source};
use utoipa::ToSchema;

use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::SearchParams;
use crate::search_log::{Answered, Searcher};

/// An answer, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SearchAnswer {
    /// How many workflows match, exactly.
    total: u64,
    /// This page of them.
    hits: Vec<HitBody>,
    /// Counts of values by facet, exact. Values of a facet that are selected do not narrow that facet's own counts.
    facets: BTreeMap<&'static str, FacetBody>,
    /// How the numbers asked for are spread over the matches. A range of a number itself does not narrow its own.
    numbers: BTreeMap<&'static str, NumberBody>,
    /// What hits were to mix with, where `mix_with` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    mix: Option<MixBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
    /// Position in the log of changes that the answer reflects.
    position: u64,
    /// Names this answer: what is done with its hits can be reported by it, see `POST /v1/search/events`.
    query_id: String,
    /// How `q` was understood.
    understood: UnderstoodBody,
    /// `q` with words that nothing has replaced by the likeliest that something has; null where there is no such word.
    did_you_mean: Option<String>,
    /// Where nothing was found: less demanding texts that find something, the best first.
    relaxed: Vec<RelaxedBody>,
}

/// How a text was understood. What is not a fielded word that can be read is read as words.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Understood)]
struct UnderstoodBody {
    /// A text that is understood in the same way.
    text: String,
    /// Words looked for, folded, as often as they were written.
    words: Vec<String>,
    /// The last word, where it also stands for all words that it begins.
    prefix: Option<String>,
    /// Phrases looked for: words side by side.
    phrases: Vec<String>,
    /// Words and phrases that must not occur.
    excluded: Vec<String>,
    /// Fielded words.
    filters: Vec<FieldedBody>,
    /// Words that say nothing and need not match.
    ignored: Vec<String>,
    /// How many of the other words a hit may miss, see `matching`.
    may_miss: usize,
    /// Whether there are so many words that any may be missing, and nothing but their weight tells where a hit belongs.
    any_word_may_be_missing: bool,
}

/// A fielded word.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FieldedWord)]
struct FieldedBody {
    /// Name of the field.
    field: &'static str,
    /// Its value, in the form in which it was understood.
    value: String,
    /// Whether it must not be so.
    excluded: bool,
}

/// A less demanding text.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RelaxedSearch)]
struct RelaxedBody {
    /// `q` to search.
    q: String,
    /// What was left out.
    left_out: Vec<String>,
    /// How many workflows it finds, exactly.
    total: u64,
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
    /// Its score, where hits are in order of relevance to a text: from 0 to 1, in the order of the hits.
    score: Option<f32>,
    /// What met `q`, by field; each value is escaped for HTML, with marks around the words.
    highlights: BTreeMap<&'static str, Vec<HighlightBody>>,
    /// With `explain=true`: why it matched, and the parts of its score.
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<ExplainBody>,
}

/// A value of a field with marks.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Highlight)]
struct HighlightBody {
    /// Which value of the field, from 0.
    at: usize,
    /// The value; of a description the part in which most is met.
    text: String,
}

/// Why a hit matched.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Explain)]
struct ExplainBody {
    /// The words of `q` that were met.
    words: Vec<ExplainWordBody>,
    /// Words of `q` that it misses. Hits that miss fewer come first, whatever the tiers say.
    missing: Vec<String>,
    /// Tiers, which decide before the score does among hits that miss nothing; null where there are so many words that only the score decides.
    tiers: Option<ExplainTiersBody>,
    /// BM25.
    bm25: f32,
    /// What popularity multiplied it by.
    popularity: f32,
}

/// How one word was met.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ExplainWord)]
struct ExplainWordBody {
    /// The word or phrase of `q`.
    typed: String,
    /// What was found in its place.
    matched: String,
    /// `exact`, `stem`, `prefix`, `synonym`, `joined`, `split`, `typo` or `two_typos`.
    kind: &'static str,
    /// How good the best field is: 5 title, 4 tag or author, 3 device or plug-in, 2 macro or chain, 1 description.
    field_level: u8,
    /// Its occurrences, weighted by field.
    weight: f32,
    /// How much the word says: its inverse document frequency.
    idf: f32,
}

/// Tiers; of each the lower comes first, and each decides before those after it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = ExplainTiers)]
struct ExplainTiersBody {
    /// How words were met: 0 where all are exact.
    kinds: u32,
    /// How good the fields are: 0 where all are in the title.
    fields: u32,
    /// How near words are: 0 the whole title, 1 side by side, 2 near, 3 not near.
    nearness: u32,
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
pub(crate) struct FacetValueBody {
    /// The value.
    value: String,
    /// How many workflows have it, exactly.
    count: u64,
    /// Whether it was selected.
    selected: bool,
}

/// How a number is spread.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = NumberCounts)]
struct NumberBody {
    /// Smallest.
    min: Option<f64>,
    /// Largest.
    max: Option<f64>,
    /// Mean.
    mean: Option<f64>,
    /// How many workflows have it.
    count: u64,
    /// Counts by step (of `uploaded`, by month); empty steps are left out.
    steps: Vec<NumberStepBody>,
}

/// One step of a number.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = NumberStep)]
struct NumberStepBody {
    /// Its lower end.
    from: f64,
    /// Its upper end, not included.
    to: f64,
    /// How many workflows lie in it, exactly.
    count: u64,
}

/// What hits were to mix with, as far as it is known.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Mix)]
struct MixBody {
    /// Id of the workflow.
    with: u64,
    /// Its key.
    key: Option<&'static str>,
    /// Its tempo.
    bpm: Option<f64>,
}

/// Search
///
/// Visible workflows, with exact totals and counts. A parameter of a facet may be repeated: any of its values, and that of every facet.
/// Letter case and accents do not matter. It answers from the index alone, also while the database is down.
#[utoipa::path(
    get, path = "/v1/search", tag = "search",
    params(
        ("q" = Option<String>, Query, description = "Text over title, description, tags, author, devices, plug-ins, macro and chain names; also `\"phrases\"`, `-excluded` words, and fielded ones: `bpm:120-130 key:Am device:\"Hybrid Reverb\" -tag:dubstep`", max_length = 2048),
        ("matching" = Option<String>, Query, description = "Which words of `q` hits must have: `most` when absent (all of one or two, all but one of three, two of four, any of five or more), `all`, `any`, `last` (words are given up from the last one on) or `frequency` (from the most frequent one on). Hits that miss fewer words come first in every order; totals and counts are about all hits"),
        ("genre" = Option<Vec<String>>, Query, description = "Genre. This and the following facets: any of the values given; `tag_all=` asks for every one, `tag_none=` for none, and so for each facet"),
        ("key" = Option<Vec<String>>, Query, description = "Key in any usual notation: `F#m`, `Gb minor`, `8A`, `1m`"),
        ("harmony" = Option<String>, Query, description = "Which keys go with `key`: `exact`; `compatible`, which mixes (itself, its relative, and its neighbours on the wheel); or `diagonal`, which adds the relative's neighbours"),
        ("device" = Option<Vec<String>>, Query, description = "Native or Max for Live device; old and new elements of one device are one"),
        ("plugin" = Option<Vec<String>>, Query, description = "Plug-in"),
        ("tag" = Option<Vec<String>>, Query, description = "Tag"),
        ("kind" = Option<Vec<String>>, Query, description = "`audio_effect`, `instrument`, `midi_effect` or `drum`"),
        ("difficulty" = Option<Vec<String>>, Query, description = "`beginner`, `intermediate` or `advanced`"),
        ("author" = Option<Vec<String>>, Query, description = "Handle of the author"),
        ("origin" = Option<Vec<String>>, Query, description = "Where devices come from: `native`, `max_for_live` or `plugin`"),
        ("vendor" = Option<Vec<String>>, Query, description = "Maker of a plug-in"),
        ("category" = Option<Vec<String>>, Query, description = "What devices do: `audio_effect`, `instrument` or `midi_effect`"),
        ("category_device" = Option<Vec<String>>, Query, description = "The level below: `audio_effect > Reverb`"),
        ("edition" = Option<Vec<String>>, Query, description = "Least edition of Live: `intro`, `standard`, `suite` or `unknown`"),
        ("live" = Option<Vec<String>>, Query, description = "Least version of Live: `11.3`"),
        ("form" = Option<Vec<String>>, Query, description = "`rack` or `device`"),
        ("needs" = Option<Vec<String>>, Query, description = "What else it needs: `plugin:Serum`, `pack:Drum Essentials`, `max_device:Granulator`"),
        ("bpm" = Option<Vec<String>>, Query, description = "Tempo: `120-130`, `120-`, `-130` or `120`, taken as it is. This and the following numbers: any of the ranges given"),
        ("rating" = Option<Vec<String>>, Query, description = "Mean rating, 1 to 5"),
        ("downloads" = Option<Vec<String>>, Query, description = "Downloads"),
        ("likes" = Option<Vec<String>>, Query, description = "Likes"),
        ("device_count" = Option<Vec<String>>, Query, description = "Number of devices"),
        ("chain_count" = Option<Vec<String>>, Query, description = "Number of chains"),
        ("macro_count" = Option<Vec<String>>, Query, description = "Number of macros in use"),
        ("tempo" = Option<f64>, Query, description = "Near this tempo", minimum = 20, maximum = 999),
        ("tempo_within" = Option<f64>, Query, description = "How near, in percent; 6 when absent", minimum = 0, maximum = 20),
        ("half_double" = Option<bool>, Query, description = "Whether half and double that tempo are near as well; they come last"),
        ("mix_with" = Option<u64>, Query, description = "Id of a workflow: others of a compatible key and a near tempo, the nearest first unless a text or an order is given"),
        ("has_preview" = Option<bool>, Query, description = "Has something to listen to or a picture"),
        ("has_preview_audio" = Option<bool>, Query, description = "Has something to listen to"),
        ("has_preview_image" = Option<bool>, Query, description = "Has a picture"),
        ("is_featured" = Option<bool>, Query, description = "Chosen by the staff"),
        ("is_parsed" = Option<bool>, Query, description = "Its file was read"),
        ("needs_max_for_live" = Option<bool>, Query, description = "Needs Max for Live"),
        ("uploaded_since" = Option<String>, Query, description = "Published, or else uploaded, since a day, a time, or so many days ago (`30d`)"),
        ("opens_in" = Option<String>, Query, description = "This version of Live opens it, whatever else it needs: `11.3`; `11` is the last of Live 11"),
        ("own_live" = Option<String>, Query, description = "Only what opens completely with what you own: the version of Live. `own_edition` is needed too. What needs something unknown does not pass"),
        ("own_edition" = Option<String>, Query, description = "`intro`, `standard` or `suite`"),
        ("own_max_for_live" = Option<bool>, Query, description = "Whether you have Max for Live; when absent, with Suite alone"),
        ("own_plugin" = Option<Vec<String>>, Query, description = "A plug-in that you have; none when absent"),
        ("own_pack" = Option<Vec<String>>, Query, description = "A pack that you have; none when absent"),
        ("own_max_device" = Option<Vec<String>>, Query, description = "A Max for Live device that you have besides those of Live; none when absent"),
        ("suite_holds_all" = Option<bool>, Query, description = "Lets racks of unknown edition pass for owners of Suite, on the ground that it holds all devices of Live"),
        ("sort" = Option<String>, Query, description = "`relevance`, `newest`, `downloads`, `likes`, `rating`, `trending`, `bpm`, `bpm_distance` (needs `tempo` or `mix_with`) or `random`"),
        ("seed" = Option<u64>, Query, description = "Which random order; the same for the same number"),
        ("limit" = Option<u32>, Query, description = "Hits wanted; 0 for counts only", maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before"),
        ("facets" = Option<String>, Query, description = "Facets to count, joined by commas; all when absent"),
        ("numbers" = Option<String>, Query, description = "Numbers whose spread is wanted, joined by commas: `bpm`, `rating`, `downloads`, `likes`, `uploaded`, `device_count`, `chain_count`, `macro_count`"),
        ("facet_limit" = Option<u32>, Query, description = "Most values of each facet", maximum = 200),
        ("highlight" = Option<bool>, Query, description = "Whether to mark what met `q`; true when absent"),
        ("highlight_pre" = Option<String>, Query, description = "What is put before a word that met `q`; `<em>` when absent", max_length = 64),
        ("highlight_post" = Option<String>, Query, description = "What is put behind it; `</em>` when absent", max_length = 64),
        ("crop" = Option<u32>, Query, description = "Most words of a description's part", maximum = 200),
        ("explain" = Option<bool>, Query, description = "Whether to tell why each hit matched, and the parts of its score"),
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
    searcher: Searcher,
    params: SearchParams,
) -> Result<Json<SearchAnswer>, ApiError> {
    if let Some(position) = params.wait_for {
        context.index_reaches(position).await?;
    }
    let mut request = params.request;
    let started = Instant::now();
    let (request, answer) = context
        .ask_index(move |index, deadline| {
            request.deadline = Some(deadline);
            let answer = index.search(&request)?;
            Ok((request, answer))
        })
        .await?;
    let query_id = context.search_log.note(
        &searcher,
        Answered {
            request: &request,
            first_page: request.after.is_none(),
            total: answer.total,
            took: started.elapsed(),
            source: Source::Native,
        },
    );
    Ok(Json(SearchAnswer::new(answer, query_id)))
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::NotReady => ApiError::Unavailable {
                what: "the index, which is being built,",
                cause: None,
            },
            SearchError::BadCursor(_) => ApiError::Invalid(vec![FieldError::new("cursor", "is no cursor of this search")]),
            SearchError::BadRange(_) => ApiError::Invalid(vec![FieldError::new("selections", error.to_string())]),
            SearchError::TooComplex(..) => {
                ApiError::Invalid(vec![FieldError::new("selections", format!("are too many: {error}"))])
            }
            SearchError::NoTempo => ApiError::Invalid(vec![FieldError::new(
                "sort",
                "needs a tempo to count from, which the rack to mix with does not have",
            )]),
            SearchError::NothingToMix(_) => ApiError::Invalid(vec![FieldError::new(
                "mix_with",
                "must be a public workflow with a key or a tempo",
            )]),
            SearchError::TimedOut => ApiError::TimedOut,
            other => ApiError::internal(other),
        }
    }
}

impl SearchAnswer {
    fn new(answer: SearchResponse, query_id: QueryId) -> Self {
        Self {
            total: answer.total,
            hits: answer.hits.into_iter().map(HitBody::from).collect(),
            facets: answer
                .facets
                .into_iter()
                .map(|counts| (counts.facet.name(), FacetBody::from(counts)))
                .collect(),
            numbers: answer
                .numbers
                .into_iter()
                .map(|counts| (counts.number.name(), NumberBody::from(counts)))
                .collect(),
            mix: answer.mix.map(MixBody::from),
            next: answer.next.map(|cursor| cursor.to_string()),
            position: answer.position,
            query_id: query_id.to_string(),
            understood: UnderstoodBody::new(&answer.understood, answer.ignored, answer.may_miss),
            did_you_mean: answer.did_you_mean,
            relaxed: answer
                .relaxed
                .into_iter()
                .map(|relaxed| RelaxedBody {
                    q: relaxed.text,
                    left_out: relaxed.left_out,
                    total: relaxed.total,
                })
                .collect(),
        }
    }
}

impl UnderstoodBody {
    fn new(understood: &Understood, ignored: Vec<String>, may_miss: usize) -> Self {
        let mut body = Self {
            text: understood.to_text(),
            words: Vec::new(),
            prefix: None,
            phrases: Vec::new(),
            excluded: understood.excluded.iter().map(|words| words.join(" ")).collect(),
            filters: Vec::new(),
            ignored,
            may_miss,
            any_word_may_be_missing: understood.is_long() && may_miss > 0,
        };
        for sought in &understood.sought {
            match sought {
                Sought::Word { text, prefix } => {
                    body.words.push(text.clone());
                    if *prefix {
                        body.prefix = Some(text.clone());
                    }
                }
                Sought::Phrase(words) => body.phrases.push(words.join(" ")),
            }
        }
        body.filters = understood
            .fielded
            .iter()
            .map(|fielded| FieldedBody {
                field: fielded.wanted.name(),
                value: fielded.wanted.value(),
                excluded: fielded.excluded,
            })
            .collect();
        body
    }
}

impl From<Explained> for ExplainBody {
    fn from(explained: Explained) -> Self {
        Self {
            words: explained
                .words
                .into_iter()
                .map(|word| ExplainWordBody {
                    typed: word.typed,
                    matched: word.matched,
                    kind: word.kind.name(),
                    field_level: word.level,
                    weight: word.weight,
                    idf: word.idf,
                })
                .collect(),
            missing: explained.missing,
            tiers: explained
                .tiers
                .map(|[kinds, fields, nearness]| ExplainTiersBody { kinds, fields, nearness }),
            bm25: explained.bm25,
            popularity: explained.popularity,
        }
    }
}

impl From<Hit> for HitBody {
    fn from(hit: Hit) -> Self {
        let Hit {
            card,
            counts,
            score,
            highlights,
            explained,
        } = hit;
        let mut by_field: BTreeMap<&'static str, Vec<HighlightBody>> = BTreeMap::new();
        for Highlight { field, at, text } in highlights {
            by_field.entry(field).or_default().push(HighlightBody { at, text });
        }
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
            highlights: by_field,
            explain: explained.map(ExplainBody::from),
        }
    }
}

impl From<FacetCounts> for FacetBody {
    fn from(counts: FacetCounts) -> Self {
        Self {
            distinct: counts.distinct,
            values: counts.values.into_iter().map(FacetValueBody::from).collect(),
        }
    }
}

impl From<FacetValue> for FacetValueBody {
    fn from(value: FacetValue) -> Self {
        Self {
            value: value.value,
            count: value.count,
            selected: value.selected,
        }
    }
}

impl From<NumberCounts> for NumberBody {
    fn from(counts: NumberCounts) -> Self {
        Self {
            min: counts.min,
            max: counts.max,
            mean: (counts.count > 0).then(|| counts.sum / counts.count as f64),
            count: counts.count,
            steps: counts
                .steps
                .into_iter()
                .map(|step| NumberStepBody {
                    from: step.from,
                    to: step.to,
                    count: step.count,
                })
                .collect(),
        }
    }
}

impl From<Mix> for MixBody {
    fn from(mix: Mix) -> Self {
        Self {
            with: mix.with,
            key: mix.key.map(|key| key.name()),
            bpm: mix.bpm,
        }
    }
}
