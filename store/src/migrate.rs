//! Brings a database to the schema of this program: an empty one, one that holds the seed's tables and rows, or one that a
//! crash left between two statements.
//!
//! The files of `migrations/` are embedded. MySQL has no transactional DDL: sqlx marks a file that did not run to its end as
//! dirty and refuses ever after. Here every file is written to meet itself half-applied, so the mark is cleared and the file runs
//! again. The applied files stand in sqlx's own table, and sqlx's command line applies the same files.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::migrate::{Migrate, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{ConnectOptions, Connection};

use crate::Conn;

/// Every migration, in order.
static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// sqlx's table of applied migrations.
const TABLE: &str = "_sqlx_migrations";

/// How long to wait while another process migrates. After a crash the server may still be at the dead process's last
/// statement, which on a large table can be the copying of it.
const LOCK_WAIT: Duration = Duration::from_secs(600);

/// The sql_mode that migrations run under. Triggers keep the mode under which they were made, so it must not depend on
/// the server's settings.
const SQL_MODE: &str = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrateReport {
    /// Files that ran, such as `0001 seed tables`.
    pub applied: Vec<String>,
    /// Versions that an earlier run had left half-applied, and which ran again.
    pub resumed: Vec<i64>,
}

/// The schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The address is malformed, nothing answers there, or a statement of ours failed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The address names no database.
    #[error("the database's url names no database")]
    NoDatabase,
    /// Text columns would be made in another character set, and lose what people write.
    #[error(
        "database `{name}` has the character set `{charset}`: run ALTER DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    )]
    Charset {
        /// The database.
        name: String,
        /// Its default character set.
        charset: String,
    },
    /// Another process has been migrating all the while.
    #[error("another process has been migrating database `{0}` for {s} s", s = LOCK_WAIT.as_secs())]
    Locked(String),
    /// MySQL's error 1419: with a binary log, only an administrator may make triggers.
    #[error(
        "the server keeps a binary log and lets this user make no triggers: have an administrator run SET GLOBAL log_bin_trust_function_creators = ON"
    )]
    TriggersRefused,
    /// A migration failed, or differs from the one that was applied.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// Applies what is missing to the database of `url`. Creates nothing but schema: the database must be there.
///
/// Safe to run at once in several processes, and again after a crash. The lock is held by the connection that does the work, so
/// the server frees it when that connection, and the statement it was at, have ended.
///
/// # Errors
/// See [`MigrateError`]. What was done stays done, and the next run goes on from there.
pub async fn run(url: &str) -> Result<MigrateReport, MigrateError> {
    run_with(&MIGRATIONS, url).await
}

/// [`run`] with other migrations, so that tests can break them off at any statement.
///
/// # Errors
/// As of [`run`].
#[doc(hidden)]
pub async fn run_with(migrations: &Migrator, url: &str) -> Result<MigrateReport, MigrateError> {
    let options = MySqlConnectOptions::from_str(url)?.disable_statement_logging();
    let name = options.get_database().ok_or(MigrateError::NoDatabase)?.to_owned();
    let mut connection = options.connect().await?;
    refuse_other_charsets(&mut connection, &name).await?;
    lock(&mut connection, &name).await?;
    let outcome = apply(migrations, &mut connection).await;
    // Closing frees the lock.
    connection.close().await?;
    outcome
}

/// The embedded migrations, for tests.
#[doc(hidden)]
pub fn migrations() -> &'static Migrator {
    &MIGRATIONS
}

async fn refuse_other_charsets(db: &mut Conn, name: &str) -> Result<(), MigrateError> {
    let charset: String = sqlx::query_scalar("SELECT @@character_set_database").fetch_one(db).await?;
    if charset == "utf8mb4" {
        Ok(())
    } else {
        Err(MigrateError::Charset {
            name: name.to_owned(),
            charset,
        })
    }
}

async fn lock(db: &mut Conn, name: &str) -> Result<(), MigrateError> {
    // Names of locks hold for the whole server and have at most 64 characters.
    let lock = format!("cookbook-migrate-{}", hex::encode(&Sha256::digest(name.as_bytes())[..12]));
    let got: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(?, ?)")
        .bind(lock)
        .bind(LOCK_WAIT.as_secs())
        .fetch_one(db)
        .await?;
    if got == Some(1) {
        Ok(())
    } else {
        Err(MigrateError::Locked(name.to_owned()))
    }
}

async fn apply(migrations: &Migrator, db: &mut Conn) -> Result<MigrateReport, MigrateError> {
    sqlx::query("SET SESSION sql_mode = ?")
        .bind(SQL_MODE)
        .execute(&mut *db)
        .await?;
    db.ensure_migrations_table(TABLE).await?;
    let resumed: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success = FALSE ORDER BY version")
        .fetch_all(&mut *db)
        .await?;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE success = FALSE")
        .execute(&mut *db)
        .await?;
    let before = applied_versions(db).await?;
    // Our own lock is held: sqlx's would be a second one.
    migrations.run_direct(None, db, false).await.map_err(explain)?;
    let applied = migrations
        .iter()
        .filter(|migration| !before.contains(&migration.version))
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect();
    Ok(MigrateReport { applied, resumed })
}

async fn applied_versions(db: &mut Conn) -> Result<BTreeSet<i64>, MigrateError> {
    let applied = db.list_applied_migrations(TABLE).await?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

/// Names what to do about the one failure that is the server's policy and not a fault.
fn explain(error: sqlx::migrate::MigrateError) -> MigrateError {
    /// `ER_BINLOG_CREATE_ROUTINE_NEED_SUPER`
    const BINLOG_NEEDS_SUPER: u16 = 1419;
    if let sqlx::migrate::MigrateError::ExecuteMigration(sqlx::Error::Database(cause), _) = &error
        && let Some(cause) = cause.try_downcast_ref::<MySqlDatabaseError>()
        && cause.number() == BINLOG_NEEDS_SUPER
    {
        return MigrateError::TriggersRefused;
    }
    MigrateError::Migration(error)
}
