//! Suggestions while somebody types, and search inside a facet's values: from lists in memory that hold every value once.
//!
//! A value fits what was typed if it begins so, if one of its words does, or, where that finds too little, if it nearly does: one typo
//! from five letters on, two from nine, none in the first letter and none in what has digits (808 is not 909). Only values are suggested that something visible has.

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, InvertedIndexRangeQuery, Occur, Query, TermQuery};
use tantivy::schema::IndexRecordOption;

use crate::candidates::Candidates;
use crate::collector::{Order, Question};
use crate::counters::CountersView;
use crate::facet::Facet;
use crate::request::{SearchRequest, Sort};
use crate::response::FacetValue;
use crate::search::Snapshot;
use crate::text::words;
use crate::values::key_of;
use crate::{Index, SearchError};

/// Facets whose values are suggested.
pub(crate) const SUGGESTED: [Facet; 6] = [
    Facet::Device,
    Facet::Plugin,
    Facet::Tag,
    Facet::Author,
    Facet::Genre,
    Facet::Vendor,
];

/// Racks among which titles are looked for: the most downloaded ones that fit.
const TITLES_SEEN: usize = 50;

/// Longest text that is read, in characters: longer than any value.
const MAX_CHARS: usize = 255;

/// Most words of a text that titles are looked for by.
const MAX_WORDS: usize = 16;

/// Something that may be meant by what was typed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What it is a value of; none: the title of a rack.
    pub facet: Option<Facet>,
    /// The value or title, as it is written.
    pub value: String,
    /// How many visible workflows have it, exactly. Of a title: how many have all its words in their titles.
    pub count: u64,
    /// Of a title: id of the most downloaded workflow with it.
    pub id: Option<u64>,
}

/// What may be meant by a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestions {
    /// Titles first, then values by facet; of each kind the best first.
    pub items: Vec<Suggestion>,
    /// Id of the last change in `index_log` that the answer reflects.
    pub position: u64,
}

/// Values of one facet that fit a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetSearch {
    /// The values, best first.
    pub values: Vec<FacetValue>,
    /// How many fit in all.
    pub found: usize,
    /// Id of the last change in `index_log` that the answer reflects.
    pub position: u64,
}

impl Index {
    /// What may be meant by a text of which the last word may not be complete: at most `each` titles, and as many values of each of
    /// device, plug-in, tag, author, genre and vendor.
    ///
    /// # Errors
    /// There is no index yet, or it failed.
    pub fn suggest(
        &self,
        text: &str,
        each: usize,
        now: DateTime<Utc>,
        deadline: Option<Instant>,
    ) -> Result<Suggestions, SearchError> {
        let snapshot = self.snapshot().ok_or(SearchError::NotReady)?;
        let request = SearchRequest {
            now,
            deadline,
            ..SearchRequest::default()
        };
        Ok(Suggestions {
            items: snapshot.suggest(text, each, &request, &self.shared.counters.view())?,
            position: snapshot.position.cursor(),
        })
    }

    /// Values of a facet that fit a text, with their counts among what a request finds. As ever, what was chosen in the facet itself does
    /// not narrow them. Facets, numbers, order and limits of the request do not matter.
    ///
    /// # Errors
    /// There is no index yet, the request asks for what cannot be answered, or the index failed.
    pub fn facet_values(
        &self,
        facet: Facet,
        text: &str,
        limit: usize,
        request: &SearchRequest,
    ) -> Result<FacetSearch, SearchError> {
        let snapshot = self.snapshot().ok_or(SearchError::NotReady)?;
        snapshot.facet_values(facet, text, limit, request, &self.shared.counters.view())
    }
}

impl Snapshot {
    fn suggest(
        &self,
        text: &str,
        each: usize,
        request: &SearchRequest,
        counters: &CountersView,
    ) -> Result<Vec<Suggestion>, SearchError> {
        let text: String = text.chars().take(MAX_CHARS).collect();
        if key_of(&text).is_empty() || each == 0 {
            return Ok(Vec::new());
        }
        let mut suggestions = self.titles(&text, each, request, counters)?;
        for facet in SUGGESTED {
            let counts = self.visible_totals(facet, request.now.timestamp());
            let (fitting, _) = self.generation.values[facet.number()].fitting(&text, &counts, each);
            suggestions.extend(fitting.into_iter().map(|counted| Suggestion {
                facet: Some(facet),
                value: counted.written,
                count: counted.count,
                id: None,
            }));
        }
        Ok(suggestions)
    }

    fn facet_values(
        &self,
        facet: Facet,
        text: &str,
        limit: usize,
        request: &SearchRequest,
        counters: &CountersView,
    ) -> Result<FacetSearch, SearchError> {
        let text: String = text.chars().take(MAX_CHARS).collect();
        let request = SearchRequest {
            facets: vec![facet],
            numbers: Vec::new(),
            sort: Sort::Newest,
            limit: 0,
            skip: 0,
            after: None,
            ..request.clone()
        };
        let counts = self.count_one(&request, counters)?;
        let known = &self.generation.values[facet.number()];
        let (fitting, found) = if key_of(&text).is_empty() {
            known.top(&counts, limit, &[])
        } else {
            known.fitting(&text, &counts, limit)
        };
        let chosen: Vec<String> = request.filters.chosen(facet).into_iter().map(key_of).collect();
        Ok(FacetSearch {
            values: fitting
                .into_iter()
                .map(|counted| FacetValue {
                    selected: chosen.contains(&counted.key),
                    value: counted.written,
                    count: counted.count,
                })
                .collect(),
            found,
            position: self.position.cursor(),
        })
    }

    /// Titles that hold the words typed, the last of them maybe longer: those of the most downloaded racks.
    fn titles(
        &self,
        text: &str,
        each: usize,
        request: &SearchRequest,
        counters: &CountersView,
    ) -> Result<Vec<Suggestion>, SearchError> {
        let mut typed = words(text);
        typed.truncate(MAX_WORDS);
        let Some(last) = typed.pop() else {
            return Ok(Vec::new());
        };
        let title = self.generation.fields.texts.title;
        let complete = |word: &str| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(title, word);
            (Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
        };
        let mut clauses: Vec<_> = typed.iter().map(|word| complete(word)).collect();
        let from = std::ops::Bound::Included(Term::from_field_text(title, &last));
        let to = std::ops::Bound::Excluded(Term::from_field_text(title, &format!("{last}{}", char::MAX)));
        let longer = ConstScoreQuery::new(Box::new(InvertedIndexRangeQuery::new(from, to)), 1.0);
        clauses.push((Occur::Must, Box::new(longer)));

        let mut pass = self.pass_of(request, counters);
        pass.questions.push(plain_question(Sort::Downloads, TITLES_SEEN));
        let candidates = Candidates::of(&BooleanQuery::new(clauses), &self.searcher, false)?;
        let found = self.make(&candidates, &pass)?.pop().unwrap_or_default();
        let mut titles: BTreeSet<String> = BTreeSet::new();
        let mut suggestions: Vec<Suggestion> = Vec::new();
        for ranked in &found.top {
            let card = self.hit(ranked, counters, false)?.card;
            if !titles.insert(key_of(&card.title)) {
                continue;
            }
            let clauses = words(&card.title).iter().take(MAX_WORDS).map(|word| complete(word)).collect();
            let mut pass = self.pass_of(request, counters);
            pass.questions.push(plain_question(Sort::Newest, 0));
            let candidates = Candidates::of(&BooleanQuery::new(clauses), &self.searcher, false)?;
            let count = self.make(&candidates, &pass)?.pop().unwrap_or_default().total;
            suggestions.push(Suggestion {
                facet: None,
                value: card.title,
                count,
                id: Some(card.id),
            });
            if suggestions.len() == each {
                break;
            }
        }
        Ok(suggestions)
    }
}

/// A question without conditions or counts.
fn plain_question(sort: Sort, limit: usize) -> Question {
    Question {
        needs: 0,
        controls: Vec::new(),
        facets: Vec::new(),
        numbers: Vec::new(),
        order: Order {
            sort,
            seed: 0,
            tempo: None,
            scored: false,
            stepped: false,
        },
        limit,
        after: None,
    }
}
