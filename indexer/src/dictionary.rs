//! The dictionaries of an index: which words there are, in how many documents, what they begin, and which are a typo away.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use levenshtein_automata::{Distance, LevenshteinAutomatonBuilder};
use tantivy::index::InvertedIndexReader;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{Searcher, Term};

use crate::plan::{AverageLengths, MatchKind};
use crate::schema::Fields;

/// Completions of a beginning that is longer than those that are indexed: those in most documents.
const MAX_COMPLETIONS: usize = 48;

/// Words of one segment that are looked at for completions. Nothing with five letters begins more.
const MAX_COMPLETIONS_SEEN: usize = 20_000;

/// Corrections of one word: the nearest, then those in most documents.
const MAX_TYPOS: usize = 12;

/// Words of one segment that are looked at for corrections.
const MAX_TYPOS_SEEN: usize = 2_000;

/// From how many letters on one edit is a typo, and from how many on two: shorter words are too near to others. As in other engines.
const ONE_TYPO_CHARS: usize = 5;
const TWO_TYPOS_CHARS: usize = 9;

/// The words of an index, over all its segments.
pub(crate) struct Dictionary {
    pub(crate) documents: u64,
    all: Vec<Arc<InvertedIndexReader>>,
    beginnings: Vec<Arc<InvertedIndexReader>>,
    stems: Vec<Arc<InvertedIndexReader>>,
    title_stems: Vec<Arc<InvertedIndexReader>>,
    field: Field,
}

impl Dictionary {
    pub(crate) fn new(fields: &Fields, searcher: &Searcher) -> tantivy::Result<Self> {
        let of = |field: Field| -> tantivy::Result<Vec<_>> {
            let readers = searcher.segment_readers().iter();
            readers.map(|reader| reader.inverted_index(field)).collect()
        };
        Ok(Self {
            documents: searcher
                .segment_readers()
                .iter()
                .map(|reader| u64::from(reader.max_doc()))
                .sum(),
            all: of(fields.all)?,
            beginnings: of(fields.beginnings)?,
            stems: of(fields.stems)?,
            title_stems: of(fields.title_stems)?,
            field: fields.all,
        })
    }

    /// Documents that have a word, in any field.
    pub(crate) fn frequency(&self, word: &str) -> tantivy::Result<u64> {
        frequency(&self.all, word)
    }

    pub(crate) fn beginning_frequency(&self, beginning: &str) -> tantivy::Result<u64> {
        frequency(&self.beginnings, beginning)
    }

    pub(crate) fn stem_frequency(&self, stem: &str, in_titles: bool) -> tantivy::Result<u64> {
        let described = frequency(&self.stems, stem)?;
        if !in_titles {
            return Ok(described);
        }
        // Most words of a title are in the text too, so that the larger is nearer to the union than the sum.
        Ok(described.max(frequency(&self.title_stems, stem)?))
    }

    pub(crate) fn average_lengths(&self) -> AverageLengths {
        let average = |readers: &[Arc<InvertedIndexReader>]| {
            let words: u64 = readers.iter().map(|reader| reader.total_num_tokens()).sum();
            words as f32 / self.documents.max(1) as f32
        };
        AverageLengths {
            title: average(&self.title_stems),
            description: average(&self.stems),
        }
    }

    /// Longer words that begin so, those in most documents first.
    pub(crate) fn completions(&self, beginning: &str) -> tantivy::Result<Vec<(String, u64)>> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        let end = format!("{beginning}{}", char::MAX);
        for reader in &self.all {
            let mut terms = reader.terms().range().gt(beginning).lt(&end).into_stream()?;
            let mut seen = 0;
            while seen < MAX_COMPLETIONS_SEEN && terms.advance() {
                seen += 1;
                if let Ok(word) = std::str::from_utf8(terms.key()) {
                    *found.entry(word.to_owned()).or_default() += u64::from(terms.value().doc_freq);
                }
            }
        }
        let mut found: Vec<(String, u64)> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(MAX_COMPLETIONS);
        Ok(found)
    }

    /// Words that differ by a typo or two, or begin with such a word, the nearest first, then those in most documents.
    pub(crate) fn typos(&self, word: &str, prefix: bool) -> tantivy::Result<Vec<(String, MatchKind, u64)>> {
        let length = word.chars().count();
        let has_digit = |text: &str| text.chars().any(|c| c.is_numeric());
        if length < ONE_TYPO_CHARS || has_digit(word) {
            return Ok(Vec::new());
        }
        let edits = if length < TWO_TYPOS_CHARS { 1 } else { 2 };
        self.near(word, edits, prefix)
    }

    /// Words within so many edits.
    pub(crate) fn near(&self, word: &str, edits: u8, prefix: bool) -> tantivy::Result<Vec<(String, MatchKind, u64)>> {
        let term = Term::from_field_text(self.field, word);
        let fuzzy = if prefix {
            FuzzyTermQuery::new_prefix(term, edits, true)
        } else {
            FuzzyTermQuery::new(term, edits, true)
        };
        let automaton = fuzzy.automaton()?;
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for reader in &self.all {
            let mut terms = reader.terms().search(&automaton).into_stream()?;
            let mut seen = 0;
            while seen < MAX_TYPOS_SEEN && terms.advance() {
                seen += 1;
                if let Ok(near) = std::str::from_utf8(terms.key())
                    && near != word
                    && !near.chars().any(char::is_numeric)
                {
                    *found.entry(near.to_owned()).or_default() += u64::from(terms.value().doc_freq);
                }
            }
        }
        let builder = &BUILDERS[usize::from(edits == 2)];
        let (whole, beginning) = (builder.build_dfa(word), builder.build_prefix_dfa(word));
        let mut near: Vec<(String, MatchKind, u64)> = found
            .into_iter()
            .filter_map(|(near, frequency)| {
                let kind = match (whole.eval(&near), beginning.eval(&near)) {
                    (Distance::Exact(1), _) => MatchKind::OneTypo,
                    (_, Distance::Exact(0)) if prefix => return None,
                    (_, Distance::Exact(1)) if prefix => MatchKind::OneTypoPrefix,
                    (Distance::Exact(2), _) => MatchKind::TwoTypos,
                    (_, Distance::Exact(2)) if prefix => MatchKind::TwoTyposPrefix,
                    _ => return None,
                };
                Some((near, kind, frequency))
            })
            .collect();
        near.sort_by(|a, b| (a.1, b.2, &a.0).cmp(&(b.1, a.2, &b.0)));
        near.truncate(MAX_TYPOS);
        Ok(near)
    }
}

/// Makers of automata for one and two edits, which are costly to make; transposed letters are one edit.
static BUILDERS: LazyLock<[LevenshteinAutomatonBuilder; 2]> =
    LazyLock::new(|| [1, 2].map(|edits| LevenshteinAutomatonBuilder::new(edits, true)));

fn frequency(readers: &[Arc<InvertedIndexReader>], word: &str) -> tantivy::Result<u64> {
    let mut sum = 0;
    for reader in readers {
        if let Some(term) = reader.terms().get(word)? {
            sum += u64::from(term.doc_freq);
        }
    }
    Ok(sum)
}
