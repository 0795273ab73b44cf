//! How many documents have each facet value, over the whole index: what pages without a question and suggestions show. Kept in step with
//! each commit by what it changed, so that nobody counts a million documents while somebody types.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::{DocId, Searcher, SegmentReader};

use crate::columns::SegmentColumns;
use crate::facet::Facet;

/// Counts of all documents, those included that wait for their time.
#[derive(Clone, Default)]
pub(crate) struct Totals {
    /// By number of the facet, then by number of the value.
    counts: [Vec<u32>; Facet::ALL.len()],
}

impl Totals {
    /// The counts of a searcher. Only what differs from the searcher before is counted.
    pub(crate) fn of(
        searcher: &Searcher,
        columns: &[Arc<SegmentColumns>],
        before: Option<(&Searcher, &[Arc<SegmentColumns>], &Totals)>,
    ) -> Self {
        let mut totals = before.map(|(_, _, totals)| totals.clone()).unwrap_or_default();
        let mut gone: HashMap<SegmentId, (&SegmentReader, &SegmentColumns)> = HashMap::new();
        if let Some((searcher, columns, _)) = before {
            for (reader, columns) in searcher.segment_readers().iter().zip(columns) {
                gone.insert(reader.segment_id(), (reader, columns));
            }
        }
        for (reader, columns) in searcher.segment_readers().iter().zip(columns) {
            match gone.remove(&reader.segment_id()) {
                Some((old, _)) if old.num_deleted_docs() == reader.num_deleted_docs() => {}
                Some((old, _)) => {
                    for doc in old.doc_ids_alive().filter(|doc| !is_alive(reader, *doc)) {
                        totals.count(columns, doc, u32::wrapping_sub);
                    }
                }
                None => {
                    for doc in reader.doc_ids_alive() {
                        totals.count(columns, doc, u32::wrapping_add);
                    }
                }
            }
        }
        for (old, columns) in gone.into_values() {
            for doc in old.doc_ids_alive() {
                totals.count(columns, doc, u32::wrapping_sub);
            }
        }
        totals
    }

    /// Counts of one facet's values among what is visible at a time.
    pub(crate) fn visible(&self, facet: Facet, searcher: &Searcher, columns: &[Arc<SegmentColumns>], now: i64) -> Vec<u32> {
        let mut counts = self.counts[facet.number()].clone();
        for (reader, columns) in searcher.segment_readers().iter().zip(columns) {
            for doc in columns.hidden_at(now).filter(|doc| is_alive(reader, *doc)) {
                for value in columns.values[facet.number()].of(doc) {
                    counts[value as usize] -= 1;
                }
            }
        }
        counts
    }

    fn count(&mut self, columns: &SegmentColumns, doc: DocId, change: impl Fn(u32, u32) -> u32) {
        for (counts, values) in self.counts.iter_mut().zip(&columns.values) {
            for value in values.of(doc) {
                let value = value as usize;
                if value >= counts.len() {
                    counts.resize((value + 1).next_power_of_two(), 0);
                }
                counts[value] = change(counts[value], 1);
            }
        }
    }
}

fn is_alive(reader: &SegmentReader, doc: DocId) -> bool {
    reader.alive_bitset().is_none_or(|alive| alive.is_alive(doc))
}
