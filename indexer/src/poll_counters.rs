//! Keeping the counters in memory in step with the database: a keyset walk over `(counts_changed_at, id)`.
//!
//! The time is that of the statement, and its transaction commits later. So besides what is new, a span of the past is read again every
//! few seconds, and a longer one every minute, for as long as changes younger than that span may still appear. What commits later still
//! is found by the nightly comparison, which reads everything.
//!
//! Trending scores come along: a new generation is one row that differs.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use store::counters::changed_since;
use store::trending::{self, Span};
use store::{Db, StoreError, WorkflowId};

use crate::counters::Watermark;
use crate::{Index, IndexError};

/// Rows read at a time.
const PAGE: u32 = 5000;

/// How often how much of the past is read again.
const OVERLAPS: [Overlap; 2] = [
    Overlap {
        every: Duration::from_secs(2),
        span: TimeDelta::seconds(10),
    },
    Overlap {
        every: Duration::from_secs(60),
        span: TimeDelta::minutes(10),
    },
];

struct Overlap {
    every: Duration,
    span: TimeDelta,
}

/// Polls counters into an index's memory.
#[derive(Clone, Debug)]
pub struct CounterPoller {
    index: Index,
    db: Db,
    /// When each overlap was last read.
    overlapped_at: [Option<Instant>; OVERLAPS.len()],
    /// When the watermark last moved.
    moved_at: Option<Instant>,
}

impl CounterPoller {
    /// A poller for this index.
    pub fn new(index: Index, db: Db) -> Self {
        Self {
            index,
            db,
            overlapped_at: [None; OVERLAPS.len()],
            moved_at: None,
        }
    }

    /// Takes over what changed. Returns how many workflows' counters differ from before.
    ///
    /// # Errors
    /// The database refused.
    pub async fn step(&mut self, now: Instant) -> Result<usize, IndexError> {
        let before = self.index.counters().watermark();
        let from = self.start(before, now);
        let changed = self.read_from(from).await? + self.read_trending().await?;
        if self.index.counters().watermark() != before || self.moved_at.is_none() {
            self.moved_at = Some(now);
        }
        Ok(changed)
    }

    /// Reads everything, whatever is known.
    ///
    /// # Errors
    /// The database refused.
    pub async fn read_all(&mut self) -> Result<usize, IndexError> {
        self.read_from(Watermark::default()).await
    }

    /// Where to read from: the watermark, or a span before it that is due.
    fn start(&mut self, watermark: Watermark, now: Instant) -> Watermark {
        let mut start = watermark;
        for (overlap, read_at) in OVERLAPS.iter().zip(&mut self.overlapped_at) {
            let still_open = self
                .moved_at
                .is_none_or(|moved| now.duration_since(moved) <= overlap.span.to_std().unwrap_or_default() + overlap.every);
            let due = read_at.is_none_or(|read| now.duration_since(read) >= overlap.every);
            if still_open && due {
                *read_at = Some(now);
                start = Watermark {
                    changed_at: watermark
                        .changed_at
                        .checked_sub_signed(overlap.span)
                        .unwrap_or(watermark.changed_at),
                    id: WorkflowId(0),
                };
            }
        }
        // Not before what any TIMESTAMP can be.
        if start.changed_at < Watermark::default().changed_at {
            Watermark::default()
        } else {
            start
        }
    }

    /// Takes over the scores of a generation of what trends that is new. One look at one row otherwise.
    async fn read_trending(&self) -> Result<usize, IndexError> {
        let mut db = self.db.acquire().await.map_err(StoreError::from)?;
        let counters = self.index.counters();
        let Some(generation) = trending::current(&mut db).await? else {
            return Ok(0);
        };
        if counters.generation() == Some(generation) {
            return Ok(0);
        }
        let scores = trending::scores(&mut db, generation.id, Span::Week).await?;
        Ok(counters.apply_trending(generation, &scores))
    }

    async fn read_from(&self, from: Watermark) -> Result<usize, IndexError> {
        let mut db = self.db.acquire().await.map_err(StoreError::from)?;
        let mut at = from;
        let mut changed = 0;
        loop {
            let rows = changed_since(&mut db, at.changed_at, at.id, PAGE).await?;
            changed += self.index.counters().apply(&rows);
            let Some(last) = rows.last() else {
                return Ok(changed);
            };
            at = Watermark {
                changed_at: last.changed_at,
                id: last.id,
            };
            self.index.counters().set_watermark(at);
            if rows.len() < PAGE as usize {
                return Ok(changed);
            }
        }
    }
}
