//! Archive views and downloads that are not kept any longer, and drop them, a month at a time.
//!
//! A month is dropped when all of this is true: it is wholly older than `events.keep_days`; its days were rolled up from all of its rows, and
//! weighed for what trends; its rows are in the file store as Parquet, which was read back and is the same; and its rows are still those,
//! compared while nobody can write. Nothing of this happens unless `events.keep_days` is set.
//!
//! A row that is written later for a month that is gone lies with the next one. It counts in `downloads_count` and is archived, but the
//! numbers of its day are those of the rows that were dropped.

use std::collections::BTreeSet;
use std::io::Cursor;

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use polars::prelude::*;
use store::event_archive::{self, ArchivedEvent, Dropped, EventTable, OtherColumn, Sums};
use store::event_retention;
use store::queue::RetireEvents;

use crate::{Context, compute_trending, roll_up_day};

/// Rows of one file of an archive, and so in memory at once: some 100 MB of views.
const ROWS: u32 = 250_000;

/// Safe to repeat: what was archived is archived again, what is half dropped is ended, what is dropped is no more.
pub(crate) async fn run(context: Context, _job: RetireEvents) -> anyhow::Result<()> {
    let keep_days = context.settings.events.keep_days;
    if keep_days == 0 {
        return Ok(());
    }
    retire_events(&context, Utc::now() - TimeDelta::days(i64::from(keep_days)))
        .await
        .map(|_| ())
}

/// Archives and drops all months that are over before a moment, and gives how many.
///
/// # Errors
/// The database or the file store refused; what was not dropped stays whole.
pub async fn retire_events(context: &Context, before: DateTime<Utc>) -> anyhow::Result<usize> {
    for table in EventTable::ALL {
        event_archive::resume(&context.db, table).await?;
    }
    let mut retired = 0;
    loop {
        let mut oldest = Vec::new();
        for table in EventTable::ALL {
            let month = event_archive::oldest_month(&mut *context.db.acquire().await?, table, before).await?;
            oldest.extend(month.map(|month| (month, table)));
        }
        let Some(month) = oldest.iter().map(|(month, _)| *month).min() else {
            return Ok(retired);
        };
        // An archive keeps for ever what it got.
        let until = event_archive::end_of(month).date_naive();
        event_retention::forget_addresses(&context.db, until)
            .await
            .with_context(|| format!("forget from where the events of {month} came"))?;
        make_final(context, month)
            .await
            .with_context(|| format!("roll up all of {month}"))?;
        for (_, table) in oldest.into_iter().filter(|(of, _)| *of == month) {
            retire(context, table, month)
                .await
                .with_context(|| format!("retire {} of {table:?}", month.format("%Y-%m")))?;
            retired += 1;
        }
    }
}

/// Rolls up and weighs every day on which rows of the month, or of older ones, lie.
async fn make_final(context: &Context, month: NaiveDate) -> anyhow::Result<()> {
    let mut days = BTreeSet::new();
    for table in EventTable::ALL {
        let mut db = context.db.acquire().await?;
        days.extend(event_archive::days(&mut db, table, event_archive::end_of(month)).await?);
    }
    for day in days {
        roll_up_day(&context.db, day).await?;
        compute_trending::weigh_day(&context.db, &context.settings.trending, day).await?;
    }
    Ok(())
}

async fn retire(context: &Context, table: EventTable, month: NaiveDate) -> anyhow::Result<()> {
    let until = event_archive::end_of(month);
    let others = event_archive::other_columns(&mut *context.db.acquire().await?, table).await?;
    let mut sums = Sums::default();
    let mut parts = 0;
    let mut after = 0;
    loop {
        let mut db = context.db.acquire().await?;
        let rows = event_archive::rows(&mut db, table, &others, until, after, ROWS).await?;
        drop(db);
        let Some(last) = rows.last() else { break };
        after = last.id;
        rows.iter().for_each(|row| sums.add(row));
        let name = format!("{}/{}/{parts:05}.parquet", table.name(), month.format("%Y-%m"));
        archive(context, name, rows, others.clone()).await?;
        parts += 1;
    }
    event_archive::note_archived(&mut *context.db.acquire().await?, table, month, parts, sums.rows).await?;
    match event_archive::drop_month(&context.db, table, month, sums).await? {
        Dropped::Done => {
            tracing::info!(table = table.name(), %month, rows = sums.rows, "archived and dropped a month of events");
            Ok(())
        }
        Dropped::Changed => bail!("its rows changed after they were archived: it is tried again"),
    }
}

/// Writes one file, reads it back, and compares.
async fn archive(context: &Context, name: String, rows: Vec<ArchivedEvent>, others: Vec<OtherColumn>) -> anyhow::Result<()> {
    let (frame, bytes) = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let mut frame = frame(rows, &others)?;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame)?;
        Ok((frame, bytes))
    })
    .await
    .context("write Parquet")??;
    context.files.put_archive(&name, bytes.into()).await?;
    let stored = context.files.get_archive(&name).await?;
    let is_same = tokio::task::spawn_blocking(move || -> anyhow::Result<bool> {
        let read = ParquetReader::new(Cursor::new(stored)).finish()?;
        Ok(read.equals_missing(&frame))
    })
    .await
    .context("read Parquet")??;
    if !is_same {
        bail!("archive `{name}` reads otherwise than it was written");
    }
    Ok(())
}

/// Rows as a frame: ids as numbers, the time in milliseconds (UTC), all other columns as text.
fn frame(rows: Vec<ArchivedEvent>, others: &[OtherColumn]) -> PolarsResult<DataFrame> {
    let height = rows.len();
    let mut columns = vec![
        Column::new("id".into(), rows.iter().map(|row| row.id).collect::<Vec<_>>()),
        Column::new(
            "workflow_id".into(),
            rows.iter().map(|row| row.workflow_id).collect::<Vec<_>>(),
        ),
        Column::new("user_id".into(), rows.iter().map(|row| row.user_id).collect::<Vec<_>>()),
        Column::new(
            "created_at".into(),
            rows.iter().map(|row| row.at_s * 1000).collect::<Vec<_>>(),
        )
        .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?,
    ];
    for (at, other) in others.iter().enumerate() {
        let values: Vec<Option<&str>> = rows.iter().map(|row| row.others[at].as_deref()).collect();
        columns.push(Column::new(other.name.as_str().into(), values));
    }
    DataFrame::new(height, columns)
}
