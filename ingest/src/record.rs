//! A workflow's stored file, parsed, and what was found in it, recorded.

use bytes::Bytes;
use store::files::{FileHash, Files, FilesError};
use store::workflow::{self, Edition, ParsedFacts, RackFile};
use store::{Db, StoreError, WorkflowId};

use crate::parse::{Limits, PARSER_VERSION, ParseError, Parsed, parse};

/// Code of the error of a file that is larger than any rack may be unpacked.
const TOO_LARGE: &str = "file_too_large";

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The facts of the file.
    Parsed,
    /// That the file is no rack that we can read. Trying again would find the same.
    Failed {
        /// Stable name of the reason.
        code: &'static str,
    },
    /// That the row names no stored file.
    NoFile,
    /// Nothing: the workflow is gone.
    Gone,
}

/// Why nothing could be recorded. Trying again may help.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The database or the file store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The parse ended without a result: a fault of ours, for its limits should stop it first.
    #[error("parse of workflow `{workflow_id}` ended without a result: {reason}")]
    NoResult {
        /// Whose file.
        workflow_id: WorkflowId,
        /// What the runtime says.
        reason: String,
    },
}

impl From<FilesError> for RecordError {
    fn from(error: FilesError) -> Self {
        Self::Store(error.into())
    }
}

/// Parses a workflow's file and records what it finds, in one transaction. Safe to repeat, late or twice at once: the same bytes give
/// the same facts, which replace any earlier ones.
///
/// # Errors
/// The database or the file store failed; then nothing is recorded.
pub async fn parse_and_record(db: &Db, files: &Files, limits: &Limits, workflow_id: WorkflowId) -> Result<Recorded, RecordError> {
    let mut connection = db.acquire().await.map_err(StoreError::from)?;
    let Some(file) = workflow::find_rack_file(&mut connection, workflow_id).await? else {
        return Ok(Recorded::Gone);
    };
    let bytes = match load(files, &file, limits.max_xml_bytes).await {
        Ok(bytes) => bytes,
        Err(FilesError::NotFound(_)) => {
            workflow::record_no_file(&mut connection, workflow_id).await?;
            return Ok(Recorded::NoFile);
        }
        Err(error @ FilesError::TooLarge { .. }) => {
            workflow::record_failed(&mut connection, workflow_id, TOO_LARGE, &error.to_string(), PARSER_VERSION).await?;
            return Ok(Recorded::Failed { code: TOO_LARGE });
        }
        Err(error) => return Err(error.into()),
    };
    // Parsing takes as long as it takes; nobody waits for the connection meanwhile.
    drop(connection);
    let parsed = parse_aside(bytes.clone(), *limits, workflow_id).await?;
    let mut tx = db.begin().await.map_err(StoreError::from)?;
    let recorded = match parsed {
        Ok(parsed) => {
            let hash = file.file_hash.unwrap_or_else(|| FileHash::of(&bytes));
            if file.file_hash.is_none() {
                files.put(hash, bytes.clone()).await?;
            }
            let is_there = workflow::record_parsed(&mut tx, workflow_id, &facts(&parsed, hash, bytes.len())?).await?;
            // As in an upload: the sweep of unnamed files may have come between.
            if is_there && file.file_hash.is_none() && files.find(hash).await?.is_none() {
                files.put(hash, bytes).await?;
            }
            if is_there { Recorded::Parsed } else { Recorded::Gone }
        }
        Err(error) => {
            workflow::record_failed(&mut tx, workflow_id, error.code(), &error.to_string(), PARSER_VERSION).await?;
            Recorded::Failed { code: error.code() }
        }
    };
    tx.commit().await.map_err(StoreError::from)?;
    Ok(recorded)
}

/// The bytes by their hash, or, of a row of another program, by the path that it names.
async fn load(files: &Files, file: &RackFile, limit: u64) -> Result<Bytes, FilesError> {
    match file.file_hash {
        Some(hash) => files.load(hash, limit).await,
        None => files.load_path(&file.adg_file_path, limit).await,
    }
}

/// Parses on a thread that may be busy.
async fn parse_aside(bytes: Bytes, limits: Limits, workflow_id: WorkflowId) -> Result<Result<Parsed, ParseError>, RecordError> {
    tokio::task::spawn_blocking(move || parse(&bytes, &limits))
        .await
        .map_err(|error| RecordError::NoResult {
            workflow_id,
            reason: error.to_string(),
        })
}

fn facts(parsed: &Parsed, file_hash: FileHash, size: usize) -> Result<ParsedFacts, StoreError> {
    let rack = &parsed.rack;
    let requirements = rack.requirements();
    Ok(ParsedFacts {
        kind: rack.kind.into(),
        form: rack.form.into(),
        file_hash,
        file_size: i32::try_from(size).unwrap_or(i32::MAX),
        content_hash: parsed.content_hash,
        ableton_version: rack.ableton_version(),
        devices_used: rack.devices_used(),
        macro_controls: rack.macro_controls(),
        required_live_version: requirements.live_version.map(|version| version.to_string()),
        required_edition: requirements.edition.map_or(Edition::Unknown, edition),
        requirements: serde_json::to_value(&requirements.reasons)?,
        parser_version: PARSER_VERSION,
        summary: rack.summary(),
        rack: serde_json::to_value(rack)?,
        warnings: serde_json::to_value(&parsed.warnings)?,
    })
}

fn edition(edition: config::catalogue::Edition) -> Edition {
    match edition {
        config::catalogue::Edition::Intro => Edition::Intro,
        config::catalogue::Edition::Standard => Edition::Standard,
        config::catalogue::Edition::Suite => Edition::Suite,
    }
}
