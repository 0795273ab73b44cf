//! Tags under concurrent use.

use futures::future::try_join_all;
use store::{UserId, WorkflowId, tag, user};
use test_support::TestDb;

#[tokio::test]
async fn one_new_tag_given_by_many_at_once_is_one_tag_that_all_have() {
    let db = TestDb::new().await;
    let pool = db.pool();
    let mut conn = pool.acquire().await.unwrap();
    let author = user::create(&mut conn, "producer-001", "producer-001@example.org", "!")
        .await
        .unwrap();
    let mut workflows = Vec::new();
    for number in 0..8 {
        workflows.push(insert_workflow(&mut conn, author, number).await);
    }
    for round in 0..20 {
        let names = vec![format!("new {round}"), format!("also new {round}")];
        let tagging = workflows.iter().map(|workflow| {
            let (pool, names, workflow) = (pool.clone(), names.clone(), *workflow);
            tokio::spawn(async move { set_with_retries(&pool, workflow, &names).await })
        });
        try_join_all(tagging).await.unwrap();
        for name in &names {
            let (tags, uses): (i64, i64) = sqlx::query_as(
                "SELECT COUNT(*), CAST(COALESCE(SUM(usage_count), 0) AS SIGNED) FROM workflow_tags WHERE name = ?",
            )
            .bind(name)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            assert_eq!((tags, uses), (1, 8), "`{name}`");
        }
    }
}

/// Sets the tags as an upload does: in a transaction that begins with a read, again where it loses against others.
async fn set_with_retries(pool: &store::Db, workflow: WorkflowId, names: &[String]) {
    loop {
        let mut tx = pool.begin().await.unwrap();
        tag::of_workflow(&mut tx, workflow).await.unwrap();
        match tag::set(&mut tx, workflow, names).await {
            Ok(()) => return tx.commit().await.unwrap(),
            Err(error) if error.is_lock_conflict() => tx.rollback().await.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn insert_workflow(db: &mut store::Conn, author: UserId, number: usize) -> WorkflowId {
    let done = sqlx::query(
        "INSERT INTO workflows (user_id, title, slug, rack_type, adg_file_path) VALUES (?, 'A rack', ?, 'instrument', 'none')",
    )
    .bind(author)
    .bind(format!("a-rack-{number}"))
    .execute(db)
    .await
    .unwrap();
    WorkflowId(done.last_insert_id())
}
