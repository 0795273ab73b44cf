//! Roll up what happened to each workflow, hour by hour and day by day.

use std::collections::BTreeSet;

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use polars::prelude::*;
use store::queue::RollUp;
use store::stats::{self, Counts, EventKind, Events, StatsRow, UNKNOWN};
use store::{Conn, Db, StoreError, WorkflowId};

use crate::Context;

/// Marks read at once. 16 bytes each; those of one batch that touch the same day cost one rolling up together.
const MARKS: u32 = 200_000;

/// Within it, an actor's views of a workflow are one view, and downloads one download: reloading a page is not interest. Divides an
/// hour, so that no window belongs to two hours. (COUNTER's code of practice has 30 seconds for double clicks.)
const WINDOW_S: i64 = 1800;

const HOUR_S: i64 = 3600;

/// Whether anything was marked. Asked at every tick.
pub(crate) async fn is_needed(db: &mut Conn) -> Result<bool, StoreError> {
    stats::is_any_marked(db).await
}

/// Safe to repeat: a day is made from all of its events each time, and its marks go only after.
pub(crate) async fn run(context: Context, _job: RollUp) -> anyhow::Result<()> {
    loop {
        let marks = stats::marks(&mut *context.db.acquire().await?, MARKS).await?;
        let days: BTreeSet<NaiveDate> = marks.iter().map(|mark| mark.at.date_naive()).collect();
        // In order, which is also the order of others.
        for day in &days {
            roll_up_day(&context.db, *day).await?;
        }
        stats::forget(&mut *context.db.acquire().await?, &marks).await?;
        if !days.is_empty() {
            tracing::debug!(days = days.len(), marks = marks.len(), "rolled up");
        }
        if marks.len() < MARKS as usize {
            return Ok(());
        }
    }
}

/// Replaces the rows of a UTC day by what its events say now, and gives how many events those are.
///
/// Safe to repeat, late and at once: whoever comes second waits, and then reads all that was committed meanwhile. Memory is that of one
/// day's events.
///
/// # Errors
/// The database refused; the day keeps the rows that it had.
pub async fn roll_up_day(db: &Db, day: NaiveDate) -> anyhow::Result<usize> {
    let mut transaction = stats::begin_day(db, day).await?;
    let events = stats::events(&mut transaction, day).await?;
    let count = events.kind.len();
    let (hourly, daily) = tokio::task::spawn_blocking(move || count_day(events, day))
        .await
        .context("count a day's events")??;
    stats::replace_day(&mut transaction, day, &hourly, &daily).await?;
    transaction.commit().await.context("commit")?;
    Ok(count)
}

/// Rows of a day's hours, and of the day.
type Rows = (Vec<StatsRow<DateTime<Utc>>>, Vec<StatsRow<NaiveDate>>);

fn count_day(events: Events, day: NaiveDate) -> anyhow::Result<Rows> {
    let frame = deduplicated(events)?;
    let hourly = counted(frame.clone(), true)?
        .into_iter()
        .map(|(hour, workflow_id, counts)| {
            let span = DateTime::from_timestamp(hour * HOUR_S, 0).context("an hour out of range")?;
            Ok(StatsRow {
                span,
                workflow_id,
                counts,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let daily = counted(frame, false)?
        .into_iter()
        .map(|(_, workflow_id, counts)| StatsRow {
            span: day,
            workflow_id,
            counts,
        })
        .collect();
    Ok((hourly, daily))
}

/// One row for an actor's views of a workflow in a window, and for their downloads; all else as it is.
fn deduplicated(events: Events) -> PolarsResult<DataFrame> {
    // What is never the same as another has a window of its own, below all real ones.
    let window: Vec<i64> = (0_i64..)
        .zip(events.kind.iter().zip(&events.at_s))
        .map(|(position, (kind, at))| {
            let repeats = *kind == EventKind::View as u32 || *kind == EventKind::Download as u32;
            if repeats { at.div_euclid(WINDOW_S) } else { -1 - position }
        })
        .collect();
    let hour: Vec<i64> = events.at_s.iter().map(|at| at.div_euclid(HOUR_S)).collect();
    let height = hour.len();
    DataFrame::new(
        height,
        vec![
            Column::new("kind".into(), events.kind),
            Column::new("workflow".into(), events.workflow),
            Column::new("actor".into(), events.actor),
            Column::new("window".into(), window),
            Column::new("hour".into(), hour),
        ],
    )?
    .lazy()
    .group_by([col("kind"), col("workflow"), col("actor"), col("window"), col("hour")])
    .agg([])
    .collect()
}

/// Counts by workflow, and by hour if asked; the hour is 0 otherwise. In order, so that concurrent writers meet rows in the same one.
fn counted(frame: DataFrame, by_hour: bool) -> anyhow::Result<Vec<(i64, WorkflowId, Counts)>> {
    let of = |kind: EventKind| col("kind").eq(lit(kind as u32));
    let number = |kind: EventKind, name: &str| of(kind).sum().cast(DataType::UInt32).alias(name);
    let actors = |kind: EventKind, name: &str| {
        col("actor")
            .filter(of(kind).and(col("actor").lt(lit(UNKNOWN))))
            .n_unique()
            .cast(DataType::UInt32)
            .alias(name)
    };
    let hour = if by_hour {
        col("hour")
    } else {
        lit(0_i64).cast(DataType::Int64).alias("hour")
    };
    let frame = frame
        .lazy()
        .with_column(hour)
        .group_by([col("hour"), col("workflow")])
        .agg([
            number(EventKind::View, "views"),
            actors(EventKind::View, "unique_viewers"),
            number(EventKind::Download, "downloads"),
            actors(EventKind::Download, "unique_downloaders"),
            number(EventKind::Like, "likes"),
            number(EventKind::Comment, "comments"),
            number(EventKind::Rating, "ratings"),
            number(EventKind::CollectionAdd, "collection_adds"),
        ])
        .sort(["hour", "workflow"], SortMultipleOptions::default())
        .collect()?;
    let hours = frame.column("hour")?.i64()?;
    let workflows = frame.column("workflow")?.u64()?;
    let numbers = |name: &str| -> PolarsResult<Vec<u32>> { Ok(frame.column(name)?.u32()?.into_no_null_iter().collect()) };
    let views = numbers("views")?;
    let unique_viewers = numbers("unique_viewers")?;
    let downloads = numbers("downloads")?;
    let unique_downloaders = numbers("unique_downloaders")?;
    let likes = numbers("likes")?;
    let comments = numbers("comments")?;
    let ratings = numbers("ratings")?;
    let collection_adds = numbers("collection_adds")?;
    Ok(hours
        .into_no_null_iter()
        .zip(workflows.into_no_null_iter())
        .enumerate()
        .map(|(row, (hour, workflow))| {
            let counts = Counts {
                views: views[row],
                unique_viewers: unique_viewers[row],
                downloads: downloads[row],
                unique_downloaders: unique_downloaders[row],
                likes: likes[row],
                comments: comments[row],
                ratings: ratings[row],
                collection_adds: collection_adds[row],
            };
            (hour, WorkflowId(workflow), counts)
        })
        .collect())
}
