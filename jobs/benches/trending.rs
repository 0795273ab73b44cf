//! Whether the trending list shows what rises, while others try to get into it: `script/bench trending [--quick]`.
//!
//! Communities are made from fixed seeds, so the table is the same wherever it is made. In each there are ten racks that rise (more
//! people than usual, from many places, over the last day), and beside them ordinary ones, evergreen hits, and three kinds of stuffing:
//! one person with a thousand events, a crowd of new accounts, and a crowd in one network. Precision is how many of the first ten of a
//! list of 24 hours are among the ten that rise. What this is not: a measurement of a real community.
#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use config::{Settings, TrendingSettings};
use jobs::trending::{Act, Acts, Decay, expectation_left, expectation_of_day, median, observe, score};
use store::stats::EventKind;
use store::trending::Span;

/// Six in the evening of 2026-06-01.
const NOW_S: i64 = 1_780_336_800;
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// Days that are played.
const DAYS: i64 = 40;

/// Racks of each sort.
const RISING: u64 = 10;
const EVERGREEN: u64 = 8;
const ORDINARY: u64 = 300;
const STUFFED: u64 = 4;

/// What a rack is, which the formulas do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Rising,
    Evergreen,
    Ordinary,
    /// By one person.
    Spammed,
    /// By new accounts.
    Sockpuppets,
    /// By one network.
    Network,
}

/// SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

/// A rack.
#[derive(Clone, Copy, Debug)]
struct Rack {
    sort: Sort,
    published_s: i64,
}

/// A community with its past.
struct Community {
    racks: BTreeMap<u64, Rack>,
    acts: Vec<Act>,
}

impl Community {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut community = Self {
            racks: BTreeMap::new(),
            acts: Vec::new(),
        };
        for _ in 0..ORDINARY {
            // Few are looked at often.
            let a_day = 0.3 / (random.unit() + 0.03);
            let age_days = random.between(2, 400) as i64;
            let rack = community.add(Sort::Ordinary, NOW_S - age_days * DAY_S);
            community.flow(&mut random, rack, a_day, age_days.min(DAYS));
        }
        for _ in 0..EVERGREEN {
            let a_day = 60.0 + 140.0 * random.unit();
            let rack = community.add(Sort::Evergreen, NOW_S - 300 * DAY_S);
            community.flow(&mut random, rack, a_day, DAYS);
        }
        for _ in 0..RISING {
            let age_days = random.between(1, 60) as i64;
            let rack = community.add(Sort::Rising, NOW_S - age_days * DAY_S);
            let a_day = 2.0 * random.unit();
            community.flow(&mut random, rack, a_day, age_days.min(DAYS));
            for _ in 0..random.between(25, 80) {
                // More of them lately.
                let age_s = (random.unit().powi(2) * 20.0 * HOUR_S as f64) as i64;
                community.visit(&mut random, rack, NOW_S - age_s);
            }
        }
        for number in 0..STUFFED {
            let rack = community.add(Sort::Spammed, NOW_S - random.between(1, 10) as i64 * DAY_S);
            community.flow(&mut random, rack, 1.0, 1);
            for _ in 0..1000 {
                let kind = EventKind::ALL[random.between(0, 6) as usize];
                let age_s = random.between(0, 6 * HOUR_S as u64) as i64;
                community.act(rack, 1_000_000 + number, kind, NOW_S - age_s, 900 + number, 5, false);
            }
        }
        for number in 0..STUFFED {
            let rack = community.add(Sort::Sockpuppets, NOW_S - random.between(1, 10) as i64 * DAY_S);
            community.flow(&mut random, rack, 1.0, 1);
            for puppet in 0..random.between(80, 200) {
                let age_s = random.between(0, 10 * HOUR_S as u64) as i64;
                let network = 10_000 + random.between(0, 5000);
                for kind in EventKind::ALL {
                    community.act(
                        rack,
                        2_000_000 + 1000 * number + puppet,
                        kind,
                        NOW_S - age_s,
                        network,
                        5,
                        true,
                    );
                }
            }
        }
        for number in 0..STUFFED {
            let rack = community.add(Sort::Network, NOW_S - random.between(1, 10) as i64 * DAY_S);
            community.flow(&mut random, rack, 1.0, 1);
            for friend in 0..random.between(40, 90) {
                let age_s = random.between(0, 10 * HOUR_S as u64) as i64;
                for kind in [EventKind::View, EventKind::Download, EventKind::Like, EventKind::Rating] {
                    community.act(
                        rack,
                        3_000_000 + 1000 * number + friend,
                        kind,
                        NOW_S - age_s,
                        800 + number,
                        5,
                        false,
                    );
                }
            }
        }
        community
    }

    fn add(&mut self, sort: Sort, published_s: i64) -> u64 {
        let id = self.racks.len() as u64 + 1;
        self.racks.insert(id, Rack { sort, published_s });
        id
    }

    /// An even flow of visitors over the last days.
    fn flow(&mut self, random: &mut Random, rack: u64, a_day: f64, days: i64) {
        let visitors = (a_day * days as f64).floor() as u64 + u64::from(random.chance((a_day * days as f64).fract()));
        for _ in 0..visitors {
            let age_s = (random.unit() * (days * DAY_S) as f64) as i64;
            self.visit(random, rack, NOW_S - age_s);
        }
    }

    /// What a visitor does: all look, fewer do more.
    fn visit(&mut self, random: &mut Random, rack: u64, at_s: i64) {
        let actor = random.between(1, 50_000);
        let network = 1000 + actor % 4000;
        // The same people are always the new ones.
        let is_newcomer = actor.is_multiple_of(3);
        let rating = random.between(2, 6) as u8;
        for (kind, probability) in [
            (EventKind::View, 1.0),
            (EventKind::Download, 0.4),
            (EventKind::Like, 0.2),
            (EventKind::Comment, 0.05),
            (EventKind::Rating, 0.08),
            (EventKind::CollectionAdd, 0.04),
        ] {
            if random.chance(probability) {
                self.act(rack, actor, kind, at_s, network, rating, is_newcomer);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an act has as many sides")]
    fn act(&mut self, item: u64, actor: u64, kind: EventKind, at_s: i64, network: u64, rating: u8, is_newcomer: bool) {
        self.acts.push(Act {
            item,
            actor,
            at_s,
            network,
            kind,
            rating: if kind == EventKind::Rating { rating } else { 0 },
            is_newcomer,
        });
    }

    /// How often something happened to each rack within so many seconds; with `once`, by different actors.
    fn count(&self, kind: EventKind, within_s: i64, once: bool) -> HashMap<u64, f64> {
        let mut counts: HashMap<u64, f64> = HashMap::new();
        let mut seen = BTreeSet::new();
        for act in &self.acts {
            // Likes and ratings are kept once by the tables themselves.
            let is_once = once || matches!(kind, EventKind::Like | EventKind::Rating | EventKind::CollectionAdd);
            if act.kind == kind && NOW_S - act.at_s <= within_s && (!is_once || seen.insert((act.item, act.actor))) {
                *counts.entry(act.item).or_default() += 1.0;
            }
        }
        counts
    }

    fn average_rating(&self) -> HashMap<u64, f64> {
        let mut sums: HashMap<u64, (f64, f64)> = HashMap::new();
        for act in self.acts.iter().filter(|act| act.kind == EventKind::Rating) {
            let (sum, count) = sums.entry(act.item).or_default();
            *sum += f64::from(act.rating);
            *count += 1.0;
        }
        sums.into_iter().map(|(item, (sum, count))| (item, sum / count)).collect()
    }
}

/// A formula: racks with their scores.
type Formula = (&'static str, fn(&Community, &TrendingSettings) -> Vec<(u64, f64)>);

const FOREVER_S: i64 = i64::MAX;

const FORMULAS: &[Formula] = &[
    ("ours, 24 h", ours),
    ("events of the last 24 h", |community, _| {
        let kinds = EventKind::ALL.map(|kind| community.count(kind, DAY_S, false));
        of_all(community, |id, _| kinds.iter().map(|counts| of(counts, id)).sum())
    }),
    ("downloads of 7 d (the original's admin page)", |community, _| {
        let downloads = community.count(EventKind::Download, 7 * DAY_S, false);
        of_all(community, |id, _| of(&downloads, id))
    }),
    ("0.7 downloads + 0.3 rating, 14 d old (the original's API)", |community, _| {
        let downloads = community.count(EventKind::Download, FOREVER_S, false);
        let (ratings, average) = (
            community.count(EventKind::Rating, FOREVER_S, false),
            community.average_rating(),
        );
        of_all(community, |id, age_s| {
            if age_s > 14 * DAY_S {
                f64::MIN
            } else {
                0.7 * of(&downloads, id) + 0.3 * of(&average, id) * of(&ratings, id)
            }
        })
    }),
    (
        "(downloads + 0.1 views) / age (the original's collections)",
        |community, _| {
            let (downloads, views) = (
                community.count(EventKind::Download, FOREVER_S, false),
                community.count(EventKind::View, FOREVER_S, false),
            );
            // On the first day it divides by zero, which sorts last.
            of_all(community, |id, age_s| {
                let days = (age_s / DAY_S) as f64;
                if days > 0.0 {
                    (of(&downloads, id) + 0.1 * of(&views, id)) / days
                } else {
                    f64::MIN
                }
            })
        },
    ),
    ("views + 3 downloads + 5 likes + …, 30 d old (ARE)", |community, _| {
        let count = |kind| community.count(kind, FOREVER_S, false);
        let (views, downloads) = (count(EventKind::View), count(EventKind::Download));
        let (likes, comments, average) = (count(EventKind::Like), count(EventKind::Comment), community.average_rating());
        of_all(community, |id, age_s| {
            if age_s > 30 * DAY_S {
                return f64::MIN;
            }
            of(&views, id) + 3.0 * of(&downloads, id) + 5.0 * of(&likes, id) + 2.0 * of(&comments, id) + 10.0 * of(&average, id)
        })
    }),
    ("Reddit's hot, on likes", |community, _| {
        let likes = community.count(EventKind::Like, FOREVER_S, false);
        of_all(community, |id, age_s| {
            of(&likes, id).max(1.0).log10() + ((NOW_S - age_s - 1_134_028_003) as f64) / 45_000.0
        })
    }),
    ("Hacker News's, on likes", |community, _| {
        let likes = community.count(EventKind::Like, FOREVER_S, false);
        of_all(community, |id, age_s| {
            (of(&likes, id) - 1.0).max(0.0).powf(0.8) / (age_s as f64 / HOUR_S as f64 + 2.0).powf(1.8)
        })
    }),
    ("Mastodon's tags, on people", |community, _| {
        let (today, both) = (
            community.count(EventKind::View, DAY_S, true),
            community.count(EventKind::View, 2 * DAY_S, true),
        );
        of_all(community, |id, _| {
            let observed = of(&today, id);
            let expected = (of(&both, id) - observed).max(1.0);
            if observed >= 5.0 && observed > expected {
                (observed - expected).powi(2) / expected
            } else {
                0.0
            }
        })
    }),
];

fn of(counts: &HashMap<u64, f64>, id: u64) -> f64 {
    counts.get(&id).copied().unwrap_or_default()
}

fn of_all(community: &Community, score: impl Fn(u64, i64) -> f64) -> Vec<(u64, f64)> {
    community
        .racks
        .iter()
        .map(|(id, rack)| (*id, score(*id, NOW_S - rack.published_s)))
        .collect()
}

fn ours(community: &Community, settings: &TrendingSettings) -> Vec<(u64, f64)> {
    let columns = |acts: &mut dyn Iterator<Item = &Act>| {
        let mut columns = Acts::default();
        acts.for_each(|act| columns.push(*act));
        columns.latest().unwrap_or_default()
    };
    let midnight_s = NOW_S - NOW_S.rem_euclid(DAY_S);
    let mut own: HashMap<u64, f64> = HashMap::new();
    for day in (midnight_s / DAY_S - DAYS - 1)..(midnight_s / DAY_S) {
        let factor = expectation_of_day(settings, Span::Day, (day + 1) * DAY_S, midnight_s);
        let acts = columns(&mut community.acts.iter().filter(|act| act.at_s.div_euclid(DAY_S) == day));
        for (item, parts) in observe(settings, &acts, Decay::None) {
            *own.entry(item).or_default() += factor * parts.observed;
        }
    }
    let left = expectation_left(settings, Span::Day, NOW_S - midnight_s);
    let group = median(&mut own.values().copied().collect::<Vec<_>>(), community.racks.len() as u64) * left;
    let acts = columns(&mut community.acts.iter());
    observe(settings, &acts, Decay::Window(Span::Day, NOW_S))
        .into_iter()
        .map(|(item, mut parts)| (item, score(settings, &mut parts, of(&own, item) * left, group)))
        .collect()
}

fn main() {
    let communities = if std::env::args().any(|argument| argument == "--quick") {
        5
    } else {
        40
    };
    let settings = Settings::defaults().expect("the defaults are valid").trending;
    println!(
        "{communities} communities of {} racks: {RISING} rise, {EVERGREEN} are evergreen, 3 x {STUFFED} are stuffed\n",
        ORDINARY + EVERGREEN + RISING + 3 * STUFFED
    );
    println!("| formula | precision at 10 | evergreen | one person | new accounts | one network | ordinary |");
    println!("|---|---|---|---|---|---|---|");
    let played: Vec<Community> = (1..=communities).map(Community::new).collect();
    for (name, formula) in FORMULAS {
        let mut found: HashMap<u8, u64> = HashMap::new();
        for community in &played {
            let mut scores = formula(community, &settings);
            scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
            for (id, _) in scores.iter().filter(|(_, score)| *score > 0.0).take(RISING as usize) {
                *found.entry(community.racks[id].sort as u8).or_default() += 1;
            }
        }
        let share = |sort: Sort| found.get(&(sort as u8)).copied().unwrap_or_default() as f64 / (RISING * communities) as f64;
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            share(Sort::Rising),
            share(Sort::Evergreen),
            share(Sort::Spammed),
            share(Sort::Sockpuppets),
            share(Sort::Network),
            share(Sort::Ordinary)
        );
    }
}
