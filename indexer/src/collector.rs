//! Hits, exact totals and the counts of every facet in one pass over the matching documents ("drill sideways"), for one question or for
//! all questions of one page at once.
//!
//! A value's count answers "how many hits would there be, had I chosen among this control's values this one": what was chosen with the
//! control itself must not narrow its counts, all else must. So of each window of documents it is computed which pass each group of
//! conditions; each question has a mask of the groups that it needs. A document that passes all of them is a hit and counts everywhere;
//! one that fails only what one control asks counts for that control alone. Everything is decided on numbers in memory; strings are met
//! at the very end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use tantivy::columnar::Column;
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use crate::columns::SegmentColumns;
use crate::counters::CountersView;
use crate::facet::Facet;
use crate::filter::Control;
use crate::mixing::TempoNear;
use crate::number::Number;
use crate::predicate::{Check, NumberColumn, Predicate};
use crate::rank::step_of;
use crate::request::Sort;
use crate::response::NumberCounts;
use crate::spread::Spread;
use crate::values::ValueId;
use crate::window::{Places, WINDOW};

/// Most different predicates of one pass: bits of a mask.
pub(crate) const MAX_PREDICATES: usize = 64;

/// Bit of a sort key that is set where a tempo is near as it is, neither halved nor doubled.
const DIRECT_TEMPO: u128 = 1 << 127;

/// Lowest bit of a sort key for how few words are missing, above what sorts by itself.
const STEP_BIT: u32 = 64;

/// One pass, ready to be made.
pub(crate) struct Pass {
    pub(crate) columns: Vec<Arc<SegmentColumns>>,
    pub(crate) counters: CountersView,
    /// Different predicates of all questions, at most [`MAX_PREDICATES`].
    pub(crate) predicates: Vec<Predicate>,
    pub(crate) questions: Vec<Question>,
    /// Whether scores order the hits of some question: relevance, and there is a text.
    pub(crate) scored: bool,
    /// Seconds since 1970; what is to be visible later is left out.
    pub(crate) now: i64,
    pub(crate) deadline: Option<Instant>,
    /// Set once the deadline has passed: what was found is incomplete.
    pub(crate) expired: Arc<AtomicBool>,
}

/// One question of a pass.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Predicates that a hit passes, as bits.
    pub(crate) needs: u64,
    /// Those that were set with each control.
    pub(crate) controls: Vec<(Control, u64)>,
    /// Facets to be counted.
    pub(crate) facets: Vec<Facet>,
    /// Numbers whose spread is to be counted.
    pub(crate) numbers: Vec<Number>,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    /// Key and id of the last hit of the page before.
    pub(crate) after: Option<(u128, u64)>,
}

/// What orders hits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) sort: Sort,
    pub(crate) seed: u64,
    pub(crate) tempo: Option<TempoNear>,
    /// Whether relevance means scores; it means the newest where there is no text.
    pub(crate) scored: bool,
    /// Whether scores tell how many words are missing.
    pub(crate) stepped: bool,
}

/// What one pass finds for one question.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) total: u64,
    /// In order, at most `limit`.
    pub(crate) top: Vec<Ranked>,
    /// Whether there are more after them.
    pub(crate) more: bool,
    /// Counts by facet as asked for, and by number of the value.
    pub(crate) counts: Vec<Vec<u32>>,
    pub(crate) numbers: Vec<NumberCounts>,
}

/// A hit in its place: higher keys first, then higher ids.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) key: u128,
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

/// What goes through documents of a segment in their order, window by window.
pub(crate) trait Matches {
    /// The first document of the next window, and the places in it of those that match, perhaps of none. None after the last window.
    fn next(&mut self) -> Option<(DocId, Places)>;

    /// Those of a window's matches whose score may be `least` or more, seen from afar.
    fn promising(&self, places: &Places, _least: Score) -> Places {
        *places
    }

    /// Score of the match at a place of the window; or any number below `least` if it is below that. Asked for places in their order.
    fn score(&mut self, place: u32, least: Score) -> Score;
}

/// By question, the score below which no hit is shown: pieces that have found enough raise it for all others.
pub(crate) struct Bars(Vec<AtomicU32>);

impl Bars {
    pub(crate) fn of(pass: &Pass) -> Self {
        Self(pass.questions.iter().map(|_| AtomicU32::new(0)).collect())
    }
}

impl Pass {
    /// Makes the pass over what is gone through of one segment. It ends early, and says so in `expired`, when there is no time left.
    pub(crate) fn over(
        &self,
        ordinal: SegmentOrdinal,
        reader: &SegmentReader,
        matches: &mut dyn Matches,
        bars: &Bars,
    ) -> tantivy::Result<Vec<PieceFound>> {
        let fast = reader.fast_fields();
        let visible_from = fast.i64("visible_from")?;
        // Most segments hold nothing that waits for its time.
        let visible_from = Some(visible_from).filter(|column| column.max_value() > self.now);
        let checks = self.predicates.iter().map(|predicate| Check::of(predicate, reader));
        let checks: Vec<Check> = checks.collect::<tantivy::Result<_>>()?;
        let tallies = self.questions.iter().map(|question| Tally::of(question, reader));
        let mut tallies: Vec<Tally> = tallies.collect::<tantivy::Result<_>>()?;
        let segment = Segment {
            ordinal,
            columns: &self.columns[ordinal as usize],
            counters: &self.counters,
            ids: fast.u64("id")?,
        };
        let mut passing = Vec::with_capacity(checks.len());
        let mut scores = Scores::new(&tallies);
        while let Some((start, mut places)) = matches.next() {
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.expired.store(true, Ordering::Relaxed);
                break;
            }
            if let Some(alive) = reader.alive_bitset() {
                places.retain(start, |doc| alive.is_alive(doc));
            }
            if let Some(visible_from) = &visible_from {
                places.retain(start, |doc| visible_from.first(doc).is_none_or(|from| from <= self.now));
            }
            if places.is_empty() {
                continue;
            }
            passing.clear();
            passing.extend(
                checks
                    .iter()
                    .map(|check| check.kept(&places, start, segment.columns, &self.counters)),
            );
            scores.begin(&places, matches);
            for (tally, bar) in tallies.iter_mut().zip(&bars.0) {
                tally.bar = Score::from_bits(bar.load(Ordering::Relaxed));
                tally.window(start, &places, &passing, &segment, &scores, matches);
                bar.fetch_max(tally.last().to_bits(), Ordering::Relaxed);
            }
        }
        Ok(tallies.into_iter().map(Tally::into_found).collect())
    }

    /// Puts together what was found in all pieces.
    pub(crate) fn merge(&self, pieces: Vec<Vec<PieceFound>>) -> Vec<Found> {
        let mut merged: Vec<Merged> = self.questions.iter().map(Merged::of).collect();
        for piece in pieces {
            for (merged, found) in merged.iter_mut().zip(piece) {
                merged.add(found);
            }
        }
        let merged = merged.into_iter().zip(&self.questions);
        merged.map(|(merged, question)| merged.found(question)).collect()
    }
}

/// Scores of a window. Each match is scored when it is asked about, unless several questions may ask: matches are scored in their order.
struct Scores {
    /// By place, where several may ask.
    kept: Vec<Score>,
}

impl Scores {
    fn new(tallies: &[Tally]) -> Self {
        let asking = tallies.iter().filter(|tally| tally.wants_scores()).count();
        Self {
            kept: vec![0.0; if asking > 1 { WINDOW as usize } else { 0 }],
        }
    }

    fn begin(&mut self, places: &Places, matches: &mut dyn Matches) {
        if !self.kept.is_empty() {
            places.each(|place| self.kept[place as usize] = matches.score(place, 0.0));
        }
    }

    fn promising(&self, places: &Places, least: Score, matches: &dyn Matches) -> Places {
        if self.kept.is_empty() {
            matches.promising(places, least)
        } else {
            *places
        }
    }

    fn of(&self, place: u32, least: Score, matches: &mut dyn Matches) -> Score {
        match self.kept.get(place as usize) {
            Some(score) => *score,
            None => matches.score(place, least),
        }
    }
}

/// What the pieces so far have found for one question.
struct Merged {
    total: u64,
    eligible: u64,
    top: Vec<Ranked>,
    counts: Vec<Vec<u32>>,
    spreads: Vec<Spread>,
}

impl Merged {
    fn of(question: &Question) -> Self {
        Self {
            total: 0,
            eligible: 0,
            top: Vec::new(),
            counts: vec![Vec::new(); question.facets.len()],
            spreads: question.numbers.iter().map(|number| Spread::of(*number)).collect(),
        }
    }

    fn add(&mut self, found: PieceFound) {
        self.total += found.total;
        self.eligible += found.eligible;
        self.top.extend(found.top);
        for (sums, counts) in self.counts.iter_mut().zip(found.counts) {
            if counts.len() > sums.len() {
                sums.resize(counts.len(), 0);
            }
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        for (sum, spread) in self.spreads.iter_mut().zip(&found.spreads) {
            sum.add(spread);
        }
    }

    fn found(mut self, question: &Question) -> Found {
        self.top.sort_unstable_by_key(|hit| Reverse(*hit));
        self.top.truncate(question.limit);
        Found {
            total: self.total,
            more: self.eligible > self.top.len() as u64,
            top: self.top,
            counts: self.counts,
            numbers: self.spreads.into_iter().map(Spread::into_counts).collect(),
        }
    }
}

/// What the pass over one piece found for one question.
pub(crate) struct PieceFound {
    total: u64,
    eligible: u64,
    top: Vec<Ranked>,
    counts: Vec<Vec<u32>>,
    spreads: Vec<Spread>,
}

/// The segment that a pass is at.
struct Segment<'a> {
    ordinal: SegmentOrdinal,
    columns: &'a SegmentColumns,
    counters: &'a CountersView,
    ids: Column<u64>,
}

/// What one question counts in one piece.
struct Tally {
    needs: u64,
    facets: Vec<FacetTally>,
    spreads: Vec<(NumberColumn, Spread)>,
    /// Bits of the predicates that were set with one control, and which facets and numbers that shows.
    controls: Vec<(u64, Vec<usize>, Vec<usize>)>,
    order: Order,
    limit: usize,
    after: Option<(u128, u64)>,
    total: u64,
    /// Hits after the cursor.
    eligible: u64,
    /// What other pieces say is the least score to be shown.
    bar: Score,
    top: BinaryHeap<Reverse<Ranked>>,
}

/// Counts of one facet's values in one piece.
struct FacetTally {
    facet: usize,
    /// By number of the value.
    counts: Vec<u32>,
}

impl FacetTally {
    fn count(&mut self, start: DocId, places: &Places, columns: &SegmentColumns) {
        columns.values[self.facet].each(start, places, |value| self.count_value(value));
    }

    #[inline]
    fn count_value(&mut self, value: ValueId) {
        let value = value as usize;
        if value >= self.counts.len() {
            self.counts.resize((value + 1).next_power_of_two(), 0);
        }
        self.counts[value] += 1;
    }
}

impl Tally {
    fn of(question: &Question, reader: &SegmentReader) -> tantivy::Result<Self> {
        let mut spreads = Vec::new();
        for number in &question.numbers {
            spreads.push((NumberColumn::of(*number, reader)?, Spread::of(*number)));
        }
        let positions_of = |control: Control| {
            let facets = question.facets.iter().enumerate();
            let numbers = question.numbers.iter().enumerate();
            let shown = facets.filter(|(_, facet)| Control::Facet(facet.family()) == control);
            let spread = numbers.filter(|(_, number)| Control::Number(**number) == control);
            (shown.map(|(at, _)| at).collect(), spread.map(|(at, _)| at).collect())
        };
        let controls = question.controls.iter().map(|(control, bits)| {
            let (facets, numbers) = positions_of(*control);
            (*bits, facets, numbers)
        });
        let counted = |(_, facets, numbers): &(u64, Vec<usize>, Vec<usize>)| !facets.is_empty() || !numbers.is_empty();
        Ok(Self {
            needs: question.needs,
            facets: question
                .facets
                .iter()
                .map(|facet| FacetTally {
                    facet: facet.number(),
                    counts: Vec::new(),
                })
                .collect(),
            spreads,
            controls: controls.filter(counted).collect(),
            order: question.order,
            limit: question.limit,
            after: question.after,
            total: 0,
            eligible: 0,
            bar: 0.0,
            top: BinaryHeap::with_capacity(question.limit.min(1024) + 1),
        })
    }

    /// Whether it asks for scores at all.
    fn wants_scores(&self) -> bool {
        (self.order.scored || self.order.stepped) && (self.limit > 0 || self.after.is_some())
    }

    /// Counts a window: what passes all that is needed, and beside it what fails only what was set with one control, in what that
    /// control shows. `passing` are the places that pass each predicate.
    fn window(
        &mut self,
        start: DocId,
        places: &Places,
        passing: &[Places],
        segment: &Segment<'_>,
        scores: &Scores,
        matches: &mut dyn Matches,
    ) {
        let that_pass = |bits: u64| {
            let mut kept = *places;
            for (bit, passing) in passing.iter().enumerate() {
                if bits & (1 << bit) != 0 {
                    kept.keep(passing);
                }
            }
            kept
        };
        let hits = that_pass(self.needs);
        for (bits, facets, numbers) in &self.controls {
            let mut beside = that_pass(self.needs & !bits);
            beside.remove(&hits);
            for facet in facets {
                self.facets[*facet].count(start, &beside, segment.columns);
            }
            for number in numbers {
                let (column, spread) = &mut self.spreads[*number];
                beside.each(|place| spread.count(column.get(start + place, segment.columns, segment.counters)));
            }
        }
        self.total += u64::from(hits.count());
        for facet in &mut self.facets {
            facet.count(start, &hits, segment.columns);
        }
        for (column, spread) in &mut self.spreads {
            hits.each(|place| spread.count(column.get(start + place, segment.columns, segment.counters)));
        }
        if self.limit == 0 && self.after.is_none() {
            self.eligible += u64::from(hits.count());
        } else if self.wants_scores() {
            let promising = scores.promising(&hits, self.least(), matches);
            self.eligible += u64::from(hits.count() - promising.count());
            promising.each(|place| {
                let least = self.least();
                let score = scores.of(place, least, matches);
                if score < least {
                    self.eligible += 1;
                } else {
                    self.rank(start + place, score, segment);
                }
            });
        } else {
            hits.each(|place| self.rank(start + place, 1.0, segment));
        }
    }

    /// The score of the last hit of a full page; 0 while there is room, and where hits are not ordered by their scores alone.
    fn last(&self) -> Score {
        let by_score_alone = self.order.sort == Sort::Relevance && self.order.scored && !self.order.doubles_tempo();
        let last = self.top.peek().filter(|_| by_score_alone && self.top.len() >= self.limit);
        last.map_or(0.0, |last| last.0.score)
    }

    /// The least score with which a hit is not behind all that is kept and all of the pages before.
    fn least(&self) -> Score {
        let least = self.last().max(self.bar);
        match self.after {
            // The lower half of a key by score is the score.
            Some((key, _)) => least.min(Score::from_bits(key as u32)),
            None => least,
        }
    }

    /// Puts a hit into its place, if it belongs to those that are kept.
    fn rank(&mut self, doc: DocId, score: Score, segment: &Segment<'_>) {
        let key = self.order.key(doc, score, segment);
        // Most documents lie behind the last one kept; only where keys are equal do ids decide.
        let behind = self.top.len() >= self.limit && self.top.peek().is_none_or(|last| key < last.0.key);
        if behind && self.after.is_none_or(|(after, _)| key < after) {
            self.eligible += 1;
            return;
        }
        let id = segment.ids.first(doc).unwrap_or(0);
        if self.after.is_some_and(|after| (key, id) >= after) {
            return;
        }
        self.eligible += 1;
        let hit = Ranked {
            key,
            id,
            score,
            address: DocAddress::new(segment.ordinal, doc),
        };
        if self.top.len() < self.limit {
            self.top.push(Reverse(hit));
        } else if let Some(mut last) = self.top.peek_mut()
            && hit > last.0
        {
            *last = Reverse(hit);
        }
    }

    fn into_found(self) -> PieceFound {
        PieceFound {
            total: self.total,
            eligible: self.eligible,
            top: self.top.into_iter().map(|Reverse(hit)| hit).collect(),
            counts: self.facets.into_iter().map(|tally| tally.counts).collect(),
            spreads: self.spreads.into_iter().map(|(_, spread)| spread).collect(),
        }
    }
}

impl Order {
    /// Whether hits at half and double the tempo come after those at the tempo.
    fn doubles_tempo(&self) -> bool {
        self.tempo.is_some_and(|near| near.half_and_double)
    }

    /// A number that is higher the further ahead the document belongs. Floats that are not negative order as their bits do.
    fn key(&self, doc: DocId, score: Score, segment: &Segment<'_>) -> u128 {
        let counts = || segment.counters.get(segment.columns.slots[doc as usize]);
        let bpm = || segment.columns.bpm(doc);
        let ascending = |number: f64| u64::MAX - number.max(0.0).to_bits();
        let key = match self.sort {
            Sort::Relevance if self.scored => u64::from(score.max(0.0).to_bits()),
            Sort::Relevance | Sort::Newest => segment.columns.listed_at[doc as usize].cast_unsigned() ^ (1 << 63),
            Sort::Downloads => u64::from(counts().downloads),
            Sort::Likes => u64::from(counts().likes),
            Sort::Trending => u64::from(counts().trending.max(0.0).to_bits()),
            Sort::Rating => u64::from(counts().rating_score(segment.counters.overall_mean).max(0.0).to_bits()),
            Sort::Bpm => bpm().map_or(0, ascending),
            Sort::BpmDistance => match (bpm(), &self.tempo) {
                (Some(bpm), Some(near)) => ascending(near.distance(bpm)),
                _ => 0,
            },
            Sort::Random => mixed(segment.ids.first(doc).unwrap_or(0) ^ self.seed),
        };
        let is_direct = match &self.tempo {
            Some(near) if near.half_and_double => bpm().is_some_and(|bpm| near.is_direct(bpm)),
            _ => false,
        };
        let step = if self.stepped {
            u128::from(step_of(score)) << STEP_BIT
        } else {
            0
        };
        u128::from(key) | step | if is_direct { DIRECT_TEMPO } else { 0 }
    }
}

/// A number that looks random and is always the same for the same one, and another one for every other: the finaliser of SplitMix64
/// (Steele, Lea and Flood 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
