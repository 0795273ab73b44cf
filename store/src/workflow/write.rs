//! What authors do to their workflows. Counts in other tables are kept by triggers.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{Difficulty, PresetForm, RackKind};
use crate::files::FileHash;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// What an author says about a workflow, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Title, 1 to 255 characters.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// Genre, at most 100 characters.
    pub genre: Option<String>,
    /// Beats per minute, to the hundredth.
    pub tempo: Option<Decimal>,
    /// Key, at most 10 characters.
    pub key_signature: Option<String>,
    /// Difficulty.
    pub difficulty: Difficulty,
}

impl Details {
    /// The seed's `bpm`: the tempo to the nearest whole number.
    fn bpm(&self) -> Option<i32> {
        self.tempo.and_then(|tempo| tempo.round().to_i32())
    }
}

/// A workflow to be made of an uploaded file.
#[derive(Clone, Debug)]
pub struct NewWorkflow<'a> {
    /// Whose.
    pub user_id: UserId,
    /// What they say about it.
    pub details: &'a Details,
    /// Unique name for addresses.
    pub slug: &'a str,
    /// What the head of the file says that it is.
    pub kind: RackKind,
    /// Rack or single device.
    pub form: PresetForm,
    /// The stored file.
    pub file_hash: FileHash,
    /// Its size in bytes.
    pub file_size: i32,
}

/// Adds a row in state `pending`.
///
/// # Errors
/// The database refused. [`StoreError::is_duplicate`] when the slug is taken or this user already has a workflow of this file.
pub async fn insert(db: &mut Conn, new: &NewWorkflow<'_>) -> Result<WorkflowId, StoreError> {
    let done = sqlx::query!(
        r#"
        INSERT INTO workflows (user_id, title, description, slug, rack_type, kind, preset_form, genre, bpm, tempo, key_signature,
                               difficulty_level, adg_file_path, file_size, file_hash, parse_state)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')
        "#,
        new.user_id,
        new.details.title,
        new.details.description,
        new.slug,
        new.kind.rack_type(),
        new.kind,
        new.form,
        new.details.genre,
        new.details.bpm(),
        new.details.tempo,
        new.details.key_signature,
        new.details.difficulty,
        new.file_hash.path(),
        new.file_size,
        new.file_hash.as_bytes()
    )
    .execute(db)
    .await?;
    Ok(WorkflowId(done.last_insert_id()))
}

/// Replaces what the author says about it.
///
/// # Errors
/// The database refused.
pub async fn update_details(db: &mut Conn, id: WorkflowId, details: &Details) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE workflows
        SET title = ?, description = ?, genre = ?, bpm = ?, tempo = ?, key_signature = ?, difficulty_level = ?
        WHERE id = ?
        "#,
        details.title,
        details.description,
        details.genre,
        details.bpm(),
        details.tempo,
        details.key_signature,
        details.difficulty,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Publishes; the time of the first publication stays. Publishing again changes nothing.
///
/// # Errors
/// The database refused.
pub async fn publish(db: &mut Conn, id: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE workflows SET is_published = TRUE, published_at = COALESCE(published_at, UTC_TIMESTAMP())
        WHERE id = ? AND NOT COALESCE(is_published, FALSE)
        "#,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Hides it from everybody but its author.
///
/// # Errors
/// The database refused.
pub async fn unpublish(db: &mut Conn, id: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!("UPDATE workflows SET is_published = FALSE WHERE id = ?", id)
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes a workflow and everything that hangs on it. Children whose counters live in other tables go first, so that those are
/// right at once: cascades fire no triggers. The workflow is locked before them, in the order that the counting triggers lock.
/// The file stays until the sweep finds that nothing names it.
///
/// # Errors
/// The database refused.
pub async fn delete(db: &mut Conn, id: WorkflowId) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT id FROM workflows WHERE id = ? FOR UPDATE", id)
        .fetch_optional(&mut *db)
        .await?;
    crate::activity::forget_upload(db, id).await?;
    sqlx::query!("DELETE FROM collection_workflows WHERE workflow_id = ?", id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM workflow_tag_pivot WHERE workflow_id = ?", id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM workflows WHERE id = ?", id).execute(db).await?;
    Ok(())
}
