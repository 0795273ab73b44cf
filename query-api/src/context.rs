//! What handlers work with.

use std::sync::Arc;

use config::Settings;
use indexer::Index;
use store::files::Files;
use store::wake::Wake;
use store::{Conn, Db, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

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
    uploads: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

impl ApiContext {
    /// Puts a context together.
    pub fn new(db: Db, files: Files, index: Index, settings: Arc<Settings>, wake: Wake) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let grains = (settings.http.max_upload_bytes * FULL_UPLOADS) / GRAIN_BYTES as u64;
        Self {
            db,
            files,
            settings,
            index,
            wake,
            searches: Arc::new(Semaphore::new(cores)),
            uploads: Arc::new(Semaphore::new(usize::try_from(grains).unwrap_or(Semaphore::MAX_PERMITS))),
        }
    }

    /// A connection from the pool.
    ///
    /// # Errors
    /// The database is not there.
    pub async fn connection(&self) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, ApiError> {
        Ok(self.db.acquire().await.map_err(StoreError::from)?)
    }

    /// A place among the searches that compute at once: one a core, since more would only slow each other down.
    pub(crate) async fn place_to_search(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.searches).acquire_owned().await.map_err(ApiError::internal)
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
