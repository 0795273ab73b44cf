//! End-to-end tests of the whole program.

#[cfg(test)]
mod support_works {
    use test_support::TestDb;

    #[tokio::test]
    async fn a_test_database_is_migrated_and_empty() {
        let db = TestDb::new().await;
        assert_eq!(db.integer("SELECT COUNT(*) FROM users").await, 0);
    }
}
