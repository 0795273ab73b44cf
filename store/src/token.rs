//! `api_tokens`: who may speak for whom. Only hashes are stored, so that a copy of the table opens nothing.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::{Conn, StoreError, TokenId, UserId};

/// Start of every token, so that a leaked one can be recognised for what it is.
const PREFIX: &str = "cookbook_";

/// A token in clear: shown once to whom it is for, and never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken(String);

impl NewToken {
    /// Makes one of 256 random bits from the operating system.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn generate() -> Result<Self, rand::rngs::SysError> {
        use rand::TryRng;
        let mut secret = [0_u8; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut secret)?;
        Ok(Self(format!("{PREFIX}{}", hex::encode(secret))))
    }

    /// The token itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewToken(***)")
    }
}

/// What is stored of a token. A plain hash is enough, since 256 random bits cannot be guessed.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// For whom a token speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The token.
    pub token_id: TokenId,
    /// Its user.
    pub user_id: UserId,
    /// Whether the user is an admin.
    pub is_admin: bool,
    /// Whether its last use was noted more than a minute ago, or never.
    pub use_is_stale: bool,
}

/// A token, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// Handle of its user.
    pub username: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Stores a token's hash.
///
/// # Errors
/// The database refused.
pub async fn create(
    db: &mut Conn,
    user: UserId,
    name: &str,
    token: &NewToken,
    expires_at: Option<DateTime<Utc>>,
) -> Result<TokenId, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO api_tokens (user_id, name, token_hash, expires_at) VALUES (?, ?, ?, ?)",
        user,
        name,
        &hash(token.expose())[..],
        expires_at
    )
    .execute(db)
    .await?;
    Ok(TokenId(done.last_insert_id()))
}

/// For whom this token speaks; `None` when it is unknown, revoked or past its end, or its user is not active or suspended.
///
/// # Errors
/// The database refused.
pub async fn find_owner(db: &mut Conn, token: &str) -> Result<Option<TokenOwner>, StoreError> {
    Ok(sqlx::query_as!(
        TokenOwner,
        r#"
        SELECT t.id AS "token_id: TokenId", t.user_id AS "user_id: UserId", u.is_admin AS "is_admin: bool",
               (t.last_used_at IS NULL OR t.last_used_at < UTC_TIMESTAMP() - INTERVAL 60 SECOND) AS "use_is_stale!: bool"
        FROM api_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.token_hash = ? AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > UTC_TIMESTAMP())
          AND u.is_active AND u.suspended_at IS NULL
        "#,
        &hash(token)[..]
    )
    .fetch_optional(db)
    .await?)
}

/// Notes that a token was used now.
///
/// # Errors
/// The database refused.
pub async fn touch(db: &mut Conn, id: TokenId) -> Result<(), StoreError> {
    sqlx::query!("UPDATE api_tokens SET last_used_at = UTC_TIMESTAMP() WHERE id = ?", id)
        .execute(db)
        .await?;
    Ok(())
}

/// Every token of a user, or of everybody, oldest first.
///
/// # Errors
/// The database refused.
pub async fn list(db: &mut Conn, user: Option<UserId>) -> Result<Vec<TokenRow>, StoreError> {
    Ok(sqlx::query_as!(
        TokenRow,
        r#"
        SELECT t.id AS "id: TokenId", u.username, t.name, t.created_at, t.last_used_at, t.expires_at, t.revoked_at
        FROM api_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.user_id BETWEEN ? AND ?
        ORDER BY t.id
        "#,
        user.map_or(0, |id| id.0),
        user.map_or(u64::MAX, |id| id.0)
    )
    .fetch_all(db)
    .await?)
}

/// Ends a token. False when there is no such token or it had ended before.
///
/// # Errors
/// The database refused.
pub async fn revoke(db: &mut Conn, id: TokenId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE api_tokens SET revoked_at = UTC_TIMESTAMP() WHERE id = ? AND revoked_at IS NULL",
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Tokens of a user that are neither revoked nor past their end, oldest first, at most as many.
///
/// # Errors
/// The database refused.
pub async fn list_valid(db: &mut Conn, user: UserId, limit: u32) -> Result<Vec<TokenRow>, StoreError> {
    Ok(sqlx::query_as!(
        TokenRow,
        r#"
        SELECT t.id AS "id: TokenId", u.username, t.name, t.created_at, t.last_used_at, t.expires_at, t.revoked_at
        FROM api_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.user_id = ? AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > UTC_TIMESTAMP())
        ORDER BY t.id
        LIMIT ?
        "#,
        user,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// A valid token of a user.
///
/// # Errors
/// The database refused.
pub async fn find_own(db: &mut Conn, user: UserId, id: TokenId) -> Result<Option<TokenRow>, StoreError> {
    Ok(sqlx::query_as!(
        TokenRow,
        r#"
        SELECT t.id AS "id: TokenId", u.username, t.name, t.created_at, t.last_used_at, t.expires_at, t.revoked_at
        FROM api_tokens t JOIN users u ON u.id = t.user_id
        WHERE t.id = ? AND t.user_id = ? AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > UTC_TIMESTAMP())
        "#,
        id,
        user
    )
    .fetch_optional(db)
    .await?)
}

/// Ends all tokens of a user but one.
///
/// # Errors
/// The database refused.
pub async fn revoke_all(db: &mut Conn, user: UserId, but: Option<TokenId>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "UPDATE api_tokens SET revoked_at = UTC_TIMESTAMP() WHERE user_id = ? AND revoked_at IS NULL AND id <> ?",
        user,
        but.map_or(0, |id| id.0)
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
