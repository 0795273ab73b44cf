//! Group commit of views and downloads: what arrives within a few milliseconds shares one INSERT, and each is answered after its commit.
//!
//! One task writes. While it waits for a commit, the next events gather, so that groups grow with the load and one at a time costs no
//! more than a statement of its own. The queue is bounded: when it is full, whoever comes is told so at once. Repeats of the same actor
//! are found here, where events pass in order; each process knows its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::EventsSettings;
use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::db::BEGIN_READ_COMMITTED;
use crate::event::{self, Discount, EventKind, NewEvent};
use crate::{Conn, Db, StoreError, UserId, WorkflowId};

/// Attempts at a group that loses a lock, or in which something is gone.
const ATTEMPTS: u32 = 6;

/// Longest wait before the second attempt, in milliseconds; it doubles, and is random.
const FIRST_WAIT_MS: u64 = 2;

/// Most actors that are remembered: some 50 MB. Beyond, all are forgotten, and a repeat may count.
const MAX_REMEMBERED: usize = 1_000_000;

/// Why an event was not recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EventError {
    /// Too many are waiting; later is better.
    #[error("too many events are waiting")]
    Overloaded,
    /// Its workflow is gone.
    #[error("the workflow is gone")]
    Gone,
    /// The database refused, or was not there.
    #[error(transparent)]
    Failed(Arc<StoreError>),
}

/// Where events are handed in. Clones share one writer, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct EventWriter {
    queue: mpsc::Sender<Waiting>,
}

/// An event and who waits for its commit.
struct Waiting {
    event: NewEvent,
    done: oneshot::Sender<Result<Option<Discount>, EventError>>,
}

impl EventWriter {
    /// Starts the writer on the current runtime.
    pub fn start(db: Db, settings: &EventsSettings) -> Self {
        let (queue, events) = mpsc::channel(settings.queue.max(1));
        let writer = Writer {
            db,
            repeats: Repeats::new(Duration::from_secs(settings.repeat_s)),
        };
        let linger = Duration::from_millis(settings.linger_ms);
        tokio::spawn(write_until_closed(writer, events, settings.batch.max(1), linger));
        Self { queue }
    }

    /// Records an event: when this returns without an error, it survives a crash of everything. Says why it does not count, if so.
    ///
    /// # Errors
    /// The queue is full, the workflow is gone, or the database refused.
    pub async fn record(&self, event: NewEvent) -> Result<Option<Discount>, EventError> {
        let (done, outcome) = oneshot::channel();
        self.queue
            .try_send(Waiting { event, done })
            .map_err(|_| EventError::Overloaded)?;
        outcome.await.unwrap_or(Err(EventError::Overloaded))
    }
}

/// The loop: one group after another, until nobody can hand anything in any more.
async fn write_until_closed(mut writer: Writer, mut events: mpsc::Receiver<Waiting>, batch: usize, linger: Duration) {
    let mut group = Vec::with_capacity(batch);
    while events.recv_many(&mut group, batch).await > 0 {
        // A single event need not wait for company that does not come; where there is some, there is more.
        if group.len() > 1 && group.len() < batch && !linger.is_zero() {
            sleep(linger).await;
            while group.len() < batch {
                match events.try_recv() {
                    Ok(event) => group.push(event),
                    Err(_) => break,
                }
            }
        }
        writer.write(std::mem::replace(&mut group, Vec::with_capacity(batch))).await;
    }
}

/// What writes groups.
struct Writer {
    db: Db,
    repeats: Repeats,
}

impl Writer {
    /// Writes one group and answers everybody in it.
    async fn write(&mut self, mut group: Vec<Waiting>) {
        self.repeats.begin(Instant::now());
        for waiting in &mut group {
            if waiting.event.discount.is_none() && self.repeats.is_repeat(&waiting.event) {
                waiting.event.discount = Some(Discount::Repeat);
            }
        }
        let mut attempt = 1;
        let outcome = loop {
            if group.is_empty() {
                return;
            }
            let events: Vec<&NewEvent> = group.iter().map(|waiting| &waiting.event).collect();
            match commit(&self.db, &events).await {
                Err(error) if error.is_lock_conflict() && attempt < ATTEMPTS => {
                    sleep(Duration::from_millis(rand::random_range(0..FIRST_WAIT_MS << attempt))).await;
                }
                Err(error) if error.is_missing_parent() && attempt < ATTEMPTS => match take_out_gone(&self.db, group).await {
                    Ok(rest) => group = rest,
                    Err((rest, error)) => {
                        group = rest;
                        break Err(error);
                    }
                },
                other => break other,
            }
            attempt += 1;
        };
        let failed = outcome.map_err(|error| EventError::Failed(Arc::new(error)));
        if failed.is_err() {
            self.repeats.undo();
        }
        for Waiting { event, done } in group {
            // Whoever hung up meanwhile has it recorded all the same.
            let _ = done.send(failed.clone().map(|()| event.discount));
        }
    }
}

/// One transaction; one statement needs none of its own.
async fn commit(db: &Db, events: &[&NewEvent]) -> Result<(), StoreError> {
    let mut connection = db.acquire().await?;
    let views = events.iter().filter(|event| event.kind == EventKind::View).count();
    if event::statements(views) + event::statements(events.len() - views) == 1 {
        return event::insert(&mut connection, events).await;
    }
    let mut tx = connection.begin_with(BEGIN_READ_COMMITTED).await?;
    event::insert(&mut tx, events).await?;
    tx.commit().await?;
    Ok(())
}

/// Answers those whose workflow was deleted, and forgets users who were; gives the others back.
async fn take_out_gone(db: &Db, mut group: Vec<Waiting>) -> Result<Vec<Waiting>, (Vec<Waiting>, StoreError)> {
    let (workflows, users) = match existing(db, &group).await {
        Ok(found) => found,
        Err(error) => return Err((group, error)),
    };
    for waiting in &mut group {
        waiting.event.user = waiting.event.user.filter(|user| users.contains(user));
    }
    let (rest, gone): (Vec<_>, Vec<_>) = group
        .into_iter()
        .partition(|waiting| workflows.contains(&waiting.event.workflow));
    for waiting in gone {
        let _ = waiting.done.send(Err(EventError::Gone));
    }
    Ok(rest)
}

async fn existing(db: &Db, group: &[Waiting]) -> Result<(Vec<WorkflowId>, Vec<UserId>), StoreError> {
    let mut connection = db.acquire().await?;
    let connection: &mut Conn = &mut connection;
    let mut workflows: Vec<WorkflowId> = group.iter().map(|waiting| waiting.event.workflow).collect();
    workflows.sort_unstable();
    workflows.dedup();
    let mut users: Vec<UserId> = group.iter().filter_map(|waiting| waiting.event.user).collect();
    users.sort_unstable();
    users.dedup();
    Ok((
        event::existing_workflows(connection, &workflows).await?,
        event::existing_users(connection, &users).await?,
    ))
}

/// When which actor last did something that counted.
struct Repeats {
    window: Duration,
    now: Instant,
    swept_at: Instant,
    hasher: RandomState,
    last: HashMap<u64, Instant>,
    /// What this group changed, for when it is not committed.
    changed: Vec<(u64, Option<Instant>)>,
}

impl Repeats {
    fn new(window: Duration) -> Self {
        let now = Instant::now();
        Self {
            window,
            now,
            swept_at: now,
            hasher: RandomState::new(),
            last: HashMap::new(),
            changed: Vec::new(),
        }
    }

    /// Begins a group that arrived now.
    fn begin(&mut self, now: Instant) {
        self.now = now;
        self.changed.clear();
        if now.duration_since(self.swept_at) >= self.window {
            self.swept_at = now;
            let window = self.window;
            self.last.retain(|_, last| now.duration_since(*last) < window);
        }
        if self.last.len() > MAX_REMEMBERED {
            self.last.clear();
        }
    }

    /// Whether the same actor did the same a moment ago; if not, remembers that they do now. Who is not known at all never repeats.
    fn is_repeat(&mut self, event: &NewEvent) -> bool {
        let actor = match (event.user, &event.address, &event.session) {
            (Some(user), _, _) => self.hasher.hash_one((event.kind, event.workflow, user)),
            (None, None, None) => return false,
            (None, address, session) => self.hasher.hash_one((event.kind, event.workflow, address, session)),
        };
        let before = self.last.get(&actor).copied();
        if before.is_some_and(|before| self.now.duration_since(before) < self.window) {
            return true;
        }
        self.last.insert(actor, self.now);
        self.changed.push((actor, before));
        false
    }

    /// Forgets what the group did, since it was not committed: whoever tries again has not repeated anything.
    fn undo(&mut self) {
        for (actor, before) in self.changed.drain(..).rev() {
            match before {
                Some(before) => self.last.insert(actor, before),
                None => self.last.remove(&actor),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_same_actor_within_the_window_repeats_and_nobody_else_does() {
        let start = Instant::now();
        let mut repeats = Repeats::new(Duration::from_secs(30));
        let mut at = |seconds: u64, event: &NewEvent| {
            repeats.begin(start + Duration::from_secs(seconds));
            repeats.is_repeat(event)
        };
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
        let mut repeats = Repeats::new(Duration::from_secs(30));
        let event = view(1, Some(7), None);
        repeats.begin(Instant::now());
        assert!(!repeats.is_repeat(&event));
        assert!(repeats.is_repeat(&event), "within the same group");
        repeats.undo();
        repeats.begin(Instant::now());
        assert!(!repeats.is_repeat(&event));
        repeats.begin(Instant::now());
        repeats.undo();
        assert!(repeats.is_repeat(&event), "an undo reaches its own group only");
    }
}
