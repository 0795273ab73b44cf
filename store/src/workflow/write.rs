//! What authors do to their workflows. Counts in other tables are kept by triggers.

use super::{Difficulty, PresetForm, Preview, RackKind, RackType, Tempo};
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
    /// Tempo.
    pub tempo: Option<Tempo>,
    /// Key, at most 10 characters.
    pub key_signature: Option<String>,
    /// Difficulty.
    pub difficulty: Difficulty,
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
    /// What the head of the file says that it is, until the parse knows better.
    pub kind: Option<RackKind>,
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
        new.kind.map_or(RackType::AudioEffect, RackKind::rack_type),
        new.kind,
        new.form,
        new.details.genre,
        new.details.tempo.map(Tempo::rounded),
        new.details.tempo.map(Tempo::decimal),
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

/// What an author changes. Outside, whether a field is changed; inside, whether it then has a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetailChanges {
    /// Title, 1 to 255 characters.
    pub title: Option<String>,
    /// Description.
    pub description: Option<Option<String>>,
    /// Genre.
    pub genre: Option<Option<String>>,
    /// Tempo.
    pub tempo: Option<Option<Tempo>>,
    /// Key.
    pub key_signature: Option<Option<String>>,
    /// Difficulty.
    pub difficulty: Option<Difficulty>,
}

/// Changes what the author says about it, and nothing else: what another program wrote into the other columns stays as it is, even
/// where we would not have taken it.
///
/// # Errors
/// The database refused.
pub async fn change_details(db: &mut Conn, id: WorkflowId, changes: &DetailChanges) -> Result<(), StoreError> {
    let tempo = changes.tempo.flatten();
    sqlx::query!(
        r#"
        UPDATE workflows
        SET title = COALESCE(?, title), description = IF(?, ?, description), genre = IF(?, ?, genre),
            bpm = IF(?, ?, bpm), tempo = IF(?, ?, tempo), key_signature = IF(?, ?, key_signature),
            difficulty_level = COALESCE(?, difficulty_level)
        WHERE id = ?
        "#,
        changes.title,
        changes.description.is_some(),
        changes.description.as_ref().and_then(Option::as_deref),
        changes.genre.is_some(),
        changes.genre.as_ref().and_then(Option::as_deref),
        changes.tempo.is_some(),
        tempo.map(Tempo::rounded),
        changes.tempo.is_some(),
        tempo.map(Tempo::decimal),
        changes.key_signature.is_some(),
        changes.key_signature.as_ref().and_then(Option::as_deref),
        changes.difficulty,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Locks a workflow against every other change until the transaction ends. False when it is gone.
///
/// # Errors
/// The database refused.
pub async fn lock(db: &mut Conn, id: WorkflowId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!("SELECT id FROM workflows WHERE id = ? FOR UPDATE", id)
        .fetch_optional(db)
        .await?;
    Ok(found.is_some())
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

/// Names the file of a preview, or none, in a transaction that has locked the workflow; gives what was named before.
///
/// # Errors
/// The database refused.
pub async fn set_preview(db: &mut Conn, id: WorkflowId, preview: Preview, path: Option<&str>) -> Result<(), StoreError> {
    match preview {
        Preview::Audio => sqlx::query!("UPDATE workflows SET preview_audio_path = ? WHERE id = ?", path, id),
        Preview::Image => sqlx::query!("UPDATE workflows SET preview_image_path = ? WHERE id = ?", path, id),
    }
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
    lock(db, id).await?;
    sqlx::query!("DELETE FROM collection_workflows WHERE workflow_id = ?", id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM workflow_tag_pivot WHERE workflow_id = ?", id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM workflows WHERE id = ?", id).execute(db).await?;
    Ok(())
}
