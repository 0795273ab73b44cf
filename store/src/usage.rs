//! How often things are used of which no other row tells, by the hour, for reports.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::report::sources::Between;
use crate::{Conn, StoreError};

/// What is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// A page of somebody's feed was read.
    FeedPage,
    /// A page was opened to which new entries are told.
    FeedStream,
    /// Somebody read a list of recommendations.
    RecommendationList,
    /// A workflow stood in such a list.
    RecommendationShown,
    /// A workflow was looked at from such a list.
    RecommendationFollowed,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::FeedPage,
        Self::FeedStream,
        Self::RecommendationList,
        Self::RecommendationShown,
        Self::RecommendationFollowed,
    ];

    /// Name in the table, at most 32 characters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FeedPage => "feed_page",
            Self::FeedStream => "feed_stream",
            Self::RecommendationList => "recommendation_list",
            Self::RecommendationShown => "recommendation_shown",
            Self::RecommendationFollowed => "recommendation_followed",
        }
    }
}

/// Adds uses to the hour in which `at` lies.
///
/// # Errors
/// The database refused.
pub async fn add(db: &mut Conn, at: DateTime<Utc>, kind: Use, uses: u64) -> Result<(), StoreError> {
    let hour = DateTime::from_timestamp(at.timestamp() - at.timestamp().rem_euclid(3600), 0).unwrap_or(at);
    sqlx::query!(
        "INSERT INTO usage_hourly (hour, kind, uses) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE uses = usage_hourly.uses + ?",
        hour,
        kind.as_str(),
        uses,
        uses
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Uses in a span, by kind. None if nothing was counted yet when it began.
///
/// # Errors
/// The database refused.
pub async fn sums(db: &mut Conn, between: Between) -> Result<Option<HashMap<Use, u64>>, StoreError> {
    let since = sqlx::query_scalar!(r#"SELECT MIN(hour) AS "hour: DateTime<Utc>" FROM usage_hourly"#)
        .fetch_one(&mut *db)
        .await?;
    if since.is_none_or(|since| since > between.from) {
        return Ok(None);
    }
    let rows = sqlx::query!(
        r#"SELECT kind, CAST(SUM(uses) AS UNSIGNED) AS "uses!: u64" FROM usage_hourly WHERE hour >= ? AND hour < ? GROUP BY kind"#,
        between.from,
        between.to
    )
    .fetch_all(db)
    .await?;
    let of = |kind: Use| rows.iter().find(|row| row.kind == kind.as_str()).map_or(0, |row| row.uses);
    Ok(Some(Use::ALL.into_iter().map(|kind| (kind, of(kind))).collect()))
}
