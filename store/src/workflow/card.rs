//! Workflows as they stand in a list.

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError, UserId, WorkflowId};

/// A workflow that somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Which.
    pub id: WorkflowId,
    /// Title.
    pub title: String,
    /// Unique name for addresses.
    pub slug: String,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    pub kind: String,
    /// Genre.
    pub genre: Option<String>,
    /// When it became visible.
    pub published_at: Option<DateTime<Utc>>,
    /// Downloads.
    pub downloads: i32,
    /// Likes.
    pub likes: i32,
    /// Hash of its content, once it was parsed.
    pub content_hash: Option<Vec<u8>>,
    /// Its author.
    pub author: UserId,
    /// The author's handle.
    pub username: String,
    /// The author's display name.
    pub display_name: Option<String>,
}

impl Card {
    /// Its content.
    pub fn content(&self) -> Option<[u8; 32]> {
        self.content_hash.as_deref().and_then(|hash| hash.try_into().ok())
    }
}

/// Those of these workflows that everybody may see now, in whatever order. For a viewer without what is their own or dismissed by them, and
/// without that of authors between whom and the viewer is a block.
///
/// # Errors
/// The database refused.
pub async fn cards(db: &mut Conn, viewer: Option<UserId>, workflows: &[WorkflowId]) -> Result<Vec<Card>, StoreError> {
    let wanted = serde_json::to_string(workflows)?;
    // No id is 0.
    let viewer = viewer.unwrap_or(UserId(0));
    Ok(sqlx::query_as!(
        Card,
        r#"SELECT STRAIGHT_JOIN w.id AS "id: WorkflowId", w.title, w.slug,
             COALESCE(CAST(w.kind AS CHAR), CAST(w.rack_type AS CHAR)) AS "kind!: String",
             w.genre, COALESCE(w.published_at, w.created_at) AS published_at,
             COALESCE(w.downloads_count, 0) AS "downloads!: i32", COALESCE(w.likes_count, 0) AS "likes!: i32",
             w.content_hash AS "content_hash: Vec<u8>", u.id AS "author: UserId", u.username, u.display_name
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id
           JOIN users u FORCE INDEX (PRIMARY) ON u.id = w.user_id
           WHERE w.is_published = TRUE AND w.taken_down_at IS NULL AND u.is_active = TRUE AND u.suspended_at IS NULL
             AND (w.published_at IS NULL OR w.published_at <= NOW()) AND w.user_id <> ?
             AND NOT EXISTS (SELECT 1 FROM user_blocks AS block WHERE block.blocker_id = ? AND block.blocked_id = w.user_id)
             AND NOT EXISTS (SELECT 1 FROM user_blocks AS block WHERE block.blocked_id = ? AND block.blocker_id = w.user_id)
             AND NOT EXISTS (SELECT 1 FROM workflow_dismissals AS dismissed WHERE dismissed.user_id = ? AND dismissed.workflow_id = w.id)"#,
        wanted,
        viewer,
        viewer,
        viewer,
        viewer
    )
    .fetch_all(db)
    .await?)
}
