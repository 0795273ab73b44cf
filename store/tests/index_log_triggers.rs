//! What reaches `index_log`, whoever writes.

use crate::counts::{rows, small_community};

/// Runs a statement and gives the workflows that it logged, each once.
async fn logged(db: &test_support::TestDb, statement: &str) -> Vec<String> {
    db.execute("DELETE FROM index_log").await;
    db.execute(statement).await;
    rows(db, "workflow_id", "index_log GROUP BY workflow_id ORDER BY workflow_id").await
}

#[tokio::test]
async fn whatever_changes_a_document_is_logged() {
    let db = small_community().await;
    for (statement, workflows) in [
        ("UPDATE workflows SET title = 'ONE' WHERE id = 1", vec!["1"]),
        ("UPDATE workflows SET description = 'now with one' WHERE id = 1", vec!["1"]),
        ("UPDATE workflows SET description = 'Now with one' WHERE id = 1", vec!["1"]),
        ("UPDATE workflows SET is_published = TRUE", vec!["1", "2", "3"]),
        ("UPDATE workflows SET published_at = '2026-01-01' WHERE id = 2", vec!["2"]),
        ("UPDATE workflows SET taken_down_at = NOW() WHERE id = 2", vec!["2"]),
        ("UPDATE workflows SET bpm = 120 WHERE id = 2", vec!["2"]),
        ("UPDATE workflows SET key_signature = 'B' WHERE id = 2", vec!["2"]),
        ("UPDATE workflows SET key_signature = 'b' WHERE id = 2", vec!["2"]),
        ("UPDATE workflows SET devices_used = '[\"Reverb\"]' WHERE id = 3", vec!["3"]),
        ("UPDATE workflows SET parse_state = 'no_file' WHERE id = 3", vec!["3"]),
        ("UPDATE workflows SET user_id = 3 WHERE id = 3", vec!["3"]),
        (
            "INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings) VALUES (1, 1, '{}', '{}', '[]')",
            vec!["1"],
        ),
        ("UPDATE parsed_racks SET summary = '{\"depth\": 2}'", vec!["1"]),
        ("DELETE FROM parsed_racks", vec!["1"]),
        ("UPDATE workflow_tags SET name = 'dub' WHERE id = 1", vec!["1", "3"]),
        ("INSERT INTO workflow_tag_pivot VALUES (2, 2)", vec!["2"]),
        (
            "UPDATE workflow_tag_pivot SET workflow_id = 1 WHERE workflow_id = 2",
            vec!["1", "2"],
        ),
        ("DELETE FROM workflow_tag_pivot WHERE tag_id = 2", vec!["1", "3"]),
        ("UPDATE users SET username = 'Producer-001' WHERE id = 1", vec!["1", "2"]),
        ("UPDATE users SET display_name = 'One' WHERE id = 1", vec!["1", "2"]),
        ("UPDATE users SET is_active = FALSE WHERE id = 1", vec!["1", "2"]),
        ("UPDATE users SET suspended_at = NOW() WHERE id = 3", vec!["3"]),
        ("DELETE FROM workflows WHERE id = 2", vec!["2"]),
    ] {
        assert_eq!(logged(&db, statement).await, workflows, "`{statement}`");
    }
}

#[tokio::test]
async fn what_changes_no_document_is_not_logged() {
    let db = small_community().await;
    for statement in [
        "UPDATE workflows SET title = title, description = description",
        "UPDATE workflows SET likes_count = 7, average_rating = 2, counts_changed_at = NOW(6)",
        "UPDATE workflows SET parse_error = 'x', parser_version = 2, parsed_at = NOW(6)",
        "UPDATE users SET last_active_at = NOW(), bio = 'x', followers_count = 3, is_admin = TRUE",
        "UPDATE workflow_tags SET usage_count = 9",
        "INSERT INTO workflow_views (workflow_id) VALUES (1)",
        "INSERT INTO workflow_likes (workflow_id, user_id) VALUES (2, 1)",
    ] {
        assert!(logged(&db, statement).await.is_empty(), "`{statement}`");
    }
}

#[tokio::test]
async fn a_change_and_its_mark_roll_back_together() {
    let db = small_community().await;
    assert!(
        logged(
            &db,
            "START TRANSACTION; UPDATE workflows SET title = 'x'; DELETE FROM users; ROLLBACK"
        )
        .await
        .is_empty()
    );
}
