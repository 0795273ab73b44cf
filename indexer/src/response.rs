//! What is answered.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::musical_key::MusicalKey;

use crate::counters::Counts;
use crate::facet::Facet;
use crate::number::Number;
use crate::rank::Explained;
use crate::request::Cursor;
use crate::understand::Understood;

/// The answer to one [`crate::SearchRequest`].
#[derive(Clone, Debug)]
pub struct SearchResponse {
    /// How many documents match, exactly.
    pub total: u64,
    /// This page of them.
    pub hits: Vec<Hit>,
    /// Counts by facet, in the order asked for.
    pub facets: Vec<FacetCounts>,
    /// Spreads of numbers, in the order asked for.
    pub numbers: Vec<NumberCounts>,
    /// What the rack of [`crate::SearchRequest::mix_with`] asked of hits.
    pub mix: Option<Mix>,
    /// Where the next page starts; none at the end.
    pub next: Option<Cursor>,
    /// Id of the last change in `index_log` that the answer reflects.
    pub position: u64,
    /// How the text was understood.
    pub understood: Understood,
    /// Words of the text that say nothing and need not match.
    pub ignored: Vec<String>,
    /// How many of its other words a hit may miss.
    pub may_miss: usize,
    /// The text with words that nothing has replaced by the likeliest that something has.
    pub did_you_mean: Option<String>,
    /// Where nothing was found: less demanding texts that find something, the best first.
    pub relaxed: Vec<Relaxed>,
}

/// A less demanding text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxed {
    /// The text to search.
    pub text: String,
    /// What was left out.
    pub left_out: Vec<String>,
    /// How many documents match it.
    pub total: u64,
}

/// Key and tempo that hits were to go with, as far as they are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// Id of the rack.
    pub with: u64,
    /// Its key.
    pub key: Option<MusicalKey>,
    /// Its tempo, in beats a minute.
    pub bpm: Option<f64>,
}

/// One search result.
#[derive(Clone, Debug)]
pub struct Hit {
    /// What the index keeps of the workflow.
    pub card: Card,
    /// Its counters, as of a moment ago.
    pub counts: Counts,
    /// Its score, where hits are in order of relevance to a text: from 0 to 1, in the order of the hits.
    pub score: Option<f32>,
    /// What met the text, where that was asked for.
    pub highlights: Vec<Highlight>,
    /// Why it matched, where that was asked for.
    pub explained: Option<Explained>,
}

/// A text of a hit with marks around what met the query, safe to be put into HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// `title`, `tags`, `author`, `devices`, `plugins`, `macros`, `chains` or `description`.
    pub field: &'static str,
    /// Which of the field's values.
    pub at: usize,
    /// The marked value; of a description the part in which most is met.
    pub text: String,
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

/// How a number is spread over the matches. Conditions set with the number's own control do not narrow it.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberCounts {
    /// Which number.
    pub number: Number,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Sum of all.
    pub sum: f64,
    /// How many documents have it.
    pub count: u64,
    /// Documents by step, in ascending order; steps without any are left out.
    pub steps: Vec<Step>,
}

/// One step of a [`NumberCounts`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its lower end, included.
    pub from: f64,
    /// Its upper end, not included.
    pub to: f64,
    /// How many documents lie in it, exactly.
    pub count: u64,
}
