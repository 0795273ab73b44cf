//! Days, weeks and months as reports have them, without a time zone: dates on somebody's calendar.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

/// Years that reports can be of: before Live there was nothing to share, and columns end with the last.
const FIRST_YEAR: i32 = 2000;
const LAST_YEAR: i32 = 9998;

/// How long a report's period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// A day.
    Daily,
    /// Monday to Sunday.
    Weekly,
    /// A calendar month.
    Monthly,
}

impl ReportKind {
    /// All of them, the shortest first.
    pub const ALL: [ReportKind; 3] = [ReportKind::Daily, ReportKind::Weekly, ReportKind::Monthly];

    /// Its name, in rows and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            ReportKind::Daily => "daily",
            ReportKind::Weekly => "weekly",
            ReportKind::Monthly => "monthly",
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReportKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| format!("there is no report `{name}`; there are `daily`, `weekly` and `monthly`"))
    }
}

/// One day, week or month. Prints as `2026-03-01`, `2026-W09` (ISO 8601) or `2026-03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    kind: ReportKind,
    first: NaiveDate,
}

impl Period {
    /// The period that a day is in.
    pub fn containing(kind: ReportKind, day: NaiveDate) -> Self {
        let first = match kind {
            ReportKind::Daily => day,
            ReportKind::Weekly => day.week(Weekday::Mon).checked_first_day().unwrap_or(day),
            ReportKind::Monthly => day.with_day(1).unwrap_or(day),
        };
        Self { kind, first }
    }

    /// Reads what [`Period`] prints.
    ///
    /// # Errors
    /// It is none of this kind.
    pub fn parse(kind: ReportKind, text: &str) -> Result<Self, String> {
        let first = match kind {
            ReportKind::Daily => text.parse().ok(),
            ReportKind::Weekly => text
                .split_once("-W")
                .and_then(|(year, week)| NaiveDate::from_isoywd_opt(year.parse().ok()?, week.parse().ok()?, Weekday::Mon)),
            ReportKind::Monthly => format!("{text}-01").parse().ok(),
        };
        first
            .map(|first| Self { kind, first })
            // What reads otherwise would be another row's name for the same.
            .filter(|period| period.to_string() == text && (FIRST_YEAR..=LAST_YEAR).contains(&period.first.year()))
            .ok_or_else(|| {
                let example = match kind {
                    ReportKind::Daily => "2026-03-01",
                    ReportKind::Weekly => "2026-W09",
                    ReportKind::Monthly => "2026-03",
                };
                format!("`{text}` is no period of a {kind} report, such as `{example}`")
            })
    }

    /// How long it is.
    pub fn kind(self) -> ReportKind {
        self.kind
    }

    /// Its first day.
    pub fn first(self) -> NaiveDate {
        self.first
    }

    /// The first day after it.
    pub fn end(self) -> NaiveDate {
        let end = match self.kind {
            ReportKind::Daily => self.first.checked_add_days(Days::new(1)),
            ReportKind::Weekly => self.first.checked_add_days(Days::new(7)),
            ReportKind::Monthly => self.first.checked_add_months(Months::new(1)),
        };
        end.unwrap_or(NaiveDate::MAX)
    }

    /// The one before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::containing(self.kind, self.first.pred_opt().unwrap_or(NaiveDate::MIN))
    }

    /// Its days.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> {
        let end = self.end();
        self.first.iter_days().take_while(move |day| *day < end)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ReportKind::Daily => write!(f, "{}", self.first.format("%Y-%m-%d")),
            ReportKind::Weekly => write!(f, "{}", self.first.format("%G-W%V")),
            ReportKind::Monthly => write!(f, "{}", self.first.format("%Y-%m")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_as_it_is_printed_and_its_days_touch_those_of_the_one_before() {
        for (kind, text, first, end) in [
            (ReportKind::Daily, "2026-03-01", "2026-03-01", "2026-03-02"),
            (ReportKind::Daily, "2024-02-29", "2024-02-29", "2024-03-01"),
            // The first days of 2027 are in the last week of 2026.
            (ReportKind::Weekly, "2026-W53", "2026-12-28", "2027-01-04"),
            (ReportKind::Weekly, "2026-W09", "2026-02-23", "2026-03-02"),
            (ReportKind::Monthly, "2026-12", "2026-12-01", "2027-01-01"),
        ] {
            let period = Period::parse(kind, text).expect(text);
            assert_eq!(
                (period.first().to_string(), period.end().to_string()),
                (first.to_owned(), end.to_owned())
            );
            assert_eq!(period.to_string(), text);
            assert_eq!(period.previous().end(), period.first());
            assert!(period.days().all(|day| Period::containing(kind, day) == period));
        }
        for (kind, wrong) in [
            (ReportKind::Daily, "2026-02-30"),
            (ReportKind::Daily, "2026-3-1"),
            (ReportKind::Weekly, "2025-W53"),
            (ReportKind::Weekly, "2026-W9"),
            (ReportKind::Monthly, "2026-13"),
            (ReportKind::Monthly, "2026-03-01"),
            (ReportKind::Daily, "+2026-03-01"),
            (ReportKind::Daily, "0001-01-01"),
            (ReportKind::Monthly, "9999-12"),
            (ReportKind::Daily, ""),
        ] {
            assert!(Period::parse(kind, wrong).is_err(), "{wrong}");
        }
    }
}
