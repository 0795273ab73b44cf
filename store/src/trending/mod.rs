//! What trends: what scores are made from, generations of them, and how they are read.
//!
//! A generation is written row by row under an id of its own and made current by one row ([`publish`]); the one before stays until the
//! next one, so that a reader who has just learnt of it still finds it whole. The formula is a job's (`jobs::trending`).

mod boards;
mod generations;
mod rows;
mod signals;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use boards::{Board, Boards, CreatorBoard, Lines};
pub use generations::{Scored, add_creators, add_workflows, begin, creator_scores, current, publish, scores};
pub use rows::{BoardLine, CreatorCard, CreatorLine, board, creator_board, visible_creators};
pub use signals::{
    GroupSize, Item, Signal, attention, attention_versions, day_versions, discounted_users, group_sizes, items,
    replace_attention, signals,
};

/// Rows in one statement.
const ROWS: usize = 500;

/// A list's window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Span {
    /// 24 hours.
    Day = 1,
    /// 7 days.
    Week = 2,
    /// 30 days.
    Month = 3,
}

impl Span {
    /// All of them, the shortest first.
    pub const ALL: [Span; 3] = [Span::Day, Span::Week, Span::Month];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Span::Day => "24h",
            Span::Week => "7d",
            Span::Month => "30d",
        }
    }

    /// The span of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|span| span.name() == name)
    }

    /// How long it is.
    pub fn days(self) -> u32 {
        match self {
            Span::Day => 1,
            Span::Week => 7,
            Span::Month => 30,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a score is what it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// Different people within the window.
    pub actors: u32,
    /// Of those, people who are neither anonymous nor new here.
    pub established: u32,
    /// How many of them viewed.
    pub views: u32,
    /// How many downloaded.
    pub downloads: u32,
    /// How many liked.
    pub likes: u32,
    /// How many commented.
    pub comments: u32,
    /// How many rated.
    pub ratings: u32,
    /// How many put it into a collection.
    pub collection_adds: u32,
    /// Weights of what they did, decayed with its age.
    pub raw: f64,
    /// What is left of it after damping bursts from one network, newcomers, and single actors.
    pub observed: f64,
    /// What would be usual, by its own past.
    pub own_expected: f64,
    /// What would be usual in its genre, or among its kind without one.
    pub group_expected: f64,
    /// The greater of both.
    pub expected: f64,
}

/// The generation that readers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its id.
    pub id: u64,
    /// The moment that it was computed for.
    pub as_of: DateTime<Utc>,
}
