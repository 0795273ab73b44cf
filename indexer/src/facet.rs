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
    /// Native and Max for Live devices; old and new elements of one device are one value.
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
    /// Where its devices come from: `native`, `max_for_live` or `plugin`.
    Origin,
    /// Makers of its plug-ins.
    Vendor,
    /// What its devices do: `audio_effect`, `instrument` or `midi_effect`.
    Category,
    /// Category and device, such as `audio_effect > Reverb`: the level below [`Facet::Category`].
    CategoryDevice,
    /// Least edition of Live: `intro`, `standard`, `suite` or `unknown`.
    Edition,
    /// Least version of Live, such as `11.3`.
    Live,
    /// `rack` or `device`.
    Form,
    /// What else it needs to open: `plugin:Serum`, `pack:Drum Essentials`, `max_device:Granulator`.
    Needs,
}

/// Between the levels of a [`Facet::CategoryDevice`], as InstantSearch's hierarchical menus have it.
pub(crate) const LEVEL: &str = " > ";

impl Facet {
    /// All facets, in the order of their numbers.
    pub const ALL: [Facet; 16] = [
        Facet::Genre,
        Facet::Key,
        Facet::Device,
        Facet::Plugin,
        Facet::Tag,
        Facet::Kind,
        Facet::Difficulty,
        Facet::Author,
        Facet::Origin,
        Facet::Vendor,
        Facet::Category,
        Facet::CategoryDevice,
        Facet::Edition,
        Facet::Live,
        Facet::Form,
        Facet::Needs,
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
            Facet::Origin => "origin",
            Facet::Vendor => "vendor",
            Facet::Category => "category",
            Facet::CategoryDevice => "category_device",
            Facet::Edition => "edition",
            Facet::Live => "live",
            Facet::Form => "form",
            Facet::Needs => "needs",
        }
    }

    /// The facet of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.name() == name)
    }

    /// The facet whose choices do not narrow this one's counts: itself, and for a lower level that of the whole hierarchy, since both
    /// are one control on a page.
    pub fn family(self) -> Self {
        match self {
            Facet::CategoryDevice => Facet::Category,
            other => other,
        }
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
