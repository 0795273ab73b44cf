//! `user_blocks`: who does not want to see whom. A block works both ways: neither sees the other in feeds, follows and comments.

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError, UserId, follow};

/// Somebody who is blocked, as the one who blocked them sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedUser {
    /// Their id.
    pub id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// Since when.
    pub blocked_at: DateTime<Utc>,
}

/// Blocks somebody, and takes away what each followed of the other, with the activities that told of it. Returns false when it was so
/// before. In a transaction that has taken [`follow::lock`], as one that adds a follow does: else a follow could outlive the block.
///
/// # Errors
/// The database refused.
pub async fn add(db: &mut Conn, blocker: UserId, blocked: UserId) -> Result<bool, StoreError> {
    let is_there = sqlx::query_scalar!(
        "SELECT blocker_id FROM user_blocks WHERE blocker_id = ? AND blocked_id = ?",
        blocker,
        blocked
    )
    .fetch_optional(&mut *db)
    .await?
    .is_some();
    if is_there {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO user_blocks (blocker_id, blocked_id) VALUES (?, ?)",
        blocker,
        blocked
    )
    .execute(&mut *db)
    .await?;
    for (follower, followee) in [(blocker, blocked), (blocked, blocker)] {
        follow::remove(db, follower, followee).await?;
    }
    Ok(true)
}

/// Ends a block. False when there was none. What was followed before stays ended.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, blocker: UserId, blocked: UserId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM user_blocks WHERE blocker_id = ? AND blocked_id = ?",
        blocker,
        blocked
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether one of the two has blocked the other.
///
/// # Errors
/// The database refused.
pub async fn is_blocked_either_way(db: &mut Conn, one: UserId, other: UserId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM user_blocks WHERE blocker_id = ? AND blocked_id = ?)
            OR EXISTS (SELECT 1 FROM user_blocks WHERE blocker_id = ? AND blocked_id = ?) AS "is_blocked!: bool"
        "#,
        one,
        other,
        other,
        one
    )
    .fetch_one(db)
    .await?)
}

/// Whom somebody has blocked, by id, after one.
///
/// # Errors
/// The database refused.
pub async fn list(db: &mut Conn, blocker: UserId, after: Option<UserId>, limit: u32) -> Result<Vec<BlockedUser>, StoreError> {
    Ok(sqlx::query_as!(
        BlockedUser,
        r#"
        SELECT u.id AS "id: UserId", u.username, u.display_name, b.created_at AS blocked_at
        FROM user_blocks b JOIN users u ON u.id = b.blocked_id
        WHERE b.blocker_id = ? AND b.blocked_id > ?
        ORDER BY b.blocked_id
        LIMIT ?
        "#,
        blocker,
        after.map_or(0, |id| id.0),
        limit
    )
    .fetch_all(db)
    .await?)
}
