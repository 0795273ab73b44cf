//! `feeds` and `user_feed_cache`: what is kept of somebody's feed in MySQL.

use chrono::{DateTime, Utc};

use super::Key;
use super::pull::{Whose, followees, pull};
use crate::db::BEGIN_READ_COMMITTED;
use crate::{Conn, Db, StoreError, UserId};

/// How a reader's feed is kept, as one statement saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Which of Redis' keys are good.
    pub(super) generation: u32,
    /// The version of what is kept; none when nothing is, or not yet.
    pub(super) version: Option<u32>,
    /// Whether a row says that it is wanted.
    pub(super) is_wanted: bool,
    /// Followees who are merged in when a page is read.
    pub(super) merged: Vec<UserId>,
}

/// How a reader's feed is kept.
pub(super) async fn state(db: &mut Conn, user: UserId) -> Result<State, StoreError> {
    // A row for each merged author, or one without.
    let rows = sqlx::query!(
        r#"
        SELECT fan_out.generation, feed.version AS "version?", feed.filled_at IS NOT NULL AS "is_filled!: bool",
               merged.author_id AS "merged?: UserId"
        FROM feed_fan_out AS fan_out LEFT JOIN feeds AS feed ON feed.user_id = ?
        LEFT JOIN (
          feed_pulled_authors AS merged
          JOIN user_follows AS follow FORCE INDEX (unique_follow) ON follow.following_id = merged.author_id
        ) ON follow.follower_id = ?
        WHERE fan_out.id = 1
        "#,
        user,
        user
    )
    .fetch_all(db)
    .await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(State {
        generation: row.generation,
        version: row.version.filter(|_| row.is_filled),
        is_wanted: row.version.is_some(),
        merged: rows.iter().filter_map(|row| row.merged).collect(),
    })
}

/// Says that a reader's feed is to be kept. From its commit on fan-out copies to it, and a job fills it soon.
///
/// # Errors
/// The database refused.
pub async fn want(db: &mut Conn, user: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO feeds (user_id) SELECT id FROM users WHERE id = ? ON DUPLICATE KEY UPDATE feeds.user_id = feeds.user_id",
        user
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is kept of a reader's feed: keys before `before`, at most `want`, with version and floor of the same moment. None when nothing is kept.
pub(super) async fn read(db: &mut Conn, user: UserId, before: Key, want: usize) -> Result<Option<Kept>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT feed.version, feed.floor_s, feed.floor_id,
               cached.activity_id AS "activity_id?", cached.activity_at AS "activity_at?: DateTime<Utc>"
        FROM feeds AS feed
        LEFT JOIN user_feed_cache AS cached FORCE INDEX (idx_feed)
          ON cached.user_id = feed.user_id AND cached.activity_at <= ? AND (cached.activity_at < ? OR cached.activity_id < ?)
        WHERE feed.user_id = ? AND feed.filled_at IS NOT NULL
        ORDER BY cached.activity_at DESC, cached.activity_id DESC
        LIMIT ?
        "#,
        before.at(),
        before.at(),
        before.id,
        user,
        u32::try_from(want).unwrap_or(u32::MAX)
    )
    .fetch_all(db)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let floor = Key {
        at_s: first.floor_s,
        id: first.floor_id,
    };
    let version = first.version;
    let is_all = rows.len() < want;
    let mut keys: Vec<Key> = rows
        .into_iter()
        .filter_map(|row| Some(Key::new(row.activity_at?, row.activity_id?)))
        .collect();
    let below = keys.iter().any(|key| *key < floor);
    keys.retain(|key| *key >= floor);
    Ok(Some(Kept {
        version,
        keys,
        floor,
        is_all: is_all || below,
    }))
}

/// What is kept of a feed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) version: u32,
    /// Keys from the floor on, the newest first.
    pub(super) keys: Vec<Key>,
    pub(super) floor: Key,
    /// Whether these are all down to the floor.
    pub(super) is_all: bool,
}

/// Makes what is kept of a reader's feed anew: the newest `cap` of what followees did. False when it is not wanted (any more).
///
/// The reader's row of `feeds` was committed before the activities are read, so fan-out copies whatever is not seen here; and it is held, so
/// that what changes the feed otherwise waits.
///
/// # Errors
/// The database refused; what was kept is as it was.
pub async fn fill(db: &Db, user: UserId, cap: u32) -> Result<bool, StoreError> {
    let mut transaction = db.begin_with(BEGIN_READ_COMMITTED).await?;
    if lock(&mut transaction, user).await?.is_none() {
        return Ok(false);
    }
    sqlx::query!("DELETE FROM user_feed_cache WHERE user_id = ?", user)
        .execute(&mut *transaction)
        .await?;
    let authors = followees(&mut transaction, user, Whose::Copied).await?;
    let keys = pull(&mut transaction, &authors, Key::END, Key::START, cap as usize).await?;
    let floor = match keys.last() {
        Some(last) if keys.len() >= cap as usize => *last,
        _ => Key::START,
    };
    add(&mut transaction, &[user], &keys).await?;
    sqlx::query!(
        "UPDATE feeds SET filled_at = NOW(6), version = version + 1, floor_s = ?, floor_id = ? WHERE user_id = ?",
        floor.at_s,
        floor.id,
        user
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Copies activities to readers whose feeds are wanted. Those that are there stay.
pub(super) async fn add(db: &mut Conn, readers: &[UserId], keys: &[Key]) -> Result<u64, StoreError> {
    if readers.is_empty() || keys.is_empty() {
        return Ok(0);
    }
    let keys: Vec<(u64, i64)> = keys.iter().map(|key| (key.id, key.at_s)).collect();
    let done = sqlx::query!(
        "INSERT INTO user_feed_cache (user_id, activity_id, activity_at)
         SELECT STRAIGHT_JOIN feed.user_id, activity.id, FROM_UNIXTIME(activity.at_s)
         FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS reader
         JOIN feeds AS feed FORCE INDEX (PRIMARY) ON feed.user_id = reader.id
         JOIN JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$[0]', at_s BIGINT PATH '$[1]')) AS activity
         WHERE TRUE
         ON DUPLICATE KEY UPDATE activity_at = VALUES(activity_at)",
        serde_json::to_string(readers)?,
        serde_json::to_string(&keys)?
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Locks what is kept of a reader's feed until the end of the transaction, and gives its floor. None when it is not wanted.
async fn lock(db: &mut Conn, user: UserId) -> Result<Option<(bool, Key)>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT filled_at IS NOT NULL AS "is_filled!: bool", floor_s, floor_id FROM feeds WHERE user_id = ? FOR UPDATE"#,
        user
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let floor = Key {
            at_s: row.floor_s,
            id: row.floor_id,
        };
        (row.is_filled, floor)
    }))
}

/// Makes one author's part of a reader's feed what it is to be: their activities are in it when the reader follows them and neither blocks the other,
/// and are not otherwise.
///
/// # Errors
/// The database refused.
pub(super) async fn reconcile(db: &Db, user: UserId, author: UserId, cap: u32) -> Result<(), StoreError> {
    let mut transaction = db.begin_with(BEGIN_READ_COMMITTED).await?;
    // One that is not filled yet reads all of this when it is.
    let Some((true, floor)) = lock(&mut transaction, user).await? else {
        return Ok(());
    };
    if belongs(&mut transaction, user, author).await? {
        sqlx::query!(
            "INSERT INTO user_feed_cache (user_id, activity_id, activity_at)
             SELECT ?, activity.id, activity.created_at FROM user_activities AS activity FORCE INDEX (idx_user_id)
             WHERE activity.user_id = ? AND activity.created_at >= ?
             ORDER BY activity.created_at DESC, activity.id DESC LIMIT ?
             ON DUPLICATE KEY UPDATE activity_at = VALUES(activity_at)",
            user,
            author,
            floor.at(),
            cap
        )
        .execute(&mut *transaction)
        .await?;
        cut(&mut transaction, user, cap).await?;
    } else {
        sqlx::query!(
            "DELETE cached FROM user_feed_cache AS cached FORCE INDEX (idx_feed)
             STRAIGHT_JOIN user_activities AS activity FORCE INDEX (PRIMARY)
               ON activity.id = cached.activity_id AND activity.created_at = cached.activity_at
             WHERE cached.user_id = ? AND activity.user_id = ?",
            user,
            author
        )
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query!("UPDATE feeds SET version = version + 1 WHERE user_id = ?", user)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Whether an author's activities are copied to a reader.
async fn belongs(db: &mut Conn, user: UserId, author: UserId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM user_follows WHERE follower_id = ? AND following_id = ?)
           AND NOT EXISTS (SELECT 1 FROM feed_pulled_authors WHERE author_id = ? AND NOT is_leaving)
           AND NOT EXISTS (SELECT 1 FROM user_blocks WHERE blocker_id = ? AND blocked_id = ?)
           AND NOT EXISTS (SELECT 1 FROM user_blocks WHERE blocker_id = ? AND blocked_id = ?) AS "belongs!: bool"
        "#,
        user,
        author,
        author,
        user,
        author,
        author,
        user
    )
    .fetch_one(db)
    .await?)
}

/// Takes away what a reader has beyond `cap`, and raises the floor.
///
/// # Errors
/// The database refused.
pub(super) async fn trim(db: &Db, user: UserId, cap: u32) -> Result<(), StoreError> {
    let mut transaction = db.begin_with(BEGIN_READ_COMMITTED).await?;
    if lock(&mut transaction, user).await?.is_some() {
        cut(&mut transaction, user, cap).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// [`trim`], in a transaction that holds the reader's row.
async fn cut(db: &mut Conn, user: UserId, cap: u32) -> Result<(), StoreError> {
    let Some(lowest) = sqlx::query!(
        r#"
        SELECT activity_id, activity_at AS "at!: DateTime<Utc>" FROM user_feed_cache FORCE INDEX (idx_feed) WHERE user_id = ?
        ORDER BY activity_at DESC, activity_id DESC LIMIT 1 OFFSET ?
        "#,
        user,
        cap.saturating_sub(1)
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(());
    };
    let lowest = Key::new(lowest.at, lowest.activity_id);
    sqlx::query!(
        "DELETE FROM user_feed_cache WHERE user_id = ? AND activity_at <= ? AND (activity_at < ? OR activity_id < ?)",
        user,
        lowest.at(),
        lowest.at(),
        lowest.id
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE feeds SET floor_s = ?, floor_id = ? WHERE user_id = ? AND (floor_s < ? OR (floor_s = ? AND floor_id < ?))",
        lowest.at_s,
        lowest.id,
        user,
        lowest.at_s,
        lowest.at_s,
        lowest.id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Readers whose feeds are wanted and not filled, those first who wait the longest.
///
/// # Errors
/// The database refused.
pub async fn unfilled(db: &mut Conn, limit: u32) -> Result<Vec<UserId>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT user_id AS "id: UserId" FROM feeds FORCE INDEX (idx_filled) WHERE filled_at IS NULL ORDER BY wanted_at LIMIT ?"#,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Wants the feeds of the next active people after `after`, and gives them: for a walk over all. `active_days` is how long ago they may have
/// been seen last.
///
/// # Errors
/// The database refused.
pub async fn want_active(db: &mut Conn, after: UserId, active_days: u32, limit: u32) -> Result<Vec<UserId>, StoreError> {
    let users = sqlx::query_scalar!(
        r#"
        SELECT id AS "id: UserId" FROM users
        WHERE id > ? AND is_active AND suspended_at IS NULL AND last_active_at >= UTC_TIMESTAMP() - INTERVAL ? DAY
        ORDER BY id LIMIT ?
        "#,
        after,
        active_days,
        limit
    )
    .fetch_all(&mut *db)
    .await?;
    sqlx::query!(
        "INSERT INTO feeds (user_id)
         SELECT users.id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
         STRAIGHT_JOIN users ON users.id = wanted.id
         ON DUPLICATE KEY UPDATE feeds.user_id = feeds.user_id",
        serde_json::to_string(&users)?
    )
    .execute(db)
    .await?;
    Ok(users)
}

/// How many people were seen in these days, for a progress bar.
///
/// # Errors
/// The database refused.
pub async fn count_active(db: &mut Conn, active_days: u32) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "count!: i64" FROM users WHERE last_active_at >= UTC_TIMESTAMP() - INTERVAL ? DAY"#,
        active_days
    )
    .fetch_one(db)
    .await?;
    Ok(count.unsigned_abs())
}

/// Feeds that one statement forgets.
const FORGOTTEN_AT_ONCE: u32 = 200;

/// Forgets the feeds of people who were not seen for `active_days` and asked for theirs before that; they are filled again when they are back.
/// Returns how many.
///
/// # Errors
/// The database refused.
pub async fn forget_dormant(db: &Db, active_days: u32) -> Result<u64, StoreError> {
    let mut forgotten = 0;
    loop {
        let mut connection = db.acquire().await?;
        let users = sqlx::query_scalar!(
            r#"
            SELECT STRAIGHT_JOIN feed.user_id AS "id: UserId" FROM feeds AS feed FORCE INDEX (idx_wanted)
            JOIN users AS reader ON reader.id = feed.user_id
            WHERE feed.wanted_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY
              AND COALESCE(reader.last_active_at, '1970-01-02') < UTC_TIMESTAMP() - INTERVAL ? DAY
            LIMIT ?
            "#,
            active_days,
            active_days,
            FORGOTTEN_AT_ONCE
        )
        .fetch_all(&mut *connection)
        .await?;
        for user in &users {
            // The row first: without it nobody reads, and fan-out adds, what is deleted after.
            sqlx::query!("DELETE FROM feeds WHERE user_id = ?", user)
                .execute(&mut *connection)
                .await?;
            sqlx::query!("DELETE FROM user_feed_cache WHERE user_id = ?", user)
                .execute(&mut *connection)
                .await?;
        }
        forgotten += users.len() as u64;
        if users.len() < FORGOTTEN_AT_ONCE as usize {
            return Ok(forgotten);
        }
    }
}
