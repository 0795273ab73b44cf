//! What reports read. Every statement is bounded by a span of time and an index on it; what could be many rows is streamed or summed by
//! the server.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use futures::{Stream, TryStreamExt};

use crate::rack_summary::RackSummary;
use crate::{Conn, StoreError, UserId, WorkflowId};

/// Seconds of a quarter of an hour: the offset of every time zone in use is a multiple of it.
pub const QUARTER_S: i64 = 900;

/// A span of time: from the first moment to before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub to: DateTime<Utc>,
}

/// How often each thing happened, in sums that a single workflow's counts would not fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Views.
    pub views: u64,
    /// Downloads.
    pub downloads: u64,
    /// Likes.
    pub likes: u64,
    /// Comments and replies.
    pub comments: u64,
    /// Ratings.
    pub ratings: u64,
    /// Additions to collections.
    pub collection_adds: u64,
}

impl Sums {
    /// Adds others.
    pub fn add(&mut self, other: Sums) {
        self.views += other.views;
        self.downloads += other.downloads;
        self.likes += other.likes;
        self.comments += other.comments;
        self.ratings += other.ratings;
        self.collection_adds += other.collection_adds;
    }

    /// Likes, comments, ratings and additions to collections together.
    pub fn reactions(self) -> u64 {
        self.likes + self.comments + self.ratings + self.collection_adds
    }
}

/// Sums over all workflows of each hour in which something happened, by the hour's beginning.
///
/// # Errors
/// The database refused.
pub async fn sums_by_hour(db: &mut Conn, between: Between) -> Result<Vec<(DateTime<Utc>, Sums)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT hour AS "at!: DateTime<Utc>", CAST(SUM(views) AS UNSIGNED) AS "views!: u64",
                  CAST(SUM(downloads) AS UNSIGNED) AS "downloads!: u64", CAST(SUM(likes) AS UNSIGNED) AS "likes!: u64",
                  CAST(SUM(comments) AS UNSIGNED) AS "comments!: u64", CAST(SUM(ratings) AS UNSIGNED) AS "ratings!: u64",
                  CAST(SUM(collection_adds) AS UNSIGNED) AS "collection_adds!: u64"
           FROM workflow_stats_hourly WHERE hour >= ? AND hour < ? GROUP BY hour ORDER BY hour"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let sums = Sums {
                views: row.views,
                downloads: row.downloads,
                likes: row.likes,
                comments: row.comments,
                ratings: row.ratings,
                collection_adds: row.collection_adds,
            };
            (row.at, sums)
        })
        .collect())
}

/// As [`sums_by_hour`], of each day of UTC.
///
/// # Errors
/// The database refused.
pub async fn sums_by_day(db: &mut Conn, between: Between) -> Result<Vec<(DateTime<Utc>, Sums)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT day, CAST(SUM(views) AS UNSIGNED) AS "views!: u64",
                  CAST(SUM(downloads) AS UNSIGNED) AS "downloads!: u64", CAST(SUM(likes) AS UNSIGNED) AS "likes!: u64",
                  CAST(SUM(comments) AS UNSIGNED) AS "comments!: u64", CAST(SUM(ratings) AS UNSIGNED) AS "ratings!: u64",
                  CAST(SUM(collection_adds) AS UNSIGNED) AS "collection_adds!: u64"
           FROM workflow_stats_daily WHERE day >= ? AND day < ? GROUP BY day ORDER BY day"#,
        between.from.date_naive(),
        between.to.date_naive()
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let day: NaiveDate = row.day;
            let sums = Sums {
                views: row.views,
                downloads: row.downloads,
                likes: row.likes,
                comments: row.comments,
                ratings: row.ratings,
                collection_adds: row.collection_adds,
            };
            (day.and_time(NaiveTime::MIN).and_utc(), sums)
        })
        .collect())
}

/// Sums of each workflow to which something happened, from the hours of a span. Memory is that of those workflows.
///
/// # Errors
/// The database refused.
pub async fn sums_by_workflow(db: &mut Conn, between: Between) -> Result<HashMap<WorkflowId, Sums>, StoreError> {
    let mut rows = sqlx::query!(
        r#"SELECT workflow_id AS "workflow_id: WorkflowId", views, downloads, likes, comments, ratings, collection_adds
           FROM workflow_stats_hourly WHERE hour >= ? AND hour < ?"#,
        between.from,
        between.to
    )
    .fetch(db);
    let mut sums: HashMap<WorkflowId, Sums> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        sums.entry(row.workflow_id).or_default().add(Sums {
            views: row.views.into(),
            downloads: row.downloads.into(),
            likes: row.likes.into(),
            comments: row.comments.into(),
            ratings: row.ratings.into(),
            collection_adds: row.collection_adds.into(),
        });
    }
    Ok(sums)
}

/// As [`sums_by_workflow`], from days of UTC: the same sums, of fewer rows.
///
/// # Errors
/// The database refused.
pub async fn sums_by_workflow_of_days(db: &mut Conn, between: Between) -> Result<HashMap<WorkflowId, Sums>, StoreError> {
    let mut rows = sqlx::query!(
        r#"SELECT workflow_id AS "workflow_id: WorkflowId", views, downloads, likes, comments, ratings, collection_adds
           FROM workflow_stats_daily WHERE day >= ? AND day < ?"#,
        between.from.date_naive(),
        between.to.date_naive()
    )
    .fetch(db);
    let mut sums: HashMap<WorkflowId, Sums> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        sums.entry(row.workflow_id).or_default().add(Sums {
            views: row.views.into(),
            downloads: row.downloads.into(),
            likes: row.likes.into(),
            comments: row.comments.into(),
            ratings: row.ratings.into(),
            collection_adds: row.collection_adds.into(),
        });
    }
    Ok(sums)
}

/// What a workflow is counted under.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Which.
    pub id: WorkflowId,
    /// Title.
    pub title: String,
    /// Its author's handle.
    pub author: String,
    /// Genre, as it was written.
    pub genre: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Devices of Live in it, by the name to group by, each once.
    pub devices: Vec<String>,
}

/// The facts of workflows; those that are gone are left out.
///
/// # Errors
/// The database refused.
pub async fn facts(db: &mut Conn, ids: &[WorkflowId]) -> Result<Vec<Facts>, StoreError> {
    let wanted = serde_json::to_string(ids)?;
    let rows = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN w.id AS "id: WorkflowId", w.title, w.genre, u.username, CAST(p.summary AS CHAR) AS "summary: String"
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id
           JOIN users u FORCE INDEX (PRIMARY) ON u.id = w.user_id
           LEFT JOIN parsed_racks p FORCE INDEX (PRIMARY) ON p.workflow_id = w.id"#,
        wanted
    )
    .fetch_all(&mut *db)
    .await?;
    let pairs = sqlx::query!(
        r#"SELECT STRAIGHT_JOIN p.workflow_id AS "workflow_id: WorkflowId", t.name
           FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
           JOIN workflow_tag_pivot p FORCE INDEX (PRIMARY) ON p.workflow_id = wanted.id
           JOIN workflow_tags t FORCE INDEX (PRIMARY) ON t.id = p.tag_id"#,
        wanted
    )
    .fetch_all(db)
    .await?;
    let mut tags: HashMap<WorkflowId, Vec<String>> = HashMap::new();
    for pair in pairs {
        tags.entry(pair.workflow_id).or_default().push(pair.name);
    }
    Ok(rows
        .into_iter()
        .map(|row| Facts {
            id: row.id,
            title: row.title,
            author: row.username,
            genre: row.genre,
            tags: tags.remove(&row.id).unwrap_or_default(),
            devices: row.summary.as_deref().map(devices).unwrap_or_default(),
        })
        .collect())
}

/// Names of the devices in a summary, each once, in alphabetical order.
fn devices(summary: &str) -> Vec<String> {
    let summary: RackSummary = serde_json::from_str(summary).unwrap_or_default();
    summary.into_device_names()
}

/// Accounts of which a row says that they did something: looked at or downloaded a workflow, liked, commented, rated, collected, followed, or
/// uploaded. Each once.
///
/// # Errors
/// The database refused.
pub async fn active_users(db: &mut Conn, between: Between, mut each: impl FnMut(UserId)) -> Result<(), StoreError> {
    let Between { from, to } = between;
    let mut rows = sqlx::query_file!(
        "src/report/active_users.sql",
        from,
        to,
        from,
        to,
        from,
        to,
        from,
        to,
        from,
        to,
        from,
        to,
        from,
        to,
        from,
        to
    )
    .fetch(db);
    while let Some(row) = rows.try_next().await? {
        each(UserId(row.user_id));
    }
    Ok(())
}

/// Who registered, and when.
///
/// # Errors
/// The database refused.
pub async fn registered(db: &mut Conn, between: Between, mut each: impl FnMut(UserId, DateTime<Utc>)) -> Result<(), StoreError> {
    let mut rows = sqlx::query!(
        r#"SELECT id AS "id: UserId", created_at AS "created_at!: DateTime<Utc>" FROM users WHERE created_at >= ? AND created_at < ?"#,
        between.from,
        between.to
    )
    .fetch(db);
    while let Some(row) = rows.try_next().await? {
        each(row.id, row.created_at);
    }
    Ok(())
}

/// When the first account was made.
///
/// # Errors
/// The database refused.
pub async fn first_registration(db: &mut Conn) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT created_at AS "created_at!: DateTime<Utc>" FROM users WHERE created_at > '1970-01-02' ORDER BY created_at LIMIT 1"#
    )
    .fetch_optional(db)
    .await?)
}

/// New accounts by quarter of an hour.
///
/// # Errors
/// The database refused.
pub async fn registrations_by_quarter(db: &mut Conn, between: Between) -> Result<Vec<(DateTime<Utc>, u64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT CAST(UNIX_TIMESTAMP(created_at) DIV 900 AS SIGNED) AS "quarter!: i64", COUNT(*) AS "count!: i64"
           FROM users WHERE created_at >= ? AND created_at < ? GROUP BY 1 ORDER BY 1"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|row| quarter(row.quarter, row.count)).collect())
}

/// Uploads by quarter of an hour.
///
/// # Errors
/// The database refused.
pub async fn uploads_by_quarter(db: &mut Conn, between: Between) -> Result<Vec<(DateTime<Utc>, u64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT CAST(UNIX_TIMESTAMP(created_at) DIV 900 AS SIGNED) AS "quarter!: i64", COUNT(*) AS "count!: i64"
           FROM workflows WHERE created_at >= ? AND created_at < ? GROUP BY 1 ORDER BY 1"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|row| quarter(row.quarter, row.count)).collect())
}

/// Searches by quarter of an hour.
///
/// # Errors
/// The database refused.
pub async fn searches_by_quarter(db: &mut Conn, between: Between) -> Result<Vec<(DateTime<Utc>, u64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT CAST(UNIX_TIMESTAMP(searched_at) DIV 900 AS SIGNED) AS "quarter!: i64", COUNT(*) AS "count!: i64"
           FROM searches WHERE searched_at >= ? AND searched_at < ? GROUP BY 1 ORDER BY 1"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|row| quarter(row.quarter, row.count)).collect())
}

fn quarter(quarter: i64, count: i64) -> Option<(DateTime<Utc>, u64)> {
    Some((DateTime::from_timestamp(quarter * QUARTER_S, 0)?, u64::try_from(count).ok()?))
}

/// What became of uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// `pending`, `parsed`, `failed` or `no_file`.
    pub state: String,
    /// Why it failed, as a code.
    pub error: Option<String>,
    /// How many.
    pub count: u64,
}

/// What became, until now, of what was uploaded in a span.
///
/// # Errors
/// The database refused.
pub async fn fates(db: &mut Conn, between: Between) -> Result<Vec<Fate>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT parse_state AS state, parse_error_code AS error, COUNT(*) AS "count!: i64"
           FROM workflows WHERE created_at >= ? AND created_at < ? GROUP BY parse_state, parse_error_code
           ORDER BY 3 DESC, parse_state, parse_error_code"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Fate {
            state: row.state,
            error: row.error,
            count: u64::try_from(row.count).unwrap_or_default(),
        })
        .collect())
}

/// Milliseconds from upload to parse of what was uploaded in a span and is parsed. What was parsed again counts up to its last parse; an
/// upload's time has whole seconds.
///
/// # Errors
/// The database refused.
pub async fn parse_waits_ms(db: &mut Conn, between: Between) -> Result<Vec<u32>, StoreError> {
    let waits = sqlx::query_scalar!(
        r#"SELECT CAST(GREATEST(TIMESTAMPDIFF(MICROSECOND, created_at, parsed_at), 0) AS SIGNED) AS "us!: i64"
           FROM workflows WHERE created_at >= ? AND created_at < ? AND parse_state = 'parsed' AND parsed_at IS NOT NULL"#,
        between.from,
        between.to
    );
    in_ms(waits.fetch(db)).await
}

/// Milliseconds until a search found what was to be seen from a span on: published and uploaded. Times of both have whole seconds. What
/// is not parsed, was published again since, or was followed too late by a day, is not among them.
///
/// # Errors
/// The database refused.
pub async fn searchable_waits_ms(db: &mut Conn, between: Between) -> Result<Vec<u32>, StoreError> {
    let waits = sqlx::query_scalar!(
        r#"SELECT CAST(TIMESTAMPDIFF(MICROSECOND, GREATEST(published_at, created_at), searchable_at) AS SIGNED) AS "us!: i64"
           FROM workflows
           WHERE published_at >= ? AND published_at < ? AND is_published = TRUE AND searchable_at >= GREATEST(published_at, created_at)"#,
        between.from,
        between.to
    );
    in_ms(waits.fetch(db)).await
}

/// Waits in microseconds as milliseconds.
async fn in_ms(mut waits: impl Stream<Item = sqlx::Result<i64>> + Unpin) -> Result<Vec<u32>, StoreError> {
    let mut in_ms = Vec::new();
    while let Some(us) = waits.try_next().await? {
        in_ms.push(u32::try_from(us / 1000).unwrap_or(u32::MAX));
    }
    Ok(in_ms)
}

/// How many workflows were published in a span, and are published still.
///
/// # Errors
/// The database refused.
pub async fn published(db: &mut Conn, between: Between) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM workflows WHERE is_published = TRUE AND published_at >= ? AND published_at < ?"#,
        between.from,
        between.to
    )
    .fetch_one(db)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Jobs of a queue that ended in a span.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedJobs {
    /// The queue.
    pub queue: String,
    /// Jobs that are done.
    pub done: u64,
    /// Of those, jobs that took more than one attempt.
    pub retried: u64,
    /// Jobs that died, and are dead still.
    pub dead: u64,
    /// Mean seconds from when a job could run to when it was done.
    pub mean_s: Option<f64>,
}

/// Jobs that ended in a span, by queue.
///
/// # Errors
/// The database refused.
pub async fn ended_jobs(db: &mut Conn, between: Between) -> Result<Vec<EndedJobs>, StoreError> {
    let (from, to) = (between.from.naive_utc(), between.to.naive_utc());
    Ok(sqlx::query_as!(
        EndedJobs,
        r#"SELECT queue, CAST(SUM(status = 'Done') AS UNSIGNED) AS "done!: u64",
                  CAST(SUM(status = 'Done' AND attempts > 1) AS UNSIGNED) AS "retried!: u64",
                  CAST(SUM(status = 'Killed') AS UNSIGNED) AS "dead!: u64",
                  CAST(AVG(CASE WHEN status = 'Done' THEN TIMESTAMPDIFF(MICROSECOND, run_at, done_at) END) / 1000000 AS DOUBLE) AS "mean_s: f64"
           FROM queue_jobs WHERE status IN ('Done', 'Killed') AND done_at >= ? AND done_at < ? GROUP BY queue ORDER BY queue"#,
        from,
        to
    )
    .fetch_all(db)
    .await?)
}

/// Jobs of a queue that wait though they could run.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingJobs {
    /// The queue.
    pub queue: String,
    /// How many.
    pub jobs: u64,
    /// Seconds that the first of them has waited.
    pub oldest_s: f64,
}

/// Jobs that could run now and wait, by queue.
///
/// # Errors
/// The database refused.
pub async fn waiting_jobs(db: &mut Conn) -> Result<Vec<WaitingJobs>, StoreError> {
    Ok(sqlx::query_as!(
        WaitingJobs,
        r#"SELECT queue, CAST(COUNT(*) AS UNSIGNED) AS "jobs!: u64",
                  CAST(TIMESTAMPDIFF(MICROSECOND, MIN(run_at), UTC_TIMESTAMP(6)) / 1000000 AS DOUBLE) AS "oldest_s!: f64"
           FROM queue_jobs WHERE status = 'Pending' AND run_at <= UTC_TIMESTAMP(6) GROUP BY queue ORDER BY queue"#
    )
    .fetch_all(db)
    .await?)
}

/// Dead letters now.
///
/// # Errors
/// The database refused.
pub async fn dead_letters(db: &mut Conn) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(r#"SELECT COUNT(*) AS "count!: i64" FROM queue_jobs WHERE status = 'Killed'"#)
        .fetch_one(db)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Bytes of a table with its indexes, by the server's own estimate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub name: String,
    /// Rows, roughly.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The sizes of all tables, the largest first.
///
/// # Errors
/// The database refused.
pub async fn table_sizes(db: &mut Conn) -> Result<Vec<TableSize>, StoreError> {
    Ok(sqlx::query_as!(
        TableSize,
        r#"SELECT CAST(table_name AS CHAR) AS "name!: String", CAST(COALESCE(table_rows, 0) AS UNSIGNED) AS "rows!: u64",
                  CAST(COALESCE(data_length, 0) + COALESCE(index_length, 0) AS UNSIGNED) AS "bytes!: u64"
           FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY 3 DESC, 1"#
    )
    .fetch_all(db)
    .await?)
}

/// Activities of a span, by type.
///
/// # Errors
/// The database refused.
pub async fn activities(db: &mut Conn, between: Between) -> Result<Vec<(String, u64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT activity_type, COUNT(*) AS "count!: i64" FROM user_activities
           WHERE created_at >= ? AND created_at < ? GROUP BY activity_type ORDER BY activity_type"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.activity_type, u64::try_from(row.count).unwrap_or_default()))
        .collect())
}

/// Feeds that are kept ready now, as far as they were first asked for in a span.
///
/// # Errors
/// The database refused.
pub async fn feeds_wanted(db: &mut Conn, between: Between) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM feeds WHERE wanted_at >= ? AND wanted_at < ?"#,
        between.from,
        between.to
    )
    .fetch_one(db)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The first moment from which on all views and downloads are there still; none when nothing was ever dropped (`events.keep_days`).
///
/// # Errors
/// The database refused.
pub async fn events_kept_since(db: &mut Conn) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT MAX(ends_at) AS "ends_at: DateTime<Utc>" FROM event_archives WHERE state IN ('dropping', 'dropped')"#
    )
    .fetch_one(db)
    .await?)
}
