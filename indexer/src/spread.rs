//! How a number is spread over documents: smallest, largest, sum, and a histogram.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime};

use crate::number::Number;
use crate::response::{NumberCounts, Step};

/// Most steps of a histogram; the last takes everything larger. Days are counted until the year 2079.
const MAX_STEPS: usize = 512;
const MAX_DAYS: usize = 40_000;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// How far the documents so far are spread.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    number: Number,
    width: f64,
    min: f64,
    max: f64,
    sum: f64,
    count: u64,
    /// By step, from 0 up.
    steps: Vec<u64>,
}

impl Spread {
    pub(crate) fn of(number: Number) -> Self {
        Self {
            number,
            width: width_of(number),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sum: 0.0,
            count: 0,
            steps: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn count(&mut self, number: Option<f64>) {
        let Some(number) = number else { return };
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        self.sum += number;
        self.count += 1;
        let most = if self.number == Number::Uploaded {
            MAX_DAYS
        } else {
            MAX_STEPS
        };
        let step = ((number / self.width) as usize).min(most - 1);
        if step >= self.steps.len() {
            self.steps.resize(step + 1, 0);
        }
        self.steps[step] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        self.count += other.count;
        if other.steps.len() > self.steps.len() {
            self.steps.resize(other.steps.len(), 0);
        }
        for (sum, count) in self.steps.iter_mut().zip(&other.steps) {
            *sum += count;
        }
    }

    pub(crate) fn into_counts(self) -> NumberCounts {
        let steps = if self.number == Number::Uploaded {
            months(&self.steps)
        } else {
            (0..)
                .zip(&self.steps)
                .filter(|(_, count)| **count > 0)
                .map(|(step, count)| Step {
                    from: f64::from(step) * self.width,
                    to: f64::from(step + 1) * self.width,
                    count: *count,
                })
                .collect()
        };
        NumberCounts {
            number: self.number,
            min: self.min.is_finite().then_some(self.min),
            max: self.max.is_finite().then_some(self.max),
            sum: self.sum,
            count: self.count,
            steps,
        }
    }
}

/// Width of a step: what a slider or a bar of a chart stands for. Steps of the time of upload are months.
fn width_of(number: Number) -> f64 {
    match number {
        Number::Bpm => 10.0,
        Number::Rating => 0.5,
        Number::Downloads | Number::Likes => 100.0,
        Number::DeviceCount | Number::ChainCount => 5.0,
        Number::MacroCount => 1.0,
        Number::Uploaded => DAY,
        Number::Id => 10_000.0,
    }
}

/// Days since 1970 become months, in UTC.
fn months(days: &[u64]) -> Vec<Step> {
    let mut months: BTreeMap<NaiveDate, u64> = BTreeMap::new();
    for (day, count) in (0_i64..).zip(days).filter(|(_, count)| **count > 0) {
        let time = DateTime::from_timestamp(day * 86_400, 0).unwrap_or_default();
        let date = time.date_naive();
        let first = date - Days::new(u64::from(date.day0()));
        *months.entry(first).or_default() += count;
    }
    let seconds = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc().timestamp() as f64;
    months
        .into_iter()
        .map(|(first, count)| Step {
            from: seconds(first),
            to: seconds(first + Months::new(1)),
            count,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_months_whose_ends_are_those_of_the_calendar() {
        let mut spread = Spread::of(Number::Uploaded);
        let at = |text: &str| text.parse::<DateTime<chrono::Utc>>().expect("a time").timestamp() as f64;
        for text in [
            "2024-02-01T00:00:00Z",
            "2024-02-29T23:59:59Z",
            "2024-03-01T00:00:00Z",
            "1970-01-31T23:00:00Z",
        ] {
            spread.count(Some(at(text)));
        }
        let counts = spread.into_counts();
        let steps: Vec<_> = counts.steps.iter().map(|step| (step.from, step.to, step.count)).collect();
        assert_eq!(
            steps,
            [
                (0.0, at("1970-02-01T00:00:00Z"), 1),
                (at("2024-02-01T00:00:00Z"), at("2024-03-01T00:00:00Z"), 2),
                (at("2024-03-01T00:00:00Z"), at("2024-04-01T00:00:00Z"), 1),
            ]
        );
        assert_eq!((counts.count, counts.max), (4, Some(at("2024-03-01T00:00:00Z"))));
    }

    #[test]
    fn what_is_beyond_the_last_step_counts_in_it() {
        let mut spread = Spread::of(Number::Likes);
        [Some(0.0), Some(99.0), Some(1e12), None]
            .into_iter()
            .for_each(|number| spread.count(number));
        let counts = spread.into_counts();
        assert_eq!(counts.steps.iter().map(|step| step.count).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((counts.min, counts.max, counts.count), (Some(0.0), Some(1e12), 3));
    }
}
