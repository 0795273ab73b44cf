//! `count_repairs` and `workflow_count_repairs`: rows whose counts a statement changed without being able to write them.
//!
//! Deleting a user takes follows along, and MySQL lets no trigger write `users` while a statement deletes from it (error 1442).
//! And whoever takes a like away while another holds the workflow's row must not wait for it (`migrations/0006_count_triggers.sql`).
//! The trigger notes what is left with a wrong count, in the same transaction; the step here counts it again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::Connection;

use crate::db::BEGIN_READ_COMMITTED;
use crate::recount::Counted;
use crate::{Conn, Db, StoreError, UserId, WorkflowId, recount};

/// Notes of a kind taken up in one step.
const BATCH: u32 = 500;

/// Counts again what is noted and takes the notes away; gives how many rows it counted. One look at each of two empty tables when
/// there is nothing.
///
/// Safe to repeat and to run at once: it replaces. A note that is made while its row is counted stays for the next step.
///
/// # Errors
/// The database refused; what was counted until then stays counted.
pub async fn apply(db: &Db) -> Result<u64, StoreError> {
    let mut connection = db.acquire().await?;
    Ok(apply_to_users(&mut connection).await? + apply_to_workflows(&mut connection).await?)
}

/// Whether there is anything for [`apply`] to do: one look at each of two tables that are nearly always empty.
///
/// # Errors
/// The database refused.
pub async fn is_any_noted(db: &mut Conn) -> Result<bool, StoreError> {
    let is_any = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM count_repairs) OR EXISTS (SELECT 1 FROM workflow_count_repairs) AS "is_any!: bool""#
    )
    .fetch_one(db)
    .await?;
    Ok(is_any)
}

async fn apply_to_users(db: &mut Conn) -> Result<u64, StoreError> {
    let notes = sqlx::query_as!(
        Note,
        r#"SELECT user_id AS "user_id: UserId", noted_at FROM count_repairs LIMIT ?"#,
        BATCH
    )
    .fetch_all(&mut *db)
    .await?;
    let mut counted = 0;
    for note in notes {
        let mut transaction = db.begin_with(BEGIN_READ_COMMITTED).await?;
        recount::repair_user(&mut transaction, note.user_id).await?;
        // A note that was renewed since has another time.
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

async fn apply_to_workflows(db: &mut Conn) -> Result<u64, StoreError> {
    let notes = sqlx::query!(
        r#"SELECT id, workflow_id AS "workflow_id: WorkflowId" FROM workflow_count_repairs ORDER BY id LIMIT ?"#,
        BATCH
    )
    .fetch_all(&mut *db)
    .await?;
    let mut by_workflow: BTreeMap<WorkflowId, Vec<u64>> = BTreeMap::new();
    for note in notes {
        by_workflow.entry(note.workflow_id).or_default().push(note.id);
    }
    let mut counted = 0;
    for (workflow, notes) in by_workflow {
        // What a committed note is about is committed too, so it is in the count.
        recount::repair(db, Counted::Workflow(workflow)).await?;
        for note in notes {
            sqlx::query!("DELETE FROM workflow_count_repairs WHERE id = ?", note)
                .execute(&mut *db)
                .await?;
        }
        counted += 1;
    }
    Ok(counted)
}

struct Note {
    user_id: UserId,
    noted_at: DateTime<Utc>,
}
