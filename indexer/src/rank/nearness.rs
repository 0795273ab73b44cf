//! How near the words of a query stand in a document.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::columnar::Column;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, SegmentReader};

use super::lists::{Cell, SlotPass};
use crate::plan::{MatchKind, Plan, What};
use crate::schema::{Fields, level};

/// Positions of words, to see how near they are. Read for those documents alone that meet all words in fields of one level.
pub(super) struct Nearness {
    /// By level from 1 on.
    fields: Vec<Vec<(Field, Arc<InvertedIndexReader>)>>,
    /// By slot, source and field.
    opened: HashMap<(usize, u16, Field), Option<Box<SegmentPostings>>>,
    title_words: Column<u64>,
    positions: Vec<Vec<u32>>,
}

/// Farthest that words are near.
const NEAR: u32 = 4;

impl Nearness {
    pub(super) fn open(reader: &SegmentReader, fields: &Fields) -> tantivy::Result<Self> {
        let mut by_level = vec![Vec::new(); usize::from(level::TITLE) + 1];
        for (field, level) in fields.texts.leveled() {
            by_level[usize::from(level)].push((field, reader.inverted_index(field)?));
        }
        Ok(Self {
            fields: by_level,
            opened: HashMap::new(),
            title_words: reader.fast_fields().u64("title_words")?,
            positions: Vec::new(),
        })
    }

    /// The best that [`Nearness::of`] may give, without reading any positions.
    pub(super) fn at_best(&self, doc: DocId, plan: &Plan) -> u32 {
        let title = self.title_words.first(doc).unwrap_or(0) as usize;
        u32::from(title != plan.typed && title != plan.slots.len())
    }

    /// 0: the words are the whole title, 1: side by side in their order, 2: near, 3: not.
    pub(super) fn of(&mut self, doc: DocId, place: u32, plan: &Plan, slots: &[SlotPass]) -> u32 {
        if let [slot] = slots {
            // What most queries are while they are typed, and so without any detour.
            let cell = slot.cells[place as usize];
            let whole = cell.rank == 0 && self.title_words.first(doc) == Some(plan.typed as u64);
            return u32::from(!whole);
        }
        let met = slots.iter().enumerate().filter(|(_, slot)| slot.met.has(place));
        let met = met.map(|(at, slot)| (at, slot.cells[place as usize]));
        let cells = met.clone().map(|(_, cell)| cell);
        let mut levels = cells.clone().map(Cell::level);
        let Some(first) = levels.next() else {
            return 1;
        };
        if !levels.all(|level| level == first) {
            return 3;
        }
        let complete = met.clone().count() == slots.len();
        let exact = complete && cells.clone().all(|cell| cell.kind_cost() == 0);
        let is_whole = |words: usize| {
            let title = self.title_words.first(doc).unwrap_or(0) as usize;
            exact && first == level::TITLE && (title == plan.typed || title == words)
        };
        // What stands for a beginning, or for several words, has no one place.
        let placed: Vec<(usize, Cell)> = met
            .filter(|(at, cell)| {
                let source = &plan.slots[*at].sources[usize::from(cell.source)];
                let spans = matches!(
                    source.kind,
                    MatchKind::Joined | MatchKind::Synonym | MatchKind::Split | MatchKind::Stem
                );
                matches!(source.what, What::Word(_)) && !spans
            })
            .collect();
        if placed.len() < 2 {
            return u32::from(!is_whole(plan.slots.len()));
        }
        let whole = is_whole(plan.slots.len());
        let mut best = 3;
        let fields = std::mem::take(&mut self.fields);
        for (field, reader) in &fields[usize::from(first)] {
            if self.read_positions(doc, *field, reader, plan, &placed) {
                let offsets = placed.iter().map(|(at, _)| plan.slots[*at].offset);
                best = best.min(nearness(&self.positions, &offsets.collect::<Vec<_>>()));
            }
        }
        self.fields = fields;
        if best == 1 && whole { 0 } else { best }
    }

    /// Whether all words are in the field; then `positions` says where.
    fn read_positions(
        &mut self,
        doc: DocId,
        field: Field,
        reader: &InvertedIndexReader,
        plan: &Plan,
        placed: &[(usize, Cell)],
    ) -> bool {
        self.positions.resize(placed.len(), Vec::new());
        for ((at, cell), positions) in placed.iter().zip(&mut self.positions) {
            let postings = self.opened.entry((*at, cell.source, field)).or_insert_with(|| {
                let What::Word(word) = &plan.slots[*at].sources[usize::from(cell.source)].what else {
                    return None;
                };
                let term = reader.terms().get(word).ok().flatten()?;
                let option = IndexRecordOption::WithFreqsAndPositions;
                reader.read_postings_from_terminfo(&term, option).ok().map(Box::new)
            });
            let Some(postings) = postings else {
                return false;
            };
            if postings.doc() > doc || postings.seek(doc) != doc {
                return false;
            }
            postings.positions(positions);
        }
        true
    }
}

/// How near words are: 1 where the query has them, 2 near the first of them, 3 not.
fn nearness(positions: &[Vec<u32>], offsets: &[u32]) -> u32 {
    let Some((first, others)) = positions.split_first() else {
        return 3;
    };
    let others = || others.iter().zip(1_u32..);
    let mut best = 3;
    for at in first {
        if others().all(|(positions, next)| positions.contains(&(at + offsets[next as usize] - offsets[0]))) {
            return 1;
        }
        if others().all(|(positions, _)| positions.iter().any(|other| other.abs_diff(*at) <= NEAR)) {
            best = 2;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_near_as_they_were_typed() {
        assert_eq!(nearness(&[vec![3], vec![4]], &[0, 1]), 1);
        assert_eq!(nearness(&[vec![3], vec![5]], &[0, 2]), 1);
        assert_eq!(nearness(&[vec![3], vec![4]], &[0, 2]), 2);
        assert_eq!(nearness(&[vec![4], vec![3]], &[0, 1]), 2);
        assert_eq!(nearness(&[vec![4, 20], vec![10]], &[0, 1]), 3);
    }
}
