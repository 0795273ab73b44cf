//! What hits must be like: groups of conditions, all of which must hold, each any Boolean combination of plain tests.
//!
//! A group may belong to a control of the page, such as the list of genres: the counts that this control shows are then not narrowed by
//! the group, so that a chosen value's siblings keep their counts. A group without a control narrows everything. Filters of HTTP
//! parameters, of words in the search box and of other search engines' languages all become this.

use std::fmt;
use std::ops::Bound;

use chrono::{DateTime, Utc};
use config::LiveVersion;
use config::catalogue::Edition;
use store::musical_key::MusicalKey;

use crate::SearchError;
use crate::facet::Facet;

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

/// Which keys go with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Harmony {
    /// Itself.
    #[default]
    Exact,
    /// Itself, its relative, and its neighbours on the wheel: four keys, which mix.
    Compatible,
    /// Those, and the two neighbours of the relative.
    Diagonal,
}

impl Harmony {
    /// All of them.
    pub const ALL: [Harmony; 3] = [Harmony::Exact, Harmony::Compatible, Harmony::Diagonal];

    /// Name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Harmony::Exact => "exact",
            Harmony::Compatible => "compatible",
            Harmony::Diagonal => "diagonal",
        }
    }

    /// The one of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|harmony| harmony.name() == name)
    }

    /// The keys that go with one.
    pub fn keys(self, key: MusicalKey) -> Vec<MusicalKey> {
        match self {
            Harmony::Exact => vec![key],
            Harmony::Compatible => key.compatible().to_vec(),
            Harmony::Diagonal => key.compatible().into_iter().chain(key.diagonal()).collect(),
        }
    }
}

/// Near a tempo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TempoNear {
    /// The tempo, in beats a minute.
    pub bpm: f64,
    /// How far off a hit may be, as a share of the tempo; none: any tempo passes, and this one only orders.
    pub within: Option<f64>,
    /// Whether half and double that tempo are near as well. They come after those that are near as they are.
    pub half_and_double: bool,
}

impl TempoNear {
    /// What most faders bridge: three quarters of their usual 8 %.
    pub const USUAL: f64 = 0.06;

    /// Most that may be asked for: from a third on, half and double time overlap with the tempo itself.
    pub const MOST: f64 = 0.2;

    /// Within the usual reach of a tempo.
    pub fn of(bpm: f64) -> Self {
        Self {
            bpm,
            within: Some(Self::USUAL),
            half_and_double: false,
        }
    }

    /// Ranges that pass; none if every tempo does.
    pub(crate) fn ranges(&self) -> Option<Vec<Range>> {
        let within = self.within?;
        let around = |bpm: f64| Range::between(bpm * (1.0 - within), bpm * (1.0 + within));
        let mut ranges = vec![around(self.bpm)];
        if self.half_and_double {
            ranges.extend([around(self.bpm / 2.0), around(self.bpm * 2.0)]);
        }
        Some(ranges)
    }

    /// Whether a tempo is near as it is, neither halved nor doubled.
    pub(crate) fn is_direct(&self, bpm: f64) -> bool {
        !self.half_and_double || (bpm / self.bpm).log2().abs() <= 0.5
    }

    /// Distance of a tempo in octaves: |log2 of the ratio|, where half and double count as the tempo itself if they are near.
    ///
    /// To a billionth of an octave: distances that are equal but for the last bit of their logarithms are equal, so that the id decides.
    pub(crate) fn distance(&self, bpm: f64) -> f64 {
        let octaves = (bpm / self.bpm).log2();
        let distance = if self.half_and_double {
            octaves.abs().min((octaves - 1.0).abs()).min((octaves + 1.0).abs())
        } else {
            octaves.abs()
        };
        (distance * 1e9).round() / 1e9
    }
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
    fn half_and_double_time_are_near_on_request_only() {
        let direct = TempoNear::of(140.0);
        let both = TempoNear {
            half_and_double: true,
            ..direct
        };
        let passes = |near: &TempoNear, bpm: f64| near.ranges().expect("ranges").iter().any(|range| range.contains(bpm));
        assert!(passes(&direct, 148.0) && !passes(&direct, 149.0) && !passes(&direct, 70.0));
        assert!(passes(&both, 70.0) && passes(&both, 280.0) && !passes(&both, 100.0));
        assert!(both.is_direct(140.0) && !both.is_direct(70.0) && !both.is_direct(280.0));
        assert!(both.distance(70.0) < 1e-12 && direct.distance(70.0) > 0.99);
        let widest = TempoNear {
            within: Some(TempoNear::MOST),
            ..both
        };
        let ranges = widest.ranges().expect("ranges");
        assert!((40..400).all(|bpm| ranges.iter().filter(|range| range.contains(f64::from(bpm))).count() <= 1));
    }

    #[test]
    fn a_major_version_of_live_means_its_last_release() {
        assert!(live_version_of("11").expect("read") >= LiveVersion::new(11, 3));
        assert!(live_version_of("11").expect("read") < LiveVersion::new(12, 0));
        assert_eq!(live_version_of("11.2"), Some(LiveVersion::new(11, 2)));
        assert_eq!(live_version_of("eleven"), None);
    }
}
