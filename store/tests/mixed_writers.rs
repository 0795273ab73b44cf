//! Many writers at once, in plain SQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::AssertSqlSafe;
use store::{Db, count_repair};
use test_support::TestDb;

use crate::counts::assert_counts_are_true;

const CLIENTS: u64 = 8;

async fn community(users: u64, workflows: u64) -> TestDb {
    let db = TestDb::new().await;
    let list = |count: u64, row: &dyn Fn(u64) -> String| (1..=count).map(row).collect::<Vec<_>>().join(", ");
    db.execute(&format!(
        "INSERT INTO users (id, username, email, password) VALUES {};
         INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES {};
         INSERT INTO workflow_tags (id, name) VALUES {};
         INSERT INTO workflow_collections (id, user_id, name) VALUES {}",
        list(users, &|id| format!("({id}, 'producer-{id}', '{id}@example.org', 'x')")),
        list(workflows, &|id| format!(
            "({id}, {}, 'Rack {id}', 'rack-{id}', 'instrument', 'x')",
            id % users + 1
        )),
        list(8, &|id| format!("({id}, 'tag-{id}')")),
        list(users, &|id| format!("({id}, {id}, 'Collection')")),
    ))
    .await;
    db
}

/// Runs statements of eight clients side by side, a connection each; gives the errors. Client `n` has the users from `n * 40 + 1` on.
async fn eight_clients(db: &TestDb, statements: impl Fn(u64) -> Vec<String>) -> Vec<String> {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (pool, statements) = (db.pool().clone(), statements(client));
            tokio::spawn(async move {
                let mut connection = pool.acquire().await.unwrap();
                let mut errors = Vec::new();
                for statement in statements {
                    if let Err(error) = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await {
                        errors.push(error.to_string());
                        sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await.unwrap();
                    }
                }
                errors
            })
        })
        .collect();
    let mut errors = Vec::new();
    for client in clients {
        errors.extend(client.await.unwrap());
    }
    errors
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_that_like_and_rate_one_rack_meet_no_error() {
    let db = community(CLIENTS * 40, 1).await;
    let errors = eight_clients(&db, |client| {
        (client * 40 + 1..=client * 40 + 40)
            .flat_map(|user| {
                [
                    format!("INSERT INTO workflow_likes (workflow_id, user_id) VALUES (1, {user})"),
                    format!(
                        "INSERT INTO workflow_ratings (workflow_id, user_id, rating) VALUES (1, {user}, {})",
                        user % 5 + 1
                    ),
                    "INSERT INTO workflow_downloads (workflow_id) VALUES (1)".to_owned(),
                ]
            })
            .collect()
    })
    .await;
    assert!(errors.is_empty(), "{} errors, such as {}", errors.len(), errors[0]);
    assert_eq!(
        db.integer("SELECT CAST(likes_count AS SIGNED) FROM workflows WHERE id = 1")
            .await,
        320
    );
    assert_counts_are_true(&db).await;
}

/// As every writer of ours must do it. A bare DELETE holds its row before any trigger can lock the workflow: the next test.
#[tokio::test(flavor = "multi_thread")]
async fn eight_clients_that_like_and_unlike_one_rack_and_lock_it_first_meet_no_error() {
    let db = community(CLIENTS * 40, 1).await;
    let errors = eight_clients(&db, |client| {
        let user = client * 40 + 1;
        let like = format!("INSERT INTO workflow_likes (workflow_id, user_id) VALUES (1, {user})");
        let unlike = format!(
            "START TRANSACTION; SELECT id FROM workflows WHERE id = 1 FOR UPDATE; DELETE FROM workflow_likes WHERE workflow_id = 1 AND user_id = {user}; COMMIT"
        );
        [like.clone(), unlike].into_iter().cycle().take(60).chain([like]).collect()
    })
    .await;
    assert!(errors.is_empty(), "{} errors, such as {}", errors.len(), errors[0]);
    assert_eq!(
        db.integer("SELECT CAST(likes_count AS SIGNED) FROM workflows WHERE id = 1")
            .await,
        8
    );
    assert_counts_are_true(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_likes_and_unlikes_of_one_rack_leave_true_counts() {
    let db = community(CLIENTS * 40, 1).await;
    let errors = eight_clients(&db, |client| {
        let user = client * 40 + 1;
        let like =
            format!("INSERT INTO workflow_likes (workflow_id, user_id) VALUES (1, {user}) ON DUPLICATE KEY UPDATE id = id");
        let unlike = format!("DELETE FROM workflow_likes WHERE workflow_id = 1 AND user_id = {user}");
        [like, unlike].into_iter().cycle().take(61).collect()
    })
    .await;
    let is_lost_lock = |error: &String| ["1213 (", "1467 ("].iter().any(|number| error.contains(number));
    assert!(errors.iter().all(is_lost_lock), "{errors:?}");
    eprintln!("{} of 488 statements lost a deadlock", errors.len());
    count_repair::apply(db.pool()).await.unwrap();
    assert_counts_are_true(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_follow_each_other_at_the_same_time_meet_no_error() {
    let db = community(6, 1).await;
    let clients: Vec<_> = (1..=6_u64)
        .map(|follower| {
            let pool = db.pool().clone();
            tokio::spawn(async move {
                for followed in (1..=6_u64).filter(|followed| *followed != follower) {
                    let statement =
                        format!("INSERT INTO user_follows (follower_id, following_id) VALUES ({follower}, {followed})");
                    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(
        db.integer("SELECT CAST(MIN(followers_count + following_count) AS SIGNED) FROM users")
            .await,
        10
    );
    assert_counts_are_true(&db).await;
}

/// One statement of a community at work, cascades included.
fn operation(random: &mut StdRng, users: u64, workflows: u64) -> String {
    let (user, other) = (random.random_range(1..=users), random.random_range(1..=users));
    let workflow = random.random_range(1..=workflows);
    let comment = random.random_range(1..=workflows * 6);
    let (tag, stars) = (random.random_range(1..=8), random.random_range(1..=5));
    match random.random_range(0..100) {
        0..14 => format!("INSERT INTO workflow_likes (workflow_id, user_id) VALUES ({workflow}, {user})"),
        14..20 => format!("DELETE FROM workflow_likes WHERE workflow_id = {workflow} AND user_id = {user}"),
        20..30 => format!(
            "INSERT INTO workflow_ratings (workflow_id, user_id, rating) VALUES ({workflow}, {user}, {stars}) ON DUPLICATE KEY UPDATE rating = VALUES(rating)"
        ),
        30..33 => format!("DELETE FROM workflow_ratings WHERE user_id = {user} AND workflow_id = {workflow}"),
        33..42 => format!("INSERT INTO user_follows (follower_id, following_id) VALUES ({user}, {other})"),
        42..46 => format!("DELETE FROM user_follows WHERE follower_id = {user} AND following_id = {other}"),
        46..54 => format!("INSERT INTO workflow_comments (workflow_id, user_id, content) VALUES ({workflow}, {user}, 'x')"),
        54..60 => format!(
            "INSERT INTO workflow_comments (workflow_id, user_id, parent_id, content) VALUES ({workflow}, {user}, {comment}, 'x')"
        ),
        60..63 => format!("DELETE FROM workflow_comments WHERE id = {comment}"),
        63..69 => format!("INSERT INTO comment_likes (comment_id, user_id) VALUES ({comment}, {user})"),
        69..75 => {
            format!("INSERT INTO workflow_downloads (workflow_id, user_id, counted) VALUES ({workflow}, {user}, {stars} > 1)")
        }
        75..77 => {
            format!("UPDATE workflow_downloads SET counted = NOT counted WHERE workflow_id = {workflow} AND user_id = {user}")
        }
        77..83 => format!("INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES ({workflow}, {tag})"),
        83..86 => format!("DELETE FROM workflow_tag_pivot WHERE workflow_id = {workflow} AND tag_id = {tag}"),
        86..91 => format!("INSERT INTO collection_workflows (collection_id, workflow_id) VALUES ({user}, {workflow})"),
        91..93 => format!(
            "UPDATE workflow_likes SET workflow_id = {workflow} WHERE user_id = {user} AND workflow_id <> {workflow} LIMIT 1"
        ),
        93..95 => format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path) VALUES ({workflow}, {user}, 'again', 'rack-{workflow}', 'instrument', 'x')"
        ),
        95..97 => format!("DELETE FROM workflows WHERE id = {workflow}"),
        97 => format!("UPDATE workflows SET user_id = {user} WHERE id = {workflow}"),
        98 => format!("DELETE FROM users WHERE id = {user}"),
        _ => format!(
            "INSERT INTO users (id, username, email, password) VALUES ({user}, 'producer-{user}', '{user}@example.org', 'x')"
        ),
    }
}

/// What a statement may meet: a like that is there already (1062), what it refers to gone (1452), among other writers a lost lock (1205, 1213;
/// 1467 on MariaDB where it was that of a table's next id).
/// MySQL 9.7 also fails at some cascades among comments (6575, see `migrations/README.md`). All leave nothing behind.
const EXPECTED_ERRORS: [u16; 6] = [1062, 1205, 1213, 1452, 1467, 6575];

async fn work(pool: Db, seed: u64, statements: u32, lost: Arc<AtomicU32>) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..statements {
        let statement = operation(&mut random, 20, 40);
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&pool).await {
            let number = error
                .as_database_error()
                .and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
                .map(sqlx::mysql::MySqlDatabaseError::number);
            assert!(
                number.is_some_and(|number| EXPECTED_ERRORS.contains(&number)),
                "`{statement}`: {error}"
            );
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_mixed_operations_one_after_another_leave_true_counts() {
    let db = community(20, 40).await;
    let lost = Arc::new(AtomicU32::new(0));
    for round in 0..4 {
        work(db.pool().clone(), round, 600, lost.clone()).await;
        while count_repair::apply(db.pool()).await.unwrap() > 0 {}
        assert_counts_are_true(&db).await;
    }
    assert!(
        db.integer("SELECT COUNT(*) FROM workflow_likes").await > 5,
        "the operations left something to count"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_mixed_operations_at_once_leave_true_counts() {
    const STATEMENTS: u32 = 500;
    let db = community(20, 40).await;
    let lost = Arc::new(AtomicU32::new(0));
    let repairer = tokio::spawn({
        let pool = db.pool().clone();
        async move {
            loop {
                // Deadlocks with the writers are theirs or ours: the next step takes up what this one left.
                let _ = count_repair::apply(&pool).await;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    });
    let writers: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(work(db.pool().clone(), 100 + client, STATEMENTS, lost.clone())))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    repairer.abort();
    while count_repair::apply(db.pool()).await.unwrap() > 0 {}
    eprintln!(
        "{} of {} statements lost a lock or their parent",
        lost.load(Ordering::Relaxed),
        u64::from(STATEMENTS) * CLIENTS
    );
    assert_counts_are_true(&db).await;
}
