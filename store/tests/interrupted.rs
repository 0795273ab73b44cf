//! Migrations that die at every place where they can, and run again.

use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};
use store::migrate::{self, MigrateError};
use test_support::TestDb;

use crate::adoption::drifted_community;
use crate::counts::{assert_counts_are_true, rows};

/// The statements of a migration, one by one. A trigger with a body ends at its `END;`, and all else at the end of a line.
fn statements(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    for line in sql.lines() {
        if line.trim_start().starts_with("--") || (statement.is_empty() && line.trim().is_empty()) {
            continue;
        }
        statement += line;
        statement.push('\n');
        let has_body = statement.contains("\nBEGIN\n");
        if line.trim_end().ends_with(';') && (!has_body || line == "END;") {
            found.push(std::mem::take(&mut statement));
        }
    }
    assert!(statement.trim().is_empty(), "a statement without an end: {statement}");
    found
}

/// The migrations up to one, of which only the first statements run, and then something fails.
fn broken_off(all: &[Migration], version: i64, after: &[String]) -> Migrator {
    let migrations = all
        .iter()
        .filter(|migration| migration.version <= version)
        .map(|migration| {
            if migration.version < version {
                return migration.clone();
            }
            let sql = after.concat() + "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'broken off';";
            Migration::new(
                version,
                migration.description.clone(),
                migration.migration_type,
                AssertSqlSafe(sql).into_sql_str(),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// Everything that the schema is, as text.
async fn schema(db: &TestDb) -> Vec<String> {
    let mut all = Vec::new();
    for (columns, from) in [
        (
            "'column', table_name, ordinal_position, column_name, column_type, is_nullable, COALESCE(column_default, '-'), extra",
            "columns WHERE table_schema",
        ),
        (
            "'index', table_name, index_name, seq_in_index, column_name, non_unique",
            "statistics WHERE table_schema",
        ),
        (
            "'trigger', trigger_name, event_object_table, action_timing, event_manipulation, action_order, action_statement",
            "triggers WHERE trigger_schema",
        ),
        (
            "'partition', table_name, partition_name, partition_description",
            "partitions WHERE partition_name IS NOT NULL AND table_schema",
        ),
        (
            "'key', table_name, constraint_name, column_name, referenced_table_name",
            "key_column_usage WHERE table_schema",
        ),
    ] {
        all.extend(rows(db, columns, &format!("information_schema.{from} = DATABASE()")).await);
    }
    all.retain(|line| !line.contains("_sqlx_migrations"));
    all.sort();
    all
}

/// Breaks every migration off after each of its statements, each time from its beginning as the next run would, and compares where it
/// ends with an undisturbed run. Of a migration with more than `longest` statements only the beginning is tried.
async fn break_off_everywhere(db: &TestDb, undisturbed: &TestDb, longest: usize) {
    let all: Vec<Migration> = migrate::migrations().iter().cloned().collect();
    let mut boundaries = 0;
    for migration in &all {
        let statements = statements(migration.sql.as_str());
        for done in 0..=if statements.len() > longest { 0 } else { statements.len() } {
            let error = migrate::run_with(&broken_off(&all, migration.version, &statements[..done]), db.url())
                .await
                .unwrap_err();
            assert!(
                matches!(&error, MigrateError::Migration(cause) if cause.to_string().contains("broken off")),
                "migration {} met itself after {done} statements: {error}",
                migration.version
            );
            boundaries += 1;
        }
        let whole = Migrator::with_migrations(
            all.iter()
                .filter(|other| other.version <= migration.version)
                .cloned()
                .collect(),
        );
        migrate::run_with(&whole, db.url()).await.unwrap();
    }
    eprintln!("broken off at {boundaries} boundaries of {} migrations", all.len());
    assert!(migrate::run(db.url()).await.unwrap().applied.is_empty());
    migrate::run(undisturbed.url()).await.unwrap();
    assert_eq!(schema(db).await, schema(undisturbed).await);
    assert_counts_are_true(db).await;
}

#[tokio::test]
async fn a_new_database_survives_a_break_at_every_statement() {
    break_off_everywhere(&TestDb::empty().await, &TestDb::empty().await, usize::MAX).await;
}

#[tokio::test]
async fn an_adopted_database_survives_a_break_at_every_statement() {
    let (db, undisturbed) = (drifted_community(3).await, drifted_community(3).await);
    // The longest file makes triggers only, which rows are nothing to.
    break_off_everywhere(&db, &undisturbed, 40).await;
    let totals = "COUNT(*), SUM(id), SUM(UNIX_TIMESTAMP(created_at))";
    for table in ["workflow_views", "workflow_downloads"] {
        assert_eq!(
            rows(&db, "COUNT(*), SUM(id)", table).await,
            rows(&undisturbed, "COUNT(*), SUM(id)", table).await,
            "{totals} of {table}"
        );
    }
}

/// Where the child of the next test finds its database.
const CHILD_URL: &str = "COOKBOOK_TEST_MIGRATE_AS_CHILD";

/// Not a test of its own: the process that the next test kills. Without its variable there is nothing to do.
#[tokio::test]
async fn migrate_as_the_child_of_the_next_test() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        migrate::run(&url).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_that_is_killed_again_and_again_gets_there_in_the_end() {
    let (db, undisturbed) = (drifted_community(20).await, drifted_community(20).await);
    let mut killed = 0;
    for round in 1_u64.. {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "interrupted::migrate_as_the_child_of_the_next_test"])
            .env(CHILD_URL, db.url())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Longer each time, so that the end is reached on any machine.
        tokio::time::sleep(Duration::from_millis(round * 37)).await;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        // SIGKILL on Unix.
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    eprintln!("killed {killed} times");
    assert!(killed > 0);
    migrate::run(undisturbed.url()).await.unwrap();
    assert_eq!(schema(&db).await, schema(&undisturbed).await);
    assert_counts_are_true(&db).await;
}
