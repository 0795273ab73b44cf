//! Roll up what happened to each workflow, hour by hour and day by day.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use store::event_archive::{EventTable, kept_from};
use store::queue::RollUp;
use store::stat_totals::{Label, labels};
use store::stats::{self, Counts, StatsRow};
use store::{Conn, Db, StoreError, WorkflowId};

use crate::Context;
use crate::tally::{HOUR_S, Tally};

/// Marks read at once. 16 bytes each; those of one batch that touch the same day cost one rolling up together.
const MARKS: u32 = 200_000;

/// Events read at once, of 28 bytes each.
const EVENTS: usize = 1 << 16;

/// Days rolled up at once, each on a connection of its own: while the server writes one, it reads the other.
const AT_ONCE: usize = 2;

/// Whether anything was marked. Asked at every tick.
pub(crate) async fn is_needed(db: &mut Conn) -> Result<bool, StoreError> {
    stats::is_any_marked(db).await
}

/// Safe to repeat: a day is made from all of its events each time, and its marks go only after.
pub(crate) async fn run(context: Context, _job: RollUp) -> anyhow::Result<()> {
    loop {
        let marks = stats::marks(&mut *context.db.acquire().await?, MARKS).await?;
        let days: BTreeSet<NaiveDate> = marks.iter().map(|mark| mark.at.date_naive()).collect();
        let of_events = roll_up_days(&context.db, days.iter().copied());
        let events = of_events.try_fold(0, async |all, events| Ok(all + events)).await?;
        stats::forget(&mut *context.db.acquire().await?, &marks).await?;
        if !days.is_empty() {
            tracing::debug!(days = days.len(), marks = marks.len(), events, "rolled up");
        }
        if marks.len() < MARKS as usize {
            return Ok(());
        }
    }
}

/// Rolls days up, two of them at once, and gives how many events were read of each, in their order. Whoever
/// stops at an error leaves the days before it rolled up, and those under way as they were.
pub fn roll_up_days(db: &Db, days: impl IntoIterator<Item = NaiveDate>) -> impl Stream<Item = anyhow::Result<usize>> {
    let rolled_up = stream::iter(days).map(async |day| roll_up_day(db, day).await.with_context(|| format!("roll up {day}")));
    // Two that share the only connection would wait for each other.
    let connections = db.options().get_max_connections() as usize;
    rolled_up.buffered(AT_ONCE.min(connections).max(1))
}

/// Replaces the rows of a UTC day by what its events say now, and gives how many events were read. Views and downloads that were dropped
/// since (`events.keep_days`) stay as they were rolled up before.
///
/// Safe to repeat, late and at once: whoever comes second waits, and then reads all that was committed meanwhile. Memory is that of one
/// day's different events.
///
/// # Errors
/// The database refused; the day keeps the rows that it had.
pub async fn roll_up_day(db: &Db, day: NaiveDate) -> anyhow::Result<usize> {
    let mut transaction = stats::begin_day(db, day).await?;
    let from = stats::midnight(day);
    let mut tally = tally(&mut transaction, from, from + TimeDelta::days(1)).await?;
    let (events, hours, days) = blocking(move || Ok((tally.events(), tally.by_hour()?, tally.by_workflow()?))).await?;
    let gone = Gone::on(&mut transaction, day).await?;
    let mut hours = hours.into_iter().peekable();
    for number in 0..24 {
        let hour = from + TimeDelta::hours(number);
        let rows = std::iter::from_fn(|| hours.next_if(|(counted, ..)| *counted == hour.timestamp() / HOUR_S));
        let mut rows = rows.map(|(_, workflow_id, counts)| row(hour, workflow_id, counts)).collect();
        if gone.any() {
            let stored = stats::stored_hour(&mut transaction, hour).await?;
            rows = still_there(&mut transaction, gone.kept(stored, rows)).await?;
        }
        stats::replace_hour(&mut transaction, hour, rows).await?;
    }
    let mut rows = days
        .into_iter()
        .map(|(workflow_id, counts)| row(day, workflow_id, counts))
        .collect();
    if gone.any() {
        let stored = stats::stored_day(&mut transaction, day).await?;
        rows = still_there(&mut transaction, gone.kept(stored, rows)).await?;
    }
    stats::replace_day(&mut transaction, day, rows).await?;
    transaction.commit().await.context("commit")?;
    Ok(events)
}

fn row<T>(span: T, workflow_id: WorkflowId, counts: Counts) -> StatsRow<T> {
    StatsRow {
        span,
        workflow_id,
        counts,
    }
}

/// Without the rows of workflows that were deleted since.
async fn still_there<T>(db: &mut Conn, mut rows: Vec<StatsRow<T>>) -> Result<Vec<StatsRow<T>>, StoreError> {
    let workflows: Vec<WorkflowId> = rows.iter().map(|row| row.workflow_id).collect();
    let authors = stats::authors(db, &workflows).await?;
    rows.retain(|row| authors.contains_key(&row.workflow_id));
    Ok(rows)
}

/// By what to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// Everything together: one line, without a name.
    All,
    /// Each workflow, by its id.
    Workflow,
    /// Each author, genre, kind, tag or device.
    Label(Label),
}

/// What happened from `from` on and before `to`, counted from events, so that different actors are right for any span and zone (whose
/// bounds the caller gives). `None`: no data, since views or downloads of that span were dropped.
///
/// # Errors
/// The database refused.
pub async fn counts_between(
    db: &mut Conn,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    by: CountBy,
) -> anyhow::Result<Option<Vec<(String, Counts)>>> {
    for table in EventTable::ALL {
        if kept_from(&mut *db, table).await?.is_some_and(|kept| from < kept) {
            return Ok(None);
        }
    }
    // Nothing is from before, and what is dated later has not happened: half hours that are asked for leave less room for actors.
    let (from, to) = (from.max(DateTime::UNIX_EPOCH), to.min(Utc::now() + TimeDelta::days(1)));
    let mut tally = tally(&mut *db, from, to).await?;
    let (mut tally, by_workflow) = blocking(move || {
        let by_workflow = tally.by_workflow()?;
        Ok((tally, by_workflow))
    })
    .await?;
    let workflows = || by_workflow.iter().map(|(workflow, _)| *workflow);
    let names = match by {
        CountBy::Workflow => {
            let named = by_workflow
                .into_iter()
                .map(|(workflow, counts)| (workflow.to_string(), counts));
            return Ok(Some(named.collect()));
        }
        CountBy::All => workflows().map(|workflow| (workflow, vec![String::new()])).collect(),
        CountBy::Label(by) => labels(db, by, &workflows().collect::<Vec<_>>()).await?,
    };
    Ok(Some(blocking(move || Ok(tally.by_label(&names)?)).await?))
}

/// Computes where it holds nobody up: polars refuses to on a thread that drives tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("count")?
}

/// Reads and puts together what happened: while some events are counted, the next are read.
async fn tally(db: &mut Conn, from: DateTime<Utc>, to: DateTime<Utc>) -> anyhow::Result<Tally> {
    let (read, mut to_count) = tokio::sync::mpsc::channel(1);
    let counting = blocking(move || {
        let mut tally = Tally::between(from, to);
        while let Some(events) = to_count.blocking_recv() {
            tally.add(events)?;
        }
        Ok(tally)
    });
    let reading = async {
        // Gone with this block, which ends the counting.
        let read = read;
        let mut reader = stats::events(&mut *db, from, to).await?;
        loop {
            let events = reader.next(EVENTS).await?;
            // Who counts has gone only where counting failed, which says more.
            if events.kind.is_empty() || read.send(events).await.is_err() {
                return anyhow::Ok(());
            }
        }
    };
    let (mut tally, ()) = tokio::try_join!(counting, reading)?;
    tally.leave_out_authors(&stats::authors(db, &tally.workflows()).await?);
    Ok(tally)
}

/// Which events of a day were dropped.
struct Gone {
    views: bool,
    downloads: bool,
}

impl Gone {
    async fn on(db: &mut Conn, day: NaiveDate) -> Result<Self, StoreError> {
        let midnight = stats::midnight(day);
        let views = kept_from(&mut *db, EventTable::Views).await?;
        let downloads = kept_from(db, EventTable::Downloads).await?;
        Ok(Self {
            views: views.is_some_and(|kept| midnight < kept),
            downloads: downloads.is_some_and(|kept| midnight < kept),
        })
    }

    fn any(&self) -> bool {
        self.views || self.downloads
    }

    /// What was stored of what is gone, and what was counted of all else.
    fn kept<T: Copy + Ord>(&self, stored: Vec<StatsRow<T>>, counted: Vec<StatsRow<T>>) -> Vec<StatsRow<T>> {
        let mut rows: BTreeMap<(T, WorkflowId), Counts> = counted
            .into_iter()
            .map(|row| ((row.span, row.workflow_id), row.counts))
            .collect();
        for counts in rows.values_mut() {
            if self.views {
                (counts.views, counts.unique_viewers) = (0, 0);
            }
            if self.downloads {
                (counts.downloads, counts.unique_downloaders) = (0, 0);
            }
        }
        for row in stored {
            let counts = rows.entry((row.span, row.workflow_id)).or_default();
            if self.views {
                (counts.views, counts.unique_viewers) = (row.counts.views, row.counts.unique_viewers);
            }
            if self.downloads {
                (counts.downloads, counts.unique_downloaders) = (row.counts.downloads, row.counts.unique_downloaders);
            }
        }
        rows.into_iter()
            .filter(|(_, counts)| *counts != Counts::default())
            .map(|((span, workflow_id), counts)| row(span, workflow_id, counts))
            .collect()
    }
}
