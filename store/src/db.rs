//! Connections to MySQL or MariaDB.

use std::str::FromStr;
use std::time::Duration;

use config::DatabaseSettings;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};

/// A pool of connections. Clones share it.
pub type Db = sqlx::MySqlPool;

/// One connection, or a transaction on one.
pub type Conn = sqlx::MySqlConnection;

/// A connection on loan from the pool, which it goes back to when it is dropped.
pub type PooledConn = sqlx::pool::PoolConnection<sqlx::MySql>;

/// Begins a transaction in which each statement sees what is committed by then: REPEATABLE READ, the default, would lock the gaps between the rows
/// read too. In one message, so that a caller who gives up in between leaves no connection with a level of its own behind.
pub(crate) const BEGIN_READ_COMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION";

/// A transaction on a connection of the pool, which rolls back when it is dropped.
pub type Tx = sqlx::Transaction<'static, sqlx::MySql>;

/// Begins a transaction in which each statement sees what is committed by then, and none locks the gaps between the rows that it reads.
///
/// # Errors
/// The database is not there.
pub async fn begin_read_committed(db: &Db) -> Result<Tx, crate::StoreError> {
    Ok(db.begin_with(BEGIN_READ_COMMITTED).await?)
}

/// Opens a pool. The first connection is made at once, so that a wrong address is an error here and not later.
///
/// # Errors
/// The URL is malformed, or nothing answers there.
pub async fn connect(settings: &DatabaseSettings) -> Result<Db, sqlx::Error> {
    let options = connect_options(settings)?;
    pool_options(settings.max_connections)
        .acquire_timeout(Duration::from_secs(settings.acquire_timeout_s))
        .connect_with(options)
        .await
}

/// Opens a pool without connecting: the database may come later, or go and come back.
///
/// # Errors
/// The URL is malformed.
pub fn connect_lazy(settings: &DatabaseSettings) -> Result<Db, sqlx::Error> {
    let options = connect_options(settings)?;
    Ok(pool_options(settings.max_connections)
        .acquire_timeout(Duration::from_secs(settings.acquire_timeout_s))
        .connect_lazy_with(options))
}

/// Numbers in one IN list. Of those of more than 1000 MariaDB makes a table first (`in_predicate_conversion_threshold`).
pub(crate) const IN_LIST: usize = 500;

/// Statements that a connection keeps prepared, unless the URL has a `statement-cache-capacity`: as many as most meet. To give one up for
/// another costs a message that has no answer, for which the next one waits 44 ms, as sqlx 0.9.0 leaves Nagle's algorithm on (#4335). What
/// all connections may keep together is bounded by the server: see `database.max_connections` in `config/default.toml`.
const STATEMENTS: usize = 160;

fn connect_options(settings: &DatabaseSettings) -> Result<MySqlConnectOptions, sqlx::Error> {
    let url = settings.url.expose();
    let options = MySqlConnectOptions::from_str(url)?;
    if url.contains("statement-cache-capacity") {
        return Ok(options);
    }
    Ok(options.statement_cache_capacity(STATEMENTS))
}

/// Options that every pool of this program has.
fn pool_options(max_connections: u32) -> MySqlPoolOptions {
    MySqlPoolOptions::new()
        .max_connections(max_connections)
        // What follows asks the server something anyway.
        .test_before_acquire(false)
        .before_acquire(|connection, _| {
            // With sqlx 0.9 on MySQL, a `begin()` whose future is dropped (a client that hangs up, a timeout) can give its connection
            // back with the transaction still open: seen in 16 of 70 such drops, and in none with this. See sqlx #4393.
            Box::pin(async move {
                sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await?;
                Ok(true)
            })
        })
}
