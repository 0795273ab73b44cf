//! Versions of Ableton Live, as its files and its users write them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A version of Live: `11.3.13`, `12.2`, or the beta `12.2b16`.
///
/// Ordered by age: a beta comes before the release that it led to, and a missing patch counts as 0.
#[derive(Clone, Copy, Debug)]
pub struct LiveVersion {
    /// The number that is paid for: 8 to 12 so far.
    pub major: u16,
    /// The release that brings features.
    pub minor: u16,
    /// The release that mends; absent where it was not written.
    pub patch: Option<u16>,
    /// The number of the beta, where it is one.
    pub beta: Option<u16>,
}

/// A text that is no version of Live.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a version of Live such as `11.3.13` or `12.2b16`")]
pub struct NotALiveVersion(String);

impl LiveVersion {
    /// A release with its first two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self {
            major,
            minor,
            patch: None,
            beta: None,
        }
    }

    /// The release that brought this version's features: `11.3` of `11.3.13`, `12.2` of `12.2b16`.
    pub const fn feature_release(self) -> Self {
        Self::new(self.major, self.minor)
    }

    /// What versions are compared by. A release sorts as the last of its betas.
    fn age(self) -> (u16, u16, u16, u16) {
        (self.major, self.minor, self.patch.unwrap_or(0), self.beta.unwrap_or(u16::MAX))
    }
}

impl PartialEq for LiveVersion {
    fn eq(&self, other: &Self) -> bool {
        self.age() == other.age()
    }
}

impl Eq for LiveVersion {}

impl PartialOrd for LiveVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LiveVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.age().cmp(&other.age())
    }
}

impl fmt::Display for LiveVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if let Some(patch) = self.patch {
            write!(f, ".{patch}")?;
        }
        if let Some(beta) = self.beta {
            write!(f, "b{beta}")?;
        }
        Ok(())
    }
}

impl FromStr for LiveVersion {
    type Err = NotALiveVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotALiveVersion(text.chars().take(40).collect());
        let number = |part: &str| {
            // `parse` would also take a sign.
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits {
                part.parse().map_err(|_| wrong())
            } else {
                Err(wrong())
            }
        };
        let (release, beta) = match text.split_once('b') {
            Some((release, beta)) => (release, Some(number(beta)?)),
            None => (text, None),
        };
        let mut parts = release.split('.');
        let major = number(parts.next().unwrap_or_default())?;
        let minor = parts.next().map_or(Ok(0), number)?;
        let patch = parts.next().map(number).transpose()?;
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Self {
            major,
            minor,
            patch,
            beta,
        })
    }
}

impl Serialize for LiveVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LiveVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> LiveVersion {
        text.parse().expect("a version")
    }

    #[test]
    fn versions_print_as_they_were_written() {
        for text in ["8.1.3", "9.7", "10.0b146", "11.3.13", "12.2b16", "11.2.10b3"] {
            assert_eq!(version(text).to_string(), text);
        }
        assert_eq!(version("12").to_string(), "12.0");
    }

    #[test]
    fn versions_sort_by_age() {
        let mut versions = ["12.0", "11.3.13", "12.2b16", "9.7.1", "11.3.2", "12.2", "10.0"].map(version);
        versions.sort();
        assert_eq!(
            versions.map(|v| v.to_string()),
            ["9.7.1", "10.0", "11.3.2", "11.3.13", "12.0", "12.2b16", "12.2"]
        );
        assert_eq!(version("12.1"), version("12.1.0"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "eleven", "11.", "11.3.1.2", "+11", "11b", "99999999", "11 .3"] {
            assert!(text.parse::<LiveVersion>().is_err(), "{text}");
        }
    }
}
