//! What trends: the formula, in one place. It knows neither database nor clock.
//!
//! # The formula
//!
//! For a window that ends now, with half-life `H`, on what people did to an item within it:
//!
//! 1. **People, not events.** An actor counts once for each kind of act, by the latest: `weight · 2^(−age/H)`. A rating weighs its stars
//!    above three. An actor's value is the weightiest of these and `further_acts` of the rest. Distinct accounts instead of events are
//!    Mastodon's measure (`app/models/trends/tags.rb`); additive decayed weights are Reddit's and Lemmy's in closed form.
//! 2. **Bursts from one network.** Of the people who came from one network, in descending order of value, the first `network_free` count in
//!    full and each further one `network_ratio` of the one before. Established people and newcomers stand in lines of their own.
//! 3. **One person.** Nobody counts more than `actor_per_others` of what all others count together.
//! 4. **Newcomers.** Who has no account, or had a new one when they acted, counts `newcomer_weight`. With `E` the sum of the established,
//!    `N` that of the `newcomers_free` greatest newcomers and `R` that of all further ones, the item's weight is
//!    `w = E + N + R·c/(R + c)` with `c = E + N`: newcomers in whatever number never more than double it.
//! 5. **What is usual.** `expected` is the greater of the item's own past (days before the window, weighing less with a half-life `B ≥ H`,
//!    as what they would come to within the window if they went on) and of the median of its genre's items (of its kind's without genre).
//! 6. **Score.** `(w − expected) / sqrt(expected + 1)`: how far it lies above what is usual, in standard deviations of a count (Mastodon's
//!    `(observed − expected)² / expected`, signed and defined at 0). 0 at or below what is usual, with fewer people than `least_actors`,
//!    and for what is not visible.
//!
//! # Why it cannot be turned round
//!
//! * *One more person never lowers an item*, expectation held fixed: they lengthen a line of step 2, in which every place then has at
//!   least what it had; caps of step 3 only rise; `w` rises with `E`, `N` and `R`.
//! * *While nothing happens no score rises*: all values shrink by the same factor `2^(−t/H)`, every step is homogeneous in them, so `w`
//!   shrinks by that factor at least (more when acts leave the window); `expected` by `2^(−t/B)` at most, and days that enter the past
//!   only add to it. `(w − e)/sqrt(e + 1)` rises with `w`, falls with `e`, and falls when both shrink alike.
//! * *A thousand events by one person* are six acts at most, then fewer people than the floor, or half of what others count.
//!
//! `jobs/tests/trending.rs` and the tests below try each of these.

use config::TrendingSettings;
use polars::prelude::*;
use store::stats::EventKind;
use store::trending::{Parts, Span};

/// Seconds of an hour.
const HOUR_S: f64 = 3600.0;

/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// Acts, column by column: 35 bytes each.
#[derive(Clone, Debug, Default)]
pub struct Acts {
    /// To what: a workflow's id, or its author's.
    pub item: Vec<u64>,
    /// Who.
    pub actor: Vec<u64>,
    /// When, in seconds since 1970.
    pub at_s: Vec<i64>,
    /// From which network; 0: not known.
    pub network: Vec<u64>,
    /// What, as the number of an [`EventKind`].
    pub kind: Vec<u8>,
    /// Stars of a rating.
    pub rating: Vec<u8>,
    /// Whether the actor had no account, or a new one.
    pub is_newcomer: Vec<bool>,
}

/// One act.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Act {
    /// To what.
    pub item: u64,
    /// Who.
    pub actor: u64,
    /// When.
    pub at_s: i64,
    /// From which network; 0: not known.
    pub network: u64,
    /// What.
    pub kind: EventKind,
    /// Stars of a rating.
    pub rating: u8,
    /// Whether the actor had no account, or a new one.
    pub is_newcomer: bool,
}

impl Acts {
    /// Adds one.
    pub fn push(&mut self, act: Act) {
        self.item.push(act.item);
        self.actor.push(act.actor);
        self.at_s.push(act.at_s);
        self.network.push(act.network);
        self.kind.push(act.kind as u8);
        self.rating.push(act.rating);
        self.is_newcomer.push(act.is_newcomer);
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.item.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.item.is_empty()
    }

    /// Adds those of `others` that `item` gives an item for.
    pub fn extend(&mut self, others: &Acts, item: impl Fn(u64, u64) -> Option<u64>) {
        for at in 0..others.len() {
            if let Some(item) = item(others.item[at], others.actor[at]) {
                self.item.push(item);
                self.actor.push(others.actor[at]);
                self.at_s.push(others.at_s[at]);
                self.network.push(others.network[at]);
                self.kind.push(others.kind[at]);
                self.rating.push(others.rating[at]);
                self.is_newcomer.push(others.is_newcomer[at]);
            }
        }
    }

    /// In order of item, actor, kind and time, each actor's latest act of a kind to an item only.
    ///
    /// # Errors
    /// polars refused.
    pub fn latest(self) -> PolarsResult<Self> {
        let frame = DataFrame::new(
            self.len(),
            vec![
                Column::new("item".into(), self.item),
                Column::new("actor".into(), self.actor),
                Column::new("kind".into(), self.kind.iter().copied().map(u32::from).collect::<Vec<_>>()),
                Column::new("at".into(), self.at_s),
                Column::new("network".into(), self.network),
                Column::new(
                    "rating".into(),
                    self.rating.iter().copied().map(u32::from).collect::<Vec<_>>(),
                ),
                Column::new(
                    "newcomer".into(),
                    self.is_newcomer.iter().copied().map(u32::from).collect::<Vec<_>>(),
                ),
            ],
        )?
        .lazy()
        .sort(
            ["item", "actor", "kind", "at", "network", "rating", "newcomer"],
            SortMultipleOptions::default(),
        )
        .collect()?;
        let items = frame.column("item")?.u64()?.into_no_null_iter();
        let actors = frame.column("actor")?.u64()?.into_no_null_iter();
        let kinds = frame.column("kind")?.u32()?.into_no_null_iter();
        let times = frame.column("at")?.i64()?.into_no_null_iter();
        let networks = frame.column("network")?.u64()?.into_no_null_iter();
        let ratings = frame.column("rating")?.u32()?.into_no_null_iter();
        let newcomers = frame.column("newcomer")?.u32()?.into_no_null_iter();
        let mut latest = Self::default();
        let mut last = None;
        for ((((((item, actor), kind), at), network), rating), newcomer) in items
            .zip(actors)
            .zip(kinds)
            .zip(times)
            .zip(networks)
            .zip(ratings)
            .zip(newcomers)
        {
            if last == Some((item, actor, kind)) {
                latest.pop();
            }
            last = Some((item, actor, kind));
            latest.item.push(item);
            latest.actor.push(actor);
            latest.at_s.push(at);
            latest.network.push(network);
            latest.kind.push(kind as u8);
            latest.rating.push(rating as u8);
            latest.is_newcomer.push(newcomer != 0);
        }
        Ok(latest)
    }

    fn pop(&mut self) {
        self.item.pop();
        self.actor.pop();
        self.at_s.pop();
        self.network.pop();
        self.kind.pop();
        self.rating.pop();
        self.is_newcomer.pop();
    }
}

/// Half-life of acts in a span's list, in hours.
pub fn half_life_hours(settings: &TrendingSettings, span: Span) -> f64 {
    match span {
        Span::Day => settings.day_half_life_hours,
        Span::Week => settings.week_half_life_hours,
        Span::Month => settings.month_half_life_hours,
    }
}

/// Half-life of an item's past in a span's list, in days; never shorter than that of acts.
pub fn baseline_days(settings: &TrendingSettings, span: Span) -> f64 {
    let days = match span {
        Span::Day => settings.day_baseline_days,
        Span::Week => settings.week_baseline_days,
        Span::Month => settings.month_baseline_days,
    };
    days.max(half_life_hours(settings, span) / 24.0)
}

/// Weight of a fresh act.
pub fn weight(settings: &TrendingSettings, kind: EventKind, rating: u8) -> f64 {
    match kind {
        EventKind::View => settings.view,
        EventKind::Download => settings.download,
        EventKind::Like => settings.like,
        EventKind::Comment => settings.comment,
        EventKind::Rating => settings.star * f64::from(rating.saturating_sub(3)),
        EventKind::CollectionAdd => settings.collection_add,
    }
}

/// How acts are weighed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// All alike, as for a day's attention.
    None,
    /// Those of a span's window that ends at a moment, less with age. What is later than it does not count.
    Window(Span, i64),
}

/// What was observed of an item: the parts of its score without expectation. Items in ascending order; `acts` as of [`Acts::latest`].
pub fn observe(settings: &TrendingSettings, acts: &Acts, decay: Decay) -> Vec<(u64, Parts)> {
    let mut observed = Vec::new();
    let mut people: Vec<Person> = Vec::new();
    let mut start = 0;
    while start < acts.len() {
        let item = acts.item[start];
        let end = start + acts.item[start..].partition_point(|other| *other == item);
        people.clear();
        let mut parts = Parts::default();
        let mut at = start;
        while at < end {
            let actor = acts.actor[at];
            let last = at + acts.actor[at..end].partition_point(|other| *other == actor);
            people.extend(Person::read(settings, acts, at..last, decay, &mut parts));
            at = last;
        }
        if !people.is_empty() {
            combine(settings, &mut people, &mut parts);
            observed.push((item, parts));
        }
        start = end;
    }
    observed
}

/// What one person did to an item.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Person {
    value: f64,
    network: u64,
    is_newcomer: bool,
}

impl Person {
    /// Step 1: their acts, and who they are by the latest of them.
    fn read(
        settings: &TrendingSettings,
        acts: &Acts,
        range: std::ops::Range<usize>,
        decay: Decay,
        parts: &mut Parts,
    ) -> Option<Self> {
        let (mut sum, mut greatest) = (0.0, 0.0_f64);
        let mut latest: Option<(i64, u64, bool)> = None;
        for at in range {
            let factor = match decay {
                Decay::None => 1.0,
                Decay::Window(span, now_s) => {
                    let age_s = now_s - acts.at_s[at];
                    if !(0..i64::from(span.days()) * DAY_S).contains(&age_s) {
                        continue;
                    }
                    (-(age_s as f64) / (half_life_hours(settings, span) * HOUR_S)).exp2()
                }
            };
            let Some(kind) = EventKind::from_number(i64::from(acts.kind[at])) else {
                continue;
            };
            let weight = weight(settings, kind, acts.rating[at]);
            if weight <= 0.0 {
                continue;
            }
            *match kind {
                EventKind::View => &mut parts.views,
                EventKind::Download => &mut parts.downloads,
                EventKind::Like => &mut parts.likes,
                EventKind::Comment => &mut parts.comments,
                EventKind::Rating => &mut parts.ratings,
                EventKind::CollectionAdd => &mut parts.collection_adds,
            } += 1;
            let value = weight * factor;
            sum += value;
            greatest = greatest.max(value);
            let this = (acts.at_s[at], acts.network[at], acts.is_newcomer[at]);
            latest = latest.max(Some(this));
        }
        let (_, network, is_newcomer) = latest?;
        parts.actors += 1;
        parts.established += u32::from(!is_newcomer);
        parts.raw += sum;
        Some(Self {
            value: greatest + settings.further_acts * (sum - greatest),
            network,
            is_newcomer,
        })
    }
}

/// Steps 2 to 4.
fn combine(settings: &TrendingSettings, people: &mut [Person], parts: &mut Parts) {
    // Lines of one network and standing, the greatest value first. Equal values may stand in any order.
    people.sort_unstable_by(|a, b| {
        (a.is_newcomer, a.network)
            .cmp(&(b.is_newcomer, b.network))
            .then(b.value.total_cmp(&a.value))
    });
    let mut line = None;
    let mut place = 0;
    let mut factor = 1.0;
    for person in people.iter_mut() {
        if person.network == 0 || line != Some((person.is_newcomer, person.network)) {
            line = Some((person.is_newcomer, person.network));
            (place, factor) = (0, 1.0);
        }
        if place >= settings.network_free {
            factor *= settings.network_ratio;
        }
        place += 1;
        person.value *= factor;
        if person.is_newcomer {
            person.value *= settings.newcomer_weight;
        }
    }
    // Always added up in the same order, whatever the order of the input.
    people.sort_unstable_by(|a, b| a.is_newcomer.cmp(&b.is_newcomer).then(b.value.total_cmp(&a.value)));
    let all: f64 = people.iter().map(|person| person.value).sum();
    for person in people.iter_mut() {
        let others = (all - person.value).max(0.0);
        person.value = person.value.min(settings.actor_per_others * others);
    }
    people.sort_unstable_by(|a, b| a.is_newcomer.cmp(&b.is_newcomer).then(b.value.total_cmp(&a.value)));
    let first_newcomer = people.partition_point(|person| !person.is_newcomer);
    let (established, newcomers) = people.split_at(first_newcomer);
    let (free, rest) = newcomers.split_at((settings.newcomers_free as usize).min(newcomers.len()));
    let sum = |people: &[Person]| people.iter().map(|person| person.value).sum::<f64>();
    let certain = sum(established) + sum(free);
    let rest = sum(rest);
    let damped = if rest > 0.0 { rest * certain / (rest + certain) } else { 0.0 };
    parts.observed = certain + damped;
}

/// Puts expectation into the parts and gives the score.
pub fn score(settings: &TrendingSettings, parts: &mut Parts, own_expected: f64, group_expected: f64) -> f64 {
    parts.own_expected = own_expected;
    parts.group_expected = group_expected;
    parts.expected = own_expected.max(group_expected);
    if parts.actors < settings.least_actors || parts.observed <= parts.expected {
        return 0.0;
    }
    (parts.observed - parts.expected) / (parts.expected + 1.0).sqrt()
}

/// What a day's attention adds to what is usual at a later moment: 0 for a day that is not over before the window begins.
///
/// One unit of attention every day for ever would add up to `H/ln 2 · (1 − 2^(−L/H))` days' worth, what an even flow of acts, decayed
/// with half-life `H`, comes to within a window of length `L`.
pub fn expectation_of_day(settings: &TrendingSettings, span: Span, day_ends_s: i64, now_s: i64) -> f64 {
    let window_begins_s = now_s - i64::from(span.days()) * DAY_S;
    if day_ends_s > window_begins_s {
        return 0.0;
    }
    let half_life_days = half_life_hours(settings, span) / 24.0;
    let window_days = f64::from(span.days());
    let even_flow = half_life_days / std::f64::consts::LN_2 * (1.0 - (-window_days / half_life_days).exp2());
    let baseline_days = baseline_days(settings, span);
    let all_days = 1.0 / (1.0 - (-1.0 / baseline_days).exp2());
    let age_days = (window_begins_s - day_ends_s) as f64 / DAY_S as f64;
    even_flow / all_days * (-age_days / baseline_days).exp2()
}

/// How much of what is usual at one moment is left at a later one on the same day.
pub fn expectation_left(settings: &TrendingSettings, span: Span, seconds: i64) -> f64 {
    (-(seconds as f64) / (baseline_days(settings, span) * DAY_S as f64)).exp2()
}

/// The median of a group of `size` items, of which those that are not in `values` are 0.
pub fn median(values: &mut [f64], size: u64) -> f64 {
    let size = usize::try_from(size).unwrap_or(usize::MAX).max(values.len());
    let zeros = size - values.len();
    // The lower of the two in the middle.
    let middle = size.saturating_sub(1) / 2;
    if size == 0 || middle < zeros {
        return 0.0;
    }
    values.sort_unstable_by(f64::total_cmp);
    values[middle - zeros]
}
