//! What a report says, section by section.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use store::report::sources::{self, Between, Fate, Sums};
use store::report::{self, Period, ReportKind};
use store::{Conn, WorkflowId};

use super::anomalies::{self, Daily};
use super::leaders::leaders;
use super::{Amount, Calendar, Check, Point, Report, SHAPE, Section, Series, Table, Unit};
use crate::Context;

/// Days of which it is known who was active, the period's last one first: two months, and as many as a word has bits.
pub(super) const ACTIVE_DAYS: u64 = 63;

/// Days of a week.
pub(super) const WEEK: usize = 7;

/// Days of the lines in a day's report.
const LINE_DAYS: u64 = 28;

/// Why there is no number, where several say so.
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
        maker.feed(&mut db).await?,
        maker.recommendations(&mut db).await?,
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
pub(super) struct Maker<'a> {
    pub(super) context: &'a Context,
    pub(super) calendar: Calendar,
    pub(super) period: Period,
    pub(super) now: DateTime<Utc>,
    pub(super) span: Between,
    pub(super) span_before: Between,
}

/// Counts by day, from before the period, so that it can be compared.
pub(super) struct ByDay {
    registrations: BTreeMap<NaiveDate, u64>,
    uploads: BTreeMap<NaiveDate, u64>,
    pub(super) searches: BTreeMap<NaiveDate, u64>,
    /// None where days do not begin with an hour.
    sums: Option<BTreeMap<NaiveDate, Sums>>,
    /// By account, the days on which it did something: bit 0 is the period's last day.
    pub(super) active: HashMap<u64, u64>,
    /// The period's last day.
    last: NaiveDate,
    /// The day of the first account.
    since: NaiveDate,
    /// The first day of which no views and downloads were dropped.
    kept_since: NaiveDate,
}

impl ByDay {
    /// As [`ByDay::active_within`], if all that tells is still there.
    pub(super) fn active(&self, back: u64, days: u64) -> Result<u64, &'static str> {
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

pub(super) fn mask(back: u64, days: u64) -> u64 {
    ((1_u64 << days) - 1) << back
}

/// Sums the days of a period.
pub(super) fn sum(counts: &BTreeMap<NaiveDate, u64>, period: Period) -> u64 {
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

pub(super) fn check(what: &str, one: u64, other: u64) -> Check {
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
    pub(super) fn series(&self, key: &str, title: &str, of: impl Fn(NaiveDate) -> Option<u64>) -> Series {
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
        let waits = sources::parse_waits_ms(db, self.span).await?;
        let before = sources::parse_waits_ms(db, self.span_before).await?;
        let keys = ["parse_p50", "parse_p95"];
        add_waits(
            &mut section,
            keys,
            "From upload to parsed",
            waits,
            before,
            "nothing was parsed",
        );
        let waits = sources::searchable_waits_ms(db, self.span).await?;
        let before = sources::searchable_waits_ms(db, self.span_before).await?;
        let keys = ["searchable_p50", "searchable_p95"];
        let none = "of nothing it was noted when it was found first";
        add_waits(&mut section, keys, "From published to found", waits, before, none);
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

/// Adds how long half of some, and 95 of 100, had to wait at most: milliseconds, shown in seconds.
fn add_waits(section: &mut Section, keys: [&str; 2], what: &str, waits: Vec<u32>, before: Vec<u32>, none: &str) {
    let (waits, before) = (sorted(waits), sorted(before));
    for (key, (of, part)) in keys.into_iter().zip([("half of them", 0.5), ("95 of 100", 0.95)]) {
        let title = format!("{what}, {of} within");
        let value = quantile(&waits, part).ok_or(none);
        section.number(key, &title, Unit::Seconds, value, quantile(&before, part));
    }
}

/// Why there is no number where a zone's days do not begin with an hour of UTC.
pub(super) const OFF_THE_HOUR: &str = "kept by hours of UTC, with which days of this time zone do not begin";

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
