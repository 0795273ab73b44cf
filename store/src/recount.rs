//! The true counts, from the rows: to find what drifted (a `TRUNCATE`, a restored table, triggers switched off) and to mend it.
//!
//! Triggers keep the counts from write to write (`migrations/0006_count_triggers.sql`); this is what they are checked against.

use sqlx::Connection;

use crate::{CollectionId, CommentId, Conn, Db, StoreError, TagId, UserId, WorkflowId};

/// A row that holds counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Followers, followees, workflows.
    User(UserId),
    /// Likes, comments, downloads that count, ratings and their average.
    Workflow(WorkflowId),
    /// Uses.
    Tag(TagId),
    /// Likes.
    Comment(CommentId),
    /// Workflows.
    Collection(CollectionId),
}

/// Rows whose counts differ from what the rows say, as one moment sees them each. Reads every row that is counted, so: nightly.
///
/// # Errors
/// The database refused.
pub async fn differences(db: &mut Conn) -> Result<Vec<Counted>, StoreError> {
    let mut found = Vec::new();
    found.extend(users(db).await?.into_iter().map(Counted::User));
    found.extend(workflows(db).await?.into_iter().map(Counted::Workflow));
    found.extend(tags(db).await?.into_iter().map(Counted::Tag));
    found.extend(comments(db).await?.into_iter().map(Counted::Comment));
    found.extend(collections(db).await?.into_iter().map(Counted::Collection));
    Ok(found)
}

/// Counts everything that [`differences`] finds again, and says what it was. Harmless to repeat: it replaces.
///
/// # Errors
/// The database refused.
pub async fn repair_all(db: &Db) -> Result<Vec<Counted>, StoreError> {
    let mut connection = db.acquire().await?;
    let found = differences(&mut connection).await?;
    for row in &found {
        repair(&mut connection, *row).await?;
    }
    Ok(found)
}

/// Counts one row's counts again, in a transaction of its own. A row that is gone is no error.
///
/// The row is locked first and counted then: whoever adds to what is counted holds the same lock until its commit (the
/// `lock_…` triggers), and whoever takes away takes it before the count is written. On READ COMMITTED the counting statement sees
/// what is committed by then, and locks none of the rows that it counts.
///
/// # Errors
/// The database refused.
pub async fn repair(db: &mut Conn, row: Counted) -> Result<(), StoreError> {
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        .execute(&mut *db)
        .await?;
    let mut transaction = db.begin().await?;
    match row {
        Counted::User(id) => repair_user(&mut transaction, id).await?,
        Counted::Workflow(id) => repair_workflow(&mut transaction, id).await?,
        Counted::Tag(id) => repair_tag(&mut transaction, id).await?,
        Counted::Comment(id) => repair_comment(&mut transaction, id).await?,
        Counted::Collection(id) => repair_collection(&mut transaction, id).await?,
    }
    transaction.commit().await?;
    Ok(())
}

/// Counts a user's counts again, in the caller's transaction, which must be READ COMMITTED: see [`repair`].
pub(crate) async fn repair_user(db: &mut Conn, id: UserId) -> Result<(), StoreError> {
    sqlx::query!("SELECT id FROM users WHERE id = ? FOR UPDATE", id)
        .fetch_optional(&mut *db)
        .await?;
    sqlx::query!(
        r#"
        UPDATE users
        SET followers_count = (SELECT COUNT(*) FROM user_follows WHERE following_id = ?),
            following_count = (SELECT COUNT(*) FROM user_follows WHERE follower_id = ?),
            workflows_count = (SELECT COUNT(*) FROM workflows WHERE user_id = ?),
            updated_at = updated_at
        WHERE id = ?
        "#,
        id,
        id,
        id,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn repair_workflow(db: &mut Conn, id: WorkflowId) -> Result<(), StoreError> {
    sqlx::query!("SELECT id FROM workflows WHERE id = ? FOR UPDATE", id)
        .fetch_optional(&mut *db)
        .await?;
    sqlx::query!(
        r#"
        UPDATE workflows
        SET likes_count = (SELECT COUNT(*) FROM workflow_likes WHERE workflow_id = ?),
            comments_count = (SELECT COUNT(*) FROM workflow_comments WHERE workflow_id = ?),
            downloads_count = (SELECT COUNT(*) FROM workflow_downloads WHERE workflow_id = ? AND counted
                                 AND created_at >= (SELECT COALESCE(MAX(ends_at), TIMESTAMP'1970-01-01 12:00:00') FROM event_archives
                                                    WHERE table_name = 'workflow_downloads' AND state = 'dropping'))
                              + (SELECT COALESCE(SUM(downloads), 0) FROM workflow_downloads_base WHERE workflow_id = ?),
            ratings_count = (SELECT COUNT(*) FROM workflow_ratings WHERE workflow_id = ?),
            ratings_sum = (SELECT COALESCE(SUM(rating), 0) FROM workflow_ratings WHERE workflow_id = ?),
            average_rating = (SELECT COALESCE(ROUND(SUM(rating) / COUNT(*), 2), 0) FROM workflow_ratings WHERE workflow_id = ?),
            counts_changed_at = NOW(6), updated_at = updated_at
        WHERE id = ?
        "#,
        id,
        id,
        id,
        id,
        id,
        id,
        id,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn repair_tag(db: &mut Conn, id: TagId) -> Result<(), StoreError> {
    sqlx::query!("SELECT id FROM workflow_tags WHERE id = ? FOR UPDATE", id)
        .fetch_optional(&mut *db)
        .await?;
    sqlx::query!(
        r#"
        UPDATE workflow_tags
        SET usage_count = (SELECT COUNT(*) FROM workflow_tag_pivot WHERE tag_id = ?), updated_at = updated_at
        WHERE id = ?
        "#,
        id,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn repair_comment(db: &mut Conn, id: CommentId) -> Result<(), StoreError> {
    sqlx::query!("SELECT id FROM workflow_comments WHERE id = ? FOR UPDATE", id)
        .fetch_optional(&mut *db)
        .await?;
    sqlx::query!(
        r#"
        UPDATE workflow_comments
        SET likes_count = (SELECT COUNT(*) FROM comment_likes WHERE comment_id = ?), updated_at = updated_at
        WHERE id = ?
        "#,
        id,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn repair_collection(db: &mut Conn, id: CollectionId) -> Result<(), StoreError> {
    sqlx::query!("SELECT id FROM workflow_collections WHERE id = ? FOR UPDATE", id)
        .fetch_optional(&mut *db)
        .await?;
    sqlx::query!(
        r#"
        UPDATE workflow_collections
        SET workflows_count = (SELECT COUNT(*) FROM collection_workflows WHERE collection_id = ?), updated_at = updated_at
        WHERE id = ?
        "#,
        id,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn users(db: &mut Conn) -> Result<Vec<UserId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT users.id AS "id: UserId"
        FROM users
        LEFT JOIN (SELECT user_id, COUNT(*) AS n FROM workflows GROUP BY user_id) AS owned ON owned.user_id = users.id
        LEFT JOIN (SELECT following_id, COUNT(*) AS n FROM user_follows GROUP BY following_id) AS followed
          ON followed.following_id = users.id
        LEFT JOIN (SELECT follower_id, COUNT(*) AS n FROM user_follows GROUP BY follower_id) AS following
          ON following.follower_id = users.id
        WHERE NOT (users.workflows_count <=> COALESCE(owned.n, 0)
                   AND users.followers_count <=> COALESCE(followed.n, 0)
                   AND users.following_count <=> COALESCE(following.n, 0))
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn workflows(db: &mut Conn) -> Result<Vec<WorkflowId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflows.id AS "id: WorkflowId"
        FROM workflows
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n FROM workflow_likes GROUP BY workflow_id) AS liked
          ON liked.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n FROM workflow_comments GROUP BY workflow_id) AS commented
          ON commented.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n FROM workflow_downloads
                   WHERE counted AND created_at >= (SELECT COALESCE(MAX(ends_at), TIMESTAMP'1970-01-01 12:00:00') FROM event_archives
                                                    WHERE table_name = 'workflow_downloads' AND state = 'dropping')
                   GROUP BY workflow_id) AS downloaded
          ON downloaded.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, SUM(downloads) AS n FROM workflow_downloads_base GROUP BY workflow_id) AS dropped
          ON dropped.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n, SUM(rating) AS stars FROM workflow_ratings GROUP BY workflow_id) AS rated
          ON rated.workflow_id = workflows.id
        WHERE NOT (workflows.likes_count <=> COALESCE(liked.n, 0)
                   AND workflows.comments_count <=> COALESCE(commented.n, 0)
                   AND workflows.downloads_count <=> COALESCE(downloaded.n, 0) + COALESCE(dropped.n, 0)
                   AND workflows.ratings_count <=> COALESCE(rated.n, 0)
                   AND workflows.ratings_sum <=> COALESCE(rated.stars, 0)
                   AND workflows.average_rating <=> COALESCE(ROUND(rated.stars / rated.n, 2), 0))
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn tags(db: &mut Conn) -> Result<Vec<TagId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflow_tags.id AS "id: TagId"
        FROM workflow_tags
        LEFT JOIN (SELECT tag_id, COUNT(*) AS n FROM workflow_tag_pivot GROUP BY tag_id) AS used ON used.tag_id = workflow_tags.id
        WHERE NOT (workflow_tags.usage_count <=> COALESCE(used.n, 0))
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn comments(db: &mut Conn) -> Result<Vec<CommentId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflow_comments.id AS "id: CommentId"
        FROM workflow_comments
        LEFT JOIN (SELECT comment_id, COUNT(*) AS n FROM comment_likes GROUP BY comment_id) AS liked
          ON liked.comment_id = workflow_comments.id
        WHERE NOT (workflow_comments.likes_count <=> COALESCE(liked.n, 0))
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn collections(db: &mut Conn) -> Result<Vec<CollectionId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflow_collections.id AS "id: CollectionId"
        FROM workflow_collections
        LEFT JOIN (SELECT collection_id, COUNT(*) AS n FROM collection_workflows GROUP BY collection_id) AS held
          ON held.collection_id = workflow_collections.id
        WHERE NOT (workflow_collections.workflows_count <=> COALESCE(held.n, 0))
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}
