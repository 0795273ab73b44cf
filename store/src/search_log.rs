//! `searches` and `search_events`: what was searched, and what was done with the hits.
//!
//! Rows are written in batches by whoever answers searches, beside the requests; this is neither the collecting of them nor the
//! report. Nothing here names a person.

mod read;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::{MySql, QueryBuilder};
use ulid::Ulid;

pub use self::read::{DayOfSearches, QueryOfDay, SearchedText, by_day, most_frequent, query_by_day, without_hits};
use crate::{Conn, StoreError, WorkflowId};

/// Longest text kept, in characters: what `searches.text` holds.
pub const TEXT_CHARS: usize = 200;

/// Longest filters kept, in characters: what `searches.filters` holds.
pub const FILTERS_CHARS: usize = 500;

/// Rows in one statement.
const ROWS: usize = 500;

/// Names one answer of a search. It holds the time at which it was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(Ulid);

impl QueryId {
    /// A new one.
    pub fn generate() -> Self {
        Self(Ulid::generate())
    }

    /// When it was given out, in milliseconds since 1970, if it was not made up.
    pub fn given_out_ms(self) -> u64 {
        self.0.timestamp_ms()
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for QueryId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ulid::from_string(text).map(Self)
    }
}

/// Which API was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `/v1/search`.
    Native,
    /// The Meilisearch search API.
    Meilisearch,
    /// The Algolia queries API.
    Algolia,
}

impl Source {
    /// As `searches.source` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Meilisearch => "meilisearch",
            Self::Algolia => "algolia",
        }
    }
}

/// A row of `searches`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Its answer.
    pub query_id: QueryId,
    /// When.
    pub searched_at: DateTime<Utc>,
    /// What was typed, folded; at most [`TEXT_CHARS`].
    pub text: String,
    /// What was selected; at most [`FILTERS_CHARS`].
    pub filters: Option<String>,
    /// How many there were.
    pub hits: u32,
    /// How long the answer took, in microseconds.
    pub took_us: u32,
    /// Which API was asked.
    pub source: Source,
    /// Tells the searchers of one day apart.
    pub actor_hash: Option<[u8; 8]>,
}

/// What was done with a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchEventKind {
    /// It was opened.
    Click,
    /// Its file was fetched.
    Download,
    /// Its preview was listened to.
    Play,
}

impl SearchEventKind {
    /// As `search_events.kind` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Download => "download",
            Self::Play => "play",
        }
    }
}

/// A row of `search_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchEvent {
    /// The answer that it is about.
    pub query_id: QueryId,
    /// What was done.
    pub kind: SearchEventKind,
    /// With which hit.
    pub workflow_id: WorkflowId,
    /// The hit's position among all of them, from 1.
    pub position: u32,
    /// When.
    pub happened_at: DateTime<Utc>,
}

/// Adds searches. Those that are there already stay as they are, so that it may be repeated after an uncertain end.
///
/// # Errors
/// The database refused.
pub async fn add_searches(db: &mut Conn, searches: &[Search]) -> Result<(), StoreError> {
    for group in searches.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new(
            "INSERT INTO searches (query_id, searched_at, text, filters, hits, took_us, source, actor_hash) ",
        );
        statement.push_values(group, |mut values, search| {
            values
                .push_bind(search.query_id.to_string())
                .push_bind(search.searched_at)
                .push_bind(&search.text)
                .push_bind(&search.filters)
                .push_bind(search.hits)
                .push_bind(search.took_us)
                .push_bind(search.source.name())
                .push_bind(search.actor_hash.map(|hash| hash.to_vec()));
        });
        statement.push(" ON DUPLICATE KEY UPDATE query_id = query_id");
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Adds events of searches. The same thing done with the same hit counts once.
///
/// # Errors
/// The database refused.
pub async fn add_events(db: &mut Conn, events: &[SearchEvent]) -> Result<(), StoreError> {
    for group in events.chunks(ROWS) {
        let mut statement =
            QueryBuilder::<MySql>::new("INSERT INTO search_events (query_id, kind, workflow_id, position, happened_at) ");
        statement.push_values(group, |mut values, event| {
            values
                .push_bind(event.query_id.to_string())
                .push_bind(event.kind.name())
                .push_bind(event.workflow_id)
                .push_bind(event.position)
                .push_bind(event.happened_at);
        });
        statement.push(" ON DUPLICATE KEY UPDATE query_id = query_id");
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// How many hits each of these answers had. Unknown ones are left out.
///
/// # Errors
/// The database refused.
pub async fn hits_of(db: &mut Conn, ids: &[QueryId]) -> Result<HashMap<QueryId, u32>, StoreError> {
    let mut hits = HashMap::with_capacity(ids.len());
    for group in ids.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new("SELECT query_id, hits FROM searches WHERE query_id IN (");
        let mut list = statement.separated(", ");
        for id in group {
            list.push_bind(id.to_string());
        }
        statement.push(")");
        let rows: Vec<(String, u32)> = statement.build_query_as().fetch_all(&mut *db).await?;
        hits.extend(rows.into_iter().filter_map(|(id, hits)| Some((id.parse().ok()?, hits))));
    }
    Ok(hits)
}

/// Deletes searches and events of more than so many days ago, at most `limit` of each, and says how many of both.
///
/// # Errors
/// The database refused.
pub async fn prune(db: &mut Conn, keep_days: u32, limit: u32) -> Result<u64, StoreError> {
    let events = sqlx::query!(
        "DELETE FROM search_events WHERE happened_at < UTC_TIMESTAMP(3) - INTERVAL ? DAY ORDER BY happened_at LIMIT ?",
        keep_days,
        limit
    )
    .execute(&mut *db)
    .await?;
    let searches = sqlx::query!(
        "DELETE FROM searches WHERE searched_at < UTC_TIMESTAMP(3) - INTERVAL ? DAY ORDER BY searched_at LIMIT ?",
        keep_days,
        limit
    )
    .execute(&mut *db)
    .await?;
    Ok(events.rows_affected() + searches.rows_affected())
}
