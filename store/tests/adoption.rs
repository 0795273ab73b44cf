//! A database that already holds the seed's tables and rows, its counts drifted.

use store::migrate;
use test_support::TestDb;

use crate::counts::{assert_counts_are_true, rows};

/// The seed's own DDL, word for word.
const SEED: &str = include_str!("fixtures/seed.sql");

/// A fresh database with the seed's tables and triggers and a community in them: `users` users, ten times as many workflows, and events of
/// two years. The counters are nonsense.
pub(crate) async fn drifted_community(users: u32) -> TestDb {
    let db = TestDb::empty().await;
    // DELIMITER is the command line client's own word, not the server's.
    db.execute(
        &SEED
            .replace("DELIMITER $$", "")
            .replace("DELIMITER ;", "")
            .replace("END$$", "END;"),
    )
    .await;
    let workflows = users * 10;
    // 1 to `count`, in hundreds, since recursion ends at 1000 by default and the servers' settings for it have different names.
    let series = |count: u32| {
        let up_to = |from: u32, to: u32| {
            format!("(WITH RECURSIVE n AS (SELECT {from} AS i UNION ALL SELECT i + 1 FROM n WHERE i < {to}) SELECT i FROM n)")
        };
        format!(
            "(SELECT ones.i + 100 * hundreds.i AS i FROM {} AS ones CROSS JOIN {} AS hundreds WHERE ones.i + 100 * hundreds.i <= {count}) AS n",
            up_to(1, 100),
            up_to(0, count / 100 + 1)
        )
    };
    for statement in [
        format!(
            "INSERT INTO users (id, username, email, password, followers_count, workflows_count)
             SELECT i, CONCAT('producer-', i), CONCAT(i, '@example.org'), 'x', 7, -1 FROM {}",
            series(users)
        ),
        format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, key_signature, bpm, is_published, likes_count, average_rating)
             SELECT i, i % {users} + 1, CONCAT('Rack ', i), CONCAT('rack-', i), 'instrument', 'x', ELT(i % 4 + 1, 'F#m', 'B', '8A', NULL), 90 + i % 60, TRUE, 99, 4.2
             FROM {}",
            series(workflows)
        ),
        format!("INSERT INTO workflow_tags (id, name, usage_count) SELECT i, CONCAT('tag-', i), 5 FROM {}", series(20)),
        format!("INSERT INTO workflow_tag_pivot (workflow_id, tag_id) SELECT i, i % 20 + 1 FROM {}", series(workflows)),
        format!("INSERT INTO workflow_likes (workflow_id, user_id) SELECT i, (i * 7) % {users} + 1 FROM {}", series(workflows)),
        format!("INSERT INTO workflow_ratings (workflow_id, user_id, rating) SELECT i, (i * 3) % {users} + 1, i % 5 + 1 FROM {}", series(workflows)),
        format!("INSERT INTO workflow_comments (workflow_id, user_id, content, likes_count) SELECT i, i % {users} + 1, 'x', 3 FROM {}", series(workflows)),
        format!("INSERT INTO user_follows (follower_id, following_id) SELECT i, i % {users} + 1 FROM {} WHERE i > 1", series(users)),
        format!("INSERT INTO workflow_collections (id, user_id, name, workflows_count) SELECT i, i, 'Mine', 4 FROM {}", series(users)),
        format!("INSERT INTO collection_workflows (collection_id, workflow_id) SELECT i % {users} + 1, i FROM {}", series(workflows)),
        format!(
            "INSERT INTO workflow_views (id, workflow_id, user_id, created_at) SELECT i * 3, i % {workflows} + 1, NULL, NOW() - INTERVAL (i % 730) DAY FROM {}",
            series(4500)
        ),
        format!(
            "INSERT INTO workflow_downloads (id, workflow_id, created_at) SELECT i, i % {workflows} + 1, NOW() - INTERVAL (i % 400) DAY FROM {}",
            series(1800)
        ),
        format!("INSERT INTO user_activities (id, user_id, activity_type, created_at) SELECT i, i % {users} + 1, 'workflow_upload', IF(i = 1, NULL, NOW() - INTERVAL i DAY) FROM {}", series(workflows)),
        format!("INSERT INTO user_feed_cache (user_id, activity_id) SELECT i % {users} + 1, i FROM {}", series(workflows)),
        "UPDATE workflows SET likes_count = 99, updated_at = '2025-01-01'".to_owned(),
    ] {
        db.execute(&statement).await;
    }
    db
}

#[tokio::test]
async fn a_database_of_the_seed_is_adopted_with_its_rows() {
    let db = drifted_community(50).await;
    let views = "COUNT(*), SUM(id), SUM(UNIX_TIMESTAMP(created_at)), SUM(workflow_id)";
    let downloads = "COUNT(*), SUM(id), SUM(UNIX_TIMESTAMP(created_at)), SUM(workflow_id)";
    let before = (
        rows(&db, views, "workflow_views").await,
        rows(&db, downloads, "workflow_downloads").await,
    );

    migrate::run(db.url()).await.unwrap();

    assert_counts_are_true(&db).await;
    assert_eq!(
        (
            rows(&db, views, "workflow_views").await,
            rows(&db, downloads, "workflow_downloads").await
        ),
        before,
        "ids and times stay"
    );
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflows WHERE updated_at <> '2025-01-01'")
            .await,
        0,
        "nothing was edited"
    );

    // History lies in its months, and none of it in the last partition.
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views PARTITION (pmax)").await, 0);
    let filled = db
        .integer("SELECT COUNT(DISTINCT DATE_FORMAT(created_at, '%Y%m')) FROM workflow_views")
        .await;
    assert!(filled >= 24);
    let this_month = chrono::Utc::now().format("%Y%m").to_string();
    assert_eq!(
        rows(
            &db,
            "MIN(DATE_FORMAT(created_at, '%Y%m')), MAX(DATE_FORMAT(created_at, '%Y%m'))",
            &format!("workflow_views PARTITION (p{this_month})")
        )
        .await,
        [format!("{this_month} {this_month}")]
    );
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM user_activities WHERE created_at = '1970-01-02'")
            .await,
        1,
        "an unknown time"
    );
    assert_eq!(db.integer("SELECT COUNT(*) FROM user_feed_cache c JOIN user_activities a ON a.id = c.activity_id WHERE c.activity_at <=> a.created_at").await, 500);

    // Canonical forms, and every workflow is there for an index to find: those with a key or tempo are even in the log.
    assert_eq!(
        rows(
            &db,
            "key_signature, musical_key",
            "workflows WHERE key_signature IS NOT NULL GROUP BY key_signature, musical_key ORDER BY key_signature"
        )
        .await,
        ["8A Am", "B B", "F#m F#m"]
    );
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflows WHERE tempo IS NULL OR tempo <> bpm")
            .await,
        0
    );
    assert_eq!(db.integer("SELECT COUNT(DISTINCT workflow_id) FROM index_log").await, 500);
    assert_eq!(
        db.integer("SELECT COUNT(*) FROM workflows WHERE parse_state = 'pending'")
            .await,
        500
    );
}

#[tokio::test]
async fn the_seeds_own_statements_keep_working() {
    let db = drifted_community(5).await;
    migrate::run(db.url()).await.unwrap();
    db.execute(
        "INSERT INTO users (username, email, email_verified_at, password, display_name, bio, location, website, avatar_path, is_verified, is_active, last_active_at)
           VALUES ('producer-new', 'new@example.org', NOW(), 'x', 'New', 'bio', 'here', 'https://example.org', 'a.png', TRUE, TRUE, NOW());
         SET @user = LAST_INSERT_ID();
         INSERT INTO workflows (user_id, title, description, slug, rack_type, genre, bpm, key_signature, difficulty_level, adg_file_path, preview_audio_path,
             preview_image_path, file_size, ableton_version, devices_used, macro_controls, is_published, is_featured, published_at)
           VALUES (@user, 'New', 'text', 'new', 'midi_effect', 'Dub', 140, 'Gb minor', 'beginner', 'n.adg', 'n.mp3', 'n.png', 12345, '11.3', '[\"Arpeggiator\"]',
             '{}', TRUE, FALSE, NOW());
         SET @workflow = LAST_INSERT_ID();
         INSERT INTO workflow_tags (name) VALUES ('new'); SET @tag = LAST_INSERT_ID();
         INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES (@workflow, @tag);
         INSERT INTO user_follows (follower_id, following_id) VALUES (@user, 1);
         INSERT INTO workflow_ratings (workflow_id, user_id, rating, review, is_recommended) VALUES (@workflow, 1, 5, 'good', TRUE);
         INSERT INTO workflow_comments (workflow_id, user_id, parent_id, content, is_pinned) VALUES (@workflow, 1, NULL, 'x', TRUE); SET @comment = LAST_INSERT_ID();
         INSERT INTO workflow_likes (workflow_id, user_id) VALUES (@workflow, 1);
         INSERT INTO comment_likes (comment_id, user_id) VALUES (@comment, @user);
         INSERT INTO user_activities (user_id, activity_type, activity_data, is_public) VALUES (@user, 'workflow_upload', '{\"workflow_id\": 1}', TRUE);
         SET @activity = LAST_INSERT_ID();
         INSERT INTO user_feed_cache (user_id, activity_id) VALUES (1, @activity);
         INSERT INTO workflow_downloads (workflow_id, user_id, ip_address, user_agent) VALUES (@workflow, 1, '192.0.2.1', 'browser');
         INSERT INTO workflow_views (workflow_id, user_id, ip_address, session_id) VALUES (@workflow, NULL, '192.0.2.1', 's');
         INSERT INTO workflow_collections (user_id, name, description, is_public) VALUES (@user, 'c', 'd', FALSE); SET @collection = LAST_INSERT_ID();
         INSERT INTO collection_workflows (collection_id, workflow_id, sort_order) VALUES (@collection, @workflow, 1)",
    )
    .await;
    assert_counts_are_true(&db).await;
    let refused = sqlx::raw_sql(
        "INSERT INTO workflows (user_id, title, slug, rack_type, adg_file_path) VALUES (999, 'x', 'y', 'instrument', 'x')",
    )
    .execute(db.pool())
    .await;
    assert!(refused.is_err(), "a workflow of nobody is refused");
}

#[tokio::test]
async fn a_database_in_another_character_set_is_refused_with_the_command_that_helps() {
    let db = TestDb::empty().await;
    db.execute(&format!("ALTER DATABASE {} CHARACTER SET latin1", db.name()))
        .await;
    let error = migrate::run(db.url()).await.unwrap_err().to_string();
    assert!(error.contains("latin1") && error.contains("ALTER DATABASE"), "{error}");
}
