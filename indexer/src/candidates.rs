//! What a pass goes through: the matches of a text, those of a query of tantivy's, or all documents.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;

use tantivy::query::{EnableScoring, Query, Scorer, Weight};
use tantivy::{DocId, Executor, Score, Searcher, SegmentReader, TERMINATED};

use crate::SearchError;
use crate::collector::{Found, Matches, Pass};
use crate::rank::TextQuery;
use crate::search::Snapshot;
use crate::window::{Places, WINDOW};

/// From how many entries of lists on a pass is shared out among threads, segment by segment. Fewer are read in less than a millisecond.
const SHARED_FROM: u64 = 50_000;

/// The threads among which long passes are shared out, as many as there are cores; alone where they cannot be started.
static SHARED: LazyLock<Executor> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, usize::from);
    let started = (threads > 1).then(|| Executor::multi_thread(threads, "search-"));
    started.and_then(Result::ok).unwrap_or_else(Executor::single_thread)
});

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

    fn in_segment(&self, snapshot: &Snapshot, ordinal: usize, pass: &Pass) -> tantivy::Result<Box<dyn Matches>> {
        let reader: &SegmentReader = &snapshot.searcher.segment_readers()[ordinal];
        Ok(match self {
            Self::All => Box::new(AllOf {
                next: 0,
                max_doc: reader.max_doc(),
            }),
            Self::Text(text) => Box::new(text.pass(reader, &snapshot.columns[ordinal], &pass.counters, pass.scored)?),
            Self::Of(weight) => Box::new(ScoredBy {
                scorer: weight.scorer(reader, 1.0)?,
                scores: vec![1.0; if pass.scored { WINDOW as usize } else { 0 }],
            }),
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
        let alone = Executor::single_thread();
        let executor = if candidates.entries(&self.searcher) < SHARED_FROM {
            &alone
        } else {
            &*SHARED
        };
        let over = |(ordinal, reader): (usize, &SegmentReader)| {
            let mut matches = candidates.in_segment(self, ordinal, pass)?;
            pass.over(ordinal as u32, reader, &mut *matches)
        };
        let found = executor.map(over, self.searcher.segment_readers().iter().enumerate())?;
        if pass.expired.load(Ordering::Relaxed) {
            return Err(SearchError::TimedOut);
        }
        Ok(pass.merge(found))
    }
}

/// All documents of a segment.
struct AllOf {
    next: DocId,
    max_doc: DocId,
}

impl Matches for AllOf {
    fn next(&mut self) -> Option<(DocId, Places)> {
        let start = self.next;
        let count = WINDOW.min(self.max_doc - start);
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
