//! `users`: accounts.

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
