//! What a report says, section by section.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use futures::TryStreamExt;
use store::report::sources::{self, Between, Fate, Sums};
use store::report::{self, Period, ReportKind};
use store::{Conn, WorkflowId, recount, search_log};

use super::anomalies::{self, Daily};
use super::leaders::leaders;
use super::usage;
use super::{Amount, Calendar, Check, Point, Report, SHAPE, Section, Series, Table, Unit};
use crate::Context;

/// Days of which it is known who was active, the period's last one first: two months, and as many as a word has bits.
const ACTIVE_DAYS: u64 = 63;

/// Days of a week in cohorts.
const WEEK: usize = 7;

/// Whole weeks in [`ACTIVE_DAYS`].
const WEEKS: usize = 9;

/// Days of the lines in a day's report.
const LINE_DAYS: u64 = 28;

/// Lines of the lists of searches.
const SEARCHES: u32 = 15;

/// Largest tables that are listed.
const TABLES: usize = 10;

/// How long after a period's end what is measured "now" says something about it.
const STILL_NOW: TimeDelta = TimeDelta::hours(48);

/// Why there is no number, where several say so.
const LONG_PAST: &str = "measured when a report is made, and this period was long past";
const DROPPED: &str = "views and downloads of that time were archived and dropped (`events.keep_days`)";
const NOTHING_TO_DIVIDE: &str = "there was nothing to take a share of";

/// Makes a report out of what rows say now.
///
/// # Errors
/// The period is not over, the zone is unknown, or the database refused.
pub(crate) async fn compute(context: &Context, period: Period) -> anyhow::Result<Report> {
    let calendar = Calendar::of(&context.settings.reports.zone).context("`reports.zone`")?;
    let now = Utc::now();
    let previous = period.previous();
    let maker = Maker {
        context,
        calendar,
        period,
        now,
        span: calendar.span(period),
        span_before: calendar.span(previous),
    };
    if maker.span.to > now {
        return Err(crate::permanent(anyhow::anyhow!("`{period}` is not over yet")));
    }
    let mut db = context.db.acquire().await?;
    let earlier = match report::figures(&mut db, period.kind(), &previous.to_string()).await? {
        // One of another shape says nothing to this version.
        Some(figures) => serde_json::from_str::<Report>(&figures)
            .ok()
            .filter(|report| report.shape == SHAPE),
        None => None,
    };
    let daily = maker.daily(&mut db).await?;
    let mut checks = Vec::new();
    let sections = vec![
        maker.people(&daily),
        maker.uploads(&mut db, &daily, &mut checks).await?,
        maker.attention(&daily),
        maker.leaders(&mut db, &daily, &mut checks).await?,
        maker.searches(&mut db, &daily, &mut checks).await?,
        maker.retention(&mut db, &daily).await?,
        usage::feed(&mut db, maker.span, maker.span_before).await?,
        usage::recommendations(&mut db, maker.span, maker.span_before).await?,
        maker.jobs(&mut db, earlier.as_ref()).await?,
        maker.storage(&mut db, earlier.as_ref()).await?,
        maker.counts(&mut db).await?,
    ];
    let highlights = maker.highlights(&daily, &sections, &checks);
    Ok(Report {
        shape: SHAPE,
        report: period.kind(),
        period: period.to_string(),
        previous_period: previous.to_string(),
        zone: calendar.zone().to_string(),
        starts_at: maker.span.from,
        ends_at: maker.span.to,
        generated_at: now,
        highlights,
        sections,
        checks,
    })
}

/// What all sections need.
struct Maker<'a> {
    context: &'a Context,
    calendar: Calendar,
    period: Period,
    now: DateTime<Utc>,
    span: Between,
    span_before: Between,
}

/// Counts by day, from before the period, so that it can be compared.
struct ByDay {
    registrations: BTreeMap<NaiveDate, u64>,
    uploads: BTreeMap<NaiveDate, u64>,
    searches: BTreeMap<NaiveDate, u64>,
    /// None where days do not begin with an hour.
    sums: Option<BTreeMap<NaiveDate, Sums>>,
    /// By account, the days on which it did something: bit 0 is the period's last day.
    active: HashMap<u64, u64>,
    /// The period's last day.
    last: NaiveDate,
    /// The day of the first account.
    since: NaiveDate,
    /// The first day of which no views and downloads were dropped.
    kept_since: NaiveDate,
}

impl ByDay {
    /// As [`ByDay::active_within`], if all that tells is still there.
    fn active(&self, back: u64, days: u64) -> Result<u64, &'static str> {
        if self.last - Days::new(back + days - 1) < self.kept_since {
            return Err(DROPPED);
        }
        Ok(self.active_within(back, days))
    }

    /// Accounts that did something on any of `days` days, the last of which lies `back` days before the period's last one.
    fn active_within(&self, back: u64, days: u64) -> u64 {
        let mask = mask(back, days);
        self.active.values().filter(|bits| **bits & mask != 0).count() as u64
    }
}

fn mask(back: u64, days: u64) -> u64 {
    ((1_u64 << days) - 1) << back
}

/// Sums the days of a period.
fn sum(counts: &BTreeMap<NaiveDate, u64>, period: Period) -> u64 {
    counts.range(period.first()..period.end()).map(|(_, count)| count).sum()
}

fn sums_of(sums: &BTreeMap<NaiveDate, Sums>, period: Period) -> Sums {
    let mut all = Sums::default();
    sums.range(period.first()..period.end()).for_each(|(_, day)| all.add(*day));
    all
}

pub(super) fn share(part: u64, whole: u64) -> Result<Amount, &'static str> {
    if whole == 0 {
        return Err(NOTHING_TO_DIVIDE);
    }
    Ok(Amount::Real(part as f64 / whole as f64))
}

fn check(what: &str, one: u64, other: u64) -> Check {
    Check {
        what: what.to_owned(),
        one,
        other,
        holds: one == other,
    }
}

impl Maker<'_> {
    /// Days in the period.
    fn length(&self) -> u64 {
        self.period.days().count() as u64
    }

    async fn daily(&self, db: &mut Conn) -> anyhow::Result<ByDay> {
        let end = self.period.end();
        let back = anomalies::WEEKS * WEEK as u64;
        let first = (self.period.first() - Days::new(back)).min(self.period.previous().first());
        let first = first.min(end - Days::new(LINE_DAYS));
        let span = self.calendar.between(first, end);
        let sums = if self.calendar.is_utc(first, end) {
            Some(sources::sums_by_day(db, span).await?)
        } else if self.calendar.keeps_to_hours(first, end) {
            Some(sources::sums_by_hour(db, span).await?)
        } else {
            None
        };
        let sums = sums.map(|rows| {
            let mut days: BTreeMap<NaiveDate, Sums> = BTreeMap::new();
            for (at, sums) in rows {
                days.entry(self.calendar.day_of(at)).or_default().add(sums);
            }
            days
        });
        let mut active: HashMap<u64, u64> = HashMap::new();
        for back in 0..ACTIVE_DAYS {
            let day = end - Days::new(back + 1);
            let span = self.calendar.between(day, day + Days::new(1));
            sources::active_users(db, span, |user| *active.entry(user.0).or_default() |= 1 << back).await?;
        }
        let since = sources::first_registration(db).await?;
        let kept_since = sources::events_kept_since(db).await?;
        Ok(ByDay {
            registrations: self.by_day(sources::registrations_by_quarter(db, span).await?),
            uploads: self.by_day(sources::uploads_by_quarter(db, span).await?),
            searches: self.by_day(sources::searches_by_quarter(db, span).await?),
            sums,
            active,
            last: end - Days::new(1),
            since: since.map_or(NaiveDate::MAX, |at| self.calendar.day_of(at)),
            // A day that is there in part only is not.
            kept_since: kept_since.map_or(NaiveDate::MIN, |at| {
                self.calendar.day_of(at - TimeDelta::seconds(1)) + Days::new(1)
            }),
        })
    }

    fn by_day(&self, counts: Vec<(DateTime<Utc>, u64)>) -> BTreeMap<NaiveDate, u64> {
        let mut days = BTreeMap::new();
        for (at, count) in counts {
            *days.entry(self.calendar.day_of(at)).or_default() += count;
        }
        days
    }

    /// A line of numbers: of a day's report the four weeks that it ends, else the period beside the one before.
    fn series(&self, key: &str, title: &str, of: impl Fn(NaiveDate) -> Option<u64>) -> Series {
        let end = self.period.end();
        let before: Vec<NaiveDate> = self.period.previous().days().collect();
        let points = if self.period.kind() == ReportKind::Daily {
            let first = end - Days::new(LINE_DAYS);
            first
                .iter_days()
                .take_while(|day| *day < end)
                .map(|day| Point {
                    day,
                    value: of(day),
                    before: None,
                })
                .collect()
        } else {
            self.period
                .days()
                .enumerate()
                .map(|(index, day)| Point {
                    day,
                    value: of(day),
                    before: before.get(index).and_then(|day| of(*day)),
                })
                .collect()
        };
        Series {
            key: key.to_owned(),
            title: title.to_owned(),
            points,
        }
    }

    fn people(&self, daily: &ByDay) -> Section {
        let mut section = Section::new("people", "People");
        let (period, previous) = (self.period, self.period.previous());
        section.count(
            "new_accounts",
            "New accounts",
            sum(&daily.registrations, period),
            sum(&daily.registrations, previous),
        );
        let (days, days_before) = (self.length(), previous.days().count() as u64);
        let active = |back: u64, days: u64| daily.active(back, days).map(Amount::Whole);
        let mean = |back: u64, days: u64| -> Result<Amount, &'static str> {
            daily.active(back, days)?;
            let sum: u64 = (back..back + days).map(|day| daily.active_within(day, 1)).sum();
            Ok(Amount::Real(sum as f64 / days as f64))
        };
        let (mean_now, mean_before) = (mean(0, days), mean(days, days_before).ok());
        let monthly = active(0, 30);
        let stickiness = match (mean_now, monthly) {
            (Ok(mean), Ok(Amount::Whole(monthly))) if monthly > 0 => Ok(Amount::Real(mean.as_f64() / monthly as f64)),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
            _ => Err(NOTHING_TO_DIVIDE),
        };
        for (key, title, unit, value, before) in [
            (
                "active",
                "Active accounts",
                Unit::Count,
                active(0, days),
                active(days, days_before).ok(),
            ),
            (
                "daily_active",
                "Active a day, in the mean",
                Unit::Number,
                mean_now,
                mean_before,
            ),
            (
                "weekly_active",
                "Active within the last 7 days",
                Unit::Count,
                active(0, 7),
                active(days, 7).ok(),
            ),
            (
                "monthly_active",
                "Active within the last 30 days",
                Unit::Count,
                monthly,
                active(days, 30).ok(),
            ),
            ("stickiness", "Of those, active on a day", Unit::Share, stickiness, None),
        ] {
            section.number(key, title, unit, value, before);
        }
        section
            .series
            .push(self.series("active_by_day", "Active accounts by day", |day| {
                let back = u64::try_from((daily.last - day).num_days())
                    .ok()
                    .filter(|back| *back < ACTIVE_DAYS)?;
                daily.active(back, 1).ok()
            }));
        section
            .series
            .push(self.series("new_accounts_by_day", "New accounts by day", |day| {
                Some(daily.registrations.get(&day).copied().unwrap_or_default())
            }));
        section
    }

    async fn uploads(&self, db: &mut Conn, daily: &ByDay, checks: &mut Vec<Check>) -> anyhow::Result<Section> {
        let mut section = Section::new("uploads", "Uploads");
        let fates = sources::fates(db, self.span).await?;
        let fates_before = sources::fates(db, self.span_before).await?;
        let of = |fates: &[Fate], state: &str| -> u64 {
            let of_state = fates.iter().filter(|fate| fate.state == state);
            of_state.map(|fate| fate.count).sum()
        };
        let all = |fates: &[Fate]| -> u64 { fates.iter().map(|fate| fate.count).sum() };
        let uploads = sum(&daily.uploads, self.period);
        section.count("uploads", "Uploads", uploads, sum(&daily.uploads, self.period.previous()));
        checks.push(check("uploads by day, and by what became of them", uploads, all(&fates)));
        let states = [
            ("parsed", "Parsed"),
            ("failed", "Could not be parsed"),
            ("pending", "Not parsed yet"),
            ("no_file", "Without a file"),
        ];
        let mut of_states = 0;
        for (state, title) in states {
            of_states += of(&fates, state);
            section.count(state, title, of(&fates, state), of(&fates_before, state));
        }
        checks.push(check("uploads, and those of each state", uploads, of_states));
        let (tried, failed) = (of(&fates, "parsed") + of(&fates, "failed"), of(&fates, "failed"));
        section.number(
            "failed_share",
            "Share that could not be parsed",
            Unit::Share,
            share(failed, tried),
            None,
        );
        section.count(
            "published",
            "Published",
            sources::published(db, self.span).await?,
            sources::published(db, self.span_before).await?,
        );
        let waits = sorted(sources::parse_waits_ms(db, self.span).await?);
        let waits_before = sorted(sources::parse_waits_ms(db, self.span_before).await?);
        for (key, title, at) in [
            ("parse_p50", "From upload to parsed, half of them within", 0.5),
            ("parse_p95", "From upload to parsed, 95 of 100 within", 0.95),
        ] {
            let value = quantile(&waits, at).ok_or("nothing was parsed");
            section.number(key, title, Unit::Seconds, value, quantile(&waits_before, at));
        }
        let waits = sorted(sources::searchable_waits_ms(db, self.span).await?);
        let waits_before = sorted(sources::searchable_waits_ms(db, self.span_before).await?);
        for (key, title, at) in [
            ("searchable_p50", "From published to found, half of them within", 0.5),
            ("searchable_p95", "From published to found, 95 of 100 within", 0.95),
        ] {
            let value = quantile(&waits, at).ok_or("nothing was found for the first time");
            section.number(key, title, Unit::Seconds, value, quantile(&waits_before, at));
        }
        let mut reasons = Table::new(
            "failures",
            "Why uploads could not be parsed",
            &[("uploads", "Uploads", Unit::Count)],
        );
        for fate in fates.iter().filter(|fate| fate.state == "failed") {
            let reason = fate.error.clone().unwrap_or_else(|| "unknown".to_owned());
            reasons.row(reason, None, vec![Some(Amount::Whole(fate.count))]);
        }
        section.tables.push(reasons);
        section.series.push(self.series("uploads_by_day", "Uploads by day", |day| {
            Some(daily.uploads.get(&day).copied().unwrap_or_default())
        }));
        Ok(section)
    }

    fn attention(&self, daily: &ByDay) -> Section {
        let mut section = Section::new("attention", "Views, downloads, reactions");
        let Some(sums) = &daily.sums else {
            for (key, title) in [("views", "Views"), ("downloads", "Downloads"), ("reactions", "Reactions")] {
                section.no_data(key, title, Unit::Count, OFF_THE_HOUR);
            }
            return section;
        };
        let (now, before) = (sums_of(sums, self.period), sums_of(sums, self.period.previous()));
        section.count("views", "Views", now.views, before.views);
        section.count("downloads", "Downloads", now.downloads, before.downloads);
        section.number(
            "conversion",
            "Downloads to a view",
            Unit::Share,
            share(now.downloads, now.views),
            share(before.downloads, before.views).ok(),
        );
        section.count("likes", "Likes", now.likes, before.likes);
        section.count("comments", "Comments", now.comments, before.comments);
        section.count("ratings", "Ratings", now.ratings, before.ratings);
        section.count(
            "collection_adds",
            "Additions to collections",
            now.collection_adds,
            before.collection_adds,
        );
        section.count("reactions", "Reactions together", now.reactions(), before.reactions());
        let of = |day: NaiveDate| sums.get(&day).copied().unwrap_or_default();
        section
            .series
            .push(self.series("views_by_day", "Views by day", |day| Some(of(day).views)));
        section
            .series
            .push(self.series("downloads_by_day", "Downloads by day", |day| Some(of(day).downloads)));
        section
            .series
            .push(self.series("reactions_by_day", "Reactions by day", |day| Some(of(day).reactions())));
        section
    }

    async fn sums(&self, db: &mut Conn, period: Period, span: Between) -> anyhow::Result<HashMap<WorkflowId, Sums>> {
        Ok(if self.calendar.is_utc(period.first(), period.end()) {
            sources::sums_by_workflow_of_days(db, span).await?
        } else {
            sources::sums_by_workflow(db, span).await?
        })
    }

    async fn leaders(&self, db: &mut Conn, daily: &ByDay, checks: &mut Vec<Check>) -> anyhow::Result<Section> {
        let mut section = Section::new("leaders", "What leads and what rises");
        let Some(sums) = &daily.sums else {
            section.no_data("leaders", "What leads", Unit::Count, OFF_THE_HOUR);
            return Ok(section);
        };
        let now = self.sums(db, self.period, self.span).await?;
        let before = self.sums(db, self.period.previous(), self.span_before).await?;
        section.count(
            "workflows",
            "Racks to which something happened",
            now.len() as u64,
            before.len() as u64,
        );
        let leaders = leaders(db, &now, &before, &self.context.settings.trending).await?;
        let total = sums_of(sums, self.period);
        checks.push(check("downloads by day, and by rack", total.downloads, leaders.downloads));
        checks.push(check("views by day, and by rack", total.views, leaders.views));
        checks.push(check(
            "downloads by day, and by genre",
            total.downloads,
            leaders.downloads_by_genre,
        ));
        checks.push(check(
            "downloads by day, and by creator",
            total.downloads,
            leaders.downloads_by_creator,
        ));
        section.tables = leaders.tables;
        Ok(section)
    }

    async fn searches(&self, db: &mut Conn, daily: &ByDay, checks: &mut Vec<Check>) -> anyhow::Result<Section> {
        let mut section = Section::new("searches", "Searches");
        let kept_since = self.now - TimeDelta::days(self.context.settings.search_log.keep_days.into());
        if self.span.from < kept_since {
            section.no_data(
                "searches",
                "Searches",
                Unit::Count,
                "searches of that time were forgotten (`search_log.keep_days`)",
            );
            return Ok(section);
        }
        let all = search_log::by_day(db, self.span.from, self.span.to).await?;
        let all_before = search_log::by_day(db, self.span_before.from, self.span_before.to).await?;
        let total =
            |days: &[search_log::DayOfSearches], of: fn(&search_log::DayOfSearches) -> u64| -> u64 { days.iter().map(of).sum() };
        let is_before_kept = self.span_before.from >= kept_since;
        let both = |of: fn(&search_log::DayOfSearches) -> u64| (total(&all, of), is_before_kept.then(|| total(&all_before, of)));
        let ((searches, before), (empty, empty_before), (clicked, clicked_before)) = (
            both(|day| day.searches),
            both(|day| day.without_hits),
            both(|day| day.clicked),
        );
        let share_before = |part: Option<u64>| share(part?, before?).ok();
        section.count("searches", "Searches", searches, before);
        section.count("without_hits", "Searches that found nothing", empty, empty_before);
        section.number(
            "without_hits_share",
            "Share that found nothing",
            Unit::Share,
            share(empty, searches),
            share_before(empty_before),
        );
        section.number(
            "click_through",
            "Share that led to a click",
            Unit::Share,
            share(clicked, searches),
            share_before(clicked_before),
        );
        let mean = |days: &[search_log::DayOfSearches]| {
            let count: u64 = days.iter().map(|day| day.searches).sum();
            let took: f64 = days.iter().map(|day| day.mean_took_us * day.searches as f64).sum();
            (count > 0).then(|| Amount::Real(took / count as f64 / 1e6))
        };
        section.number(
            "mean_s",
            "Mean time to answer",
            Unit::Seconds,
            mean(&all).ok_or("nobody searched"),
            mean(&all_before).filter(|_| is_before_kept),
        );
        checks.push(check(
            "searches, and searches by day",
            searches,
            sum(&daily.searches, self.period),
        ));
        let columns = [
            ("searches", "Searches", Unit::Count),
            ("without_hits", "found nothing", Unit::Count),
            ("click_through", "led to a click", Unit::Share),
            ("mean_click_position", "Place clicked", Unit::Number),
        ];
        let top = search_log::most_frequent(db, self.span.from, self.span.to, SEARCHES).await?;
        let empty = search_log::without_hits(db, self.span.from, self.span.to, SEARCHES).await?;
        for (key, title, lines) in [
            ("top_searches", "Most frequent searches", top),
            ("searches_without_hits", "Searches that never found anything", empty),
        ] {
            let mut table = Table::new(key, title, &columns);
            for line in lines {
                let click_through = Amount::Real(line.click_through());
                table.row(
                    line.text,
                    None,
                    vec![
                        Some(Amount::Whole(line.searches)),
                        Some(Amount::Whole(line.without_hits)),
                        Some(click_through),
                        line.mean_click_position.map(Amount::Real),
                    ],
                );
            }
            section.tables.push(table);
        }
        section.series.push(self.series("searches_by_day", "Searches by day", |day| {
            Some(daily.searches.get(&day).copied().unwrap_or_default())
        }));
        Ok(section)
    }

    /// Of those who registered in one week, how many did something in each week after. Weeks are counted back from the period's end.
    async fn retention(&self, db: &mut Conn, daily: &ByDay) -> anyhow::Result<Section> {
        let mut section = Section::new("retention", "Who stays");
        let title = "Came back in the week after they registered";
        if let Err(reason) = daily.active(0, ACTIVE_DAYS) {
            section.no_data("second_week", title, Unit::Share, reason);
            return Ok(section);
        }
        let end = self.period.end();
        let first = end - Days::new((WEEKS * WEEK) as u64);
        let mut sizes = [0_u64; WEEKS];
        let mut stayed = [[0_u64; WEEKS]; WEEKS];
        let last = end - Days::new(1);
        let span = self.calendar.between(first, end);
        sources::registered(db, span, |user, at| {
            let back = (last - self.calendar.day_of(at)).num_days();
            let Some(week) = usize::try_from(back)
                .ok()
                .map(|back| back / WEEK)
                .filter(|week| *week < WEEKS)
            else {
                return;
            };
            sizes[week] += 1;
            let bits = daily.active.get(&user.0).copied().unwrap_or_default();
            for (after, count) in stayed[week].iter_mut().enumerate().take(week + 1).skip(1) {
                if bits & mask(((week - after) * WEEK) as u64, WEEK as u64) != 0 {
                    *count += 1;
                }
            }
        })
        .await?;
        let titles: Vec<(String, String)> = (1..WEEKS)
            .map(|week| (format!("week_{week}"), format!("week {week}")))
            .collect();
        let mut columns = vec![("registered", "Registered", Unit::Count)];
        columns.extend(titles.iter().map(|(key, title)| (key.as_str(), title.as_str(), Unit::Share)));
        let mut table = Table::new(
            "cohorts",
            "Of those who registered in a week, the part that did something in each week after",
            &columns,
        );
        for week in (1..WEEKS).rev() {
            let first = end - Days::new(((week + 1) * WEEK) as u64);
            let mut values = vec![Some(Amount::Whole(sizes[week]))];
            values.extend((1..WEEKS).map(|after| {
                let is_over = after <= week;
                is_over.then(|| share(stayed[week][after], sizes[week]).ok()).flatten()
            }));
            table.row(format!("from {first}"), None, values);
        }
        section.number(
            "second_week",
            title,
            Unit::Share,
            share(stayed[1][1], sizes[1]),
            share(stayed[2][1], sizes[2]).ok(),
        );
        section.tables.push(table);
        Ok(section)
    }

    /// Whether what is measured now says something about the period.
    fn is_still_now(&self) -> bool {
        self.now - self.span.to < STILL_NOW
    }

    async fn jobs(&self, db: &mut Conn, earlier: Option<&Report>) -> anyhow::Result<Section> {
        let mut section = Section::new("jobs", "Jobs");
        let before = |key: &str| earlier.and_then(|report| report.value("jobs", key));
        if self.is_still_now() {
            let dead = sources::dead_letters(db).await?;
            let waiting = sources::waiting_jobs(db).await?;
            let oldest = waiting.iter().map(|queue| queue.oldest_s).fold(0.0, f64::max);
            let jobs: u64 = waiting.iter().map(|queue| queue.jobs).sum();
            let mut add = |key: &str, title: &str, unit, value: Amount| {
                section.number(key, title, unit, Ok(value), before(key));
            };
            add("dead_letters", "Dead letters, when this was made", Unit::Count, dead.into());
            add(
                "waiting",
                "Due jobs that waited, when this was made",
                Unit::Count,
                jobs.into(),
            );
            add("oldest_waiting", "The longest wait among them", Unit::Seconds, oldest.into());
        } else {
            section.no_data("dead_letters", "Dead letters", Unit::Count, LONG_PAST);
            section.no_data("waiting", "Due jobs that waited", Unit::Count, LONG_PAST);
            section.no_data("oldest_waiting", "The longest wait among them", Unit::Seconds, LONG_PAST);
        }
        let kept_since = self.now - TimeDelta::days(self.context.settings.jobs.keep_done_days.into());
        let columns = [
            ("done", "Done", Unit::Count),
            ("retried", "took more than one attempt", Unit::Count),
            ("dead", "Died", Unit::Count),
            ("mean_s", "From due to done, in the mean", Unit::Seconds),
        ];
        let mut table = Table::new("queues", "Jobs that ended, by queue", &columns);
        if self.span.from < kept_since {
            let reason = "finished jobs of that time were deleted (`jobs.keep_done_days`)";
            section.no_data("done", "Jobs done", Unit::Count, reason);
            table.no_data = Some(reason.to_owned());
        } else {
            let ended = sources::ended_jobs(db, self.span).await?;
            section.number(
                "done",
                "Jobs done",
                Unit::Count,
                Ok(ended.iter().map(|queue| queue.done).sum::<u64>().into()),
                before("done"),
            );
            section.number(
                "died",
                "Jobs that died and were not tried again",
                Unit::Count,
                Ok(ended.iter().map(|queue| queue.dead).sum::<u64>().into()),
                before("died"),
            );
            for queue in ended {
                table.row(
                    queue.queue,
                    None,
                    vec![
                        Some(queue.done.into()),
                        Some(queue.retried.into()),
                        Some(queue.dead.into()),
                        queue.mean_s.map(Amount::Real),
                    ],
                );
            }
        }
        section.tables.push(table);
        Ok(section)
    }

    async fn storage(&self, db: &mut Conn, earlier: Option<&Report>) -> anyhow::Result<Section> {
        let mut section = Section::new("storage", "Storage");
        if !self.is_still_now() {
            section.no_data("database", "Database", Unit::Bytes, LONG_PAST);
            section.no_data("files", "Uploaded files", Unit::Count, LONG_PAST);
            return Ok(section);
        }
        let tables = sources::table_sizes(db).await?;
        let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
        let before = |key: &str| earlier.and_then(|report| report.value("storage", key));
        section.number(
            "database",
            "Database, as the server estimates it",
            Unit::Bytes,
            Ok(bytes.into()),
            before("database"),
        );
        let listed = self
            .context
            .files
            .list()
            .try_fold((0_u64, 0_u64), |(count, bytes), file| {
                std::future::ready(Ok((count + 1, bytes + file.size)))
            })
            .await;
        match listed {
            Ok((count, bytes)) => {
                section.number("files", "Uploaded files", Unit::Count, Ok(count.into()), before("files"));
                section.number(
                    "file_bytes",
                    "All of them",
                    Unit::Bytes,
                    Ok(bytes.into()),
                    before("file_bytes"),
                );
            }
            // A report without this is better than none.
            Err(error) => {
                tracing::warn!(%error, "the file store could not be listed for a report");
                section.no_data("files", "Uploaded files", Unit::Count, "the file store could not be listed");
            }
        }
        let columns = [("bytes", "Size", Unit::Bytes), ("rows", "Rows, roughly", Unit::Count)];
        let mut table = Table::new("tables", "Largest tables", &columns);
        for size in tables.into_iter().take(TABLES) {
            table.row(size.name, None, vec![Some(size.bytes.into()), Some(size.rows.into())]);
        }
        section.tables.push(table);
        Ok(section)
    }

    async fn counts(&self, db: &mut Conn) -> anyhow::Result<Section> {
        let mut section = Section::new("counts", "Kept counts");
        let now = recount::runs(db, self.span).await?;
        let before = recount::runs(db, self.span_before).await?;
        section.count(
            "reconciliations",
            "Times that all counts were compared",
            now.runs,
            before.runs,
        );
        if now.runs == 0 {
            section.no_data(
                "repaired",
                "Rows whose counts were wrong",
                Unit::Count,
                "counts were not compared",
            );
            return Ok(section);
        }
        section.count(
            "repaired",
            "Rows whose counts were wrong, and were mended",
            now.repaired(),
            before.repaired(),
        );
        let mut table = Table::new(
            "repaired",
            "Wrong counts by what they were of",
            &[("rows", "Rows", Unit::Count)],
        );
        for (name, count) in now.by_kind() {
            table.row(name, None, vec![Some(count.into())]);
        }
        section.tables.push(table);
        Ok(section)
    }

    fn highlights(&self, daily: &ByDay, sections: &[Section], checks: &[Check]) -> Vec<String> {
        let mut found = Vec::new();
        let pick = |of: fn(&Sums) -> u64| -> BTreeMap<NaiveDate, u64> {
            let sums = daily.sums.iter().flatten();
            sums.map(|(day, sums)| (*day, of(sums))).collect()
        };
        let last = self.period.end() - Days::new(1);
        let active = (0..ACTIVE_DAYS)
            .map(|back| (last - Days::new(back), daily.active_within(back, 1)))
            .collect();
        let active_since = last - Days::new(ACTIVE_DAYS - 1);
        let searched_since = self
            .calendar
            .day_of(self.now - TimeDelta::days(self.context.settings.search_log.keep_days.into()));
        let (views, downloads, reactions) = (
            pick(|sums| sums.views),
            pick(|sums| sums.downloads),
            pick(|sums| sums.reactions()),
        );
        for (noun, counts, since) in [
            ("views", &views, daily.since),
            ("downloads", &downloads, daily.since),
            ("reactions", &reactions, daily.since),
            ("uploads", &daily.uploads, daily.since),
            ("new accounts", &daily.registrations, daily.since),
            (
                "active accounts",
                &active,
                daily.since.max(active_since).max(daily.kept_since),
            ),
            ("searches", &daily.searches, daily.since.max(searched_since)),
        ] {
            let line = Daily { noun, counts, since };
            found.extend(self.period.days().filter_map(|day| anomalies::called_out(&line, day)));
        }
        let value = |section: &str, key: &str| {
            let section = sections.iter().find(|candidate| candidate.key == section)?;
            let figure = section.figures.iter().find(|figure| figure.key == key)?;
            figure.value.map(Amount::as_f64)
        };
        if let Some(dead) = value("jobs", "dead_letters").filter(|dead| *dead > 0.0) {
            found.push(format!("Dead letters: {dead}. `cookbook jobs dead` lists them, with why."));
        }
        if let Some(repaired) = value("counts", "repaired").filter(|repaired| *repaired > 0.0) {
            found.push(format!("Counts of {repaired} rows were wrong and have been mended."));
        }
        for check in checks.iter().filter(|check| !check.holds) {
            found.push(format!(
                "Does not add up: {}: {} and {}. Something changed while this was made, or roll-ups are behind; make it again.",
                check.what, check.one, check.other
            ));
        }
        found
    }
}

/// Why there is no number where a zone's days do not begin with an hour of UTC.
const OFF_THE_HOUR: &str = "kept by hours of UTC, with which days of this time zone do not begin";

fn sorted(mut values: Vec<u32>) -> Vec<u32> {
    values.sort_unstable();
    values
}

/// The value that a part of all (sorted, in milliseconds) does not exceed, in seconds: nearest rank.
fn quantile(sorted: &[u32], part: f64) -> Option<Amount> {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    let value = sorted.get(rank.max(1) - 1)?;
    Some(Amount::Real(f64::from(*value) / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let waits = sorted(vec![3000, 1000, 2000, 10_000]);
        assert_eq!(quantile(&waits, 0.5), Some(Amount::Real(2.0)));
        assert_eq!(quantile(&waits, 0.95), Some(Amount::Real(10.0)));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn masks_are_of_days_back_from_the_last() {
        assert_eq!(mask(0, 1), 1);
        assert_eq!(mask(7, 7), 0b11_1111_1000_0000);
        assert_eq!(mask(31, 31).count_ones(), 31);
        assert_eq!(mask(30, 30).leading_zeros(), 4, "two months fit");
    }
}
