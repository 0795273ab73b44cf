//! What can go wrong with stored things.

use crate::files::FilesError;

/// MySQL and MariaDB: a deadlock was broken at this transaction's expense.
const ER_LOCK_DEADLOCK: u16 = 1213;
/// MySQL and MariaDB: a lock was not had in time.
const ER_LOCK_WAIT_TIMEOUT: u16 = 1205;
/// MariaDB: the lock that was lost, to a deadlock or in time, is that of a table's next id; the transaction is rolled back as with 1213. Also said
/// where a table has run out of ids; then the attempts run out too.
const ER_AUTOINC_READ_FAILED: u16 = 1467;

/// MySQL and MariaDB: a row refers to one that does not exist.
const ER_NO_REFERENCED_ROW_2: u16 = 1452;

/// An operation on the database, the file store or Redis failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// MySQL refused or was not there.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A column held JSON that is not of the expected shape, or a value could not be written as JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
    /// The file store refused or was not there.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Redis refused or was not there.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// A value that cannot be stored.
    #[error("{0}")]
    Invalid(String),
}

impl StoreError {
    /// Whether a unique key already holds the value.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Whether the transaction lost against another one, so that doing all of it again may succeed at once.
    pub fn is_lock_conflict(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .is_some_and(|error| {
                matches!(
                    error.number(),
                    ER_LOCK_DEADLOCK | ER_LOCK_WAIT_TIMEOUT | ER_AUTOINC_READ_FAILED
                )
            })
    }

    /// Whether what was written refers to a row that does not exist, by a foreign key or by a trigger in its place.
    pub fn is_missing_parent(&self) -> bool {
        self.server_number() == Some(ER_NO_REFERENCED_ROW_2)
    }

    /// Number of the server's error, if it is one.
    fn server_number(&self) -> Option<u16> {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return None;
        };
        error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .map(sqlx::mysql::MySqlDatabaseError::number)
    }

    /// Whether the database or the file store could not be reached at all, as opposed to having refused.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Database(error) => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
            ),
            Self::Files(FilesError::Unavailable(_) | FilesError::Unusable { .. }) => true,
            Self::Redis(error) => error.is_io_error(),
            Self::Files(_) | Self::Json(_) | Self::Invalid(_) => false,
        }
    }
}
