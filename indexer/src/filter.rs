//! What hits must be like: groups of conditions, all of which must hold, each any Boolean combination of plain tests.
//!
//! A group may belong to a control of the page, such as the list of genres: the counts that this control shows are then not narrowed by
//! the group, so that a chosen value's siblings keep their counts. A group without a control narrows everything. Filters of HTTP
//! parameters, of words in the search box and of other search engines' languages all become this.

use chrono::{DateTime, Utc};
use config::LiveVersion;
use config::catalogue::Edition;
use store::musical_key::MusicalKey;

use crate::SearchError;
use crate::facet::Facet;
use crate::mixing::Harmony;
use crate::number::{Number, Range};

/// Most groups of one request: each is one bit of a mask, of which one pass over the index has 64.
pub const MAX_GROUPS: usize = 32;

/// Most tests in one request, those of all groups together.
pub const MAX_TESTS: usize = 512;

/// Deepest nesting of one group's conditions.
pub const MAX_DEPTH: usize = 32;

/// Conditions, all of which hold for every hit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters {
    /// The groups.
    pub groups: Vec<Group>,
}

/// One condition, and the control that it was set with.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Whose counts it does not narrow.
    pub of: Option<Control>,
    /// The condition.
    pub condition: Condition,
}

/// What a page filters by with one control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// Values of a facet.
    Facet(Facet),
    /// A range of a number.
    Number(Number),
}

/// A Boolean combination of tests.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Every one holds; without any, it holds.
    All(Vec<Condition>),
    /// One or more hold; without any, it does not.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A test passes.
    Is(Test),
}

/// One test of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It has a value in the facet that fits.
    Value(Facet, Fits),
    /// It has the number, and that lies within the range.
    Number(Number, Range),
    /// It has the property.
    Flag(Flag),
    /// That version of Live opens it, whatever else it needs. What needs an unknown version does not pass.
    Live(LiveVersion),
    /// It opens completely with what somebody owns.
    Opens(Owned),
}

/// Which values of a facet fit. Letter case and accents do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fits {
    /// This one.
    Is(String),
    /// Those that begin so.
    StartsWith(String),
    /// Those that contain it.
    Contains(String),
    /// Every value: the document has one at all.
    Anything,
}

/// A property that documents have or have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// Has something to listen to.
    PreviewAudio,
    /// Has a picture.
    PreviewImage,
    /// Chosen by the staff.
    Featured,
    /// Its file was parsed, so that what it needs is known as far as it can be.
    Parsed,
    /// Needs Max for Live.
    NeedsMax,
}

impl Flag {
    /// All of them, in the order of their bits.
    pub const ALL: [Flag; 5] = [
        Flag::PreviewAudio,
        Flag::PreviewImage,
        Flag::Featured,
        Flag::Parsed,
        Flag::NeedsMax,
    ];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Flag::PreviewAudio => "has_preview_audio",
            Flag::PreviewImage => "has_preview_image",
            Flag::Featured => "is_featured",
            Flag::Parsed => "is_parsed",
            Flag::NeedsMax => "needs_max_for_live",
        }
    }

    /// The flag of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name() == name)
    }

    /// Its bit in the index's column of flags.
    pub(crate) fn bit(self) -> u64 {
        1 << self as u64
    }
}

/// What somebody owns. A rack opens completely if nothing that it needs is missing here; what it needs must be known, so a rack whose
/// file was not parsed, or that needs an unknown edition, does not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// Version of Live.
    pub live: LiveVersion,
    /// Edition of Live.
    pub edition: Edition,
    /// Whether Max for Live is there: part of Suite, an add-on for Standard.
    pub max_for_live: bool,
    /// Plug-ins, in whatever format: by name, or by identifier where the name is not known.
    pub plugins: Vec<String>,
    /// Packs.
    pub packs: Vec<String>,
    /// Max for Live devices that do not come with Live.
    pub max_devices: Vec<String>,
    /// Lets racks of unknown edition pass for an owner of Suite, which holds all devices that Live has. Most editions are unknown, so
    /// this is what most owners of Suite want; but it is a conclusion, and nobody's promise.
    pub suite_holds_all: bool,
}

impl Filters {
    /// Adds a condition that narrows everything.
    pub fn and(&mut self, condition: Condition) {
        self.groups.push(Group { of: None, condition });
    }

    /// Adds a condition of a control, whose own counts it does not narrow.
    pub fn and_of(&mut self, of: Control, condition: Condition) {
        self.groups.push(Group { of: Some(of), condition });
    }

    /// Has a value of a facet, or one that was allowed by an earlier call.
    pub fn any(&mut self, facet: Facet, value: impl Into<String>) {
        let condition = Condition::value(facet, value);
        self.or_of(Control::Facet(facet.family()), condition);
    }

    /// Has a value of a facet, besides what else it must have.
    pub fn all(&mut self, facet: Facet, value: impl Into<String>) {
        self.and(Condition::value(facet, value));
    }

    /// Has not a value of a facet.
    pub fn none(&mut self, facet: Facet, value: impl Into<String>) {
        self.and(Condition::Not(Box::new(Condition::value(facet, value))));
    }

    /// Has a number within a range, or within one that was allowed by an earlier call.
    pub fn number(&mut self, number: Number, range: Range) {
        self.or_of(Control::Number(number), Condition::Is(Test::Number(number, range)));
    }

    /// Has a property, or has it not.
    pub fn flag(&mut self, flag: Flag, wanted: bool) {
        let has = Condition::Is(Test::Flag(flag));
        self.and(if wanted { has } else { Condition::Not(Box::new(has)) });
    }

    /// Is in one of the keys that go with a key, or in one that was allowed by an earlier call.
    pub fn key(&mut self, key: MusicalKey, harmony: Harmony) {
        for key in harmony.keys(key) {
            self.any(Facet::Key, key.name());
        }
    }

    /// Was published, or else uploaded, at that time or later.
    pub fn since(&mut self, time: DateTime<Utc>) {
        self.number(Number::Uploaded, Range::at_least(time.timestamp() as f64));
    }

    /// Opens completely with what somebody owns.
    pub fn opens(&mut self, owned: Owned) {
        self.and(Condition::Is(Test::Opens(owned)));
    }

    /// Adds all conditions of others.
    pub fn and_all(&mut self, others: Filters) {
        self.groups.extend(others.groups);
    }

    /// Values of a facet that somebody chose, for showing them as chosen: those that a condition of its control allows.
    pub(crate) fn chosen(&self, facet: Facet) -> Vec<&str> {
        fn collect<'a>(condition: &'a Condition, facet: Facet, found: &mut Vec<&'a str>) {
            match condition {
                Condition::All(inner) | Condition::Any(inner) => inner.iter().for_each(|inner| collect(inner, facet, found)),
                Condition::Is(Test::Value(its, Fits::Is(value))) if *its == facet => found.push(value),
                Condition::Not(_) | Condition::Is(_) => {}
            }
        }
        let mut found = Vec::new();
        for group in &self.groups {
            collect(&group.condition, facet, &mut found);
        }
        found
    }

    /// Refuses what would take long to work out.
    pub(crate) fn check(&self) -> Result<(), SearchError> {
        fn size(condition: &Condition, depth: usize) -> Option<usize> {
            if depth > MAX_DEPTH {
                return None;
            }
            match condition {
                Condition::All(inner) | Condition::Any(inner) => inner
                    .iter()
                    .try_fold(1_usize, |sum, inner| Some(sum + size(inner, depth + 1)?)),
                Condition::Not(inner) => Some(1 + size(inner, depth + 1)?),
                Condition::Is(Test::Opens(owned)) => {
                    Some(1 + (owned.plugins.len() + owned.packs.len() + owned.max_devices.len()) / 4)
                }
                Condition::Is(_) => Some(1),
            }
        }
        if self.groups.len() > MAX_GROUPS {
            return Err(SearchError::TooComplex("groups of conditions", MAX_GROUPS));
        }
        let mut tests = 0;
        for group in &self.groups {
            tests += size(&group.condition, 1).ok_or(SearchError::TooComplex("levels of conditions", MAX_DEPTH))?;
        }
        if tests > MAX_TESTS {
            return Err(SearchError::TooComplex("conditions", MAX_TESTS));
        }
        Ok(())
    }

    /// Allows something more by the one condition of a control that [`Filters::any`] and its like make.
    fn or_of(&mut self, of: Control, condition: Condition) {
        let own = self.groups.iter_mut().find(|group| group.of == Some(of));
        match own {
            Some(Group {
                condition: Condition::Any(allowed),
                ..
            }) => allowed.push(condition),
            _ => self.and_of(of, Condition::Any(vec![condition])),
        }
    }
}

impl Condition {
    /// Has that value in the facet.
    pub fn value(facet: Facet, value: impl Into<String>) -> Self {
        Self::Is(Test::Value(facet, Fits::Is(value.into())))
    }

    /// The contrary.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

/// Reads a version of Live as people say it: `11` means the last of Live 11, since updates within a major version are free.
pub fn live_version_of(text: &str) -> Option<LiveVersion> {
    let version: LiveVersion = text.trim().parse().ok()?;
    if text.contains(['.', 'b']) {
        return Some(version);
    }
    Some(LiveVersion::new(version.major, u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_facet_are_one_group_and_exclusions_are_not() {
        let mut filters = Filters::default();
        filters.any(Facet::Tag, "warm");
        filters.any(Facet::Tag, "dark");
        filters.none(Facet::Tag, "cold");
        filters.any(Facet::Category, "instrument");
        filters.any(Facet::CategoryDevice, "audio_effect > Echo");
        assert_eq!(filters.groups.len(), 3);
        assert_eq!(filters.chosen(Facet::Tag), ["warm", "dark"]);
        assert_eq!(filters.chosen(Facet::CategoryDevice), ["audio_effect > Echo"]);
    }

    #[test]
    fn what_would_take_long_is_refused() {
        let nested = |depth: usize| {
            let mut condition = Condition::value(Facet::Tag, "warm");
            for _ in 0..depth {
                condition = Condition::Not(Box::new(condition));
            }
            let mut filters = Filters::default();
            filters.and(condition);
            filters
        };
        assert!(nested(MAX_DEPTH - 1).check().is_ok());
        assert!(nested(MAX_DEPTH + 1).check().is_err());
        let mut many = Filters::default();
        (0..=MAX_TESTS).for_each(|at| many.any(Facet::Tag, at.to_string()));
        assert!(many.check().is_err());
        let mut groups = Filters::default();
        (0..=MAX_GROUPS).for_each(|at| groups.all(Facet::Tag, at.to_string()));
        assert!(groups.check().is_err());
    }

    #[test]
    fn a_major_version_of_live_means_its_last_release() {
        assert!(live_version_of("11").expect("read") >= LiveVersion::new(11, 3));
        assert!(live_version_of("11").expect("read") < LiveVersion::new(12, 0));
        assert_eq!(live_version_of("11.2"), Some(LiveVersion::new(11, 2)));
        assert_eq!(live_version_of("eleven"), None);
    }
}
