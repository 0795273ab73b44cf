//! The limit: tantivy itself on the engine's own index, with terms of the kinds that the engine looks up – the word, and those within its
//! typos – and nothing on top: no facets, no visibility, no tiers, no cards.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{BooleanQuery, FuzzyTermQuery, Occur, Query as TantivyQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, Searcher, Term};

use crate::queries::Query;

/// Fields that text is looked for in.
const FIELDS: [&str; 8] = [
    "title",
    "tags",
    "author",
    "devices",
    "plugins",
    "macros",
    "chains",
    "description",
];

/// Most terms that stand for one word in one field.
const MAX_TERMS: usize = 16;

/// A word that fewer documents have is looked for with typos too.
const FEW: u64 = 20;

/// Hits wanted.
const TOP: usize = 20;

/// An index, opened without the engine.
pub(crate) struct Bare {
    searcher: Searcher,
    fields: Vec<Field>,
}

impl Bare {
    /// Opens the newest index in the engine's folder.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let place = generation(folder).context("find the index")?;
        let index = Index::open_in_dir(&place).context("open the index")?;
        let schema = index.schema();
        Ok(Self {
            fields: FIELDS.iter().filter_map(|name| schema.get_field(name).ok()).collect(),
            searcher: index.reader()?.searcher(),
        })
    }

    /// Mean time of the queries, the looking up of their terms included.
    pub(crate) fn mean(&self, queries: &[Query], count: bool) -> Result<Duration> {
        let mut all = Duration::ZERO;
        for query in queries {
            let started = Instant::now();
            let query = self.query(query)?;
            if count {
                self.searcher
                    .search(&query, &(TopDocs::with_limit(TOP).order_by_score(), Count))?;
            } else {
                self.searcher.search(&query, &TopDocs::with_limit(10).order_by_score())?;
            }
            all += started.elapsed();
        }
        Ok(all / u32::try_from(queries.len().max(1))?)
    }

    fn query(&self, query: &Query) -> Result<BooleanQuery> {
        let mut words: Vec<(Occur, Box<dyn TantivyQuery>)> = Vec::new();
        for word in query.words() {
            let mut terms: Vec<(Occur, Box<dyn TantivyQuery>)> = Vec::new();
            for field in &self.fields {
                for term in self.expanded(*field, word)? {
                    let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
                    terms.push((Occur::Should, Box::new(term)));
                }
            }
            words.push((Occur::Must, Box::new(BooleanQuery::new(terms))));
        }
        Ok(BooleanQuery::new(words))
    }

    /// The word itself, and where few documents have it, from five letters on, what lies one letter off: as the engine does.
    fn expanded(&self, field: Field, word: &str) -> Result<Vec<Term>> {
        let itself = Term::from_field_text(field, word);
        let mut terms = vec![itself.clone()];
        if word.chars().count() >= 5 && self.searcher.doc_freq(&itself)? < FEW {
            let automaton = FuzzyTermQuery::new(itself.clone(), 1, true).automaton()?;
            for segment in self.searcher.segment_readers() {
                let inverted = segment.inverted_index(field)?;
                let mut found = inverted.terms().search(&automaton).into_stream()?;
                while terms.len() < MAX_TERMS && found.advance() {
                    let near = std::str::from_utf8(found.key()).map(|near| Term::from_field_text(field, near))?;
                    if !terms.contains(&near) {
                        terms.push(near);
                    }
                }
            }
        }
        Ok(terms)
    }
}

/// The folder with `meta.json`, here or below.
fn generation(folder: &Path) -> Option<std::path::PathBuf> {
    if folder.join("meta.json").exists() {
        return Some(folder.to_owned());
    }
    let below = std::fs::read_dir(folder).ok()?.flatten();
    below.filter_map(|entry| generation(&entry.path())).max()
}
