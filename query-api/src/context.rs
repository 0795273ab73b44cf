//! What handlers work with.

use std::sync::Arc;
use std::time::Instant;

use config::Settings;
use indexer::{Index, SearchError};
use store::cache::Cache;
use store::event_writer::EventWriter;
use store::feed::FeedCache;
use store::files::Files;
use store::secret::SigningKey;
use store::trending::Boards;
use store::wake::Wake;
use store::{Conn, Db, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client::Proxies;
use crate::error::{ApiError, FieldError};
use crate::limit::Limits;
use crate::optional_neighbours::OptionalNeighbours;
use crate::passwords::Passwords;
use crate::search_log::SearchLog;
use crate::streams::Streams;
use crate::usage::Usage;

/// Full-size uploads that may be in memory at once. A slow client holds only what it has sent; what does not fit is answered 503.
const FULL_UPLOADS: u64 = 8;

/// Grain of the account of upload memory, in bytes: a semaphore counts at most 2^61 of them, and each piece rounds up to one.
const GRAIN_BYTES: usize = 1024;

/// What handlers work with. Clones share it.
#[derive(Clone, Debug)]
pub struct ApiContext {
    /// The database.
    pub db: Db,
    /// Uploaded files.
    pub files: Files,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The search index.
    pub index: Index,
    /// Tells idle workers that there is a job.
    pub wake: Wake,
    /// Where views and downloads are handed in.
    pub(crate) events: EventWriter,
    /// Feeds in Redis.
    pub feeds: FeedCache,
    /// Open pages.
    pub(crate) streams: Streams,
    /// What trends.
    pub boards: Boards,
    /// What goes together, for answers that need no database.
    pub(crate) neighbours: OptionalNeighbours,
    /// Notes of what is searched.
    pub(crate) search_log: SearchLog,
    /// How often things are used.
    pub(crate) usage: Usage,
    /// Signs links, and keys hashes of addresses.
    pub(crate) key: SigningKey,
    pub(crate) passwords: Passwords,
    pub(crate) limits: Arc<Limits>,
    pub(crate) proxies: Arc<Proxies>,
    uploads: Arc<Semaphore>,
    /// Searches that compute.
    searches: Arc<Semaphore>,
    /// Searches that wait to.
    waiting: Arc<Semaphore>,
}

impl ApiContext {
    /// Puts a context together, on a runtime, since views and downloads are written by a task of their own.
    ///
    /// # Errors
    /// A setting is malformed, or the installation's secret cannot be read or made.
    pub fn new(db: Db, files: Files, index: Index, settings: Arc<Settings>, wake: Wake) -> Result<Self, StoreError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let grains = (settings.http.max_upload_bytes * FULL_UPLOADS) / GRAIN_BYTES as u64;
        let boards = Boards::new(Cache::new(&settings.redis));
        let key = SigningKey::load(&settings)?;
        Ok(Self {
            events: EventWriter::start(db.clone(), &settings.events, &settings.redis, key.clone())?,
            key,
            passwords: Passwords::new(&settings.auth)?,
            limits: Arc::new(Limits::new(&settings)?),
            proxies: Arc::new(Proxies::parse(&settings.http.trusted_proxies)?),
            feeds: FeedCache::new(&settings.redis, &settings.feed),
            streams: Streams::new(db.clone(), settings.feed.max_streams),
            db,
            files,
            search_log: SearchLog::new(&settings.search_log),
            usage: Usage::default(),
            index,
            wake,
            boards,
            neighbours: OptionalNeighbours::default(),
            searches: Arc::new(Semaphore::new(cores)),
            waiting: Arc::new(Semaphore::new(cores * settings.search.queue_per_core.max(1))),
            uploads: Arc::new(Semaphore::new(usize::try_from(grains).unwrap_or(Semaphore::MAX_PERMITS))),
            settings,
        })
    }

    /// A connection from the pool.
    ///
    /// # Errors
    /// The database is not there.
    pub async fn connection(&self) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, ApiError> {
        Ok(self.db.acquire().await.map_err(StoreError::from)?)
    }

    /// Asks the index, where computing holds up nobody: one search a core, since more would only slow each other down. Some more wait
    /// for a moment; what would have to wait longer is answered 503 at once. The question is told when to give up.
    pub(crate) async fn ask_index<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Index, Instant) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || ApiError::Unavailable {
            what: "a free place among the searches",
            cause: None,
        };
        let started = Instant::now();
        let refused = || {
            metrics::counter!("cookbook_searches_refused_total").increment(1);
            busy()
        };
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| refused())?;
        let place = Arc::clone(&self.searches).acquire_owned();
        let place = tokio::time::timeout(self.settings.search.queue(), place)
            .await
            .map_err(|_| refused())?
            .map_err(ApiError::internal)?;
        drop(waiting);
        let (index, budget) = (self.index.clone(), self.settings.search.budget());
        let answer = tokio::task::spawn_blocking(move || {
            let answer = question(&index, Instant::now() + budget);
            drop(place);
            answer
        })
        .await
        .map_err(ApiError::internal)?;
        metrics::histogram!("cookbook_search_seconds").record(started.elapsed().as_secs_f64());
        answer.map_err(ApiError::from)
    }

    /// Waits, for a bounded time, until answers of the index reflect a position in the log of changes. One past the log's end is
    /// nobody's write, and refused, once it has been waited for as long: until then it might have become one.
    pub(crate) async fn index_reaches(&self, position: u64) -> Result<(), ApiError> {
        if self.index.wait_for(position, self.settings.search.wait_for()).await {
            return Ok(());
        }
        // Whether the database answers or not, the index does not reflect it.
        let end = async { store::index_log::end(&mut *self.db.acquire().await?).await };
        if end.await.is_ok_and(|end| position > end) {
            let message = "is past the end of the log of changes";
            return Err(ApiError::Invalid(vec![FieldError::new("wait_for", message)]));
        }
        Err(ApiError::Unavailable {
            what: "the index as of that position",
            cause: None,
        })
    }

    /// An account for the memory of one upload.
    pub(crate) fn upload_memory(&self) -> UploadMemory {
        UploadMemory {
            all: Arc::clone(&self.uploads),
            held: Vec::new(),
        }
    }
}

/// Memory that one upload holds, given back when dropped.
#[derive(Debug)]
pub(crate) struct UploadMemory {
    all: Arc<Semaphore>,
    held: Vec<OwnedSemaphorePermit>,
}

impl UploadMemory {
    /// Takes as much more as a piece of this size needs.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        let grains = u32::try_from(bytes.div_ceil(GRAIN_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.all)
            .try_acquire_many_owned(grains)
            .map_err(|_| ApiError::Unavailable {
                what: "memory for uploads",
                cause: None,
            })?;
        self.held.push(permit);
        Ok(())
    }
}
