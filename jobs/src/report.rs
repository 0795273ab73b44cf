//! What a report is: sections of figures, series and tables, each figure from rows or "no data" with the reason.
//!
//! All forms of a report – page, tables for programs, mail – are made from this one shape, so a new figure is written once, in
//! `content`.

mod anomalies;
pub(crate) mod calendar;
mod chart;
mod cohorts;
mod content;
mod leaders;
mod operations;
mod page;
mod searches;
mod tables;
mod text;
mod usage;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use store::report::ReportKind;

pub(crate) use calendar::Calendar;
pub(crate) use content::compute;
pub(crate) use page::page;
pub(crate) use tables::{csv, parquet};
pub use text::text;

/// The last period of a kind that is over by the clock of `reports.zone`.
///
/// # Errors
/// The zone is unknown.
pub fn last_complete(context: &crate::Context, kind: ReportKind) -> anyhow::Result<store::report::Period> {
    let calendar = Calendar::of(&context.settings.reports.zone).context("`reports.zone`")?;
    Ok(calendar.last_complete(kind, Utc::now()))
}

/// The form of [`Report`]. A reader of stored reports knows by it what to expect; raised when a field changes its meaning.
pub const SHAPE: u32 = 1;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// See [`SHAPE`].
    pub shape: u32,
    /// How long its period is.
    pub report: ReportKind,
    /// Its period, such as `2026-03-01`.
    pub period: String,
    /// The period before, which it compares with.
    pub previous_period: String,
    /// The time zone whose midnights it keeps to.
    pub zone: String,
    /// Its first moment.
    pub starts_at: DateTime<Utc>,
    /// The first moment after it.
    pub ends_at: DateTime<Utc>,
    /// When it was made.
    pub generated_at: DateTime<Utc>,
    /// What is out of the ordinary, in words.
    pub highlights: Vec<String>,
    /// All the rest.
    pub sections: Vec<Section>,
    /// Sums that were made in two ways and must agree.
    pub checks: Vec<Check>,
}

/// Figures about one thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its name for programs.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// Single numbers.
    pub figures: Vec<Figure>,
    /// Numbers by day.
    pub series: Vec<Series>,
    /// Lists.
    pub tables: Vec<Table>,
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// So many.
    Count,
    /// A part of 1.
    Share,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A mean or a position.
    Number,
}

/// A number, whole where it counts something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// Counted.
    Whole(u64),
    /// Measured.
    Real(f64),
}

impl Amount {
    /// As a float.
    pub fn as_f64(self) -> f64 {
        match self {
            Amount::Whole(count) => count as f64,
            Amount::Real(value) => value,
        }
    }
}

impl From<u64> for Amount {
    fn from(count: u64) -> Self {
        Amount::Whole(count)
    }
}

impl From<f64> for Amount {
    fn from(value: f64) -> Self {
        Amount::Real(value)
    }
}

/// A single number, and what it was in the period before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name for programs.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// What it is.
    pub unit: Unit,
    /// The number; none where there is no data.
    pub value: Option<Amount>,
    /// The number of the period before, where there is one.
    pub before: Option<Amount>,
    /// Why there is no number.
    pub no_data: Option<String>,
}

/// Numbers by day, and those of the period before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name for programs.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// One a day.
    pub points: Vec<Point>,
}

/// A day's number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The day.
    pub day: chrono::NaiveDate,
    /// Its number; none where there is no data.
    pub value: Option<u64>,
    /// The number of the same day of the period before, where both have one.
    pub before: Option<u64>,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name for programs.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// What stands in each line beside its name.
    pub columns: Vec<Column>,
    /// The lines.
    pub rows: Vec<Row>,
    /// Why it has none, if that is not since nothing happened.
    pub no_data: Option<String>,
}

/// A column of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name for programs.
    pub key: String,
    /// Its name for people.
    pub title: String,
    /// What its numbers are.
    pub unit: Unit,
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is about, as people wrote it.
    pub name: String,
    /// More about it.
    pub detail: Option<String>,
    /// One for each column.
    pub values: Vec<Option<Amount>>,
}

/// Two sums of the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was summed, and how.
    pub what: String,
    /// One way.
    pub one: u64,
    /// The other.
    pub other: u64,
    /// Whether they agree.
    pub holds: bool,
}

impl Report {
    /// A figure's value, if there is such a one.
    pub fn value(&self, section: &str, key: &str) -> Option<Amount> {
        self.figure(section, key)?.value
    }

    /// A figure.
    pub fn figure(&self, section: &str, key: &str) -> Option<&Figure> {
        let section = self.sections.iter().find(|candidate| candidate.key == section)?;
        section.figures.iter().find(|figure| figure.key == key)
    }

    /// A list.
    pub fn table(&self, section: &str, key: &str) -> Option<&Table> {
        let section = self.sections.iter().find(|candidate| candidate.key == section)?;
        section.tables.iter().find(|table| table.key == key)
    }
}

impl Section {
    pub(crate) fn new(key: &str, title: &str) -> Self {
        Self {
            key: key.to_owned(),
            title: title.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a count.
    pub(crate) fn count(&mut self, key: &str, title: &str, value: u64, before: impl Into<Option<u64>>) {
        let before = before.into().map(Amount::Whole);
        self.add(key, title, Unit::Count, Some(Amount::Whole(value)), before, None);
    }

    /// Adds a number, or why there is none.
    pub(crate) fn number(&mut self, key: &str, title: &str, unit: Unit, value: Result<Amount, &str>, before: Option<Amount>) {
        match value {
            Ok(value) => self.add(key, title, unit, Some(value), before, None),
            Err(reason) => self.add(key, title, unit, None, before, Some(reason)),
        }
    }

    /// Adds a figure that no row tells.
    pub(crate) fn no_data(&mut self, key: &str, title: &str, unit: Unit, reason: &str) {
        self.add(key, title, unit, None, None, Some(reason));
    }

    fn add(&mut self, key: &str, title: &str, unit: Unit, value: Option<Amount>, before: Option<Amount>, no_data: Option<&str>) {
        self.figures.push(Figure {
            key: key.to_owned(),
            title: title.to_owned(),
            unit,
            value,
            before,
            no_data: no_data.map(str::to_owned),
        });
    }
}

impl Table {
    pub(crate) fn new(key: &str, title: &str, columns: &[(&str, &str, Unit)]) -> Self {
        Self {
            key: key.to_owned(),
            title: title.to_owned(),
            columns: columns
                .iter()
                .map(|(key, title, unit)| Column {
                    key: (*key).to_owned(),
                    title: (*title).to_owned(),
                    unit: *unit,
                })
                .collect(),
            rows: Vec::new(),
            no_data: None,
        }
    }

    /// Adds a line.
    pub(crate) fn row(&mut self, name: impl Into<String>, detail: Option<String>, values: Vec<Option<Amount>>) {
        debug_assert_eq!(values.len(), self.columns.len(), "a value for each column");
        self.rows.push(Row {
            name: name.into(),
            detail,
            values,
        });
    }
}

/// A number as people read it.
pub(crate) fn shown(amount: Amount, unit: Unit) -> String {
    let value = amount.as_f64();
    match unit {
        Unit::Count => grouped(value.round().max(0.0) as u64),
        Unit::Share => format!("{:.1} %", value * 100.0),
        Unit::Seconds if value >= 7200.0 => format!("{:.1} h", value / 3600.0),
        Unit::Seconds if value >= 120.0 => format!("{:.1} min", value / 60.0),
        Unit::Seconds if value > 0.0 && value < 1.0 => format!("{:.1} ms", value * 1000.0),
        Unit::Seconds => format!("{value:.1} s"),
        Unit::Bytes => bytes(value),
        Unit::Number => format!("{value:.1}"),
    }
}

/// Thousands apart, by a narrow space as the SI writes them.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

fn bytes(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return format!(
                "{} {unit}",
                if unit == "B" {
                    format!("{value:.0}")
                } else {
                    format!("{value:.1}")
                }
            );
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// How a number moved, in percent; nothing where there is nothing to compare with.
pub(crate) fn moved(value: Option<Amount>, before: Option<Amount>) -> Option<String> {
    let (value, before) = (value?.as_f64(), before?.as_f64());
    if value == before {
        return Some("as before".to_owned());
    }
    if before == 0.0 {
        return Some("from none".to_owned());
    }
    let percent = (value - before) / before * 100.0;
    Some(format!("{percent:+.0} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        for (amount, unit, text) in [
            (Amount::Whole(0), Unit::Count, "0"),
            (Amount::Whole(1_234_567), Unit::Count, "1\u{202f}234\u{202f}567"),
            (Amount::Real(0.0312), Unit::Share, "3.1 %"),
            (Amount::Real(0.0024), Unit::Seconds, "2.4 ms"),
            (Amount::Real(90.0), Unit::Seconds, "90.0 s"),
            (Amount::Real(600.0), Unit::Seconds, "10.0 min"),
            (Amount::Real(7200.0), Unit::Seconds, "2.0 h"),
            (Amount::Whole(999), Unit::Bytes, "999 B"),
            (Amount::Whole(1_500_000), Unit::Bytes, "1.5 MB"),
        ] {
            assert_eq!(shown(amount, unit), text);
        }
        let whole = |count| Some(Amount::Whole(count));
        assert_eq!(moved(whole(15), whole(10)).as_deref(), Some("+50 %"));
        assert_eq!(moved(whole(0), whole(10)).as_deref(), Some("-100 %"));
        assert_eq!(moved(whole(3), whole(0)).as_deref(), Some("from none"));
        assert_eq!(moved(whole(3), None), None);
    }

    #[test]
    fn counts_stay_whole_in_json() {
        let json = serde_json::to_string(&[Amount::Whole(3), Amount::Real(3.0)]).expect("json");
        assert_eq!(json, "[3,3.0]");
        assert_eq!(
            serde_json::from_str::<Vec<Amount>>(&json).expect("amounts"),
            [Amount::Whole(3), Amount::Real(3.0)]
        );
    }
}
