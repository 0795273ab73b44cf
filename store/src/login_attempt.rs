//! `login_attempts`: who tries passwords how often. Account and address are keyed hashes.

use crate::{Conn, StoreError};

/// Failed attempts of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// At this account, from anywhere.
    pub of_account: u32,
    /// From this address, at any account.
    pub of_address: u32,
}

/// An attempt, to be taken back when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(u64);

/// Notes an attempt as failed, before the password is looked at: many at once then each see the others.
///
/// # Errors
/// The database refused.
pub async fn begin(db: &mut Conn, account: &[u8; 32], address: &[u8; 32]) -> Result<Attempt, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO login_attempts (account_hash, address_hash) VALUES (?, ?)",
        &account[..],
        &address[..]
    )
    .execute(db)
    .await?;
    Ok(Attempt(done.last_insert_id()))
}

/// Failed attempts within a window before this one.
///
/// # Errors
/// The database refused.
pub async fn failures(
    db: &mut Conn,
    account: &[u8; 32],
    address: &[u8; 32],
    window_s: u32,
    but: Attempt,
) -> Result<Failures, StoreError> {
    let of_account = sqlx::query_scalar!(
        "SELECT COUNT(*) FROM login_attempts
         WHERE account_hash = ? AND attempted_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND AND NOT succeeded AND id <> ?",
        &account[..],
        window_s,
        but.0
    )
    .fetch_one(&mut *db)
    .await?;
    let of_address = sqlx::query_scalar!(
        "SELECT COUNT(*) FROM login_attempts
         WHERE address_hash = ? AND attempted_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND AND NOT succeeded AND id <> ?",
        &address[..],
        window_s,
        but.0
    )
    .fetch_one(db)
    .await?;
    Ok(Failures {
        of_account: u32::try_from(of_account).unwrap_or(u32::MAX),
        of_address: u32::try_from(of_address).unwrap_or(u32::MAX),
    })
}

/// Says that an attempt succeeded, so that it does not count.
///
/// # Errors
/// The database refused.
pub async fn succeed(db: &mut Conn, attempt: Attempt) -> Result<(), StoreError> {
    sqlx::query!("UPDATE login_attempts SET succeeded = TRUE WHERE id = ?", attempt.0)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets an attempt that was not looked at: those that are refused for being too many do not prolong the wait.
///
/// # Errors
/// The database refused.
pub async fn forget(db: &mut Conn, attempt: Attempt) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM login_attempts WHERE id = ?", attempt.0)
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes those that are past being counted, some at a time. Returns how many.
///
/// # Errors
/// The database refused.
pub async fn prune(db: &mut Conn, window_s: u32, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM login_attempts WHERE attempted_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND ORDER BY attempted_at LIMIT ?",
        window_s,
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
