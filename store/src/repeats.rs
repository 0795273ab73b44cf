//! Who did the same thing a moment ago: an actor counts once in `events.repeat_s` for what they do to a workflow.
//!
//! Each process remembers what it let count; what it does not remember it asks Redis for, where all of an installation write it down.
//! Without Redis, or while that does not answer, somebody who is sent to several processes may count once in each. A process that dies
//! between writing it down and its commit leaves a note of what never counted, and who tries again within that time repeats. Actors are
//! remembered under the installation's key: neither memory nor Redis says who they are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use config::RedisSettings;
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Script};

use crate::StoreError;
use crate::event::{Discount, EventKind, NewEvent};
use crate::redis_guard::RedisGuard;
use crate::secret::SigningKey;

/// Most actors that are remembered: some 60 MB. Beyond, all are forgotten, and a repeat may count.
const MAX_REMEMBERED: usize = 1_000_000;

/// Deletes what a group wrote down, where it still stands: a key that has ended may be another's by now.
const FORGET: &str = r"
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
";

/// What an actor does to a workflow, under the key.
type Deed = u128;

/// When which actor last did something that counted.
pub(crate) struct Repeats {
    window: Duration,
    key: SigningKey,
    redis: Option<RedisGuard>,
    forget: Script,
    /// Of this group, as what it writes down.
    group: String,
    swept_at: Instant,
    last: HashMap<Deed, Instant>,
    /// What this group let count, and since when it had before, for when it is not committed.
    changed: Vec<(Deed, Option<Instant>)>,
}

impl Repeats {
    /// Nobody is remembered yet.
    ///
    /// # Errors
    /// The URL of Redis is malformed.
    pub(crate) fn new(window: Duration, redis: &RedisSettings, key: SigningKey) -> Result<Self, StoreError> {
        Ok(Self {
            window,
            key,
            // Where nothing repeats there is nothing to write down.
            redis: RedisGuard::new(redis, "each process finds repeated views and downloads by itself")?
                .filter(|_| !window.is_zero()),
            forget: Script::new(FORGET),
            group: String::new(),
            swept_at: Instant::now(),
            last: HashMap::new(),
            changed: Vec::new(),
        })
    }

    /// Says of a group's events that arrived now which repeat another, and remembers the rest. What does not count anyway is left out.
    pub(crate) async fn discount(&mut self, events: impl Iterator<Item = &mut NewEvent>, now: Instant) {
        self.begin(now);
        let mut fresh = Vec::new();
        for event in events.filter(|event| event.discount.is_none()) {
            let Some(deed) = self.deed(event) else { continue };
            if self.is_repeat(deed, now) {
                event.discount = Some(Discount::Repeat);
            } else {
                fresh.push((deed, event));
            }
        }
        let deeds: Vec<Deed> = fresh.iter().map(|(deed, _)| *deed).collect();
        let elsewhere = self.note_for_all(&deeds).await;
        for ((deed, event), _) in fresh.into_iter().zip(elsewhere).filter(|(_, is_repeat)| *is_repeat) {
            event.discount = Some(Discount::Repeat);
            // Another process knows since when; it is asked again the next time.
            self.last.remove(&deed);
            self.changed.retain(|(changed, _)| *changed != deed);
        }
    }

    /// Forgets what the group did, since it was not committed: whoever tries again has not repeated anything.
    pub(crate) async fn undo(&mut self) {
        let changed: Vec<_> = self.changed.drain(..).rev().collect();
        let mut forget = self.forget.prepare_invoke();
        forget.arg(&self.group);
        for (deed, before) in &changed {
            forget.key(name(*deed));
            match before {
                Some(before) => self.last.insert(*deed, *before),
                None => self.last.remove(deed),
            };
        }
        if let Some(redis) = self.redis.as_ref().filter(|_| !changed.is_empty()) {
            redis.ask(async |mut redis| forget.invoke_async::<()>(&mut redis).await).await;
        }
    }

    fn begin(&mut self, now: Instant) {
        self.changed.clear();
        self.group = hex::encode(rand::random::<[u8; 8]>());
        if now.duration_since(self.swept_at) >= self.window {
            self.swept_at = now;
            let window = self.window;
            self.last.retain(|_, last| now.duration_since(*last) < window);
        }
        if self.last.len() > MAX_REMEMBERED {
            self.last.clear();
        }
    }

    /// What is done by whom. Who is not known at all never repeats.
    fn deed(&self, event: &NewEvent) -> Option<Deed> {
        let kind: &[u8] = match event.kind {
            EventKind::View => b"view",
            EventKind::Download => b"download",
        };
        let workflow = event.workflow.0.to_be_bytes();
        let mac = match (event.user, &event.address, &event.session) {
            (Some(user), _, _) => self.key.sign("event-repeat-user", &[kind, &workflow, &user.0.to_be_bytes()]),
            (None, None, None) => return None,
            (None, address, session) => {
                let (address, session) = (address.as_deref().unwrap_or_default(), session.as_deref().unwrap_or_default());
                let parts = [kind, &workflow, address.as_bytes(), session.as_bytes()];
                self.key.sign("event-repeat-address", &parts)
            }
        };
        let mut deed = [0; size_of::<Deed>()];
        deed.copy_from_slice(&mac[..size_of::<Deed>()]);
        Some(Deed::from_be_bytes(deed))
    }

    /// Whether it was done here a moment ago; if not, remembers that it is now.
    fn is_repeat(&mut self, deed: Deed, now: Instant) -> bool {
        let before = match self.last.entry(deed) {
            Entry::Occupied(mut last) => {
                if now.duration_since(*last.get()) < self.window {
                    return true;
                }
                Some(last.insert(now))
            }
            Entry::Vacant(last) => {
                last.insert(now);
                None
            }
        };
        self.changed.push((deed, before));
        false
    }

    /// Writes down for other processes what is done, and says of each whether one of them had. Nothing had when Redis does not answer.
    async fn note_for_all(&self, deeds: &[Deed]) -> Vec<bool> {
        let Some(redis) = self.redis.as_ref().filter(|_| !deeds.is_empty()) else {
            return Vec::new();
        };
        let mut pipe = Pipeline::with_capacity(deeds.len());
        for deed in deeds {
            let set = pipe.cmd("SET").arg(name(*deed)).arg(&self.group);
            set.arg("NX")
                .arg("PX")
                .arg(u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX));
        }
        let note = async |mut redis: MultiplexedConnection| pipe.query_async::<Vec<Option<String>>>(&mut redis).await;
        let noted = redis.ask(note).await.unwrap_or_default();
        noted.iter().map(Option::is_none).collect()
    }
}

/// Name of a deed in Redis.
fn name(deed: Deed) -> String {
    format!("cookbook:repeat:{deed:032x}")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::{UserId, WorkflowId};

    fn view(workflow: u64, user: Option<u64>, address: Option<&str>) -> NewEvent {
        NewEvent {
            kind: EventKind::View,
            workflow: WorkflowId(workflow),
            user: user.map(UserId),
            address: address.map(str::to_owned),
            network: None,
            session: None,
            user_agent: None,
            discount: None,
        }
    }

    fn repeats() -> Repeats {
        let key = SigningKey::new("a secret that only tests have, long enough").unwrap();
        Repeats::new(Duration::from_secs(30), &config::Settings::defaults().unwrap().redis, key).unwrap()
    }

    fn is_repeat(repeats: &mut Repeats, event: &NewEvent, now: Instant) -> bool {
        let mut event = event.clone();
        repeats.discount(std::iter::once(&mut event), now).now_or_never().unwrap();
        event.discount == Some(Discount::Repeat)
    }

    #[test]
    fn the_same_actor_within_the_window_repeats_and_nobody_else_does() {
        let start = Instant::now();
        let mut repeats = repeats();
        let mut at = |seconds: u64, event: &NewEvent| is_repeat(&mut repeats, event, start + Duration::from_secs(seconds));
        let user = view(1, Some(7), Some("a"));
        assert!(!at(0, &user));
        assert!(at(29, &user));
        assert!(at(29, &view(1, Some(7), Some("elsewhere"))), "a user is the same anywhere");
        assert!(!at(29, &view(2, Some(7), Some("a"))), "another workflow");
        assert!(!at(29, &view(1, None, Some("a"))), "another actor");
        let download = NewEvent {
            kind: EventKind::Download,
            ..user.clone()
        };
        assert!(!at(29, &download), "another deed");
        // The window is from what counted last, so that hammering on counts once a window and not never.
        assert!(!at(30, &user));
        assert!(at(59, &user));
        assert!(!at(60, &view(1, None, None)) && !at(60, &view(1, None, None)), "nobody known");
    }

    #[test]
    fn what_was_not_committed_was_not_done() {
        let mut repeats = repeats();
        let now = Instant::now();
        let (mut event, mut again) = (view(1, Some(7), None), view(1, Some(7), None));
        let group = [&mut event, &mut again].into_iter();
        repeats.discount(group, now).now_or_never().unwrap();
        assert_eq!(
            (event.discount, again.discount),
            (None, Some(Discount::Repeat)),
            "within the same group"
        );
        repeats.undo().now_or_never().unwrap();
        let event = view(1, Some(7), None);
        assert!(!is_repeat(&mut repeats, &event, now));
        repeats.discount(std::iter::empty(), now).now_or_never().unwrap();
        repeats.undo().now_or_never().unwrap();
        assert!(is_repeat(&mut repeats, &event, now), "an undo reaches its own group only");
    }
}
