//! Rows and indexes for tests.

use indexer::{Index, SearchRequest, SearchResponse};
use test_support::TestDb;

/// A database and an index of it.
pub(crate) struct Fixture {
    pub(crate) db: TestDb,
    pub(crate) index: Index,
    pub(crate) folder: tempfile::TempDir,
}

/// Least memory that a writer takes.
pub(crate) const MEMORY: usize = 15_000_000;

impl Fixture {
    /// A database with two authors, 1 and 2, and an index of nothing.
    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        db.execute(
            "INSERT INTO users (id, username, email, password, display_name) VALUES
               (1, 'producer-001', 'producer-001@example.org', 'x', 'Café Nord'), (2, 'producer-002', 'producer-002@example.org', 'x', NULL)",
        )
        .await;
        let folder = tempfile::tempdir().expect("a folder");
        let index = Index::open(folder.path(), MEMORY).expect("the index opens");
        Self { db, index, folder }
    }

    /// Inserts a published workflow by plain SQL, as somebody in a SQL shell would; `more` is further `column = value` assignments.
    pub(crate) async fn insert(&self, id: u64, title: &str, more: &str) {
        let more = if more.is_empty() {
            ""
        } else {
            &format!("; UPDATE workflows SET {more} WHERE id = {id}")
        };
        self.db
            .execute(&format!(
                "START TRANSACTION;
                 INSERT INTO workflows SET id = {id}, user_id = 1, title = '{title}', slug = 'rack-{id}', rack_type = 'instrument',
                   adg_file_path = 'none.adg', is_published = TRUE {more};
                 COMMIT"
            ))
            .await;
    }

    pub(crate) async fn rebuild(&self) {
        self.index.rebuild(self.db.pool(), |_| {}).await.expect("the index is built");
    }

    pub(crate) fn search(&self, request: &SearchRequest) -> SearchResponse {
        self.index.search(request).expect("search answers")
    }

    /// Ids found by a text, in order.
    pub(crate) fn ids(&self, text: &str) -> Vec<u64> {
        ids(&self.search(&SearchRequest::text(text)))
    }
}

/// Ids of hits, in order.
pub(crate) fn ids(response: &SearchResponse) -> Vec<u64> {
    response.hits.iter().map(|hit| hit.card.id).collect()
}
