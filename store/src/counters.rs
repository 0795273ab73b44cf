//! The counters of workflows, read as they change: they move all the time, so the index holds them beside its documents.
//!
//! Triggers set `counts_changed_at` whenever one of them changes.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::{Conn, StoreError, WorkflowId};

/// Counters of one workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct CounterRow {
    /// Whose.
    pub id: WorkflowId,
    /// Counted downloads.
    pub downloads: u32,
    /// Likes.
    pub likes: u32,
    /// Comments.
    pub comments: u32,
    /// Ratings.
    pub ratings: u32,
    /// Mean of the ratings, 1 to 5; 0 without any.
    pub average_rating: f32,
    /// When one of them last changed.
    pub changed_at: DateTime<Utc>,
}

/// Counters that changed at `since` or later, in order of the time and the id; those of `since` itself only after the id `after`.
/// The last row's time and id are where to go on.
///
/// # Errors
/// The database refused.
pub async fn changed_since(
    db: &mut Conn,
    since: DateTime<Utc>,
    after: WorkflowId,
    limit: u32,
) -> Result<Vec<CounterRow>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id,
             CAST(COALESCE(GREATEST(downloads_count, 0), 0) AS UNSIGNED) AS "downloads!: u64",
             CAST(COALESCE(GREATEST(likes_count, 0), 0) AS UNSIGNED) AS "likes!: u64",
             CAST(COALESCE(GREATEST(comments_count, 0), 0) AS UNSIGNED) AS "comments!: u64",
             CAST(COALESCE(GREATEST(ratings_count, 0), 0) AS UNSIGNED) AS "ratings!: u64",
             average_rating AS "average_rating: Decimal",
             counts_changed_at AS "changed_at!: DateTime<Utc>"
           FROM workflows FORCE INDEX (idx_counts_changed)
           WHERE counts_changed_at >= ? AND (counts_changed_at > ? OR id > ?)
           ORDER BY counts_changed_at, id LIMIT ?"#,
        since,
        since,
        after.0,
        limit
    )
    .fetch_all(db)
    .await?;
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(rows
        .into_iter()
        .map(|row| CounterRow {
            id: WorkflowId(row.id),
            downloads: small(row.downloads),
            likes: small(row.likes),
            comments: small(row.comments),
            ratings: small(row.ratings),
            average_rating: row.average_rating.and_then(|mean| mean.to_f32()).unwrap_or(0.0),
            changed_at: row.changed_at,
        })
        .collect())
}
