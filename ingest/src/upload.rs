//! Bytes received and hashed, looked at, stored, and a row with its parse job.
//!
//! The order makes an acknowledged upload durable: the file is on the disk before the row names it, and row and job commit together.
//! A crash in between leaves a file that nothing names, which a sweep removes.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use store::files::{FileHash, Files, FilesError};
use store::queue::{self, ParseRack};
use store::workflow::{self, Details, NewWorkflow, ParseState, PresetForm, RackKind};
use store::{Conn, Db, StoreError, UserId, WorkflowId};

use crate::parse::{ParseError, SNIFF_BYTES, sniff};
use crate::slug;

/// Attempts at a transaction that loses against others.
const ATTEMPTS: usize = 5;

/// Slugs tried before giving up; from the second on they end in five random characters.
const SLUG_ATTEMPTS: usize = 4;

/// Why an upload was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// More bytes than allowed.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// `http.max_upload_bytes`.
        limit: u64,
    },
    /// The head of the file says that it is no rack.
    #[error(transparent)]
    NotARack(#[from] ParseError),
    /// The database or the file store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FilesError> for UploadError {
    fn from(error: FilesError) -> Self {
        Self::Store(error.into())
    }
}

/// A file that is coming in, piece by piece.
#[derive(Debug)]
pub struct Receiving {
    bytes: Vec<u8>,
    hasher: Sha256,
    limit: u64,
    looked_at: bool,
}

/// A file that is all there and looks like a rack or device preset.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its bytes.
    pub bytes: Bytes,
    /// Their hash.
    pub hash: FileHash,
    /// What its head says that it is for, where it does.
    pub kind: Option<RackKind>,
    /// Rack or single device.
    pub form: PresetForm,
}

impl Receiving {
    /// Starts a file of at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            bytes: Vec::new(),
            hasher: Sha256::new(),
            limit,
            looked_at: false,
        }
    }

    /// Takes the next piece. As soon as enough of the head is there, what is no rack is refused without waiting for the rest.
    ///
    /// # Errors
    /// The file is too large, or no rack.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), UploadError> {
        if (self.bytes.len() + piece.len()) as u64 > self.limit {
            return Err(UploadError::TooLarge { limit: self.limit });
        }
        self.bytes.extend_from_slice(piece);
        self.hasher.update(piece);
        if !self.looked_at && self.bytes.len() >= SNIFF_BYTES {
            self.looked_at = true;
            sniff(&self.bytes)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// It is no rack.
    pub fn finish(self) -> Result<Received, UploadError> {
        let sniffed = sniff(&self.bytes)?;
        Ok(Received {
            bytes: self.bytes.into(),
            hash: FileHash::from_bytes(self.hasher.finalize().into()),
            kind: sniffed.kind.map(RackKind::from),
            form: sniffed.form.into(),
        })
    }
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The workflow that holds the file.
    pub workflow_id: WorkflowId,
    /// False when this user had uploaded the same bytes before: then that workflow is the answer, and stays as it is.
    pub is_new: bool,
    /// Position in the log of changes at which search shows it.
    pub position: u64,
}

/// Stores the file, adds the row in state `pending`, its tags and its parse job. When it returns, all of that survives a crash.
///
/// The same bytes uploaded twice by one user are one workflow. If that one's file had been lost, it is parsed again.
///
/// # Errors
/// The database or the file store failed; then there is no row.
pub async fn accept(
    db: &Db,
    files: &Files,
    user_id: UserId,
    received: &Received,
    details: &Details,
    tags: &[String],
) -> Result<Accepted, UploadError> {
    files.put(received.hash, received.bytes.clone()).await?;
    let mut attempt = 1;
    loop {
        match record(db, files, user_id, received, details, tags).await {
            Err(UploadError::Store(error)) if error.is_lock_conflict() && attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

/// One attempt at the transaction.
async fn record(
    db: &Db,
    files: &Files,
    user_id: UserId,
    received: &Received,
    details: &Details,
    tags: &[String],
) -> Result<Accepted, UploadError> {
    let mut tx = db.begin().await.map_err(StoreError::from)?;
    let (workflow_id, is_new) = find_or_insert(&mut tx, user_id, received, details).await?;
    if is_new {
        store::tag::set(&mut tx, workflow_id, tags).await?;
        queue::enqueue(&mut tx, &ParseRack { workflow_id }, None).await?;
    } else if is_lost(&mut tx, workflow_id).await? {
        workflow::record_pending(&mut tx, workflow_id).await?;
        queue::enqueue(&mut tx, &ParseRack { workflow_id }, None).await?;
    }
    // The sweep of unnamed files may have removed the file between `put` and the row. From here on it sees the row and waits for it.
    if files.find(received.hash).await?.is_none() {
        files.put(received.hash, received.bytes.clone()).await?;
    }
    let position = workflow::latest_change(&mut tx).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(Accepted {
        workflow_id,
        is_new,
        position,
    })
}

/// The user's workflow of this file, made now if there is none, and whether it was made now.
async fn find_or_insert(
    db: &mut Conn,
    user_id: UserId,
    received: &Received,
    details: &Details,
) -> Result<(WorkflowId, bool), StoreError> {
    if let Some(id) = workflow::find_by_file(db, user_id, received.hash).await? {
        return Ok((id, false));
    }
    let plain_slug = slug::of_title(&details.title);
    let mut slug = plain_slug.clone();
    let mut attempt = 1;
    loop {
        let new = NewWorkflow {
            user_id,
            details,
            slug: &slug,
            kind: received.kind,
            form: received.form,
            file_hash: received.hash,
            // The limit of uploads is far below two gigabytes.
            file_size: i32::try_from(received.bytes.len()).unwrap_or(i32::MAX),
        };
        match workflow::insert(db, &new).await {
            Ok(id) => return Ok((id, true)),
            // Either the same upload won a race, or the slug is taken.
            Err(error) if error.is_duplicate() => {
                if let Some(id) = workflow::find_by_file_now(db, user_id, received.hash).await? {
                    return Ok((id, false));
                }
                if attempt == SLUG_ATTEMPTS {
                    return Err(error);
                }
                attempt += 1;
                slug = slug::with_suffix(&plain_slug);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether an earlier parse did not find the file that was just stored again.
async fn is_lost(db: &mut Conn, id: WorkflowId) -> Result<bool, StoreError> {
    let file = workflow::find_rack_file(db, id).await?;
    Ok(file.is_some_and(|file| file.parse_state == ParseState::NoFile))
}
