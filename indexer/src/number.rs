//! Numbers that documents have, and ranges of them.

use std::fmt;
use std::ops::Bound;

use crate::SearchError;

/// A number that documents have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    /// Tempo in beats a minute.
    Bpm,
    /// Mean of the ratings, 1 to 5; absent without any.
    Rating,
    /// Downloads.
    Downloads,
    /// Likes.
    Likes,
    /// Time of publishing, else of uploading, in seconds since 1970.
    Uploaded,
    /// Devices, as often as they occur, plug-ins included; absent where the file was not parsed.
    DeviceCount,
    /// Chains; absent where the file was not parsed.
    ChainCount,
    /// Macros in use; absent where the file was not parsed.
    MacroCount,
    /// Id of the workflow.
    Id,
}

impl Number {
    /// All of them.
    pub const ALL: [Number; 9] = [
        Number::Bpm,
        Number::Rating,
        Number::Downloads,
        Number::Likes,
        Number::Uploaded,
        Number::DeviceCount,
        Number::ChainCount,
        Number::MacroCount,
        Number::Id,
    ];

    /// Name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Number::Bpm => "bpm",
            Number::Rating => "rating",
            Number::Downloads => "downloads",
            Number::Likes => "likes",
            Number::Uploaded => "uploaded",
            Number::DeviceCount => "device_count",
            Number::ChainCount => "chain_count",
            Number::MacroCount => "macro_count",
            Number::Id => "id",
        }
    }

    /// The number of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|number| number.name() == name)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lower end.
    pub min: Bound<f64>,
    /// Upper end.
    pub max: Bound<f64>,
}

impl Range {
    /// Every number.
    pub const ALL: Range = Range {
        min: Bound::Unbounded,
        max: Bound::Unbounded,
    };

    /// From one number to another, both included.
    pub fn between(min: f64, max: f64) -> Self {
        Self {
            min: Bound::Included(min),
            max: Bound::Included(max),
        }
    }

    /// One number.
    pub fn exactly(number: f64) -> Self {
        Self::between(number, number)
    }

    /// That number and more.
    pub fn at_least(min: f64) -> Self {
        Self {
            min: Bound::Included(min),
            ..Self::ALL
        }
    }

    /// That number and less.
    pub fn at_most(max: f64) -> Self {
        Self {
            max: Bound::Included(max),
            ..Self::ALL
        }
    }

    /// Whether a number lies in it.
    pub fn contains(&self, number: f64) -> bool {
        let above = match self.min {
            Bound::Included(min) => number >= min,
            Bound::Excluded(min) => number > min,
            Bound::Unbounded => true,
        };
        let below = match self.max {
            Bound::Included(max) => number <= max,
            Bound::Excluded(max) => number < max,
            Bound::Unbounded => true,
        };
        above && below
    }
}

impl std::str::FromStr for Range {
    type Err = SearchError;

    /// Reads `120`, `120-130`, `120-` or `-130`.
    fn from_str(text: &str) -> Result<Self, SearchError> {
        let wrong = || SearchError::BadRange(text.chars().take(40).collect());
        let end = |part: &str| -> Result<Option<f64>, SearchError> {
            let part = part.trim();
            if part.is_empty() {
                return Ok(None);
            }
            part.parse::<f64>()
                .ok()
                .filter(|number| number.is_finite() && *number >= 0.0)
                .map(Some)
                .ok_or_else(wrong)
        };
        let (min, max) = match text.split_once('-') {
            Some((min, max)) => (end(min)?, end(max)?),
            None => (end(text)?, end(text)?),
        };
        match (min, max) {
            (None, None) => Err(wrong()),
            (Some(min), Some(max)) if min > max => Err(wrong()),
            (min, max) => Ok(Self {
                min: min.map_or(Bound::Unbounded, Bound::Included),
                max: max.map_or(Bound::Unbounded, Bound::Included),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_in_its_four_forms_and_nothing_else() {
        let range = |text: &str| text.parse::<Range>().ok();
        assert_eq!(range("120"), Some(Range::exactly(120.0)));
        assert_eq!(range("120-130.5"), Some(Range::between(120.0, 130.5)));
        assert_eq!(range("120-"), Some(Range::at_least(120.0)));
        assert_eq!(range("-130"), Some(Range::at_most(130.0)));
        for wrong in ["", "-", "fast", "130-120", "NaN", "1-2-3", "inf"] {
            assert_eq!(range(wrong), None, "`{wrong}`");
        }
    }

    #[test]
    fn ends_are_in_a_range_or_not_as_said() {
        let open = Range {
            min: Bound::Excluded(1.0),
            max: Bound::Excluded(2.0),
        };
        assert!(!open.contains(1.0) && open.contains(1.5) && !open.contains(2.0));
        assert!(Range::between(1.0, 2.0).contains(2.0));
        assert!(!Range::ALL.contains(f64::NAN) || Range::ALL.contains(1e300));
    }
}
