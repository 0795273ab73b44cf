//! `idempotent_requests`: answers to requests that carried an `Idempotency-Key`, so that a repeated one is answered and not done again.
//!
//! The first of several likes claims the key and does the work; the others wait for its answer. A claim ends by itself, since its holder
//! may have died; whoever comes next then takes it over.

use ulid::Ulid;

use crate::{Conn, StoreError};

/// A right to do the work of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    key: [u8; 32],
    claim: String,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Headers worth repeating, as the caller wrote them.
    pub headers: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// What is to be done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Do it, and keep or release the claim.
    Yours(Claim),
    /// It was done; this was the answer.
    Done(KeptAnswer),
    /// It was done, and whoever did it died before the answer was kept.
    AnswerLost,
    /// Another is at it.
    Running,
    /// The key was used for another request.
    OtherRequest,
}

/// Takes a turn at a key. Answers are kept for a number of hours; a claim is the caller's for a number of seconds.
///
/// # Errors
/// The database refused.
pub async fn take_turn(db: &mut Conn, key: [u8; 32], request: [u8; 32], keep_h: u32, claim_s: u32) -> Result<Turn, StoreError> {
    let claim = Claim {
        key,
        claim: Ulid::generate().to_string(),
    };
    sqlx::query!(
        "DELETE FROM idempotent_requests WHERE key_hash = ? AND created_at < UTC_TIMESTAMP(6) - INTERVAL ? HOUR",
        &key[..],
        keep_h
    )
    .execute(&mut *db)
    .await?;
    let added = sqlx::query!(
        "INSERT INTO idempotent_requests (key_hash, request_hash, claim, claimed_until)
         VALUES (?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND)",
        &key[..],
        &request[..],
        claim.claim,
        claim_s
    )
    .execute(&mut *db)
    .await
    .map_err(StoreError::from);
    match added {
        Ok(_) => return Ok(Turn::Yours(claim)),
        Err(error) if error.is_duplicate() => {}
        Err(error) => return Err(error),
    }
    let Some(found) = sqlx::query!(
        r#"
        SELECT request_hash, status, headers, body, is_done AS "is_done: bool", claimed_until < UTC_TIMESTAMP(6) AS "has_ended!: bool"
        FROM idempotent_requests WHERE key_hash = ?
        "#,
        &key[..]
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        // Released between the two statements.
        return Ok(Turn::Running);
    };
    if found.request_hash != request {
        return Ok(Turn::OtherRequest);
    }
    if let Some(status) = found.status {
        return Ok(Turn::Done(KeptAnswer {
            status,
            headers: found.headers.unwrap_or_default(),
            body: found.body.unwrap_or_default(),
        }));
    }
    if !found.has_ended {
        return Ok(Turn::Running);
    }
    if found.is_done {
        return Ok(Turn::AnswerLost);
    }
    let taken = sqlx::query!(
        "UPDATE idempotent_requests SET claim = ?, claimed_until = UTC_TIMESTAMP(6) + INTERVAL ? SECOND
         WHERE key_hash = ? AND status IS NULL AND NOT is_done AND claimed_until < UTC_TIMESTAMP(6)",
        claim.claim,
        claim_s,
        &key[..]
    )
    .execute(db)
    .await?;
    Ok(if taken.rows_affected() > 0 {
        Turn::Yours(claim)
    } else {
        Turn::Running
    })
}

/// Says that the work is done, in the transaction that does it: whether or not its answer can be kept, it is not done again. False when the
/// claim has ended meanwhile and another holds the key: nothing may be committed then.
///
/// # Errors
/// The database refused.
pub async fn mark_done(db: &mut Conn, claim: &Claim) -> Result<bool, StoreError> {
    let marked = sqlx::query!(
        "UPDATE idempotent_requests SET is_done = TRUE WHERE key_hash = ? AND claim = ?",
        &claim.key[..],
        claim.claim
    )
    .execute(db)
    .await?;
    // Rows that were found, changed or not: a request may do its work in several transactions.
    Ok(marked.rows_affected() > 0)
}

/// Keeps the answer for whoever asks the same again.
///
/// # Errors
/// The database refused.
pub async fn keep(db: &mut Conn, claim: &Claim, answer: &KeptAnswer) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE idempotent_requests SET status = ?, headers = ?, body = ? WHERE key_hash = ? AND claim = ?",
        answer.status,
        answer.headers,
        answer.body,
        &claim.key[..],
        claim.claim
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives the key back where nothing was done, so that trying again may succeed. Where the work is done and only its answer failed, the
/// claim ends at once, and whoever asks again is told so.
///
/// # Errors
/// The database refused.
pub async fn release(db: &mut Conn, claim: &Claim) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM idempotent_requests WHERE key_hash = ? AND claim = ? AND NOT is_done",
        &claim.key[..],
        claim.claim
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE idempotent_requests SET claimed_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE key_hash = ? AND claim = ? AND is_done",
        &claim.key[..],
        claim.claim
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes answers that need not be kept any longer, some at a time. Returns how many.
///
/// # Errors
/// The database refused.
pub async fn prune(db: &mut Conn, keep_h: u32, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM idempotent_requests WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL ? HOUR ORDER BY created_at LIMIT ?",
        keep_h,
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
