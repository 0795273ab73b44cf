//! SQL as a person types it.

use sqlx::AssertSqlSafe;
use store::Db;

/// A person in a SQL shell: statements go to the server as they are.
#[derive(Clone, Debug)]
pub struct Shell {
    pool: Db,
}

impl Shell {
    /// On a pool.
    pub fn on(pool: &Db) -> Self {
        Self { pool: pool.clone() }
    }

    /// On the database of a URL, which is connected to when first asked.
    ///
    /// # Panics
    /// The URL is malformed.
    pub fn at(url: &str) -> Self {
        let settings = config::DatabaseSettings {
            url: config::Secret::new(url),
            max_connections: 2,
            acquire_timeout_s: 30,
        };
        let pool = store::db::connect_lazy(&settings).unwrap_or_else(|error| panic!("not the URL of a database: {error}"));
        Self { pool }
    }

    /// Runs one or more statements.
    ///
    /// # Panics
    /// A statement fails.
    pub async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("`{sql}` failed: {error}"));
    }

    /// The one integer that a query gives, as `SELECT COUNT(*) …` does.
    ///
    /// # Panics
    /// The query fails or gives something else.
    pub async fn integer(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("`{sql}` failed: {error}"))
    }

    /// The one text that a query gives; nothing where it gives no row or NULL.
    ///
    /// # Panics
    /// The query fails or gives something else.
    pub async fn text(&self, sql: &str) -> Option<String> {
        sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(sql.to_owned()))
            .fetch_optional(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("`{sql}` failed: {error}"))
            .flatten()
    }
}
