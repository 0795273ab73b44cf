//! Reading what people did.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;

use super::{Act, ActKind};
use crate::{Conn, StoreError, UserId, WorkflowId};

/// Most rows of one kind that are read of one person, the newest first: what they saw before those may be shown to them again.
const ROWS_OF_A_KIND: u32 = 2000;

/// What one person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonActs {
    /// Who.
    pub user: UserId,
    /// What, in no order.
    pub acts: Vec<Act<WorkflowId>>,
}

/// What somebody did to workflows, the newest rows of each kind, views and comments included; to their own too.
///
/// # Errors
/// The database refused.
pub async fn acts_of(db: &mut Conn, user: UserId) -> Result<Vec<Act<WorkflowId>>, StoreError> {
    let rows = sqlx::query_file!(
        "src/recommendation/acts_of.sql",
        user,
        ROWS_OF_A_KIND,
        user,
        ROWS_OF_A_KIND,
        user,
        ROWS_OF_A_KIND,
        user,
        ROWS_OF_A_KIND,
        user,
        ROWS_OF_A_KIND,
        user,
        ROWS_OF_A_KIND,
        user,
        ROWS_OF_A_KIND
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Act {
            workflow: row.workflow,
            kind: kind(row.kind, row.stars),
            at_s: seconds(row.at),
        })
        .collect())
}

/// All users, in groups of so many: the first and the last id of each.
///
/// # Errors
/// The database refused.
pub async fn user_groups(db: &mut Conn, size: u32) -> Result<Vec<(UserId, UserId)>, StoreError> {
    let mut groups = Vec::new();
    let mut after = UserId(0);
    loop {
        let ids = sqlx::query_scalar!(
            r#"SELECT id AS "id: UserId" FROM users WHERE id > ? ORDER BY id LIMIT ?"#,
            after,
            size
        )
        .fetch_all(&mut *db)
        .await?;
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            return Ok(groups);
        };
        groups.push((*first, *last));
        after = *last;
    }
}

/// What the people of a group did to others' workflows that are published, in order of the user. Without views and comments, which say
/// little.
///
/// # Errors
/// The database refused.
pub async fn acts_of_group(db: &mut Conn, (first, last): (UserId, UserId)) -> Result<Vec<PersonActs>, StoreError> {
    let mut acts: Vec<(UserId, Act<WorkflowId>)> = Vec::new();
    let mut rows = sqlx::query_file!(
        "src/recommendation/acts_of_group.sql",
        first,
        last,
        first,
        last,
        first,
        last,
        first,
        last,
        first,
        last
    )
    .fetch(db);
    while let Some(row) = rows.try_next().await? {
        let act = Act {
            workflow: row.workflow,
            kind: kind(row.kind, row.stars),
            at_s: seconds(row.at),
        };
        acts.push((row.user, act));
    }
    acts.sort_by_key(|(user, act)| (*user, act.workflow));
    Ok(acts
        .chunk_by(|a, b| a.0 == b.0)
        .map(|of_one| PersonActs {
            user: of_one[0].0,
            acts: of_one.iter().map(|(_, act)| *act).collect(),
        })
        .collect())
}

/// When somebody last did something that says what they want; none: nobody ever did. What is said to happen in the future does not count.
///
/// # Errors
/// The database refused.
pub async fn newest_act(db: &mut Conn) -> Result<Option<DateTime<Utc>>, StoreError> {
    let newest = sqlx::query_scalar!(
        r#"SELECT MAX(newest.at) AS "at: DateTime<Utc>" FROM (
             SELECT MAX(created_at) AS at FROM workflow_downloads WHERE created_at <= NOW()
             UNION ALL SELECT MAX(created_at) FROM workflow_likes WHERE created_at <= NOW()
             UNION ALL SELECT MAX(created_at) FROM workflow_ratings WHERE created_at <= NOW()
             UNION ALL SELECT MAX(created_at) FROM collection_workflows WHERE created_at <= NOW()
           ) AS newest"#
    )
    .fetch_one(db)
    .await?;
    Ok(newest)
}

fn kind(number: i64, stars: i64) -> ActKind {
    match number {
        1 => ActKind::Download,
        2 => ActKind::Like,
        3 => ActKind::Rating(u8::try_from(stars).unwrap_or_default()),
        4 => ActKind::CollectionAdd,
        6 => ActKind::Dismissal,
        _ => ActKind::Seen,
    }
}

/// What has no time is as old as can be, and what is said to happen in the future happens now: age counts from the newest act, which one wrong
/// clock would make that of all others.
fn seconds(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.min(Utc::now()).timestamp())
}
