//! From a request to an answer, on one unchanging snapshot. No database on this path.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use store::gaps::Position;
use tantivy::Searcher;
use tantivy::index::SegmentId;
use tantivy::schema::Value;

use crate::SearchError;
use crate::collector::{DrillSideways, Ranked};
use crate::columns::{SegmentColumns, columns_of};
use crate::counters::{Counters, CountersView};
use crate::facet::Facet;
use crate::generation::Generation;
use crate::query::{everything, text_query};
use crate::request::{Cursor, SearchRequest, Sort};
use crate::response::{Card, FacetCounts, FacetValue, Hit, SearchResponse};
use crate::values::{ValueId, key_of};

/// Most hits of one page, whatever is asked for.
const MAX_LIMIT: usize = 1000;

/// A searcher with its companions, and the place in the log that it reflects.
pub(crate) struct Snapshot {
    pub(crate) generation: Arc<Generation>,
    pub(crate) searcher: Searcher,
    pub(crate) columns: Vec<Arc<SegmentColumns>>,
    pub(crate) position: Position,
}

impl Snapshot {
    /// What the generation's reader shows now. Columns of segments that `before` has too are taken over.
    pub(crate) fn take(
        generation: Arc<Generation>,
        position: Position,
        counters: &Counters,
        before: Option<&Snapshot>,
    ) -> tantivy::Result<Self> {
        let searcher = generation.reader.searcher();
        let known: HashMap<SegmentId, Arc<SegmentColumns>> = before
            .filter(|before| Arc::ptr_eq(&before.generation, &generation))
            .map(|before| {
                let ids = before.searcher.segment_readers().iter().map(|reader| reader.segment_id());
                ids.zip(before.columns.iter().cloned()).collect()
            })
            .unwrap_or_default();
        let columns = columns_of(&searcher, &known, &generation.values, counters)?;
        Ok(Self {
            generation,
            searcher,
            columns,
            position,
        })
    }

    /// Answers a request.
    pub(crate) fn search(&self, request: &SearchRequest, counters: CountersView) -> Result<SearchResponse, SearchError> {
        if let Some(cursor) = &request.after
            && cursor.sort != request.sort
        {
            return Err(SearchError::BadCursor(cursor.to_string()));
        }
        let text = text_query(&request.text, &self.generation.fields, &self.searcher)?;
        let scored = text.is_some() && request.sort == Sort::Relevance;
        let mut facets = request.facets.clone();
        facets.dedup();
        let pass = DrillSideways {
            columns: self.columns.clone(),
            counters: counters.clone(),
            selections: self.selections(request),
            bpm: request.bpm,
            facets,
            sort: request.sort,
            scored,
            limit: request.limit.min(MAX_LIMIT),
            after: request.after,
            now: request.now.timestamp(),
        };
        let found = self.searcher.search(&*text.unwrap_or_else(everything), &pass)?;
        let next = found.top.last().filter(|_| found.more).map(|last| Cursor {
            sort: request.sort,
            key: last.key,
            id: last.id,
        });
        Ok(SearchResponse {
            total: found.total,
            hits: found
                .top
                .iter()
                .map(|ranked| self.hit(ranked, &counters, scored))
                .collect::<Result<_, _>>()?,
            facets: pass
                .facets
                .iter()
                .zip(found.counts)
                .map(|(facet, counts)| self.facet_counts(*facet, counts, request))
                .collect(),
            bpm: found.bpm,
            next,
            position: self.position.cursor(),
        })
    }

    /// Numbers of the selected values.
    fn selections(&self, request: &SearchRequest) -> Vec<(Facet, Vec<ValueId>)> {
        request
            .selections
            .iter()
            .filter(|(_, wanted)| !wanted.is_empty())
            .map(|(facet, wanted)| {
                let values = &self.generation.values[facet.number()];
                (*facet, wanted.iter().filter_map(|value| values.find(value)).collect())
            })
            .collect()
    }

    pub(crate) fn hit(&self, ranked: &Ranked, counters: &CountersView, scored: bool) -> Result<Hit, SearchError> {
        let document: tantivy::TantivyDocument = self.searcher.doc(ranked.address)?;
        let card = document
            .get_first(self.generation.fields.card)
            .and_then(|value| value.as_bytes())
            .unwrap_or_default();
        let columns = &self.columns[ranked.address.segment_ord as usize];
        Ok(Hit {
            card: serde_json::from_slice::<Card>(card)?,
            counts: counters.get(columns.slots[ranked.address.doc_id as usize]),
            score: scored.then_some(ranked.score),
        })
    }

    /// The most frequent values, and the selected ones.
    fn facet_counts(&self, facet: Facet, counts: Vec<(ValueId, u64)>, request: &SearchRequest) -> FacetCounts {
        let distinct = counts.len();
        let mut wanted: Vec<(String, &String)> = request
            .selections
            .get(&facet)
            .into_iter()
            .flatten()
            .map(|value| (key_of(value), value))
            .collect();
        let mut counted = self.generation.values[facet.number()].resolve(counts);
        counted.sort_unstable_by(|a, b| (Reverse(a.2), &a.0).cmp(&(Reverse(b.2), &b.0)));
        let mut values = Vec::new();
        for (at, (key, value, count)) in counted.into_iter().enumerate() {
            let selected = wanted.iter().any(|(wanted, _)| *wanted == key);
            wanted.retain(|(wanted, _)| *wanted != key);
            if selected || at < request.facet_limit {
                values.push(FacetValue { value, count, selected });
            }
        }
        // What nothing has is shown too, so that it can be unselected.
        wanted.dedup_by(|a, b| a.0 == b.0);
        values.extend(wanted.into_iter().map(|(_, value)| FacetValue {
            value: value.clone(),
            count: 0,
            selected: true,
        }));
        FacetCounts { facet, values, distinct }
    }
}
