//! The facets: what hits can be counted and filtered by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A property with a closed or open list of values, of which a document may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    /// Genre, as authors write it.
    Genre,
    /// Musical key.
    Key,
    /// Native and Max for Live devices.
    Device,
    /// Third-party plug-ins.
    Plugin,
    /// Tags.
    Tag,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    Kind,
    /// `beginner`, `intermediate` or `advanced`.
    Difficulty,
    /// Handle of the author.
    Author,
}

impl Facet {
    /// All facets, in the order of their numbers.
    pub const ALL: [Facet; 8] = [
        Facet::Genre,
        Facet::Key,
        Facet::Device,
        Facet::Plugin,
        Facet::Tag,
        Facet::Kind,
        Facet::Difficulty,
        Facet::Author,
    ];

    /// Name in requests, answers and the index.
    pub fn name(self) -> &'static str {
        match self {
            Facet::Genre => "genre",
            Facet::Key => "key",
            Facet::Device => "device",
            Facet::Plugin => "plugin",
            Facet::Tag => "tag",
            Facet::Kind => "kind",
            Facet::Difficulty => "difficulty",
            Facet::Author => "author",
        }
    }

    /// The facet of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.name() == name)
    }

    /// Its place in [`Facet::ALL`].
    pub(crate) fn number(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_facet_is_at_its_number_and_found_by_its_name() {
        for (number, facet) in Facet::ALL.into_iter().enumerate() {
            assert_eq!(facet.number(), number);
            assert_eq!(Facet::parse(facet.name()), Some(facet));
        }
    }
}
