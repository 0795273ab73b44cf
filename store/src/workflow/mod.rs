//! `workflows`: the published thing. Its words are here, its statements in the files beside.
//!
//! A workflow is *visible* when it is published, `published_at` is null or past (tested when asked, not when written), it is not
//! taken down, and its author is active and not suspended. The parse state hides nothing: a row that another program wrote with only
//! a title is found by its own columns.

mod card;
mod facts;
mod lists;
mod read;
mod write;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use card::{Card, cards};
pub use facts::{
    ParsedFacts, RackFile, find_rack_file, find_unnoted, note_searchable, record_failed, record_no_file, record_parsed,
    record_pending,
};
pub use lists::{OwnWorkflow, list_own};
pub use read::{Author, Visibility, Workflow, find, find_by_file, find_by_file_now, find_visibility, latest_change};
pub use write::{DetailChanges, Details, NewWorkflow, change_details, delete, insert, lock, publish, set_preview, unpublish};

/// What a rack or device preset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RackKind {
    /// Audio in, audio out.
    AudioEffect,
    /// MIDI in, audio out.
    Instrument,
    /// MIDI in, MIDI out.
    MidiEffect,
    /// A drum rack.
    Drum,
}

impl RackKind {
    /// The nearest value of the seed's `rack_type`, which has none for drum racks: they are instruments.
    pub fn rack_type(self) -> RackType {
        match self {
            Self::AudioEffect => RackType::AudioEffect,
            Self::Instrument | Self::Drum => RackType::Instrument,
            Self::MidiEffect => RackType::MidiEffect,
        }
    }
}

impl From<RackType> for RackKind {
    fn from(rack_type: RackType) -> Self {
        match rack_type {
            RackType::AudioEffect => Self::AudioEffect,
            RackType::Instrument => Self::Instrument,
            RackType::MidiEffect => Self::MidiEffect,
        }
    }
}

/// The seed's `rack_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RackType {
    /// Audio in, audio out.
    AudioEffect,
    /// MIDI in, audio out.
    Instrument,
    /// MIDI in, MIDI out.
    MidiEffect,
}

/// Whether the file holds a rack (`.adg`) or the preset of a single device (`.adv`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum PresetForm {
    /// A rack.
    Rack,
    /// One device.
    Device,
}

/// How much one must know to use it, as its author says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    /// Nothing.
    Beginner,
    /// Something; the seed's default.
    #[default]
    Intermediate,
    /// Much.
    Advanced,
}

/// What became of the parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ParseState {
    /// Not done yet.
    Pending,
    /// Done; the facts are recorded.
    Parsed,
    /// The file is no rack that we can read; the row says why. Never tried again by itself.
    Failed,
    /// The row names no stored file, as rows of other programs may.
    NoFile,
}

/// What tells of a workflow before it is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// What it sounds like.
    Audio,
    /// What it looks like.
    Image,
}

/// Edition of Live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// Live Intro.
    Intro,
    /// Live Standard.
    Standard,
    /// Live Suite.
    Suite,
    /// Not known for some device in it, so that nothing may be promised.
    Unknown,
}

/// Beats per minute, to the hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tempo(u32);

impl Tempo {
    /// Slowest and fastest that Live's own tempo field takes.
    pub const RANGE: std::ops::RangeInclusive<f64> = 20.0..=999.0;

    /// Rounds to the hundredth; `None` outside of [`Tempo::RANGE`].
    pub fn from_bpm(bpm: f64) -> Option<Self> {
        Self::RANGE.contains(&bpm).then(|| Self((bpm * 100.0).round() as u32))
    }

    /// Beats per minute.
    pub fn bpm(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// As stored in `workflows.tempo`.
    fn decimal(self) -> Decimal {
        Decimal::new(i64::from(self.0), 2)
    }

    /// As stored in the seed's `workflows.bpm`: the nearest whole number.
    fn rounded(self) -> i32 {
        i32::try_from((self.0 + 50) / 100).unwrap_or(i32::MAX)
    }
}
