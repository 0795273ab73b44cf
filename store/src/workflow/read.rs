//! One workflow, as its page shows it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sqlx::types::Json;

use super::{Difficulty, Edition, ParseState, PresetForm, RackKind, RackType};
use crate::files::FileHash;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// A row of `workflows` with its author and tags.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// Who made it.
    pub author: Author,
    /// Title.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// Unique name for addresses; stays when the title changes.
    pub slug: String,
    /// What it is for: by its file, or by the seed's `rack_type` where no file was parsed.
    pub kind: RackKind,
    /// Rack or single device; `None` before the parse and without a file.
    pub form: Option<PresetForm>,
    /// Genre, as its author says.
    pub genre: Option<String>,
    /// Beats per minute, to the hundredth.
    pub bpm: Option<f64>,
    /// Key as its author wrote it.
    pub key_signature: Option<String>,
    /// Key in canonical form; `None` where the written one is no key.
    pub musical_key: Option<String>,
    /// Difficulty, as its author says.
    pub difficulty: Difficulty,
    /// Tags, by name.
    pub tags: Vec<String>,
    /// The stored file.
    pub file_hash: Option<FileHash>,
    /// Where a row of another program says that its file is.
    pub adg_file_path: String,
    /// What `preview_audio_path` holds.
    pub preview_audio_path: Option<String>,
    /// What `preview_image_path` holds.
    pub preview_image_path: Option<String>,
    /// The file's size in bytes.
    pub file_size: Option<i32>,
    /// Version of Live that wrote the file.
    pub ableton_version: Option<String>,
    /// What became of the parse.
    pub parse_state: ParseState,
    /// Stable code of the parse's error.
    pub parse_error_code: Option<String>,
    /// The parse's error for people.
    pub parse_error: Option<String>,
    /// Version of the parser that read it.
    pub parser_version: Option<u32>,
    /// When it was parsed.
    pub parsed_at: Option<DateTime<Utc>>,
    /// Least version of Live that opens it.
    pub required_live_version: Option<String>,
    /// Least edition of Live that opens it completely.
    pub required_edition: Option<Edition>,
    /// What forces version and edition, as the parser wrote it.
    pub requirements: Option<serde_json::Value>,
    /// Downloads that count.
    pub downloads: i32,
    /// Likes.
    pub likes: i32,
    /// Comments.
    pub comments: i32,
    /// Ratings.
    pub ratings: i32,
    /// Mean of the ratings, 0 without any.
    pub average_rating: f64,
    /// Whether its author published it.
    pub is_published: bool,
    /// When it was, or will be, public.
    pub published_at: Option<DateTime<Utc>>,
    /// Whether an admin put it forward.
    pub is_featured: bool,
    /// When an admin took it down.
    pub taken_down_at: Option<DateTime<Utc>>,
    /// Why an admin took it down.
    pub taken_down_reason: Option<String>,
    /// Whether everybody may see it now.
    pub is_visible: bool,
    /// When the row was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When its author changed it last.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Who made a workflow.
#[derive(Clone, Debug)]
pub struct Author {
    /// Their id.
    pub id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
}

/// Reads one workflow, visible or not: whoever asks decides by `is_visible` and the author.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, id: WorkflowId) -> Result<Option<Workflow>, StoreError> {
    let Some(row) = sqlx::query!(
        r#"
        SELECT w.id AS "id: WorkflowId", w.user_id AS "user_id: UserId", u.username, u.display_name,
               w.title, w.description, w.slug, w.rack_type AS "rack_type: RackType", w.kind AS "kind: RackKind",
               w.preset_form AS "form: PresetForm", w.genre, COALESCE(w.tempo, w.bpm) AS "tempo: Decimal",
               w.key_signature, w.musical_key, w.difficulty_level AS "difficulty: Difficulty",
               w.file_hash, w.adg_file_path, w.preview_audio_path, w.preview_image_path, w.file_size, w.ableton_version,
               w.parse_state AS "parse_state: ParseState", w.parse_error_code, w.parse_error, w.parser_version, w.parsed_at,
               w.required_live_version, w.required_edition AS "required_edition: Edition",
               w.requirements AS "requirements: Json<serde_json::Value>",
               COALESCE(w.downloads_count, 0) AS "downloads!: i32", COALESCE(w.likes_count, 0) AS "likes!: i32",
               COALESCE(w.comments_count, 0) AS "comments!: i32", COALESCE(w.ratings_count, 0) AS "ratings!: i32",
               COALESCE(w.average_rating, 0) AS "average_rating!: Decimal",
               COALESCE(w.is_published, FALSE) AS "is_published!: bool", w.published_at,
               COALESCE(w.is_featured, FALSE) AS "is_featured!: bool", w.taken_down_at, w.taken_down_reason,
               (COALESCE(w.is_published, FALSE) AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP(6))
                AND w.taken_down_at IS NULL AND COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL) AS "is_visible!: bool",
               w.created_at, w.updated_at
        FROM workflows w JOIN users u ON u.id = w.user_id
        WHERE w.id = ?
        "#,
        id
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(None);
    };
    let tags = crate::tag::of_workflow(db, id).await?;
    Ok(Some(Workflow {
        id: row.id,
        author: Author {
            id: row.user_id,
            username: row.username,
            display_name: row.display_name,
        },
        title: row.title,
        description: row.description,
        slug: row.slug,
        kind: row.kind.unwrap_or(row.rack_type.into()),
        form: row.form,
        genre: row.genre,
        bpm: row.tempo.and_then(|tempo| tempo.to_f64()),
        key_signature: row.key_signature,
        musical_key: row.musical_key,
        difficulty: row.difficulty.unwrap_or_default(),
        tags,
        file_hash: row.file_hash.as_deref().and_then(FileHash::from_column),
        adg_file_path: row.adg_file_path,
        preview_audio_path: row.preview_audio_path,
        preview_image_path: row.preview_image_path,
        file_size: row.file_size,
        ableton_version: row.ableton_version,
        parse_state: row.parse_state,
        parse_error_code: row.parse_error_code,
        parse_error: row.parse_error,
        parser_version: row.parser_version,
        parsed_at: row.parsed_at,
        required_live_version: row.required_live_version,
        required_edition: row.required_edition,
        requirements: row.requirements.map(|json| json.0),
        downloads: row.downloads,
        likes: row.likes,
        comments: row.comments,
        ratings: row.ratings,
        average_rating: row.average_rating.to_f64().unwrap_or_default(),
        is_published: row.is_published,
        published_at: row.published_at,
        is_featured: row.is_featured,
        taken_down_at: row.taken_down_at,
        taken_down_reason: row.taken_down_reason,
        is_visible: row.is_visible,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }))
}

/// Who may see a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visibility {
    /// Its author, who always may.
    pub author: UserId,
    /// Whether everybody may now.
    pub is_visible: bool,
}

/// Who may see a workflow: less to read than [`find`], for what happens all the time.
///
/// # Errors
/// The database refused.
pub async fn find_visibility(db: &mut Conn, id: WorkflowId) -> Result<Option<Visibility>, StoreError> {
    Ok(sqlx::query_as!(
        Visibility,
        r#"
        SELECT w.user_id AS "author: UserId",
               (COALESCE(w.is_published, FALSE) AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP(6))
                AND w.taken_down_at IS NULL AND COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL) AS "is_visible!: bool"
        FROM workflows w JOIN users u ON u.id = w.user_id
        WHERE w.id = ?
        "#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// The workflow that this user made of this file, if there is one.
///
/// # Errors
/// The database refused.
pub async fn find_by_file(db: &mut Conn, user: UserId, hash: FileHash) -> Result<Option<WorkflowId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: WorkflowId" FROM workflows WHERE user_id = ? AND file_hash = ?"#,
        user,
        hash.as_bytes()
    )
    .fetch_optional(db)
    .await?)
}

/// Like [`find_by_file`], but sees what others committed after this transaction began.
///
/// # Errors
/// The database refused.
pub async fn find_by_file_now(db: &mut Conn, user: UserId, hash: FileHash) -> Result<Option<WorkflowId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: WorkflowId" FROM workflows WHERE user_id = ? AND file_hash = ? FOR UPDATE"#,
        user,
        hash.as_bytes()
    )
    .fetch_optional(db)
    .await?)
}

/// The newest position of the log of changes that this connection sees; in a transaction that changed a workflow, its own change is
/// at or before it. A client that waits for this position in search finds what it wrote. 0 for an empty log.
///
/// # Errors
/// The database refused.
pub async fn latest_change(db: &mut Conn) -> Result<u64, StoreError> {
    Ok(sqlx::query_scalar!("SELECT id FROM index_log ORDER BY id DESC LIMIT 1")
        .fetch_optional(db)
        .await?
        .unwrap_or_default())
}
