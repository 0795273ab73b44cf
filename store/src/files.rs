//! Uploaded files, kept under the SHA-256 of their bytes: a folder on this machine, or an S3-compatible object store.
//!
//! A file is shared by every workflow that names its hash, is never changed, and appears whole or not at all.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use config::Settings;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};

/// Folder of the store that holds racks by hash. Nothing else is ever listed or deleted.
const FOLDER: &str = "racks";

/// Folder of archives.
const ARCHIVE: &str = "archive";

/// Longest wait for a sign of life of the store, for health checks.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// SHA-256 of a file's bytes: its name in the store, and `workflows.file_hash`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileHash([u8; 32]);

impl FileHash {
    /// Hashes a whole file.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes a hash that was computed piece by piece.
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Reads the 32 bytes of a column; `None` when they are not 32.
    pub fn from_column(column: &[u8]) -> Option<Self> {
        column.try_into().ok().map(Self)
    }

    /// The 32 bytes, as stored in a column.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Path in the store: `racks/ab/abcd….adg`. Two digits make 256 folders, so that none holds too many names.
    pub fn path(&self) -> String {
        let hex = self.to_string();
        format!("{FOLDER}/{}/{hex}.adg", &hex[..2])
    }

    /// The hash that a path of the form of [`FileHash::path`] names.
    fn from_path(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?.strip_suffix(".adg")?;
        let hash = Self::from_column(&hex::decode(name).ok()?)?;
        (hash.path() == path).then_some(hash)
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

/// Why a stored file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// No such file.
    #[error("file `{0}` is not stored")]
    NotFound(String),
    /// The file is larger than the caller takes.
    #[error("file `{path}` has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Path in the store.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// What the caller takes, in bytes.
        limit: u64,
    },
    /// `files.url` is of no known kind, or the folder cannot be made.
    #[error("file store `{place}`: {reason}")]
    Unusable {
        /// The folder or URL.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed or is not there; trying again may help.
    #[error("file store: {0}")]
    Unavailable(#[source] object_store::Error),
}

impl From<object_store::Error> for FilesError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::NotFound(path),
            other => Self::Unavailable(other),
        }
    }
}

fn archive_path(name: &str) -> Path {
    Path::from(format!("{ARCHIVE}/{name}"))
}

/// A stored file, as a list shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its hash.
    pub hash: FileHash,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last put.
    pub put_at: DateTime<Utc>,
}

/// A file being read.
pub struct OpenFile {
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes, in order.
    pub bytes: BoxStream<'static, Result<Bytes, FilesError>>,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The file store. Clones share it.
#[derive(Clone, Debug)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
}

impl Files {
    /// Opens the store that the settings name: the object store of `files.url`, or the folder `files` under `data.dir`, which is
    /// made when it is missing.
    ///
    /// # Errors
    /// The URL is of no known kind, or the folder cannot be made.
    pub fn open(settings: &Settings) -> Result<Self, FilesError> {
        if settings.files.url.is_empty() {
            Self::local(settings.files_dir())
        } else {
            Self::object_store(settings.files.url.expose())
        }
    }

    /// A folder on this machine, where an acknowledged file survives a power cut: written beside its place, flushed to the disk,
    /// renamed, and its folder flushed too.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn local(folder: PathBuf) -> Result<Self, FilesError> {
        let unusable = |reason: String| FilesError::Unusable {
            place: folder.display().to_string(),
            reason,
        };
        std::fs::create_dir_all(&folder).map_err(|error| unusable(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|error| unusable(error.to_string()))?
            .with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// `s3://bucket/prefix`, with credentials, region and endpoint from the `AWS_*` environment variables.
    fn object_store(url: &str) -> Result<Self, FilesError> {
        let unusable = |reason: String| FilesError::Unusable {
            place: config::Secret::new(url).to_string(),
            reason,
        };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if !matches!(scheme, "s3" | "s3a") {
            return Err(unusable("`files.url` must start with `s3://`".to_owned()));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            store: Arc::new(PrefixStore::new(store, prefix)),
        })
    }

    /// Stores a file under its hash. When it returns, the file survives a crash. Storing it again is harmless and makes it young
    /// again for the sweep of unnamed files.
    ///
    /// # Errors
    /// The store failed; nothing is visible under the hash then, unless it was before.
    pub async fn put(&self, hash: FileHash, bytes: Bytes) -> Result<(), FilesError> {
        self.store.put(&Path::from(hash.path()), bytes.into()).await?;
        Ok(())
    }

    /// Stores a file under a path: see [`crate::media`], which alone knows which.
    pub(crate) async fn put_path(&self, path: &str, bytes: Bytes) -> Result<(), FilesError> {
        self.store.put(&Path::from(path), bytes.into()).await?;
        Ok(())
    }

    /// Opens a file by its path: see [`crate::media`].
    pub(crate) async fn open_path(&self, path: &str) -> Result<OpenFile, FilesError> {
        let found = self.store.get(&Path::from(path)).await?;
        Ok(OpenFile {
            size: found.meta.size,
            bytes: found.into_stream().map_err(FilesError::from).boxed(),
        })
    }

    /// When the file of a path was put, if it is stored: see [`crate::media`].
    pub(crate) async fn put_at(&self, path: &str) -> Result<Option<DateTime<Utc>>, FilesError> {
        match self.store.head(&Path::from(path)).await {
            Ok(meta) => Ok(Some(meta.last_modified)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Paths in a folder of the store, with when each was put, in no order: see [`crate::media`].
    pub(crate) fn list_paths(&self, folder: &str) -> BoxStream<'static, Result<(String, DateTime<Utc>), FilesError>> {
        self.store
            .list(Some(&Path::from(folder)))
            .map_ok(|meta| (meta.location.to_string(), meta.last_modified))
            .map_err(FilesError::from)
            .boxed()
    }

    /// Deletes a file by its path: see [`crate::media`].
    pub(crate) async fn delete_path(&self, path: &str) -> Result<(), FilesError> {
        match self.store.delete(&Path::from(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores an archive of something under a name in a folder of its own, which no sweep looks into. When it returns, it survives a crash.
    ///
    /// # Errors
    /// The store failed.
    pub async fn put_archive(&self, name: &str, bytes: Bytes) -> Result<(), FilesError> {
        self.store.put(&archive_path(name), bytes.into()).await?;
        Ok(())
    }

    /// Reads an archive whole.
    ///
    /// # Errors
    /// It is not stored, or the store failed.
    pub async fn get_archive(&self, name: &str) -> Result<Bytes, FilesError> {
        Ok(self.store.get(&archive_path(name)).await?.bytes().await?)
    }

    /// Opens a file for reading piece by piece.
    ///
    /// # Errors
    /// It is not stored, or the store failed.
    pub async fn open_file(&self, hash: FileHash) -> Result<OpenFile, FilesError> {
        self.open_path(&hash.path()).await
    }

    /// Reads a whole file, if it is not larger than `limit` bytes.
    ///
    /// # Errors
    /// It is not stored, it is too large, or the store failed.
    pub async fn load(&self, hash: FileHash, limit: u64) -> Result<Bytes, FilesError> {
        self.load_path(&hash.path(), limit).await
    }

    /// Reads a whole file by its path, for rows that another program wrote. A path that no store could hold is not found.
    ///
    /// # Errors
    /// It is not stored, it is too large, or the store failed.
    pub async fn load_path(&self, path: &str, limit: u64) -> Result<Bytes, FilesError> {
        let location = Path::parse(path).map_err(|_| FilesError::NotFound(path.to_owned()))?;
        if location.as_ref().is_empty() {
            return Err(FilesError::NotFound(path.to_owned()));
        }
        let found = match self.store.get(&location).await {
            // A name that the file system does not take, such as one that is too long or names a folder, names no file.
            Err(object_store::Error::Generic { source, .. }) if names_no_file(source.as_ref()) => {
                return Err(FilesError::NotFound(path.to_owned()));
            }
            other => other?,
        };
        if found.meta.size > limit {
            return Err(FilesError::TooLarge {
                path: path.to_owned(),
                size: found.meta.size,
                limit,
            });
        }
        Ok(found.bytes().await?)
    }

    /// The file's entry, or `None` when it is not stored.
    ///
    /// # Errors
    /// The store failed.
    pub async fn find(&self, hash: FileHash) -> Result<Option<StoredFile>, FilesError> {
        match self.store.head(&Path::from(hash.path())).await {
            Ok(meta) => Ok(Some(StoredFile {
                hash,
                size: meta.size,
                put_at: meta.last_modified,
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every stored file, in no order. Names that are no hash are left out.
    pub fn list(&self) -> BoxStream<'static, Result<StoredFile, FilesError>> {
        self.store
            .list(Some(&Path::from(FOLDER)))
            .map_err(FilesError::from)
            .try_filter_map(|meta| async move {
                Ok(FileHash::from_path(meta.location.as_ref()).map(|hash| StoredFile {
                    hash,
                    size: meta.size,
                    put_at: meta.last_modified,
                }))
            })
            .boxed()
    }

    /// Removes a file; one that is not there is no error. Only [`crate::unnamed_files`] may do so, since others may name it.
    pub(crate) async fn delete(&self, hash: FileHash) -> Result<(), FilesError> {
        match self.store.delete(&Path::from(hash.path())).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the store for a sign of life.
    ///
    /// # Errors
    /// It failed, or did not answer within two seconds.
    pub async fn ping(&self) -> Result<(), FilesError> {
        let nothing = FileHash([0; 32]);
        match tokio::time::timeout(PING_TIMEOUT, self.find(nothing)).await {
            Ok(answer) => answer.map(drop),
            Err(_) => Err(FilesError::Unusable {
                place: self.store.to_string(),
                reason: "no answer within two seconds".to_owned(),
            }),
        }
    }
}

/// Whether the operating system says that such a name cannot be a file's.
fn names_no_file(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            return matches!(
                io.kind(),
                std::io::ErrorKind::InvalidFilename
                    | std::io::ErrorKind::IsADirectory
                    | std::io::ErrorKind::NotADirectory
                    | std::io::ErrorKind::InvalidInput
                    | std::io::ErrorKind::NotFound
            );
        }
        cause = current.source();
    }
    false
}
