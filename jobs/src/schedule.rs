//! All times, in one schedule.
//!
//! A tick puts a job in the queue, and the queue does the rest. However many processes keep the schedule, a tick fires once: it is claimed
//! in the database (`store::schedule`) in the transaction that enqueues its job. Ticks that were missed while nobody kept the schedule
//! fire once, and not once each.
//!
//! What the schedule is, and when each thing fires next, is written beside it in the database for whoever asks (`cookbook jobs timetable`).

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use config::{ScheduleSettings, Settings};
use cron::Schedule;
use futures::FutureExt;
use futures::future::BoxFuture;
use store::index_node::{self, IndexJob};
use store::queue::{
    ComputeRecommendations, ComputeTrending, ExtendPartitions, ForgetAddresses, JobPayload, MakeReport, PruneFeeds,
    PruneIndexLog, PruneJobs, PruneSearchLog, PruneTraces, ReconcileCounts, RepairCounts, RetireEvents, RollUp, SweepFiles,
    SweepPending, TendFeeds, enqueue,
};
use store::report::ReportKind;
use store::schedule::Line;
use store::{Conn, StoreError};
use tokio::time::sleep;

use crate::report::Calendar;
use crate::{Context, compute_recommendations, repair_counts, roll_up, sweep_pending, tend_feeds};

/// Everything that happens at a time.
pub fn all() -> Vec<Entry> {
    vec![
        Entry::new::<SweepPending>(|at| &at.sweep_pending).only_if(|db| sweep_pending::is_needed(db).boxed()),
        Entry::new::<RepairCounts>(|at| &at.repair_counts).only_if(|db| repair_counts::is_needed(db).boxed()),
        Entry::new::<SweepFiles>(|at| &at.sweep_files),
        Entry::new::<ForgetAddresses>(|at| &at.forget_addresses),
        Entry::new::<PruneJobs>(|at| &at.prune_jobs),
        Entry::new::<PruneIndexLog>(|at| &at.prune_index_log),
        Entry::new::<PruneSearchLog>(|at| &at.prune_search_log),
        Entry::new::<ExtendPartitions>(|at| &at.extend_partitions),
        Entry::new::<RollUp>(|at| &at.roll_up).only_if(|db| roll_up::is_needed(db).boxed()),
        Entry::new::<TendFeeds>(|at| &at.tend_feeds).only_if(|db| tend_feeds::is_needed(db).boxed()),
        Entry::new::<PruneFeeds>(|at| &at.prune_feeds),
        Entry::new::<RetireEvents>(|at| &at.retire_events),
        Entry::new::<ComputeTrending>(|at| &at.compute_trending),
        Entry::new::<ComputeRecommendations>(|at| &at.compute_recommendations),
        Entry::enqueued_by(
            "first-recommendations",
            |at| &at.first_recommendations,
            |db| {
                async {
                    enqueue(db, &ComputeRecommendations::default(), None).await?;
                    Ok(vec![ComputeRecommendations::QUEUE.to_owned()])
                }
                .boxed()
            },
        )
        .only_if(|db| compute_recommendations::is_first_wanted(db).boxed()),
        Entry::new::<PruneTraces>(|at| &at.prune_traces),
        Entry::enqueued_by(
            "compare-index",
            |at| &at.compare_index,
            |db| index_node::enqueue_for_live(db, &IndexJob::Compare).boxed(),
        ),
        Entry::new::<ReconcileCounts>(|at| &at.reconcile_counts),
        Entry::enqueued_by("report-daily", |at| &at.report_daily, |db| due(db, ReportKind::Daily).boxed()).in_zone(reports_zone),
        Entry::enqueued_by(
            "report-weekly",
            |at| &at.report_weekly,
            |db| due(db, ReportKind::Weekly).boxed(),
        )
        .in_zone(reports_zone),
        Entry::enqueued_by(
            "report-monthly",
            |at| &at.report_monthly,
            |db| due(db, ReportKind::Monthly).boxed(),
        )
        .in_zone(reports_zone),
    ]
}

/// Reports that are due; the job finds out which those are, so that what was missed is made up for.
async fn due(db: &mut Conn, kind: ReportKind) -> Result<Vec<String>, StoreError> {
    enqueue(db, &MakeReport::due(kind), None).await?;
    Ok(vec![MakeReport::QUEUE.to_owned()])
}

fn reports_zone(settings: &Settings) -> &str {
    &settings.reports.zone
}

/// Whether a tick has anything to do.
type Check = for<'a> fn(&'a mut Conn) -> BoxFuture<'a, Result<bool, StoreError>>;

/// Adds a tick's jobs, and says to which queues.
type Enqueue = for<'a> fn(&'a mut Conn) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

/// One line of the schedule.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name: that of its job, and with underscores that of its key in `[schedule]`.
    pub name: &'static str,
    when: fn(&ScheduleSettings) -> &str,
    zone: fn(&Settings) -> &str,
    only_if: Check,
    enqueue: Enqueue,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Entry {
    /// Enqueues a job that needs no telling what to do.
    pub fn new<P: JobPayload + Default>(when: fn(&ScheduleSettings) -> &str) -> Self {
        Self::enqueued_by(P::QUEUE, when, |db| {
            async {
                enqueue(db, &P::default(), None).await?;
                Ok(vec![P::QUEUE.to_owned()])
            }
            .boxed()
        })
    }

    /// Enqueues what `enqueue` finds to do.
    pub fn enqueued_by(name: &'static str, when: fn(&ScheduleSettings) -> &str, enqueue: Enqueue) -> Self {
        Self {
            name,
            when,
            zone: |_settings| "UTC",
            only_if: |_db| std::future::ready(Ok(true)).boxed(),
            enqueue,
        }
    }

    /// Lets a tick pass, without a trace in the queue, when there is nothing to do. The check is run at every tick, so it must be cheap.
    #[must_use]
    pub fn only_if(self, only_if: Check) -> Self {
        Self { only_if, ..self }
    }

    /// Reads its times by the clock of another zone than UTC.
    #[must_use]
    pub fn in_zone(self, zone: fn(&Settings) -> &str) -> Self {
        Self { zone, ..self }
    }

    /// Adds its jobs now, whatever the time.
    ///
    /// # Errors
    /// The database refused.
    pub async fn run_now(&self, context: &Context) -> Result<Vec<String>, StoreError> {
        let mut transaction = context.db.begin().await?;
        let queues = (self.enqueue)(&mut transaction).await?;
        transaction.commit().await?;
        queues.iter().for_each(|queue| context.wake.notify(queue));
        Ok(queues)
    }
}

/// A line of the timetable, as it is configured.
#[derive(Clone, Debug)]
pub struct TimetableLine {
    /// Its name.
    pub name: &'static str,
    /// Its times.
    pub times: String,
    /// The time zone that they are in.
    pub zone: String,
    /// The first of them after now.
    pub next_at: Option<DateTime<Utc>>,
}

/// Everything that happens at a time, by name.
///
/// # Errors
/// An expression cannot be read, or names a time that never comes.
pub fn timetable(settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<Vec<TimetableLine>> {
    let mut lines = all()
        .into_iter()
        .map(|entry| {
            let timed = Timed::read(entry, settings)?;
            Ok(TimetableLine {
                name: entry.name,
                zone: timed.zone.to_string(),
                next_at: timed.next(now),
                times: timed.expression,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    lines.sort_by_key(|line| line.name);
    Ok(lines)
}

/// One process' view of the schedule.
#[derive(Debug)]
pub struct Scheduler {
    context: Context,
    timed: Vec<Timed>,
}

/// An entry with its times.
#[derive(Debug)]
struct Timed {
    entry: Entry,
    expression: String,
    zone: Tz,
    schedule: Schedule,
    /// The last tick that is known to be dealt with, by whomever. None until the database was asked.
    settled: Option<DateTime<Utc>>,
}

impl Scheduler {
    /// Reads the times of all entries.
    ///
    /// # Errors
    /// An expression cannot be read, or names a time that never comes.
    pub fn new(context: Context, entries: Vec<Entry>) -> anyhow::Result<Self> {
        let timed = entries
            .into_iter()
            .map(|entry| Timed::read(entry, &context.settings))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { context, timed })
    }

    /// Keeps the schedule until it is dropped.
    pub async fn run(mut self) {
        loop {
            let mut rest = self.until_next_tick(Utc::now());
            if let Err(error) = self.step(Utc::now()).await {
                tracing::warn!(%error, "the schedule could not be kept, trying again");
                rest = rest.min(Duration::from_secs(1));
            }
            sleep(rest).await;
        }
    }

    /// Fires what is due at `now`, and says what this caller fired.
    ///
    /// # Errors
    /// The database refused; what was not fired is due still.
    pub async fn step(&mut self, now: DateTime<Utc>) -> Result<Vec<&'static str>, StoreError> {
        let mut fired = Vec::new();
        for timed in &mut self.timed {
            if timed.fire_if_due(&self.context, now).await? {
                fired.push(timed.entry.name);
            }
        }
        Ok(fired)
    }

    fn until_next_tick(&self, now: DateTime<Utc>) -> Duration {
        let next = self.timed.iter().filter_map(|timed| timed.next(now)).min();
        next.and_then(|tick| (tick - now).to_std().ok())
            .unwrap_or(Duration::from_secs(60))
    }
}

impl Timed {
    fn read(entry: Entry, settings: &Settings) -> anyhow::Result<Self> {
        let key = format!("schedule.{}", entry.name.replace('-', "_"));
        let expression = (entry.when)(&settings.schedule);
        let schedule = read(expression).with_context(|| format!("`{key}` is `{expression}`"))?;
        let zone = (entry.zone)(settings);
        let zone = Calendar::of(zone)
            .with_context(|| format!("the time zone of `{key}`"))?
            .zone();
        Ok(Self {
            entry,
            expression: expression.to_owned(),
            zone,
            schedule,
            settled: None,
        })
    }

    /// The first tick after a moment.
    fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.schedule.after(&now.with_timezone(&self.zone)).next()?;
        Some(next.with_timezone(&Utc))
    }

    async fn fire_if_due(&mut self, context: &Context, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let Some(tick) = latest_tick(&self.schedule, self.zone, now) else {
            return Ok(false);
        };
        let mut connection = None;
        let settled = match self.settled {
            Some(settled) => settled,
            None => {
                let connection = connection.insert(context.db.acquire().await?);
                let zone = self.zone.to_string();
                let line = Line {
                    name: self.entry.name,
                    expression: &self.expression,
                    zone: &zone,
                };
                store::schedule::last_fired(connection, line, now, self.next(now)).await?
            }
        };
        self.settled = Some(settled);
        if tick <= settled {
            return Ok(false);
        }
        let mut connection = match connection {
            Some(connection) => connection,
            None => context.db.acquire().await?,
        };
        let fired = (self.entry.only_if)(&mut connection).await? && self.fire(context, tick, now).await?;
        self.settled = Some(tick);
        Ok(fired)
    }

    /// Claims a tick and enqueues its jobs, in one transaction. False when somebody else claimed it.
    async fn fire(&self, context: &Context, tick: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut transaction = context.db.begin().await?;
        if !store::schedule::claim(&mut transaction, self.entry.name, tick, self.next(now)).await? {
            return Ok(false);
        }
        let queues = (self.entry.enqueue)(&mut transaction).await?;
        transaction.commit().await?;
        queues.iter().for_each(|queue| context.wake.notify(queue));
        tracing::debug!(name = self.entry.name, %tick, "scheduled");
        Ok(true)
    }
}

fn read(expression: &str) -> anyhow::Result<Schedule> {
    let schedule = Schedule::from_str(expression)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("not a time: second minute hour day-of-month month day-of-week")?;
    if schedule.upcoming(Utc).next().is_none() {
        bail!("that never comes");
    }
    Ok(schedule)
}

/// The last tick up to and including `now`.
fn latest_tick(schedule: &Schedule, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // Looking back leaves out the start itself.
    let latest = schedule
        .after(&(now + TimeDelta::seconds(1)).with_timezone(&zone))
        .next_back()
        .filter(|tick| *tick <= now)
        .or_else(|| schedule.after(&now.with_timezone(&zone)).next_back())?;
    Some(latest.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_tick_is_the_last_one_up_to_now() {
        let schedule = read("30 */5 * * * *").expect("a time");
        for (now, tick) in [
            ("2026-03-01T00:00:29.999Z", "2026-02-28T23:55:30Z"),
            ("2026-03-01T00:00:30Z", "2026-03-01T00:00:30Z"),
            ("2026-03-01T00:00:30.5Z", "2026-03-01T00:00:30Z"),
            ("2026-03-01T00:05:29Z", "2026-03-01T00:00:30Z"),
        ] {
            let now = now.parse().expect("a time");
            assert_eq!(
                latest_tick(&schedule, Tz::UTC, now),
                Some(tick.parse().expect("a time")),
                "at {now}"
            );
        }
        let every_second = read("* * * * * *").expect("a time");
        let now: DateTime<Utc> = "2026-03-01T00:00:07.25Z".parse().expect("a time");
        assert_eq!(
            latest_tick(&every_second, Tz::UTC, now),
            Some(now - TimeDelta::milliseconds(250))
        );
    }

    #[test]
    fn a_time_by_a_clock_that_is_put_forward_and_back_comes_once_a_day() {
        let six = read("0 0 6 * * *").expect("a time");
        let berlin: Tz = "Europe/Berlin".parse().expect("a zone");
        for (now, tick) in [
            ("2026-03-28T12:00:00Z", "2026-03-28T05:00:00Z"),
            ("2026-03-29T03:59:59Z", "2026-03-28T05:00:00Z"),
            ("2026-03-29T04:00:00Z", "2026-03-29T04:00:00Z"),
            ("2026-10-25T05:00:00Z", "2026-10-25T05:00:00Z"),
        ] {
            let now = now.parse().expect("a time");
            assert_eq!(
                latest_tick(&six, berlin, now),
                Some(tick.parse().expect("a time")),
                "at {now}"
            );
        }
        // An hour that is left out, and one that comes twice, in which a look back may find the earlier tick again: what is settled stays so.
        let half_past_two = read("0 30 2 * * *").expect("a time");
        for first in ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z"] {
            let first: DateTime<Utc> = first.parse().expect("a time");
            let mut fired: Vec<DateTime<Utc>> = Vec::new();
            for quarter in 0..300 {
                let tick = latest_tick(&half_past_two, berlin, first + TimeDelta::minutes(15 * quarter)).expect("a tick");
                if fired.last().is_none_or(|settled| tick > *settled) {
                    fired.push(tick);
                }
            }
            // The day before, three days and a bit, and the hour that comes twice.
            assert!((3..=5).contains(&fired.len()), "{fired:?}");
        }
    }

    #[test]
    fn every_default_is_a_time_and_what_is_none_is_refused() {
        let settings = config::Settings::defaults().expect("the defaults");
        for entry in all() {
            read((entry.when)(&settings.schedule)).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name));
        }
        assert!(read("every day").is_err());
        assert!(read("0 0 0 30 2 *").is_err(), "the 30th of February never comes");
    }
}
