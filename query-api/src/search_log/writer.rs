//! The task that writes the notes.

use std::time::{Duration, Instant};

use metrics::counter;
use store::search_log::{self, Search, SearchEvent};
use store::{Db, StoreError};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::typing::Typing;
use super::{DROPPED, Note, SearchLog};

/// Between two writes.
const EVERY: Duration = Duration::from_millis(500);

/// Longest wait between attempts while the database is away.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How long an event waits for its search, which another process may be about to write.
const SEARCH_COMES_WITHIN: Duration = Duration::from_secs(60);

/// Time for the last write at the end. What it does not manage is lost, which a report can bear.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// What waits to be written.
struct Waiting {
    typing: Typing,
    searches: Vec<Search>,
    events: Vec<(SearchEvent, Instant)>,
}

impl SearchLog {
    /// Writes notes until `stop` is cancelled, then writes what is left. Returns at once when another already does.
    pub(crate) async fn write_until(self, db: Db, stop: CancellationToken) {
        let Some(mut notes) = self.take_notes() else { return };
        let mut waiting = Waiting {
            typing: Typing::new(self.settle),
            searches: Vec::new(),
            events: Vec::new(),
        };
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rest = EVERY;
        let mut not_before = Instant::now();
        loop {
            // Without room here the notes stay in the channel, and once that is full, new ones are dropped where they are made.
            let has_room = waiting.searches.len() + waiting.events.len() < self.room;
            tokio::select! {
                note = notes.recv(), if has_room => match note {
                    Some(note) => waiting.take(note),
                    None => break,
                },
                _ = ticks.tick() => {
                    let now = Instant::now();
                    let settled = waiting.typing.settled(now);
                    waiting.searches.extend(settled);
                    if now < not_before {
                        continue;
                    }
                    match waiting.write(&db, now).await {
                        Ok(()) => rest = EVERY,
                        Err(error) => {
                            not_before = Instant::now() + rest;
                            rest = (rest * 2).min(LONGEST_REST);
                            warn!(%error, waiting = waiting.searches.len(), "searches were not noted, trying again");
                        }
                    }
                }
                () = stop.cancelled() => break,
            }
        }
        waiting.write_last(&mut notes, &db).await;
    }
}

impl Waiting {
    fn take(&mut self, note: Note) {
        let now = Instant::now();
        match note {
            Note::Search(noted) => self.searches.extend(self.typing.take(noted, now)),
            Note::Events(events) => {
                for event in events {
                    let (query_id, search) = self.typing.acted_on(event.query_id);
                    self.searches.extend(search);
                    self.events.push((SearchEvent { query_id, ..event }, now));
                }
            }
        }
    }

    /// Writes what there is: searches first, since events are checked against them.
    async fn write(&mut self, db: &Db, now: Instant) -> Result<(), StoreError> {
        if self.searches.is_empty() && self.events.is_empty() {
            return Ok(());
        }
        let mut db = db.acquire().await?;
        search_log::add_searches(&mut db, &self.searches).await?;
        self.searches.clear();
        if self.events.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = self.events.iter().map(|(event, _)| event.query_id).collect();
        let hits = search_log::hits_of(&mut db, &ids).await?;
        let (mut due, mut early) = (Vec::new(), Vec::new());
        let (mut unknown, mut out_of_range) = (0, 0);
        for (event, since) in &self.events {
            match hits.get(&event.query_id) {
                Some(hits) if event.position <= *hits => due.push(*event),
                Some(_) => out_of_range += 1,
                None if now.saturating_duration_since(*since) < SEARCH_COMES_WITHIN => early.push((*event, *since)),
                None => unknown += 1,
            }
        }
        search_log::add_events(&mut db, &due).await?;
        self.events = early;
        if unknown + out_of_range > 0 {
            debug!(unknown, out_of_range, "events of searches were dropped");
            counter!(DROPPED, "why" => "unknown_search").increment(unknown);
            counter!(DROPPED, "why" => "position").increment(out_of_range);
        }
        Ok(())
    }

    async fn write_last(&mut self, notes: &mut mpsc::Receiver<Note>, db: &Db) {
        while let Ok(note) = notes.try_recv() {
            self.take(note);
        }
        let now = Instant::now();
        let all = self.typing.all(now);
        self.searches.extend(all);
        match timeout(LAST_WRITE, self.write(db, now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, lost = self.searches.len(), "the last searches were not noted"),
            Err(_) => warn!(lost = self.searches.len(), "the last searches were not noted in time"),
        }
    }
}
