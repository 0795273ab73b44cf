//! The processes that answer searches, each from an index of its own: who they are, how far they have followed the log of changes, and
//! how their builds and comparisons go.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::queue::{JobPayload, Options, enqueue_on};
use crate::{Conn, StoreError};

/// Seconds without a sign of life after which a node counts as away.
pub const AWAY_AFTER_S: u32 = 30;

/// Longest error kept, in characters: the width of the column.
const MAX_ERROR_CHARS: usize = 1000;

/// Work on the index of one node, on the queue of that node alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum IndexJob {
    /// Build it anew, and put it in the old one's place.
    Build {
        /// Why, for whoever looks.
        reason: String,
    },
    /// Compare it with the database and mend the differences.
    Compare,
}

impl JobPayload for IndexJob {
    const QUEUE: &'static str = "index";

    /// One build and one comparison wait at most: a second would find nothing left to do.
    fn key(&self) -> Option<String> {
        let key = match self {
            IndexJob::Build { .. } => "build",
            IndexJob::Compare => "compare",
        };
        Some(key.to_owned())
    }
}

/// The queue of a node's [`IndexJob`]s.
pub fn queue_of(node: &str) -> String {
    format!("{}:{node}", IndexJob::QUEUE)
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexNode {
    /// Its name.
    pub node: String,
    /// Up to where in the log its index is durable.
    pub position: u64,
    /// Documents in its index.
    pub documents: u64,
    /// Why the running or last build was made.
    pub build_reason: Option<String>,
    /// Workflows that this build has looked at.
    pub build_done: u64,
    /// About how many there are.
    pub build_total: u64,
    /// When it started.
    pub build_started_at: Option<DateTime<Utc>>,
    /// When it ended; none while it runs.
    pub build_ended_at: Option<DateTime<Utc>>,
    /// Why it failed, if it did.
    pub build_error: Option<String>,
    /// When the index was last compared with the database.
    pub compared_at: Option<DateTime<Utc>>,
    /// Differences that this comparison found and mended.
    pub compared_differences: u64,
    /// Its last sign of life.
    pub seen_at: DateTime<Utc>,
    /// Whether that is recent.
    pub is_live: bool,
}

/// All nodes, by name; those long gone are forgotten by [`forget_gone`].
///
/// # Errors
/// The database refused.
pub async fn all(db: &mut Conn) -> Result<Vec<IndexNode>, StoreError> {
    let nodes = sqlx::query_as!(
        IndexNode,
        r#"SELECT node, position, documents, build_reason, build_done, build_total,
             build_started_at AS "build_started_at: DateTime<Utc>", build_ended_at AS "build_ended_at: DateTime<Utc>", build_error,
             compared_at AS "compared_at: DateTime<Utc>", compared_differences,
             seen_at AS "seen_at: DateTime<Utc>",
             seen_at > UTC_TIMESTAMP(6) - INTERVAL ? SECOND AS "is_live!: bool"
           FROM index_nodes ORDER BY node"#,
        AWAY_AFTER_S
    )
    .fetch_all(db)
    .await?;
    Ok(nodes)
}

/// A sign of life, with where the index durably is.
///
/// # Errors
/// The database refused.
pub async fn beat(db: &mut Conn, node: &str, position: u64, documents: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO index_nodes (node, position, documents, seen_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))
         ON DUPLICATE KEY UPDATE position = VALUES(position), documents = VALUES(documents), seen_at = VALUES(seen_at)",
        node,
        position,
        documents
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a node has ended in good order: it is no longer live, but the log is still kept for it.
///
/// # Errors
/// The database refused.
pub async fn sign_off(db: &mut Conn, node: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE index_nodes SET seen_at = LEAST(seen_at, UTC_TIMESTAMP(6) - INTERVAL ? SECOND) WHERE node = ?",
        AWAY_AFTER_S,
        node
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a build has started.
///
/// # Errors
/// The database refused.
pub async fn build_started(db: &mut Conn, node: &str, reason: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO index_nodes (node, build_reason, build_started_at, seen_at) VALUES (?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
         ON DUPLICATE KEY UPDATE build_reason = VALUES(build_reason), build_started_at = VALUES(build_started_at),
           build_ended_at = NULL, build_error = NULL, build_done = 0, build_total = 0, seen_at = VALUES(seen_at)",
        node,
        reason
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes how far a build has come.
///
/// # Errors
/// The database refused.
pub async fn build_progress(db: &mut Conn, node: &str, done: u64, total: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE index_nodes SET build_done = ?, build_total = ?, seen_at = UTC_TIMESTAMP(6) WHERE node = ?",
        done,
        total,
        node
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a build has ended, well or with an error.
///
/// # Errors
/// The database refused.
pub async fn build_ended(db: &mut Conn, node: &str, error: Option<&str>) -> Result<(), StoreError> {
    let error: Option<String> = error.map(|error| error.chars().take(MAX_ERROR_CHARS).collect());
    sqlx::query!(
        "UPDATE index_nodes SET build_ended_at = UTC_TIMESTAMP(6), build_error = ?, seen_at = UTC_TIMESTAMP(6) WHERE node = ?",
        error,
        node
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes what a comparison has found.
///
/// # Errors
/// The database refused.
pub async fn compared(db: &mut Conn, node: &str, documents: u64, differences: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE index_nodes SET compared_at = UTC_TIMESTAMP(6), compared_documents = ?, compared_differences = ? WHERE node = ?",
        documents,
        differences,
        node
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets nodes without a sign of life for so many days: the log is no longer kept for them.
///
/// # Errors
/// The database refused.
pub async fn forget_gone(db: &mut Conn, days: u32) -> Result<u64, StoreError> {
    let result = sqlx::query!(
        "DELETE FROM index_nodes WHERE seen_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY",
        days
    )
    .execute(db)
    .await?;
    Ok(result.rows_affected())
}

/// Enqueues a job for every live node. Returns their queues, to be notified after the commit.
///
/// # Errors
/// The database refused.
pub async fn enqueue_for_live(db: &mut Conn, job: &IndexJob) -> Result<Vec<String>, StoreError> {
    let nodes = all(db).await?;
    let queues: Vec<String> = nodes
        .iter()
        .filter(|node| node.is_live)
        .map(|node| queue_of(&node.node))
        .collect();
    for queue in &queues {
        enqueue_on(db, queue, job, Options::default()).await?;
    }
    Ok(queues)
}
