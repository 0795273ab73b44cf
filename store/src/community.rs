//! Rows of a whole community at once, for the demo and for benchmarks: plain multi-row INSERTs with times of their own, through the
//! same triggers as everyone's.
//!
//! Not for the API: nothing is checked here but what the schema itself checks.

use chrono::{DateTime, Utc};
use sqlx::{MySql, QueryBuilder};

use crate::{Conn, StoreError, UserId, WorkflowId};

/// Rows in one INSERT: many enough that the round trip no longer counts, few enough for the smallest `max_allowed_packet` (1 MB).
const ROWS: usize = 500;

/// A user who cannot log in: the password is no hash of anything.
pub struct UserRow {
    /// Unique handle; the address becomes `<username>@example.org`.
    pub username: String,
    /// What they say about themselves.
    pub bio: Option<String>,
    /// Where they say they are.
    pub location: Option<String>,
    /// When they joined.
    pub created_at: DateTime<Utc>,
}

/// A user who did something to a workflow.
pub struct DeedRow<T> {
    /// Who.
    pub user_id: UserId,
    /// To what.
    pub workflow_id: WorkflowId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What: stars, or a text.
    pub what: T,
}

/// A follow.
pub struct FollowRow {
    /// Who follows.
    pub follower_id: UserId,
    /// Who is followed.
    pub following_id: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A view or a download.
pub struct EventRow {
    /// Of what.
    pub workflow_id: WorkflowId,
    /// By whom, where known.
    pub user_id: Option<UserId>,
    /// Network address.
    pub ip_address: String,
    /// Session, of views only.
    pub session_id: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Makes a workflow public as of a past moment.
pub struct PublishedRow {
    /// Which.
    pub workflow_id: WorkflowId,
    /// Whose.
    pub user_id: UserId,
    /// When it was uploaded and published.
    pub published_at: DateTime<Utc>,
}

/// How far a database is from holding the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No users.
    Empty,
    /// The demo's users, and no follows yet: a load was interrupted.
    Begun,
    /// The demo's users and what they did.
    Complete,
    /// Users that are not the demo's.
    Foreign,
}

/// Tells how far a database is from holding the demo, by its first user and by the follows, which come last.
///
/// # Errors
/// The database refused.
pub async fn state(db: &mut Conn) -> Result<State, StoreError> {
    let first = sqlx::query_scalar!("SELECT email FROM users ORDER BY id LIMIT 1")
        .fetch_optional(&mut *db)
        .await?;
    match first.as_deref() {
        None => Ok(State::Empty),
        Some("producer-001@example.org") => {
            let any = sqlx::query_scalar!("SELECT id FROM user_follows LIMIT 1")
                .fetch_optional(db)
                .await?;
            Ok(if any.is_some() { State::Complete } else { State::Begun })
        }
        Some(_) => Ok(State::Foreign),
    }
}

/// Deletes what people did, to load it anew: likes, ratings, comments, views and downloads, of everybody.
///
/// # Errors
/// The database refused.
pub async fn forget_deeds(db: &mut Conn) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM workflow_likes").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM workflow_ratings").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM workflow_comments").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM workflow_views").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM workflow_downloads").execute(&mut *db).await?;
    sqlx::query!("DELETE FROM user_activities").execute(db).await?;
    Ok(())
}

/// Number of workflows whose parse is still to come.
///
/// # Errors
/// The database refused.
pub async fn count_pending(db: &mut Conn) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!("SELECT COUNT(*) FROM workflows WHERE parse_state = 'pending'")
        .fetch_one(db)
        .await?;
    Ok(count.unsigned_abs())
}

/// Inserts rows in groups; `push` binds one row.
async fn insert<T>(
    db: &mut Conn,
    head: &'static str,
    rows: &[T],
    mut push: impl FnMut(sqlx::query_builder::Separated<'_, MySql, &'static str>, &T),
) -> Result<(), StoreError> {
    for group in rows.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new(head);
        statement.push_values(group, &mut push);
        statement.build().execute(&mut *db).await?;
    }
    Ok(())
}

/// Adds users, in order: their ids ascend with their positions.
///
/// # Errors
/// A name that is taken, or the database refused.
pub async fn add_users(db: &mut Conn, rows: &[UserRow]) -> Result<(), StoreError> {
    let head = "INSERT INTO users (username, email, email_verified_at, password, bio, location, created_at, last_active_at) ";
    insert(db, head, rows, |mut values, row| {
        values
            .push_bind(row.username.clone())
            .push_bind(format!("{}@example.org", row.username))
            .push_bind(row.created_at)
            .push_bind("!")
            .push_bind(row.bio.clone())
            .push_bind(row.location.clone())
            .push_bind(row.created_at)
            .push_bind(row.created_at);
    })
    .await
}

/// Ids of users by name.
///
/// # Errors
/// The database refused.
pub async fn user_ids(db: &mut Conn, usernames: &[String]) -> Result<Vec<(String, UserId)>, StoreError> {
    let mut found = Vec::with_capacity(usernames.len());
    for group in usernames.chunks(ROWS) {
        let mut statement = QueryBuilder::<MySql>::new("SELECT username, id FROM users WHERE username IN (");
        let mut names = statement.separated(", ");
        for name in group {
            names.push_bind(name);
        }
        statement.push(")");
        found.extend(statement.build_query_as::<(String, UserId)>().fetch_all(&mut *db).await?);
    }
    Ok(found)
}

/// Publishes workflows as of past moments, and notes it as their authors' activity.
///
/// # Errors
/// The database refused.
pub async fn publish(db: &mut Conn, rows: &[PublishedRow]) -> Result<(), StoreError> {
    for row in rows {
        sqlx::query!(
            // What it waited to be parsed stays; that nobody looked for it then is told by a time before all others.
            "UPDATE workflows SET is_published = TRUE, parsed_at = ? + INTERVAL TIMESTAMPDIFF(MICROSECOND, created_at, parsed_at) MICROSECOND,
               searchable_at = '2000-01-01', published_at = ?, created_at = ?, updated_at = ?
             WHERE id = ?",
            row.published_at,
            row.published_at,
            row.published_at,
            row.published_at,
            row.workflow_id
        )
        .execute(&mut *db)
        .await?;
    }
    let head = "INSERT INTO user_activities (user_id, activity_type, activity_data, created_at) ";
    insert(db, head, rows, |mut values, row| {
        values
            .push_bind(row.user_id)
            .push_bind("workflow_upload")
            .push_bind(serde_json::json!({ "workflow_id": row.workflow_id }))
            .push_bind(row.published_at);
    })
    .await
}

/// Adds follows.
///
/// # Errors
/// A follow that is there already, or the database refused.
pub async fn add_follows(db: &mut Conn, rows: &[FollowRow]) -> Result<(), StoreError> {
    insert(
        db,
        "INSERT INTO user_follows (follower_id, following_id, created_at) ",
        rows,
        |mut values, row| {
            values
                .push_bind(row.follower_id)
                .push_bind(row.following_id)
                .push_bind(row.created_at);
        },
    )
    .await
}

/// Adds likes.
///
/// # Errors
/// A like that is there already, or the database refused.
pub async fn add_likes(db: &mut Conn, rows: &[DeedRow<()>]) -> Result<(), StoreError> {
    insert(
        db,
        "INSERT INTO workflow_likes (workflow_id, user_id, created_at) ",
        rows,
        |mut values, row| {
            values
                .push_bind(row.workflow_id)
                .push_bind(row.user_id)
                .push_bind(row.created_at);
        },
    )
    .await
}

/// Adds ratings of 1 to 5 stars.
///
/// # Errors
/// A rating that is there already, or the database refused.
pub async fn add_ratings(db: &mut Conn, rows: &[DeedRow<u8>]) -> Result<(), StoreError> {
    insert(
        db,
        "INSERT INTO workflow_ratings (workflow_id, user_id, rating, created_at, updated_at) ",
        rows,
        |mut values, row| {
            values
                .push_bind(row.workflow_id)
                .push_bind(row.user_id)
                .push_bind(row.what)
                .push_bind(row.created_at)
                .push_bind(row.created_at);
        },
    )
    .await
}

/// Adds comments.
///
/// # Errors
/// The database refused.
pub async fn add_comments(db: &mut Conn, rows: &[DeedRow<String>]) -> Result<(), StoreError> {
    insert(
        db,
        "INSERT INTO workflow_comments (workflow_id, user_id, content, created_at, updated_at) ",
        rows,
        |mut values, row| {
            values
                .push_bind(row.workflow_id)
                .push_bind(row.user_id)
                .push_bind(row.what.clone())
                .push_bind(row.created_at)
                .push_bind(row.created_at);
        },
    )
    .await
}

/// Adds views.
///
/// # Errors
/// The database refused.
pub async fn add_views(db: &mut Conn, rows: &[EventRow]) -> Result<(), StoreError> {
    insert(
        db,
        "INSERT INTO workflow_views (workflow_id, user_id, ip_address, session_id, created_at) ",
        rows,
        |mut values, row| {
            values
                .push_bind(row.workflow_id)
                .push_bind(row.user_id)
                .push_bind(row.ip_address.clone())
                .push_bind(row.session_id.clone())
                .push_bind(row.created_at);
        },
    )
    .await
}

/// Adds downloads.
///
/// # Errors
/// The database refused.
pub async fn add_downloads(db: &mut Conn, rows: &[EventRow]) -> Result<(), StoreError> {
    insert(
        db,
        "INSERT INTO workflow_downloads (workflow_id, user_id, ip_address, created_at) ",
        rows,
        |mut values, row| {
            values
                .push_bind(row.workflow_id)
                .push_bind(row.user_id)
                .push_bind(row.ip_address.clone())
                .push_bind(row.created_at);
        },
    )
    .await
}
