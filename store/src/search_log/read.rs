//! What reports read: the most frequent queries, those without results, and what was done with the hits.
//!
//! Every query is bounded by a span of time, by an index on it, and by a number of rows.

use chrono::{DateTime, NaiveDate, Utc};

use crate::{Conn, StoreError};

/// Most days that one reading spans.
const MAX_DAYS: u32 = 400;

/// What came of one text in a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchedText {
    /// The text, folded.
    pub text: String,
    /// How often it was searched.
    pub searches: u64,
    /// By how many, where that is known. One who comes on two days counts twice.
    pub searchers: u64,
    /// How many of the searches found nothing.
    pub without_hits: u64,
    /// How many of the searches led to a click at least.
    pub clicked: u64,
    /// Clicks.
    pub clicks: u64,
    /// Mean position of what was clicked, from 1; none without a click.
    pub mean_click_position: Option<f64>,
}

impl SearchedText {
    /// Share of its searches that led to a click.
    pub fn click_through(&self) -> f64 {
        share(self.clicked, self.searches)
    }
}

/// What came of all searches of a day, in UTC. Those without a text count too.
#[derive(Clone, Debug, PartialEq)]
pub struct DayOfSearches {
    /// The day.
    pub day: NaiveDate,
    /// Searches.
    pub searches: u64,
    /// By how many, where that is known.
    pub searchers: u64,
    /// Searches that found nothing.
    pub without_hits: u64,
    /// Searches that led to a click at least.
    pub clicked: u64,
    /// Clicks.
    pub clicks: u64,
    /// Mean position of what was clicked, from 1.
    pub mean_click_position: Option<f64>,
    /// Mean time to answer, in microseconds.
    pub mean_took_us: f64,
}

impl DayOfSearches {
    /// Share of its searches that led to a click.
    pub fn click_through(&self) -> f64 {
        share(self.clicked, self.searches)
    }
}

/// What came of one text on one day, in UTC.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryOfDay {
    /// The day.
    pub day: NaiveDate,
    /// How often it was searched.
    pub searches: u64,
    /// How many of the searches found nothing.
    pub without_hits: u64,
    /// How many of the searches led to a click at least.
    pub clicked: u64,
    /// Clicks.
    pub clicks: u64,
    /// Mean position of what was clicked, from 1.
    pub mean_click_position: Option<f64>,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The texts searched most often from one moment to another, the most frequent first.
///
/// # Errors
/// The database refused.
pub async fn most_frequent(
    db: &mut Conn,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<SearchedText>, StoreError> {
    Ok(sqlx::query_as!(
        SearchedText,
        r#"
        SELECT s.text AS "text!", COUNT(DISTINCT s.id) AS "searches!: u64", COUNT(DISTINCT s.actor_hash) AS "searchers!: u64",
               COUNT(DISTINCT CASE WHEN s.hits = 0 THEN s.id END) AS "without_hits!: u64",
               COUNT(DISTINCT e.query_id) AS "clicked!: u64", COUNT(e.id) AS "clicks!: u64",
               CAST(AVG(e.position) AS DOUBLE) AS "mean_click_position: f64"
        FROM searches s
        LEFT JOIN search_events e ON e.query_id = s.query_id AND e.kind = 'click'
        WHERE s.searched_at >= ? AND s.searched_at < ? AND s.text <> ''
        GROUP BY s.text
        ORDER BY 2 DESC, s.text
        LIMIT ?
        "#,
        from,
        to,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// The texts searched most often that found nothing each time, the most frequent first: what the community lacks.
///
/// # Errors
/// The database refused.
pub async fn without_hits(
    db: &mut Conn,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<SearchedText>, StoreError> {
    Ok(sqlx::query_as!(
        SearchedText,
        r#"
        SELECT s.text AS "text!", COUNT(*) AS "searches!: u64", COUNT(DISTINCT s.actor_hash) AS "searchers!: u64",
               COUNT(*) AS "without_hits!: u64", CAST(0 AS UNSIGNED) AS "clicked!: u64", CAST(0 AS UNSIGNED) AS "clicks!: u64",
               CAST(NULL AS DOUBLE) AS "mean_click_position: f64"
        FROM searches s
        WHERE s.searched_at >= ? AND s.searched_at < ? AND s.text <> ''
        GROUP BY s.text
        HAVING MAX(s.hits) = 0
        ORDER BY 2 DESC, s.text
        LIMIT ?
        "#,
        from,
        to,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// All searches, day by day, the earliest first.
///
/// # Errors
/// The database refused.
pub async fn by_day(db: &mut Conn, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<DayOfSearches>, StoreError> {
    Ok(sqlx::query_as!(
        DayOfSearches,
        r#"
        SELECT DATE(s.searched_at) AS "day!: NaiveDate", COUNT(*) AS "searches!: u64",
               COUNT(DISTINCT s.actor_hash) AS "searchers!: u64", CAST(SUM(s.hits = 0) AS UNSIGNED) AS "without_hits!: u64",
               COUNT(c.clicks) AS "clicked!: u64", CAST(COALESCE(SUM(c.clicks), 0) AS UNSIGNED) AS "clicks!: u64",
               CAST(SUM(c.positions) / SUM(c.clicks) AS DOUBLE) AS "mean_click_position: f64",
               CAST(AVG(s.took_us) AS DOUBLE) AS "mean_took_us!: f64"
        FROM searches s
        LEFT JOIN (
          SELECT e.query_id, COUNT(*) AS clicks, SUM(e.position) AS positions
          FROM search_events e
          WHERE e.happened_at >= ? AND e.kind = 'click'
          GROUP BY e.query_id
        ) c ON c.query_id = s.query_id
        WHERE s.searched_at >= ? AND s.searched_at < ?
        GROUP BY DATE(s.searched_at)
        ORDER BY 1
        LIMIT ?
        "#,
        from,
        from,
        to,
        MAX_DAYS
    )
    .fetch_all(db)
    .await?)
}

/// One text, day by day, the earliest first. The text is as it was kept: folded.
///
/// # Errors
/// The database refused.
pub async fn query_by_day(
    db: &mut Conn,
    text: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<QueryOfDay>, StoreError> {
    Ok(sqlx::query_as!(
        QueryOfDay,
        r#"
        SELECT DATE(s.searched_at) AS "day!: NaiveDate", COUNT(DISTINCT s.id) AS "searches!: u64",
               COUNT(DISTINCT CASE WHEN s.hits = 0 THEN s.id END) AS "without_hits!: u64",
               COUNT(DISTINCT e.query_id) AS "clicked!: u64", COUNT(e.id) AS "clicks!: u64",
               CAST(AVG(e.position) AS DOUBLE) AS "mean_click_position: f64"
        FROM searches s
        LEFT JOIN search_events e ON e.query_id = s.query_id AND e.kind = 'click'
        WHERE s.text = ? AND s.searched_at >= ? AND s.searched_at < ?
        GROUP BY DATE(s.searched_at)
        ORDER BY 1
        LIMIT ?
        "#,
        text,
        from,
        to,
        MAX_DAYS
    )
    .fetch_all(db)
    .await?)
}
