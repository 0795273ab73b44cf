//! `user_follows`: who follows whom. Triggers count; the activity goes along.
//!
//! One row is one follow that stands now: `created_at` is when it began, ids ascend in that order.

use chrono::{DateTime, Utc};

use crate::activity::{self, Activity};
use crate::{Conn, StoreError, UserId};

/// A follow, seen from one of its two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// Position in the list: the follow's or like's own id.
    pub position: u64,
    /// The one on the other side.
    pub user_id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

/// Locks the two people of a follow until the transaction ends, in the order of their ids, as the triggers do. False when one is gone.
///
/// # Errors
/// The database refused.
pub async fn lock(db: &mut Conn, one: UserId, other: UserId) -> Result<bool, StoreError> {
    for id in [one.min(other), one.max(other)] {
        let found = sqlx::query_scalar!("SELECT id FROM users WHERE id = ? FOR UPDATE", id)
            .fetch_optional(&mut *db)
            .await?;
        if found.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Follows, in a transaction that has taken [`lock`]. False when it stood already.
///
/// # Errors
/// The database refused.
pub async fn add(db: &mut Conn, follower: UserId, following: UserId) -> Result<bool, StoreError> {
    if is_following(db, follower, following).await? {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO user_follows (follower_id, following_id) VALUES (?, ?)",
        follower,
        following
    )
    .execute(&mut *db)
    .await?;
    activity::record(db, follower, Activity::Follow(following)).await?;
    Ok(true)
}

/// Ends a follow, in a transaction that has taken [`lock`]. False when there was none.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, follower: UserId, following: UserId) -> Result<bool, StoreError> {
    if !is_following(db, follower, following).await? {
        return Ok(false);
    }
    sqlx::query!(
        "DELETE FROM user_follows WHERE follower_id = ? AND following_id = ?",
        follower,
        following
    )
    .execute(&mut *db)
    .await?;
    activity::forget(db, follower, Activity::Follow(following)).await?;
    Ok(true)
}

/// Whether one follows the other.
///
/// # Errors
/// The database refused.
pub async fn is_following(db: &mut Conn, follower: UserId, following: UserId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM user_follows WHERE follower_id = ? AND following_id = ?",
        follower,
        following
    )
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// How many follow a user.
///
/// # Errors
/// The database refused.
pub async fn count_followers(db: &mut Conn, user: UserId) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT COALESCE(followers_count, 0) AS "count!: i32" FROM users WHERE id = ?"#,
        user
    )
    .fetch_optional(db)
    .await?;
    Ok(count.unwrap_or_default())
}

/// Active people who follow a user, without those whom a block keeps from the viewer, the latest first, before a position.
///
/// # Errors
/// The database refused.
pub async fn list_followers(
    db: &mut Conn,
    user: UserId,
    viewer: Option<UserId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<ListedUser>, StoreError> {
    Ok(sqlx::query_as!(
        ListedUser,
        r#"
        SELECT f.id AS position, u.id AS "user_id: UserId", u.username, u.display_name, f.created_at AS since
        FROM user_follows f JOIN users u ON u.id = f.follower_id
        WHERE f.following_id = ? AND f.id < ? AND u.is_active AND u.suspended_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = ? AND b.blocked_id = u.id)
          AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = u.id AND b.blocked_id = ?)
        ORDER BY f.id DESC LIMIT ?
        "#,
        user,
        before.unwrap_or(u64::MAX),
        viewer,
        viewer,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Active people whom a user follows, without those whom a block keeps from the viewer, the latest first, before a position.
///
/// # Errors
/// The database refused.
pub async fn list_following(
    db: &mut Conn,
    user: UserId,
    viewer: Option<UserId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<ListedUser>, StoreError> {
    Ok(sqlx::query_as!(
        ListedUser,
        r#"
        SELECT f.id AS position, u.id AS "user_id: UserId", u.username, u.display_name, f.created_at AS since
        FROM user_follows f JOIN users u ON u.id = f.following_id
        WHERE f.follower_id = ? AND f.id < ? AND u.is_active AND u.suspended_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = ? AND b.blocked_id = u.id)
          AND NOT EXISTS (SELECT 1 FROM user_blocks b WHERE b.blocker_id = u.id AND b.blocked_id = ?)
        ORDER BY f.id DESC LIMIT ?
        "#,
        user,
        before.unwrap_or(u64::MAX),
        viewer,
        viewer,
        limit
    )
    .fetch_all(db)
    .await?)
}
