//! `workflow_collections` and `collection_workflows`: ordered lists of workflows that somebody keeps. Triggers count.
//!
//! `sort_order` leaves room between neighbours (`GAP`), so that moving one entry writes one row; where the room is used up, all of the
//! collection's are numbered again. Entries with the same number (other programs' default is 0) are in the order of their ids.

use chrono::{DateTime, Utc};

use crate::workflow::{RackKind, RackType};
use crate::{CollectionId, Conn, StoreError, UserId, WorkflowId};

/// Room between two neighbours: ten moves into the same place before all are numbered again.
const GAP: i64 = 1024;

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its id.
    pub id: CollectionId,
    /// Whose.
    pub user_id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether everybody may see it.
    pub is_public: bool,
    /// Whether its owner's account is active and not suspended.
    pub is_owner_active: bool,
    /// Workflows in it, those that not everybody may see included.
    pub workflows: i32,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was changed last.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A workflow in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place: ascends, with `id`.
    pub sort_order: i32,
    /// The entry's own id.
    pub id: u64,
    /// Which workflow.
    pub workflow_id: WorkflowId,
    /// Its unique name.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// What the parse says that it is for.
    pub kind: Option<RackKind>,
    /// What its row says.
    pub rack_type: RackType,
    /// What `preview_image_path` holds.
    pub preview_image_path: Option<String>,
    /// Its author.
    pub author_id: UserId,
    /// Their handle.
    pub username: String,
    /// Their name, if they gave one.
    pub display_name: Option<String>,
    /// When it was added.
    pub added_at: Option<DateTime<Utc>>,
}

/// Where an entry goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A new one at the end; one that is there stays where it is.
    AsItIs,
    /// Before all others.
    Start,
    /// Behind all others.
    End,
    /// Before this one.
    Before(WorkflowId),
}

/// What came of adding or moving an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is there now, and was not before.
    Added,
    /// It was there, and may have moved.
    Moved,
    /// The collection holds as many as it may.
    Full,
    /// What it should go before is not in the collection.
    NoSuchNeighbour,
}

/// Makes an empty collection.
///
/// # Errors
/// The database refused.
pub async fn create(
    db: &mut Conn,
    user: UserId,
    name: &str,
    description: Option<&str>,
    is_public: bool,
) -> Result<CollectionId, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO workflow_collections (user_id, name, description, is_public) VALUES (?, ?, ?, ?)",
        user,
        name,
        description,
        is_public
    )
    .execute(db)
    .await?;
    Ok(CollectionId(done.last_insert_id()))
}

/// How many collections somebody has.
///
/// # Errors
/// The database refused.
pub async fn count_of(db: &mut Conn, user: UserId) -> Result<i64, StoreError> {
    Ok(
        sqlx::query_scalar!("SELECT COUNT(*) FROM workflow_collections WHERE user_id = ?", user)
            .fetch_one(db)
            .await?,
    )
}

/// What its owner changes. Outside, whether a field is changed; inside, whether it then has a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionChanges {
    /// What it is called.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// Whether everybody may see it.
    pub is_public: Option<bool>,
}

/// Changes what its owner says about it.
///
/// # Errors
/// The database refused.
pub async fn change(db: &mut Conn, id: CollectionId, changes: &CollectionChanges) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE workflow_collections
        SET name = COALESCE(?, name), description = IF(?, ?, description), is_public = COALESCE(?, is_public)
        WHERE id = ?
        "#,
        changes.name,
        changes.description.is_some(),
        changes.description.as_ref().and_then(Option::as_deref),
        changes.is_public,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes a collection with its entries; the workflows stay.
///
/// # Errors
/// The database refused.
pub async fn delete(db: &mut Conn, id: CollectionId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM workflow_collections WHERE id = ?", id)
        .execute(db)
        .await?;
    Ok(())
}

/// Locks a collection until the transaction ends. False when it is gone.
///
/// # Errors
/// The database refused.
pub async fn lock(db: &mut Conn, id: CollectionId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!("SELECT id FROM workflow_collections WHERE id = ? FOR UPDATE", id)
        .fetch_optional(db)
        .await?;
    Ok(found.is_some())
}

/// Adds a workflow or moves it, in a transaction that has locked the workflow and then the collection.
///
/// # Errors
/// The database refused.
pub async fn place(
    db: &mut Conn,
    id: CollectionId,
    workflow: WorkflowId,
    place: Place,
    max_entries: u32,
) -> Result<Placed, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, workflow_id AS "workflow_id: WorkflowId", COALESCE(sort_order, 0) AS "sort_order!: i32"
        FROM collection_workflows WHERE collection_id = ? ORDER BY COALESCE(sort_order, 0), id
        "#,
        id
    )
    .fetch_all(&mut *db)
    .await?;
    let own = rows.iter().find(|row| row.workflow_id == workflow).map(|row| row.id);
    if own.is_some() && matches!(place, Place::AsItIs) || place == Place::Before(workflow) && own.is_some() {
        return Ok(Placed::Moved);
    }
    if own.is_none() && rows.len() >= max_entries as usize {
        return Ok(Placed::Full);
    }
    let others: Vec<(u64, i64)> = rows
        .iter()
        .filter(|row| row.workflow_id != workflow)
        .map(|row| (row.id, i64::from(row.sort_order)))
        .collect();
    let at = match place {
        Place::Start => 0,
        Place::AsItIs | Place::End => others.len(),
        Place::Before(neighbour) => {
            let neighbour = rows.iter().find(|row| row.workflow_id == neighbour).map(|row| row.id);
            match others.iter().position(|(id, _)| Some(*id) == neighbour) {
                Some(at) => at,
                None => return Ok(Placed::NoSuchNeighbour),
            }
        }
    };
    let between = between(
        at.checked_sub(1).map(|before| others[before].1),
        others.get(at).map(|next| next.1),
    );
    let sort_order = match between {
        Some(sort_order) => sort_order,
        None => {
            renumber(db, &others, at).await?;
            number(at)
        }
    };
    if let Some(own) = own {
        sqlx::query!("UPDATE collection_workflows SET sort_order = ? WHERE id = ?", sort_order, own)
            .execute(db)
            .await?;
        return Ok(Placed::Moved);
    }
    sqlx::query!(
        "INSERT INTO collection_workflows (collection_id, workflow_id, sort_order) VALUES (?, ?, ?)",
        id,
        workflow,
        sort_order
    )
    .execute(db)
    .await?;
    Ok(Placed::Added)
}

/// The number of an entry at a place, when all are numbered anew.
fn number(at: usize) -> i32 {
    i32::try_from((at as i64 + 1) * GAP).unwrap_or(i32::MAX)
}

/// A number strictly between two neighbours; `None` where there is none.
fn between(before: Option<i64>, next: Option<i64>) -> Option<i32> {
    let middle = match (before, next) {
        (None, None) => GAP,
        (Some(before), None) => before + GAP,
        (None, Some(next)) => next - GAP,
        (Some(before), Some(next)) if next - before >= 2 => before + (next - before) / 2,
        (Some(_), Some(_)) => return None,
    };
    i32::try_from(middle).ok()
}

/// Numbers all entries anew, leaving the place `free` for one to come.
async fn renumber(db: &mut Conn, others: &[(u64, i64)], free: usize) -> Result<(), StoreError> {
    for (at, (id, _)) in others.iter().enumerate() {
        let at = if at < free { at } else { at + 1 };
        sqlx::query!("UPDATE collection_workflows SET sort_order = ? WHERE id = ?", number(at), id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Takes a workflow out, in a transaction that has locked the workflow and then the collection. False when it was not in it.
///
/// # Errors
/// The database refused.
pub async fn take_out(db: &mut Conn, id: CollectionId, workflow: WorkflowId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM collection_workflows WHERE collection_id = ? AND workflow_id = ?",
        id,
        workflow
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(entry) = found else { return Ok(false) };
    sqlx::query!("DELETE FROM collection_workflows WHERE id = ?", entry)
        .execute(db)
        .await?;
    Ok(true)
}

/// A collection, whoever may see it.
///
/// # Errors
/// The database refused.
pub async fn find(db: &mut Conn, id: CollectionId) -> Result<Option<Collection>, StoreError> {
    Ok(sqlx::query_as!(
        Collection,
        r#"
        SELECT c.id AS "id: CollectionId", u.id AS "user_id: UserId", u.username, u.display_name, c.name, c.description,
               COALESCE(c.is_public, FALSE) AS "is_public!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL) AS "is_owner_active!: bool",
               COALESCE(c.workflows_count, 0) AS "workflows!: i32", c.created_at, c.updated_at
        FROM workflow_collections c JOIN users u ON u.id = c.user_id
        WHERE c.id = ?
        "#,
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Somebody's collections, the latest first, before one; with `only_public`, those that everybody may see.
///
/// # Errors
/// The database refused.
pub async fn list_of_user(
    db: &mut Conn,
    user: UserId,
    only_public: bool,
    before: Option<CollectionId>,
    limit: u32,
) -> Result<Vec<Collection>, StoreError> {
    Ok(sqlx::query_as!(
        Collection,
        r#"
        SELECT c.id AS "id: CollectionId", u.id AS "user_id: UserId", u.username, u.display_name, c.name, c.description,
               COALESCE(c.is_public, FALSE) AS "is_public!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL) AS "is_owner_active!: bool",
               COALESCE(c.workflows_count, 0) AS "workflows!: i32", c.created_at, c.updated_at
        FROM workflow_collections c JOIN users u ON u.id = c.user_id
        WHERE c.user_id = ? AND c.id < ? AND (NOT ? OR c.is_public)
        ORDER BY c.id DESC LIMIT ?
        "#,
        user,
        before.unwrap_or(CollectionId(u64::MAX)),
        only_public,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Public collections of active people that hold a workflow, the latest first, before one.
///
/// # Errors
/// The database refused.
pub async fn list_with_workflow(
    db: &mut Conn,
    workflow: WorkflowId,
    before: Option<CollectionId>,
    limit: u32,
) -> Result<Vec<Collection>, StoreError> {
    Ok(sqlx::query_as!(
        Collection,
        r#"
        SELECT c.id AS "id: CollectionId", u.id AS "user_id: UserId", u.username, u.display_name, c.name, c.description,
               COALESCE(c.is_public, FALSE) AS "is_public!: bool",
               (COALESCE(u.is_active, FALSE) AND u.suspended_at IS NULL) AS "is_owner_active!: bool",
               COALESCE(c.workflows_count, 0) AS "workflows!: i32", c.created_at, c.updated_at
        FROM collection_workflows e
        JOIN workflow_collections c ON c.id = e.collection_id JOIN users u ON u.id = c.user_id
        WHERE e.workflow_id = ? AND c.id < ? AND c.is_public AND u.is_active AND u.suspended_at IS NULL
        ORDER BY c.id DESC LIMIT ?
        "#,
        workflow,
        before.unwrap_or(CollectionId(u64::MAX)),
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Entries of a collection that a viewer may see, in order, after a place.
///
/// # Errors
/// The database refused.
pub async fn list_entries(
    db: &mut Conn,
    id: CollectionId,
    viewer: Option<UserId>,
    after: Option<(i32, u64)>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let (sort_order, entry) = after.unwrap_or((i32::MIN, 0));
    Ok(sqlx::query_as!(
        Entry,
        r#"
        SELECT COALESCE(e.sort_order, 0) AS "sort_order!: i32", e.id, w.id AS "workflow_id: WorkflowId", w.slug, w.title,
               w.kind AS "kind: RackKind", w.rack_type AS "rack_type: RackType", w.preview_image_path,
               u.id AS "author_id: UserId", u.username, u.display_name, e.created_at AS added_at
        FROM collection_workflows e JOIN workflows w ON w.id = e.workflow_id JOIN users u ON u.id = w.user_id
        WHERE e.collection_id = ?
          AND (COALESCE(e.sort_order, 0) > ? OR (COALESCE(e.sort_order, 0) = ? AND e.id > ?))
          AND (w.user_id = ? OR (w.is_published AND (w.published_at IS NULL OR w.published_at <= UTC_TIMESTAMP(6))
                                 AND w.taken_down_at IS NULL AND u.is_active AND u.suspended_at IS NULL))
        ORDER BY COALESCE(e.sort_order, 0), e.id LIMIT ?
        "#,
        id,
        sort_order,
        sort_order,
        entry,
        viewer,
        limit
    )
    .fetch_all(db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_between_two_is_strictly_between_or_none() {
        assert_eq!(between(None, None), Some(1024));
        assert_eq!(between(Some(1024), None), Some(2048));
        assert_eq!(between(None, Some(1024)), Some(0));
        assert_eq!(between(Some(1), Some(3)), Some(2));
        assert_eq!(between(Some(1), Some(2)), None);
        assert_eq!(between(Some(0), Some(0)), None);
        assert_eq!(between(Some(i64::from(i32::MAX)), None), None);
        assert_eq!(between(None, Some(i64::from(i32::MIN))), None);
    }
}
