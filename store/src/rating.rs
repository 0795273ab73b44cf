//! `workflow_ratings`: one to five stars with a review, one a user and workflow. Triggers count and average; the activity goes along.

use chrono::{DateTime, Utc};

use crate::activity::{self, Activity};
use crate::{Conn, StoreError, UserId, WorkflowId};

/// What somebody thinks of a workflow, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Stars, 1 to 5.
    pub stars: u8,
    /// In words.
    pub review: Option<String>,
    /// Whether they recommend it.
    pub is_recommended: bool,
}

/// A rating, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// Position in the list: the rating's own id.
    pub position: u64,
    /// Whose.
    pub user_id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// Stars, 1 to 5.
    pub stars: u8,
    /// In words.
    pub review: Option<String>,
    /// Whether they recommend it.
    pub is_recommended: bool,
    /// When it was first given.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was changed last.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Number and mean of a workflow's ratings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// How many.
    pub count: i32,
    /// Sum of their stars.
    pub sum: i32,
}

impl Standing {
    /// Mean, to the hundredth as the column has it; `None` without any.
    pub fn average(self) -> Option<f64> {
        (self.count > 0).then(|| (f64::from(self.sum) / f64::from(self.count) * 100.0).round() / 100.0)
    }
}

/// Gives a rating, or changes the one that is there, in a transaction that has locked the workflow ([`crate::workflow::lock`]).
///
/// # Errors
/// The database refused.
pub async fn set(db: &mut Conn, user: UserId, workflow: WorkflowId, verdict: &Verdict) -> Result<(), StoreError> {
    if find(db, user, workflow).await?.is_some() {
        sqlx::query!(
            "UPDATE workflow_ratings SET rating = ?, review = ?, is_recommended = ? WHERE workflow_id = ? AND user_id = ?",
            verdict.stars,
            verdict.review,
            verdict.is_recommended,
            workflow,
            user
        )
        .execute(&mut *db)
        .await?;
    } else {
        sqlx::query!(
            "INSERT INTO workflow_ratings (workflow_id, user_id, rating, review, is_recommended) VALUES (?, ?, ?, ?, ?)",
            workflow,
            user,
            verdict.stars,
            verdict.review,
            verdict.is_recommended
        )
        .execute(&mut *db)
        .await?;
    }
    let stars = verdict.stars;
    activity::record(db, user, Activity::Rating { workflow, stars }).await
}

/// Takes a rating back, in a transaction that has locked the workflow. False when there was none.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let Some(rating) = find(db, user, workflow).await? else {
        return Ok(false);
    };
    sqlx::query!(
        "DELETE FROM workflow_ratings WHERE workflow_id = ? AND user_id = ?",
        workflow,
        user
    )
    .execute(&mut *db)
    .await?;
    let stars = rating.stars;
    activity::forget(db, user, Activity::Rating { workflow, stars }).await?;
    Ok(true)
}

/// Somebody's rating of a workflow.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, user: UserId, workflow: WorkflowId) -> Result<Option<Rating>, StoreError> {
    Ok(sqlx::query_as!(
        Rating,
        r#"
        SELECT r.id AS position, u.id AS "user_id: UserId", u.username, u.display_name, r.rating AS stars, r.review,
               COALESCE(r.is_recommended, FALSE) AS "is_recommended!: bool", r.created_at, r.updated_at
        FROM workflow_ratings r JOIN users u ON u.id = r.user_id
        WHERE r.workflow_id = ? AND r.user_id = ?
        "#,
        workflow,
        user
    )
    .fetch_optional(db)
    .await?)
}

/// Ratings of a workflow by active people, the latest first, before a position; with `only_reviews`, those with words.
///
/// # Errors
/// The database refused.
pub async fn list(
    db: &mut Conn,
    workflow: WorkflowId,
    only_reviews: bool,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Rating>, StoreError> {
    Ok(sqlx::query_as!(
        Rating,
        r#"
        SELECT r.id AS position, u.id AS "user_id: UserId", u.username, u.display_name, r.rating AS stars, r.review,
               COALESCE(r.is_recommended, FALSE) AS "is_recommended!: bool", r.created_at, r.updated_at
        FROM workflow_ratings r JOIN users u ON u.id = r.user_id
        WHERE r.workflow_id = ? AND r.id < ? AND u.is_active AND u.suspended_at IS NULL AND (NOT ? OR r.review IS NOT NULL)
        ORDER BY r.id DESC LIMIT ?
        "#,
        workflow,
        before.unwrap_or(u64::MAX),
        only_reviews,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// How a workflow stands.
///
/// # Errors
/// The database refused.
pub async fn standing(db: &mut Conn, workflow: WorkflowId) -> Result<Standing, StoreError> {
    let standing = sqlx::query_as!(
        Standing,
        r#"SELECT COALESCE(ratings_count, 0) AS "count!: i32", ratings_sum AS sum FROM workflows WHERE id = ?"#,
        workflow
    )
    .fetch_optional(db)
    .await?;
    Ok(standing.unwrap_or(Standing { count: 0, sum: 0 }))
}
