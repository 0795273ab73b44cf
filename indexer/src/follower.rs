//! Following the log of changes: read what comes after the cursor, load those workflows as they are now, replace their documents, commit
//! together with the new position.
//!
//! The position lives in the commit, so whatever kills the process, the next one goes on from what is in the index, and at worst
//! applies one batch twice, which changes nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use store::gaps::{Position, Watched, settle};
use store::index_log::{self, Change, MARK};
use store::{Db, StoreError, WorkflowId};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::build::blocking;
use crate::document::Entry;
use crate::generation::{Payload, Writer};
use crate::schema::SCHEMA_VERSION;
use crate::{Index, IndexError, RebuildReason};

/// Gaps that lie within so many ids are read in one query, with the rows between them that are known already.
const GAPS_READ_AT_ONCE: u64 = 5000;

/// Keeps one index in step with one database.
#[derive(Clone)]
pub struct Follower {
    index: Index,
    db: Db,
    batch: u32,
    /// The writer that is kept in step: that of the generation which answers, or of one that is being built.
    writer: Arc<Mutex<Option<Writer>>>,
    /// Whether searches see what is applied.
    answers: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("index", &self.index).finish_non_exhaustive()
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// Changes were applied, and searches show them.
    Applied {
        /// Rows of the log.
        changes: usize,
        /// Workflows that they were about.
        workflows: usize,
        /// When the latest of them was logged.
        logged_at: DateTime<Utc>,
        /// Whether there is more to do at once.
        more: bool,
    },
    /// The log cannot be followed: the index must be built anew.
    RebuildNeeded(RebuildReason),
}

impl Follower {
    /// A follower that applies at most `batch` rows of the log in one commit.
    pub fn new(index: Index, db: Db, batch: u32) -> Self {
        Self {
            writer: index.shared.writer.clone(),
            answers: true,
            index,
            db,
            batch: batch.max(1),
        }
    }

    /// A follower for a generation that does not answer yet.
    pub(crate) fn of_build(index: Index, db: Db, batch: u32, writer: Writer) -> Self {
        Self {
            writer: Arc::new(Mutex::new(Some(writer))),
            answers: false,
            ..Self::new(index, db, batch)
        }
    }

    /// The writer of a finished build.
    pub(crate) async fn into_writer(self) -> Option<Writer> {
        self.writer.lock().await.take()
    }

    /// Whether a step would have something to do: cheap, for polling.
    ///
    /// # Errors
    /// The database refused.
    pub async fn has_news(&self) -> Result<bool, IndexError> {
        let position = self.index.position();
        if self.index.rebuild_wanted().is_some() || !position.gaps().is_empty() {
            return Ok(true);
        }
        let mut db = self.db.acquire().await.map_err(StoreError::from)?;
        // A log that ends before the cursor is another log.
        Ok(index_log::end(&mut db).await? != position.cursor())
    }

    /// One step. `now` is the time by which gaps are settled; it never goes back.
    ///
    /// # Errors
    /// The database or the index failed. Nothing is lost: the next step starts where this one did.
    pub async fn step(&self, now: Instant) -> Result<Step, IndexError> {
        let mut guard = self.writer.clone().lock_owned().await;
        let Some(writer) = guard.as_mut() else {
            let reason = self.index.rebuild_wanted().unwrap_or(RebuildReason::Missing);
            return Ok(Step::RebuildNeeded(reason));
        };
        let mut position = writer.position.clone();
        let Some(read) = self.read(&mut position, writer.committed.logged_at).await? else {
            if self.answers {
                self.index.want_rebuild(RebuildReason::LogLost);
            }
            return Ok(Step::RebuildNeeded(RebuildReason::LogLost));
        };
        settle(&self.db, Watched::IndexLog, &mut position, now).await?;
        if read.changes == 0 {
            if self.answers {
                self.index.note_position(&position);
            }
            writer.position = position;
            return Ok(Step::Idle);
        }
        let payload = Payload {
            schema: SCHEMA_VERSION,
            position,
            logged_at: read.cursor_logged_at,
        };
        self.apply(guard, &read.workflows, payload).await?;
        Ok(Step::Applied {
            changes: read.changes,
            workflows: read.workflows.len(),
            logged_at: read.latest,
            more: read.more,
        })
    }

    /// Steps until there is nothing more to do: for builds, tests and tools. Open gaps are not waited for.
    ///
    /// # Errors
    /// As [`Follower::step`].
    pub async fn catch_up(&self) -> Result<Step, IndexError> {
        loop {
            let step = self.step(Instant::now()).await?;
            if !matches!(step, Step::Applied { .. }) {
                return Ok(step);
            }
        }
    }

    /// Reads what is new, in gaps and after the cursor. None if this is not the log that was followed, or not all of it.
    async fn read(&self, position: &mut Position, cursor_logged_at: DateTime<Utc>) -> Result<Option<Read>, IndexError> {
        let mut db = self.db.acquire().await.map_err(StoreError::from)?;
        let mut rows = Vec::new();
        if let (Some(first), Some(last)) = (position.gaps().first(), position.gaps().last()) {
            if last.last - first.first <= GAPS_READ_AT_ONCE {
                rows = index_log::read_between(&mut db, first.first, last.last, u32::MAX).await?;
            } else {
                for gap in position.gaps() {
                    rows.extend(index_log::read_between(&mut db, gap.first, gap.last, self.batch).await?);
                }
            }
        }
        let mut tail = index_log::read_from(&mut db, position.cursor(), self.batch.saturating_add(1)).await?;
        // The row at the cursor proves that the log is the one that was followed and that nothing behind the cursor was trimmed.
        let proof = (!tail.is_empty()).then(|| tail.remove(0));
        if !proof.is_some_and(|row| row.id == position.cursor() && row.logged_at == cursor_logged_at) {
            return Ok(None);
        }
        let more = tail.len() == self.batch as usize;
        let cursor_logged_at = tail.last().map_or(cursor_logged_at, |row| row.logged_at);
        rows.extend(tail);
        rows.retain(|row| position.saw(row.id));
        Ok(Some(Read::new(&rows, cursor_logged_at, more)))
    }

    /// Replaces the documents of these workflows and commits; on failure the index stays as it was.
    async fn apply(
        &self,
        mut guard: OwnedMutexGuard<Option<Writer>>,
        workflows: &[WorkflowId],
        payload: Payload,
    ) -> Result<(), IndexError> {
        let mut rows = Vec::new();
        {
            let mut db = self.db.acquire().await.map_err(StoreError::from)?;
            for ids in workflows.chunks(1000) {
                rows.extend(store::document::load(&mut db, ids).await?);
            }
        }
        let (index, answers) = (self.index.clone(), self.answers);
        let new: Vec<WorkflowId> = rows.iter().filter(|row| row.is_new).map(|row| row.id).collect();
        let ids: Vec<u64> = workflows.iter().map(|id| id.0).collect();
        blocking(move || {
            let Some(writer) = guard.as_mut() else {
                return Ok(());
            };
            let entries = rows.into_iter().map(Entry::from_row).collect();
            let committed = writer.replace(ids, entries).and_then(|()| writer.commit(payload));
            match committed {
                Ok(()) if answers => index.publish(writer),
                Ok(()) => Ok(()),
                Err(error) => {
                    // A writer that cannot even roll back is replaced by a new one; its documents were never committed.
                    if let Err(again) = writer.rollback() {
                        tracing::warn!(error = %again, "the index writer is opened anew");
                        *guard = None;
                        if answers {
                            *guard = index.reopened_writer();
                        }
                    }
                    Err(error)
                }
            }
        })
        .await?;
        if answers && !new.is_empty() {
            self.note_searchable(new);
        }
        Ok(())
    }

    /// Notes when a search first found these, beside what follows: somebody may hold their rows, and following waits for nobody.
    fn note_searchable(&self, workflows: Vec<WorkflowId>) {
        let (db, at) = (self.db.clone(), Utc::now());
        tokio::spawn(async move {
            let noted = async {
                let mut db = db.acquire().await?;
                store::workflow::note_searchable(&mut db, &workflows, at).await
            };
            if let Err(error) = noted.await {
                tracing::warn!(%error, "when workflows were found first is not noted");
            }
        });
    }
}

/// New rows of the log.
struct Read {
    /// How many there are.
    changes: usize,
    /// What they are about, each once.
    workflows: Vec<WorkflowId>,
    /// When the latest of them was logged.
    latest: DateTime<Utc>,
    /// When the row at the new cursor was logged.
    cursor_logged_at: DateTime<Utc>,
    more: bool,
}

impl Read {
    fn new(rows: &[Change], cursor_logged_at: DateTime<Utc>, more: bool) -> Self {
        let mut seen = HashSet::from([MARK]);
        Self {
            changes: rows.len(),
            workflows: rows.iter().map(|row| row.workflow_id).filter(|id| seen.insert(*id)).collect(),
            latest: rows.iter().map(|row| row.logged_at).max().unwrap_or_default(),
            cursor_logged_at,
            more,
        }
    }
}
