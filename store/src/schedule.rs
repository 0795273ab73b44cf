//! When each scheduled thing last fired: one row a name, so that a tick fires once however many schedulers run.

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError};

/// What the timetable says of a name.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its times, in the syntax of the `cron` crate.
    pub expression: &'a str,
    /// The time zone that they are in.
    pub zone: &'a str,
}

/// When a name last fired, with what the timetable says of it, which is written down for whoever asks. A name that is new is noted as
/// fired at `now`: it has no past to make up for.
///
/// # Errors
/// The database refused.
pub async fn last_fired(
    db: &mut Conn,
    line: Line<'_>,
    now: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
) -> Result<DateTime<Utc>, StoreError> {
    sqlx::query!(
        "INSERT INTO schedules (name, last_fired_at, expression, zone, next_at) VALUES (?, ?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE expression = VALUES(expression), zone = VALUES(zone), next_at = VALUES(next_at)",
        line.name,
        now.naive_utc(),
        line.expression,
        line.zone,
        next.map(|next| next.naive_utc())
    )
    .execute(&mut *db)
    .await?;
    let fired = sqlx::query_scalar!(
        r#"SELECT last_fired_at AS "last_fired_at: DateTime<Utc>" FROM schedules WHERE name = ?"#,
        line.name
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
pub async fn claim(db: &mut Conn, name: &str, tick: DateTime<Utc>, next: Option<DateTime<Utc>>) -> Result<bool, StoreError> {
    let tick = tick.naive_utc();
    let result = sqlx::query!(
        "UPDATE schedules SET last_fired_at = ?, next_at = ? WHERE name = ? AND last_fired_at < ?",
        tick,
        next.map(|next| next.naive_utc()),
        name,
        tick
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected() > 0)
}

/// A line of the timetable, as the schedulers last kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// Its times; empty for one that no scheduler of this version keeps.
    pub expression: String,
    /// The time zone that they are in.
    pub zone: String,
    /// When it last fired, or was first known.
    pub last_fired_at: DateTime<Utc>,
    /// When it is due next. None for what is due all the time and passes without a trace when there is nothing to do.
    pub next_at: Option<DateTime<Utc>>,
}

/// The whole timetable, by name.
///
/// # Errors
/// The database refused.
pub async fn all(db: &mut Conn) -> Result<Vec<ScheduleRow>, StoreError> {
    Ok(sqlx::query_as!(
        ScheduleRow,
        r#"SELECT name, expression, zone, last_fired_at AS "last_fired_at: DateTime<Utc>",
                  CASE WHEN next_at > UTC_TIMESTAMP(6) THEN next_at END AS "next_at: DateTime<Utc>"
           FROM schedules ORDER BY name"#
    )
    .fetch_all(db)
    .await?)
}
