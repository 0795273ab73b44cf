//! Candidates of a feed from the activities themselves: right whatever the caches hold, and what fills them.
//!
//! Reading everything that all followees ever did to find the newest few would take seconds. So time is walked back in windows, each longer
//! than the one before, until there is enough: a followee costs one look into the index a window, and partitions outside it stay shut.
//!
//! Followees are asked for first and then written into the statement. Joined to it, the servers would find an author's activities by the
//! author alone and look at the time of each: all of a month's, where a few hours' are wanted.

use chrono::{DateTime, Utc};
use sqlx::{MySql, QueryBuilder, Row};

use super::Key;
use crate::db::IN_LIST;
use crate::{Conn, StoreError, UserId};

/// Length of the first window: what a person with some hundred followees fills a page from.
const FIRST_S: i64 = 12 * 3600;

/// How much longer each window is than the one before. From half a day, the sixth reaches back 45 years.
const GROWTH: i64 = 8;

/// Whose activities, of all whom somebody follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// All followees'.
    All,
    /// Those of followees whose activities are copied to their followers.
    Copied,
}

/// Up to `want` keys of what some people did, the newest first: before `before`, and not before `until`. Fewer mean that there are no more.
///
/// # Errors
/// The database refused.
pub(super) async fn pull(
    db: &mut Conn,
    authors: &[UserId],
    before: Key,
    until: Key,
    want: usize,
) -> Result<Vec<Key>, StoreError> {
    let mut found = Vec::new();
    let mut before = before;
    let mut span = FIRST_S;
    let mut newest = before.at_s.min(Utc::now().timestamp());
    while found.len() < want && !authors.is_empty() {
        let start = Key {
            at_s: newest.saturating_sub(span).max(until.at_s).max(0),
            id: 0,
        };
        found.extend(window(db, authors, start.at(), before, want - found.len()).await?);
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

/// Whom somebody follows, of those whose activities are wanted.
///
/// # Errors
/// The database refused.
pub(super) async fn followees(db: &mut Conn, viewer: UserId, whose: Whose) -> Result<Vec<UserId>, StoreError> {
    Ok(match whose {
        Whose::All => {
            sqlx::query_scalar!(
                r#"SELECT following_id AS "id: UserId" FROM user_follows FORCE INDEX (unique_follow) WHERE follower_id = ?"#,
                viewer
            )
            .fetch_all(db)
            .await?
        }
        Whose::Copied => sqlx::query_scalar!(
            r#"SELECT STRAIGHT_JOIN follow.following_id AS "id: UserId" FROM user_follows AS follow FORCE INDEX (unique_follow)
               LEFT JOIN feed_pulled_authors AS pulled ON pulled.author_id = follow.following_id AND NOT pulled.is_leaving
               WHERE follow.follower_id = ? AND pulled.author_id IS NULL"#,
            viewer
        )
        .fetch_all(db)
        .await?,
    })
}

/// Up to `limit` keys of these people from `start` on and before a key, the newest first.
async fn window(
    db: &mut Conn,
    authors: &[UserId],
    start: DateTime<Utc>,
    before: Key,
    limit: usize,
) -> Result<Vec<Key>, StoreError> {
    let literal = |at: DateTime<Utc>| at.format("'%Y-%m-%d %H:%M:%S'");
    let mut found = Vec::new();
    for group in authors.chunks(IN_LIST) {
        let mut statement =
            QueryBuilder::<MySql>::new("SELECT id, created_at FROM user_activities FORCE INDEX (idx_user_id) WHERE user_id IN (");
        let mut ids = statement.separated(",");
        for author in group {
            ids.push(author);
        }
        statement.push(format_args!(
            ") AND created_at >= {start} AND created_at <= {end} AND (created_at < {end} OR id < {})
             ORDER BY created_at DESC, id DESC LIMIT {limit}",
            before.id,
            start = literal(start),
            end = literal(before.at()),
        ));
        // Nothing but numbers and times: not prepared, since it is another statement each time.
        for row in sqlx::raw_sql(statement.into_sql()).fetch_all(&mut *db).await? {
            found.push(Key::new(row.try_get(1)?, row.try_get(0)?));
        }
    }
    if authors.len() > IN_LIST {
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.truncate(limit);
    }
    Ok(found)
}
