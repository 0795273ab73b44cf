//! Signs of life. Each fails at once or waits as long as its caller lets it.

use config::RedisSettings;

use crate::{Db, StoreError};

/// Asks the database for a sign of life.
///
/// # Errors
/// It gives none.
pub async fn database(db: &Db) -> Result<(), StoreError> {
    sqlx::query_scalar!(r#"SELECT 1 AS "one!: i64""#).fetch_one(db).await?;
    Ok(())
}

/// Asks Redis for a sign of life, on a connection of its own: rare enough, and it says whether a new one can be made.
///
/// # Errors
/// It gives none.
pub async fn redis(settings: &RedisSettings) -> Result<(), StoreError> {
    let client = ::redis::Client::open(settings.url.expose())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    ::redis::cmd("PING").query_async::<()>(&mut connection).await?;
    Ok(())
}
