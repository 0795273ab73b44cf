//! Counters in memory, by workflow: likes, downloads and ratings move all the time and never cause a commit of the index.
//!
//! Each workflow has a slot for as long as the process lives; segments of the index map their documents to slots once. Slots lie in
//! pages behind `Arc`s, so that a search works on an unchanging view while the next one may already see newer numbers.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::WorkflowId;
use store::counters::CounterRow;
use store::trending::Generation;

use crate::document::fnv1a;

/// Slots of one page: small enough to copy when one changes, large enough that a million workflows are a short list of pages.
const PAGE: usize = 1024;

/// First bytes of the file in which counters are kept; the last is its version.
const MAGIC: &[u8; 8] = b"ckcount2";

/// Bytes of one workflow in the file.
const RECORD: usize = 8 + 6 * 4;

/// Place of a workflow's counters in memory.
pub(crate) type Slot = u32;

/// Counters of one workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Downloads.
    pub downloads: u32,
    /// Likes.
    pub likes: u32,
    /// Comments.
    pub comments: u32,
    /// Ratings.
    pub ratings: u32,
    /// Mean of the ratings, 1 to 5; 0 without any.
    pub average_rating: f32,
    /// How much it trends: its score of the week in the current generation; 0 for what does not.
    #[serde(default)]
    pub trending: f32,
}

/// How many ratings of the overall mean every workflow is given beside its own. Five: one vote of 5 stars among means of 3.5 counts
/// 3.75, and twenty of them 4.7.
const PRIOR_RATINGS: f32 = 5.0;

impl Counts {
    /// The mean rating, shrunk towards the mean of all ratings, so that a single vote of 5 stars does not win:
    /// `(n·mean + 5·overall) / (n + 5)`, the mean that would result if everybody's rack had five average ratings besides its own.
    pub fn rating_score(&self, overall_mean: f32) -> f32 {
        let own = self.ratings as f32;
        (own * self.average_rating + PRIOR_RATINGS * overall_mean) / (own + PRIOR_RATINGS)
    }

    /// How much it is liked, in likes. A download says less than a like. What trends now counts as if more had liked it, by the weight
    /// that a like has there (2), so that what is new can come up among equals although nobody had years to like it.
    pub(crate) fn liked(&self) -> f32 {
        self.likes as f32 + self.downloads as f32 / 10.0 + self.trending.max(0.0) / 2.0
    }
}

/// Where reading changed counters goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Time of the last change read.
    pub changed_at: DateTime<Utc>,
    /// Workflow of that change.
    pub id: WorkflowId,
}

impl Default for Watermark {
    /// Before every change. The second day of 1970, since MySQL's TIMESTAMP starts in the first second of the epoch in whatever zone.
    fn default() -> Self {
        Self {
            changed_at: DateTime::from_timestamp(86_400, 0).unwrap_or_default(),
            id: WorkflowId(0),
        }
    }
}

/// The counters of all workflows.
#[derive(Debug, Default)]
pub struct Counters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    slots: HashMap<u64, Slot>,
    ids: Vec<u64>,
    pages: Vec<Arc<Page>>,
    /// Sum of all ratings and their number.
    stars: f64,
    ratings: u64,
    watermark: Watermark,
    /// The generation that the trending scores are of; none of this process' yet.
    generation: Option<Generation>,
    /// Whether anything changed since it was last saved.
    unsaved: bool,
}

/// Counters of neighbouring slots.
#[derive(Clone, Debug)]
struct Page {
    counts: [Counts; PAGE],
    /// How much each is liked, see [`Counts::liked`]: what a search asks of every match stands close together.
    liked: [f32; PAGE],
}

impl Default for Page {
    fn default() -> Self {
        Self {
            counts: [Counts::default(); PAGE],
            liked: [0.0; PAGE],
        }
    }
}

/// The counters as they were at one moment.
#[derive(Clone, Debug)]
pub(crate) struct CountersView {
    pages: Vec<Arc<Page>>,
    pub(crate) overall_mean: f32,
}

impl CountersView {
    pub(crate) fn get(&self, slot: Slot) -> Counts {
        let slot = slot as usize;
        let page = self.pages.get(slot / PAGE);
        page.map(|page| page.counts[slot % PAGE]).unwrap_or_default()
    }

    /// How much a workflow is liked, see [`Counts::liked`].
    #[inline]
    pub(crate) fn liked(&self, slot: Slot) -> f32 {
        let slot = slot as usize;
        self.pages.get(slot / PAGE).map_or(0.0, |page| page.liked[slot % PAGE])
    }
}

impl Counters {
    /// Slots of workflows; those that have none get one.
    pub(crate) fn slots(&self, ids: impl Iterator<Item = u64>) -> Vec<Slot> {
        let mut inner = self.lock();
        ids.map(|id| inner.slot(id)).collect()
    }

    /// The counters as they are now.
    pub(crate) fn view(&self) -> CountersView {
        let inner = self.lock();
        CountersView {
            pages: inner.pages.clone(),
            overall_mean: if inner.ratings == 0 {
                0.0
            } else {
                (inner.stars / inner.ratings as f64) as f32
            },
        }
    }

    /// Counters of one workflow; zeros if it is unknown.
    pub fn get(&self, id: WorkflowId) -> Counts {
        self.lock().get(id.0)
    }

    /// The generation that the trending scores are of; none before the first that this process has read.
    pub fn generation(&self) -> Option<Generation> {
        self.lock().generation
    }

    /// Takes over all trending scores of a generation: what is not among them has 0. Returns how many differ from before.
    pub fn apply_trending(&self, generation: Generation, scores: &[(WorkflowId, f64)]) -> usize {
        let mut inner = self.lock();
        let mut wanted: HashMap<u64, f32> = scores.iter().map(|(id, score)| (id.0, *score as f32)).collect();
        let mut changed = 0;
        for at in 0..inner.ids.len() {
            let id = inner.ids[at];
            let trending = wanted.remove(&id).unwrap_or_default();
            let counts = inner.get(id);
            changed += usize::from(inner.set(id, Counts { trending, ..counts }));
        }
        for (id, trending) in wanted {
            let counts = inner.get(id);
            changed += usize::from(inner.set(id, Counts { trending, ..counts }));
        }
        inner.generation = Some(generation);
        inner.unsaved |= changed > 0;
        changed
    }

    /// Takes over what was read. Returns how many workflows' counters differ from before.
    pub fn apply(&self, rows: &[CounterRow]) -> usize {
        let mut inner = self.lock();
        let mut changed = 0;
        for row in rows {
            let counts = Counts {
                downloads: row.downloads,
                likes: row.likes,
                comments: row.comments,
                ratings: row.ratings,
                average_rating: row.average_rating,
                trending: inner.get(row.id.0).trending,
            };
            changed += usize::from(inner.set(row.id.0, counts));
        }
        inner.unsaved |= changed > 0;
        changed
    }

    /// Where reading goes on.
    pub fn watermark(&self) -> Watermark {
        self.lock().watermark
    }

    /// Notes how far was read; never back.
    pub fn set_watermark(&self, watermark: Watermark) {
        let mut inner = self.lock();
        let key = |mark: &Watermark| (mark.changed_at, mark.id);
        if key(&watermark) > key(&inner.watermark) {
            inner.watermark = watermark;
            inner.unsaved = true;
        }
    }

    /// Writes everything to a file, unless nothing changed since it was last written. The file is replaced as a whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<bool> {
        let bytes = {
            let mut inner = self.lock();
            if !inner.unsaved {
                return Ok(false);
            }
            inner.unsaved = false;
            inner.to_bytes()
        };
        let written = crate::folder::replace_file(path, &bytes);
        if written.is_err() {
            self.lock().unsaved = true;
        }
        written.map(|()| true)
    }

    /// Reads what [`Counters::save`] wrote. A file that is absent or damaged reads as nothing: counters come back from the database.
    pub fn load(path: &Path) -> Self {
        let inner = std::fs::read(path).ok().and_then(|bytes| Inner::from_bytes(&bytes));
        Self {
            inner: Mutex::new(inner.unwrap_or_default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn get(&self, id: u64) -> Counts {
        match self.slots.get(&id) {
            Some(slot) => self.pages[*slot as usize / PAGE].counts[*slot as usize % PAGE],
            None => Counts::default(),
        }
    }

    fn slot(&mut self, id: u64) -> Slot {
        if let Some(slot) = self.slots.get(&id) {
            return *slot;
        }
        let slot = self.ids.len();
        if slot.is_multiple_of(PAGE) {
            self.pages.push(Arc::default());
        }
        self.ids.push(id);
        // More than 4 billion workflows do not fit any machine that this runs on.
        let slot = Slot::try_from(slot).unwrap_or(Slot::MAX);
        self.slots.insert(id, slot);
        slot
    }

    fn set(&mut self, id: u64, counts: Counts) -> bool {
        let slot = self.slot(id) as usize;
        let before = self.pages[slot / PAGE].counts[slot % PAGE];
        if before == counts {
            return false;
        }
        let stars = |counts: &Counts| f64::from(counts.average_rating) * f64::from(counts.ratings);
        self.stars += stars(&counts) - stars(&before);
        self.ratings = (self.ratings + u64::from(counts.ratings)).saturating_sub(u64::from(before.ratings));
        let page = Arc::make_mut(&mut self.pages[slot / PAGE]);
        page.counts[slot % PAGE] = counts;
        page.liked[slot % PAGE] = counts.liked();
        true
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAGIC.len() + 24 + self.ids.len() * RECORD + 8);
        bytes.extend(MAGIC);
        bytes.extend(self.watermark.changed_at.timestamp_micros().to_le_bytes());
        bytes.extend(self.watermark.id.0.to_le_bytes());
        for (slot, id) in self.ids.iter().enumerate() {
            let counts = &self.pages[slot / PAGE].counts[slot % PAGE];
            bytes.extend(id.to_le_bytes());
            for number in [counts.downloads, counts.likes, counts.comments, counts.ratings] {
                bytes.extend(number.to_le_bytes());
            }
            bytes.extend(counts.average_rating.to_le_bytes());
            bytes.extend(counts.trending.to_le_bytes());
        }
        let hash = fnv1a(&bytes);
        bytes.extend(hash.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, hash) = bytes.split_last_chunk::<8>()?;
        if fnv1a(body) != u64::from_le_bytes(*hash) {
            return None;
        }
        let rest = body.strip_prefix(MAGIC)?;
        let (changed_at, rest) = rest.split_first_chunk::<8>()?;
        let (id, records) = rest.split_first_chunk::<8>()?;
        let mut inner = Self {
            watermark: Watermark {
                changed_at: DateTime::from_timestamp_micros(i64::from_le_bytes(*changed_at))?,
                id: WorkflowId(u64::from_le_bytes(*id)),
            },
            ..Self::default()
        };
        for record in records.chunks_exact(RECORD) {
            let (id, numbers) = record.split_first_chunk::<8>()?;
            let number = |at: usize| -> Option<[u8; 4]> { numbers.get(at * 4..at * 4 + 4)?.try_into().ok() };
            let counts = Counts {
                downloads: u32::from_le_bytes(number(0)?),
                likes: u32::from_le_bytes(number(1)?),
                comments: u32::from_le_bytes(number(2)?),
                ratings: u32::from_le_bytes(number(3)?),
                average_rating: f32::from_le_bytes(number(4)?),
                trending: f32::from_le_bytes(number(5)?),
            };
            inner.set(u64::from_le_bytes(*id), counts);
        }
        Some(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, likes: u32) -> CounterRow {
        CounterRow {
            id: WorkflowId(id),
            downloads: 2 * likes,
            likes,
            comments: 1,
            ratings: 4,
            average_rating: 3.5,
            changed_at: DateTime::default(),
        }
    }

    #[test]
    fn counters_survive_being_saved_and_a_damaged_file_reads_as_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("counters");
        let counters = Counters::default();
        let rows: Vec<_> = (1..3000).map(|id| row(id, id as u32)).collect();
        assert_eq!(counters.apply(&rows), rows.len());
        assert_eq!(counters.apply(&rows), 0);
        let watermark = Watermark {
            changed_at: DateTime::from_timestamp(1_700_000_000, 123_000).expect("a time"),
            id: WorkflowId(7),
        };
        counters.set_watermark(watermark);
        assert!(counters.save(&path).expect("saved"));
        assert!(!counters.save(&path).expect("nothing new"));

        let loaded = Counters::load(&path);
        assert_eq!(loaded.get(WorkflowId(2999)).likes, 2999);
        assert_eq!(loaded.watermark(), watermark);
        assert!((loaded.view().overall_mean - 3.5).abs() < 1e-6);

        let mut bytes = std::fs::read(&path).expect("read");
        bytes[100] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(Counters::load(&path).get(WorkflowId(2999)), Counts::default());
    }

    #[test]
    fn a_generation_of_trending_scores_replaces_the_one_before_and_counters_leave_it_alone() {
        let counters = Counters::default();
        let generation = |id| Generation {
            id,
            as_of: DateTime::default(),
        };
        counters.apply(&[row(1, 5)]);
        assert_eq!(
            counters.apply_trending(generation(1), &[(WorkflowId(1), 2.5), (WorkflowId(7), 1.5)]),
            2
        );
        counters.apply(&[row(1, 6)]);
        assert_eq!(
            (counters.get(WorkflowId(1)).likes, counters.get(WorkflowId(1)).trending),
            (6, 2.5)
        );
        assert_eq!(counters.apply_trending(generation(2), &[(WorkflowId(7), 1.5)]), 1);
        assert_eq!(counters.get(WorkflowId(1)).trending, 0.0);
        assert_eq!(counters.generation(), Some(generation(2)));

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("counters");
        counters.save(&path).expect("saved");
        let loaded = Counters::load(&path);
        assert_eq!(loaded.get(WorkflowId(7)).trending, 1.5, "search starts with MySQL down");
        assert_eq!(loaded.generation(), None);
    }

    #[test]
    fn a_view_does_not_change_while_it_is_held() {
        let counters = Counters::default();
        counters.apply(&[row(1, 5)]);
        let slot = counters.slots([1].into_iter())[0];
        let view = counters.view();
        counters.apply(&[row(1, 6)]);
        assert_eq!(view.get(slot).likes, 5);
        assert_eq!(counters.view().get(slot).likes, 6);
    }

    #[test]
    fn one_vote_of_five_stars_does_not_win_against_twenty_of_nearly_five() {
        let one = Counts {
            ratings: 1,
            average_rating: 5.0,
            ..Counts::default()
        };
        let twenty = Counts {
            ratings: 20,
            average_rating: 4.8,
            ..Counts::default()
        };
        assert!(twenty.rating_score(3.5) > one.rating_score(3.5));
        assert!((Counts::default().rating_score(3.5) - 3.5).abs() < 1e-6);
    }
}
