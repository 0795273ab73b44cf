//! Folders of racks, taken in through the same door as uploads: stored, a row, a parse job; then the parse is waited for.
//!
//! Running it again goes on where it stopped: what is there already is found by its hash and left as it is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use store::files::Files;
use store::queue::{JobPayload, ParseRack, inspect};
use store::wake::Wake;
use store::workflow::{self, Details, ParseState};
use store::{Db, StoreError, UserId, WorkflowId};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep};

use crate::details;
use crate::publish::{PublishError, publish};
use crate::upload::{self, Receiving, UploadError};

/// Files on their way at once. Most of them wait for the disk, for a commit or for the parse, so more than cores.
const AT_ONCE: usize = 24;

/// Attempts at publishing one that loses against other transactions.
const ATTEMPTS: usize = 5;

/// First and longest wait between two looks at a parse.
const LOOK_AFTER: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Time without a result of a parse after which is asked whether anybody parses at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Piece in which a file is read.
const PIECE_BYTES: usize = 256 * 1024;

/// How to take files in.
#[derive(Clone, Debug)]
pub struct FolderOptions {
    /// For whom.
    pub user_id: UserId,
    /// Whether to publish what could be parsed.
    pub publish: bool,
    /// Largest file in bytes: `http.max_upload_bytes`.
    pub max_bytes: u64,
    /// Silence after which a worker is taken for dead: `jobs.dead_after_s`.
    pub dead_after: Duration,
}

/// What became of one file.
#[derive(Debug)]
pub enum FileOutcome {
    /// It is a new workflow.
    Added,
    /// This user had it before.
    AlreadyThere,
    /// It is no rack, or none that can be read.
    Refused {
        /// Stable name of the reason.
        code: String,
        /// The reason.
        reason: String,
    },
    /// It could not be read from the disk, or the database or the file store failed. Trying again may help.
    Failed(FolderError),
}

/// Why a file, or all of them, could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder cannot be read.
    #[error("read `{}`: {error}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database or the file store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody works on the queue.
    #[error("no worker parses the uploads; start `cookbook up` or `cookbook work`, and run this again")]
    NoWorker,
}

/// How many files came to what end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// New workflows.
    pub added: usize,
    /// Files that the user had before.
    pub already_there: usize,
    /// Files that are no racks.
    pub refused: usize,
    /// Files that were not taken in because something failed.
    pub failed: usize,
}

/// The files to take in: each path itself where it is a file, and every `.adg` and `.adv` below it where it is a folder. In the order
/// of their paths. Links to folders are not followed, so that a circle of them ends.
///
/// # Errors
/// A path does not exist or cannot be read.
pub fn find_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FolderError> {
    let mut found = Vec::new();
    for path in paths {
        let at = |error| FolderError::Read {
            path: path.clone(),
            error,
        };
        if std::fs::metadata(path).map_err(at)?.is_dir() {
            walk(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), FolderError> {
    let at = |error| FolderError::Read {
        path: folder.to_owned(),
        error,
    };
    for entry in std::fs::read_dir(folder).map_err(at)? {
        let entry = entry.map_err(at)?;
        let path = entry.path();
        if entry.file_type().map_err(at)?.is_dir() {
            walk(&path, found)?;
        } else if has_rack_ending(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file in a folder is worth a look. What it really is, its bytes say.
fn has_rack_ending(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("adg") || ending.eq_ignore_ascii_case("adv"))
}

/// Takes files in, many at once, and tells `report` of each as it ends.
///
/// # Errors
/// Nobody parses what is uploaded. What fails for one file only is reported as its outcome.
pub async fn take_in(
    db: &Db,
    files: &Files,
    wake: &Wake,
    paths: Vec<PathBuf>,
    options: &FolderOptions,
    mut report: impl FnMut(&Path, &FileOutcome),
) -> Result<Summary, FolderError> {
    let mut summary = Summary::default();
    let mut outcomes = futures::stream::iter(paths)
        .map(|path| async {
            let outcome = take_in_one(db, files, wake, &path, options).await;
            (path, outcome)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((path, outcome)) = outcomes.next().await {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(FolderError::NoWorker) => return Err(FolderError::NoWorker),
            Err(error) => FileOutcome::Failed(error),
        };
        match outcome {
            FileOutcome::Added => summary.added += 1,
            FileOutcome::AlreadyThere => summary.already_there += 1,
            FileOutcome::Refused { .. } => summary.refused += 1,
            FileOutcome::Failed(_) => summary.failed += 1,
        }
        report(&path, &outcome);
    }
    Ok(summary)
}

async fn take_in_one(
    db: &Db,
    files: &Files,
    wake: &Wake,
    path: &Path,
    options: &FolderOptions,
) -> Result<FileOutcome, FolderError> {
    let received = match receive(path, options.max_bytes).await {
        Ok(receiving) => receiving.finish(),
        Err(ReceiveError::Upload(error)) => Err(error),
        Err(ReceiveError::Read(error)) => {
            return Err(FolderError::Read {
                path: path.to_owned(),
                error,
            });
        }
    };
    let details = Details {
        title: details::title_of_file(&path.file_name().unwrap_or_default().to_string_lossy()),
        ..Details::default()
    };
    let accepted = match received {
        Ok(received) => upload::accept(db, files, options.user_id, &received, &details, &[]).await,
        Err(error) => Err(error),
    };
    let accepted = match accepted {
        Ok(accepted) => accepted,
        Err(UploadError::Store(error)) => return Err(error.into()),
        Err(UploadError::NotARack(error)) => return Ok(refused(error.code(), &error)),
        Err(error @ UploadError::TooLarge { .. }) => return Ok(refused("too_large", &error)),
    };
    wake.notify(ParseRack::QUEUE);
    wait_for_parse(db, accepted.workflow_id, options.dead_after).await?;
    let id = accepted.workflow_id;
    let mut connection = db.acquire().await.map_err(StoreError::from)?;
    let Some(workflow) = workflow::find(&mut connection, id).await? else {
        return Ok(refused("not_found", "somebody deleted it meanwhile"));
    };
    drop(connection);
    if workflow.parse_state != ParseState::Parsed {
        let code = workflow.parse_error_code.as_deref().unwrap_or("no_file");
        let reason = workflow.parse_error.as_deref().unwrap_or("its file is not in the store");
        return Ok(refused(code, reason));
    }
    // What its author has hidden stays hidden: only what was just added is published.
    if options.publish && !workflow.is_published && workflow.published_at.is_none() {
        match publish_with_retries(db, id).await {
            Ok(()) => {}
            Err(PublishError::Store(error)) => return Err(error.into()),
            Err(error) => return Ok(refused(error.code(), &error)),
        }
    }
    Ok(if accepted.is_new {
        FileOutcome::Added
    } else {
        FileOutcome::AlreadyThere
    })
}

fn refused(code: &str, reason: impl ToString) -> FileOutcome {
    FileOutcome::Refused {
        code: code.to_owned(),
        reason: reason.to_string(),
    }
}

/// Why a file did not come in.
enum ReceiveError {
    Read(io::Error),
    Upload(UploadError),
}

/// Reads a file piece by piece, and not at all further than it takes to see that it is no rack.
async fn receive(path: &Path, max_bytes: u64) -> Result<Receiving, ReceiveError> {
    let mut file = tokio::fs::File::open(path).await.map_err(ReceiveError::Read)?;
    let mut receiving = Receiving::new(max_bytes);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece).await.map_err(ReceiveError::Read)?;
        if length == 0 {
            return Ok(receiving);
        }
        receiving.push(&piece[..length]).map_err(ReceiveError::Upload)?;
    }
}

/// Waits until the workflow is no longer pending.
async fn wait_for_parse(db: &Db, id: WorkflowId, dead_after: Duration) -> Result<(), FolderError> {
    let mut look_after = LOOK_AFTER.0;
    let mut asked = Instant::now();
    loop {
        let mut connection = db.acquire().await.map_err(StoreError::from)?;
        let file = workflow::find_rack_file(&mut connection, id).await?;
        if file.is_none_or(|file| file.parse_state != ParseState::Pending) {
            return Ok(());
        }
        if asked.elapsed() > PATIENCE {
            let workers = inspect::live_workers(&mut connection, dead_after).await?;
            if !workers.iter().any(|worker| worker.queue == ParseRack::QUEUE) {
                return Err(FolderError::NoWorker);
            }
            asked = Instant::now();
        }
        drop(connection);
        sleep(look_after).await;
        look_after = (look_after * 2).min(LOOK_AFTER.1);
    }
}

async fn publish_with_retries(db: &Db, id: WorkflowId) -> Result<(), PublishError> {
    let mut attempt = 1;
    loop {
        let mut tx = db.begin().await.map_err(StoreError::from)?;
        match publish(&mut tx, id).await {
            Ok(()) => return Ok(tx.commit().await.map_err(StoreError::from)?),
            Err(PublishError::Store(error)) if error.is_lock_conflict() && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}
