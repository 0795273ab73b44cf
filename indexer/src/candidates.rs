//! What a pass goes through: the matches of a text, those of a query of tantivy's, or all documents.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;

use tantivy::query::{EnableScoring, Query, Scorer, Weight};
use tantivy::{DocId, Executor, Score, Searcher, SegmentOrdinal, TERMINATED};

use crate::SearchError;
use crate::collector::{Bars, Found, Matches, Pass};
use crate::rank::TextQuery;
use crate::search::Snapshot;
use crate::window::{Places, WINDOW};

/// From how many entries of lists on a pass is shared out among threads. Fewer are read in less than a millisecond. Tests have small
/// indexes, and share out too.
const SHARED_FROM: u64 = if cfg!(debug_assertions) { 100 } else { 50_000 };

/// Fewest documents of a piece, as each opens the lists anew.
const LEAST_PIECE: u32 = if cfg!(debug_assertions) { 16 } else { 8 * WINDOW };

/// Pieces for each thread: with one alone, that with the most matches would be waited for.
const PIECES_A_THREAD: usize = 2;

/// The threads among which long passes are shared out, as many as there are cores; alone where they cannot be started.
static SHARED: LazyLock<(Executor, usize)> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, usize::from);
    let started = (threads > 1).then(|| Executor::multi_thread(threads, "search-"));
    match started {
        Some(Ok(executor)) => (executor, threads),
        _ => (Executor::single_thread(), 1),
    }
});

/// Documents of one segment.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    segment: SegmentOrdinal,
    docs: Range<DocId>,
}

/// Segments of so many documents, divided for so many threads, the largest pieces first: one segment may hold most of an index.
fn pieces_of(segments: &[DocId], threads: usize) -> Vec<Piece> {
    let all: u64 = segments.iter().map(|docs| u64::from(*docs)).sum();
    let most = match threads {
        0 | 1 => DocId::MAX,
        threads => u32::try_from(all.div_ceil((threads * PIECES_A_THREAD) as u64)).unwrap_or(DocId::MAX),
    };
    let mut pieces = Vec::new();
    for (segment, docs) in (0..).zip(segments) {
        let parts = docs.div_ceil(most.max(LEAST_PIECE)).max(1);
        let bound = |part: u32| (u64::from(*docs) * u64::from(part) / u64::from(parts)) as DocId;
        pieces.extend((0..parts).map(|part| Piece {
            segment,
            docs: bound(part)..bound(part + 1),
        }));
    }
    pieces.sort_by_key(|piece| Reverse(piece.docs.len()));
    pieces
}

/// What a pass goes through.
pub(crate) enum Candidates<'a> {
    /// Everything.
    All,
    /// The matches of a text.
    Text(&'a TextQuery),
    /// The matches of a query of tantivy's.
    Of(Box<dyn Weight>),
}

impl Candidates<'_> {
    /// The matches of a query, with its scores or without any.
    pub(crate) fn of(query: &dyn Query, searcher: &Searcher, scored: bool) -> tantivy::Result<Self> {
        let scoring = if scored {
            EnableScoring::enabled_from_searcher(searcher)
        } else {
            EnableScoring::disabled_from_searcher(searcher)
        };
        Ok(Self::Of(query.weight(scoring)?))
    }

    /// What goes through a piece.
    fn within(&self, piece: &Piece, snapshot: &Snapshot, pass: &Pass) -> tantivy::Result<Box<dyn Matches>> {
        let reader = snapshot.searcher.segment_reader(piece.segment);
        let Range { start, end } = piece.docs;
        Ok(match self {
            Self::All => Box::new(AllOf { next: start, end }),
            Self::Text(text) => {
                let columns = &snapshot.columns[piece.segment as usize];
                Box::new(text.pass(reader, start..end, columns, &pass.counters, pass.scored)?)
            }
            Self::Of(weight) => {
                debug_assert!(start == 0 && end == reader.max_doc(), "not divided, as it has no entries");
                Box::new(ScoredBy {
                    scorer: weight.scorer(reader, 1.0)?,
                    scores: vec![1.0; if pass.scored { WINDOW as usize } else { 0 }],
                })
            }
        })
    }

    /// About how many entries of lists a pass reads.
    fn entries(&self, searcher: &Searcher) -> u64 {
        match self {
            Self::All => searcher.num_docs(),
            Self::Text(text) => text.entries(),
            Self::Of(_) => 0,
        }
    }
}

impl Snapshot {
    /// Makes a pass.
    ///
    /// # Errors
    /// There was not enough time, or the index failed.
    pub(crate) fn make(&self, candidates: &Candidates<'_>, pass: &Pass) -> Result<Vec<Found>, SearchError> {
        let alone = (Executor::single_thread(), 1);
        let (executor, threads) = if candidates.entries(&self.searcher) < SHARED_FROM {
            &alone
        } else {
            &*SHARED
        };
        let readers = self.searcher.segment_readers();
        let segments: Vec<DocId> = readers.iter().map(|reader| reader.max_doc()).collect();
        let bars = Bars::of(pass);
        let over = |piece: Piece| {
            let mut matches = candidates.within(&piece, self, pass)?;
            pass.over(piece.segment, &readers[piece.segment as usize], &mut *matches, &bars)
        };
        let found = executor.map(over, pieces_of(&segments, *threads).into_iter())?;
        if pass.expired.load(Ordering::Relaxed) {
            return Err(SearchError::TimedOut);
        }
        Ok(pass.merge(found))
    }
}

/// All documents of a piece.
struct AllOf {
    next: DocId,
    end: DocId,
}

impl Matches for AllOf {
    fn next(&mut self) -> Option<(DocId, Places)> {
        let start = self.next;
        let count = WINDOW.min(self.end - start);
        self.next += count;
        (count > 0).then(|| (start, Places::up_to(count)))
    }

    fn score(&mut self, _: u32, _: Score) -> Score {
        1.0
    }
}

/// What a scorer of tantivy's finds.
struct ScoredBy {
    scorer: Box<dyn Scorer>,
    /// By place; empty where nobody asks.
    scores: Vec<Score>,
}

impl Matches for ScoredBy {
    fn next(&mut self) -> Option<(DocId, Places)> {
        let start = self.scorer.doc();
        let mut places = Places::default();
        let mut doc = start;
        if doc == TERMINATED {
            return None;
        }
        while doc < start.saturating_add(WINDOW) && doc != TERMINATED {
            places.set(doc - start);
            if let Some(score) = self.scores.get_mut((doc - start) as usize) {
                *score = self.scorer.score();
            }
            doc = self.scorer.advance();
        }
        Some((start, places))
    }

    fn score(&mut self, place: u32, _: Score) -> Score {
        self.scores.get(place as usize).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_document_is_in_one_piece(segments in vec(0..3000_u32, 0..8), threads in 0..9_usize) {
            let mut pieces = pieces_of(&segments, threads);
            let sizes: Vec<usize> = pieces.iter().map(|piece| piece.docs.len()).collect();
            prop_assert!(sizes.is_sorted_by(|a, b| a >= b));
            let all: u32 = segments.iter().sum();
            let most = if threads > 1 { all as usize / threads + 1 } else { usize::MAX };
            prop_assert!(sizes.iter().all(|size| *size <= most.max(LEAST_PIECE as usize)));
            pieces.sort_by_key(|piece| (piece.segment, piece.docs.start));
            for (segment, docs) in (0..).zip(&segments) {
                let of_it = pieces.iter().filter(|piece| piece.segment == segment);
                let together: Vec<DocId> = of_it.flat_map(|piece| piece.docs.clone()).collect();
                prop_assert_eq!(together, (0..*docs).collect::<Vec<_>>());
            }
        }
    }
}
