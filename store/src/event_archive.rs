//! Months of events that were archived, and then dropped: their rows, read whole, and what counts in their place.
//!
//! Months go in order, the oldest first. A table's oldest partition holds all that is older than its month too, so a month is "everything
//! before its end" here. `workflow_downloads_base` holds what was dropped, and [`crate::recount`] adds it to what the rows say; from the
//! moment on that a month is `dropping` its rows do not count any more, so that neither a crash nor a slow `ALTER TABLE` counts it twice.

use chrono::{DateTime, Months, NaiveDate, NaiveTime, Utc};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::{Conn, Db, StoreError, partition};

/// Longest wait for the lock of a table, in seconds.
const LOCK_WAIT_S: u32 = 10;

/// The tables of events of which months can be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventTable {
    /// `workflow_views`.
    Views,
    /// `workflow_downloads`.
    Downloads,
}

impl EventTable {
    /// Both.
    pub const ALL: [EventTable; 2] = [EventTable::Views, EventTable::Downloads];

    /// The table's name.
    pub fn name(self) -> &'static str {
        match self {
            EventTable::Views => "workflow_views",
            EventTable::Downloads => "workflow_downloads",
        }
    }
}

/// One row of an event table, with whatever columns it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedEvent {
    /// Its id.
    pub id: u64,
    /// To which workflow.
    pub workflow_id: u64,
    /// By whom.
    pub user_id: Option<u64>,
    /// When, in seconds since 1970.
    pub at_s: i64,
    /// All other columns as text, binary ones as hexadecimal digits, in the order of [`other_columns`].
    pub others: Vec<Option<String>>,
}

/// Sums over rows by which two looks at the same month are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many.
    pub rows: u64,
    /// Of ids.
    pub ids: u128,
    /// Of the ids of workflows.
    pub workflows: u128,
    /// Of the ids of users.
    pub users: u128,
    /// Of times.
    pub times: u128,
}

impl Sums {
    /// Adds a row.
    pub fn add(&mut self, event: &ArchivedEvent) {
        self.rows += 1;
        self.ids += u128::from(event.id);
        self.workflows += u128::from(event.workflow_id);
        self.users += u128::from(event.user_id.unwrap_or_default());
        self.times += u128::try_from(event.at_s).unwrap_or_default();
    }
}

/// A column besides those that every event has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherColumn {
    /// Its name.
    pub name: String,
    /// Whether it is archived as hexadecimal digits.
    pub is_binary: bool,
}

/// All columns of a table besides id, workflow, user and time, as they are now: a column that somebody added is archived too.
///
/// # Errors
/// The database refused.
pub async fn other_columns(db: &mut Conn, table: EventTable) -> Result<Vec<OtherColumn>, StoreError> {
    let rows = sqlx::query(
        "SELECT CAST(column_name AS CHAR) AS name, CAST(data_type AS CHAR) AS kind FROM information_schema.columns
         WHERE table_schema = DATABASE() AND table_name = ? AND column_name NOT IN ('id', 'workflow_id', 'user_id', 'created_at')
         ORDER BY ordinal_position",
    )
    .bind(table.name())
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind: String = row.try_get("kind")?;
            Ok(OtherColumn {
                name: row.try_get("name")?,
                is_binary: kind.contains("binary") || kind.contains("blob") || kind == "bit",
            })
        })
        .collect()
}

/// Rows before `until` with ids after `after`, in order of the id.
///
/// # Errors
/// The database refused.
pub async fn rows(
    db: &mut Conn,
    table: EventTable,
    others: &[OtherColumn],
    until: DateTime<Utc>,
    after: u64,
    limit: u32,
) -> Result<Vec<ArchivedEvent>, StoreError> {
    let columns: String = others
        .iter()
        .map(|column| {
            // Names come from the server's catalogue.
            let name = column.name.replace('`', "``");
            if column.is_binary {
                format!(", HEX(`{name}`)")
            } else {
                format!(", CAST(`{name}` AS CHAR)")
            }
        })
        .collect();
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT id, workflow_id, user_id, CAST(UNIX_TIMESTAMP(created_at) AS SIGNED){columns} FROM {}
         WHERE created_at < ? AND id > ? ORDER BY id LIMIT ?",
        table.name()
    )))
    .bind(until)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ArchivedEvent {
                id: row.try_get(0)?,
                workflow_id: row.try_get(1)?,
                user_id: row.try_get(2)?,
                at_s: row.try_get(3)?,
                others: (4..4 + others.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

/// The oldest month that a table still has a partition of, if it is over before `before`.
///
/// # Errors
/// The database refused.
pub async fn oldest_month(db: &mut Conn, table: EventTable, before: DateTime<Utc>) -> Result<Option<NaiveDate>, StoreError> {
    let oldest = partition::oldest_month(db, table.name()).await?;
    Ok(oldest.filter(|month| end_of(*month) <= before))
}

/// The first moment after a month.
pub fn end_of(month: NaiveDate) -> DateTime<Utc> {
    let next = month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
    next.and_time(NaiveTime::MIN).and_utc()
}

/// Days on which a table has rows before `until`, in order.
///
/// # Errors
/// The database refused.
pub async fn days(db: &mut Conn, table: EventTable, until: DateTime<Utc>) -> Result<Vec<NaiveDate>, StoreError> {
    let days = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT DISTINCT CAST(created_at AS DATE) FROM {} WHERE created_at < ? ORDER BY 1",
        table.name()
    )))
    .bind(until)
    .fetch_all(db)
    .await?;
    Ok(days)
}

/// Notes that a month's archive was written and read back.
///
/// # Errors
/// The database refused.
pub async fn note_archived(db: &mut Conn, table: EventTable, month: NaiveDate, parts: u32, rows: u64) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO event_archives (table_name, month, ends_at, parts, rows_archived, state) VALUES (?, ?, ?, ?, ?, 'archived')
         ON DUPLICATE KEY UPDATE parts = ?, rows_archived = ?, archived_at = NOW(6)",
        table.name(),
        month,
        end_of(month),
        parts,
        rows,
        parts,
        rows
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What came of [`drop_month`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The month is gone.
    Done,
    /// Its rows are not what was archived any more; nothing was dropped.
    Changed,
}

/// Drops an archived month's partition, if its rows are still those that were archived. While it is compared and dropped nobody writes to
/// the table.
///
/// # Errors
/// The database refused. Whether the month was dropped then is seen by calling again, which is safe.
pub async fn drop_month(db: &Db, table: EventTable, month: NaiveDate, archived: Sums) -> Result<Dropped, StoreError> {
    let until = end_of(month);
    // A connection of its own: closing it frees the locks, whatever happened.
    let mut connection = db.acquire().await?.detach();
    let outcome = async {
        lock(&mut connection).await?;
        begin_dropping(db, table, month, until).await?;
        let outcome = drop_locked(&mut connection, table, month, until, archived).await?;
        match outcome {
            Dropped::Done => finish_dropping(&mut *db.acquire().await?, table, month).await?,
            Dropped::Changed => stop_dropping(db, table, month).await?,
        }
        Ok(outcome)
    }
    .await;
    connection.close().await?;
    outcome
}

/// Makes sure that nobody else is dropping months: until the connection is closed, and while the server still works on what a process that died
/// had asked for on its own.
async fn lock(db: &mut Conn) -> Result<(), StoreError> {
    let got: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(LEFT(CONCAT('cookbook-retire-', DATABASE()), 64), ?)")
        .bind(LOCK_WAIT_S)
        .fetch_one(db)
        .await?;
    if got == Some(1) {
        return Ok(());
    }
    Err(StoreError::Invalid(
        "another process is dropping a month of events".to_owned(),
    ))
}

async fn drop_locked(
    db: &mut Conn,
    table: EventTable,
    month: NaiveDate,
    until: DateTime<Utc>,
    archived: Sums,
) -> Result<Dropped, StoreError> {
    if partition::oldest_month(db, table.name()).await? != Some(month) {
        // Dropped by somebody who died before they could say so.
        return Ok(Dropped::Done);
    }
    // Whoever still reads the table is waited for so long, and with us everybody who comes after.
    sqlx::raw_sql(AssertSqlSafe(format!("SET SESSION lock_wait_timeout = {LOCK_WAIT_S}")))
        .execute(&mut *db)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(format!("LOCK TABLES {} WRITE", table.name())))
        .execute(&mut *db)
        .await?;
    if sums(db, table, until).await? != archived {
        sqlx::raw_sql("UNLOCK TABLES").execute(db).await?;
        return Ok(Dropped::Changed);
    }
    partition::drop_month(db, table.name(), month).await?;
    sqlx::raw_sql("UNLOCK TABLES").execute(db).await?;
    Ok(Dropped::Done)
}

/// The sums of a table's rows before `until`.
async fn sums(db: &mut Conn, table: EventTable, until: DateTime<Utc>) -> Result<Sums, StoreError> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT CAST(COUNT(*) AS CHAR), CAST(COALESCE(SUM(id), 0) AS CHAR), CAST(COALESCE(SUM(workflow_id), 0) AS CHAR),
                CAST(COALESCE(SUM(user_id), 0) AS CHAR), CAST(CAST(COALESCE(SUM(UNIX_TIMESTAMP(created_at)), 0) AS UNSIGNED) AS CHAR)
         FROM {} WHERE created_at < ?",
        table.name()
    )))
    .bind(until)
    .fetch_one(db)
    .await?;
    let number = |at: usize| -> Result<u128, StoreError> { Ok(row.try_get::<String, _>(at)?.parse().unwrap_or_default()) };
    Ok(Sums {
        rows: u64::try_from(number(0)?).unwrap_or_default(),
        ids: number(1)?,
        workflows: number(2)?,
        users: number(3)?,
        times: number(4)?,
    })
}

/// From here on the base counts, and the rows do not.
async fn begin_dropping(db: &Db, table: EventTable, month: NaiveDate, until: DateTime<Utc>) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    let state = sqlx::query_scalar!(
        r#"SELECT CAST(state AS CHAR) AS "state!: String" FROM event_archives WHERE table_name = ? AND month = ? FOR UPDATE"#,
        table.name(),
        month
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if state.as_deref() != Some("archived") {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE event_archives SET state = 'dropping' WHERE table_name = ? AND month = ?",
        table.name(),
        month
    )
    .execute(&mut *transaction)
    .await?;
    if table == EventTable::Downloads {
        sqlx::query!(
            "INSERT INTO workflow_downloads_base (workflow_id, month, downloads)
             SELECT event.workflow_id, ?, COUNT(*) FROM workflow_downloads AS event JOIN workflows ON workflows.id = event.workflow_id
             WHERE event.created_at < ? AND event.counted GROUP BY event.workflow_id
             ON DUPLICATE KEY UPDATE downloads = VALUES(downloads)",
            month,
            until
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn finish_dropping(db: &mut Conn, table: EventTable, month: NaiveDate) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE event_archives SET state = 'dropped' WHERE table_name = ? AND month = ?",
        table.name(),
        month
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn stop_dropping(db: &Db, table: EventTable, month: NaiveDate) -> Result<(), StoreError> {
    let mut transaction = db.begin().await?;
    if table == EventTable::Downloads {
        sqlx::query!("DELETE FROM workflow_downloads_base WHERE month = ?", month)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query!(
        "UPDATE event_archives SET state = 'archived' WHERE table_name = ? AND month = ?",
        table.name(),
        month
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Ends what a crash left half done: a month whose partition is gone is dropped, and one whose rows are still there begins again.
///
/// # Errors
/// The database refused.
pub async fn resume(db: &Db, table: EventTable) -> Result<(), StoreError> {
    let mut connection = db.acquire().await?.detach();
    let outcome = resume_locked(db, &mut connection, table).await;
    connection.close().await?;
    outcome
}

async fn resume_locked(db: &Db, connection: &mut Conn, table: EventTable) -> Result<(), StoreError> {
    lock(connection).await?;
    let months = sqlx::query_scalar!(
        "SELECT month FROM event_archives WHERE table_name = ? AND state = 'dropping' ORDER BY month",
        table.name()
    )
    .fetch_all(&mut *connection)
    .await?;
    for month in months {
        if partition::oldest_month(connection, table.name()).await? == Some(month) {
            stop_dropping(db, table, month).await?;
        } else {
            finish_dropping(connection, table, month).await?;
        }
    }
    Ok(())
}

/// From when on a table's rows are all there; none: nothing was ever dropped.
///
/// # Errors
/// The database refused.
pub async fn kept_from(db: &mut Conn, table: EventTable) -> Result<Option<DateTime<Utc>>, StoreError> {
    let until = sqlx::query_scalar!(
        r#"SELECT MAX(ends_at) AS "ends_at: DateTime<Utc>" FROM event_archives WHERE table_name = ? AND state <> 'archived'"#,
        table.name()
    )
    .fetch_one(db)
    .await?;
    Ok(until)
}
