//! Pictures and sounds that belong to one row each, in the file store beside the racks. Nobody deletes one that another takes the place of:
//! a third may be naming it again at that moment. A sweep removes what no row names, under the row's lock.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;

use crate::files::{FileHash, Files, FilesError, OpenFile};
use crate::{Conn, Db, StoreError};

/// Folder of the store that holds them.
const FOLDER: &str = "media";

/// What a file is to its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A user's picture.
    Avatar,
    /// What a workflow sounds like.
    PreviewAudio,
    /// What a workflow looks like.
    PreviewImage,
}

impl MediaKind {
    const ALL: [Self; 3] = [Self::Avatar, Self::PreviewAudio, Self::PreviewImage];

    fn folder(self) -> &'static str {
        match self {
            Self::Avatar => "avatars",
            Self::PreviewAudio => "preview-audio",
            Self::PreviewImage => "preview-images",
        }
    }
}

/// Where such a file is: `media/avatars/7/abcd….png`. It is what the row's column holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaPath {
    path: String,
    hash: FileHash,
}

impl MediaPath {
    /// The place of these bytes. `ending` is that of their sniffed type, as in `png`.
    pub fn of(kind: MediaKind, owner: u64, bytes: &[u8], ending: &str) -> Self {
        let hash = FileHash::of(bytes);
        Self {
            path: format!("{FOLDER}/{}/{owner}/{hash}.{ending}", kind.folder()),
            hash,
        }
    }

    /// Reads what a column holds; `None` when another program wrote something else there. Only what this gives is ever opened or deleted.
    pub fn parse(column: &str, kind: MediaKind, owner: u64) -> Option<Self> {
        let name = column.strip_prefix(&format!("{FOLDER}/{}/{owner}/", kind.folder()))?;
        let (hash, ending) = name.split_once('.')?;
        let is_plain = !ending.is_empty() && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let hash = FileHash::from_column(&hex::decode(hash).ok()?)?;
        is_plain.then(|| Self {
            path: column.to_owned(),
            hash,
        })
    }

    /// As [`MediaPath::parse`], of whatever kind.
    pub fn parse_any(column: &str, owner: u64) -> Option<Self> {
        MediaKind::ALL.into_iter().find_map(|kind| Self::parse(column, kind, owner))
    }

    /// Reads where a stored file is, and gives whose it is with it.
    fn locate(path: &str) -> Option<(Self, MediaKind, u64)> {
        let owner = path.rsplit('/').nth(1)?.parse().ok()?;
        let found = |kind| Some((Self::parse(path, kind, owner)?, kind, owner));
        MediaKind::ALL.into_iter().find_map(found)
    }

    /// As the column holds it.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// SHA-256 of the bytes.
    pub fn hash(&self) -> FileHash {
        self.hash
    }

    /// Ending of the name.
    pub fn ending(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

impl fmt::Display for MediaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// Stores one. When it returns, the file survives a crash.
///
/// # Errors
/// The store failed.
pub async fn put(files: &Files, path: &MediaPath, bytes: Bytes) -> Result<(), FilesError> {
    files.put_path(path.as_str(), bytes).await
}

/// Stores one again if it is gone, in a transaction that has just named it: a sweep may have removed it between [`put`] and then, and cannot
/// until the commit.
///
/// # Errors
/// The store failed.
pub async fn keep(files: &Files, path: &MediaPath, bytes: Bytes) -> Result<(), FilesError> {
    match files.put_at(path.as_str()).await? {
        Some(_) => Ok(()),
        None => put(files, path, bytes).await,
    }
}

/// Removes what no row names and what was put more than `keep` ago. Returns how many.
///
/// # Errors
/// The database or the file store refused; what was removed so far stays removed, and running again goes on.
pub async fn remove_unnamed(db: &Db, files: &Files, keep: TimeDelta) -> Result<u64, StoreError> {
    let young = Utc::now() - keep;
    let mut removed = 0;
    let mut listed = files.list_paths(FOLDER);
    while let Some((path, put_at)) = listed.try_next().await? {
        if let Some((path, kind, owner)) = MediaPath::locate(&path)
            && put_at < young
            && remove_if_unnamed(db, files, &path, kind, owner, young).await?
        {
            removed += 1;
        }
    }
    Ok(removed)
}

async fn remove_if_unnamed(
    db: &Db,
    files: &Files,
    path: &MediaPath,
    kind: MediaKind,
    owner: u64,
    young: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut tx = db.begin().await?;
    // Whoever names it holds the row from before they look whether it is there.
    let named = named(&mut tx, kind, owner).await?;
    let remove = named.as_deref() != Some(path.as_str()) && files.put_at(path.as_str()).await?.is_some_and(|at| at < young);
    if remove {
        delete(files, path).await?;
    }
    tx.commit().await?;
    Ok(remove)
}

/// What a row names, with its lock.
async fn named(db: &mut Conn, kind: MediaKind, owner: u64) -> Result<Option<String>, StoreError> {
    let found = match kind {
        MediaKind::Avatar => {
            sqlx::query_scalar!("SELECT avatar_path FROM users WHERE id = ? FOR UPDATE", owner)
                .fetch_optional(db)
                .await?
        }
        MediaKind::PreviewAudio => {
            sqlx::query_scalar!("SELECT preview_audio_path FROM workflows WHERE id = ? FOR UPDATE", owner)
                .fetch_optional(db)
                .await?
        }
        MediaKind::PreviewImage => {
            sqlx::query_scalar!("SELECT preview_image_path FROM workflows WHERE id = ? FOR UPDATE", owner)
                .fetch_optional(db)
                .await?
        }
    };
    Ok(found.flatten())
}

/// Opens one for reading.
///
/// # Errors
/// It is not stored, or the store failed.
pub async fn open(files: &Files, path: &MediaPath) -> Result<OpenFile, FilesError> {
    files.open_path(path.as_str()).await
}

/// Deletes one; one that is not there is no error.
///
/// # Errors
/// The store failed.
pub async fn delete(files: &Files, path: &MediaPath) -> Result<(), FilesError> {
    files.delete_path(path.as_str()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_our_own_form_are_read() {
        let path = MediaPath::of(MediaKind::Avatar, 7, b"picture", "png");
        assert_eq!(MediaPath::parse(path.as_str(), MediaKind::Avatar, 7), Some(path.clone()));
        assert_eq!(path.ending(), "png");
        assert_eq!(MediaPath::parse(path.as_str(), MediaKind::Avatar, 8), None);
        assert_eq!(MediaPath::parse(path.as_str(), MediaKind::PreviewImage, 7), None);
        for other in [
            "",
            "avatars/7.png",
            "media/avatars/7/../../racks/ab/x.adg",
            "racks/ab/abcd.adg",
        ] {
            assert_eq!(MediaPath::parse_any(other, 7), None, "{other}");
        }
    }
}
