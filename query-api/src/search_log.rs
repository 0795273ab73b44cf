//! Notes of what was searched and of what was done with the hits, for reports.
//!
//! An answer never waits for its note and never fails because of it: notes go into a bounded channel, from which one task writes them
//! in batches ([`SearchLog::write_until`]). When the channel is full, or the database away for too long, they are dropped and counted
//! (`cookbook_search_log_dropped_total`).
//!
//! Little is kept, and nothing that names anybody: of a text typed letter by letter only its last state ([`typing`]), no address, and no
//! word that looks like one.

mod searcher;
mod typing;
mod words;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use config::SearchLogSettings;
use indexer::SearchRequest;
use metrics::counter;
use store::search_log::{QueryId, Search, SearchEvent, Source};
use tokio::sync::mpsc;

use self::searcher::DailyKey;
pub(crate) use self::searcher::Searcher;

/// Counter of notes that were dropped, by reason.
const DROPPED: &str = "cookbook_search_log_dropped_total";

/// Takes notes. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SearchLog {
    notes: mpsc::Sender<Note>,
    /// For the task that writes them.
    taken: Arc<Mutex<Option<mpsc::Receiver<Note>>>>,
    key: Arc<DailyKey>,
    settle: Duration,
    room: usize,
}

/// What is noted.
#[derive(Debug)]
enum Note {
    Search(Noted),
    Events(Vec<SearchEvent>),
}

/// A search, and whether it asked for the beginning of the hits.
#[derive(Debug)]
struct Noted {
    search: Search,
    first_page: bool,
}

/// An answer that is to be noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered<'a> {
    /// What was asked.
    pub(crate) request: &'a SearchRequest,
    /// Whether it asked for the beginning of the hits.
    pub(crate) first_page: bool,
    /// How many hits there were.
    pub(crate) total: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// Which API was asked.
    pub(crate) source: Source,
}

impl SearchLog {
    pub(crate) fn new(settings: &SearchLogSettings) -> Self {
        let room = settings.queue.max(1);
        let (notes, taken) = mpsc::channel(room);
        Self {
            notes,
            taken: Arc::new(Mutex::new(Some(taken))),
            key: Arc::default(),
            settle: Duration::from_millis(settings.settle_ms),
            room,
        }
    }

    /// Notes an answer, and gives the id by which its client can tell what was done with the hits.
    pub(crate) fn note(&self, searcher: &Searcher, answered: Answered<'_>) -> QueryId {
        let query_id = QueryId::generate();
        let searched_at = Utc::now();
        let search = Search {
            query_id,
            searched_at,
            text: words::kept_text(&answered.request.text),
            filters: words::kept_filters(answered.request),
            hits: u32::try_from(answered.total).unwrap_or(u32::MAX),
            took_us: u32::try_from(answered.took.as_micros()).unwrap_or(u32::MAX),
            source: answered.source,
            actor_hash: self.key.hash(searcher, searched_at.date_naive()),
        };
        self.send(Note::Search(Noted {
            search,
            first_page: answered.first_page,
        }));
        query_id
    }

    /// Notes what was done with hits.
    pub(crate) fn note_events(&self, events: Vec<SearchEvent>) {
        self.send(Note::Events(events));
    }

    fn send(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            counter!(DROPPED, "why" => "no_room").increment(1);
        }
    }

    /// The notes to write; none when another has taken them.
    fn take_notes(&self) -> Option<mpsc::Receiver<Note>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
