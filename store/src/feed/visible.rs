//! What may be seen of some activities, by a given viewer, now.

use chrono::{DateTime, Utc};

use super::{Key, Kind};
use crate::workflow::RackKind;
use crate::{CommentId, Conn, StoreError, UserId, WorkflowId};

/// An activity with what it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Its place in lists.
    pub key: Key,
    /// When it was.
    pub at: DateTime<Utc>,
    /// What it was.
    pub kind: Kind,
    /// Who did it.
    pub actor: Person,
    /// The workflow, of all but follows.
    pub rack: Option<Rack>,
    /// The comment, of comments.
    pub comment: Option<Comment>,
    /// Stars from 1 to 5, of ratings: those that stand now.
    pub rating: Option<u8>,
    /// Who was followed, of follows.
    pub followed: Option<Person>,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
}

/// A workflow, as much as a line of a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rack {
    /// Its id.
    pub id: WorkflowId,
    /// Title.
    pub title: String,
    /// Unique name for addresses.
    pub slug: String,
    /// What it is for.
    pub kind: RackKind,
    /// Who made it.
    pub author: Person,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// Its first 280 characters, as written.
    pub beginning: String,
}

/// Those of `keys` that the viewer may see, the newest first, with what they refer to: one statement, whatever their number.
///
/// Seen is what is public, of an active person who is not suspended, about a workflow that everybody may see (or a person who is active),
/// and still so: a like that was taken back by plain SQL is no activity any more. Between the viewer and the actor, the workflow's author
/// and the followed person there is no block, either way. With `only_followed`, the viewer follows the actor now. Nobody's id is 0, which
/// stands for a viewer who is not signed in.
///
/// # Errors
/// The database refused.
pub async fn visible(
    db: &mut Conn,
    viewer: Option<UserId>,
    only_followed: bool,
    keys: &[Key],
) -> Result<Vec<Activity>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<(u64, i64)> = keys.iter().map(|key| (key.id, key.at_s)).collect();
    let wanted = serde_json::to_string(&wanted)?;
    let viewer = viewer.unwrap_or(UserId(0));
    let rows = sqlx::query_file!("src/feed/visible.sql", wanted, only_followed, viewer, viewer, viewer)
        .fetch_all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Activity {
            key: Key::new(row.created_at, row.id),
            at: row.created_at,
            kind: row.kind,
            actor: Person {
                id: row.actor_id,
                username: row.actor_username,
                display_name: row.actor_display_name,
            },
            rack: match (row.workflow_id, row.author_id) {
                (Some(id), Some(author)) => Some(Rack {
                    id,
                    title: row.title.unwrap_or_default(),
                    slug: row.slug.unwrap_or_default(),
                    kind: row.rack_kind.unwrap_or(RackKind::Instrument),
                    author: Person {
                        id: author,
                        username: row.author_username.unwrap_or_default(),
                        display_name: row.author_display_name,
                    },
                }),
                _ => None,
            },
            comment: row.comment_id.map(|id| Comment {
                id,
                beginning: row.beginning.unwrap_or_default(),
            }),
            rating: row.rating,
            followed: row.followed_id.map(|id| Person {
                id,
                username: row.followed_username.unwrap_or_default(),
                display_name: row.followed_display_name,
            }),
        })
        .collect())
}
