//! `comment_likes`: who likes which comment. Triggers count. There is no activity: the seed has no type for one.

use crate::{CommentId, Conn, StoreError, UserId};

/// Likes a comment, in a transaction that has locked it ([`crate::comment::lock`]). False when the like stood already.
///
/// # Errors
/// The database refused.
pub async fn add(db: &mut Conn, user: UserId, comment: CommentId) -> Result<bool, StoreError> {
    if is_liked(db, user, comment).await? {
        return Ok(false);
    }
    sqlx::query!("INSERT INTO comment_likes (comment_id, user_id) VALUES (?, ?)", comment, user)
        .execute(db)
        .await?;
    Ok(true)
}

/// Takes a like away, in a transaction that has locked the comment. False when there was none.
///
/// # Errors
/// The database refused.
pub async fn remove(db: &mut Conn, user: UserId, comment: CommentId) -> Result<bool, StoreError> {
    if !is_liked(db, user, comment).await? {
        return Ok(false);
    }
    sqlx::query!(
        "DELETE FROM comment_likes WHERE comment_id = ? AND user_id = ?",
        comment,
        user
    )
    .execute(db)
    .await?;
    Ok(true)
}

async fn is_liked(db: &mut Conn, user: UserId, comment: CommentId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM comment_likes WHERE comment_id = ? AND user_id = ?",
        comment,
        user
    )
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// How many like a comment.
///
/// # Errors
/// The database refused.
pub async fn count(db: &mut Conn, comment: CommentId) -> Result<i32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT COALESCE(likes_count, 0) AS "count!: i32" FROM workflow_comments WHERE id = ?"#,
        comment
    )
    .fetch_optional(db)
    .await?;
    Ok(count.unwrap_or_default())
}
