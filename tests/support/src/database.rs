//! A database per test.

use std::str::FromStr;
use std::time::Duration;

use config::{DatabaseSettings, Secret};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use store::Db;

use crate::shell::Shell;

/// Most connections of one test. Tests run side by side, so few each.
const CONNECTIONS: u32 = 10;

/// A fresh database on the server of `COOKBOOK_TEST_DATABASE_URL`, with the schema in it. It is dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    server: MySqlConnectOptions,
    name: String,
    url: String,
    pool: Db,
}

impl TestDb {
    /// Makes a database and migrates it.
    ///
    /// # Panics
    /// The variable is missing, the server is not there, or a migration fails.
    pub async fn new() -> Self {
        let db = Self::empty().await;
        store::migrate::run(db.url()).await.expect("migrate the test database");
        db
    }

    /// Makes a database without any table, for tests of migrations.
    ///
    /// # Panics
    /// The variable is missing, or the server is not there.
    pub async fn empty() -> Self {
        let server_url = crate::required("COOKBOOK_TEST_DATABASE_URL");
        let server = MySqlConnectOptions::from_str(&server_url)
            .expect("`COOKBOOK_TEST_DATABASE_URL` is a MySQL URL")
            .disable_statement_logging();
        let name = format!("cookbook_test_{}", ulid::Ulid::generate().to_string().to_lowercase());
        let mut connection = server.connect().await.expect("connect to the test server");
        execute(
            &mut connection,
            format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"),
        )
        .await;
        connection.close().await.expect("close the connection that made the database");
        let url = with_database(&server_url, &name);
        let pool = store::db::connect(&DatabaseSettings {
            url: Secret::new(&url),
            max_connections: CONNECTIONS,
            acquire_timeout_s: 30,
        })
        .await
        .expect("open a pool on the test database");
        Self { server, name, url, pool }
    }

    /// The pool of connections.
    pub fn pool(&self) -> &Db {
        &self.pool
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database's URL, as `database.url` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A person in a SQL shell on this database.
    pub fn shell(&self) -> Shell {
        Shell::on(&self.pool)
    }

    /// Whether the server is MariaDB, and not MySQL.
    ///
    /// # Panics
    /// The server does not answer.
    pub async fn is_mariadb(&self) -> bool {
        let version = self.shell().text("SELECT VERSION()").await;
        version.is_some_and(|version| version.contains("MariaDB"))
    }

    /// [`Shell::execute`] on this database.
    ///
    /// # Panics
    /// A statement fails.
    pub async fn execute(&self, sql: &str) {
        self.shell().execute(sql).await;
    }

    /// [`Shell::integer`] on this database.
    ///
    /// # Panics
    /// The query fails or gives something else.
    pub async fn integer(&self, sql: &str) -> i64 {
        self.shell().integer(sql).await
    }

    /// Breaks every connection to this database, as a fault of the network would. Returns how many.
    ///
    /// # Panics
    /// The server is not there.
    pub async fn kill_connections(&self) -> usize {
        let mut connection = self.server.connect().await.expect("connect to the test server");
        // MySQL refuses to read its table of processes where another test's statement has characters of four bytes; this, it answers.
        let ids: Vec<i64> = sqlx::raw_sql("SHOW PROCESSLIST")
            .fetch_all(&mut connection)
            .await
            .expect("list the connections")
            .into_iter()
            .filter(|row| row.get::<Option<String>, _>("db").as_ref() == Some(&self.name))
            .map(|row| row.get_unchecked("Id"))
            .collect();
        for id in &ids {
            // It may have gone by itself meanwhile.
            let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}")))
                .execute(&mut connection)
                .await;
        }
        connection.close().await.expect("close the connection that killed the others");
        ids.len()
    }
}

impl Drop for TestDb {
    /// Drops the database, from a thread with a runtime of its own: the test's runtime may be ending.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                tokio::time::timeout(Duration::from_secs(20), async {
                    let mut connection = server.connect().await?;
                    // Not to wait for a transaction that the test left open.
                    sqlx::raw_sql(AssertSqlSafe(format!("SET lock_wait_timeout = 5; DROP DATABASE {name}")))
                        .execute(&mut connection)
                        .await?;
                    connection.close().await
                })
                .await
            })??;
            Ok(())
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!("test database `{}` was not dropped: {dropped:?}", self.name);
        }
    }
}

/// Puts a database's name into a server's URL, before its parameters.
fn with_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').map_or((server, None), |(a, p)| (a, Some(p)));
    let address = address.trim_end_matches('/');
    match parameters {
        Some(parameters) => format!("{address}/{name}?{parameters}"),
        None => format!("{address}/{name}"),
    }
}

async fn execute(connection: &mut sqlx::MySqlConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("`{sql}` failed: {error}"));
}

/// Runs statements on one connection, such as one with a transaction open.
///
/// # Panics
/// A statement fails.
pub async fn execute_on(connection: &mut store::Conn, sql: &str) {
    execute(connection, sql.to_owned()).await;
}
