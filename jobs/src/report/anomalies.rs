//! What is out of the ordinary: a day's numbers against those of the same weekday before, in words.
//!
//! Communities have weeks: a Sunday is compared with Sundays. The middle of the last eight and the middle distance from it (median and
//! median absolute deviation) are not moved by one wild Sunday, as mean and variance are. 1.4826 makes that distance a standard deviation
//! where numbers scatter normally (Rousseeuw and Croux 1993), and three of those is the usual line.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::{Unit, shown};

/// Weeks looked back.
pub(super) const WEEKS: u64 = 8;

/// Fewest days of the past that make something usual.
const LEAST_WEEKS: usize = 4;

/// Makes a median absolute deviation comparable with a standard deviation.
const CONSISTENCY: f64 = 1.4826;

/// Deviations beyond which a day is called out.
const DEVIATIONS: f64 = 3.0;

/// A smaller change than this part of what is usual is none, however steady the past was.
const LEAST_CHANGE: f64 = 0.3;

/// A smaller difference is none, however small the numbers are.
const LEAST_DIFFERENCE: f64 = 5.0;

/// What is counted by day.
#[derive(Debug)]
pub(super) struct Daily<'a> {
    /// In the plural, as in "there were 12 uploads".
    pub(super) noun: &'a str,
    /// A day that is not there had none.
    pub(super) counts: &'a BTreeMap<NaiveDate, u64>,
    /// The first day of which anything is known.
    pub(super) since: NaiveDate,
}

/// What is out of the ordinary about a day, if anything is.
pub(super) fn called_out(daily: &Daily<'_>, day: NaiveDate) -> Option<String> {
    let of = |day: &NaiveDate| daily.counts.get(day).copied().unwrap_or_default();
    let past: Vec<u64> = (1..=WEEKS)
        .filter_map(|weeks| day.checked_sub_days(Days::new(7 * weeks)))
        .filter(|past| *past >= daily.since)
        .map(|past| of(&past))
        .collect();
    if past.len() < LEAST_WEEKS {
        return None;
    }
    let value = of(&day);
    let usual = median(past.iter().map(|count| *count as f64).collect());
    let scatter = median(past.iter().map(|count| (*count as f64 - usual).abs()).collect());
    let line = (DEVIATIONS * CONSISTENCY * scatter)
        .max(LEAST_CHANGE * usual)
        .max(LEAST_DIFFERENCE);
    let difference = value as f64 - usual;
    if difference.abs() <= line {
        return None;
    }
    let (low, high) = (past.iter().min()?, past.iter().max()?);
    let count = |number: u64| shown(number.into(), Unit::Count);
    let range = if low == high {
        format!("always {}", count(*low))
    } else {
        let middle = if usual.fract() == 0.0 { Unit::Count } else { Unit::Number };
        format!(
            "from {} to {}, {} in the middle",
            count(*low),
            count(*high),
            shown(usual.into(), middle)
        )
    };
    let how = if difference > 0.0 { "more" } else { "fewer" };
    Some(format!(
        "{}: {} {}, far {how} than usual. On the {} {}s before there were {range}.",
        day.format("%A, %-d %B"),
        count(value),
        daily.noun,
        past.len(),
        day.format("%A"),
    ))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of a day and of the same weekday before it, the latest first.
    fn told(value: u64, past: &[u64]) -> Option<String> {
        let day: NaiveDate = "2026-03-03".parse().expect("a day");
        let mut counts = BTreeMap::from([(day, value)]);
        for (weeks, count) in (1..).zip(past) {
            counts.insert(day - Days::new(7 * weeks), *count);
        }
        let since = day - Days::new(7 * past.len() as u64);
        called_out(
            &Daily {
                noun: "downloads",
                counts: &counts,
                since,
            },
            day,
        )
    }

    #[test]
    fn a_day_far_from_the_same_weekdays_before_is_called_out_in_words() {
        assert_eq!(
            told(1204, &[466, 410, 520, 480, 455, 470, 490, 460]).as_deref(),
            Some(
                "Tuesday, 3 March: 1\u{202f}204 downloads, far more than usual. On the 8 Tuesdays before there were from 410 to 520, 468 in the middle."
            )
        );
        assert_eq!(
            told(0, &[30, 30, 30, 30]).as_deref(),
            Some("Tuesday, 3 March: 0 downloads, far fewer than usual. On the 4 Tuesdays before there were always 30.")
        );
    }

    #[test]
    fn what_is_usual_is_not_called_out() {
        assert_eq!(
            told(500, &[466, 410, 520, 480, 455, 470, 490, 460]),
            None,
            "within the scatter"
        );
        assert_eq!(told(35, &[30, 30, 30, 30]), None, "a small change of a steady number");
        assert_eq!(told(5, &[0, 0, 1, 0, 0]), None, "small numbers");
        assert_eq!(told(900, &[30, 30, 30]), None, "too short a past");
        // One wild day does not make the next one usual.
        assert!(told(900, &[30, 900, 31, 29, 30, 30, 28, 30]).is_some());
    }
}
