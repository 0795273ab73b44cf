//! How boards are read: from Redis where it is there, and without it all the same.

use std::time::{Duration, Instant};

use config::{RedisSettings, Secret};
use store::cache::Cache;
use store::trending::{Boards, Span};
use test_support::TestDb;
use tokio::net::TcpListener;

fn cache(url: &str) -> Cache {
    Cache::new(&RedisSettings {
        url: Secret::new(url),
        timeout_ms: 250,
    })
}

/// A current generation in which one workflow has this score.
async fn generation(db: &TestDb, id: u64, score: f64) {
    db.execute(&format!(
        "INSERT INTO trending_workflows (generation_id, span, workflow_id, score, parts) VALUES ({id}, 1, 1, {score}, '{{}}');
         INSERT INTO trending_current (one, generation_id) VALUES (1, {id})
           ON DUPLICATE KEY UPDATE generation_id = {id}, as_of = NOW(6)"
    ))
    .await;
}

async fn score(boards: &Boards, db: &TestDb) -> Option<f64> {
    let board = boards.workflows(db.pool(), Span::Day).await.unwrap()?;
    board.lines.first().map(|line| line.score)
}

async fn community() -> TestDb {
    let db = TestDb::new().await;
    db.execute(
        "INSERT INTO users (id, username, email, password) VALUES (1, 'producer-001', '1@example.org', 'x');
         INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, adg_file_path)
           VALUES (1, 1, 'One', 'one', 'instrument', 'Techno', 'one.adg')",
    )
    .await;
    db
}

#[tokio::test]
async fn a_board_is_read_from_mysql_once_then_from_redis_and_a_new_generation_is_another_board() {
    let db = community().await;
    let url = test_support::redis_url();
    assert_eq!(
        score(&Boards::new(cache(&url)), &db).await,
        None,
        "before the first generation"
    );
    generation(&db, 7, 2.5).await;
    let boards = Boards::new(cache(&url));
    assert_eq!(score(&boards, &db).await, Some(2.5));
    // Another process finds it in Redis, and this one in itself: the rows are not read again.
    db.execute("DELETE FROM trending_workflows").await;
    assert_eq!(score(&Boards::new(cache(&url)), &db).await, Some(2.5));
    assert_eq!(score(&boards, &db).await, Some(2.5));
    generation(&db, 8, 1.5).await;
    assert_eq!(score(&Boards::new(cache(&url)), &db).await, Some(1.5));
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(score(&boards, &db).await, Some(1.5));
}

#[tokio::test]
async fn a_cache_that_does_not_answer_is_a_miss_and_is_left_alone_for_a_while() {
    let db = community().await;
    generation(&db, 7, 2.5).await;
    // A server that accepts and then says nothing is the worst that Redis can be.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cache = cache(&format!("redis://{}", mute.local_addr().unwrap()));
    assert_eq!(score(&Boards::new(cache.clone()), &db).await, Some(2.5));
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(score(&Boards::new(cache.clone()), &db).await, Some(2.5));
    }
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "it was waited for again: {:?}",
        start.elapsed()
    );
    assert_eq!(score(&Boards::new(Cache::default()), &db).await, Some(2.5));
}
