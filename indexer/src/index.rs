//! The index of one process: its folder, the generation that answers, and the writer that keeps it in step.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use store::gaps::Position;
use tokio::sync::watch;

use crate::counters::Counters;
use crate::document::fnv1a;
use crate::folder::replace_file;
use crate::generation::{Generation, Payload, Unusable, Writer};
use crate::plan::Synonyms;
use crate::search::Snapshot;
use crate::{IndexError, SearchError, SearchRequest, SearchResponse};

/// Names the generation that answers.
const CURRENT: &str = "current";

/// Held by the process that has the folder.
const LOCK: &str = "lock";

/// The last known counters.
const COUNTERS: &str = "counters";

/// Holds the name by which the index is known in the database.
const NAME: &str = "name";

/// Longest host name in an index's name, in characters.
const MAX_HOST: usize = 40;

/// Beginning of a generation's folder name.
const GENERATION: &str = "g-";

/// An index that is searched and kept up to date. Clones are the same index.
///
/// One process has a folder: the one that answers searches. Opening needs no database.
#[derive(Clone)]
pub struct Index {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    name: String,
    /// Held until the index is dropped; the system releases it when the process dies.
    _lock: File,
    pub(crate) writer_memory_bytes: usize,
    pub(crate) counters: Counters,
    synonyms: Arc<Synonyms>,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// The writer of the generation that answers; none until there is one.
    pub(crate) writer: Arc<tokio::sync::Mutex<Option<Writer>>>,
    /// One build at a time.
    pub(crate) building: tokio::sync::Mutex<()>,
    pub(crate) position: watch::Sender<Position>,
    rebuild: Mutex<Option<RebuildReason>>,
}

/// Why an index must be built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildReason {
    /// There is none.
    Missing,
    /// It was made with other fields.
    OtherSchema,
    /// It does not open, or its files do not have the content that was written.
    Broken,
    /// The log no longer has what comes after its cursor, or is another one.
    LogLost,
    /// Somebody asked.
    Asked,
}

impl RebuildReason {
    /// Its name, as it is written into rows and logs.
    pub fn name(self) -> &'static str {
        match self {
            RebuildReason::Missing => "missing",
            RebuildReason::OtherSchema => "other_schema",
            RebuildReason::Broken => "broken",
            RebuildReason::LogLost => "log_lost",
            RebuildReason::Asked => "asked",
        }
    }
}

/// How an index is.
#[derive(Clone, Debug)]
pub struct IndexStatus {
    /// Whether searches are answered.
    pub ready: bool,
    /// Documents.
    pub documents: u64,
    /// Segments; many mean that merges do not keep up.
    pub segments: usize,
    /// Id of the last change that answers reflect.
    pub position: u64,
    /// The same, as it would be after a crash; 0 without an index.
    pub durable_position: u64,
    /// Transactions (or runs of them) that were still open, or rolled back a moment ago, when the log was read past them.
    pub open_gaps: usize,
    /// Why it must be built anew, if it must.
    pub rebuild: Option<RebuildReason>,
}

impl Index {
    /// Opens the index in a folder, which is made if need be. An index that is missing or cannot be used is no error: searches answer
    /// [`SearchError::NotReady`] until it is built.
    ///
    /// # Errors
    /// Another process has the folder, or it cannot be used.
    pub fn open(dir: &Path, writer_memory_bytes: usize) -> Result<Self, IndexError> {
        Self::open_with(dir, writer_memory_bytes, &config::Synonyms::built_in())
    }

    /// The same, with synonyms of one's own.
    ///
    /// # Errors
    /// As for [`Index::open`].
    pub fn open_with(dir: &Path, writer_memory_bytes: usize, synonyms: &config::Synonyms) -> Result<Self, IndexError> {
        let synonyms = Arc::new(Synonyms::new(synonyms));
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| IndexError::Folder { path, error }
        };
        fs::create_dir_all(dir).map_err(at(dir))?;
        let lock = File::create(dir.join(LOCK)).map_err(at(dir))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(IndexError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => return Err(at(dir)(error)),
        }
        let name = name_in(dir).map_err(at(dir))?;
        let counters = Counters::load(&dir.join(COUNTERS));
        let (opened, rebuild) = match open_current(dir, writer_memory_bytes) {
            Ok(writer) => (Some(writer), None),
            Err(reason) => (None, Some(reason)),
        };
        let mut snapshot = None;
        if let Some(writer) = &opened {
            let position = writer.committed.position.clone();
            snapshot = Some(Snapshot::take(
                writer.generation.clone(),
                position,
                &counters,
                &synonyms,
                None,
            )?);
        }
        let position = snapshot
            .as_ref()
            .map(|snapshot| snapshot.position.clone())
            .unwrap_or_default();
        let index = Self {
            shared: Arc::new(Shared {
                dir: dir.to_owned(),
                name,
                _lock: lock,
                writer_memory_bytes,
                counters,
                synonyms,
                snapshot: RwLock::new(snapshot.map(Arc::new)),
                writer: Arc::new(tokio::sync::Mutex::new(opened)),
                building: tokio::sync::Mutex::new(()),
                position: watch::Sender::new(position),
                rebuild: Mutex::new(rebuild),
            }),
        };
        index.remove_other_generations();
        Ok(index)
    }

    /// Name of this index among all that follow the same database: the host on which it was first opened and a number, at most 49 ASCII
    /// characters. It is the folder's, so it stays the same however often the process is started.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Answers a request. It computes for as long as it takes: call it where blocking is fine.
    ///
    /// # Errors
    /// There is no index yet, the request asks for what cannot be answered, or the index failed.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchResponse, SearchError> {
        let mut answers = self.search_all(std::slice::from_ref(request))?;
        answers.pop().ok_or(SearchError::NotReady)
    }

    /// Answers several requests as of the same moment, in their order. Those with the same text, such as a page's hits and the counts
    /// beside its lists, are answered in one pass over the index. Time and deadline are those of the first.
    ///
    /// # Errors
    /// There is no index yet, a request asks for what cannot be answered, or the index failed.
    pub fn search_all(&self, requests: &[SearchRequest]) -> Result<Vec<SearchResponse>, SearchError> {
        let snapshot = self.snapshot().ok_or(SearchError::NotReady)?;
        snapshot.search(requests, &self.shared.counters.view())
    }

    /// How it is.
    pub fn status(&self) -> IndexStatus {
        let snapshot = self.snapshot();
        let position = self.shared.position.borrow();
        IndexStatus {
            ready: snapshot.is_some(),
            documents: snapshot.as_ref().map_or(0, |snapshot| snapshot.searcher.num_docs()),
            segments: snapshot.as_ref().map_or(0, |snapshot| snapshot.columns.len()),
            position: position.cursor(),
            durable_position: snapshot.as_ref().map_or(0, |snapshot| snapshot.position.cursor()),
            open_gaps: position.gaps().len(),
            rebuild: self.rebuild_wanted(),
        }
    }

    /// The counters that searches show.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Waits until answers reflect the change of `index_log` with this id. False: not within `timeout`.
    pub async fn wait_for(&self, id: u64, timeout: Duration) -> bool {
        let mut positions = self.shared.position.subscribe();
        tokio::time::timeout(timeout, positions.wait_for(|position| position.covers(id)))
            .await
            .is_ok_and(|found| found.is_ok())
    }

    /// Why it must be built anew, if it must.
    pub fn rebuild_wanted(&self) -> Option<RebuildReason> {
        *self.shared.rebuild.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is being built anew.
    pub fn is_building(&self) -> bool {
        self.shared.building.try_lock().is_err()
    }

    /// Notes that it must be built anew. It goes on answering.
    pub fn want_rebuild(&self, reason: RebuildReason) {
        *self.shared.rebuild.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Saves the counters beside the index, if they changed since the last time.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_counters(&self) -> Result<bool, IndexError> {
        let path = self.shared.dir.join(COUNTERS);
        self.shared
            .counters
            .save(&path)
            .map_err(|error| IndexError::Folder { path, error })
    }

    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.shared.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets searches see the writer's last commit.
    pub(crate) fn publish(&self, writer: &Writer) -> Result<(), IndexError> {
        let before = self.snapshot();
        let position = writer.committed.position.clone();
        let Shared { counters, synonyms, .. } = &*self.shared;
        let snapshot = Snapshot::take(writer.generation.clone(), position, counters, synonyms, before.as_deref())?;
        *self.shared.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
        self.shared.position.send_replace(writer.committed.position.clone());
        Ok(())
    }

    /// How far answers reflect the log.
    pub(crate) fn position(&self) -> Position {
        self.shared.position.borrow().clone()
    }

    /// Lets those who wait know that gaps were closed.
    pub(crate) fn note_position(&self, position: &Position) {
        self.shared.position.send_if_modified(|known| {
            let news = known.gaps().len() != position.gaps().len();
            if news {
                *known = position.clone();
            }
            news
        });
    }

    /// Opens the writer again, after it failed.
    pub(crate) fn reopened_writer(&self) -> Option<Writer> {
        match open_current(&self.shared.dir, self.shared.writer_memory_bytes) {
            Ok(writer) => Some(writer),
            Err(reason) => {
                self.want_rebuild(reason);
                None
            }
        }
    }

    /// A folder for the next generation.
    pub(crate) fn next_generation_dir(&self) -> PathBuf {
        let highest = generations(&self.shared.dir)
            .into_iter()
            .map(|(number, _)| number)
            .max()
            .unwrap_or(0);
        self.shared.dir.join(format!("{GENERATION}{:06}", highest + 1))
    }

    /// Makes a generation the one that is opened from now on.
    pub(crate) fn point_to(&self, generation: &Generation) -> Result<(), IndexError> {
        let path = self.shared.dir.join(CURRENT);
        let name = generation.dir.file_name().unwrap_or_default().as_encoded_bytes();
        replace_file(&path, name).map_err(|error| IndexError::Folder { path, error })?;
        *self.shared.rebuild.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Deletes all generations but the one that answers. What a search still reads lives on until it is done.
    pub(crate) fn remove_other_generations(&self) {
        let current = fs::read_to_string(self.shared.dir.join(CURRENT)).unwrap_or_default();
        for (_, path) in generations(&self.shared.dir) {
            if path.file_name().and_then(|name| name.to_str()) == Some(current.trim()) {
                continue;
            }
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(%error, path = %path.display(), "an old index is still there");
            }
        }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

/// The name that a folder has, or is given now.
fn name_in(dir: &Path) -> std::io::Result<String> {
    let path = dir.join(NAME);
    if let Ok(name) = fs::read_to_string(&path)
        && !name.trim().is_empty()
    {
        return Ok(name.trim().to_owned());
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(MAX_HOST)
        .collect();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let number = fnv1a(format!("{} {} {}", dir.display(), std::process::id(), now.as_nanos()).as_bytes());
    let name = format!("{host}-{:08x}", number & 0xffff_ffff);
    replace_file(&path, name.as_bytes())?;
    Ok(name)
}

/// Opens the generation that `current` names.
fn open_current(dir: &Path, writer_memory_bytes: usize) -> Result<Writer, RebuildReason> {
    let name = fs::read_to_string(dir.join(CURRENT)).map_err(|_| RebuildReason::Missing)?;
    let broken = |error: String| {
        tracing::warn!(
            error,
            generation = name.trim(),
            "the index does not open and is to be built anew"
        );
        RebuildReason::Broken
    };
    let (generation, payload): (Generation, Payload) = match Generation::open(dir.join(name.trim())) {
        Ok(opened) => opened,
        Err(Unusable::OtherSchema) => return Err(RebuildReason::OtherSchema),
        Err(Unusable::Broken(error)) => return Err(broken(error)),
    };
    Writer::open(Arc::new(generation), payload, writer_memory_bytes).map_err(|error| broken(error.to_string()))
}

/// Folders of generations with their numbers.
fn generations(dir: &Path) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(GENERATION)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect()
}
