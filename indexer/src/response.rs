//! What is answered.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::counters::Counts;
use crate::facet::Facet;
use crate::request::Cursor;

/// The answer to one [`crate::SearchRequest`].
#[derive(Clone, Debug)]
pub struct SearchResponse {
    /// How many documents match, exactly.
    pub total: u64,
    /// This page of them.
    pub hits: Vec<Hit>,
    /// Counts by facet, in the order asked for.
    pub facets: Vec<FacetCounts>,
    /// Tempos of the matches.
    pub bpm: BpmFacet,
    /// Where the next page starts; none at the end.
    pub next: Option<Cursor>,
    /// Id of the last change in `index_log` that the answer reflects.
    pub position: u64,
}

/// One search result.
#[derive(Clone, Debug)]
pub struct Hit {
    /// What the index keeps of the workflow.
    pub card: Card,
    /// Its counters, as of a moment ago.
    pub counts: Counts,
    /// Its score, where hits are in order of relevance to a text.
    pub score: Option<f32>,
}

/// What a list shows of a workflow, kept in the index so that a search needs no database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Id of the workflow.
    pub id: u64,
    /// Name in addresses.
    pub slug: String,
    /// Title.
    pub title: String,
    /// Beginning of the description.
    pub excerpt: String,
    /// Author.
    pub author: CardAuthor,
    /// Genre.
    pub genre: Option<String>,
    /// Tempo in beats a minute.
    pub bpm: Option<f64>,
    /// Musical key.
    pub key: Option<String>,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    pub kind: String,
    /// `rack` or `device`, where known.
    pub form: Option<String>,
    /// Difficulty.
    pub difficulty: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Native and Max for Live devices.
    pub devices: Vec<String>,
    /// Plug-ins.
    pub plugins: Vec<String>,
    /// Names of macros.
    pub macros: Vec<String>,
    /// What it needs to open.
    pub requirements: Requirements,
    /// Chosen by the staff.
    pub is_featured: bool,
    /// Has something to listen to.
    pub has_preview_audio: bool,
    /// Has a picture.
    pub has_preview_image: bool,
    /// When it became visible.
    pub published_at: Option<DateTime<Utc>>,
    /// Hash of what is in the file, in hexadecimal, once parsed. Two with the same are one rack, saved twice.
    pub content_hash: Option<String>,
}

/// The author on a [`Card`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardAuthor {
    /// Id of the user.
    pub id: u64,
    /// Handle.
    pub username: String,
    /// Name to show, where there is one.
    pub display_name: Option<String>,
}

/// What a rack needs to open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Requirements {
    /// Version of Live that wrote it.
    pub written_by: Option<String>,
    /// Least version of Live.
    pub live_version: Option<String>,
    /// Least edition of Live; `unknown` where the catalogue does not say.
    pub live_edition: Option<String>,
    /// What forces them, as the parse recorded it.
    pub forced_by: serde_json::Value,
}

/// Counts of one facet's values: most frequent first, then in alphabetical order. Values of the facet itself that are selected do not
/// narrow its counts; those of other facets do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCounts {
    /// Which facet.
    pub facet: Facet,
    /// The values shown.
    pub values: Vec<FacetValue>,
    /// How many values occur in all.
    pub distinct: usize,
}

/// One value of a facet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValue {
    /// The value, as it is written.
    pub value: String,
    /// How many documents have it, exactly.
    pub count: u64,
    /// Whether it was selected.
    pub selected: bool,
}

/// Tempos of the matches; the request's own tempo range does not narrow them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BpmFacet {
    /// Slowest.
    pub min: Option<f64>,
    /// Fastest.
    pub max: Option<f64>,
    /// Count of documents by tempo, in steps of [`BpmFacet::STEP`]; first the step's lower end. Steps without documents are left out.
    pub steps: Vec<(u32, u64)>,
}

impl BpmFacet {
    /// Width of a step, in beats a minute.
    pub const STEP: u32 = 10;
}
