//! What is kept in memory for each segment beside its own files: numbers of facet values by the segment's ordinals, and slots of
//! counters by document. Segments never change, so this is made once for each; deletions do not matter to it.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::{Searcher, SegmentReader};

use crate::counters::{Counters, Slot};
use crate::facet::Facet;
use crate::schema::facet_field;
use crate::values::{FacetValues, ValueId};

/// In-memory companions of one segment.
pub(crate) struct SegmentColumns {
    /// By facet and term ordinal.
    pub(crate) values: [Vec<ValueId>; Facet::ALL.len()],
    /// By document.
    pub(crate) slots: Vec<Slot>,
}

impl SegmentColumns {
    fn build(reader: &SegmentReader, values: &[FacetValues; Facet::ALL.len()], counters: &Counters) -> tantivy::Result<Self> {
        let mut by_facet: [Vec<ValueId>; Facet::ALL.len()] = Default::default();
        for facet in Facet::ALL {
            let Some(column) = reader.fast_fields().str(facet_field(facet))? else {
                continue;
            };
            let numbers = &mut by_facet[facet.number()];
            let mut terms = column.dictionary().stream()?;
            while terms.advance() {
                numbers.push(values[facet.number()].number(&String::from_utf8_lossy(terms.key())));
            }
        }
        let ids = reader.fast_fields().u64("id")?;
        let slots = counters.slots((0..reader.max_doc()).map(|doc| ids.first(doc).unwrap_or(0)));
        Ok(Self { values: by_facet, slots })
    }
}

/// Columns of every segment of a searcher, in its order; those in `known` are taken over.
pub(crate) fn columns_of(
    searcher: &Searcher,
    known: &HashMap<SegmentId, Arc<SegmentColumns>>,
    values: &[FacetValues; Facet::ALL.len()],
    counters: &Counters,
) -> tantivy::Result<Vec<Arc<SegmentColumns>>> {
    searcher
        .segment_readers()
        .iter()
        .map(|reader| match known.get(&reader.segment_id()) {
            Some(columns) => Ok(columns.clone()),
            None => SegmentColumns::build(reader, values, counters).map(Arc::new),
        })
        .collect()
}
