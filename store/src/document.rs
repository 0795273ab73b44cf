//! What a search document is made from: a workflow with its author, its tags and the summary of its parsed rack, read in batches.
//!
//! Only rows that may ever be shown are read (see "What is visible" in ARCHITECTURE.md); `published_at` is not tested here but when
//! somebody searches, so that a future one becomes visible without a write.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use crate::rack_summary::RackSummary;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// A workflow as the index needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentRow {
    /// Whose document.
    pub id: WorkflowId,
    /// Title.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// Name in addresses.
    pub slug: String,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`: found in the file, else as its author said.
    pub kind: String,
    /// `rack` or `device`, once parsed.
    pub preset_form: Option<String>,
    /// Genre.
    pub genre: Option<String>,
    /// Beats a minute.
    pub tempo: Option<f64>,
    /// Musical key: canonical where it could be read, else as written.
    pub key: Option<String>,
    /// `beginner`, `intermediate` or `advanced`.
    pub difficulty: Option<String>,
    /// Version of Live that wrote the file.
    pub ableton_version: Option<String>,
    /// Least version of Live that opens it.
    pub required_live_version: Option<String>,
    /// Least edition of Live that opens it.
    pub required_edition: Option<String>,
    /// What forces version and edition; null unless parsed.
    pub requirements: Value,
    /// Device names as a writer of plain SQL gave them; null otherwise.
    pub devices_used: Value,
    /// Macros as a writer of plain SQL gave them; null otherwise.
    pub macro_controls: Value,
    /// Facts of the parsed rack.
    pub summary: Option<RackSummary>,
    /// Chosen by the staff.
    pub is_featured: bool,
    /// Has something to listen to.
    pub has_preview_audio: bool,
    /// Has a picture.
    pub has_preview_image: bool,
    /// When it becomes or became visible; none: at once.
    pub published_at: Option<DateTime<Utc>>,
    /// When the row was made.
    pub created_at: Option<DateTime<Utc>>,
    /// Hash of what is in the file, in hexadecimal, once parsed: the same for a rack that was saved again unchanged.
    pub content_hash: Option<String>,
    /// Its author.
    pub author_id: UserId,
    /// The author's handle.
    pub author_username: String,
    /// The author's display name.
    pub author_display_name: Option<String>,
    /// Its tags, in alphabetical order.
    pub tags: Vec<String>,
    /// Whether it is parsed, was published less than a day ago or is to be later, and is not yet noted as found by a search
    /// ([`crate::workflow::note_searchable`]).
    pub is_new: bool,
}

/// Reads those of `ids` that may be shown, in two queries. An id that is missing from the answer has no document (any more).
/// JSON that is not of the expected shape reads as null: one odd row must not stop an index.
///
/// # Errors
/// The database refused.
pub async fn load(db: &mut Conn, ids: &[WorkflowId]) -> Result<Vec<DocumentRow>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = serde_json::to_string(ids)?;
    let rows = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN
             w.id, w.title, w.description, w.slug, w.genre, w.ableton_version,
             COALESCE(CAST(w.kind AS CHAR), CAST(w.rack_type AS CHAR)) AS "kind!: String",
             CAST(w.preset_form AS CHAR) AS "preset_form: String",
             COALESCE(w.tempo, w.bpm) AS "tempo: Decimal",
             COALESCE(w.musical_key, w.key_signature) AS "musical_key: String",
             CAST(w.difficulty_level AS CHAR) AS "difficulty: String",
             w.required_live_version,
             CAST(w.required_edition AS CHAR) AS "required_edition: String",
             CAST(w.requirements AS CHAR) AS "requirements: String",
             CAST(w.devices_used AS CHAR) AS "devices_used: String",
             CAST(w.macro_controls AS CHAR) AS "macro_controls: String",
             CAST(p.summary AS CHAR) AS "summary: String",
             COALESCE(w.is_featured, FALSE) AS "is_featured!: bool",
             w.preview_audio_path IS NOT NULL AS "has_preview_audio!: bool",
             w.preview_image_path IS NOT NULL AS "has_preview_image!: bool",
             w.published_at, w.created_at, HEX(w.content_hash) AS content_hash,
             w.searchable_at IS NULL AND w.parse_state = 'parsed'
               AND COALESCE(w.published_at, w.created_at) >= UTC_TIMESTAMP() - INTERVAL 1 DAY AS "is_new!: bool",
             u.id AS author_id, u.username, u.display_name
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id
           JOIN users u FORCE INDEX (PRIMARY) ON u.id = w.user_id
           LEFT JOIN parsed_racks p FORCE INDEX (PRIMARY) ON p.workflow_id = w.id
           WHERE w.is_published = TRUE AND w.taken_down_at IS NULL AND u.is_active = TRUE AND u.suspended_at IS NULL"#,
        wanted
    )
    .fetch_all(&mut *db)
    .await?;
    let mut tags = tags_of(db, &wanted).await?;
    Ok(rows
        .into_iter()
        .map(|row| DocumentRow {
            id: WorkflowId(row.id),
            title: row.title,
            description: row.description,
            slug: row.slug,
            kind: row.kind,
            preset_form: row.preset_form,
            genre: row.genre,
            tempo: row.tempo.and_then(|tempo| tempo.to_f64()),
            key: row.musical_key,
            difficulty: row.difficulty,
            ableton_version: row.ableton_version,
            required_live_version: row.required_live_version,
            required_edition: row.required_edition,
            requirements: json_or_null(row.requirements),
            devices_used: json_or_null(row.devices_used),
            macro_controls: json_or_null(row.macro_controls),
            summary: row.summary.and_then(|text| serde_json::from_str(&text).ok()),
            is_featured: row.is_featured,
            has_preview_audio: row.has_preview_audio,
            has_preview_image: row.has_preview_image,
            published_at: row.published_at,
            created_at: row.created_at,
            content_hash: row.content_hash,
            author_id: UserId(row.author_id),
            author_username: row.username,
            author_display_name: row.display_name,
            tags: tags.remove(&row.id).unwrap_or_default(),
            is_new: row.is_new,
        })
        .collect())
}

/// The next workflow ids in ascending order, for a walk over all of them: those that may be shown now, and those that may not.
///
/// # Errors
/// The database refused.
pub async fn ids_after(db: &mut Conn, after: WorkflowId, limit: u32) -> Result<Vec<WorkflowId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id: WorkflowId" FROM workflows WHERE id > ? ORDER BY id LIMIT ?"#,
        after.0,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// How many workflows there are, roughly (from the table's statistics), for a progress bar.
///
/// # Errors
/// The database refused.
pub async fn count_roughly(db: &mut Conn) -> Result<u64, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"SELECT CAST(COALESCE(MAX(table_rows), 0) AS UNSIGNED) AS "rows!: u64"
           FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'workflows'"#
    )
    .fetch_one(db)
    .await?;
    Ok(rows)
}

/// Tags of workflows, by workflow, in alphabetical order.
async fn tags_of(db: &mut Conn, wanted: &str) -> Result<HashMap<u64, Vec<String>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN p.workflow_id, t.name
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflow_tag_pivot p FORCE INDEX (PRIMARY) ON p.workflow_id = wanted.id
           JOIN workflow_tags t FORCE INDEX (PRIMARY) ON t.id = p.tag_id
           ORDER BY p.workflow_id, t.name"#,
        wanted
    )
    .fetch_all(db)
    .await?;
    let mut tags: HashMap<u64, Vec<String>> = HashMap::new();
    for row in rows {
        tags.entry(row.workflow_id).or_default().push(row.name);
    }
    Ok(tags)
}

fn json_or_null(text: Option<String>) -> Value {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}
