//! The monthly partitions of views, downloads and activities.
//!
//! The last partition, `pmax`, takes whatever has no month yet, so nothing is ever refused; but months that exist in time stay
//! small and can be dropped by themselves. Migration 0004 makes the first ones.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Connection};

use crate::{Conn, Db, StoreError};

/// The tables that are partitioned by month.
pub const TABLES: [&str; 3] = ["workflow_views", "workflow_downloads", "user_activities"];

/// How long to wait for another process that does the same, in seconds.
const LOCK_WAIT_S: u32 = 30;

/// Sees to it that each table has a partition for every month from the last one that it has to `months_ahead` after this one, and
/// gives the names of those made, as `table.partition`. Nothing to do is one read of the server's catalogue.
///
/// Safe to repeat and to run at once: a lock on the server lets one process through, and what is there is not made again. If nobody
/// did this for months, the events that have gathered in `pmax` move to their months.
///
/// # Errors
/// The database refused. Months made until then stay.
pub async fn extend(db: &Db, months_ahead: u32) -> Result<Vec<String>, StoreError> {
    extend_at(db, Utc::now(), months_ahead).await
}

/// [`extend`] as of another moment.
///
/// # Errors
/// As of [`extend`].
pub async fn extend_at(db: &Db, now: DateTime<Utc>, months_ahead: u32) -> Result<Vec<String>, StoreError> {
    let mut connection = db.acquire().await?.detach();
    let outcome = extend_locked(&mut connection, now, months_ahead).await;
    // Closing frees the lock.
    connection.close().await?;
    outcome
}

async fn extend_locked(db: &mut Conn, now: DateTime<Utc>, months_ahead: u32) -> Result<Vec<String>, StoreError> {
    let got: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(LEFT(CONCAT('cookbook-months-', DATABASE()), 64), ?)")
        .bind(LOCK_WAIT_S)
        .fetch_one(&mut *db)
        .await?;
    let mut made = Vec::new();
    if got != Some(1) {
        // Another process is at it.
        return Ok(made);
    }
    for table in TABLES {
        let months = missing(&partitions(db, table).await?, now, months_ahead);
        if months.is_empty() {
            continue;
        }
        let definitions: Vec<String> = months.iter().map(|month| definition(*month)).collect();
        // Names of tables come from the list above, names of partitions and bounds from dates.
        sqlx::raw_sql(AssertSqlSafe(format!(
            "ALTER TABLE {table} REORGANIZE PARTITION pmax INTO ({}, PARTITION pmax VALUES LESS THAN MAXVALUE)",
            definitions.join(", ")
        )))
        .execute(&mut *db)
        .await?;
        made.extend(months.iter().map(|month| format!("{table}.{}", name(*month))));
    }
    Ok(made)
}

async fn partitions(db: &mut Conn, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(partition_name AS CHAR) FROM information_schema.partitions
         WHERE table_schema = DATABASE() AND table_name = ? AND partition_name IS NOT NULL",
    )
    .bind(table)
    .fetch_all(db)
    .await?;
    Ok(names.into_iter().collect())
}

/// The month of the oldest partition of a table, which holds what is older too.
pub(crate) async fn oldest_month(db: &mut Conn, table: &str) -> Result<Option<NaiveDate>, StoreError> {
    Ok(partitions(db, table).await?.iter().find_map(|partition| month(partition)))
}

/// Drops the partition of a month, with all that is in it. `table` is one of [`TABLES`].
pub(crate) async fn drop_month(db: &mut Conn, table: &str, month: NaiveDate) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(format!("ALTER TABLE {table} DROP PARTITION {}", name(month))))
        .execute(db)
        .await?;
    Ok(())
}

/// First days of the months to make. Months before the last that is there cannot be made any more: ranges only grow upwards.
fn missing(present: &BTreeSet<String>, now: DateTime<Utc>, months_ahead: u32) -> Vec<NaiveDate> {
    let Some(this_month) = now.date_naive().with_day(1) else {
        return Vec::new();
    };
    let last = present.iter().rev().find_map(|partition| month(partition));
    let first_missing = last
        .and_then(|month| month.checked_add_months(Months::new(1)))
        .unwrap_or(this_month);
    let Some(end) = this_month.checked_add_months(Months::new(months_ahead)) else {
        return Vec::new();
    };
    std::iter::successors(Some(first_missing), |month| month.checked_add_months(Months::new(1)))
        .take_while(|month| *month <= end)
        .collect()
}

/// The partition of a month, such as `p202611`.
fn name(month: NaiveDate) -> String {
    month.format("p%Y%m").to_string()
}

/// The month of a partition; `None` for `pmax`.
fn month(partition: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(&format!("{}01", partition.strip_prefix('p')?), "%Y%m%d").ok()
}

fn definition(month: NaiveDate) -> String {
    let next = month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
    let bound = next.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
    format!("PARTITION {} VALUES LESS THAN ({bound})", name(month))
}
