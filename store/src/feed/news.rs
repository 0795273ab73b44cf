//! What is new, for pages that are open: activities as they are committed, in the order in which they appear, which is not that of their times.

use std::time::Instant;

use super::Key;
use super::fan_out::{New, first_position, read};
use crate::gaps::{Position, Watched, settle};
use crate::{Conn, Db, StoreError, UserId};

/// Most activities that are told of at once, to one who comes back.
const MISSED: u32 = 200;

/// Ids that may have been handed out since somebody was last told, for them to be told what they missed. What is further back is a page.
const FURTHEST: u64 = 20_000;

/// Follows all activities from a moment on.
#[derive(Debug)]
pub struct News {
    position: Position,
}

/// An activity that has just appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Its place in lists.
    pub key: Key,
    /// Who did it.
    pub author: UserId,
}

impl News {
    /// From now on.
    ///
    /// # Errors
    /// The database refused.
    pub async fn start(db: &mut Conn) -> Result<Self, StoreError> {
        let position = first_position(db).await?;
        Ok(Self { position })
    }

    /// From a position on.
    pub fn at(position: Position) -> Self {
        Self { position }
    }

    /// How far it is.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// What has appeared since the last time, at most some hundred.
    ///
    /// # Errors
    /// The database refused; nothing is lost.
    pub async fn next(&mut self, db: &Db) -> Result<Vec<Fresh>, StoreError> {
        let mut connection = db.acquire().await?;
        let new: Vec<New> = read(&mut connection, &self.position).await?;
        drop(connection);
        let mut position = self.position.clone();
        for activity in &new {
            position.saw(activity.key.id);
        }
        settle(db, Watched::UserActivities, &mut position, Instant::now()).await?;
        self.position = position;
        Ok(new
            .into_iter()
            .map(|activity| Fresh {
                key: activity.key,
                author: activity.author,
            })
            .collect())
    }
}

/// Which of these readers follow which of these authors, in one statement.
///
/// # Errors
/// The database refused.
pub async fn who_follows(db: &mut Conn, readers: &[UserId], authors: &[UserId]) -> Result<Vec<(UserId, UserId)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT STRAIGHT_JOIN follow.follower_id AS "reader: UserId", follow.following_id AS "author: UserId"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS reader
        JOIN JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS author
        JOIN user_follows AS follow FORCE INDEX (unique_follow)
          ON follow.follower_id = reader.id AND follow.following_id = author.id
        "#,
        serde_json::to_string(readers)?,
        serde_json::to_string(authors)?
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.reader, row.author)).collect())
}

/// What appeared between two positions of what somebody's followees did, in the order of ids. None when that is too much to be told.
///
/// # Errors
/// The database refused.
pub async fn missed(db: &mut Conn, reader: UserId, since: &Position, until: &Position) -> Result<Option<Vec<Key>>, StoreError> {
    let first = since.gaps().first().map_or(since.cursor() + 1, |gap| gap.first);
    if until.cursor().saturating_sub(first) > FURTHEST || since.cursor() > until.cursor().saturating_add(FURTHEST) {
        return Ok(None);
    }
    let rows = sqlx::query!(
        r#"
        SELECT STRAIGHT_JOIN activity.id, activity.created_at AS "at!: chrono::DateTime<chrono::Utc>"
        FROM user_activities AS activity FORCE INDEX (PRIMARY)
        JOIN user_follows AS follow FORCE INDEX (unique_follow)
          ON follow.follower_id = ? AND follow.following_id = activity.user_id
        WHERE activity.id BETWEEN ? AND ?
        ORDER BY activity.id LIMIT ?
        "#,
        reader,
        first,
        until.cursor(),
        MISSED + 1
    )
    .fetch_all(db)
    .await?;
    if rows.len() > MISSED as usize {
        return Ok(None);
    }
    Ok(Some(
        rows.into_iter()
            .filter(|row| !since.covers(row.id) && until.covers(row.id))
            .map(|row| Key::new(row.at, row.id))
            .collect(),
    ))
}
