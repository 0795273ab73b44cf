//! Which errors of the server mean that a transaction lost against another.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use store::StoreError;
use test_support::TestDb;
use tokio::time::sleep;

#[tokio::test]
async fn lost_locks_are_told_from_other_errors() {
    let db = TestDb::new().await;
    for (number, state, expected) in [
        (1205, "HY000", true),
        (1213, "40001", true),
        (1467, "HY000", true),
        (1062, "23000", false),
        (1452, "23000", false),
        (1048, "23000", false),
    ] {
        let signal = format!("SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {number}");
        let error = sqlx::raw_sql(AssertSqlSafe(signal)).execute(db.pool()).await.unwrap_err();
        assert_eq!(StoreError::from(error).is_lock_conflict(), expected, "{number}");
    }
}

/// Two transactions of which each waits for the other, on a lock of a row and on that of a table's next id. Where the server takes no such
/// lock, both succeed.
#[tokio::test]
async fn a_transaction_that_loses_the_lock_of_the_next_id_is_rolled_back_and_said_to_have_lost() {
    let db = TestDb::new().await;
    db.execute(
        "CREATE TABLE held (id INT PRIMARY KEY, changes INT NOT NULL DEFAULT 0);
         CREATE TABLE numbered (id INT AUTO_INCREMENT PRIMARY KEY, held_id INT, FOREIGN KEY (held_id) REFERENCES held (id));
         INSERT INTO held (id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)",
    )
    .await;
    let has_lock = db.integer("SELECT CAST(@@innodb_autoinc_lock_mode AS SIGNED)").await < 2;

    let mut row_first = db.pool().begin().await.unwrap();
    sqlx::raw_sql("UPDATE held SET changes = changes + 1 WHERE id = 1")
        .execute(&mut *row_first)
        .await
        .unwrap();
    // It has changed more rows, so that the other one loses.
    let mut id_first = db.pool().begin().await.unwrap();
    sqlx::raw_sql("UPDATE held SET changes = changes + 1 WHERE id > 2")
        .execute(&mut *id_first)
        .await
        .unwrap();
    // The statement says itself that it runs, by a lock with a name: the server's list of processes holds the texts of every other test too,
    // and MySQL refuses to show the whole list where one of them has characters of four bytes.
    let running = format!("{}.running", db.name());
    let insert = format!("INSERT INTO numbered (held_id) SELECT 1 FROM held WHERE id = 2 AND GET_LOCK('{running}', 0) = 1");
    let waiting = tokio::spawn(async move {
        sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut *id_first).await?;
        id_first.commit().await
    });
    // Once the statement runs, nothing but the lock of the next id can stop it.
    let is_running = format!("SELECT COUNT(IS_USED_LOCK('{running}'))");
    while db.integer(&is_running).await == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_secs(1)).await;
    let inserted = sqlx::raw_sql("INSERT INTO numbered (held_id) VALUES (2)")
        .execute(&mut *row_first)
        .await;
    if has_lock {
        let error = StoreError::from(inserted.unwrap_err());
        assert!(error.is_lock_conflict(), "{error}");
        assert!(error.to_string().contains("1467 ("), "{error}");
        row_first.rollback().await.unwrap();
    } else {
        inserted.unwrap();
        row_first.commit().await.unwrap();
    }
    waiting.await.unwrap().unwrap();
    assert_eq!(
        db.integer("SELECT CAST(SUM(changes) AS SIGNED) FROM held").await,
        if has_lock { 7 } else { 8 }
    );
}
