//! `reports` and what belongs to them: one row a report and period, its forms for people and programs, and what was sent where.
//!
//! What a report says is a job's (`jobs::report`); [`sources`] is what it reads.

mod period;
pub mod sources;

use chrono::{DateTime, Utc};

use crate::{Conn, StoreError};

pub use period::{Period, ReportKind};

/// A report as it is written.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// Of what.
    pub period: Period,
    /// Whose midnights its days begin and end at.
    pub zone: String,
    /// Its first moment.
    pub starts_at: DateTime<Utc>,
    /// The first moment after it.
    pub ends_at: DateTime<Utc>,
    /// All of it, as JSON.
    pub figures: String,
    /// The form of that JSON.
    pub shape: u32,
    /// Other forms: a name and the bytes.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// A report in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// `daily`, `weekly` or `monthly`.
    pub report: String,
    /// Its period.
    pub period: String,
    /// Whose midnights its days begin and end at.
    pub zone: String,
    /// Its first moment.
    pub starts_at: DateTime<Utc>,
    /// The first moment after it.
    pub ends_at: DateTime<Utc>,
    /// How often it was made.
    pub version: u32,
    /// When it was made last.
    pub generated_at: DateTime<Utc>,
}

/// Writes a report in the place of the one that was there, and says whether there was none. To be called in a transaction, which who
/// else writes the same one waits for.
///
/// # Errors
/// The database refused.
pub async fn put(db: &mut Conn, report: &NewReport) -> Result<bool, StoreError> {
    let (kind, period) = (report.period.kind().as_str(), report.period.to_string());
    let written = sqlx::query!(
        "INSERT INTO reports (report, period, zone, starts_at, ends_at, figures, shape, generated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))
         ON DUPLICATE KEY UPDATE zone = VALUES(zone), starts_at = VALUES(starts_at), ends_at = VALUES(ends_at),
           figures = VALUES(figures), shape = VALUES(shape), version = version + 1, generated_at = VALUES(generated_at)",
        kind,
        period,
        report.zone,
        report.starts_at.naive_utc(),
        report.ends_at.naive_utc(),
        report.figures,
        report.shape
    )
    .execute(&mut *db)
    .await?;
    for (format, bytes) in &report.files {
        sqlx::query!(
            "INSERT INTO report_files (report, period, format, bytes) VALUES (?, ?, ?, ?)
             ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)",
            kind,
            period,
            format,
            bytes
        )
        .execute(&mut *db)
        .await?;
    }
    // 1 for a new row, 2 for one that was changed.
    Ok(written.rows_affected() == 1)
}

/// Whether a report is there.
///
/// # Errors
/// The database refused.
pub async fn exists(db: &mut Conn, kind: ReportKind, period: &str) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT version FROM reports WHERE report = ? AND period = ?",
        kind.as_str(),
        period
    )
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// A report's figures, as the JSON that was written.
///
/// # Errors
/// The database refused.
pub async fn figures(db: &mut Conn, kind: ReportKind, period: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT figures FROM reports WHERE report = ? AND period = ?",
        kind.as_str(),
        period
    )
    .fetch_optional(db)
    .await?)
}

/// A report in another form, such as `html`.
///
/// # Errors
/// The database refused.
pub async fn file(db: &mut Conn, kind: ReportKind, period: &str, format: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT bytes FROM report_files WHERE report = ? AND period = ? AND format = ?",
        kind.as_str(),
        period,
        format
    )
    .fetch_optional(db)
    .await?)
}

/// The reports of a kind, the latest period first.
///
/// # Errors
/// The database refused.
pub async fn list(
    db: &mut Conn,
    kind: ReportKind,
    before: Option<DateTime<Utc>>,
    limit: u32,
) -> Result<Vec<ReportRow>, StoreError> {
    let before = before.unwrap_or(DateTime::<Utc>::MAX_UTC).naive_utc().min(far());
    Ok(sqlx::query_as!(
        ReportRow,
        r#"SELECT report, period, zone, starts_at AS "starts_at: DateTime<Utc>", ends_at AS "ends_at: DateTime<Utc>", version,
                  generated_at AS "generated_at: DateTime<Utc>"
           FROM reports WHERE report = ? AND starts_at < ? ORDER BY starts_at DESC LIMIT ?"#,
        kind.as_str(),
        before,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// The last moment that the column takes.
fn far() -> chrono::NaiveDateTime {
    chrono::NaiveDate::from_ymd_opt(9999, 12, 31)
        .unwrap_or(chrono::NaiveDate::MAX)
        .into()
}

/// When the earliest report of a kind begins.
///
/// # Errors
/// The database refused.
pub async fn earliest(db: &mut Conn, kind: ReportKind) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT starts_at AS "starts_at: DateTime<Utc>" FROM reports WHERE report = ? ORDER BY starts_at LIMIT 1"#,
        kind.as_str()
    )
    .fetch_optional(db)
    .await?)
}

/// Notes that a report was sent.
///
/// # Errors
/// The database refused.
pub async fn delivered(db: &mut Conn, kind: ReportKind, period: &str, channel: &str, event_id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO report_deliveries (report, period, channel, event_id, delivered_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))
         ON DUPLICATE KEY UPDATE event_id = VALUES(event_id), delivered_at = VALUES(delivered_at)",
        kind.as_str(),
        period,
        channel,
        event_id
    )
    .execute(db)
    .await?;
    Ok(())
}
