//! The true counts, from the rows: to find what drifted (a `TRUNCATE`, a restored table, triggers switched off) and to mend it.
//!
//! Triggers keep the counts from write to write (`migrations/0006_count_triggers.sql`); this is what they are checked against.

use sqlx::Connection;

use crate::report::sources::Between;
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

impl Counted {
    /// What kind of row it is.
    pub fn kind(self) -> Kind {
        match self {
            Counted::User(_) => Kind::Users,
            Counted::Workflow(_) => Kind::Workflows,
            Counted::Tag(_) => Kind::Tags,
            Counted::Comment(_) => Kind::Comments,
            Counted::Collection(_) => Kind::Collections,
        }
    }
}

/// A kind of rows that hold counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of `users`.
    Users,
    /// Of `workflows`.
    Workflows,
    /// Of `workflow_tags`.
    Tags,
    /// Of `workflow_comments`.
    Comments,
    /// Of `workflow_collections`.
    Collections,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [Kind::Users, Kind::Workflows, Kind::Tags, Kind::Comments, Kind::Collections];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Users => "users",
            Kind::Workflows => "workflows",
            Kind::Tags => "tags",
            Kind::Comments => "comments",
            Kind::Collections => "collections",
        }
    }
}

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The last id that was compared.
    pub last: u64,
    /// How many rows were compared.
    pub rows: u64,
    /// Those whose counts differ.
    pub found: Vec<Counted>,
}

/// The next rows of a kind.
struct Step {
    last: Option<u64>,
    rows: i64,
}

/// Rows compared in one step, where nobody says otherwise.
const STEP: u32 = 2000;

/// Rows whose counts differ from what the rows say, as one moment sees them each. Reads every row that is counted, some thousand at a
/// time, so: nightly.
///
/// # Errors
/// The database refused.
pub async fn differences(db: &mut Conn) -> Result<Vec<Counted>, StoreError> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let mut after = 0;
        while let Some(step) = differences_after(db, kind, after, STEP).await? {
            found.extend(step.found);
            after = step.last;
        }
    }
    Ok(found)
}

/// Compares the next `limit` rows of a kind; none when there are no more. What it reads is bounded by what those rows count.
///
/// # Errors
/// The database refused.
pub async fn differences_after(db: &mut Conn, kind: Kind, after: u64, limit: u32) -> Result<Option<Compared>, StoreError> {
    // The statement is checked against each table when this is compiled.
    macro_rules! step {
        ($table:literal) => {
            sqlx::query_as!(
                Step,
                r#"SELECT MAX(id) AS last, COUNT(*) AS "rows!: i64" FROM (SELECT id FROM "#
                    + $table
                    + " WHERE id > ? ORDER BY id LIMIT ?) AS step",
                after,
                limit
            )
            .fetch_one(&mut *db)
            .await?
        };
    }
    let Step { last, rows } = match kind {
        Kind::Users => step!("users"),
        Kind::Workflows => step!("workflows"),
        Kind::Tags => step!("workflow_tags"),
        Kind::Comments => step!("workflow_comments"),
        Kind::Collections => step!("workflow_collections"),
    };
    let Some(last) = last else { return Ok(None) };
    let found = match kind {
        Kind::Users => users(db, after, last).await?.into_iter().map(Counted::User).collect(),
        Kind::Workflows => workflows(db, after, last).await?.into_iter().map(Counted::Workflow).collect(),
        Kind::Tags => tags(db, after, last).await?.into_iter().map(Counted::Tag).collect(),
        Kind::Comments => comments(db, after, last).await?.into_iter().map(Counted::Comment).collect(),
        Kind::Collections => collections(db, after, last)
            .await?
            .into_iter()
            .map(Counted::Collection)
            .collect(),
    };
    Ok(Some(Compared {
        last,
        rows: u64::try_from(rows).unwrap_or_default(),
        found,
    }))
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

/// What one reconciliation did, or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// How many there were.
    pub runs: u64,
    /// Rows compared.
    pub compared: u64,
    /// Users mended.
    pub users: u64,
    /// Workflows mended.
    pub workflows: u64,
    /// Tags mended.
    pub tags: u64,
    /// Comments mended.
    pub comments: u64,
    /// Collections mended.
    pub collections: u64,
}

impl Run {
    /// Adds what a step compared and mended.
    pub fn add(&mut self, kind: Kind, step: &Compared) {
        self.compared += step.rows;
        let mended = step.found.len() as u64;
        match kind {
            Kind::Users => self.users += mended,
            Kind::Workflows => self.workflows += mended,
            Kind::Tags => self.tags += mended,
            Kind::Comments => self.comments += mended,
            Kind::Collections => self.collections += mended,
        }
    }

    /// Rows mended, by kind.
    pub fn by_kind(&self) -> [(&'static str, u64); 5] {
        [
            (Kind::Users.name(), self.users),
            (Kind::Workflows.name(), self.workflows),
            (Kind::Tags.name(), self.tags),
            (Kind::Comments.name(), self.comments),
            (Kind::Collections.name(), self.collections),
        ]
    }

    /// Rows mended.
    pub fn repaired(&self) -> u64 {
        self.by_kind().iter().map(|(_, rows)| rows).sum()
    }
}

/// Notes that a reconciliation begins, and gives its id.
///
/// # Errors
/// The database refused.
pub async fn begin(db: &mut Conn) -> Result<u64, StoreError> {
    let begun = sqlx::query!("INSERT INTO recounts (started_at) VALUES (UTC_TIMESTAMP(6))")
        .execute(db)
        .await?;
    Ok(begun.last_insert_id())
}

/// Notes what a reconciliation did so far.
///
/// # Errors
/// The database refused.
pub async fn progress(db: &mut Conn, id: u64, run: &Run) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE recounts SET compared = ?, users = ?, workflows = ?, tags = ?, comments = ?, collections = ? WHERE id = ?",
        run.compared,
        run.users,
        run.workflows,
        run.tags,
        run.comments,
        run.collections,
        id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a reconciliation has gone through everything.
///
/// # Errors
/// The database refused.
pub async fn end(db: &mut Conn, id: u64) -> Result<(), StoreError> {
    sqlx::query!("UPDATE recounts SET ended_at = UTC_TIMESTAMP(6) WHERE id = ?", id)
        .execute(db)
        .await?;
    Ok(())
}

/// What the reconciliations that began in a span did together; those that were stopped half-way count for what they did.
///
/// # Errors
/// The database refused.
pub async fn runs(db: &mut Conn, between: Between) -> Result<Run, StoreError> {
    Ok(sqlx::query_as!(
        Run,
        r#"SELECT CAST(COUNT(ended_at) AS UNSIGNED) AS "runs!: u64", CAST(COALESCE(SUM(compared), 0) AS UNSIGNED) AS "compared!: u64",
                  CAST(COALESCE(SUM(users), 0) AS UNSIGNED) AS "users!: u64",
                  CAST(COALESCE(SUM(workflows), 0) AS UNSIGNED) AS "workflows!: u64",
                  CAST(COALESCE(SUM(tags), 0) AS UNSIGNED) AS "tags!: u64",
                  CAST(COALESCE(SUM(comments), 0) AS UNSIGNED) AS "comments!: u64",
                  CAST(COALESCE(SUM(collections), 0) AS UNSIGNED) AS "collections!: u64"
           FROM recounts WHERE started_at >= ? AND started_at < ?"#,
        between.from.naive_utc(),
        between.to.naive_utc()
    )
    .fetch_one(db)
    .await?)
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

async fn users(db: &mut Conn, after: u64, last: u64) -> Result<Vec<UserId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT users.id AS "id: UserId"
        FROM users
        LEFT JOIN (SELECT user_id, COUNT(*) AS n FROM workflows WHERE user_id > ? AND user_id <= ? GROUP BY user_id) AS owned
          ON owned.user_id = users.id
        LEFT JOIN (SELECT following_id, COUNT(*) AS n FROM user_follows WHERE following_id > ? AND following_id <= ?
                   GROUP BY following_id) AS followed
          ON followed.following_id = users.id
        LEFT JOIN (SELECT follower_id, COUNT(*) AS n FROM user_follows WHERE follower_id > ? AND follower_id <= ?
                   GROUP BY follower_id) AS following
          ON following.follower_id = users.id
        WHERE users.id > ? AND users.id <= ?
          AND NOT (users.workflows_count <=> COALESCE(owned.n, 0)
                   AND users.followers_count <=> COALESCE(followed.n, 0)
                   AND users.following_count <=> COALESCE(following.n, 0))
        "#,
        after,
        last,
        after,
        last,
        after,
        last,
        after,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn workflows(db: &mut Conn, after: u64, last: u64) -> Result<Vec<WorkflowId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflows.id AS "id: WorkflowId"
        FROM workflows
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n FROM workflow_likes WHERE workflow_id > ? AND workflow_id <= ?
                   GROUP BY workflow_id) AS liked
          ON liked.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n FROM workflow_comments WHERE workflow_id > ? AND workflow_id <= ?
                   GROUP BY workflow_id) AS commented
          ON commented.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n FROM workflow_downloads
                   WHERE workflow_id > ? AND workflow_id <= ? AND counted
                     AND created_at >= (SELECT COALESCE(MAX(ends_at), TIMESTAMP'1970-01-01 12:00:00') FROM event_archives
                                        WHERE table_name = 'workflow_downloads' AND state = 'dropping')
                   GROUP BY workflow_id) AS downloaded
          ON downloaded.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, SUM(downloads) AS n FROM workflow_downloads_base
                   WHERE workflow_id > ? AND workflow_id <= ? GROUP BY workflow_id) AS dropped
          ON dropped.workflow_id = workflows.id
        LEFT JOIN (SELECT workflow_id, COUNT(*) AS n, SUM(rating) AS stars FROM workflow_ratings
                   WHERE workflow_id > ? AND workflow_id <= ? GROUP BY workflow_id) AS rated
          ON rated.workflow_id = workflows.id
        WHERE workflows.id > ? AND workflows.id <= ?
          AND NOT (workflows.likes_count <=> COALESCE(liked.n, 0)
                   AND workflows.comments_count <=> COALESCE(commented.n, 0)
                   AND workflows.downloads_count <=> COALESCE(downloaded.n, 0) + COALESCE(dropped.n, 0)
                   AND workflows.ratings_count <=> COALESCE(rated.n, 0)
                   AND workflows.ratings_sum <=> COALESCE(rated.stars, 0)
                   AND workflows.average_rating <=> COALESCE(ROUND(rated.stars / rated.n, 2), 0))
        "#,
        after,
        last,
        after,
        last,
        after,
        last,
        after,
        last,
        after,
        last,
        after,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn tags(db: &mut Conn, after: u64, last: u64) -> Result<Vec<TagId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflow_tags.id AS "id: TagId"
        FROM workflow_tags
        LEFT JOIN (SELECT tag_id, COUNT(*) AS n FROM workflow_tag_pivot WHERE tag_id > ? AND tag_id <= ? GROUP BY tag_id) AS used
          ON used.tag_id = workflow_tags.id
        WHERE workflow_tags.id > ? AND workflow_tags.id <= ? AND NOT (workflow_tags.usage_count <=> COALESCE(used.n, 0))
        "#,
        after,
        last,
        after,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn comments(db: &mut Conn, after: u64, last: u64) -> Result<Vec<CommentId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflow_comments.id AS "id: CommentId"
        FROM workflow_comments
        LEFT JOIN (SELECT comment_id, COUNT(*) AS n FROM comment_likes WHERE comment_id > ? AND comment_id <= ? GROUP BY comment_id) AS liked
          ON liked.comment_id = workflow_comments.id
        WHERE workflow_comments.id > ? AND workflow_comments.id <= ? AND NOT (workflow_comments.likes_count <=> COALESCE(liked.n, 0))
        "#,
        after,
        last,
        after,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

async fn collections(db: &mut Conn, after: u64, last: u64) -> Result<Vec<CollectionId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT workflow_collections.id AS "id: CollectionId"
        FROM workflow_collections
        LEFT JOIN (SELECT collection_id, COUNT(*) AS n FROM collection_workflows WHERE collection_id > ? AND collection_id <= ?
                   GROUP BY collection_id) AS held
          ON held.collection_id = workflow_collections.id
        WHERE workflow_collections.id > ? AND workflow_collections.id <= ?
          AND NOT (workflow_collections.workflows_count <=> COALESCE(held.n, 0))
        "#,
        after,
        last,
        after,
        last
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}
