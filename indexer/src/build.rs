//! A full build: a new index beside the one that answers, filled from the database by the everyday path, then put in its place.
//!
//! Changes during the build are not missed: a mark in the log is taken first, every row read afterwards is at least as new as it, and
//! the log is followed from there, gaps included, before the new index answers and after.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use store::document::DocumentRow;
use store::{Conn, Db, StoreError, WorkflowId, workflow};

use crate::document::Entry;
use crate::follower::{Follower, Step};
use crate::generation::{Generation, Payload, Writer};
use crate::schema::SCHEMA_VERSION;
use crate::{Index, IndexError};

/// Workflows read at a time.
const BATCH: u32 = 1000;

/// Most workflows of which a build notes that they are found now.
const MOST_NOTED: u32 = 10_000;

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// Workflows looked at.
    pub done: u64,
    /// About how many there are.
    pub of: u64,
}

/// What a build has made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Built {
    /// Documents.
    pub documents: u64,
    /// How long it took.
    pub took: Duration,
}

impl Index {
    /// Builds anew and puts the result in place. The old index answers and is followed until then, and is deleted afterwards.
    /// Repeating it is harmless: it replaces.
    ///
    /// # Errors
    /// The database or the folder failed; the old index stays.
    pub async fn rebuild(&self, db: &Db, mut progress: impl FnMut(BuildProgress)) -> Result<Built, IndexError> {
        let _one_at_a_time = self.shared.building.lock().await;
        let started = Instant::now();
        self.remove_other_generations();
        let (change, position) = {
            let mut connection = db.acquire().await.map_err(StoreError::from)?;
            store::index_log::mark(&mut connection).await?
        };
        let payload = Payload {
            schema: SCHEMA_VERSION,
            position,
            logged_at: change.logged_at,
        };
        let writer = self.filled(db, payload, &mut progress).await?;

        // Twice: the first time takes as long as the build has made it, the second, while the follower of the old index waits, a moment.
        // So answers never go back in time.
        let follower = Follower::of_build(self.clone(), db.clone(), BATCH, writer);
        self.caught_up(&follower).await?;
        let mut current = self.shared.writer.clone().lock_owned().await;
        self.caught_up(&follower).await?;
        let writer = follower.into_writer().await.ok_or(IndexError::NotReady)?;
        let documents = writer.generation.reader.searcher().num_docs();
        self.point_to(&writer.generation)?;
        self.publish(&writer)?;
        *current = Some(writer);
        drop(current);
        self.remove_other_generations();
        note_searchable(db).await;
        Ok(Built {
            documents,
            took: started.elapsed(),
        })
    }

    /// Lets a build's follower apply what the log has by now.
    async fn caught_up(&self, follower: &Follower) -> Result<(), IndexError> {
        match follower.catch_up().await? {
            Step::RebuildNeeded(_) => Err(IndexError::Behind),
            Step::Idle | Step::Applied { .. } => Ok(()),
        }
    }

    /// A new generation with a document for every workflow that may be shown.
    async fn filled(&self, db: &Db, payload: Payload, progress: &mut impl FnMut(BuildProgress)) -> Result<Writer, IndexError> {
        let generation = Arc::new(Generation::create(self.next_generation_dir())?);
        let memory = self.shared.writer_memory_bytes;
        let mut writer = Writer::for_build(generation, payload.clone(), memory)?;
        let mut connection = db.acquire().await.map_err(StoreError::from)?;
        let of = store::document::count_roughly(&mut connection).await?;
        let mut done = 0;
        let mut batch = next_batch(&mut connection, WorkflowId(0)).await?;
        while let Some(Batch { last, looked_at, rows }) = batch {
            // The database reads the next rows while these become documents.
            let adding = blocking(move || {
                writer.add(rows.into_iter().map(Entry::from_row).collect())?;
                Ok(writer)
            });
            let (added, next) = tokio::join!(adding, next_batch(&mut connection, last));
            writer = added?;
            batch = next?;
            done += looked_at;
            progress(BuildProgress { done, of: of.max(done) });
        }
        blocking(move || {
            writer.commit(payload)?;
            Ok(writer.into_follower(memory)?)
        })
        .await
    }
}

/// Notes of what is new and had no index to be found in that a search finds it now.
async fn note_searchable(db: &Db) {
    let at = Utc::now();
    let noted = async {
        let mut db = db.acquire().await?;
        let new = workflow::find_unnoted(&mut db, MOST_NOTED).await?;
        workflow::note_searchable(&mut db, &new, at).await
    };
    if let Err(error) = noted.await {
        tracing::warn!(%error, "when workflows were found first is not noted");
    }
}

/// Rows of one range of ids.
struct Batch {
    /// The last id of the range.
    last: WorkflowId,
    /// Workflows in the range, those that may not be shown included.
    looked_at: u64,
    rows: Vec<DocumentRow>,
}

/// The batch after an id; none at the end.
async fn next_batch(db: &mut Conn, after: WorkflowId) -> Result<Option<Batch>, IndexError> {
    let ids = store::document::ids_after(db, after, BATCH).await?;
    let Some(last) = ids.last() else {
        return Ok(None);
    };
    let rows = store::document::load(db, &ids).await?;
    Ok(Some(Batch {
        last: *last,
        looked_at: ids.len() as u64,
        rows,
    }))
}

/// Runs what computes or waits for the disk where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| IndexError::Thread(error.to_string()))?
}
