//! The answer to a search, as it is sent: hits, counts, and how the text was understood.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use indexer::{Explained, FacetCounts, FacetValue, Highlight, Hit, Mix, NumberCounts, SearchResponse, Sought, Understood};
use serde::Serialize;
use serde_json::Value;
use store::search_log::QueryId;
use utoipa::ToSchema;

use super::workflow::AuthorBody;

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

impl SearchAnswer {
    pub(crate) fn new(answer: SearchResponse, query_id: QueryId) -> Self {
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
