//! What can go wrong with stored things.

/// An operation on the database, the file store or Redis failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// MySQL refused or was not there.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A column held JSON that is not of the expected shape, or a value could not be written as JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}
