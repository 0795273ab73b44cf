//! Text becomes a query. Queries are built and never parsed with tantivy's own grammar, so that nothing that is typed is an error.
//!
//! Each word may match in any text field, and counts by its best one. Up to four words must all match; from five on any may be missing
//! and BM25 decides. The last word also matches as the beginning of longer ones, unless a blank follows it.

use std::collections::HashMap;
use std::ops::Bound;

use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, InvertedIndexRangeQuery, Occur, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

use crate::schema::Fields;
use crate::text::words;

/// Longest text that is read, in characters; what follows is not.
const MAX_TEXT_CHARS: usize = 512;

/// Most different words that are looked for.
const MAX_WORDS: usize = 32;

/// From how many words on not all need match.
const MANY_WORDS: usize = 5;

/// What other fields than the best add to a word's score.
const OTHER_FIELDS: f32 = 0.1;

/// Completions of a prefix that are scored as words of their own, by field: those in most documents. The rest match all the same, with
/// a constant score.
const SCORED_COMPLETIONS: usize = 16;

/// Terms of one field and segment that are looked at for completions: as-you-type with one letter must stay quick.
const MAX_COMPLETIONS_SEEN: usize = 2048;

/// Weight of a completion against the word itself.
const COMPLETION_WEIGHT: f32 = 0.5;

/// Score of a match by a rare completion.
const RARE_COMPLETION_SCORE: f32 = 0.05;

/// A text as a query; none if it has no words, and then everything matches.
pub(crate) fn text_query(text: &str, fields: &Fields, searcher: &Searcher) -> tantivy::Result<Option<Box<dyn Query>>> {
    let text: String = text.chars().take(MAX_TEXT_CHARS).collect();
    let typed = words(&text);
    let Some(last) = typed.last().cloned() else {
        return Ok(None);
    };
    let still_typing = text.chars().next_back().is_some_and(char::is_alphanumeric);
    let mut distinct: Vec<(String, u16)> = Vec::new();
    for word in typed {
        if let Some((_, times)) = distinct.iter_mut().find(|(known, _)| *known == word) {
            *times = times.saturating_add(1);
        } else if distinct.len() < MAX_WORDS {
            distinct.push((word, 1));
        }
    }
    let occur = if distinct.len() < MANY_WORDS {
        Occur::Must
    } else {
        Occur::Should
    };
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::with_capacity(distinct.len());
    for (word, times) in distinct {
        let as_prefix = still_typing && word == last;
        let query = word_query(&word, as_prefix, fields, searcher)?;
        // A word that is repeated counts as often as it was written.
        clauses.push((occur, Box::new(BoostQuery::new(query, f32::from(times)))));
    }
    Ok(Some(Box::new(BooleanQuery::new(clauses))))
}

/// Everything.
pub(crate) fn everything() -> Box<dyn Query> {
    Box::new(AllQuery)
}

fn word_query(word: &str, as_prefix: bool, fields: &Fields, searcher: &Searcher) -> tantivy::Result<Box<dyn Query>> {
    let mut matches: Vec<Box<dyn Query>> = Vec::new();
    for (field, weight) in fields.texts.weighted() {
        let term = |text: &str, weight: f32| -> Box<dyn Query> {
            let query = TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs);
            Box::new(BoostQuery::new(Box::new(query), weight))
        };
        matches.push(term(word, weight));
        if !as_prefix {
            continue;
        }
        let completions = completions(word, field, searcher)?;
        matches.extend(
            completions
                .frequent
                .iter()
                .map(|completion| term(completion, weight * COMPLETION_WEIGHT)),
        );
        if completions.has_more {
            let from = Bound::Included(Term::from_field_text(field, word));
            let to = Bound::Excluded(Term::from_field_text(field, &after_all_with_prefix(word)));
            let rest = InvertedIndexRangeQuery::new(from, to);
            matches.push(Box::new(ConstScoreQuery::new(Box::new(rest), weight * RARE_COMPLETION_SCORE)));
        }
    }
    Ok(Box::new(DisjunctionMaxQuery::with_tie_breaker(matches, OTHER_FIELDS)))
}

struct Completions {
    frequent: Vec<String>,
    has_more: bool,
}

/// Longer words of a field that begin with `prefix`.
fn completions(prefix: &str, field: Field, searcher: &Searcher) -> tantivy::Result<Completions> {
    let mut frequency: HashMap<String, u64> = HashMap::new();
    let mut has_more = false;
    let end = after_all_with_prefix(prefix);
    for reader in searcher.segment_readers() {
        let index = reader.inverted_index(field)?;
        let mut terms = index.terms().range().gt(prefix).lt(&end).into_stream()?;
        let mut seen = 0;
        while terms.advance() {
            seen += 1;
            if seen > MAX_COMPLETIONS_SEEN {
                has_more = true;
                break;
            }
            if let Ok(word) = std::str::from_utf8(terms.key()) {
                *frequency.entry(word.to_owned()).or_default() += u64::from(terms.value().doc_freq);
            }
        }
    }
    let mut by_frequency: Vec<(String, u64)> = frequency.into_iter().collect();
    by_frequency.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    has_more |= by_frequency.len() > SCORED_COMPLETIONS;
    by_frequency.truncate(SCORED_COMPLETIONS);
    Ok(Completions {
        frequent: by_frequency.into_iter().map(|(word, _)| word).collect(),
        has_more,
    })
}

/// A text that sorts after every text with this prefix: words consist of letters and digits, which all sort before the last character
/// that Unicode has.
fn after_all_with_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
