//! How good recommendations are, measured on what people did: `cookbook evaluate recommendations`.
//!
//! Of each person who took enough, what they took last is held back, and they are recommended something as of the moment before: by neighbours
//! of what remains of everybody. The ranking is the program's own ([`crate::neighbours`], [`store::recommendation::score`]), bare and after the rules of a list
//! ([`store::recommendation::arrange`]); beside it stand popularity, a plain item-kNN (cosine of who took what, without weights, age and
//! shrinkage), and the best of several such, chosen by the very measure that is shown: more than tuning can reach.
//!
//! Measures, each the mean over people: **nDCG@10** (Järvelin and Kekäläinen 2002; a held back workflow counts 1), **recall@20**, the share
//! of what was held back; and over all lists of 20: **coverage**, the share of all workflows that stand in some list, and **novelty**, the mean of
//! `-log2(share of people who took it)` (Vargas and Castells 2011).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use config::RecommendationSettings;
use store::recommendation::{
    self, Act, ActKind, Interest, Listed, Neighbour, Rules, arrange, explore_order, interests, profile, score,
};
use store::{Db, UserId, WorkflowId};

use crate::compute_recommendations::for_everybody;
use crate::neighbours::{Collected, Takers};

/// Length of a list.
const LIST: usize = 20;

/// Places that nDCG looks at.
const TOP: usize = 10;

/// The newest workflows that may be tried, as for a list.
const TRIED: usize = 200;

/// The end of the year 9999, in seconds since 1970.
const LATEST_S: f64 = 253_402_300_799.0;

/// What the best item-kNN is chosen from.
const SHRINKAGES: [f64; 4] = [0.0, 5.0, 20.0, 100.0];
const NEIGHBOURS: [usize; 3] = [50, 200, 500];

/// How to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The share of what somebody took that is held back, the last of it; one workflow at least.
    pub held_back: f64,
    /// Fewest workflows that somebody took, to be measured.
    pub least: usize,
    /// Most people who are measured, evenly chosen; all others are learnt from.
    pub people: usize,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            held_back: 0.2,
            least: 5,
            people: 2000,
        }
    }
}

/// How good one way of ranking is.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Which.
    pub name: String,
    /// nDCG@10.
    pub ndcg: f64,
    /// Recall@20.
    pub recall: f64,
    /// Coverage of the lists of 20.
    pub coverage: f64,
    /// Novelty of the lists of 20, in bits.
    pub novelty: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// People who took something.
    pub people: usize,
    /// People who were measured.
    pub measured: usize,
    /// Workflows that somebody took.
    pub workflows: usize,
    /// Interactions that were learnt from.
    pub interactions: usize,
    /// Interactions that were held back, of the people who were measured.
    pub held_back: usize,
    /// The ranking of this program, bare.
    pub bare: Measured,
    /// The list after the rules.
    pub list: Measured,
    /// The most popular for everybody.
    pub popularity: Measured,
    /// Item-kNN without weights, age and shrinkage.
    pub plain: Measured,
    /// The best item-kNN of several.
    pub best: Measured,
}

/// One person who is measured.
struct Person {
    user: UserId,
    /// What they did before.
    interests: Vec<Interest<WorkflowId>>,
    /// To what.
    known: HashSet<WorkflowId>,
    /// What they took after.
    held_back: HashSet<WorkflowId>,
}

/// Measures on what is in the database now.
///
/// # Errors
/// The database refused, or there is nobody to measure.
pub async fn evaluate_recommendations(db: &Db, settings: &RecommendationSettings, split: Split) -> anyhow::Result<Evaluation> {
    let mut everybody: Vec<(UserId, Vec<Act<WorkflowId>>)> = Vec::new();
    for_everybody(db, |person| everybody.push((person.user, person.acts)))
        .await
        .context("read what people did")?;
    let (learnt, people) = divided(settings, everybody, split).await?;
    let facts = recommendation::facts(&mut *db.acquire().await?, &taken(&learnt)).await?;
    measured(settings, learnt, people, facts).await
}

/// Measures on ratings in a file, as public collections have them: cells apart by commas or tabs, one line of names above, and then a person, a
/// thing, up to five stars, and seconds since 1970 in a line (MovieLens's `ratings.csv`, RecBole's `.inter`). Half a star is none. Nobody is the author
/// of two things.
///
/// # Errors
/// The file cannot be read, a line says what cannot be, or there is nobody to measure.
pub async fn evaluate_ratings(file: &Path, settings: &RecommendationSettings, split: Split) -> anyhow::Result<Evaluation> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read `{}`", file.display()))?;
    let has_tabs = text.lines().next().is_some_and(|line| line.contains('\t'));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if has_tabs { b'\t' } else { b',' })
        .from_reader(text.as_bytes());
    let (mut people, mut things) = (HashMap::new(), HashMap::new());
    let mut everybody: Vec<(UserId, Vec<Act<WorkflowId>>)> = Vec::new();
    for row in reader.deserialize() {
        let (person, thing, stars, at_s): (String, String, f64, f64) =
            row.context("a line is no person, thing, stars and seconds")?;
        if !(0.0..=5.0).contains(&stars) || !(0.0..=LATEST_S).contains(&at_s) {
            bail!("{stars} stars at {at_s} seconds since 1970 cannot be");
        }
        let next = people.len();
        let person = *people.entry(person).or_insert(next);
        if person == everybody.len() {
            everybody.push((UserId(person as u64), Vec::new()));
        }
        let next = things.len() as u64;
        everybody[person].1.push(Act {
            workflow: WorkflowId(*things.entry(thing).or_insert(next)),
            kind: ActKind::Rating(stars as u8),
            at_s: at_s as i64,
        });
    }
    let (learnt, people) = divided(settings, everybody, split).await?;
    let facts = taken(&learnt)
        .into_iter()
        .map(|workflow| {
            let author = UserId(u64::MAX - workflow.0);
            let listed = Listed {
                workflow,
                author,
                content: None,
            };
            (workflow, listed)
        })
        .collect();
    measured(settings, learnt, people, facts).await
}

async fn divided(
    settings: &RecommendationSettings,
    everybody: Vec<(UserId, Vec<Act<WorkflowId>>)>,
    split: Split,
) -> anyhow::Result<(Vec<Vec<Interest<WorkflowId>>>, Vec<Person>)> {
    let settings = settings.clone();
    let (learnt, people) = tokio::task::spawn_blocking(move || divide(&settings, everybody, split))
        .await
        .context("split")?;
    if people.is_empty() {
        bail!(
            "nobody took {} workflows or more of other people: there is nothing to measure",
            split.least
        );
    }
    Ok((learnt, people))
}

async fn measured(
    settings: &RecommendationSettings,
    learnt: Vec<Vec<Interest<WorkflowId>>>,
    people: Vec<Person>,
    facts: HashMap<WorkflowId, Listed<WorkflowId>>,
) -> anyhow::Result<Evaluation> {
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || measure(&settings, &learnt, people, &facts))
        .await
        .context("measure")
}

/// The workflows that somebody took, once each.
fn taken(learnt: &[Vec<Interest<WorkflowId>>]) -> Vec<WorkflowId> {
    let mut taken: Vec<WorkflowId> = learnt.iter().flatten().map(|interest| interest.workflow).collect();
    taken.sort_unstable();
    taken.dedup();
    taken
}

/// What somebody did until they are measured.
struct Before {
    user: UserId,
    acts: Vec<Act<WorkflowId>>,
    /// What they took after; nothing of who is not measured.
    held_back: HashSet<WorkflowId>,
}

impl Before {
    fn new(settings: &RecommendationSettings, user: UserId, mut acts: Vec<Act<WorkflowId>>, split: Split) -> Self {
        let taken = interests(settings, acts.iter().copied());
        let mut first: HashMap<WorkflowId, i64> = taken.iter().map(|interest| (interest.workflow, interest.at_s)).collect();
        for act in &acts {
            if let Some(at_s) = first.get_mut(&act.workflow) {
                *at_s = (*at_s).min(act.at_s);
            }
        }
        let mut in_order: Vec<(i64, WorkflowId)> = first.into_iter().map(|(workflow, at_s)| (at_s, workflow)).collect();
        in_order.sort_unstable();
        if in_order.len() < split.least.max(2) {
            return Self {
                user,
                acts,
                held_back: HashSet::new(),
            };
        }
        let count = (in_order.len() as f64 * split.held_back).round() as usize;
        let (before, after) = in_order.split_at(in_order.len() - count.clamp(1, in_order.len() - 1));
        let as_of_s = after.first().or(before.last()).map_or(i64::MAX, |(at_s, _)| *at_s);
        let held_back: HashSet<WorkflowId> = after.iter().map(|(_, workflow)| *workflow).collect();
        // What they did later to what they took before is not known yet either.
        acts.retain(|act| act.at_s <= as_of_s && !held_back.contains(&act.workflow));
        Self { user, acts, held_back }
    }
}

/// What everybody did before the moments at which they are measured, and the people who are.
fn divide(
    settings: &RecommendationSettings,
    everybody: Vec<(UserId, Vec<Act<WorkflowId>>)>,
    split: Split,
) -> (Vec<Vec<Interest<WorkflowId>>>, Vec<Person>) {
    let before: Vec<Before> = everybody
        .into_iter()
        .map(|(user, acts)| Before::new(settings, user, acts, split))
        .collect();
    let learnt = before
        .iter()
        .map(|one| interests(settings, one.acts.iter().copied()))
        .collect();
    let mut people: Vec<Person> = before
        .into_iter()
        .filter(|one| !one.held_back.is_empty())
        .map(|one| Person {
            user: one.user,
            known: one.acts.iter().map(|act| act.workflow).collect(),
            interests: profile(settings, one.acts),
            held_back: one.held_back,
        })
        .filter(|person| !person.interests.is_empty())
        .collect();
    if people.len() > split.people {
        // Evenly: what is mixed has no order.
        people.sort_by_key(|person| recommendation::mixed(person.user.0));
        people.truncate(split.people);
        people.sort_by_key(|person| person.user);
    }
    (learnt, people)
}

/// Sums over the lists of one way of ranking.
struct Sums<'a> {
    popularity: &'a HashMap<WorkflowId, usize>,
    people: usize,
    lists: usize,
    ndcg: f64,
    recall: f64,
    shown: HashSet<WorkflowId>,
    bits: f64,
    places: usize,
}

impl<'a> Sums<'a> {
    fn new(popularity: &'a HashMap<WorkflowId, usize>, people: usize) -> Self {
        Self {
            popularity,
            people,
            lists: 0,
            ndcg: 0.0,
            recall: 0.0,
            shown: HashSet::new(),
            bits: 0.0,
            places: 0,
        }
    }

    fn add(&mut self, list: &[WorkflowId], held_back: &HashSet<WorkflowId>) {
        let gain = |place: usize| 1.0 / ((place + 2) as f64).log2();
        let hits = |list: &[WorkflowId]| -> Vec<usize> {
            list.iter()
                .enumerate()
                .filter(|(_, workflow)| held_back.contains(workflow))
                .map(|(place, _)| place)
                .collect()
        };
        let top = &list[..list.len().min(TOP)];
        let ideal: f64 = (0..held_back.len().min(TOP)).map(gain).sum();
        self.lists += 1;
        self.ndcg += hits(top).into_iter().map(gain).sum::<f64>() / ideal;
        self.recall += hits(list).len() as f64 / held_back.len() as f64;
        for workflow in list {
            let takers = self.popularity.get(workflow).copied().unwrap_or_default().max(1);
            self.bits -= (takers as f64 / self.people as f64).log2();
        }
        self.places += list.len();
        self.shown.extend(list);
    }

    fn measured(self, name: impl Into<String>) -> Measured {
        let lists = self.lists.max(1) as f64;
        Measured {
            name: name.into(),
            ndcg: self.ndcg / lists,
            recall: self.recall / lists,
            coverage: self.shown.len() as f64 / self.popularity.len().max(1) as f64,
            novelty: self.bits / self.places.max(1) as f64,
        }
    }
}

fn measure(
    settings: &RecommendationSettings,
    learnt: &[Vec<Interest<WorkflowId>>],
    people: Vec<Person>,
    facts: &HashMap<WorkflowId, Listed<WorkflowId>>,
) -> Evaluation {
    let weighted = takers(learnt.iter().cloned());
    let counted = takers(learnt.iter().map(|person| equal(person)));
    let popularity: HashMap<WorkflowId, usize> = weighted.popularity().collect();
    let all = learnt.iter().filter(|person| !person.is_empty()).count();
    let mut popular: Vec<WorkflowId> = popularity.keys().copied().collect();
    popular.sort_by(|a, b| popularity[b].cmp(&popularity[a]).then(b.cmp(a)));
    let mut newest = popular.clone();
    newest.sort_unstable_by(|a, b| b.cmp(a));
    newest.truncate(TRIED);
    let may_be_shown = |person: &Person, workflow: &WorkflowId| {
        !person.known.contains(workflow) && facts.get(workflow).is_none_or(|facts| facts.author != person.user)
    };
    let sums = || Sums::new(&popularity, all);

    let mut of_popularity = sums();
    for person in &people {
        let list: Vec<_> = popular
            .iter()
            .copied()
            .filter(|id| may_be_shown(person, id))
            .take(LIST)
            .collect();
        of_popularity.add(&list, &person.held_back);
    }

    let shrinkage = weighted.best_shrinkage(settings);
    let neighbours = by_workflow(&weighted, settings.neighbours, shrinkage);
    let (mut of_bare, mut of_list) = (sums(), sums());
    let rules = Rules {
        limit: LIST,
        per_author: settings.per_author,
        explore_every: settings.explore_every,
    };
    for person in &people {
        let mut ranked = ranked(&person.interests, &neighbours);
        ranked.retain(|id| may_be_shown(person, id));
        of_bare.add(&ranked[..ranked.len().min(LIST)], &person.held_back);
        let mut tried = newest.clone();
        explore_order(person.user, 0, &mut tried);
        let filled = ranked.iter().chain(&popular).copied().filter(|id| may_be_shown(person, id));
        let tried = tried.into_iter().filter(|id| may_be_shown(person, id));
        let picks = arrange(filled, tried, rules, |id| {
            facts.get(id).copied().unwrap_or(Listed {
                workflow: *id,
                author: UserId(0),
                content: None,
            })
        });
        let list: Vec<_> = picks.into_iter().map(|pick| pick.item).collect();
        of_list.add(&list, &person.held_back);
    }

    let of_knn = |shrinkage: f64, kept: usize, all: &HashMap<WorkflowId, Vec<Neighbour>>| {
        let cut: HashMap<WorkflowId, Vec<Neighbour>> = all
            .iter()
            .map(|(id, neighbours)| (*id, neighbours[..neighbours.len().min(kept)].to_vec()))
            .collect();
        let mut of_this = sums();
        for person in &people {
            let mut ranked = ranked(&equal(&person.interests), &cut);
            ranked.retain(|id| may_be_shown(person, id));
            ranked.truncate(LIST);
            of_this.add(&ranked, &person.held_back);
        }
        of_this.measured(format!("item-kNN, shrinkage {shrinkage}, {kept} neighbours"))
    };
    let mut plain = None;
    let mut best: Option<Measured> = None;
    for shrinkage in SHRINKAGES {
        let most = NEIGHBOURS.iter().copied().max().unwrap_or_default().max(settings.neighbours);
        let all = by_workflow(&counted, most, shrinkage);
        if shrinkage == 0.0 {
            plain = Some(of_knn(shrinkage, settings.neighbours, &all));
        }
        for kept in NEIGHBOURS {
            let measured = of_knn(shrinkage, kept, &all);
            if best.as_ref().is_none_or(|best| measured.ndcg > best.ndcg) {
                best = Some(measured);
            }
        }
    }
    let nothing = || sums().measured("nothing");
    Evaluation {
        people: all,
        measured: people.len(),
        workflows: weighted.len(),
        interactions: learnt.iter().map(Vec::len).sum(),
        held_back: people.iter().map(|person| person.held_back.len()).sum(),
        bare: of_bare.measured(format!("this program's ranking, bare, shrinkage {shrinkage}")),
        list: of_list.measured("its list, after the rules"),
        popularity: of_popularity.measured("popularity"),
        plain: plain.unwrap_or_else(nothing),
        best: best.unwrap_or_else(nothing),
    }
}

fn takers(people: impl Iterator<Item = Vec<Interest<WorkflowId>>>) -> Takers {
    let mut collected = Collected::default();
    people.for_each(|person| collected.add(&person));
    collected.finish()
}

/// The same interests, without weights.
fn equal(interests: &[Interest<WorkflowId>]) -> Vec<Interest<WorkflowId>> {
    interests
        .iter()
        .map(|interest| Interest {
            weight: 1.0,
            ..*interest
        })
        .collect()
}

fn by_workflow(takers: &Takers, kept: usize, shrinkage: f64) -> HashMap<WorkflowId, Vec<Neighbour>> {
    takers.neighbours(kept, shrinkage, 0..takers.len()).into_iter().collect()
}

/// In order of the score; among equals the newer workflow comes first, as in a list.
fn ranked(interests: &[Interest<WorkflowId>], neighbours: &HashMap<WorkflowId, Vec<Neighbour>>) -> Vec<WorkflowId> {
    let mut scores: Vec<(f64, WorkflowId)> = score(interests, neighbours)
        .into_iter()
        .map(|(workflow, score)| (score.score, workflow))
        .collect();
    scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    scores.into_iter().map(|(_, workflow)| workflow).collect()
}
