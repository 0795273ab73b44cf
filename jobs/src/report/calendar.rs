//! Days in a time zone.

use anyhow::{Context as _, anyhow};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use store::report::sources::{Between, QUARTER_S};
use store::report::{Period, ReportKind};

/// Seconds of an hour, by which roll-ups are kept.
const HOUR_S: i64 = 3600;

/// Somebody's calendar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar {
    zone: Tz,
}

/// From the first moment of a day to the first after another, in a zone of the IANA database.
///
/// # Errors
/// There is no such zone, or the days are out of all range.
pub fn span_of_days(zone: &str, first: NaiveDate, last: NaiveDate) -> anyhow::Result<(DateTime<Utc>, DateTime<Utc>)> {
    let end = last.checked_add_days(Days::new(1)).context("a day out of range")?;
    let between = Calendar::of(zone)?.between(first, end);
    Ok((between.from, between.to))
}

impl Calendar {
    /// The calendar of a zone of the IANA database, such as `Europe/Berlin`.
    pub(crate) fn of(zone: &str) -> anyhow::Result<Self> {
        let zone = zone
            .parse()
            .map_err(|_| anyhow!("`{zone}` is no time zone, such as `UTC` or `Europe/Berlin`"))?;
        Ok(Self { zone })
    }

    /// Its zone.
    pub(crate) fn zone(self) -> Tz {
        self.zone
    }

    /// The first moment of a day. Where clocks are put forward at midnight, a day begins later; where they are put back, earlier.
    pub(crate) fn start_of(self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        (0..=96)
            .find_map(|quarters| {
                let at = midnight + TimeDelta::seconds(quarters * QUARTER_S);
                self.zone.from_local_datetime(&at).earliest()
            })
            .map_or_else(|| midnight.and_utc(), |at| at.with_timezone(&Utc))
    }

    /// The day of a moment.
    pub(crate) fn day_of(self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// From the beginning of the first day to the beginning of the other.
    pub(crate) fn between(self, first: NaiveDate, end: NaiveDate) -> Between {
        Between {
            from: self.start_of(first),
            to: self.start_of(end),
        }
    }

    /// A whole period.
    pub(crate) fn span(self, period: Period) -> Between {
        self.between(period.first(), period.end())
    }

    /// The last period that is over.
    pub(crate) fn last_complete(self, kind: ReportKind, now: DateTime<Utc>) -> Period {
        Period::containing(kind, self.day_of(now)).previous()
    }

    /// Whether its days are those of UTC.
    pub(crate) fn is_utc(self, first: NaiveDate, end: NaiveDate) -> bool {
        self.all(first, end, |calendar, day| {
            calendar.start_of(day) == day.and_time(NaiveTime::MIN).and_utc()
        })
    }

    /// Whether its days begin with an hour of UTC, so that they can be summed from hours.
    pub(crate) fn keeps_to_hours(self, first: NaiveDate, end: NaiveDate) -> bool {
        self.all(first, end, |calendar, day| calendar.start_of(day).timestamp() % HOUR_S == 0)
    }

    fn all(self, first: NaiveDate, end: NaiveDate, is_so: impl Fn(Self, NaiveDate) -> bool) -> bool {
        first.iter_days().take_while(|day| *day <= end).all(|day| is_so(self, day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_where_clocks_say() {
        let day = |text: &str| text.parse().expect("a day");
        for (zone, date, start, hours) in [
            ("UTC", "2026-03-29", "2026-03-29T00:00:00Z", 24),
            // Clocks are put forward at 2, and back at 3.
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23),
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25),
            // Put forward at midnight: the day begins at one.
            ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z", 23),
            ("Asia/Kolkata", "2026-03-29", "2026-03-28T18:30:00Z", 24),
        ] {
            let calendar = Calendar::of(zone).expect(zone);
            let span = calendar.span(Period::containing(ReportKind::Daily, day(date)));
            assert_eq!(span.from, start.parse::<DateTime<Utc>>().expect("a time"), "{zone} {date}");
            assert_eq!((span.to - span.from).num_hours(), hours, "{zone} {date}");
            assert_eq!(calendar.day_of(span.from), day(date));
            assert_eq!(calendar.day_of(span.to - TimeDelta::seconds(1)), day(date));
        }
        let (first, end) = (day("2026-03-01"), day("2026-04-01"));
        assert!(Calendar::of("Asia/Tokyo").is_ok_and(|tokyo| tokyo.keeps_to_hours(first, end) && !tokyo.is_utc(first, end)));
        assert!(Calendar::of("Asia/Kolkata").is_ok_and(|kolkata| !kolkata.keeps_to_hours(first, end)));
        assert!(Calendar::of("UTC").is_ok_and(|utc| utc.is_utc(first, end)));
        assert!(Calendar::of("Mars/Olympus").is_err());
    }
}
