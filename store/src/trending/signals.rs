//! What scores are made from: what people did, whom it was done to, and what is usual.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use futures::TryStreamExt;
use sqlx::{MySql, QueryBuilder};

use super::ROWS;
use crate::stats::{EventKind, actor_of};
use crate::{Conn, Db, StoreError, UserId, WorkflowId};

/// Ids looked up by one statement.
const IDS: usize = 5000;

/// One thing that somebody did, as far as it counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What.
    pub kind: EventKind,
    /// To which workflow.
    pub workflow: WorkflowId,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// Who: a user's id, or a hash of an address and session ([`actor_of`]).
    pub actor: u64,
    /// Hash of the network that it came from; 0 if none is known.
    pub network: u64,
    /// Stars of a rating; 0 otherwise.
    pub rating: u8,
    /// Since when the actor has an account, in seconds since 1970; none: no account.
    pub account_since_s: Option<i64>,
}

/// What happened on a day (UTC) and counts, by actors who are known. Rows are given to `each` as they come.
///
/// # Errors
/// The database refused.
pub async fn signals(db: &mut Conn, day: NaiveDate, mut each: impl FnMut(Signal)) -> Result<(), StoreError> {
    let from = day.and_time(NaiveTime::MIN).and_utc();
    let to = from + TimeDelta::days(1);
    let mut rows = sqlx::query_file!(
        "src/trending/signals.sql",
        from,
        to,
        from,
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
    while let Some(row) = rows.try_next().await? {
        let Some(actor) = actor_of(row.user_id, row.ip_address.as_deref(), row.session_id.as_deref()) else {
            continue;
        };
        let Some(kind) = EventKind::from_number(row.kind) else {
            continue;
        };
        each(Signal {
            kind,
            workflow: WorkflowId(row.workflow_id),
            at_s: row.at.timestamp(),
            actor,
            network: network(row.network_hash.as_deref(), row.ip_address.as_deref()),
            rating: u8::try_from(row.rating).unwrap_or_default(),
            account_since_s: row.user_id.and(row.since).map(|since| since.timestamp()),
        });
    }
    Ok(())
}

/// A number for a network: of its hash if one was recorded, else of the first part of the address (/24, or /48 of IPv6).
fn network(hash: Option<&[u8]>, address: Option<&str>) -> u64 {
    let of_bytes = |bytes: &[u8]| {
        // FNV-1a: grouping, not secrecy.
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }) | 1
    };
    match (hash, address.and_then(|address| address.parse::<std::net::IpAddr>().ok())) {
        (Some(hash), _) => of_bytes(hash),
        (None, Some(std::net::IpAddr::V4(address))) => of_bytes(&address.octets()[..3]),
        (None, Some(std::net::IpAddr::V6(address))) => of_bytes(&address.octets()[..6]),
        (None, None) => 0,
    }
}

/// Which days have been rolled up since `from`, and when: a day whose time differs from a remembered one has changed.
///
/// # Errors
/// The database refused.
pub async fn day_versions(db: &mut Conn, from: NaiveDate) -> Result<HashMap<NaiveDate, DateTime<Utc>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT day, rolled_up_at AS "at!: DateTime<Utc>" FROM rollup_days WHERE day >= ?"#,
        from
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.day, row.at)).collect())
}

/// The days whose attention is stored, since `from`, with the rolling up that it was made after.
///
/// # Errors
/// The database refused.
pub async fn attention_versions(db: &mut Conn, from: NaiveDate) -> Result<HashMap<NaiveDate, DateTime<Utc>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT day, version AS "at!: DateTime<Utc>" FROM trending_days WHERE day >= ?"#,
        from
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.day, row.at)).collect())
}

/// Puts a day's attention in the place of what was stored, in one transaction.
///
/// # Errors
/// The database refused.
pub async fn replace_attention(
    db: &Db,
    day: NaiveDate,
    version: DateTime<Utc>,
    weights: &[(WorkflowId, f64)],
) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    // Holds the day: whoever else does the same waits.
    sqlx::query!(
        "INSERT INTO trending_days (day, version) VALUES (?, ?) ON DUPLICATE KEY UPDATE version = ?",
        day,
        version,
        version
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!("DELETE FROM trending_attention WHERE day = ?", day)
        .execute(&mut *transaction)
        .await?;
    for group in weights.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new("INSERT INTO trending_attention (day, workflow_id, weight) ");
        statement.push_values(group, |mut values, (workflow, weight)| {
            values.push_bind(day).push_bind(*workflow).push_bind(*weight);
        });
        statement.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The stored attention of all days from `from` up to and including `to`, row by row in order of the day.
///
/// # Errors
/// The database refused.
pub async fn attention(
    db: &mut Conn,
    from: NaiveDate,
    to: NaiveDate,
    mut each: impl FnMut(NaiveDate, WorkflowId, f64),
) -> Result<(), StoreError> {
    let mut rows = sqlx::query!(
        r#"SELECT day, workflow_id AS "workflow_id: WorkflowId", weight FROM trending_attention
           WHERE day >= ? AND day <= ? ORDER BY day, workflow_id"#,
        from,
        to
    )
    .fetch(db);
    while let Some(row) = rows.try_next().await? {
        each(row.day, row.workflow_id, row.weight);
    }
    Ok(())
}

/// Users whose doings do not count: suspended, or closed.
///
/// # Errors
/// The database refused.
pub async fn discounted_users(db: &mut Conn) -> Result<Vec<UserId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id!: UserId" FROM users WHERE suspended_at > '1970-01-02'
           UNION SELECT id FROM users WHERE is_active = FALSE"#
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// What a score needs to know of a workflow besides what happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub workflow: WorkflowId,
    /// Its author.
    pub author: UserId,
    /// Genre.
    pub genre: Option<String>,
    /// `audio_effect`, `instrument`, `midi_effect` or `drum`.
    pub kind: String,
    /// Whether everybody may see it now.
    pub is_visible: bool,
}

/// Facts of these workflows. One that is missing from the answer is gone.
///
/// # Errors
/// The database refused.
pub async fn items(db: &mut Conn, workflows: &[WorkflowId]) -> Result<Vec<Item>, StoreError> {
    let mut items = Vec::with_capacity(workflows.len());
    for group in workflows.chunks(IDS) {
        let wanted = serde_json::to_string(group)?;
        let rows = sqlx::query!(
            r#"SELECT STRAIGHT_JOIN w.id AS "id: WorkflowId", w.user_id AS "author: UserId", w.genre,
                 COALESCE(CAST(w.kind AS CHAR), CAST(w.rack_type AS CHAR)) AS "kind!: String",
                 (w.is_published = TRUE AND w.taken_down_at IS NULL AND u.is_active = TRUE AND u.suspended_at IS NULL
                  AND (w.published_at IS NULL OR w.published_at <= NOW())) AS "is_visible: bool"
               FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS wanted
               JOIN workflows w FORCE INDEX (PRIMARY) ON w.id = wanted.id
               JOIN users u FORCE INDEX (PRIMARY) ON u.id = w.user_id"#,
            wanted
        )
        .fetch_all(&mut *db)
        .await?;
        items.extend(rows.into_iter().map(|row| Item {
            workflow: row.id,
            author: row.author,
            genre: row.genre,
            kind: row.kind,
            is_visible: row.is_visible.unwrap_or(false),
        }));
    }
    Ok(items)
}

/// How many workflows are published, by genre and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSize {
    /// Genre.
    pub genre: Option<String>,
    /// Kind.
    pub kind: String,
    /// How many.
    pub workflows: u64,
}

/// The sizes of all groups of published workflows.
///
/// # Errors
/// The database refused.
pub async fn group_sizes(db: &mut Conn) -> Result<Vec<GroupSize>, StoreError> {
    Ok(sqlx::query_as!(
        GroupSize,
        r#"SELECT genre, COALESCE(CAST(kind AS CHAR), CAST(rack_type AS CHAR)) AS "kind!: String",
             CAST(COUNT(*) AS UNSIGNED) AS "workflows!: u64"
           FROM workflows FORCE INDEX (idx_published) WHERE is_published = TRUE GROUP BY 1, 2"#
    )
    .fetch_all(db)
    .await?)
}
