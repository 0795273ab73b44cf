//! Who and what leads: workflows, creators, tags, genres, devices and pairs of devices, with the period before.
//!
//! Memory is that of the workflows to which something happened in either period, some hundred bytes each, however many events there were.

use std::cmp::Reverse;
use std::collections::HashMap;

use config::TrendingSettings;
use store::report::sources::{self, Facts, Sums};
use store::{Conn, StoreError, WorkflowId};

use super::{Amount, Row, Table, Unit};

/// Lines of a list.
const LINES: usize = 10;

/// Workflows of which facts are read at once.
const BATCH: usize = 500;

/// Devices whose pairs are counted: the most downloaded ones. Bounds the pairs at about 20,000, however many names of devices there are.
const PAIRED: usize = 200;

/// What a workflow without a genre, or one that is gone, is counted under.
const NO_GENRE: &str = "(none)";
const GONE: &str = "(gone)";

/// Sums of a period and of the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Both {
    now: Sums,
    before: Sums,
}

impl Both {
    fn add(&mut self, other: Both) {
        self.now.add(other.now);
        self.before.add(other.before);
    }
}

/// All lists, and the sums that they must agree with.
#[derive(Debug)]
pub(super) struct Leaders {
    pub(super) tables: Vec<Table>,
    /// Downloads of all workflows.
    pub(super) downloads: u64,
    pub(super) views: u64,
    /// Downloads of all genres, those without one included.
    pub(super) downloads_by_genre: u64,
    /// Downloads of all creators.
    pub(super) downloads_by_creator: u64,
}

/// Weighs what happened, to tell what rises: with the weights of what trends.
struct Weights<'a>(&'a TrendingSettings);

impl Weights<'_> {
    fn of(&self, sums: Sums) -> f64 {
        let weights = self.0;
        sums.views as f64 * weights.view
            + sums.downloads as f64 * weights.download
            + sums.likes as f64 * weights.like
            + sums.comments as f64 * weights.comment
            + sums.collection_adds as f64 * weights.collection_add
    }

    fn rise(&self, both: &Both) -> f64 {
        self.of(both.now) - self.of(both.before)
    }
}

/// Counts by name.
#[derive(Default)]
struct Groups(HashMap<String, Both>);

impl Groups {
    fn add(&mut self, name: &str, both: Both) {
        match self.0.get_mut(name) {
            Some(sums) => sums.add(both),
            None => {
                self.0.insert(name.to_owned(), both);
            }
        }
    }

    fn downloads(&self) -> u64 {
        self.0.values().map(|both| both.now.downloads).sum()
    }
}

/// Makes all lists.
pub(super) async fn leaders(
    db: &mut Conn,
    now: &HashMap<WorkflowId, Sums>,
    before: &HashMap<WorkflowId, Sums>,
    weights: &TrendingSettings,
) -> Result<Leaders, StoreError> {
    let weights = Weights(weights);
    let mut workflows: HashMap<WorkflowId, Both> = HashMap::new();
    for (id, sums) in now {
        workflows.entry(*id).or_default().now = *sums;
    }
    for (id, sums) in before {
        workflows.entry(*id).or_default().before = *sums;
    }
    let mut ids: Vec<WorkflowId> = workflows.keys().copied().collect();
    ids.sort_unstable();
    let top = top_of(workflows.iter().map(|(id, both)| (*id, *both)));
    let rising = rising_of(workflows.iter().map(|(id, both)| (*id, *both)), &weights);
    let mut named: HashMap<WorkflowId, Facts> = HashMap::new();
    let (mut creators, mut genres, mut tags) = (Groups::default(), Groups::default(), Groups::default());
    let mut devices = Devices::default();
    for batch in ids.chunks(BATCH) {
        let facts = sources::facts(db, batch).await?;
        let mut gone: Vec<WorkflowId> = batch.to_vec();
        for facts in facts {
            let both = workflows.get(&facts.id).copied().unwrap_or_default();
            gone.retain(|id| *id != facts.id);
            creators.add(&facts.author, both);
            genres.add(
                facts
                    .genre
                    .as_deref()
                    .filter(|genre| !genre.trim().is_empty())
                    .unwrap_or(NO_GENRE),
                both,
            );
            facts.tags.iter().for_each(|tag| tags.add(tag, both));
            devices.add(&facts.devices, both);
            if top.iter().chain(&rising).any(|(id, _)| *id == facts.id) {
                named.insert(facts.id, facts);
            }
        }
        for id in gone {
            let both = workflows.get(&id).copied().unwrap_or_default();
            creators.add(GONE, both);
            genres.add(GONE, both);
        }
    }
    let tables = vec![
        workflow_table("top_workflows", "Most downloaded racks", top, &named),
        workflow_table("rising_workflows", "Racks that rise", rising, &named),
        table(
            "top_creators",
            "Most downloaded creators",
            top_of(creators.0.iter().map(owned)),
        ),
        table(
            "rising_creators",
            "Creators who rise",
            rising_of(creators.0.iter().map(owned), &weights),
        ),
        table("top_genres", "Genres", top_of(genres.0.iter().map(owned))),
        table(
            "rising_genres",
            "Genres that rise",
            rising_of(genres.0.iter().map(owned), &weights),
        ),
        table("top_tags", "Tags", top_of(tags.0.iter().map(owned))),
        table("rising_tags", "Tags that rise", rising_of(tags.0.iter().map(owned), &weights)),
        table("top_devices", "Devices in what was downloaded", top_of(devices.by_name())),
        table("rising_devices", "Devices that rise", rising_of(devices.by_name(), &weights)),
        table(
            "top_device_pairs",
            "Devices that were downloaded together",
            top_of(devices.pairs()),
        ),
    ];
    Ok(Leaders {
        tables,
        downloads: now.values().map(|sums| sums.downloads).sum(),
        views: now.values().map(|sums| sums.views).sum(),
        downloads_by_genre: genres.downloads(),
        downloads_by_creator: creators.downloads(),
    })
}

fn owned((name, both): (&String, &Both)) -> (String, Both) {
    (name.clone(), *both)
}

/// Those with most downloads, then most views; equals by name, so that a report made again is the same.
fn top_of<K: Ord + Clone>(all: impl Iterator<Item = (K, Both)>) -> Vec<(K, Both)> {
    let mut lines: Vec<(K, Both)> = all.filter(|(_, both)| both.now.downloads + both.now.views > 0).collect();
    lines.sort_by(|(a, one), (b, other)| {
        let key = |both: &Both| Reverse((both.now.downloads, both.now.views));
        key(one).cmp(&key(other)).then_with(|| a.cmp(b))
    });
    lines.truncate(LINES);
    lines
}

/// Those that gained most since the period before.
fn rising_of<K: Ord + Clone>(all: impl Iterator<Item = (K, Both)>, weights: &Weights<'_>) -> Vec<(K, Both)> {
    let mut lines: Vec<(f64, K, Both)> = all
        .map(|(name, both)| (weights.rise(&both), name, both))
        .filter(|(rise, ..)| *rise > 0.0)
        .collect();
    lines.sort_by(|(rise, a, _), (other, b, _)| other.total_cmp(rise).then_with(|| a.cmp(b)));
    lines.truncate(LINES);
    lines.into_iter().map(|(_, name, both)| (name, both)).collect()
}

const COLUMNS: [(&str, &str, Unit); 5] = [
    ("downloads", "Downloads", Unit::Count),
    ("downloads_before", "before", Unit::Count),
    ("views", "Views", Unit::Count),
    ("views_before", "before", Unit::Count),
    ("reactions", "Reactions", Unit::Count),
];

fn values(both: &Both) -> Vec<Option<Amount>> {
    [
        both.now.downloads,
        both.before.downloads,
        both.now.views,
        both.before.views,
        both.now.reactions(),
    ]
    .map(|count| Some(Amount::Whole(count)))
    .to_vec()
}

fn table(key: &str, title: &str, lines: Vec<(String, Both)>) -> Table {
    let mut table = Table::new(key, title, &COLUMNS);
    for (name, both) in lines {
        table.row(name, None, values(&both));
    }
    table
}

fn workflow_table(key: &str, title: &str, lines: Vec<(WorkflowId, Both)>, named: &HashMap<WorkflowId, Facts>) -> Table {
    let mut table = Table::new(key, title, &COLUMNS);
    table.rows = lines
        .into_iter()
        .map(|(id, both)| Row {
            name: named.get(&id).map_or_else(|| GONE.to_owned(), |facts| facts.title.clone()),
            detail: Some(match named.get(&id) {
                Some(facts) => format!("{id}, by {}", facts.author),
                None => id.to_string(),
            }),
            values: values(&both),
        })
        .collect();
    table
}

/// Devices by number, and which of them each workflow has.
#[derive(Default)]
struct Devices {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
    sums: Vec<Both>,
    workflows: Vec<(Vec<u32>, Both)>,
}

impl Devices {
    fn add(&mut self, devices: &[String], both: Both) {
        let mut numbers = Vec::with_capacity(devices.len());
        for device in devices {
            let number = match self.numbers.get(device) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                    self.numbers.insert(device.clone(), number);
                    self.names.push(device.clone());
                    self.sums.push(Both::default());
                    number
                }
            };
            self.sums[number as usize].add(both);
            numbers.push(number);
        }
        self.workflows.push((numbers, both));
    }

    fn by_name(&self) -> impl Iterator<Item = (String, Both)> {
        self.names.iter().cloned().zip(self.sums.iter().copied())
    }

    /// Sums of the racks that have two devices both.
    fn pairs(&self) -> impl Iterator<Item = (String, Both)> + use<> {
        let mut by_use: Vec<u32> = (0..).take(self.names.len()).collect();
        by_use.sort_by_key(|number| {
            Reverse((
                self.sums[*number as usize].now.downloads,
                self.sums[*number as usize].now.views,
            ))
        });
        by_use.truncate(PAIRED);
        by_use.sort_unstable();
        let mut pairs: HashMap<(u32, u32), Both> = HashMap::new();
        for (devices, both) in &self.workflows {
            let mut paired: Vec<u32> = devices
                .iter()
                .copied()
                .filter(|number| by_use.binary_search(number).is_ok())
                .collect();
            paired.sort_unstable();
            for (index, one) in paired.iter().enumerate() {
                for other in &paired[index + 1..] {
                    pairs.entry((*one, *other)).or_default().add(*both);
                }
            }
        }
        let named: Vec<(String, Both)> = pairs
            .into_iter()
            .map(|((one, other), both)| {
                let mut names = [&self.names[one as usize], &self.names[other as usize]];
                names.sort();
                (format!("{} + {}", names[0], names[1]), both)
            })
            .collect();
        named.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn downloads(now: u64, before: u64) -> Both {
        let sums = |downloads| Sums {
            downloads,
            ..Sums::default()
        };
        Both {
            now: sums(now),
            before: sums(before),
        }
    }

    #[test]
    fn pairs_are_counted_by_rack_and_named_in_order() {
        let mut devices = Devices::default();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        devices.add(&names(&["Reverb", "Echo"]), downloads(3, 1));
        devices.add(&names(&["Echo", "Reverb", "Utility"]), downloads(2, 0));
        devices.add(&names(&["Utility"]), downloads(9, 0));
        let top: Vec<(String, u64)> = top_of(devices.pairs())
            .into_iter()
            .map(|(name, both)| (name, both.now.downloads))
            .collect();
        let expected = [("Echo + Reverb", 5), ("Echo + Utility", 2), ("Reverb + Utility", 2)];
        assert_eq!(top, expected.map(|(name, count)| (name.to_owned(), count)));
        let top: Vec<String> = top_of(devices.by_name()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(top, ["Utility", "Echo", "Reverb"]);
    }

    #[test]
    fn what_gained_most_rises_and_what_lost_does_not() {
        let weights = config::Settings::defaults().expect("the defaults").trending;
        let all = [
            ("big", downloads(100, 99)),
            ("new", downloads(5, 0)),
            ("falling", downloads(50, 90)),
            ("same", downloads(7, 7)),
        ];
        let rising: Vec<&str> = rising_of(all.into_iter(), &Weights(&weights))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(rising, ["new", "big"]);
    }
}
