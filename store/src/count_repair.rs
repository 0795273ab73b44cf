//! `count_repairs`: users whose follow counts a statement changed without being allowed to write them.
//!
//! Deleting a user takes follows along, and MySQL lets no trigger write `users` while a statement deletes from it (error 1442).
//! The trigger notes who is left with a wrong count, in the same transaction; the step here counts them again.

use chrono::{DateTime, Utc};
use sqlx::Connection;

use crate::{Db, StoreError, UserId, recount};

/// Users counted in one step.
const BATCH: u32 = 500;

/// Counts the noted users again and takes their notes away; gives how many. One look at an empty table when there are none.
///
/// Safe to repeat and to run at once: it replaces. A note that is renewed while its user is counted stays for the next step.
///
/// # Errors
/// The database refused; what was counted until then stays counted.
pub async fn apply(db: &Db) -> Result<u64, StoreError> {
    let mut connection = db.acquire().await?;
    let notes = sqlx::query_as!(
        Note,
        r#"SELECT user_id AS "user_id: UserId", noted_at FROM count_repairs LIMIT ?"#,
        BATCH
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut counted = 0;
    for note in notes {
        sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").execute(&mut *connection).await?;
        let mut transaction = connection.begin().await?;
        recount::repair_user(&mut transaction, note.user_id).await?;
        sqlx::query!(
            "DELETE FROM count_repairs WHERE user_id = ? AND noted_at = ?",
            note.user_id,
            note.noted_at
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        counted += 1;
    }
    Ok(counted)
}

struct Note {
    user_id: UserId,
    noted_at: DateTime<Utc>,
}
