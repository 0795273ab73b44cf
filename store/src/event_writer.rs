//! Group commit of views and downloads: what arrives within a few milliseconds shares one INSERT, and each is answered after its commit.
//!
//! One task writes. While it waits for a commit, the next events gather, so that groups grow with the load and one at a time costs no
//! more than a statement of its own. The queue is bounded: when it is full, whoever comes is told so at once. Repeats of the same actor
//! are found here, where events pass in order (`repeats`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{EventsSettings, RedisSettings};
use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::db::BEGIN_READ_COMMITTED;
use crate::event::{self, Discount, EventKind, NewEvent};
use crate::repeats::Repeats;
use crate::secret::SigningKey;
use crate::{Conn, Db, StoreError, UserId, WorkflowId};

/// Attempts at a group that loses a lock, or in which something is gone.
const ATTEMPTS: u32 = 6;

/// Longest wait before the second attempt, in milliseconds; it doubles, and is random.
const FIRST_WAIT_MS: u64 = 2;

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
    /// Starts the writer on the current runtime. Writers of one installation, which has one key, find each other's repeats in Redis.
    ///
    /// # Errors
    /// The URL of Redis is malformed.
    pub fn start(db: Db, settings: &EventsSettings, redis: &RedisSettings, key: SigningKey) -> Result<Self, StoreError> {
        let (queue, events) = mpsc::channel(settings.queue.max(1));
        let writer = Writer {
            db,
            repeats: Repeats::new(Duration::from_secs(settings.repeat_s), redis, key)?,
        };
        let linger = Duration::from_millis(settings.linger_ms);
        tokio::spawn(write_until_closed(writer, events, settings.batch.max(1), linger));
        Ok(Self { queue })
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
        let new = group.iter_mut().map(|waiting| &mut waiting.event);
        self.repeats.discount(new, Instant::now()).await;
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
            self.repeats.undo().await;
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
