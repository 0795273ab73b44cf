//! `store::migrate` on an empty database.

use store::migrate::{self, MigrateReport};
use test_support::TestDb;

#[tokio::test]
async fn a_second_run_finds_nothing_to_do() {
    let db = TestDb::empty().await;
    let first = migrate::run(db.url()).await.unwrap();
    assert_eq!(first.applied[0], "0001 seed tables");
    assert!(first.resumed.is_empty());
    assert_eq!(migrate::run(db.url()).await.unwrap(), MigrateReport::default());
}

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let db = TestDb::empty().await;
    let reports: Vec<MigrateReport> = futures::future::try_join_all((0..4).map(|_| migrate::run(db.url())))
        .await
        .unwrap();
    let worked: Vec<_> = reports.iter().filter(|report| !report.applied.is_empty()).collect();
    assert_eq!(worked.len(), 1, "one does the work, the others wait and find it done");
}
