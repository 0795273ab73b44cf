//! `registrations`: accounts that are made once the link in their mail is opened.

use chrono::{DateTime, Utc};

use crate::{Conn, RegistrationId, StoreError, UserId};

/// An account that waits for its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub id: RegistrationId,
    /// The handle asked for.
    pub username: String,
    /// The address to be confirmed.
    pub email: String,
    /// Hash of the password.
    pub password: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Whether a handle is an account's, or reserved by somebody who has yet to confirm.
///
/// # Errors
/// The database refused.
pub async fn is_username_taken(db: &mut Conn, username: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM users WHERE username = ?)
            OR EXISTS (SELECT 1 FROM registrations WHERE username = ? AND expires_at > UTC_TIMESTAMP(6)) AS "taken!: bool"
        "#,
        username,
        username
    )
    .fetch_one(db)
    .await?)
}

/// Adds one that ends at a time. One of the same handle that has ended makes room for it.
///
/// # Errors
/// The database refused. [`StoreError::is_duplicate`] when the handle is reserved.
pub async fn create(
    db: &mut Conn,
    username: &str,
    email: &str,
    password: &str,
    expires_at: DateTime<Utc>,
) -> Result<RegistrationId, StoreError> {
    sqlx::query!(
        "DELETE FROM registrations WHERE username = ? AND expires_at <= UTC_TIMESTAMP(6)",
        username
    )
    .execute(&mut *db)
    .await?;
    let done = sqlx::query!(
        "INSERT INTO registrations (username, email, password, expires_at) VALUES (?, ?, ?, ?)",
        username,
        email,
        password,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(RegistrationId(done.last_insert_id()))
}

/// One that has not ended.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, id: RegistrationId) -> Result<Option<Registration>, StoreError> {
    Ok(sqlx::query_as!(
        Registration,
        r#"
        SELECT id AS "id: RegistrationId", username, email, password, expires_at
        FROM registrations WHERE id = ? AND expires_at > UTC_TIMESTAMP(6)
        "#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Makes the account of one that was confirmed, and ends it. Within a transaction. `None` when it had ended before.
///
/// # Errors
/// The database refused. [`StoreError::is_duplicate`] when another account has got the address or the handle meanwhile.
pub async fn confirm(db: &mut Conn, id: RegistrationId) -> Result<Option<UserId>, StoreError> {
    let Some(waiting) = find(db, id).await? else {
        return Ok(None);
    };
    let done = sqlx::query!("DELETE FROM registrations WHERE id = ?", id)
        .execute(&mut *db)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let done = sqlx::query!(
        "INSERT INTO users (username, email, password, email_verified_at, last_active_at)
         VALUES (?, ?, ?, UTC_TIMESTAMP(), UTC_TIMESTAMP())",
        waiting.username,
        waiting.email,
        waiting.password
    )
    .execute(db)
    .await?;
    Ok(Some(UserId(done.last_insert_id())))
}

/// Deletes those that have ended, some at a time. Returns how many.
///
/// # Errors
/// The database refused.
pub async fn prune(db: &mut Conn, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM registrations WHERE expires_at <= UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT ?",
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
