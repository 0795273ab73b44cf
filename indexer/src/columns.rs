//! What is kept in memory for each segment beside its own files: the facet values of its documents by their numbers, its tempos and
//! times, and the slots of its counters. Segments never change, so this is made once for each; deletions do not matter to it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use tantivy::columnar::Cardinality;
use tantivy::index::SegmentId;
use tantivy::{DocId, Searcher, SegmentReader};

use crate::counters::{Counters, Slot};
use crate::facet::Facet;
use crate::predicate::ValueSet;
use crate::schema::facet_field;
use crate::values::{FacetValues, ValueId};
use crate::window::Places;

/// Number of no value, for documents that have none where others have one.
const NO_VALUE: ValueId = ValueId::MAX;

/// Values of which it is gathered where they are before they are read: more than a core waits for at once, and few enough for its cache.
const GATHERED: usize = 1024;

/// In-memory companions of one segment.
pub(crate) struct SegmentColumns {
    /// By number of the facet.
    pub(crate) values: [FacetColumn; Facet::ALL.len()],
    /// By document.
    pub(crate) slots: Vec<Slot>,
    /// By document: seconds since 1970 at which it was published, or made.
    pub(crate) listed_at: Vec<i64>,
    /// By document; not a number where there is none.
    bpm: Vec<f64>,
    /// Documents that had still to become visible when this was made, and since when they are: the latest first.
    waiting: Vec<(i64, DocId)>,
}

/// Values that the documents of a segment have in one facet. Columns of tantivy hold the same by ordinals of the segment; read one by
/// one for every match they cost several times as much as the match itself.
#[derive(Default)]
pub(crate) enum FacetColumn {
    /// No document has any.
    #[default]
    Empty,
    /// Each has one at most.
    One(Numbers),
    /// Each has as many as it likes: those of document `n` are `values[starts[n]..starts[n + 1]]`.
    Many {
        /// By document, and one more.
        starts: Vec<u32>,
        /// Those of all documents.
        values: Numbers,
    },
}

/// Numbers of values, each in as few bytes as all of them fit in: what is counted is read from memory far apart, and the less there is, the
/// more of it is in the caches already. The largest of each width is no value.
pub(crate) enum Numbers {
    Byte(Vec<u8>),
    Short(Vec<u16>),
    Long(Vec<ValueId>),
}

impl Numbers {
    fn of(values: Vec<ValueId>) -> Self {
        let most = values.iter().filter(|value| **value != NO_VALUE).max().copied().unwrap_or(0);
        if most < u32::from(u8::MAX) {
            Self::Byte(values.into_iter().map(|value| value as u8).collect())
        } else if most < u32::from(u16::MAX) {
            Self::Short(values.into_iter().map(|value| value as u16).collect())
        } else {
            Self::Long(values)
        }
    }

    #[inline]
    fn get(&self, at: usize) -> ValueId {
        match self {
            Self::Byte(values) => values[at].widened(),
            Self::Short(values) => values[at].widened(),
            Self::Long(values) => values[at],
        }
    }
}

/// Runs a loop on numbers, made once for each width.
macro_rules! with_width {
    ($numbers:expr, |$values:ident| $run:expr) => {
        match $numbers {
            Numbers::Byte($values) => $run,
            Numbers::Short($values) => $run,
            Numbers::Long($values) => $run,
        }
    };
}

/// A number in fewer bytes.
trait Narrow: Copy {
    /// The number of a value, or [`NO_VALUE`].
    fn widened(self) -> ValueId;
}

impl Narrow for u8 {
    #[inline]
    fn widened(self) -> ValueId {
        if self == Self::MAX { NO_VALUE } else { self.into() }
    }
}

impl Narrow for u16 {
    #[inline]
    fn widened(self) -> ValueId {
        if self == Self::MAX { NO_VALUE } else { self.into() }
    }
}

impl Narrow for ValueId {
    #[inline]
    fn widened(self) -> ValueId {
        self
    }
}

impl FacetColumn {
    /// Values of a document, each once.
    #[inline]
    pub(crate) fn of(&self, doc: DocId) -> impl Iterator<Item = ValueId> + '_ {
        let doc = doc as usize;
        let (range, values) = match self {
            Self::Empty => (0..0, None),
            Self::One(values) => (doc..doc + 1, Some(values)),
            Self::Many { starts, values } => (starts[doc] as usize..starts[doc + 1] as usize, Some(values)),
        };
        let values = values
            .into_iter()
            .flat_map(move |values| range.clone().map(|at| values.get(at)));
        values.filter(|value| *value != NO_VALUE)
    }

    /// Leaves those of a window's documents that have one of the values.
    pub(crate) fn keep_any(&self, kept: &mut Places, start: DocId, wanted: &ValueSet) {
        match self {
            Self::Empty => kept.clear(),
            Self::One(values) => with_width!(values, |values| kept
                .retain(start, |doc| { wanted.contains(values[doc as usize].widened()) })),
            Self::Many { starts, values } => with_width!(values, |values| kept.retain(start, |doc| {
                let (from, to) = (starts[doc as usize] as usize, starts[doc as usize + 1] as usize);
                values[from..to].iter().any(|value| wanted.contains(value.widened()))
            })),
        }
    }

    /// Calls `found` for every value of every document of a window that begins at `start`.
    pub(crate) fn each(&self, start: DocId, places: &Places, mut found: impl FnMut(ValueId)) {
        match self {
            Self::Empty => {}
            Self::One(values) => with_width!(values, |values| places.each(|place| {
                let value = values[(start + place) as usize].widened();
                if value != NO_VALUE {
                    found(value);
                }
            })),
            Self::Many { starts, values } => {
                // First where they are, then what they are: so the second loop waits for many places in memory at once.
                let mut at: Vec<u32> = Vec::with_capacity(2 * GATHERED);
                with_width!(values, |values| {
                    places.each(|place| {
                        let doc = (start + place) as usize;
                        at.extend(starts[doc]..starts[doc + 1]);
                        if at.len() >= GATHERED {
                            at.drain(..).for_each(|at| found(values[at as usize].widened()));
                        }
                    });
                    at.drain(..).for_each(|at| found(values[at as usize].widened()));
                });
            }
        }
    }

    fn build(reader: &SegmentReader, facet: Facet, values: &FacetValues) -> tantivy::Result<Self> {
        let Some(column) = reader.fast_fields().str(facet_field(facet))? else {
            return Ok(Self::Empty);
        };
        let mut numbers = Vec::with_capacity(column.num_terms());
        let mut terms = column.dictionary().stream()?;
        while terms.advance() {
            numbers.push(values.number(&String::from_utf8_lossy(terms.key())));
        }
        let ordinals = column.ords();
        let number = |ordinal: u64| numbers[ordinal as usize];
        if ordinals.get_cardinality() != Cardinality::Multivalued {
            let first = |doc| ordinals.first(doc).map_or(NO_VALUE, number);
            return Ok(Self::One(Numbers::of((0..reader.max_doc()).map(first).collect())));
        }
        let mut starts = Vec::with_capacity(reader.max_doc() as usize + 1);
        let mut all: Vec<ValueId> = Vec::with_capacity(ordinals.values.num_vals() as usize);
        for doc in 0..reader.max_doc() {
            starts.push(all.len() as u32);
            let from = all.len();
            for value in ordinals.values_for_doc(doc).map(number) {
                // Of two spellings of one value the document has the value once.
                if !all[from..].contains(&value) {
                    all.push(value);
                }
            }
        }
        starts.push(all.len() as u32);
        Ok(Self::Many {
            starts,
            values: Numbers::of(all),
        })
    }
}

impl SegmentColumns {
    /// Tempo of a document.
    #[inline]
    pub(crate) fn bpm(&self, doc: DocId) -> Option<f64> {
        let bpm = self.bpm[doc as usize];
        (!bpm.is_nan()).then_some(bpm)
    }

    /// Documents that are not to be seen yet at a time, deleted ones included.
    pub(crate) fn hidden_at(&self, now: i64) -> impl Iterator<Item = DocId> + '_ {
        let hidden = self.waiting.iter().take_while(move |(from, _)| *from > now);
        hidden.map(|(_, doc)| *doc)
    }

    fn build(reader: &SegmentReader, values: &[FacetValues; Facet::ALL.len()], counters: &Counters) -> tantivy::Result<Self> {
        let mut by_facet: [FacetColumn; Facet::ALL.len()] = Default::default();
        for facet in Facet::ALL {
            by_facet[facet.number()] = FacetColumn::build(reader, facet, &values[facet.number()])?;
        }
        let fast = reader.fast_fields();
        let (ids, listed_at, bpm) = (fast.u64("id")?, fast.i64("listed_at")?, fast.f64("bpm")?);
        let docs = 0..reader.max_doc();
        let (visible_from, now) = (fast.i64("visible_from")?, Utc::now().timestamp());
        let mut waiting = Vec::new();
        if visible_from.max_value() > now {
            let from = docs.clone().map(|doc| (visible_from.first(doc).unwrap_or(0), doc));
            waiting.extend(from.filter(|(from, _)| *from > now));
            waiting.sort_unstable_by(|a, b| b.cmp(a));
        }
        Ok(Self {
            values: by_facet,
            slots: counters.slots(docs.clone().map(|doc| ids.first(doc).unwrap_or(0))),
            listed_at: docs.clone().map(|doc| listed_at.first(doc).unwrap_or(0)).collect(),
            bpm: docs.map(|doc| bpm.first(doc).unwrap_or(f64::NAN)).collect(),
            waiting,
        })
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
