//! `workflow_stats_hourly`, `workflow_stats_daily`, and the marks in `rollup_dirty` that say which days to roll up again.
//!
//! What is counted: views and downloads with `counted` set (bots are recorded without), likes, comments, ratings, and additions to
//! collections; in no case what authors do with their own workflows. A day of UTC is the unit: unique actors of a day are made from its events, since those of
//! its hours cannot be summed.
//!
//! This is not the rolling up itself, which is a job's.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use sha2::{Digest, Sha256};
use sqlx::{MySql, QueryBuilder, Transaction};

use crate::db::BEGIN_READ_COMMITTED;
use crate::{Conn, Db, StoreError, WorkflowId};

/// Rows in one statement. Ten values a row stay far below the 65,535 that a statement may have.
const ROWS: usize = 500;

/// Highest bits of an actor: 000 a user's id, 001 a hash of address and session, 010 nobody known. The first stays free, so that every
/// actor is a signed number too.
const HASHED: u64 = 1 << 61;

/// From here on an actor is nobody known: each such event has an actor of its own, who is not counted among the unique ones.
pub const UNKNOWN: u64 = 1 << 62;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum EventKind {
    /// A page was looked at.
    View = 1,
    /// The file was fetched.
    Download = 2,
    /// A like that still stands.
    Like = 3,
    /// A comment or reply.
    Comment = 4,
    /// A rating.
    Rating = 5,
    /// An addition to a collection.
    CollectionAdd = 6,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 6] = [
        EventKind::View,
        EventKind::Download,
        EventKind::Like,
        EventKind::Comment,
        EventKind::Rating,
        EventKind::CollectionAdd,
    ];

    /// The kind of a number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| i64::from(*kind as u32) == number)
    }
}

/// Events, column by column: 24 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// What happened, as [`EventKind`]'s number.
    pub kind: Vec<u32>,
    /// To which workflow.
    pub workflow: Vec<u64>,
    /// When, in seconds since 1970.
    pub at_s: Vec<i64>,
    /// Who. Comparable within these events only.
    pub actor: Vec<u64>,
}

/// How often each thing happened in some span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Views, of which an actor has at most one in half an hour.
    pub views: u32,
    /// Different actors who viewed.
    pub unique_viewers: u32,
    /// Downloads, of which an actor has at most one in half an hour.
    pub downloads: u32,
    /// Different actors who downloaded.
    pub unique_downloaders: u32,
    /// Likes that still stand, by when they were given.
    pub likes: u32,
    /// Comments and replies.
    pub comments: u32,
    /// Ratings, by when they were first given.
    pub ratings: u32,
    /// Additions to collections.
    pub collection_adds: u32,
}

/// A row of `workflow_stats_hourly` or `_daily`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatsRow<T> {
    /// The hour's beginning, or the day.
    pub span: T,
    /// Whose.
    pub workflow_id: WorkflowId,
    /// What happened to it.
    pub counts: Counts,
}

/// A row of `rollup_dirty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its id, for [`forget`].
    pub id: u64,
    /// The moment that changed.
    pub at: DateTime<Utc>,
}

/// Whether anything waits to be rolled up. One look at the primary key.
///
/// # Errors
/// The database refused.
pub async fn is_any_marked(db: &mut Conn) -> Result<bool, StoreError> {
    let first = sqlx::query_scalar!("SELECT id FROM rollup_dirty WHERE id > 0 ORDER BY id LIMIT 1")
        .fetch_optional(db)
        .await?;
    Ok(first.is_some())
}

/// The oldest marks. No position is kept: a mark is read by being there, so one whose transaction commits late is not passed over.
///
/// # Errors
/// The database refused.
pub async fn marks(db: &mut Conn, limit: u32) -> Result<Vec<Mark>, StoreError> {
    Ok(sqlx::query_as!(
        Mark,
        r#"SELECT id, at AS "at!: DateTime<Utc>" FROM rollup_dirty WHERE id > 0 ORDER BY id LIMIT ?"#,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Takes marks away, once their days have been rolled up. Only those that were read: what was marked since stays.
///
/// # Errors
/// The database refused.
pub async fn forget(db: &mut Conn, marks: &[Mark]) -> Result<(), StoreError> {
    for group in marks.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new("DELETE FROM rollup_dirty WHERE id IN (");
        let mut ids = statement.separated(", ");
        for mark in group {
            ids.push_bind(mark.id);
        }
        statement.push(")");
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Begins to roll a day up: a transaction that holds the day, and in which each statement sees what is committed by then. Whoever else
/// wants the same day waits here.
///
/// # Errors
/// The database refused, or another held the day for too long.
pub async fn begin_day(db: &Db, day: NaiveDate) -> Result<Transaction<'static, MySql>, StoreError> {
    let mut transaction = db.begin_with(BEGIN_READ_COMMITTED).await?;
    sqlx::query!(
        "INSERT INTO rollup_days (day) VALUES (?) ON DUPLICATE KEY UPDATE rolled_up_at = NOW(6)",
        day
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// Reads what happened within a span of time and counts, some of it at a time.
pub struct EventReader<'a> {
    rows: BoxStream<'a, Result<EventRow, sqlx::Error>>,
    /// Rows read so far: the number of an actor whom nobody knows.
    position: usize,
}

/// A row of `stats_events.sql`.
struct EventRow {
    kind: i64,
    workflow_id: u64,
    at: DateTime<Utc>,
    user_id: Option<u64>,
    ip_address: Option<String>,
    session_id: Option<String>,
}

impl std::fmt::Debug for EventReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReader")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Begins to read what happened from `from` on and before `to`. Rows are read as they come: memory is that of what was asked for at once.
pub fn events(db: &mut Conn, from: DateTime<Utc>, to: DateTime<Utc>) -> EventReader<'_> {
    let rows = sqlx::query_file_as!(
        EventRow,
        "src/stats_events.sql",
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
    EventReader { rows, position: 0 }
}

impl EventReader<'_> {
    /// The next events, at most so many, in whatever order; none at the end.
    ///
    /// # Errors
    /// The database refused.
    pub async fn next(&mut self, at_most: usize) -> Result<Events, StoreError> {
        let mut events = Events::default();
        while events.kind.len() < at_most
            && let Some(row) = self.rows.try_next().await?
        {
            let (address, session) = (row.ip_address.as_deref(), row.session_id.as_deref());
            events.kind.push(u32::try_from(row.kind).unwrap_or_default());
            events.workflow.push(row.workflow_id);
            events.at_s.push(row.at.timestamp());
            events.actor.push(actor(row.user_id, address, session, self.position));
            self.position += 1;
        }
        Ok(events)
    }
}

/// The beginning of a day.
pub fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// The stored rows of a day, of workflows that are still there.
///
/// # Errors
/// The database refused.
pub async fn stored_hours(db: &mut Conn, day: NaiveDate) -> Result<Vec<StatsRow<DateTime<Utc>>>, StoreError> {
    let from = midnight(day);
    let rows = sqlx::query!(
        r#"SELECT s.hour AS "span!: DateTime<Utc>", s.workflow_id AS "workflow_id: WorkflowId", s.views, s.unique_viewers, s.downloads,
             s.unique_downloaders, s.likes, s.comments, s.ratings, s.collection_adds
           FROM workflow_stats_hourly s JOIN workflows ON workflows.id = s.workflow_id WHERE hour >= ? AND hour < ?"#,
        from,
        from + TimeDelta::days(1)
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StatsRow {
            span: row.span,
            workflow_id: row.workflow_id,
            counts: Counts {
                views: row.views,
                unique_viewers: row.unique_viewers,
                downloads: row.downloads,
                unique_downloaders: row.unique_downloaders,
                likes: row.likes,
                comments: row.comments,
                ratings: row.ratings,
                collection_adds: row.collection_adds,
            },
        })
        .collect())
}

/// As [`stored_hours`], of the whole day.
///
/// # Errors
/// The database refused.
pub async fn stored_days(db: &mut Conn, day: NaiveDate) -> Result<Vec<StatsRow<NaiveDate>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT s.day AS span, s.workflow_id AS "workflow_id: WorkflowId", s.views, s.unique_viewers, s.downloads,
             s.unique_downloaders, s.likes, s.comments, s.ratings, s.collection_adds
           FROM workflow_stats_daily s JOIN workflows ON workflows.id = s.workflow_id WHERE day = ?"#,
        day
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StatsRow {
            span: row.span,
            workflow_id: row.workflow_id,
            counts: Counts {
                views: row.views,
                unique_viewers: row.unique_viewers,
                downloads: row.downloads,
                unique_downloaders: row.unique_downloaders,
                likes: row.likes,
                comments: row.comments,
                ratings: row.ratings,
                collection_adds: row.collection_adds,
            },
        })
        .collect())
}

/// A user, else address with session, else nobody known.
fn actor(user: Option<u64>, address: Option<&str>, session: Option<&str>, position: usize) -> u64 {
    actor_of(user, address, session).unwrap_or(UNKNOWN | position as u64)
}

/// The number of an actor: a user's id, else a hash of address and session, the same wherever it is computed. None: nobody known.
pub fn actor_of(user: Option<u64>, address: Option<&str>, session: Option<&str>) -> Option<u64> {
    if user.is_some() || (address.is_none() && session.is_none()) {
        return user;
    }
    let mut hash = Sha256::new();
    hash.update(address.unwrap_or_default());
    hash.update([0]);
    hash.update(session.unwrap_or_default());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.finalize()[..8]);
    Some(HASHED | (u64::from_be_bytes(first) >> 3))
}

/// Whether an actor has no account.
pub fn is_anonymous(actor: u64) -> bool {
    actor >= HASHED
}

/// Puts these rows in the place of all that a day had.
///
/// # Errors
/// The database refused.
pub async fn replace_day(
    db: &mut Conn,
    day: NaiveDate,
    hourly: &[StatsRow<DateTime<Utc>>],
    daily: &[StatsRow<NaiveDate>],
) -> Result<(), StoreError> {
    let from = midnight(day);
    let to = from + TimeDelta::days(1);
    sqlx::query!("DELETE FROM workflow_stats_hourly WHERE hour >= ? AND hour < ?", from, to)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM workflow_stats_daily WHERE day = ?", day)
        .execute(&mut *db)
        .await?;
    add(db, "workflow_stats_hourly (hour", hourly).await?;
    add(db, "workflow_stats_daily (day", daily).await
}

async fn add<T>(db: &mut Conn, head: &str, rows: &[StatsRow<T>]) -> Result<(), StoreError>
where
    T: Copy + Send + Sync + for<'q> sqlx::Encode<'q, MySql> + sqlx::Type<MySql> + 'static,
{
    for group in rows.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new("INSERT INTO ");
        statement.push(head).push(
            ", workflow_id, views, unique_viewers, downloads, unique_downloaders, likes, comments, ratings, collection_adds) ",
        );
        statement.push_values(group, |mut values, row| {
            let counts = row.counts;
            values
                .push_bind(row.span)
                .push_bind(row.workflow_id)
                .push_bind(counts.views)
                .push_bind(counts.unique_viewers)
                .push_bind(counts.downloads)
                .push_bind(counts.unique_downloaders)
                .push_bind(counts.likes)
                .push_bind(counts.comments)
                .push_bind(counts.ratings)
                .push_bind(counts.collection_adds);
        });
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Every day from the first to the last.
pub fn days(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    first.iter_days().take_while(move |day| *day <= last)
}
