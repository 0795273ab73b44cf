//! Hits, exact total and the counts of every facet in one pass over the matching documents ("drill sideways").
//!
//! A request selects values in some facets, any of them within one facet and all facets together. A value's count answers "how many
//! hits would there be, had I chosen among this facet's values this one": the facet's own selection must not narrow it, the others'
//! must. So a document that passes all selections is a hit and counts in every facet; one that fails exactly one selection counts in
//! that facet alone; one that fails two is nothing. Everything is decided on the segment's columns; strings are met at the very end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use crate::columns::SegmentColumns;
use crate::counters::CountersView;
use crate::facet::Facet;
use crate::request::{BpmRange, Cursor, Sort};
use crate::response::BpmFacet;
use crate::schema::facet_field;
use crate::values::ValueId;

/// Steps of tempo that are counted; the last one takes everything faster.
const BPM_STEPS: usize = 100;

/// One request, ready to be collected.
pub(crate) struct DrillSideways {
    pub(crate) columns: Vec<Arc<SegmentColumns>>,
    pub(crate) counters: CountersView,
    /// Selections by facet: numbers of the values wanted. An unknown value has no number and matches nothing.
    pub(crate) selections: Vec<(Facet, Vec<ValueId>)>,
    pub(crate) bpm: Option<BpmRange>,
    /// Facets to be counted.
    pub(crate) facets: Vec<Facet>,
    pub(crate) sort: Sort,
    /// Whether scores order the hits: relevance, and there is a text.
    pub(crate) scored: bool,
    pub(crate) limit: usize,
    pub(crate) after: Option<Cursor>,
    /// Seconds since 1970; what is to be visible later is left out.
    pub(crate) now: i64,
}

/// What one pass finds.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) total: u64,
    /// In order, at most `limit`.
    pub(crate) top: Vec<Ranked>,
    /// Whether there are more after them.
    pub(crate) more: bool,
    /// Counts by facet as asked for, and by number of the value; those that are not 0.
    pub(crate) counts: Vec<Vec<(ValueId, u64)>>,
    pub(crate) bpm: BpmFacet,
}

/// A hit in its place: higher keys first, then higher ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) key: u64,
    pub(crate) id: u64,
    pub(crate) score: Score,
    pub(crate) address: DocAddress,
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.key, self.id).cmp(&(other.key, other.id))
    }
}

impl Collector for DrillSideways {
    type Fruit = Found;
    type Child = SegmentPass;

    fn for_segment(&self, ordinal: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<SegmentPass> {
        let columns = self.columns[ordinal as usize].clone();
        let fast = reader.fast_fields();
        let ordinals = |facet: Facet| -> tantivy::Result<Option<Column<u64>>> {
            Ok(fast.str(facet_field(facet))?.map(|column| column.ords().clone()))
        };
        let bpm = fast.f64("bpm")?;
        let mut selections = Vec::new();
        for (facet, wanted) in &self.selections {
            let numbers = &columns.values[facet.number()];
            selections.push(Selection::Values {
                counted: self.facets.iter().position(|counted| counted == facet),
                wanted: numbers.iter().map(|number| wanted.contains(number)).collect(),
                ordinals: ordinals(*facet)?,
            });
        }
        if let Some(range) = self.bpm {
            selections.push(Selection::Bpm(range));
        }
        let mut counts = Vec::new();
        for facet in &self.facets {
            counts.push(FacetPass {
                counts: vec![0; columns.values[facet.number()].len()],
                facet: *facet,
                ordinals: ordinals(*facet)?,
            });
        }
        Ok(SegmentPass {
            ordinal,
            key: match self.sort {
                Sort::Relevance if self.scored => Key::Score,
                Sort::Relevance | Sort::Newest => Key::ListedAt(fast.i64("listed_at")?),
                Sort::Downloads => Key::Downloads,
                Sort::Likes => Key::Likes,
                Sort::Rating => Key::Rating,
                Sort::Bpm => Key::Bpm,
            },
            ids: fast.u64("id")?,
            visible_from: fast.i64("visible_from")?,
            bpm,
            counters: self.counters.clone(),
            columns,
            selections,
            counts,
            bpm_counts: BpmPass::default(),
            limit: self.limit,
            after: self.after.map(|cursor| (cursor.key, cursor.id)),
            now: self.now,
            total: 0,
            eligible: 0,
            top: BinaryHeap::with_capacity(self.limit + 1),
        })
    }

    fn requires_scoring(&self) -> bool {
        self.scored
    }

    fn merge_fruits(&self, segments: Vec<SegmentFound>) -> tantivy::Result<Found> {
        let mut found = Found::default();
        let mut eligible = 0;
        let mut sums: Vec<Vec<u64>> = vec![Vec::new(); self.facets.len()];
        let mut bpm = BpmPass::default();
        for segment in segments {
            found.total += segment.total;
            eligible += segment.eligible;
            found.top.extend(segment.top);
            bpm.add(&segment.bpm);
            for (sums, counts) in sums.iter_mut().zip(segment.counts) {
                for (value, count) in counts {
                    let value = value as usize;
                    if value >= sums.len() {
                        sums.resize(value + 1, 0);
                    }
                    sums[value] += u64::from(count);
                }
            }
        }
        found.top.sort_unstable_by_key(|hit| Reverse(*hit));
        found.top.truncate(self.limit);
        found.more = eligible > found.top.len() as u64;
        found.counts = sums
            .into_iter()
            .map(|sums| (0..).zip(sums).filter(|(_, count)| *count > 0).collect())
            .collect();
        found.bpm = bpm.into_facet();
        Ok(found)
    }
}

/// One selection, on one segment.
enum Selection {
    Values {
        /// Which of the counted facets it selects in, if that one is counted.
        counted: Option<usize>,
        /// By ordinal.
        wanted: Vec<bool>,
        ordinals: Option<Column<u64>>,
    },
    Bpm(BpmRange),
}

impl Selection {
    fn passes(&self, doc: DocId, bpm: Option<f64>) -> bool {
        match self {
            Selection::Values { wanted, ordinals, .. } => ordinals
                .as_ref()
                .is_some_and(|ordinals| ordinals.values_for_doc(doc).any(|ordinal| wanted[ordinal as usize])),
            Selection::Bpm(range) => bpm.is_some_and(|bpm| range.contains(bpm)),
        }
    }
}

/// What orders hits.
enum Key {
    Score,
    ListedAt(Column<i64>),
    Downloads,
    Likes,
    Rating,
    Bpm,
}

/// Counts of one facet in one segment.
struct FacetPass {
    facet: Facet,
    ordinals: Option<Column<u64>>,
    /// By ordinal.
    counts: Vec<u32>,
}

impl FacetPass {
    fn count(&mut self, doc: DocId) {
        if let Some(ordinals) = &self.ordinals {
            for ordinal in ordinals.values_for_doc(doc) {
                self.counts[ordinal as usize] += 1;
            }
        }
    }
}

/// Counts of tempos.
#[derive(Clone)]
struct BpmPass {
    min: f64,
    max: f64,
    steps: [u64; BPM_STEPS],
}

impl Default for BpmPass {
    fn default() -> Self {
        Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            steps: [0; BPM_STEPS],
        }
    }
}

impl BpmPass {
    fn count(&mut self, bpm: f64) {
        self.min = self.min.min(bpm);
        self.max = self.max.max(bpm);
        let step = (bpm / f64::from(BpmFacet::STEP)) as usize;
        self.steps[step.min(BPM_STEPS - 1)] += 1;
    }

    fn add(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for (sum, count) in self.steps.iter_mut().zip(other.steps) {
            *sum += count;
        }
    }

    fn into_facet(self) -> BpmFacet {
        BpmFacet {
            min: self.min.is_finite().then_some(self.min),
            max: self.max.is_finite().then_some(self.max),
            steps: (0..)
                .step_by(BpmFacet::STEP as usize)
                .zip(self.steps)
                .filter(|(_, count)| *count > 0)
                .collect(),
        }
    }
}

/// The pass over one segment.
pub(crate) struct SegmentPass {
    ordinal: SegmentOrdinal,
    key: Key,
    ids: Column<u64>,
    visible_from: Column<i64>,
    bpm: Column<f64>,
    counters: CountersView,
    columns: Arc<SegmentColumns>,
    selections: Vec<Selection>,
    counts: Vec<FacetPass>,
    bpm_counts: BpmPass,
    limit: usize,
    after: Option<(u64, u64)>,
    now: i64,
    total: u64,
    /// Hits after the cursor.
    eligible: u64,
    top: BinaryHeap<Reverse<Ranked>>,
}

/// What the pass over one segment found.
pub(crate) struct SegmentFound {
    total: u64,
    eligible: u64,
    top: Vec<Ranked>,
    counts: Vec<Vec<(ValueId, u32)>>,
    bpm: BpmPass,
}

impl SegmentCollector for SegmentPass {
    type Fruit = SegmentFound;

    fn collect(&mut self, doc: DocId, score: Score) {
        if self.visible_from.first(doc).is_some_and(|from| from > self.now) {
            return;
        }
        let bpm = self.bpm.first(doc);
        let mut failed = self.selections.iter().filter(|selection| !selection.passes(doc, bpm));
        match (failed.next(), failed.next()) {
            (None, _) => self.hit(doc, score, bpm),
            (Some(Selection::Values { counted, .. }), None) => {
                if let Some(at) = *counted {
                    self.counts[at].count(doc);
                }
            }
            (Some(Selection::Bpm(_)), None) => {
                if let Some(bpm) = bpm {
                    self.bpm_counts.count(bpm);
                }
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn harvest(self) -> SegmentFound {
        let columns = &self.columns;
        SegmentFound {
            total: self.total,
            eligible: self.eligible,
            top: self.top.into_iter().map(|Reverse(hit)| hit).collect(),
            counts: self
                .counts
                .iter()
                .map(|pass| {
                    let numbers = columns.values[pass.facet.number()].iter().copied();
                    numbers
                        .zip(pass.counts.iter().copied())
                        .filter(|(_, count)| *count > 0)
                        .collect()
                })
                .collect(),
            bpm: self.bpm_counts,
        }
    }
}

impl SegmentPass {
    fn hit(&mut self, doc: DocId, score: Score, bpm: Option<f64>) {
        self.total += 1;
        for facet in &mut self.counts {
            facet.count(doc);
        }
        if let Some(bpm) = bpm {
            self.bpm_counts.count(bpm);
        }
        let key = self.key(doc, score, bpm);
        let id = self.ids.first(doc).unwrap_or(0);
        if self.after.is_some_and(|after| (key, id) >= after) {
            return;
        }
        self.eligible += 1;
        let hit = Ranked {
            key,
            id,
            score,
            address: DocAddress::new(self.ordinal, doc),
        };
        if self.top.len() < self.limit {
            self.top.push(Reverse(hit));
        } else if let Some(mut last) = self.top.peek_mut()
            && hit > last.0
        {
            *last = Reverse(hit);
        }
    }

    /// A number that is higher the further ahead the document belongs. Floats that are not negative order as their bits do.
    fn key(&self, doc: DocId, score: Score, bpm: Option<f64>) -> u64 {
        let counts = || self.counters.get(self.columns.slots[doc as usize]);
        match &self.key {
            Key::Score => u64::from(score.max(0.0).to_bits()),
            Key::ListedAt(column) => column.first(doc).unwrap_or(i64::MIN).cast_unsigned() ^ (1 << 63),
            Key::Downloads => u64::from(counts().downloads),
            Key::Likes => u64::from(counts().likes),
            Key::Rating => u64::from(counts().rating_score(self.counters.overall_mean).max(0.0).to_bits()),
            Key::Bpm => bpm.map_or(0, |bpm| u64::MAX - bpm.max(0.0).to_bits()),
        }
    }
}
