//! Numbers for facet values, one number a value for all segments, so that counts of segments are added without comparing strings.
//!
//! A value is kept in a segment as `folded ␟ as written`, so that `Techno` and `techno` are one value, selected by either.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard};

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};

use crate::predicate::ValueSet;
use crate::text::fold;

/// Between the folded form of a value and the form in which it is written. No value contains it: folding drops it.
const SEPARATOR: char = '\u{1f}';

/// Longest value in characters; the longest column that a value comes from holds 255.
const MAX_VALUE_CHARS: usize = 255;

/// Longest text whose typos are forgiven, in characters: longer ones are pasted, not typed.
const MAX_TYPED: usize = 64;

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
    /// Each value from each of its words on, folded, in alphabetical order: what a text that is being typed may be the beginning of.
    beginnings: BTreeSet<(String, ValueId)>,
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
        for at in word_starts(key) {
            inner.beginnings.insert((key[at..].to_owned(), id));
        }
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

    /// The `most` values with a count that fit what was typed, and how many do in all: first those that begin so, then those with a word
    /// that does, each the most frequent first. If there are fewer than `most`, those follow that nearly do.
    pub(crate) fn fitting(&self, typed: &str, counts: &[u32], most: usize) -> (Vec<Counted>, usize) {
        let typed = key_of(typed);
        let inner = self.read();
        let count_of = |id: ValueId| counts.get(id as usize).copied().unwrap_or(0);
        let is_whole = |id: ValueId, beginning: &str| inner.values[id as usize].0.len() == beginning.len();
        // Rank by value: 0 begins so, 1 has a word that does, from 2 on by typos.
        let mut ranks: HashMap<ValueId, u8> = HashMap::new();
        let mut note = |id: ValueId, rank: u8| {
            if count_of(id) > 0 {
                let known = ranks.entry(id).or_insert(rank);
                *known = rank.min(*known);
            }
        };
        let from = (typed.clone(), 0);
        for (beginning, id) in inner
            .beginnings
            .range(from..)
            .take_while(|(beginning, _)| beginning.starts_with(&typed))
        {
            note(*id, u8::from(!is_whole(*id, beginning)));
        }
        let enough = ranks.len() >= most;
        if let Some(automaton) = (!enough).then(|| typo_automaton(&typed)).flatten() {
            let mut note = |id: ValueId, rank: u8| {
                if count_of(id) > 0 {
                    let known = ranks.entry(id).or_insert(rank);
                    *known = rank.min(*known);
                }
            };
            // The first letter is taken as typed: it hardly ever is wrong, and the others of a long list need not be looked at.
            let first: String = typed.chars().take(1).collect();
            let from = (first.clone(), 0);
            for (beginning, id) in inner
                .beginnings
                .range(from..)
                .take_while(|(beginning, _)| beginning.starts_with(&first))
            {
                if let Distance::Exact(typos) = distance(&automaton, beginning) {
                    note(*id, 2 * typos.max(1) + u8::from(!is_whole(*id, beginning)));
                }
            }
        }
        let mut ranked: Vec<(u8, ValueId)> = ranks.into_iter().map(|(id, rank)| (rank, id)).collect();
        let found = ranked.len();
        let order = |(rank, id): &(u8, ValueId)| (*rank, Reverse(count_of(*id)), inner.values[*id as usize].0.as_str());
        ranked.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        ranked.truncate(most);
        let shown = ranked.into_iter().map(|(_, id)| {
            let (key, written) = &inner.values[id as usize];
            Counted {
                id,
                key: key.clone(),
                written: written.clone(),
                count: u64::from(count_of(id)),
            }
        });
        (shown.collect(), found)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the words of a folded value start.
fn word_starts(key: &str) -> impl Iterator<Item = usize> {
    let mut in_word = false;
    key.char_indices().filter_map(move |(at, c)| {
        let starts = c.is_alphanumeric() && !in_word;
        in_word = c.is_alphanumeric();
        (starts || at == 0).then_some(at)
    })
}

/// What accepts texts that begin nearly as a typed one does, one typo from five letters on and two from nine; none where typos are not
/// forgiven. Digits are never mistyped.
fn typo_automaton(typed: &str) -> Option<DFA> {
    // Tables of which each automaton is cut: milliseconds to make.
    static ONE: LazyLock<LevenshteinAutomatonBuilder> = LazyLock::new(|| LevenshteinAutomatonBuilder::new(1, true));
    static TWO: LazyLock<LevenshteinAutomatonBuilder> = LazyLock::new(|| LevenshteinAutomatonBuilder::new(2, true));
    if typed.chars().any(char::is_numeric) {
        return None;
    }
    match typed.chars().count() {
        0..5 => None,
        5..9 => Some(ONE.build_prefix_dfa(typed)),
        9..=MAX_TYPED => Some(TWO.build_prefix_dfa(typed)),
        _ => None,
    }
}

/// How many typos a text has at its beginning.
fn distance(automaton: &DFA, text: &str) -> Distance {
    let mut state = automaton.initial_state();
    for byte in text.bytes() {
        state = automaton.transition(state, byte);
        if state == SINK_STATE {
            break;
        }
    }
    automaton.distance(state)
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
    fn what_is_typed_fits_beginnings_then_words_then_what_is_nearly_so() {
        let values = FacetValues::default();
        let names = [
            "EQ Eight",
            "Eight Bit",
            "Reverb",
            "Hybrid Reverb",
            "Reverse",
            "Revolver",
            "808 Kit",
            "909 Kit",
            "Gone reverb",
        ];
        for name in names {
            values.number(&term_of(name).expect("a value"));
        }
        let counts = [1, 1, 5, 9, 1, 1, 1, 1, 0];
        let fitting = |typed: &str, most: usize| -> Vec<String> {
            let (fitting, _) = values.fitting(typed, &counts, most);
            fitting.into_iter().map(|counted| counted.written).collect()
        };
        assert_eq!(fitting("rev", 9), ["Reverb", "Reverse", "Revolver", "Hybrid Reverb"]);
        assert_eq!(fitting("REV", 1), ["Reverb"]);
        assert_eq!(fitting("eight", 9), ["Eight Bit", "EQ Eight"]);
        assert_eq!(fitting("eq e", 9), ["EQ Eight"]);
        assert_eq!(fitting("revreb", 9), ["Reverb", "Hybrid Reverb"], "one typo");
        assert_eq!(fitting("rvb", 9), Vec::<String>::new(), "too short for typos");
        assert_eq!(fitting("808", 9), ["808 Kit"]);
        assert_eq!(fitting("809 kit", 9), Vec::<String>::new(), "digits are not mistyped");
    }

    #[test]
    fn a_value_of_blanks_is_none() {
        assert_eq!(term_of(" \u{1f}\n "), None);
    }
}
