//! Keeping feeds in step: activities are copied to their authors' followers as they come, and what changes otherwise is noted by triggers and
//! looked at again.
//!
//! Activities are followed by their ids under the shared rule for gaps (`store::gaps`), so rows of any writer are found, however late their
//! transaction commits. A step is bounded, holds the row of `feed_fan_out` from beginning to end, and notes its position last:
//! whatever is killed in between is done again, which changes nothing.
//!
//! Why nothing is missed, in the order of things: a reader's row of `feeds` is committed before their feed is filled, and copies go to whoever
//! has one. So an activity that a fill does not see is copied after it was committed, and finds the row. A follow commits with its mark, and
//! the author's activities are read after the mark was; what comes later is copied, and finds the follow. What is there too
//! much – of a follow that ended in between – is not shown, since every page tests that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use chrono::{DateTime, Utc};
use config::FeedSettings;
use sqlx::{MySql, QueryBuilder};

use super::sorted_set::{FeedCache, SetName};
use super::{Key, cache};
use crate::db::BEGIN_READ_COMMITTED;
use crate::gaps::{Position, Watched, settle};
use crate::{Conn, Db, StoreError, UserId};

/// Activities read in one step.
const BATCH: u32 = 500;

/// Copies after which a step takes no further activity: a fraction of a second.
const COPIES: u64 = 10_000;

/// Followers that one statement copies to.
const READERS: u32 = 1000;

/// Marks read in one step.
const MARKS: u32 = 500;

/// Ids below the newest that are looked at for transactions that are still open when a database's activities are followed for the first time.
const FIRST_LOOK: u64 = 10_000;

/// Ids between the first and the last gap that are read in one go.
const GAPS_READ_AT_ONCE: u64 = 5000;

/// One reader in so many whom an activity was copied to is looked at for more than they should have. On the mean as many rows lie below
/// each floor.
const TRIM_ONE_IN: u64 = 32;

/// Part of the followers that make an author a merged one, below which they are copied again: who moves about the border should not
/// go back and forth.
const LEAVES_AT_PERCENT: u32 = 80;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Activities that were new.
    pub activities: usize,
    /// Rows that were added for them.
    pub copies: u64,
    /// Marks that were looked at.
    pub marks: usize,
    /// Whether there is more to do at once.
    pub more: bool,
    /// Whether gaps are open, which only time closes.
    pub has_gaps: bool,
}

/// An activity on its way.
#[derive(Clone, Copy)]
pub(super) struct New {
    pub(super) key: Key,
    pub(super) author: UserId,
}

/// Whether there is anything to do. Asked every second: looks at ends of indexes only.
///
/// # Errors
/// The database refused.
pub async fn is_needed(db: &mut Conn) -> Result<bool, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT position, (SELECT id FROM user_activities WHERE id > 0 ORDER BY id DESC LIMIT 1) AS "newest?: u64",
               EXISTS (SELECT 1 FROM feed_marks WHERE id > 0) AS "is_marked!: bool",
               EXISTS (SELECT 1 FROM feeds WHERE filled_at IS NULL) AS "is_wanted!: bool"
        FROM feed_fan_out WHERE id = 1
        "#
    )
    .fetch_one(db)
    .await?;
    let Some(position) = row.position else { return Ok(true) };
    let position: Position = serde_json::from_str(&position)?;
    Ok(row.is_marked
        || row.is_wanted
        || !position.gaps().is_empty()
        || row.newest.is_some_and(|newest| newest > position.cursor()))
}

/// Looks at marks and copies what is new, as much as a step may. `remembered` is what the last step of this caller left: how long gaps have
/// been empty is not stored.
///
/// # Errors
/// The database refused; the next step begins where this one did.
pub async fn step(
    db: &Db,
    redis: &FeedCache,
    settings: &FeedSettings,
    remembered: &mut Option<Position>,
    now: Instant,
) -> Result<Step, StoreError> {
    let mut held = db.begin_with(BEGIN_READ_COMMITTED).await?;
    let row = sqlx::query!("SELECT position, generation FROM feed_fan_out WHERE id = 1 FOR UPDATE")
        .fetch_one(&mut *held)
        .await?;
    let stored: Option<Position> = row.position.as_deref().map(serde_json::from_str).transpose()?;
    let mut position = match (stored, remembered.take()) {
        (Some(stored), Some(own)) if is_same_place(&stored, &own) => own,
        (Some(stored), _) => stored,
        (None, _) => begin(&mut *db.acquire().await?).await?,
    };
    let mut copying = Copying {
        db,
        redis,
        settings,
        generation: row.generation,
        is_redis_behind: false,
        copies: 0,
    };
    copying.let_authors_leave().await?;
    let marks = copying.look_at_marks().await?;
    let new = read(&mut *db.acquire().await?, &position).await?;
    let taken = copying.copy(&new).await?;
    for activity in &new[..taken] {
        position.saw(activity.key.id);
    }
    settle(db, Watched::UserActivities, &mut position, now).await?;
    sqlx::query!(
        "UPDATE feed_fan_out SET position = ?, generation = generation + ? WHERE id = 1",
        serde_json::to_string(&position)?,
        u32::from(copying.is_redis_behind)
    )
    .execute(&mut *held)
    .await?;
    held.commit().await?;
    let step = Step {
        activities: taken,
        copies: copying.copies,
        marks,
        more: taken < new.len() || new.len() >= BATCH as usize || marks >= MARKS as usize,
        has_gaps: !position.gaps().is_empty(),
    };
    *remembered = Some(position);
    Ok(step)
}

/// Followers below which a merged author is copied again.
fn leaves_below(settings: &FeedSettings) -> u32 {
    (u64::from(settings.copied_followers) * u64::from(LEAVES_AT_PERCENT) / 100) as u32
}

fn is_same_place(one: &Position, other: &Position) -> bool {
    let runs = |position: &Position| position.gaps().iter().map(|gap| (gap.first, gap.last)).collect::<Vec<_>>();
    one.cursor() == other.cursor() && runs(one) == runs(other)
}

/// Begins to follow. What was filled before may lack what came after it, and is filled again.
async fn begin(db: &mut Conn) -> Result<Position, StoreError> {
    let position = first_position(db).await?;
    sqlx::query!("UPDATE feeds SET filled_at = NULL, version = version + 1 WHERE filled_at IS NOT NULL")
        .execute(db)
        .await?;
    Ok(position)
}

/// Where following begins when nothing before matters but transactions that are open now.
pub(super) async fn first_position(db: &mut Conn) -> Result<Position, StoreError> {
    let newest = sqlx::query_scalar!("SELECT id FROM user_activities WHERE id > 0 ORDER BY id DESC LIMIT 1")
        .fetch_optional(&mut *db)
        .await?
        .unwrap_or(0);
    let oldest = newest.saturating_sub(FIRST_LOOK).max(1);
    let visible = sqlx::query_scalar!(
        "SELECT id FROM user_activities WHERE id BETWEEN ? AND ? ORDER BY id",
        oldest,
        newest
    )
    .fetch_all(db)
    .await?;
    Ok(Position::at(newest, oldest, visible))
}

/// Activities that a position does not cover, in the order of their ids.
pub(super) async fn read(db: &mut Conn, position: &Position) -> Result<Vec<New>, StoreError> {
    let mut new = Vec::new();
    if let (Some(first), Some(last)) = (position.gaps().first(), position.gaps().last()) {
        if last.last - first.first <= GAPS_READ_AT_ONCE {
            new = between(db, first.first, last.last).await?;
        } else {
            for gap in position.gaps() {
                new.extend(between(db, gap.first, gap.last).await?);
            }
        }
    }
    new.extend(between(db, position.cursor() + 1, u64::MAX).await?);
    new.retain(|activity| !position.covers(activity.key.id));
    Ok(new)
}

async fn between(db: &mut Conn, first: u64, last: u64) -> Result<Vec<New>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, user_id AS "author: UserId", created_at AS "at!: DateTime<Utc>" FROM user_activities
        WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?
        "#,
        first,
        last,
        BATCH
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| New {
            key: Key::new(row.at, row.id),
            author: row.author,
        })
        .collect())
}

/// One step's work.
struct Copying<'a> {
    db: &'a Db,
    redis: &'a FeedCache,
    settings: &'a FeedSettings,
    generation: u32,
    /// Whether Redis was not told of something: its sets of this generation must not be read any more.
    is_redis_behind: bool,
    copies: u64,
}

/// What matters of an author.
struct Author {
    followers: u64,
    is_pulled: bool,
}

impl Copying<'_> {
    /// Copies activities to their authors' followers, the first of them at least, and says how many were taken.
    async fn copy(&mut self, new: &[New]) -> Result<usize, StoreError> {
        let authors = self.authors(new).await?;
        let mut by_author: BTreeMap<UserId, Vec<Key>> = BTreeMap::new();
        let (mut taken, mut copies) = (0, 0);
        for activity in new {
            if taken > 0 && copies >= COPIES {
                break;
            }
            taken += 1;
            let Some(author) = authors.get(&activity.author) else {
                continue;
            };
            if !author.is_pulled {
                copies += author.followers;
                by_author.entry(activity.author).or_default().push(activity.key);
            }
        }
        for (author, keys) in by_author {
            self.copy_of(author, &keys).await?;
        }
        Ok(taken)
    }

    /// Authors of activities. Those with too many followers to copy to are noted as such, before anybody could miss what was not copied.
    async fn authors(&self, new: &[New]) -> Result<BTreeMap<UserId, Author>, StoreError> {
        let ids: BTreeSet<UserId> = new.iter().map(|activity| activity.author).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut db = self.db.acquire().await?;
        let rows = sqlx::query!(
            r#"
            SELECT STRAIGHT_JOIN author.id AS "id: UserId", COALESCE(author.followers_count, 0) AS "followers!: i64",
                   pulled.author_id IS NOT NULL AS "is_pulled!: bool"
            FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
            JOIN users AS author FORCE INDEX (PRIMARY) ON author.id = wanted.id
            LEFT JOIN feed_pulled_authors AS pulled FORCE INDEX (PRIMARY) ON pulled.author_id = author.id
            "#,
            serde_json::to_string(&ids)?
        )
        .fetch_all(&mut *db)
        .await?;
        let mut authors = BTreeMap::new();
        for row in rows {
            let followers = row.followers.unsigned_abs();
            let is_pulled = row.is_pulled || followers > u64::from(self.settings.copied_followers);
            if is_pulled && !row.is_pulled {
                sqlx::query!(
                    "INSERT INTO feed_pulled_authors (author_id) VALUES (?) ON DUPLICATE KEY UPDATE is_leaving = FALSE",
                    row.id
                )
                .execute(&mut *db)
                .await?;
            }
            authors.insert(row.id, Author { followers, is_pulled });
        }
        Ok(authors)
    }

    /// Copies one author's activities to all followers whose feeds are kept.
    async fn copy_of(&mut self, author: UserId, keys: &[Key]) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let mut db = self.db.acquire().await?;
            let followers = sqlx::query!(
                r#"
                SELECT STRAIGHT_JOIN follow.id, follow.follower_id AS "reader: UserId"
                FROM user_follows AS follow FORCE INDEX (idx_following)
                JOIN feeds AS feed FORCE INDEX (PRIMARY) ON feed.user_id = follow.follower_id
                WHERE follow.following_id = ? AND follow.id > ?
                ORDER BY follow.id LIMIT ?
                "#,
                author,
                after,
                READERS
            )
            .fetch_all(&mut *db)
            .await?;
            let readers: Vec<UserId> = followers.iter().map(|follower| follower.reader).collect();
            self.copies += cache::add(&mut db, &readers, keys).await?;
            if !self.is_redis_behind {
                let sets = self.sets(&mut db, &readers).await?;
                self.is_redis_behind = !self.redis.add(&sets, keys).await;
            }
            drop(db);
            for reader in &readers {
                if keys.iter().any(|key| (key.id + reader.0) % TRIM_ONE_IN == 0) {
                    cache::trim(self.db, *reader, self.settings.cap).await?;
                }
            }
            match followers.last() {
                Some(last) if followers.len() >= READERS as usize => after = last.id,
                _ => return Ok(()),
            }
        }
    }

    /// Names of readers' sets in Redis. Read after the copies were committed: a version that comes later is filled from them.
    async fn sets(&self, db: &mut Conn, readers: &[UserId]) -> Result<Vec<SetName>, StoreError> {
        let rows = sqlx::query!(
            r#"
            SELECT STRAIGHT_JOIN feed.user_id AS "user: UserId", feed.version
            FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS reader
            JOIN feeds AS feed FORCE INDEX (PRIMARY) ON feed.user_id = reader.id
            WHERE feed.filled_at IS NOT NULL
            "#,
            serde_json::to_string(readers)?
        )
        .fetch_all(db)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| SetName {
                generation: self.generation,
                user: row.user,
                version: row.version,
            })
            .collect())
    }

    /// Looks at what is marked, as it is now, and takes the marks away that were read. Returns how many.
    async fn look_at_marks(&mut self) -> Result<usize, StoreError> {
        let mut db = self.db.acquire().await?;
        let marks = sqlx::query!(
            r#"SELECT id, user_id AS "user: UserId", author_id AS "author: UserId", activity_id FROM feed_marks
               WHERE id > 0 ORDER BY id LIMIT ?"#,
            MARKS
        )
        .fetch_all(&mut *db)
        .await?;
        if marks.is_empty() {
            return Ok(0);
        }
        let pairs: BTreeSet<(UserId, UserId)> = marks
            .iter()
            .filter(|mark| mark.activity_id == 0)
            .map(|mark| (mark.user, mark.author))
            .collect();
        for (user, author) in pairs {
            cache::reconcile(self.db, user, author, self.settings.cap).await?;
        }
        let activities: BTreeSet<u64> = marks.iter().map(|mark| mark.activity_id).filter(|id| *id != 0).collect();
        for id in activities {
            sqlx::query!("DELETE FROM user_feed_cache WHERE activity_id = ?", id)
                .execute(&mut *db)
                .await?;
            // It may have moved only.
            let moved = between(&mut db, id, id).await?;
            self.copy(&moved).await?;
        }
        let mut statement = QueryBuilder::<MySql>::new("DELETE FROM feed_marks WHERE id IN (");
        let mut ids = statement.separated(", ");
        for mark in &marks {
            ids.push_bind(mark.id);
        }
        statement.push(")");
        statement.build().execute(&mut *db).await?;
        Ok(marks.len())
    }

    /// Copies those again who lost so many followers that merging is not worth it. First all fills begin to copy them, then what was kept of
    /// their followers' feeds is given up, and only then pages cease to merge.
    async fn let_authors_leave(&self) -> Result<(), StoreError> {
        let mut db = self.db.acquire().await?;
        let leaving = sqlx::query_scalar!(
            r#"
            SELECT STRAIGHT_JOIN pulled.author_id AS "id: UserId"
            FROM feed_pulled_authors AS pulled JOIN users AS author FORCE INDEX (PRIMARY) ON author.id = pulled.author_id
            WHERE pulled.is_leaving OR author.followers_count < ?
            "#,
            leaves_below(self.settings)
        )
        .fetch_all(&mut *db)
        .await?;
        for author in leaving {
            sqlx::query!("UPDATE feed_pulled_authors SET is_leaving = TRUE WHERE author_id = ?", author)
                .execute(&mut *db)
                .await?;
            let mut transaction = self.db.begin_with(BEGIN_READ_COMMITTED).await?;
            sqlx::query!(
                "UPDATE user_follows AS follow FORCE INDEX (idx_following)
                 STRAIGHT_JOIN feeds AS feed ON feed.user_id = follow.follower_id
                 SET feed.filled_at = NULL, feed.version = feed.version + 1
                 WHERE follow.following_id = ?",
                author
            )
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            sqlx::query!("DELETE FROM feed_pulled_authors WHERE author_id = ?", author)
                .execute(&mut *db)
                .await?;
        }
        Ok(())
    }
}
