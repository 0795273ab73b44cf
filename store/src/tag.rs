//! `workflow_tags` and `workflow_tag_pivot`: tags are made when first used. Triggers count their uses.

use crate::{Conn, StoreError, TagId, WorkflowId};

/// A tag, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its id.
    pub id: TagId,
    /// Its name.
    pub name: String,
    /// Workflows that carry it, published or not.
    pub usage_count: i32,
}

/// Names of a workflow's tags, by name.
///
/// # Errors
/// The database refused.
pub async fn of_workflow(db: &mut Conn, workflow: WorkflowId) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT t.name FROM workflow_tag_pivot p JOIN workflow_tags t ON t.id = p.tag_id
        WHERE p.workflow_id = ? ORDER BY t.name
        "#,
        workflow
    )
    .fetch_all(db)
    .await?)
}

/// Makes these the workflow's tags: those that are missing are added (and made, if new), the others taken away.
/// Names are taken as they are; whoever calls has put them in their usual form.
///
/// # Errors
/// The database refused.
pub async fn set(db: &mut Conn, workflow: WorkflowId, names: &[String]) -> Result<(), StoreError> {
    let mut wanted = Vec::with_capacity(names.len());
    for name in names {
        wanted.push(find_or_create(db, name).await?);
    }
    // Always in the order of ids, so that two who tag at once don't wait for each other.
    wanted.sort_unstable();
    wanted.dedup();
    let present = sqlx::query_scalar!(
        r#"SELECT tag_id AS "id: TagId" FROM workflow_tag_pivot WHERE workflow_id = ? ORDER BY tag_id"#,
        workflow
    )
    .fetch_all(&mut *db)
    .await?;
    let mut changed: Vec<(TagId, bool)> = wanted
        .iter()
        .filter(|id| !present.contains(id))
        .map(|id| (*id, true))
        .chain(present.iter().filter(|id| !wanted.contains(id)).map(|id| (*id, false)))
        .collect();
    changed.sort_unstable();
    for (tag, add) in changed {
        if add {
            sqlx::query!(
                "INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES (?, ?) ON DUPLICATE KEY UPDATE tag_id = tag_id",
                workflow,
                tag
            )
            .execute(&mut *db)
            .await?;
        } else {
            sqlx::query!(
                "DELETE FROM workflow_tag_pivot WHERE workflow_id = ? AND tag_id = ?",
                workflow,
                tag
            )
            .execute(&mut *db)
            .await?;
        }
    }
    Ok(())
}

/// The tag of this name, by the column's collation: `Café` and `cafe` are one tag, spelt as it was first.
async fn find_or_create(db: &mut Conn, name: &str) -> Result<TagId, StoreError> {
    if let Some(id) = find_id(db, name).await? {
        return Ok(id);
    }
    sqlx::query!(
        "INSERT INTO workflow_tags (name) VALUES (?) ON DUPLICATE KEY UPDATE name = name",
        name
    )
    .execute(&mut *db)
    .await?;
    // A locking read sees what others have committed since this transaction's snapshot. `id = LAST_INSERT_ID(id)` in the statement above
    // would not do: seen on MariaDB 10.11, its answer carries the id 0 when the statement had waited for the transaction that made the row.
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: TagId" FROM workflow_tags WHERE name = ? FOR UPDATE"#,
        name
    )
    .fetch_one(db)
    .await?)
}

async fn find_id(db: &mut Conn, name: &str) -> Result<Option<TagId>, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT id AS "id: TagId" FROM workflow_tags WHERE name = ?"#, name)
            .fetch_optional(db)
            .await?,
    )
}

/// Tags of visible workflows, the most used first, after the tag at `after` (its use count and id) if given.
///
/// # Errors
/// The database refused.
pub async fn list_popular(db: &mut Conn, after: Option<(i32, TagId)>, limit: u32) -> Result<Vec<Tag>, StoreError> {
    let (count, id) = after.unwrap_or((i32::MAX, TagId(u64::MAX)));
    let rows = sqlx::query!(
        r#"
        SELECT t.id AS "id: TagId", t.name, COALESCE(t.usage_count, 0) AS "usage_count!: i32"
        FROM workflow_tags t
        WHERE t.usage_count <= ? AND (t.usage_count < ? OR t.id < ?)
          AND EXISTS (SELECT 1 FROM workflow_tag_pivot p JOIN workflows w ON w.id = p.workflow_id JOIN users u ON u.id = w.user_id
                      WHERE p.tag_id = t.id AND w.is_published AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP(6))
                        AND w.taken_down_at IS NULL AND u.is_active AND u.suspended_at IS NULL)
        ORDER BY t.usage_count DESC, t.id DESC
        LIMIT ?
        "#,
        count,
        count,
        id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Tag {
            id: row.id,
            name: row.name,
            usage_count: row.usage_count,
        })
        .collect())
}

/// Tags of visible workflows whose names start with `prefix`, by name, after the name `after` if given.
///
/// # Errors
/// The database refused.
pub async fn list_by_prefix(db: &mut Conn, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Tag>, StoreError> {
    let pattern = format!("{}%", prefix.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    let rows = sqlx::query!(
        r#"
        SELECT t.id AS "id: TagId", t.name, COALESCE(t.usage_count, 0) AS "usage_count!: i32"
        FROM workflow_tags t
        WHERE t.name LIKE ? AND t.name > ?
          AND EXISTS (SELECT 1 FROM workflow_tag_pivot p JOIN workflows w ON w.id = p.workflow_id JOIN users u ON u.id = w.user_id
                      WHERE p.tag_id = t.id AND w.is_published AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP(6))
                        AND w.taken_down_at IS NULL AND u.is_active AND u.suspended_at IS NULL)
        ORDER BY t.name
        LIMIT ?
        "#,
        pattern,
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Tag {
            id: row.id,
            name: row.name,
            usage_count: row.usage_count,
        })
        .collect())
}
