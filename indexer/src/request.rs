//! What can be asked: plain types, so that HTTP, its facades and tests all build the same question.

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::SearchError;
use crate::facet::Facet;
use crate::filter::Filters;
use crate::highlight::HighlightOptions;
use crate::mixing::TempoNear;
use crate::number::Number;

/// One question to the index.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What was typed. Never an error, whatever it is; empty matches everything.
    pub text: String,
    /// Which of its words hits must have.
    pub matching: Matching,
    /// What hits must be like.
    pub filters: Filters,
    /// A tempo that hits must be near, and from which [`Sort::BpmDistance`] counts.
    pub tempo: Option<TempoNear>,
    /// Id of a rack that hits must mix with: of a compatible key, near in tempo, and another one. What is not known of that rack is
    /// not asked of others.
    pub mix_with: Option<u64>,
    /// Facets whose values are to be counted. Each costs time.
    pub facets: Vec<Facet>,
    /// Most values shown of each facet; selected ones are shown besides.
    pub facet_limit: usize,
    /// Numbers whose spread is to be counted. Each costs time.
    pub numbers: Vec<Number>,
    /// Order of the hits.
    pub sort: Sort,
    /// Which of its orders [`Sort::Random`] takes; a cursor carries its own.
    pub seed: u64,
    /// Most hits. 0 is fine: totals and counts only.
    pub limit: usize,
    /// Hits left out before the first, for those who number pages. Cursors stay as quick however deep they go.
    pub skip: usize,
    /// Where the page before this one ended.
    pub after: Option<Cursor>,
    /// Hits are what is visible at this time.
    pub now: DateTime<Utc>,
    /// When to give up; none: never.
    pub deadline: Option<Instant>,
    /// Whether, and how, to mark what met the text.
    pub highlight: Option<HighlightOptions>,
    /// Whether to tell of each hit why it matched.
    pub explain: bool,
    /// Whether to look for what could be searched instead where nothing is found.
    pub suggest: bool,
}

impl Default for SearchRequest {
    /// The 20 best of everything that is visible now, with the counts of every facet.
    fn default() -> Self {
        Self {
            text: String::new(),
            matching: Matching::default(),
            filters: Filters::default(),
            tempo: None,
            mix_with: None,
            facets: Facet::ALL.to_vec(),
            facet_limit: 20,
            numbers: Vec::new(),
            sort: Sort::Relevance,
            seed: 0,
            limit: 20,
            skip: 0,
            after: None,
            now: Utc::now(),
            deadline: None,
            highlight: None,
            explain: false,
            suggest: true,
        }
    }
}

impl SearchRequest {
    /// Everything that matches `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Adds a wanted value: any of one facet's, and that of every facet.
    #[must_use]
    pub fn with(mut self, facet: Facet, value: impl Into<String>) -> Self {
        self.filters.any(facet, value);
        self
    }
}

/// Which words of a text hits must have. Phrases they always must. Hits that miss a word come behind those that do not, in every order,
/// and those that miss more behind those that miss fewer; totals and counts are about all of them.
///
/// From five words of content on – a sentence, and no name – words only weigh, so that there are no such steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Matching {
    /// All of one or two words, all but one of three, two of four, any of five or more.
    #[default]
    Most,
    /// All of them.
    All,
    /// Any of them.
    Any,
    /// Words are given up from the last one on: a hit has the first one.
    Last,
    /// Words are given up from the most frequent one on: a hit has the rarest.
    Frequency,
}

impl Matching {
    /// All ways.
    pub const ALL: [Matching; 5] = [
        Matching::Most,
        Matching::All,
        Matching::Any,
        Matching::Last,
        Matching::Frequency,
    ];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Matching::Most => "most",
            Matching::All => "all",
            Matching::Any => "any",
            Matching::Last => "last",
            Matching::Frequency => "frequency",
        }
    }

    /// The way of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|matching| matching.name() == name)
    }
}

/// Order of hits. Equal ones are in descending order of id, so that pages are stable. Where half and double time were asked for, hits
/// that need neither come first in every order; where words may be missing, hits with all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Best match first; without text, the newest.
    #[default]
    Relevance,
    /// Latest published first.
    Newest,
    /// Most downloaded first.
    Downloads,
    /// Most liked first.
    Likes,
    /// Best rated first, see [`crate::Counts::rating_score`].
    Rating,
    /// What trends most this week first, then the newest.
    Trending,
    /// Slowest first, those without a tempo last.
    Bpm,
    /// Nearest first to the tempo of [`SearchRequest::tempo`], by the ratio of both; those without a tempo last.
    BpmDistance,
    /// In an order that says nothing, the same for the same seed.
    Random,
}

impl Sort {
    /// All orders.
    pub const ALL: [Sort; 9] = [
        Sort::Relevance,
        Sort::Newest,
        Sort::Downloads,
        Sort::Likes,
        Sort::Rating,
        Sort::Trending,
        Sort::Bpm,
        Sort::BpmDistance,
        Sort::Random,
    ];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Relevance => "relevance",
            Sort::Newest => "newest",
            Sort::Downloads => "downloads",
            Sort::Likes => "likes",
            Sort::Rating => "rating",
            Sort::Trending => "trending",
            Sort::Bpm => "bpm",
            Sort::BpmDistance => "bpm_distance",
            Sort::Random => "random",
        }
    }

    /// The order of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// Where a page ended: the sort key and id of its last hit. Opaque to clients, who only hand it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) sort: Sort,
    pub(crate) key: u128,
    pub(crate) id: u64,
    /// Of [`Sort::Random`]; else 0.
    pub(crate) seed: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{:x}.{:x}", self.sort.name(), self.key, self.id, self.seed)
    }
}

impl FromStr for Cursor {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        let read = || {
            let mut parts = text.split('.');
            let sort = Sort::parse(parts.next()?)?;
            let key = u128::from_str_radix(parts.next()?, 16).ok()?;
            let id = u64::from_str_radix(parts.next()?, 16).ok()?;
            let seed = u64::from_str_radix(parts.next()?, 16).ok()?;
            parts.next().is_none().then_some(Self { sort, key, id, seed })
        };
        read().ok_or_else(|| SearchError::BadCursor(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_way_to_the_client_and_back() {
        for sort in Sort::ALL {
            let cursor = Cursor {
                sort,
                key: u128::MAX - 3,
                id: 17,
                seed: 9,
            };
            assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor));
        }
        for wrong in ["", "likes", "likes.1.2", "likes.1.2.3.4", "nothing.1.2.3", "likes.x.2.3"] {
            assert!(wrong.parse::<Cursor>().is_err(), "`{wrong}`");
        }
    }
}
