//! Filters made ready for a pass: values are numbers, texts are sets of numbers, and each test looks at the columns of one segment.

use config::LiveVersion;
use config::catalogue::Edition;
use store::musical_key::MusicalKey;
use tantivy::columnar::Column;
use tantivy::{DocId, SegmentReader};

use crate::columns::SegmentColumns;
use crate::counters::CountersView;
use crate::document::needs_value;
use crate::facet::Facet;
use crate::filter::{Condition, Control, Filters, Fits, Flag, Group, Owned, Test};
use crate::number::{Number, Range};
use crate::request::SearchRequest;
use crate::values::{FacetValues, ValueId};
use crate::window::Places;

/// A condition with everything looked up that is the same for all segments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    /// It has one of the values.
    HasOne(Facet, ValueSet),
    /// All values that it has are among these.
    OnlyOf(Facet, ValueSet),
    Number(Number, Range),
    Flags(u64),
    /// Key of the newest version of Live that is there.
    LiveAtMost(u64),
}

/// A set of values of one facet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ValueSet {
    bits: Vec<u64>,
}

impl ValueSet {
    fn insert(&mut self, value: ValueId) {
        let word = value as usize / 64;
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (value % 64);
    }

    fn extend(&mut self, other: &Self) {
        if other.bits.len() > self.bits.len() {
            self.bits.resize(other.bits.len(), 0);
        }
        for (mine, theirs) in self.bits.iter_mut().zip(&other.bits) {
            *mine |= theirs;
        }
    }

    #[inline]
    pub(crate) fn contains(&self, value: ValueId) -> bool {
        self.bits
            .get(value as usize / 64)
            .is_some_and(|word| word & (1 << (value % 64)) != 0)
    }
}

impl FromIterator<ValueId> for ValueSet {
    fn from_iter<I: IntoIterator<Item = ValueId>>(values: I) -> Self {
        let mut set = Self::default();
        values.into_iter().for_each(|value| set.insert(value));
        set
    }
}

/// The groups of a request's filters, those of its tempo included.
pub(crate) fn groups_of(request: &SearchRequest) -> Vec<Group> {
    let mut filters: Filters = request.filters.clone();
    if let Some(ranges) = request.tempo.as_ref().and_then(|tempo| tempo.ranges()) {
        let near = ranges
            .into_iter()
            .map(|range| Condition::Is(Test::Number(Number::Bpm, range)))
            .collect();
        filters.and_of(Control::Number(Number::Bpm), Condition::Any(near));
    }
    filters.groups
}

/// Looks a condition's values up.
pub(crate) fn prepare(condition: &Condition, values: &[FacetValues; Facet::ALL.len()]) -> Predicate {
    let all = |inner: &[Condition]| inner.iter().map(|inner| prepare(inner, values)).collect();
    match condition {
        Condition::All(inner) if inner.len() == 1 => prepare(&inner[0], values),
        Condition::All(inner) => Predicate::All(all(inner)),
        Condition::Any(inner) => any_of(all(inner)),
        Condition::Not(inner) => Predicate::Not(Box::new(prepare(inner, values))),
        Condition::Is(test) => prepare_test(test, values),
    }
}

/// Sets of one facet's values become one set.
fn any_of(alternatives: Vec<Predicate>) -> Predicate {
    let mut kept: Vec<Predicate> = Vec::new();
    for alternative in alternatives {
        let merged = match &alternative {
            Predicate::HasOne(facet, values) => kept.iter_mut().find_map(|known| match known {
                Predicate::HasOne(its, known) if its == facet => Some((known, values)),
                _ => None,
            }),
            _ => None,
        };
        match merged {
            Some((known, values)) => known.extend(values),
            None => kept.push(alternative),
        }
    }
    match kept.len() {
        1 => kept.swap_remove(0),
        _ => Predicate::Any(kept),
    }
}

fn prepare_test(test: &Test, values: &[FacetValues; Facet::ALL.len()]) -> Predicate {
    match test {
        Test::Value(facet, fits) => {
            let known = &values[facet.number()];
            let set = match fits {
                Fits::Is(value) => known.find(&spelt(*facet, value)).into_iter().collect(),
                Fits::StartsWith(text) => known.numbers_where(text, |key, text| key.starts_with(text)),
                Fits::Contains(text) => known.numbers_where(text, |key, text| key.contains(text)),
                Fits::Anything => known.numbers_where("", |_, _| true),
            };
            Predicate::HasOne(*facet, set)
        }
        Test::Number(number, range) => Predicate::Number(*number, *range),
        Test::Flag(flag) => Predicate::Flags(flag.bit()),
        Test::Live(version) => Predicate::LiveAtMost(live_key(*version)),
        Test::Opens(owned) => opens(owned, values),
    }
}

/// A value as the index has it: keys are found in any notation.
fn spelt(facet: Facet, value: &str) -> String {
    match facet {
        Facet::Key => MusicalKey::parse(value).map_or_else(|| value.to_owned(), |key| key.name().to_owned()),
        _ => value.to_owned(),
    }
}

fn opens(owned: &Owned, values: &[FacetValues; Facet::ALL.len()]) -> Predicate {
    let number_of = |facet: Facet, value: &str| values[facet.number()].find(value);
    let mut editions: ValueSet = [Edition::Intro, Edition::Standard, Edition::Suite]
        .into_iter()
        .filter(|edition| *edition <= owned.edition)
        .filter_map(|edition| number_of(Facet::Edition, edition.as_str()))
        .collect();
    if owned.suite_holds_all && owned.edition == Edition::Suite {
        editions.extend(&number_of(Facet::Edition, "unknown").into_iter().collect());
    }
    let needs: ValueSet = [
        ("plugin", &owned.plugins),
        ("pack", &owned.packs),
        ("max_device", &owned.max_devices),
    ]
    .into_iter()
    .flat_map(|(what, names)| names.iter().map(move |name| needs_value(what, name)))
    .filter_map(|value| number_of(Facet::Needs, &value))
    .collect();
    let mut conditions = vec![
        Predicate::Flags(Flag::Parsed.bit()),
        Predicate::LiveAtMost(live_key(owned.live)),
        Predicate::HasOne(Facet::Edition, editions),
        Predicate::OnlyOf(Facet::Needs, needs),
    ];
    if !owned.max_for_live {
        conditions.push(Predicate::Not(Box::new(Predicate::Flags(Flag::NeedsMax.bit()))));
    }
    Predicate::All(conditions)
}

/// A number that sorts as versions of Live do: a release after all of its betas.
pub(crate) fn live_key(version: LiveVersion) -> u64 {
    [
        version.major,
        version.minor,
        version.patch.unwrap_or(0),
        version.beta.unwrap_or(u16::MAX),
    ]
    .into_iter()
    .fold(0, |key, part| key << 16 | u64::from(part))
}

/// A predicate on one segment.
pub(crate) enum Check {
    All(Vec<Check>),
    Any(Vec<Check>),
    Not(Box<Check>),
    HasOne(usize, ValueSet),
    OnlyOf(usize, ValueSet),
    Number(NumberColumn, Range),
    Flags(Column<u64>, u64),
    LiveAtMost(Column<u64>, u64),
}

impl Check {
    pub(crate) fn of(predicate: &Predicate, reader: &SegmentReader) -> tantivy::Result<Self> {
        let all =
            |inner: &[Predicate]| -> tantivy::Result<Vec<Self>> { inner.iter().map(|inner| Self::of(inner, reader)).collect() };
        let column = |name: &str| reader.fast_fields().u64(name);
        Ok(match predicate {
            Predicate::All(inner) => Self::All(all(inner)?),
            Predicate::Any(inner) => Self::Any(all(inner)?),
            Predicate::Not(inner) => Self::Not(Box::new(Self::of(inner, reader)?)),
            Predicate::HasOne(facet, values) => Self::HasOne(facet.number(), values.clone()),
            Predicate::OnlyOf(facet, values) => Self::OnlyOf(facet.number(), values.clone()),
            Predicate::Number(number, range) => Self::Number(NumberColumn::of(*number, reader)?, *range),
            Predicate::Flags(bits) => Self::Flags(column("flags")?, *bits),
            Predicate::LiveAtMost(key) => Self::LiveAtMost(column("needs_live")?, *key),
        })
    }

    /// Those of a window's documents that pass.
    pub(crate) fn kept(&self, places: &Places, start: DocId, segment: &SegmentColumns, counters: &CountersView) -> Places {
        let mut kept = *places;
        match self {
            Check::All(inner) => {
                for check in inner {
                    kept = check.kept(&kept, start, segment, counters);
                }
            }
            Check::Any(inner) => {
                // Each looks only at what those before it have not let pass.
                let mut left = kept;
                for check in inner {
                    let passing = check.kept(&left, start, segment, counters);
                    left.remove(&passing);
                }
                kept.remove(&left);
            }
            Check::Not(inner) => kept.remove(&inner.kept(places, start, segment, counters)),
            Check::HasOne(facet, wanted) => segment.values[*facet].keep_any(&mut kept, start, wanted),
            Check::OnlyOf(facet, owned) => {
                let column = &segment.values[*facet];
                kept.retain(start, |doc| column.of(doc).all(|value| owned.contains(value)));
            }
            Check::Number(column, range) => kept.retain(start, |doc| {
                let number = column.get(doc, segment, counters);
                number.is_some_and(|number| range.contains(number))
            }),
            Check::Flags(column, bits) => kept.retain(start, |doc| column.first(doc).unwrap_or(0) & bits == *bits),
            Check::LiveAtMost(column, key) => kept.retain(start, |doc| column.first(doc).is_some_and(|needed| needed <= *key)),
        }
        kept
    }
}

/// Where a number is read.
pub(crate) enum NumberColumn {
    Bpm,
    Uploaded,
    Rating,
    Downloads,
    Likes,
    Column(Column<u64>),
}

impl NumberColumn {
    pub(crate) fn of(number: Number, reader: &SegmentReader) -> tantivy::Result<Self> {
        let column = |name: &str| reader.fast_fields().u64(name).map(Self::Column);
        match number {
            Number::Bpm => Ok(Self::Bpm),
            Number::Uploaded => Ok(Self::Uploaded),
            Number::Rating => Ok(Self::Rating),
            Number::Downloads => Ok(Self::Downloads),
            Number::Likes => Ok(Self::Likes),
            Number::DeviceCount | Number::ChainCount | Number::MacroCount | Number::Id => column(number.name()),
        }
    }

    pub(crate) fn get(&self, doc: DocId, segment: &SegmentColumns, counters: &CountersView) -> Option<f64> {
        let counts = || counters.get(segment.slots[doc as usize]);
        match self {
            Self::Bpm => segment.bpm(doc),
            Self::Uploaded => Some(segment.listed_at[doc as usize] as f64),
            Self::Rating => Some(counts())
                .filter(|counts| counts.ratings > 0)
                .map(|counts| f64::from(counts.average_rating)),
            Self::Downloads => Some(f64::from(counts().downloads)),
            Self::Likes => Some(f64::from(counts().likes)),
            Self::Column(column) => column.first(doc).map(|number| number as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_numbers_as_they_do_themselves() {
        let texts = ["9.7.1", "10.0", "11.3.2", "11.3.13", "12.0", "12.2b16", "12.2"];
        let keys: Vec<u64> = texts.iter().map(|text| live_key(text.parse().expect("a version"))).collect();
        assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn values_of_one_facet_become_one_set_and_others_stay() {
        let set = |values: &[ValueId]| values.iter().copied().collect::<ValueSet>();
        let joined = any_of(vec![
            Predicate::HasOne(Facet::Tag, set(&[1])),
            Predicate::HasOne(Facet::Key, set(&[2])),
            Predicate::HasOne(Facet::Tag, set(&[70])),
        ]);
        let expected = vec![
            Predicate::HasOne(Facet::Tag, set(&[1, 70])),
            Predicate::HasOne(Facet::Key, set(&[2])),
        ];
        assert_eq!(joined, Predicate::Any(expected));
    }
}
