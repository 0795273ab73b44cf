//! Numbers for facet values, one number a value for all segments, so that counts of segments are added without comparing strings.
//!
//! A value is kept in a segment as `folded ␟ as written`, so that `Techno` and `techno` are one value, selected by either.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::predicate::ValueSet;
use crate::text::fold;

/// Between the folded form of a value and the form in which it is written. No value contains it: folding drops it.
const SEPARATOR: char = '\u{1f}';

/// Longest value in characters; the longest column that a value comes from holds 255.
const MAX_VALUE_CHARS: usize = 255;

/// The folded form of a value, by which values are the same or not. Empty for a value that says nothing.
pub(crate) fn key_of(value: &str) -> String {
    tidy(&fold(value))
}

/// Without control characters and needless blanks, and not too long.
fn tidy(value: &str) -> String {
    let mut tidy = String::with_capacity(value.len());
    let mut left = MAX_VALUE_CHARS;
    for (place, word) in value.split_whitespace().enumerate() {
        let space = (place > 0).then_some(' ');
        for c in space.into_iter().chain(word.chars().filter(|c| !c.is_control())).take(left) {
            tidy.push(c);
            left -= 1;
        }
    }
    tidy
}

/// The term of a value, as a segment keeps it; none for a value that says nothing.
pub(crate) fn term_of(value: &str) -> Option<String> {
    let key = key_of(value);
    if key.is_empty() {
        return None;
    }
    let mut term = key;
    term.push(SEPARATOR);
    term.push_str(&tidy(value));
    Some(term)
}

/// Number of a value within its facet.
pub(crate) type ValueId = u32;

/// The values of one facet. It only grows; a rebuilt index starts with a new one.
#[derive(Default)]
pub(crate) struct FacetValues {
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    by_key: HashMap<String, ValueId>,
    /// Folded and written form by number; of several written forms the first that was met.
    values: Vec<(String, String)>,
}

impl FacetValues {
    /// The number of a segment's term.
    pub(crate) fn number(&self, term: &str) -> ValueId {
        let (key, written) = term.split_once(SEPARATOR).unwrap_or((term, term));
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = inner.by_key.get(key) {
            return *id;
        }
        // More than 4 billion values of one facet do not fit any machine that this runs on.
        let id = ValueId::try_from(inner.values.len()).unwrap_or(ValueId::MAX);
        inner.by_key.insert(key.to_owned(), id);
        inner.values.push((key.to_owned(), written.to_owned()));
        id
    }

    /// The number of a value as somebody typed it, if any document ever had it.
    pub(crate) fn find(&self, value: &str) -> Option<ValueId> {
        self.read().by_key.get(&key_of(value)).copied()
    }

    /// Numbers of the values whose folded forms stand in some relation to a folded text.
    pub(crate) fn numbers_where(&self, text: &str, fits: impl Fn(&str, &str) -> bool) -> ValueSet {
        let text = key_of(text);
        let inner = self.read();
        (0..)
            .zip(&inner.values)
            .filter(|(_, (key, _))| fits(key, &text))
            .map(|(id, _)| id)
            .collect()
    }

    /// The `most` values with the highest counts, those in `also` besides, and how many have any: most frequent first, then in
    /// alphabetical order. Only what is shown is copied: there may be as many authors as documents.
    pub(crate) fn top(&self, counts: &[u32], most: usize, also: &[ValueId]) -> (Vec<Counted>, usize) {
        let inner = self.read();
        let key = |id: ValueId| inner.values.get(id as usize).map(|(key, _)| key.as_str());
        let mut counted: Vec<(u32, ValueId)> = counts.iter().copied().zip(0..).filter(|(count, _)| *count > 0).collect();
        let distinct = counted.len();
        let order = |a: &(u32, ValueId), b: &(u32, ValueId)| b.0.cmp(&a.0).then_with(|| key(a.1).cmp(&key(b.1)));
        if most == 0 {
            counted.clear();
        } else if distinct > most {
            counted.select_nth_unstable_by(most - 1, order);
            counted.truncate(most);
        }
        for id in also {
            let count = counts.get(*id as usize).copied().unwrap_or(0);
            if count > 0 && !counted.iter().any(|(_, known)| known == id) {
                counted.push((count, *id));
            }
        }
        counted.sort_unstable_by(order);
        let shown = counted.into_iter().filter_map(|(count, id)| {
            let (key, written) = inner.values.get(id as usize)?;
            Some(Counted {
                id,
                key: key.clone(),
                written: written.clone(),
                count: u64::from(count),
            })
        });
        (shown.collect(), distinct)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value with its count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) id: ValueId,
    /// Its folded form.
    pub(crate) key: String,
    /// As it is written.
    pub(crate) written: String,
    pub(crate) count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_have_one_number() {
        let values = FacetValues::default();
        let terms = ["Techno", "techno ", "Téchno", "House"].map(|value| term_of(value).expect("a value"));
        let numbers: Vec<_> = terms.iter().map(|term| values.number(term)).collect();
        assert_eq!(numbers, [0, 0, 0, 1]);
        assert_eq!(values.find("TECHNO"), Some(0));
        assert_eq!(values.find("Trance"), None);
        let (top, distinct) = values.top(&[3, 1], 1, &[]);
        assert_eq!(
            (top[0].written.as_str(), top[0].count, top.len(), distinct),
            ("Techno", 3, 1, 2)
        );
    }

    #[test]
    fn the_most_frequent_come_first_then_the_alphabet_and_what_was_chosen_besides() {
        let values = FacetValues::default();
        for value in ["d", "b", "a", "c", "e"] {
            values.number(&term_of(value).expect("a value"));
        }
        let keys = |most: usize, also: &[ValueId]| -> Vec<String> {
            let (top, distinct) = values.top(&[2, 2, 2, 7, 0], most, also);
            assert_eq!(distinct, 4);
            top.into_iter().map(|counted| counted.key).collect()
        };
        assert_eq!(keys(10, &[]), ["c", "a", "b", "d"]);
        assert_eq!(keys(2, &[]), ["c", "a"]);
        assert_eq!(keys(2, &[0, 4]), ["c", "a", "d"]);
        assert_eq!(keys(0, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_value_of_blanks_is_none() {
        assert_eq!(term_of(" \u{1f}\n "), None);
    }
}
