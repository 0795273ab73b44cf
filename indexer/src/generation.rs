//! One tantivy index in a folder of its own: `g-000001`, `g-000002`, … under the index's folder. A rebuild makes the next one beside
//! the one that answers.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::gaps::Position;
use tantivy::indexer::LogMergePolicy;
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, Term};

use crate::IndexError;
use crate::directory::DurableDirectory;
use crate::document::Entry;
use crate::facet::Facet;
use crate::schema::{Fields, SCHEMA_VERSION, schema, tokenizers};
use crate::values::FacetValues;

/// Blocks of the doc store that are kept unpacked, of 16 KB each: cards of frequent hits.
const CACHED_BLOCKS: usize = 256;

/// One index.
pub(crate) struct Generation {
    pub(crate) dir: PathBuf,
    pub(crate) index: tantivy::Index,
    pub(crate) reader: IndexReader,
    pub(crate) fields: Fields,
    /// Numbers of values, by facet.
    pub(crate) values: [FacetValues; Facet::ALL.len()],
}

/// What each commit says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// The fields, and how they are filled.
    pub(crate) schema: u32,
    /// How far the log has been applied.
    pub(crate) position: Position,
    /// When the row at the cursor was logged: a log that has another row there, or none, is not the one that was followed.
    pub(crate) logged_at: DateTime<Utc>,
}

/// Why a generation that exists cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It was made with other fields.
    OtherSchema,
    /// It does not open.
    Broken(String),
}

impl Generation {
    /// Makes an empty one.
    pub(crate) fn create(dir: PathBuf) -> Result<Self, IndexError> {
        fs::create_dir_all(&dir).map_err(|error| IndexError::Folder {
            path: dir.clone(),
            error,
        })?;
        let (schema, fields) = schema();
        let index = tantivy::Index::builder()
            .schema(schema)
            .tokenizers(tokenizers())
            .open_or_create(DurableDirectory::open(&dir)?)?;
        Ok(Self::with(dir, index, fields)?)
    }

    /// Opens one as its last commit left it. Files of commits that never came to be are removed.
    pub(crate) fn open(dir: PathBuf) -> Result<(Self, Payload), Unusable> {
        let broken = |error: &dyn std::fmt::Display| Unusable::Broken(error.to_string());
        let (expected, fields) = schema();
        let mut index = tantivy::Index::open(DurableDirectory::open(&dir).map_err(|error| broken(&error))?)
            .map_err(|error| broken(&error))?;
        index.set_tokenizers(tokenizers());
        let metas = index.load_metas().map_err(|error| broken(&error))?;
        let payload = metas.payload.as_deref().ok_or_else(|| broken(&"it was never committed"))?;
        let version = serde_json::from_str::<serde_json::Value>(payload)
            .ok()
            .and_then(|payload| payload.get("schema")?.as_u64());
        if version != Some(u64::from(SCHEMA_VERSION)) || metas.schema != expected {
            return Err(Unusable::OtherSchema);
        }
        let payload: Payload = serde_json::from_str(payload).map_err(|error| broken(&error))?;
        sweep_orphans(&dir, &index).map_err(|error| broken(&error))?;
        let generation = Self::with(dir, index, fields).map_err(|error| broken(&error))?;
        Ok((generation, payload))
    }

    fn with(dir: PathBuf, index: tantivy::Index, fields: Fields) -> tantivy::Result<Self> {
        // Readers are reloaded by hand, after a commit: a searcher then shows exactly what was committed.
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(CACHED_BLOCKS)
            .try_into()?;
        Ok(Self {
            dir,
            index,
            reader,
            fields,
            values: Default::default(),
        })
    }
}

/// The only writer of a generation, open as long as that is in use: a writer that is closed takes its merges with it.
pub(crate) struct Writer {
    pub(crate) generation: Arc<Generation>,
    writer: IndexWriter,
    /// What the last commit says.
    pub(crate) committed: Payload,
    /// The committed position with what has been learnt about its gaps since.
    pub(crate) position: Position,
}

impl Writer {
    /// Opens the writer of a generation.
    pub(crate) fn open(generation: Arc<Generation>, committed: Payload, memory_bytes: usize) -> tantivy::Result<Self> {
        // One thread: batches are small, and each thread would make a segment of its own at every commit.
        Self::with_threads(generation, committed, memory_bytes, 1)
    }

    /// For a build, which commits once: as many threads as there are processors, up to four.
    pub(crate) fn for_build(generation: Arc<Generation>, committed: Payload, memory_bytes: usize) -> tantivy::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = processors
            .min(MAX_BUILD_THREADS)
            .min(memory_bytes / MIN_THREAD_MEMORY_BYTES)
            .max(1);
        Self::with_threads(generation, committed, memory_bytes, threads)
    }

    /// The writer of a build that is over, for following. Merges that run are waited for.
    pub(crate) fn into_follower(self, memory_bytes: usize) -> tantivy::Result<Self> {
        let Self {
            generation,
            writer,
            committed,
            ..
        } = self;
        writer.wait_merging_threads()?;
        Self::open(generation, committed, memory_bytes)
    }

    fn with_threads(
        generation: Arc<Generation>,
        committed: Payload,
        memory_bytes: usize,
        threads: usize,
    ) -> tantivy::Result<Self> {
        let writer = generation.index.writer_with_num_threads(threads, memory_bytes)?;
        writer.set_merge_policy(Box::new(merge_policy()));
        Ok(Self {
            generation,
            writer,
            position: committed.position.clone(),
            committed,
        })
    }

    /// Replaces documents: those of `ids` go, `entries` come.
    pub(crate) fn replace(&mut self, ids: impl IntoIterator<Item = u64>, entries: Vec<Entry>) -> Result<(), IndexError> {
        for id in ids {
            self.writer.delete_term(Term::from_field_u64(self.generation.fields.id, id));
        }
        self.add(entries)
    }

    /// Adds documents of workflows that have none.
    pub(crate) fn add(&mut self, entries: Vec<Entry>) -> Result<(), IndexError> {
        for entry in entries {
            let document = entry
                .into_document(&self.generation.fields)
                .map_err(store::StoreError::from)?;
            self.writer.add_document(document)?;
        }
        Ok(())
    }

    /// Commits with its payload, and lets the reader see it.
    pub(crate) fn commit(&mut self, payload: Payload) -> Result<(), IndexError> {
        let text = serde_json::to_string(&payload).map_err(store::StoreError::from)?;
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&text);
        prepared.commit()?;
        self.position = payload.position.clone();
        self.committed = payload;
        self.generation.reader.reload()?;
        Ok(())
    }

    /// Forgets what was not committed.
    pub(crate) fn rollback(&mut self) -> tantivy::Result<()> {
        self.writer.rollback()?;
        self.writer.set_merge_policy(Box::new(merge_policy()));
        Ok(())
    }
}

/// Threads of a build, at most: the database is read meanwhile.
const MAX_BUILD_THREADS: usize = 4;

/// What tantivy asks for each thread, in bytes.
const MIN_THREAD_MEMORY_BYTES: usize = 15_000_000;

/// Small segments are merged early, since a commit every 200 ms would make thousands; and a segment a quarter of which is deleted is
/// written anew, since scores and memory are those of all documents, deleted ones included. Tantivy never merges for deletions alone.
fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(6);
    policy.set_min_layer_size(2_000);
    policy.set_max_docs_before_merge(2_000_000);
    policy.set_del_docs_ratio_before_merge(0.25);
    policy
}

/// Removes segment files that no commit names, left by a process that died between writing and committing them. Nothing else writes in
/// this folder: its owner holds a lock.
fn sweep_orphans(dir: &Path, index: &tantivy::Index) -> tantivy::Result<()> {
    let named: HashSet<String> = index
        .searchable_segment_ids()?
        .iter()
        .map(|segment| segment.uuid_string())
        .collect();
    let mut removed = 0;
    for file in fs::read_dir(dir)?.flatten() {
        let name = file.file_name();
        // Segments are named by 32 hexadecimal digits; what kind of file it is follows after a dot.
        let segment = name.to_str().and_then(|name| name.split('.').next()).unwrap_or_default();
        let is_segment = segment.len() == 32 && segment.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_segment && !named.contains(segment) {
            fs::remove_file(file.path())?;
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, dir = %dir.display(), "removed files of commits that never came to be");
    }
    Ok(())
}
