//! Files that no workflow names, and their end.

use chrono::{TimeDelta, Utc};
use futures::TryStreamExt;

use crate::files::{FileHash, Files};
use crate::{Db, StoreError};

/// Removes stored files that no workflow names and that were put more than `keep` ago. Returns how many.
///
/// An upload stores its file first and its row second, so a young file without a row is normal. And an old one may be named again at
/// this very moment; therefore each removal holds the place in `uq_user_file` where such a row would go, and an upload looks for
/// its file once more after its row is in and before it commits (`ingest::upload`). One of the two sees the other.
///
/// # Errors
/// The database or the file store refused; what was removed so far stays removed, and running again goes on.
pub async fn remove(db: &Db, files: &Files, keep: TimeDelta) -> Result<u64, StoreError> {
    let young = Utc::now() - keep;
    let mut removed = 0;
    let mut listed = files.list();
    while let Some(file) = listed.try_next().await? {
        if file.put_at < young && remove_one(db, files, file.hash, young).await? {
            removed += 1;
        }
    }
    Ok(removed)
}

async fn remove_one(db: &Db, files: &Files, hash: FileHash, young: chrono::DateTime<Utc>) -> Result<bool, StoreError> {
    let named = sqlx::query_scalar!("SELECT id FROM workflows WHERE file_hash = ? LIMIT 1", hash.as_bytes())
        .fetch_optional(db)
        .await?;
    if named.is_some() {
        return Ok(false);
    }
    // REPEATABLE READ, the default of both servers, is what makes this lock the gap.
    let mut tx = db.begin().await?;
    let named = sqlx::query_scalar!(
        "SELECT id FROM workflows WHERE file_hash = ? LIMIT 1 FOR UPDATE",
        hash.as_bytes()
    )
    .fetch_optional(&mut *tx)
    .await?;
    let is_old = files.find(hash).await?.is_some_and(|file| file.put_at < young);
    let remove = named.is_none() && is_old;
    if remove {
        files.delete(hash).await?;
    }
    tx.commit().await?;
    Ok(remove)
}
