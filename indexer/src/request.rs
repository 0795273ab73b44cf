//! What can be asked: plain types, so that HTTP, its facades and tests all build the same question.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::SearchError;
use crate::facet::Facet;

/// One question to the index.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What was typed. Never an error, whatever it is; empty matches everything.
    pub text: String,
    /// Values wanted by facet: any of the values of one facet, and that of every facet. Letter case and accents do not matter.
    pub selections: BTreeMap<Facet, Vec<String>>,
    /// Tempo wanted. Never widened to half or double time.
    pub bpm: Option<BpmRange>,
    /// Facets whose values are to be counted.
    pub facets: Vec<Facet>,
    /// Most values shown of each facet; selected ones are shown besides.
    pub facet_limit: usize,
    /// Order of the hits.
    pub sort: Sort,
    /// Most hits. 0 is fine: totals and counts only.
    pub limit: usize,
    /// Where the page before this one ended.
    pub after: Option<Cursor>,
    /// Hits are what is visible at this time.
    pub now: DateTime<Utc>,
}

impl Default for SearchRequest {
    /// The 20 best of everything that is visible now, with the counts of every facet.
    fn default() -> Self {
        Self {
            text: String::new(),
            selections: BTreeMap::new(),
            bpm: None,
            facets: Facet::ALL.to_vec(),
            facet_limit: 20,
            sort: Sort::Relevance,
            limit: 20,
            after: None,
            now: Utc::now(),
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

    /// Adds a wanted value.
    #[must_use]
    pub fn with(mut self, facet: Facet, value: impl Into<String>) -> Self {
        self.selections.entry(facet).or_default().push(value.into());
        self
    }
}

/// A range of tempo in beats a minute, both ends included; an absent end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BpmRange {
    /// Slowest.
    pub min: Option<f64>,
    /// Fastest.
    pub max: Option<f64>,
}

impl BpmRange {
    /// Whether a tempo lies in it.
    pub fn contains(&self, bpm: f64) -> bool {
        self.min.is_none_or(|min| bpm >= min) && self.max.is_none_or(|max| bpm <= max)
    }
}

impl FromStr for BpmRange {
    type Err = SearchError;

    /// Reads `120`, `120-130`, `120-` or `-130`.
    fn from_str(text: &str) -> Result<Self, SearchError> {
        let bound = |part: &str| -> Result<Option<f64>, SearchError> {
            let part = part.trim();
            if part.is_empty() {
                return Ok(None);
            }
            match part.parse::<f64>() {
                Ok(bpm) if bpm.is_finite() && bpm >= 0.0 => Ok(Some(bpm)),
                _ => Err(SearchError::BadBpm(text.to_owned())),
            }
        };
        let range = match text.split_once('-') {
            Some((min, max)) => Self {
                min: bound(min)?,
                max: bound(max)?,
            },
            None => Self {
                min: bound(text)?,
                max: bound(text)?,
            },
        };
        let backwards = matches!((range.min, range.max), (Some(min), Some(max)) if min > max);
        if backwards || range == Self::default() {
            return Err(SearchError::BadBpm(text.to_owned()));
        }
        Ok(range)
    }
}

/// Order of hits. Equal ones are in descending order of id, so that pages are stable.
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
    /// Slowest first, those without a tempo last.
    Bpm,
}

impl Sort {
    /// All orders.
    pub const ALL: [Sort; 6] = [
        Sort::Relevance,
        Sort::Newest,
        Sort::Downloads,
        Sort::Likes,
        Sort::Rating,
        Sort::Bpm,
    ];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Relevance => "relevance",
            Sort::Newest => "newest",
            Sort::Downloads => "downloads",
            Sort::Likes => "likes",
            Sort::Rating => "rating",
            Sort::Bpm => "bpm",
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
    pub(crate) key: u64,
    pub(crate) id: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}.{:x}", self.sort.name(), self.key, self.id)
    }
}

impl FromStr for Cursor {
    type Err = SearchError;

    fn from_str(text: &str) -> Result<Self, SearchError> {
        let read = || {
            let mut parts = text.split('.');
            let sort = Sort::parse(parts.next()?)?;
            let key = u64::from_str_radix(parts.next()?, 16).ok()?;
            let id = u64::from_str_radix(parts.next()?, 16).ok()?;
            parts.next().is_none().then_some(Self { sort, key, id })
        };
        read().ok_or_else(|| SearchError::BadCursor(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bpm_range_is_read_in_its_four_forms_and_nothing_else() {
        let range = |text: &str| text.parse::<BpmRange>().ok().map(|range| (range.min, range.max));
        assert_eq!(range("120"), Some((Some(120.0), Some(120.0))));
        assert_eq!(range("120-130.5"), Some((Some(120.0), Some(130.5))));
        assert_eq!(range("120-"), Some((Some(120.0), None)));
        assert_eq!(range("-130"), Some((None, Some(130.0))));
        for wrong in ["", "-", "fast", "130-120", "NaN", "1-2-3", "inf"] {
            assert_eq!(range(wrong), None, "`{wrong}`");
        }
    }

    #[test]
    fn a_cursor_survives_its_way_to_the_client_and_back() {
        let cursor = Cursor {
            sort: Sort::Likes,
            key: u64::MAX - 3,
            id: 17,
        };
        assert_eq!(cursor.to_string().parse::<Cursor>().ok(), Some(cursor));
        for wrong in ["", "likes", "likes.1", "likes.1.2.3", "nothing.1.2", "likes.x.2"] {
            assert!(wrong.parse::<Cursor>().is_err(), "`{wrong}`");
        }
    }
}
