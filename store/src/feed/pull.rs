//! Candidates of a feed from the activities themselves: right whatever the caches hold, and what fills them.
//!
//! Reading everything that all followees ever did to find the newest few would take seconds. So time is walked back in windows, each longer
//! than the one before, until there is enough: a followee costs one look into the index a window, and partitions outside it stay shut.

use chrono::{DateTime, Utc};

use super::Key;
use crate::{Conn, StoreError, UserId};

/// Length of the first window: what a person with some hundred followees fills a page from.
const FIRST_S: i64 = 12 * 3600;

/// How much longer each window is than the one before. From half a day, the sixth reaches back 45 years.
const GROWTH: i64 = 8;

/// Whose activities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// All followees'.
    All,
    /// Those of followees whose activities are copied to their followers.
    Copied,
    /// Those of followees whose activities are merged in when a page is read.
    Merged,
}

/// Up to `want` keys, the newest first: before `before`, and not before `until`. Fewer mean that there are no more.
///
/// # Errors
/// The database refused.
pub(super) async fn pull(
    db: &mut Conn,
    viewer: UserId,
    whose: Whose,
    before: Key,
    until: Key,
    want: usize,
) -> Result<Vec<Key>, StoreError> {
    let mut found = Vec::new();
    let mut before = before;
    let mut span = FIRST_S;
    let mut newest = before.at_s.min(Utc::now().timestamp());
    while found.len() < want {
        let start = Key {
            at_s: newest.saturating_sub(span).max(until.at_s).max(0),
            id: 0,
        };
        let limit = u32::try_from(want - found.len()).unwrap_or(u32::MAX);
        found.extend(match whose {
            Whose::All => window_of_all(db, viewer, start.at(), before, limit).await?,
            Whose::Copied => window_of_copied(db, viewer, start.at(), before, limit).await?,
            Whose::Merged => window_of_merged(db, viewer, start.at(), before, limit).await?,
        });
        if start.at_s <= until.at_s {
            break;
        }
        // The next window ends where this one began: that second was in this one.
        before = start;
        newest = start.at_s;
        span *= GROWTH;
    }
    found.retain(|key| *key >= until);
    Ok(found)
}

async fn window_of_all(
    db: &mut Conn,
    viewer: UserId,
    start: DateTime<Utc>,
    before: Key,
    limit: u32,
) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT STRAIGHT_JOIN activity.id, activity.created_at AS "at!: DateTime<Utc>"
        FROM user_follows AS follow FORCE INDEX (unique_follow)
        JOIN user_activities AS activity FORCE INDEX (idx_user_id) ON activity.user_id = follow.following_id
        WHERE follow.follower_id = ? AND activity.created_at >= ? AND activity.created_at <= ?
          AND (activity.created_at < ? OR activity.id < ?)
        ORDER BY activity.created_at DESC, activity.id DESC
        LIMIT ?
        "#,
        viewer,
        start,
        before.at(),
        before.at(),
        before.id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Key::new(row.at, row.id)).collect())
}

async fn window_of_copied(
    db: &mut Conn,
    viewer: UserId,
    start: DateTime<Utc>,
    before: Key,
    limit: u32,
) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT STRAIGHT_JOIN activity.id, activity.created_at AS "at!: DateTime<Utc>"
        FROM user_follows AS follow FORCE INDEX (unique_follow)
        LEFT JOIN feed_pulled_authors AS pulled ON pulled.author_id = follow.following_id AND NOT pulled.is_leaving
        JOIN user_activities AS activity FORCE INDEX (idx_user_id) ON activity.user_id = follow.following_id
        WHERE follow.follower_id = ? AND activity.created_at >= ? AND activity.created_at <= ?
          AND (activity.created_at < ? OR activity.id < ?)
          AND pulled.author_id IS NULL
        ORDER BY activity.created_at DESC, activity.id DESC
        LIMIT ?
        "#,
        viewer,
        start,
        before.at(),
        before.at(),
        before.id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Key::new(row.at, row.id)).collect())
}

async fn window_of_merged(
    db: &mut Conn,
    viewer: UserId,
    start: DateTime<Utc>,
    before: Key,
    limit: u32,
) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT STRAIGHT_JOIN activity.id, activity.created_at AS "at!: DateTime<Utc>"
        FROM feed_pulled_authors AS pulled
        JOIN user_follows AS follow FORCE INDEX (unique_follow)
          ON follow.follower_id = ? AND follow.following_id = pulled.author_id
        JOIN user_activities AS activity FORCE INDEX (idx_user_id) ON activity.user_id = pulled.author_id
        WHERE activity.created_at >= ? AND activity.created_at <= ? AND (activity.created_at < ? OR activity.id < ?)
        ORDER BY activity.created_at DESC, activity.id DESC
        LIMIT ?
        "#,
        viewer,
        start,
        before.at(),
        before.at(),
        before.id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Key::new(row.at, row.id)).collect())
}
