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
