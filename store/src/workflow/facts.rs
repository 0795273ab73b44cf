//! What the parse found, and what became of it.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Edition, ParseState, PresetForm, RackKind};
use crate::files::FileHash;
use crate::rack_summary::RackSummary;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// Longest error text that the row takes, in characters.
const MAX_ERROR_CHARS: usize = 1000;

/// What a parse needs to know of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RackFile {
    /// Whose.
    pub user_id: UserId,
    /// The stored file.
    pub file_hash: Option<FileHash>,
    /// Where a row of another program says that its file is.
    pub adg_file_path: String,
    /// What became of the parse so far.
    pub parse_state: ParseState,
}

/// Everything that is recorded of a parsed file.
#[derive(Clone, Debug)]
pub struct ParsedFacts {
    /// What it is for.
    pub kind: RackKind,
    /// Rack or single device.
    pub form: PresetForm,
    /// SHA-256 of the bytes that were parsed.
    pub file_hash: FileHash,
    /// Their number.
    pub file_size: i32,
    /// SHA-256 of the uncompressed XML.
    pub content_hash: [u8; 32],
    /// Version of Live that wrote it.
    pub ableton_version: Option<String>,
    /// Distinct device names: the seed's `devices_used`.
    pub devices_used: Value,
    /// The seed's `macro_controls`.
    pub macro_controls: Value,
    /// Least version of Live that opens it.
    pub required_live_version: Option<String>,
    /// Least edition of Live that opens it completely.
    pub required_edition: Edition,
    /// What forces version and edition.
    pub requirements: Value,
    /// Version of the parser.
    pub parser_version: u32,
    /// The few facts that the index needs.
    pub summary: RackSummary,
    /// The whole parsed rack.
    pub rack: Value,
    /// What the parser found odd.
    pub warnings: Value,
}

/// Reads what a parse needs; `None` when the workflow is gone.
///
/// # Errors
/// The database refused.
pub async fn find_rack_file(db: &mut Conn, id: WorkflowId) -> Result<Option<RackFile>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT user_id AS "user_id: UserId", file_hash, adg_file_path, parse_state AS "parse_state: ParseState"
        FROM workflows WHERE id = ?
        "#,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| RackFile {
        user_id: row.user_id,
        file_hash: row.file_hash.as_deref().and_then(FileHash::from_column),
        adg_file_path: row.adg_file_path,
        parse_state: row.parse_state,
    }))
}

/// Records a successful parse, replacing whatever an earlier one left. False when the workflow is gone.
///
/// A row of another program gets its `file_hash` here, unless its author has another workflow of the same file.
/// The author changed nothing, so `updated_at` stays.
///
/// # Errors
/// The database refused.
pub async fn record_parsed(db: &mut Conn, id: WorkflowId, facts: &ParsedFacts) -> Result<bool, StoreError> {
    let Some(row) = sqlx::query!(
        r#"SELECT user_id AS "user_id: UserId", file_hash FROM workflows WHERE id = ? FOR UPDATE"#,
        id
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(false);
    };
    let taken = row.file_hash.is_none()
        && super::find_by_file(db, row.user_id, facts.file_hash)
            .await?
            .is_some_and(|other| other != id);
    let file_hash = (!taken).then_some(facts.file_hash.as_bytes());
    sqlx::query!(
        r#"
        UPDATE workflows
        SET kind = ?, rack_type = ?, preset_form = ?, file_hash = COALESCE(file_hash, ?), file_size = ?, content_hash = ?,
            ableton_version = ?, devices_used = ?, macro_controls = ?,
            required_live_version = ?, required_edition = ?, requirements = ?,
            parse_state = 'parsed', parse_error_code = NULL, parse_error = NULL, parser_version = ?, parsed_at = UTC_TIMESTAMP(6),
            updated_at = updated_at
        WHERE id = ?
        "#,
        facts.kind,
        facts.kind.rack_type(),
        facts.form,
        file_hash,
        facts.file_size,
        &facts.content_hash[..],
        facts.ableton_version,
        facts.devices_used,
        facts.macro_controls,
        facts.required_live_version,
        facts.required_edition,
        facts.requirements,
        facts.parser_version,
        id
    )
    .execute(&mut *db)
    .await?;
    crate::parsed_rack::replace(db, id, facts.parser_version, &facts.summary, &facts.rack, &facts.warnings).await?;
    Ok(true)
}

/// Records that the file is no rack that we can read, and why. A permanent outcome.
///
/// # Errors
/// The database refused.
pub async fn record_failed(
    db: &mut Conn,
    id: WorkflowId,
    code: &str,
    message: &str,
    parser_version: u32,
) -> Result<(), StoreError> {
    let message: String = message.chars().take(MAX_ERROR_CHARS).collect();
    sqlx::query!(
        r#"
        UPDATE workflows
        SET parse_state = 'failed', parse_error_code = ?, parse_error = ?, parser_version = ?, parsed_at = UTC_TIMESTAMP(6),
            updated_at = updated_at
        WHERE id = ?
        "#,
        code,
        message,
        parser_version,
        id
    )
    .execute(&mut *db)
    .await?;
    crate::parsed_rack::remove(db, id).await
}

/// Records that the row names no stored file. It is not asked again.
///
/// # Errors
/// The database refused.
pub async fn record_no_file(db: &mut Conn, id: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE workflows
        SET parse_state = 'no_file', parse_error_code = NULL, parse_error = NULL, updated_at = updated_at
        WHERE id = ? AND parse_state = 'pending'
        "#,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Puts a workflow whose file is stored again back to `pending`, to be parsed once more.
///
/// # Errors
/// The database refused.
pub async fn record_pending(db: &mut Conn, id: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE workflows SET parse_state = 'pending', updated_at = updated_at WHERE id = ?",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes when a search first found workflows, of those of which it is not noted yet: then, or when they are to be seen.
///
/// # Errors
/// The database refused.
pub async fn note_searchable(db: &mut Conn, workflows: &[WorkflowId], at: DateTime<Utc>) -> Result<(), StoreError> {
    // Each by itself: whoever holds one of them keeps nobody from the others.
    for id in workflows {
        sqlx::query!(
            "UPDATE workflows SET searchable_at = GREATEST(?, COALESCE(published_at, created_at)), updated_at = updated_at
             WHERE id = ? AND searchable_at IS NULL",
            at,
            id
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Workflows of the last day, and of those to come, that are visible or will be, parsed, and not noted as found by a search.
///
/// # Errors
/// The database refused.
pub async fn find_unnoted(db: &mut Conn, limit: u32) -> Result<Vec<WorkflowId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: WorkflowId" FROM workflows
           WHERE is_published = TRUE AND published_at >= UTC_TIMESTAMP() - INTERVAL 1 DAY AND taken_down_at IS NULL
             AND parse_state = 'parsed' AND searchable_at IS NULL
           LIMIT ?"#,
        limit
    )
    .fetch_all(db)
    .await?)
}
