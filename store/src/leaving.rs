//! Deleting an account with everything personal: some rows at a time, so that no transaction is long and none waits for long.
//!
//! What is kept says nothing of who it was: views and downloads lose their user and address and go on to count.

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::{Conn, Db, StoreError, UserId, WorkflowId, workflow};

/// Rows that one statement takes.
const BATCH: u32 = 500;

/// Attempts at a transaction that loses against others.
const ATTEMPTS: usize = 10;

/// Deletes all that is an account's, and then the account. Safe to repeat, and to stop in the middle. What is shown of it must be hidden
/// before ([`crate::user::leave`]).
///
/// # Errors
/// The database refused; running again goes on.
pub async fn take_apart(db: &Db, id: UserId) -> Result<(), StoreError> {
    let workflows = workflows(&mut *db.acquire().await?, id).await?;
    for workflow_id in workflows {
        insist(|| delete_workflow(db, workflow_id).boxed()).await?;
    }
    for part in Part::ALL {
        while insist(|| delete_some(db, id, part).boxed()).await? > 0 {}
    }
    insist(|| delete_account(db, id).boxed()).await
}

async fn delete_workflow(db: &Db, id: WorkflowId) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    workflow::delete(&mut tx, id).await?;
    Ok(tx.commit().await?)
}

async fn delete_account(db: &Db, id: UserId) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    if let Some((email, _)) = crate::user::address(&mut tx, id).await? {
        sqlx::query!("DELETE FROM registrations WHERE email = ?", email)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query!("DELETE FROM users WHERE id = ?", id).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

async fn workflows(db: &mut Conn, id: UserId) -> Result<Vec<WorkflowId>, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT id AS "id: WorkflowId" FROM workflows WHERE user_id = ?"#, id)
            .fetch_all(db)
            .await?,
    )
}

/// Does it again while it loses against others.
async fn insist<'a, T>(mut step: impl FnMut() -> BoxFuture<'a, Result<T, StoreError>>) -> Result<T, StoreError> {
    for _ in 1..ATTEMPTS {
        match step().await {
            Err(error) if error.is_lock_conflict() => {}
            outcome => return outcome,
        }
    }
    step().await
}

/// What is somebody's beside workflows. Comments and the account itself come last and together: the triggers of 0008 know in which order.
#[derive(Clone, Copy, Debug)]
enum Part {
    CommentLikes,
    Likes,
    Ratings,
    Follows,
    Followers,
    Feed,
    Activities,
    Collections,
    Views,
    Downloads,
}

impl Part {
    const ALL: [Self; 10] = [
        Self::CommentLikes,
        Self::Likes,
        Self::Ratings,
        Self::Follows,
        Self::Followers,
        Self::Feed,
        Self::Activities,
        Self::Collections,
        Self::Views,
        Self::Downloads,
    ];
}

/// Deletes some rows of a part. Returns how many.
async fn delete_some(db: &Db, id: UserId, part: Part) -> Result<u64, StoreError> {
    let mut connection = db.acquire().await?;
    let db = &mut *connection;
    let done =
        match part {
            Part::CommentLikes => {
                sqlx::query!("DELETE FROM comment_likes WHERE user_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Likes => {
                sqlx::query!("DELETE FROM workflow_likes WHERE user_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Ratings => {
                sqlx::query!("DELETE FROM workflow_ratings WHERE user_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Follows => {
                sqlx::query!("DELETE FROM user_follows WHERE follower_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Followers => {
                sqlx::query!("DELETE FROM user_follows WHERE following_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Feed => {
                sqlx::query!("DELETE FROM user_feed_cache WHERE user_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Activities => {
                sqlx::query!("DELETE FROM user_activities WHERE user_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Collections => {
                sqlx::query!("DELETE FROM workflow_collections WHERE user_id = ? LIMIT ?", id, BATCH)
                    .execute(db)
                    .await
            }
            Part::Views => {
                sqlx::query!(
                    "UPDATE workflow_views SET user_id = NULL, ip_address = NULL, session_id = NULL WHERE user_id = ? LIMIT ?",
                    id,
                    BATCH
                )
                .execute(db)
                .await
            }
            Part::Downloads => sqlx::query!(
                "UPDATE workflow_downloads SET user_id = NULL, ip_address = NULL, user_agent = NULL WHERE user_id = ? LIMIT ?",
                id,
                BATCH
            )
            .execute(db)
            .await,
        }?;
    Ok(done.rows_affected())
}
