//! Every count of the seed, kept by triggers under plain SQL as a community's own application writes it.

use store::{count_repair, recount};
use test_support::TestDb;

/// Three users, three workflows (two by the first), one comment thread, one of everything that counts.
pub(crate) const SMALL_COMMUNITY: &str = "
    INSERT INTO users (id, username, email, password) VALUES
      (1, 'producer-001', '1@example.org', 'x'), (2, 'producer-002', '2@example.org', 'x'), (3, 'producer-003', '3@example.org', 'x');
    INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES
      (1, 1, 'One', 'one', 'instrument', 'one.adg'), (2, 1, 'Two', 'two', 'instrument', 'two.adg'),
      (3, 2, 'Three', 'three', 'audio_effect', 'three.adg');
    INSERT INTO workflow_likes (workflow_id, user_id) VALUES (1, 1), (1, 2), (3, 1), (3, 3), (2, 3);
    INSERT INTO workflow_ratings (workflow_id, user_id, rating) VALUES (3, 1, 5), (3, 2, 4), (3, 3, 4);
    INSERT INTO user_follows (follower_id, following_id) VALUES (1, 2), (2, 1), (3, 1), (3, 2);
    INSERT INTO workflow_tags (id, name) VALUES (1, 'Dub'), (2, 'Warm');
    INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES (1, 1), (3, 1), (3, 2);
    INSERT INTO workflow_comments (id, workflow_id, user_id, parent_id, content) VALUES (1, 3, 1, NULL, 'first');
    INSERT INTO workflow_comments (id, workflow_id, user_id, parent_id, content) VALUES (2, 3, 2, 1, 'reply'), (3, 3, 3, NULL, 'second');
    INSERT INTO workflow_comments (id, workflow_id, user_id, parent_id, content) VALUES (4, 3, 1, 2, 'reply to the reply'), (5, 3, 2, 3, 'reply');
    INSERT INTO comment_likes (comment_id, user_id) VALUES (1, 2), (3, 1), (3, 2);
    INSERT INTO workflow_collections (id, user_id, name) VALUES (1, 2, 'Theirs'), (2, 1, 'Mine');
    INSERT INTO collection_workflows (collection_id, workflow_id) VALUES (1, 1), (1, 3), (2, 3);
    INSERT INTO workflow_downloads (workflow_id, user_id) VALUES (3, 1), (3, NULL), (1, 2);
    INSERT INTO workflow_downloads (workflow_id, user_id, counted, discount_reason) VALUES (3, 3, FALSE, 'own');
    INSERT INTO workflow_views (workflow_id, user_id) VALUES (3, 1), (1, 2);
    INSERT INTO user_activities (id, user_id, activity_type) VALUES (1, 1, 'workflow_upload'), (2, 2, 'workflow_upload');
    INSERT INTO user_feed_cache (user_id, activity_id) VALUES (2, 1), (3, 1), (1, 2);
";

/// A fresh database with [`SMALL_COMMUNITY`] in it.
pub(crate) async fn small_community() -> TestDb {
    let db = TestDb::new().await;
    db.execute(SMALL_COMMUNITY).await;
    db
}

/// Rows of integers, for comparing a handful of counts at once.
pub(crate) async fn rows(db: &TestDb, columns: &str, rest: &str) -> Vec<String> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT CAST(CONCAT_WS(' ', {columns}) AS CHAR) FROM {rest}"
    )))
    .fetch_all(db.pool())
    .await
    .unwrap_or_else(|error| panic!("`{columns}` of `{rest}`: {error}"))
}

/// Fails unless every count is what the rows say.
pub(crate) async fn assert_counts_are_true(db: &TestDb) {
    let mut connection = db.pool().acquire().await.unwrap();
    let wrong = recount::differences(&mut connection).await.unwrap();
    let mut details = Vec::new();
    for row in &wrong {
        if let recount::Counted::Workflow(id) = row {
            let truth = |table: &str, which: &str| format!("(SELECT COUNT(*) FROM {table} WHERE workflow_id = {id} {which})");
            let columns = format!(
                "'likes', likes_count, {}, 'comments', comments_count, {}, 'downloads', downloads_count, {}, 'ratings', ratings_count, {}",
                truth("workflow_likes", ""),
                truth("workflow_comments", ""),
                truth("workflow_downloads", "AND counted"),
                truth("workflow_ratings", ""),
            );
            details.extend(rows(db, &columns, &format!("workflows WHERE id = {id}")).await);
        }
    }
    assert!(wrong.is_empty(), "counts differ from the rows: {wrong:?} {details:?}");
}

const WORKFLOW_COUNTS: &str = "id, likes_count, ratings_count, average_rating, comments_count, downloads_count";
const USER_COUNTS: &str = "id, followers_count, following_count, workflows_count";

#[tokio::test]
async fn inserts_count() {
    let db = small_community().await;
    assert_eq!(
        rows(&db, WORKFLOW_COUNTS, "workflows ORDER BY id").await,
        ["1 2 0 0.00 0 1", "2 1 0 0.00 0 0", "3 2 3 4.33 5 2"]
    );
    assert_eq!(
        rows(&db, USER_COUNTS, "users ORDER BY id").await,
        ["1 2 1 2", "2 2 1 1", "3 0 2 0"]
    );
    assert_eq!(
        rows(&db, "id, usage_count", "workflow_tags ORDER BY id").await,
        ["1 2", "2 1"]
    );
    assert_eq!(
        rows(&db, "id, workflows_count", "workflow_collections ORDER BY id").await,
        ["1 2", "2 1"]
    );
    assert_eq!(
        rows(&db, "id, likes_count", "workflow_comments ORDER BY id").await,
        ["1 1", "2 0", "3 2", "4 0", "5 0"]
    );
    assert_counts_are_true(&db).await;
}

#[tokio::test]
async fn updates_and_deletes_count() {
    let db = small_community().await;
    for statement in [
        "UPDATE workflow_ratings SET rating = 1 WHERE workflow_id = 3 AND user_id = 1",
        "UPDATE workflow_ratings SET workflow_id = 2 WHERE workflow_id = 3 AND user_id = 2",
        "UPDATE workflow_likes SET workflow_id = 2 WHERE workflow_id = 1",
        "UPDATE workflow_comments SET workflow_id = 1 WHERE id = 5",
        "UPDATE comment_likes SET comment_id = 2 WHERE comment_id = 1",
        "UPDATE workflow_downloads SET counted = NOT counted",
        "UPDATE workflow_downloads SET workflow_id = 2 WHERE workflow_id = 1",
        "UPDATE workflow_tag_pivot SET tag_id = 2 WHERE workflow_id = 1",
        "UPDATE collection_workflows SET collection_id = 2 WHERE workflow_id = 1",
        "UPDATE workflows SET user_id = 3 WHERE id = 2",
        "UPDATE user_follows SET following_id = 3 WHERE follower_id = 1",
        "REPLACE INTO workflow_ratings (workflow_id, user_id, rating) VALUES (3, 3, 2)",
        "INSERT INTO workflow_likes (workflow_id, user_id) VALUES (3, 1) ON DUPLICATE KEY UPDATE id = id",
        "INSERT IGNORE INTO workflow_likes (workflow_id, user_id) VALUES (3, 1), (3, 2)",
        "DELETE FROM workflow_ratings WHERE user_id = 1",
        "DELETE FROM workflow_likes WHERE user_id = 3",
        "DELETE FROM user_follows WHERE follower_id = 3",
        "DELETE FROM workflow_downloads WHERE user_id IS NULL",
        "DELETE FROM comment_likes WHERE user_id = 2",
        "DELETE FROM collection_workflows WHERE workflow_id = 3",
        "DELETE FROM workflow_comments WHERE id = 1",
        "DELETE FROM workflow_ratings",
        "DELETE FROM workflow_likes",
    ] {
        db.execute(statement).await;
        let mut connection = db.pool().acquire().await.unwrap();
        let wrong = recount::differences(&mut connection).await.unwrap();
        assert!(wrong.is_empty(), "after `{statement}`: {wrong:?}");
    }
    assert_eq!(
        rows(&db, "average_rating, ratings_sum", "workflows WHERE id = 3").await,
        ["0.00 0"]
    );
}

#[tokio::test]
async fn a_counter_moves_neither_updated_at_nor_the_index() {
    let db = small_community().await;
    db.execute(
        "UPDATE workflows SET updated_at = '2026-01-01', counts_changed_at = '2026-01-01';
         UPDATE users SET updated_at = '2026-01-01';
         UPDATE workflow_tags SET updated_at = '2026-01-01';
         UPDATE workflow_collections SET updated_at = '2026-01-01';
         UPDATE workflow_comments SET updated_at = '2026-01-01';
         DELETE FROM index_log;
         INSERT INTO workflow_likes (workflow_id, user_id) VALUES (2, 1);
         INSERT INTO workflow_ratings (workflow_id, user_id, rating) VALUES (2, 2, 3);
         INSERT INTO workflow_downloads (workflow_id) VALUES (2);
         INSERT INTO workflow_comments (workflow_id, user_id, content) VALUES (2, 3, 'nice');
         INSERT INTO comment_likes (comment_id, user_id) VALUES (5, 1);
         INSERT INTO collection_workflows (collection_id, workflow_id) VALUES (2, 2);
         DELETE FROM user_follows WHERE follower_id = 1;
         UPDATE users SET last_active_at = NOW(), updated_at = updated_at;
         UPDATE workflows SET parsed_at = NOW(6), parser_version = 3, updated_at = updated_at",
    )
    .await;
    for table in ["workflows", "users", "workflow_tags", "workflow_collections"] {
        assert_eq!(
            db.integer(&format!("SELECT COUNT(*) FROM {table} WHERE updated_at <> '2026-01-01'"))
                .await,
            0,
            "{table}"
        );
    }
    assert_eq!(db.integer("SELECT COUNT(*) FROM index_log").await, 0);
    assert_eq!(
        rows(&db, "id", "workflows WHERE counts_changed_at > '2026-01-01'").await,
        ["2"]
    );
}

#[tokio::test]
async fn a_drifted_count_is_found_and_mended_and_stays_above_zero_meanwhile() {
    let db = small_community().await;
    db.execute(
        "UPDATE workflows SET likes_count = NULL, ratings_count = 0 WHERE id = 3;
         UPDATE users SET followers_count = 99 WHERE id = 1;
         UPDATE workflow_tags SET usage_count = 0;
         UPDATE workflow_comments SET likes_count = 7 WHERE id = 5;
         UPDATE workflow_collections SET workflows_count = -3 WHERE id = 2;
         DELETE FROM workflow_likes WHERE workflow_id = 3;
         DELETE FROM workflow_tag_pivot",
    )
    .await;
    assert_eq!(
        db.integer("SELECT CAST(likes_count AS SIGNED) FROM workflows WHERE id = 3")
            .await,
        0
    );
    assert_eq!(
        db.integer("SELECT CAST(SUM(usage_count) AS SIGNED) FROM workflow_tags").await,
        0
    );
    assert_eq!(recount::repair_all(db.pool()).await.unwrap().len(), 4);
    assert_counts_are_true(&db).await;
    assert!(recount::repair_all(db.pool()).await.unwrap().is_empty());
}

#[tokio::test]
async fn events_of_nobody_are_refused_with_the_error_of_a_foreign_key() {
    let db = small_community().await;
    for statement in [
        "INSERT INTO workflow_views (workflow_id) VALUES (99)",
        "INSERT INTO workflow_views (workflow_id, user_id) VALUES (1, 99)",
        "INSERT INTO workflow_downloads (workflow_id) VALUES (99)",
        "INSERT INTO workflow_downloads (workflow_id, user_id) VALUES (1, 99)",
        "INSERT INTO user_activities (user_id, activity_type) VALUES (99, 'workflow_like')",
        "INSERT INTO user_feed_cache (user_id, activity_id) VALUES (1, 99)",
    ] {
        let error = sqlx::raw_sql(statement).execute(db.pool()).await.unwrap_err();
        let kind = error.as_database_error().unwrap().kind();
        assert!(
            matches!(kind, sqlx::error::ErrorKind::ForeignKeyViolation),
            "`{statement}`: {error}"
        );
    }
}

#[tokio::test]
async fn follow_counts_are_right_again_after_a_step_of_repairs() {
    let db = small_community().await;
    assert_eq!(count_repair::apply(db.pool()).await.unwrap(), 0);
    db.execute("DELETE FROM users WHERE id = 1").await;
    assert_eq!(rows(&db, USER_COUNTS, "users ORDER BY id").await, ["2 2 1 1", "3 0 2 0"]);
    assert!(count_repair::apply(db.pool()).await.unwrap() >= 2);
    assert_eq!(rows(&db, USER_COUNTS, "users ORDER BY id").await, ["2 1 0 1", "3 0 1 0"]);
    assert_eq!(count_repair::apply(db.pool()).await.unwrap(), 0);
}
