//! When each scheduled thing last fired: one row a name, so that a tick fires once however many schedulers run.

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError};

/// When `name` last fired. A name that is new is noted as fired at `now`: it has no past to make up for.
///
/// # Errors
/// The database refused.
pub async fn last_fired(db: &mut Conn, name: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query!(
        "INSERT INTO schedules (name, last_fired_at) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = name",
        name,
        now.naive_utc()
    )
    .execute(&mut *db)
    .await?;
    let fired = sqlx::query_scalar!(
        r#"SELECT last_fired_at AS "last_fired_at: DateTime<Utc>" FROM schedules WHERE name = ?"#,
        name
    )
    .fetch_one(db)
    .await?;
    Ok(fired)
}

/// Claims a tick: true for the one caller who may fire it. To be followed, in the same transaction, by what the tick is to do:
/// whoever else wants the tick waits for that transaction.
///
/// # Errors
/// The database refused.
pub async fn claim(db: &mut Conn, name: &str, tick: DateTime<Utc>) -> Result<bool, StoreError> {
    let tick = tick.naive_utc();
    let result = sqlx::query!(
        "UPDATE schedules SET last_fired_at = ? WHERE name = ? AND last_fired_at < ?",
        tick,
        name,
        tick
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected() > 0)
}
