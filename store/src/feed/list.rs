//! Candidates of the lists that need no cache: everybody's activity, and one person's.

use chrono::{DateTime, Utc};

use super::Key;
use crate::{Conn, StoreError, UserId};

/// The newest public activities of everybody before a key.
pub(super) async fn of_everybody(db: &mut Conn, before: Key, limit: u32) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, created_at AS "at!: DateTime<Utc>" FROM user_activities FORCE INDEX (idx_created_at)
        WHERE created_at <= ? AND (created_at < ? OR id < ?) AND is_public = TRUE
        ORDER BY created_at DESC, id DESC
        LIMIT ?
        "#,
        before.at(),
        before.at(),
        before.id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Key::new(row.at, row.id)).collect())
}

/// The newest public activities of one person before a key.
pub(super) async fn of_user(db: &mut Conn, user: UserId, before: Key, limit: u32) -> Result<Vec<Key>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, created_at AS "at!: DateTime<Utc>" FROM user_activities FORCE INDEX (idx_user_id)
        WHERE user_id = ? AND created_at <= ? AND (created_at < ? OR id < ?) AND is_public = TRUE
        ORDER BY created_at DESC, id DESC
        LIMIT ?
        "#,
        user,
        before.at(),
        before.at(),
        before.id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Key::new(row.at, row.id)).collect())
}
