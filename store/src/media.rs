//! Pictures and sounds that belong to one row each, in the file store beside the racks. They are not shared, so that whoever replaces
//! one deletes the one before.

use std::fmt;

use bytes::Bytes;

use crate::files::{FileHash, Files, FilesError, OpenFile};

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
