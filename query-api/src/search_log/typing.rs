//! What one person types letter by letter is one search: the last of its states is kept, and the ids of the others lead to it.
//!
//! A session is what one searcher asks for, one text growing or shrinking, with unchanged filters, without a pause of `settle`. It ends with
//! the pause, with another text, or with a click, which says that the hits were what was wanted.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use store::search_log::{QueryId, Search, Source};

use super::Noted;

/// Most searchers whose typing is followed at once. More are written as they come.
const MAX_SESSIONS: usize = 10_000;

/// Most ids of replaced searches that are remembered.
const MAX_REPLACED: usize = 50_000;

/// Most states of one session; the next one begins another.
const MAX_STATES: usize = 32;

/// How long a search is remembered after it was written, so that its further pages are not taken for new searches.
const PAGES_WITHIN: Duration = Duration::from_secs(600);

/// Who, by which API.
type Who = ([u8; 8], Source);

/// What is being typed.
#[derive(Debug)]
pub(super) struct Typing {
    settle: Duration,
    sessions: HashMap<Who, Session>,
    /// Whose session an id is of, while that was not written.
    open: HashMap<QueryId, Who>,
    replaced: HashMap<QueryId, QueryId>,
    /// Keys of `replaced`, the oldest first.
    replaced_in_order: VecDeque<QueryId>,
}

#[derive(Debug)]
struct Session {
    last: Search,
    /// The longest text since it began to shrink; the same as `last` unless it does.
    longest: Search,
    /// Ids of its states, the last one's too.
    states: Vec<QueryId>,
    noted_at: Instant,
    written: bool,
}

impl Session {
    fn of(search: Search, now: Instant) -> Self {
        Self {
            states: vec![search.query_id],
            longest: search.clone(),
            last: search,
            noted_at: now,
            written: false,
        }
    }

    /// Whether a search is the same one, typed on.
    fn goes_on(&self, next: &Search, now: Instant, settle: Duration) -> bool {
        let (before, after) = (self.last.text.as_str(), next.text.as_str());
        !self.written
            && self.states.len() < MAX_STATES
            && now.saturating_duration_since(self.noted_at) < settle
            && self.last.filters == next.filters
            && (after.starts_with(before) || (before.starts_with(after) && !after.is_empty()))
    }

    fn go_on(&mut self, next: Search, now: Instant) {
        self.states.push(next.query_id);
        if !self.longest.text.starts_with(&next.text) || next.text.len() >= self.longest.text.len() {
            self.longest = next.clone();
        }
        self.last = next;
        self.noted_at = now;
    }
}

impl Typing {
    pub(super) fn new(settle: Duration) -> Self {
        Self {
            settle,
            sessions: HashMap::new(),
            open: HashMap::new(),
            replaced: HashMap::new(),
            replaced_in_order: VecDeque::new(),
        }
    }

    /// Takes a search, and gives what is to be written now: the one before it, if that is ended by it, or itself, if it cannot be followed.
    pub(super) fn take(&mut self, noted: Noted, now: Instant) -> Option<Search> {
        let Noted { search, first_page } = noted;
        let Some(actor) = search.actor_hash else {
            return Some(search);
        };
        let who = (actor, search.source);
        let id = search.query_id;
        let Some(session) = self.sessions.get_mut(&who) else {
            if self.sessions.len() >= MAX_SESSIONS {
                return Some(search);
            }
            self.sessions.insert(who, Session::of(search, now));
            self.open.insert(id, who);
            return None;
        };
        let is_same = session.last.text == search.text && session.last.filters == search.filters;
        if !first_page && is_same {
            session.noted_at = now;
            let first = session.last.query_id;
            self.remember(id, first);
            return None;
        }
        if session.goes_on(&search, now, self.settle) {
            session.go_on(search, now);
            self.open.insert(id, who);
            return None;
        }
        // What is left of a text that somebody took back to type another was not asked for.
        let ended = self.end(who, |session| session.longest.clone());
        self.sessions.insert(who, Session::of(search, now));
        self.open.insert(id, who);
        ended
    }

    /// Searches that nobody typed on for a while.
    pub(super) fn settled(&mut self, now: Instant) -> Vec<Search> {
        let settle = self.settle;
        self.ended(|session| now.saturating_duration_since(session.noted_at) >= settle, now)
    }

    /// All searches that were not written yet.
    pub(super) fn all(&mut self, now: Instant) -> Vec<Search> {
        self.ended(|_| true, now)
    }

    fn ended(&mut self, is_over: impl Fn(&Session) -> bool, now: Instant) -> Vec<Search> {
        self.sessions
            .retain(|_, session| now.saturating_duration_since(session.noted_at) < PAGES_WITHIN || !session.written);
        let over = self
            .sessions
            .iter()
            .filter(|(_, session)| !session.written && is_over(session));
        let over: Vec<Who> = over.map(|(who, _)| *who).collect();
        over.into_iter()
            .filter_map(|who| self.end(who, |session| session.last.clone()))
            .collect()
    }

    /// The search that an id leads to, and that search itself if it is to be written now: something was done with its hits.
    pub(super) fn acted_on(&mut self, id: QueryId) -> (QueryId, Option<Search>) {
        let ended = self.open.get(&id).copied().and_then(|who| {
            self.end(who, |session| {
                let state = if session.longest.query_id == id {
                    &session.longest
                } else {
                    &session.last
                };
                state.clone()
            })
        });
        match ended {
            Some(search) => (search.query_id, Some(search)),
            None => (self.replaced.get(&id).copied().unwrap_or(id), None),
        }
    }

    /// Ends a session that was not written yet, and gives the state that is to be.
    fn end(&mut self, who: Who, choose: impl Fn(&Session) -> Search) -> Option<Search> {
        let session = self.sessions.get_mut(&who).filter(|session| !session.written)?;
        session.written = true;
        let chosen = choose(session);
        for state in std::mem::take(&mut session.states) {
            self.open.remove(&state);
            self.remember(state, chosen.query_id);
        }
        Some(chosen)
    }

    fn remember(&mut self, replaced: QueryId, by: QueryId) {
        if replaced == by {
            return;
        }
        if self.replaced_in_order.len() >= MAX_REPLACED
            && let Some(oldest) = self.replaced_in_order.pop_front()
        {
            self.replaced.remove(&oldest);
        }
        if self.replaced.insert(replaced, by).is_none() {
            self.replaced_in_order.push_back(replaced);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    const SETTLE: Duration = Duration::from_secs(3);

    struct Desk {
        typing: Typing,
        now: Instant,
        written: Vec<String>,
    }

    impl Desk {
        fn new() -> Self {
            Self {
                typing: Typing::new(SETTLE),
                now: Instant::now(),
                written: Vec::new(),
            }
        }

        fn note(&mut self, who: u8, text: &str, first_page: bool) -> QueryId {
            let query_id = QueryId::generate();
            let search = Search {
                query_id,
                searched_at: Utc::now(),
                text: text.to_owned(),
                filters: None,
                hits: 9,
                took_us: 1,
                source: Source::Native,
                actor_hash: Some([who; 8]),
            };
            let written = self.typing.take(Noted { search, first_page }, self.now);
            self.written.extend(written.map(|search| search.text));
            query_id
        }

        fn types(&mut self, who: u8, texts: &[&str]) -> Vec<QueryId> {
            texts.iter().map(|text| self.note(who, text, true)).collect()
        }

        fn pause(&mut self, time: Duration) {
            self.now += time;
            let settled = self.typing.settled(self.now);
            self.written.extend(settled.into_iter().map(|search| search.text));
        }
    }

    #[test]
    fn a_text_typed_letter_by_letter_is_one_search_and_all_its_ids_lead_there() {
        let mut desk = Desk::new();
        let ids = desk.types(1, &["", "w", "wa", "war", "warm"]);
        desk.pause(Duration::from_secs(1));
        assert!(desk.written.is_empty());
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm"]);
        for id in &ids {
            assert_eq!(desk.typing.acted_on(*id), (ids[4], None));
        }
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm"], "once");
    }

    #[test]
    fn another_text_a_pause_another_person_and_other_filters_are_searches_of_their_own() {
        let mut desk = Desk::new();
        desk.types(1, &["kick", "snare"]);
        desk.types(2, &["snare drum"]);
        desk.pause(SETTLE);
        desk.written.sort();
        assert_eq!(desk.written, ["kick", "snare", "snare drum"]);
        desk.types(1, &["snare d"]);
        desk.pause(SETTLE);
        assert_eq!(desk.written.len(), 4, "after a pause a longer text is another search");
    }

    #[test]
    fn what_is_left_of_a_text_taken_back_is_no_search() {
        let mut desk = Desk::new();
        desk.types(1, &["warm", "war", "wa", "w", ""]);
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm", ""]);
        let mut desk = Desk::new();
        desk.types(1, &["warm", "war", "w", "kick"]);
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm", "kick"]);
        let mut desk = Desk::new();
        desk.types(1, &["warmm", "warm"]);
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm"], "a slip, put right");
    }

    #[test]
    fn further_pages_belong_to_the_first_also_after_it_was_written() {
        let mut desk = Desk::new();
        let first = desk.note(1, "warm", true);
        let second = desk.note(1, "warm", false);
        desk.pause(SETTLE);
        let third = desk.note(1, "warm", false);
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm"]);
        assert_eq!(desk.typing.acted_on(second).0, first);
        assert_eq!(desk.typing.acted_on(third).0, first);
        desk.note(1, "pad", false);
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm", "pad"], "a page of what was not seen here");
    }

    #[test]
    fn a_click_ends_the_typing_and_keeps_what_it_was_made_on() {
        let mut desk = Desk::new();
        let ids = desk.types(1, &["wa", "war"]);
        let (id, search) = desk.typing.acted_on(ids[0]);
        assert_eq!((id, search.map(|search| search.text)), (ids[1], Some("war".to_owned())));
        desk.types(1, &["warm"]);
        desk.pause(SETTLE);
        assert_eq!(desk.written, ["warm"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut typing = Typing::new(SETTLE);
        let ids: Vec<QueryId> = (0..MAX_REPLACED + 10).map(|_| QueryId::generate()).collect();
        for id in &ids {
            typing.remember(*id, ids[0]);
        }
        assert!(typing.replaced.len() <= MAX_REPLACED && typing.replaced_in_order.len() <= MAX_REPLACED);
        let mut desk = Desk::new();
        for n in 0..MAX_SESSIONS + 5 {
            let mut actor = [0; 8];
            actor.copy_from_slice(&n.to_be_bytes());
            let search = Search {
                query_id: QueryId::generate(),
                searched_at: Utc::now(),
                text: "x".to_owned(),
                filters: None,
                hits: 0,
                took_us: 0,
                source: Source::Native,
                actor_hash: Some(actor),
            };
            let written = desk.typing.take(
                Noted {
                    search,
                    first_page: true,
                },
                desk.now,
            );
            assert_eq!(written.is_some(), n >= MAX_SESSIONS);
        }
    }
}
