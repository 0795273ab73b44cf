//! What people say about themselves, and what others see of them.

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError, UserId};

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whose.
    pub id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name.
    pub display_name: Option<String>,
    /// About them.
    pub bio: Option<String>,
    /// Where they are.
    pub location: Option<String>,
    /// Their page.
    pub website: Option<String>,
    /// Path of their picture in the file store, or whatever another program wrote.
    pub avatar_path: Option<String>,
    /// Whether the staff found that they are who they say they are.
    pub is_verified: bool,
    /// Whether they may be seen: the account is in use and not suspended.
    pub is_visible: bool,
    /// Those who follow them.
    pub followers: i32,
    /// Those whom they follow.
    pub following: i32,
    /// Their visible workflows.
    pub workflows: i64,
    /// Since when they are here.
    pub created_at: Option<DateTime<Utc>>,
}

/// What only the owner sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    /// Their address.
    pub email: String,
    /// When it was confirmed.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// Whether they are an admin.
    pub is_admin: bool,
    /// When they were last here, to the minute.
    pub last_active_at: Option<DateTime<Utc>>,
}

/// What an owner changes. Outside, whether a field is changed; inside, whether it then has a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChanges {
    /// Name, at most 100 characters.
    pub display_name: Option<Option<String>>,
    /// About them.
    pub bio: Option<Option<String>>,
    /// Where they are, at most 100 characters.
    pub location: Option<Option<String>>,
    /// Their page, at most 255 characters.
    pub website: Option<Option<String>>,
}

/// The profile of a user.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, id: UserId) -> Result<Option<Profile>, StoreError> {
    Ok(sqlx::query_as!(
        Profile,
        r#"
        SELECT u.id AS "id: UserId", u.username, u.display_name, u.bio, u.location, u.website, u.avatar_path,
               COALESCE(u.is_verified, FALSE) AS "is_verified!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL) AS "is_visible!: bool",
               COALESCE(u.followers_count, 0) AS "followers!: i32", COALESCE(u.following_count, 0) AS "following!: i32",
               (SELECT COUNT(*) FROM workflows w
                WHERE w.user_id = u.id AND w.is_published AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP())
                  AND w.taken_down_at IS NULL) AS "workflows!: i64",
               u.created_at
        FROM users u WHERE u.id = ?
        "#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// What only the owner sees.
///
/// # Errors
/// The database refused.
pub async fn find_private(db: &mut Conn, id: UserId) -> Result<Option<Private>, StoreError> {
    Ok(sqlx::query_as!(
        Private,
        r#"SELECT email, email_verified_at, is_admin AS "is_admin: bool", last_active_at FROM users WHERE id = ?"#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Changes what they say about themselves.
///
/// # Errors
/// The database refused.
pub async fn change(db: &mut Conn, id: UserId, changes: &ProfileChanges) -> Result<(), StoreError> {
    let inner = |field: &Option<Option<String>>| field.clone().flatten();
    sqlx::query!(
        r#"
        UPDATE users
        SET display_name = IF(?, ?, display_name), bio = IF(?, ?, bio), location = IF(?, ?, location), website = IF(?, ?, website)
        WHERE id = ?
        "#,
        changes.display_name.is_some(),
        inner(&changes.display_name),
        changes.bio.is_some(),
        inner(&changes.bio),
        changes.location.is_some(),
        inner(&changes.location),
        changes.website.is_some(),
        inner(&changes.website),
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Names another picture, or none.
///
/// # Errors
/// The database refused.
pub async fn set_avatar(db: &mut Conn, id: UserId, path: Option<&str>) -> Result<(), StoreError> {
    sqlx::query!("UPDATE users SET avatar_path = ? WHERE id = ?", path, id)
        .execute(db)
        .await?;
    Ok(())
}
