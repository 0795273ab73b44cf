//! `event_retention`, and what becomes of addresses when they have been kept long enough.
//!
//! Views and downloads stay: they are what counts are made of. What leads back to people in them goes: addresses and sessions of a day are
//! hashed once more under a key that is made for that day and thrown away, so that who is the same stays the same within it (which is all
//! that roll-ups ask), and nobody can tell any more who that was. Of users' own events, and of networks and programs, nothing is left.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::{Db, StoreError};

/// Length of the steps that a day is done in, so that no statement holds many rows. The longest index range of one statement.
const STEP: TimeDelta = TimeDelta::minutes(10);

/// Forgets the addresses of all days before `until` that are not done yet, the oldest first, and gives how many events were changed.
///
/// Safe to repeat: a day that was broken off is done again from its beginning. An actor whose events of that day lie on both sides of
/// the break may count as two when the day is rolled up.
///
/// # Errors
/// The database refused, or the operating system gives no random numbers. Days that are done stay done.
pub async fn forget_addresses(db: &Db, until: NaiveDate) -> Result<u64, StoreError> {
    let done = sqlx::query_scalar!("SELECT forgotten_until FROM event_retention WHERE id = 1")
        .fetch_optional(db)
        .await?;
    let mut from = done.unwrap_or(DateTime::UNIX_EPOCH.date_naive() + TimeDelta::days(1));
    let mut changed = 0;
    while let Some(day) = first_day_with_events(db, from).await?.filter(|day| *day < until) {
        changed += forget_day(db, day).await?;
        from = day + TimeDelta::days(1);
        sqlx::query!(
            "INSERT INTO event_retention (id, forgotten_until) VALUES (1, ?) ON DUPLICATE KEY UPDATE forgotten_until = ?",
            from,
            from
        )
        .execute(db)
        .await?;
    }
    Ok(changed)
}

/// The first day from this one on that has an event.
async fn first_day_with_events(db: &Db, from: NaiveDate) -> Result<Option<NaiveDate>, StoreError> {
    let from = from.and_time(NaiveTime::MIN).and_utc();
    let view = sqlx::query_scalar!(
        r#"SELECT created_at AS "at: DateTime<Utc>" FROM workflow_views WHERE created_at >= ? ORDER BY created_at LIMIT 1"#,
        from
    )
    .fetch_optional(db)
    .await?;
    let download = sqlx::query_scalar!(
        r#"SELECT created_at AS "at: DateTime<Utc>" FROM workflow_downloads WHERE created_at >= ? ORDER BY created_at LIMIT 1"#,
        from
    )
    .fetch_optional(db)
    .await?;
    Ok(view.into_iter().chain(download).min().map(|at| at.date_naive()))
}

async fn forget_day(db: &Db, day: NaiveDate) -> Result<u64, StoreError> {
    let mut key = [0_u8; 32];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut key)
        .map_err(|error| StoreError::Invalid(format!("no random numbers: {error}")))?;
    let key = hex::encode(key);
    let end = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1);
    let mut from = day.and_time(NaiveTime::MIN).and_utc();
    let mut changed = 0;
    while from < end {
        let to = from + STEP;
        changed += sqlx::query!(
            r#"
            UPDATE workflow_views
            SET ip_address = IF(user_id IS NULL, LEFT(SHA2(CONCAT(?, ip_address), 256), 32), NULL),
                session_id = IF(user_id IS NULL, LEFT(SHA2(CONCAT(?, session_id), 256), 32), NULL),
                network_hash = NULL
            WHERE created_at >= ? AND created_at < ?
            "#,
            key,
            key,
            from,
            to
        )
        .execute(db)
        .await?
        .rows_affected();
        changed += sqlx::query!(
            r#"
            UPDATE workflow_downloads
            SET ip_address = IF(user_id IS NULL, LEFT(SHA2(CONCAT(?, ip_address), 256), 32), NULL),
                user_agent = NULL, network_hash = NULL
            WHERE created_at >= ? AND created_at < ?
            "#,
            key,
            from,
            to
        )
        .execute(db)
        .await?
        .rows_affected();
        from = to;
    }
    Ok(changed)
}
