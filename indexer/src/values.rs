//! Numbers for facet values, one number a value for all segments, so that counts of segments are added without comparing strings.
//!
//! A value is kept in a segment as `folded ␟ as written`, so that `Techno` and `techno` are one value, selected by either.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

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
    let spaced = value.split_whitespace().collect::<Vec<_>>().join(" ");
    spaced.chars().filter(|c| !c.is_control()).take(MAX_VALUE_CHARS).collect()
}

/// The term of a value, as a segment keeps it; none for a value that says nothing.
pub(crate) fn term_of(value: &str) -> Option<String> {
    let key = key_of(value);
    (!key.is_empty()).then(|| format!("{key}{SEPARATOR}{}", tidy(value)))
}

/// Number of a value within its facet.
pub(crate) type ValueId = u32;

/// The values of one facet. It only grows; a rebuilt index starts with a new one.
#[derive(Default)]
pub(crate) struct FacetValues {
    inner: Mutex<Inner>,
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
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
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
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.by_key.get(&key_of(value)).copied()
    }

    /// Replaces numbers by folded and written forms.
    pub(crate) fn resolve(&self, counted: Vec<(ValueId, u64)>) -> Vec<(String, String, u64)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        counted
            .into_iter()
            .filter_map(|(id, count)| {
                let (key, written) = inner.values.get(id as usize)?;
                Some((key.clone(), written.clone(), count))
            })
            .collect()
    }
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
        assert_eq!(values.resolve(vec![(0, 3)]), [("techno".to_owned(), "Techno".to_owned(), 3)]);
    }

    #[test]
    fn a_value_of_blanks_is_none() {
        assert_eq!(term_of(" \u{1f}\n "), None);
    }
}
