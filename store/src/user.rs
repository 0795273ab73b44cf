//! `users`: accounts.

use sqlx::{MySql, QueryBuilder};

use crate::{Conn, StoreError, UserId};

/// What stands in `users.password` of an account that nobody can log in to by password: no hash of any scheme reads so.
pub const NO_PASSWORD: &str = "!";

/// The account of this handle.
///
/// # Errors
/// The database refused.
pub async fn find_by_username(db: &mut Conn, username: &str) -> Result<Option<UserId>, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT id AS "id: UserId" FROM users WHERE username = ?"#, username)
            .fetch_optional(db)
            .await?,
    )
}

/// The account of this handle, if it is active and not suspended.
///
/// # Errors
/// The database refused.
pub async fn find_active(db: &mut Conn, username: &str) -> Result<Option<UserId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: UserId" FROM users WHERE username = ? AND is_active AND suspended_at IS NULL"#,
        username
    )
    .fetch_optional(db)
    .await?)
}

/// Which of these handles are of active people, as those spell them.
///
/// # Errors
/// The database refused.
pub async fn existing_names(db: &mut Conn, names: &[&str]) -> Result<Vec<String>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement =
        QueryBuilder::<MySql>::new("SELECT username FROM users WHERE is_active AND suspended_at IS NULL AND username IN (");
    let mut list = statement.separated(", ");
    for name in names {
        list.push_bind((*name).to_owned());
    }
    statement.push(")");
    Ok(statement.build_query_scalar().fetch_all(db).await?)
}

/// Makes an account. `password` is a hash, or [`NO_PASSWORD`].
///
/// # Errors
/// The database refused. [`StoreError::is_duplicate`] when the handle or the address is taken.
pub async fn create(db: &mut Conn, username: &str, email: &str, password: &str) -> Result<UserId, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO users (username, email, password) VALUES (?, ?, ?)",
        username,
        email,
        password
    )
    .execute(db)
    .await?;
    Ok(UserId(done.last_insert_id()))
}

/// Whether there is any account.
///
/// # Errors
/// The database refused.
pub async fn any_exists(db: &mut Conn) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!("SELECT id FROM users LIMIT 1")
        .fetch_optional(db)
        .await?
        .is_some())
}

/// What stands in `users.password` of an account that is being deleted.
const LEFT: &str = "!left";

/// What a login or a link is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose.
    pub id: UserId,
    /// Hash of the password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An account's state, where it matters for who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// Its handle.
    pub username: String,
    /// Whether it is in use.
    pub is_active: bool,
    /// Whether it is out of use because its owner wished so.
    pub is_deactivated: bool,
    /// Whether an admin has shut it out.
    pub is_suspended: bool,
    /// Why, if they said so.
    pub suspended_reason: Option<String>,
}

/// Credentials of the account with this address.
///
/// # Errors
/// The database refused.
pub async fn credentials_by_email(db: &mut Conn, email: &str) -> Result<Option<Credentials>, StoreError> {
    Ok(sqlx::query_as!(
        Credentials,
        r#"SELECT id AS "id: UserId", password FROM users WHERE email = ?"#,
        email
    )
    .fetch_optional(db)
    .await?)
}

/// Credentials of an account.
///
/// # Errors
/// The database refused.
pub async fn credentials(db: &mut Conn, id: UserId) -> Result<Option<Credentials>, StoreError> {
    Ok(sqlx::query_as!(
        Credentials,
        r#"SELECT id AS "id: UserId", password FROM users WHERE id = ?"#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// As [`credentials`], locked until the transaction ends.
///
/// # Errors
/// The database refused.
pub async fn lock_credentials(db: &mut Conn, id: UserId) -> Result<Option<Credentials>, StoreError> {
    Ok(sqlx::query_as!(
        Credentials,
        r#"SELECT id AS "id: UserId", password FROM users WHERE id = ? FOR UPDATE"#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// An account's state.
///
/// # Errors
/// The database refused.
pub async fn account(db: &mut Conn, id: UserId) -> Result<Option<Account>, StoreError> {
    Ok(sqlx::query_as!(
        Account,
        r#"
        SELECT id AS "id: UserId", username, COALESCE(is_active, FALSE) AS "is_active!: bool",
               deactivated_at IS NOT NULL AS "is_deactivated!: bool", suspended_at IS NOT NULL AS "is_suspended!: bool", suspended_reason
        FROM users WHERE id = ?
        "#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Address and handle of an account, for a mail to it.
///
/// # Errors
/// The database refused.
pub async fn address(db: &mut Conn, id: UserId) -> Result<Option<(String, String)>, StoreError> {
    Ok(sqlx::query!("SELECT email, username FROM users WHERE id = ?", id)
        .fetch_optional(db)
        .await?
        .map(|row| (row.email, row.username)))
}

/// Handle of the account with this address.
///
/// # Errors
/// The database refused.
pub async fn username_by_email(db: &mut Conn, email: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT username FROM users WHERE email = ?", email)
        .fetch_optional(db)
        .await?)
}

/// Replaces a password's hash, if it is still the one that was looked at. False when it is not: another was faster.
///
/// # Errors
/// The database refused.
pub async fn replace_password(db: &mut Conn, seen: &Credentials, password: &str) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE users SET password = ? WHERE id = ? AND password = ?",
        password,
        seen.id,
        seen.password
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that an address was seen to be its owner's.
///
/// # Errors
/// The database refused.
pub async fn verify_email(db: &mut Conn, id: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET email_verified_at = COALESCE(email_verified_at, UTC_TIMESTAMP()) WHERE id = ?",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that somebody was here, at most once a minute.
///
/// # Errors
/// The database refused.
pub async fn touch(db: &mut Conn, id: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET last_active_at = UTC_TIMESTAMP(), updated_at = updated_at
         WHERE id = ? AND (last_active_at IS NULL OR last_active_at < UTC_TIMESTAMP() - INTERVAL 60 SECOND)",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes an account out of use by its owner's wish: what is theirs is hidden until they come back.
///
/// # Errors
/// The database refused.
pub async fn deactivate(db: &mut Conn, id: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET is_active = FALSE, deactivated_at = UTC_TIMESTAMP() WHERE id = ? AND is_active",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes it into use again, if it was its owner who took it out.
///
/// # Errors
/// The database refused.
pub async fn reactivate(db: &mut Conn, id: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET is_active = TRUE, deactivated_at = NULL WHERE id = ? AND deactivated_at IS NOT NULL",
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes somebody an admin, or no longer. False when it was so before.
///
/// # Errors
/// The database refused.
pub async fn set_admin(db: &mut Conn, id: UserId, is_admin: bool) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE users SET is_admin = ? WHERE id = ? AND is_admin <> ?",
        is_admin,
        id,
        is_admin
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Shuts an account out, for a reason. False when it was so before.
///
/// # Errors
/// The database refused.
pub async fn suspend(db: &mut Conn, id: UserId, reason: Option<&str>) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE users SET suspended_at = UTC_TIMESTAMP(), suspended_reason = ? WHERE id = ? AND suspended_at IS NULL",
        reason,
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Lets it in again. False when it was not shut out.
///
/// # Errors
/// The database refused.
pub async fn unsuspend(db: &mut Conn, id: UserId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE users SET suspended_at = NULL, suspended_reason = NULL WHERE id = ? AND suspended_at IS NOT NULL",
        id
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives or takes the badge of those who are who they say they are. False when it was so before.
///
/// # Errors
/// The database refused.
pub async fn set_verified(db: &mut Conn, id: UserId, is_verified: bool) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE users SET is_verified = ? WHERE id = ? AND COALESCE(is_verified, FALSE) <> ?",
        is_verified,
        id,
        is_verified
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Begins to delete an account: nobody sees it or gets in from now on. A job does the rest, see [`crate::leaving`].
///
/// # Errors
/// The database refused.
pub async fn leave(db: &mut Conn, id: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET is_active = FALSE, deactivated_at = NULL, password = ? WHERE id = ?",
        LEFT,
        id
    )
    .execute(&mut *db)
    .await?;
    crate::token::revoke_all(db, id, None).await?;
    Ok(())
}

/// Whether an account is being deleted.
///
/// # Errors
/// The database refused.
pub async fn has_left(db: &mut Conn, id: UserId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM users WHERE id = ? AND password = ? AND NOT is_active",
        id,
        LEFT
    )
    .fetch_optional(db)
    .await?
    .is_some())
}
