//! `workflow_stats_hourly`, `workflow_stats_daily`, and the marks in `rollup_dirty` that say which days to roll up again.
//!
//! What is counted: views and downloads with `counted` set (bots are recorded without), likes, comments, ratings, and additions to
//! collections; in no case what authors do with their own workflows. A day of UTC is the unit: unique actors of a day are made from its
//! events, since those of its hours cannot be summed.
//!
//! This is not the rolling up itself, which is a job's.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use futures::TryStreamExt;
use futures::stream::BoxStream;
use sha2::{Digest, Sha256};
use sqlx::{MySql, QueryBuilder, Transaction};

use crate::db::{BEGIN_READ_COMMITTED, IN_LIST};
use crate::{Conn, Db, StoreError, UserId, WorkflowId};

/// Rows in one statement, of some 40 bytes each, and ids in a JSON list.
const ROWS: usize = 5000;

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

/// Events, column by column: 28 bytes each.
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
    for group in marks.chunks(IN_LIST) {
        let mut statement = QueryBuilder::<MySql>::new("DELETE FROM rollup_dirty WHERE id IN (");
        let mut ids = statement.separated(", ");
        for mark in group {
            ids.push(mark.id);
        }
        statement.push(")");
        sqlx::raw_sql(statement.into_sql()).execute(&mut *db).await?;
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
///
/// Views and downloads by authors and of workflows that are gone are among them, for the reader to leave out: it asks for the [`authors`]
/// once a workflow, and the server would look each event's workflow up.
///
/// # Errors
/// The database refused.
pub async fn events(db: &mut Conn, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<EventReader<'_>, StoreError> {
    let places = sqlx::query_as!(
        Places,
        r#"SELECT 1 AS "kind!: i64", COUNT(*) AS "events!: u64", MIN(id) AS first, MAX(id) AS last
             FROM workflow_views FORCE INDEX (idx_created_at) WHERE created_at >= ? AND created_at < ?
           UNION ALL
           SELECT 2, COUNT(*), MIN(id), MAX(id)
             FROM workflow_downloads FORCE INDEX (idx_created_at) WHERE created_at >= ? AND created_at < ?"#,
        from,
        to,
        from,
        to
    )
    .fetch_all(&mut *db)
    .await?;
    let way = |kind| Way::to(&places, kind, from, to);
    let (views, downloads) = (way(EventKind::View), way(EventKind::Download));
    let rows = sqlx::query_file_as!(
        EventRow,
        "src/stats_events.sql",
        views.first,
        views.last,
        from,
        to,
        views.from,
        to,
        downloads.first,
        downloads.last,
        from,
        to,
        downloads.from,
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
    Ok(EventReader { rows, position: 0 })
}

/// How many views or downloads lie within a span of time, and between which ids.
struct Places {
    kind: i64,
    events: u64,
    first: Option<u64>,
    last: Option<u64>,
}

/// How a table's events are read: by ids from the first to the last, or by times from `from` on. The other is empty.
struct Way {
    first: u64,
    last: u64,
    from: DateTime<Utc>,
}

impl Way {
    /// Events are written as they happen, so those of a span of time mostly stand together, and the table is read as it lies: 0.7
    /// microseconds a row on MariaDB, where by the index of times, from which each row is looked up, it was 2.6. Where rows were brought in
    /// later, the ids between the first and the last are many more than the span's.
    fn to(places: &[Places], kind: EventKind, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let place = places.iter().find(|place| place.kind == i64::from(kind as u32));
        match place.and_then(|place| Some((place.first?, place.last?, place.events))) {
            Some((first, last, events)) if last - first < 3 * events => Self { first, last, from: to },
            _ => Self { first: 1, last: 0, from },
        }
    }
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

/// A [`StatsRow`] as it is stored.
struct StoredRow<T> {
    span: T,
    workflow_id: WorkflowId,
    views: u32,
    unique_viewers: u32,
    downloads: u32,
    unique_downloaders: u32,
    likes: u32,
    comments: u32,
    ratings: u32,
    collection_adds: u32,
}

impl<T> From<StoredRow<T>> for StatsRow<T> {
    fn from(row: StoredRow<T>) -> Self {
        Self {
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
        }
    }
}

/// The daily rows of a workflow from one day to another, both included, in order; days on which nothing happened have none.
///
/// # Errors
/// The database refused.
pub async fn days_of(
    db: &mut Conn,
    workflow: WorkflowId,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<Vec<StatsRow<NaiveDate>>, StoreError> {
    let rows = sqlx::query_as!(
        StoredRow::<NaiveDate>,
        r#"SELECT day AS span, workflow_id AS "workflow_id: WorkflowId", views, unique_viewers, downloads, unique_downloaders, likes,
             comments, ratings, collection_adds
           FROM workflow_stats_daily FORCE INDEX (ix_workflow) WHERE workflow_id = ? AND day >= ? AND day <= ? ORDER BY day"#,
        workflow,
        first,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(StatsRow::from).collect())
}

/// The stored rows of an hour, of all workflows there ever were.
///
/// # Errors
/// The database refused.
pub async fn stored_hour(db: &mut Conn, hour: DateTime<Utc>) -> Result<Vec<StatsRow<DateTime<Utc>>>, StoreError> {
    let rows = sqlx::query_as!(
        StoredRow::<DateTime<Utc>>,
        r#"SELECT hour AS "span!: DateTime<Utc>", workflow_id AS "workflow_id: WorkflowId", views, unique_viewers, downloads,
             unique_downloaders, likes, comments, ratings, collection_adds
           FROM workflow_stats_hourly WHERE hour = ?"#,
        hour
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(StatsRow::from).collect())
}

/// As [`stored_hour`], of a whole day.
///
/// # Errors
/// The database refused.
pub async fn stored_day(db: &mut Conn, day: NaiveDate) -> Result<Vec<StatsRow<NaiveDate>>, StoreError> {
    let rows = sqlx::query_as!(
        StoredRow::<NaiveDate>,
        r#"SELECT day AS span, workflow_id AS "workflow_id: WorkflowId", views, unique_viewers, downloads, unique_downloaders, likes,
             comments, ratings, collection_adds
           FROM workflow_stats_daily WHERE day = ?"#,
        day
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(StatsRow::from).collect())
}

/// Who made each of some workflows. Those that are gone have none.
///
/// # Errors
/// The database refused.
pub async fn authors(db: &mut Conn, workflows: &[WorkflowId]) -> Result<HashMap<WorkflowId, UserId>, StoreError> {
    let mut authors = HashMap::with_capacity(workflows.len());
    for group in workflows.chunks(ROWS) {
        let found = sqlx::query!(
            r#"SELECT STRAIGHT_JOIN w.id AS "workflow: WorkflowId", w.user_id AS "author: UserId"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
               JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id"#,
            serde_json::to_string(group)?
        )
        .fetch_all(&mut *db)
        .await?;
        authors.extend(found.into_iter().map(|row| (row.workflow, row.author)));
    }
    Ok(authors)
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

/// Puts these rows in the place of all that an hour had. Only what is different is written: most of a day's rows are what they were a
/// minute ago.
///
/// # Errors
/// The database refused.
pub async fn replace_hour(db: &mut Conn, hour: DateTime<Utc>, rows: Vec<StatsRow<DateTime<Utc>>>) -> Result<(), StoreError> {
    let difference = Difference::between(stored_hour(&mut *db, hour).await?, rows);
    let span = hour.format("'%Y-%m-%d %H:%M:%S'").to_string();
    difference.write(db, "workflow_stats_hourly", "hour", &span).await
}

/// As [`replace_hour`], of a whole day.
///
/// # Errors
/// The database refused.
pub async fn replace_day(db: &mut Conn, day: NaiveDate, rows: Vec<StatsRow<NaiveDate>>) -> Result<(), StoreError> {
    let difference = Difference::between(stored_day(&mut *db, day).await?, rows);
    difference
        .write(db, "workflow_stats_daily", "day", &day.format("'%Y-%m-%d'").to_string())
        .await
}

/// What has to be written for stored rows of one span to be as they should be.
struct Difference {
    gone: Vec<WorkflowId>,
    changed: Vec<(WorkflowId, Counts)>,
}

impl Difference {
    fn between<T>(stored: Vec<StatsRow<T>>, rows: Vec<StatsRow<T>>) -> Self {
        let mut stored: HashMap<WorkflowId, Counts> = stored.into_iter().map(|row| (row.workflow_id, row.counts)).collect();
        let rows = rows.into_iter().map(|row| (row.workflow_id, row.counts));
        let changed = rows
            .filter(|(workflow, counts)| stored.remove(workflow) != Some(*counts))
            .collect();
        let mut gone: Vec<WorkflowId> = stored.into_keys().collect();
        gone.sort_unstable();
        Self { gone, changed }
    }

    /// Numbers are written into the statements, and those are not prepared: to prepare them first took twice as long on MariaDB.
    async fn write(self, db: &mut Conn, table: &str, column: &str, span: &str) -> Result<(), StoreError> {
        for group in self.gone.chunks(IN_LIST) {
            let mut statement = QueryBuilder::<MySql>::new("DELETE FROM ");
            statement
                .push(table)
                .push(format_args!(" WHERE {column} = {span} AND workflow_id IN ("));
            let mut ids = statement.separated(", ");
            for workflow in group {
                ids.push(workflow);
            }
            statement.push(")");
            sqlx::raw_sql(statement.into_sql()).execute(&mut *db).await?;
        }
        for group in self.changed.chunks(ROWS) {
            let mut statement = QueryBuilder::<MySql>::new("REPLACE INTO ");
            statement.push(table).push(format_args!(
                " ({column}, workflow_id, views, unique_viewers, downloads, unique_downloaders, likes, comments, ratings, collection_adds) VALUES "
            ));
            let mut rows = statement.separated(",");
            for (workflow, counts) in group {
                rows.push(format_args!(
                    "({span},{workflow},{},{},{},{},{},{},{},{})",
                    counts.views,
                    counts.unique_viewers,
                    counts.downloads,
                    counts.unique_downloaders,
                    counts.likes,
                    counts.comments,
                    counts.ratings,
                    counts.collection_adds
                ));
            }
            sqlx::raw_sql(statement.into_sql()).execute(&mut *db).await?;
        }
        Ok(())
    }
}

/// Every day from the first to the last.
pub fn days(first: NaiveDate, last: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    first.iter_days().take_while(move |day| *day <= last)
}
