//! Writes that a client cannot stop half-way by hanging up.

use crate::error::ApiError;

/// Runs a write to its end even when the request's future is dropped: the transaction then commits or rolls back as it would have,
/// and its connection never goes back to the pool in the middle of one.
///
/// # Errors
/// Those of the write.
pub(crate) async fn detached<T, F>(write: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    match tokio::spawn(write).await {
        Ok(outcome) => outcome,
        Err(error) => Err(ApiError::internal(error)),
    }
}
