//! Which workflows go together: likeness by who took them.
//!
//! **The formula.** A workflow is the vector of its takers' interests ([`store::recommendation::interests`]: acts weighted by kind and decayed with age).
//! The likeness of two is the cosine of their vectors (Sarwar et al. 2001), shrunk: `a·b / (|a| |b| + s)`. What few people took is shrunk most, since
//! for them a coincidence of one or two makes a high cosine (shrinkage in the denominator, as in Ferrari Dacrema, Cremonesi and Jannach 2019, "Are we
//! really making much progress?"). `s` is a number of people times the mean square of all weights, so likeness is the same in whatever unit weights are. How many
//! people is chosen from `shrinkages` by what people took last ([`Takers::best_shrinkage`]): where tastes are clear few, where data are sparse many. Of each workflow the likest `neighbours` are kept.
//!
//! **The bound.** Somebody's newest `most_interactions` count. An interaction takes 16 bytes (a number and a weight, by person and by
//! workflow), a workflow 24, and for each thread 12 more and 8 more for each shrinkage that is tried; results leave some thousand workflows at a
//! time. At 5 million interactions and 50,000 workflows that is about 100 MB, whatever the number of people. Time is that of all pairs within a
//! person's interactions: at most `most_interactions` times the number of interactions.

use std::collections::HashMap;

use config::RecommendationSettings;
use store::WorkflowId;
use store::recommendation::{Interest, Neighbour, mixed, recency};

/// Interactions by row: of people with the numbers of workflows, or the other way round.
#[derive(Clone, Debug)]
struct Rows {
    /// Where each row begins, and after the last one the end.
    begins: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            begins: vec![0],
            columns: Vec::new(),
            weights: Vec::new(),
        }
    }
}

impl Rows {
    fn len(&self) -> usize {
        self.begins.len() - 1
    }

    fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.begins[row]..self.begins[row + 1];
        let weights = &self.weights[range.clone()];
        self.columns[range]
            .iter()
            .zip(weights)
            .map(|(column, weight)| (*column as usize, *weight))
    }

    /// The same interactions by column. Within each, rows are in order.
    fn turned(&self, columns: usize) -> Self {
        let mut begins = vec![0; columns + 1];
        for column in &self.columns {
            begins[*column as usize + 1] += 1;
        }
        for column in 0..columns {
            begins[column + 1] += begins[column];
        }
        let mut next = begins.clone();
        let mut turned = Self {
            begins,
            columns: vec![0; self.columns.len()],
            weights: vec![0.0; self.columns.len()],
        };
        for row in 0..self.len() {
            for (column, weight) in self.row(row) {
                turned.columns[next[column]] = row as u32;
                turned.weights[next[column]] = weight;
                next[column] += 1;
            }
        }
        turned
    }
}

/// Interests of people, one after the other.
#[derive(Debug, Default)]
pub struct Collected {
    numbers: HashMap<WorkflowId, u32>,
    workflows: Vec<WorkflowId>,
    by_person: Rows,
}

impl Collected {
    /// Adds one person's interests.
    pub fn add(&mut self, interests: &[Interest<WorkflowId>]) {
        // One interest makes nothing go together, but its workflow has one more taker.
        // In order of time, which is all that is kept of it.
        let mut in_order: Vec<&Interest<WorkflowId>> = interests.iter().collect();
        in_order.sort_by_key(|interest| (interest.at_s, interest.workflow));
        for interest in in_order {
            let next = self.workflows.len() as u32;
            let number = *self.numbers.entry(interest.workflow).or_insert(next);
            if number == next {
                self.workflows.push(interest.workflow);
            }
            self.by_person.columns.push(number);
            self.by_person.weights.push(interest.weight as f32);
        }
        self.by_person.begins.push(self.by_person.columns.len());
    }

    /// How many interactions there are.
    pub fn interactions(&self) -> usize {
        self.by_person.columns.len()
    }

    /// How many workflows somebody took.
    pub fn workflows(&self) -> usize {
        self.workflows.len()
    }

    /// Ready to be compared.
    pub fn finish(self) -> Takers {
        let by_workflow = self.by_person.turned(self.workflows.len());
        let lengths: Vec<f64> = (0..by_workflow.len())
            .map(|workflow| {
                let squares: f64 = by_workflow.row(workflow).map(|(_, weight)| f64::from(weight).powi(2)).sum();
                squares.sqrt()
            })
            .collect();
        let squares: f64 = lengths.iter().map(|length| length * length).sum();
        Takers {
            mean_square: squares / by_workflow.columns.len().max(1) as f64,
            workflows: self.workflows,
            by_person: self.by_person,
            by_workflow,
            lengths,
        }
    }
}

/// Who took what.
#[derive(Debug)]
pub struct Takers {
    workflows: Vec<WorkflowId>,
    by_person: Rows,
    by_workflow: Rows,
    /// Of the workflows' vectors.
    lengths: Vec<f64>,
    /// The mean of the squares of all weights.
    mean_square: f64,
}

/// Room for one thread's sums.
#[derive(Debug)]
struct Sums {
    /// Of what was touched; 0 elsewhere.
    products: Vec<f64>,
    touched: Vec<u32>,
}

impl Takers {
    /// How many workflows somebody took.
    pub fn len(&self) -> usize {
        self.workflows.len()
    }

    /// Whether nobody took anything.
    pub fn is_empty(&self) -> bool {
        self.workflows.is_empty()
    }

    /// How many people took each workflow.
    pub fn popularity(&self) -> impl Iterator<Item = (WorkflowId, usize)> + '_ {
        let counts = self.by_workflow.begins.windows(2).map(|ends| ends[1] - ends[0]);
        self.workflows.iter().copied().zip(counts)
    }

    /// The neighbours of some workflows, by their places from 0 to [`Takers::len`]: the likest first, among equals the older one. Computed by all cores;
    /// the answer is the same with any number of them.
    pub fn neighbours(&self, kept: usize, shrinkage: f64, places: std::ops::Range<usize>) -> Vec<(WorkflowId, Vec<Neighbour>)> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let each = places.len().div_ceil(threads).max(1);
        let places: Vec<usize> = places.collect();
        std::thread::scope(|scope| {
            let running: Vec<_> = places
                .chunks(each)
                .map(|places| {
                    scope.spawn(move || {
                        let mut sums = Sums {
                            products: vec![0.0; self.len()],
                            touched: Vec::new(),
                        };
                        places
                            .iter()
                            .map(|place| (self.workflows[*place], self.neighbours_at(kept, shrinkage, *place, &mut sums)))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            running
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .filter(|(_, neighbours)| !neighbours.is_empty())
                .collect()
        })
    }

    fn neighbours_at(&self, kept: usize, shrinkage: f64, place: usize, sums: &mut Sums) -> Vec<Neighbour> {
        self.add_up(place, None, sums);
        let shrinkage = shrinkage.max(0.0) * self.mean_square;
        let mut neighbours = Vec::with_capacity(sums.touched.len());
        for other in sums.touched.drain(..) {
            let at = other as usize;
            let product = std::mem::take(&mut sums.products[at]);
            let length = self.lengths[place] * self.lengths[at];
            if at != place {
                neighbours.push((self.workflows[at], (product / (length + shrinkage)) as f32));
            }
        }
        let order = |a: &Neighbour, b: &Neighbour| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let kept = kept.min(neighbours.len());
        if kept < neighbours.len() {
            neighbours.select_nth_unstable_by(kept, order);
            neighbours.truncate(kept);
            // What was touched is much more, and would be held as long as what is kept.
            neighbours.shrink_to_fit();
        }
        neighbours.sort_unstable_by(order);
        neighbours
    }
}

/// Of whom it is told how well a shrinkage ranks, and the least that they took.
const JUDGES: usize = 1000;
const LEAST: usize = 5;

/// Places that count.
const TOP: usize = 10;

impl Takers {
    /// Adds up the products of a workflow with all others, but for what one person did.
    fn add_up(&self, place: usize, without: Option<usize>, sums: &mut Sums) {
        for (person, mine) in self.by_workflow.row(place).filter(|(person, _)| Some(*person) != without) {
            for (other, theirs) in self.by_person.row(person) {
                if sums.products[other] == 0.0 {
                    sums.touched.push(other as u32);
                }
                sums.products[other] += f64::from(mine) * f64::from(theirs);
            }
        }
    }

    /// The shrinkage, of `settings.shrinkages`, by which what some people took last would have been ranked best (nDCG@10 of the last fifth) from what
    /// they took before, each without their own part in the likenesses; the first where nobody took enough, and among equals.
    pub fn best_shrinkage(&self, settings: &RecommendationSettings) -> f64 {
        let first = settings.shrinkages.first().copied().unwrap_or_default();
        let mut judges: Vec<usize> = (0..self.by_person.len())
            .filter(|person| self.by_person.row(*person).count() >= LEAST)
            .collect();
        if settings.shrinkages.len() < 2 || judges.is_empty() {
            return first;
        }
        judges.sort_by_key(|person| mixed(*person as u64));
        judges.truncate(JUDGES);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let gains: Vec<Vec<f64>> = std::thread::scope(|scope| {
            let running: Vec<_> = judges
                .chunks(judges.len().div_ceil(threads))
                .map(|judges| {
                    scope.spawn(move || {
                        let mut room = JudgesRoom::new(self.len(), settings.shrinkages.len());
                        judges
                            .iter()
                            .map(|judge| self.gains(*judge, settings, &mut room))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            running
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut best = (first, f64::MIN);
        for (at, shrinkage) in settings.shrinkages.iter().enumerate() {
            let gain: f64 = gains.iter().map(|gains| gains[at]).sum();
            if gain > best.1 {
                best = (*shrinkage, gain);
            }
        }
        best.0
    }

    /// nDCG@10 of one person's last fifth, by each shrinkage, from a profile as a list is made from ([`store::recommendation::profile`]).
    fn gains(&self, judge: usize, settings: &RecommendationSettings, room: &mut JudgesRoom) -> Vec<f64> {
        let taken: Vec<(usize, f32)> = self.by_person.row(judge).collect();
        let (before, after) = taken.split_at(taken.len() - (taken.len() / 5).max(1));
        let shrinkages = &settings.shrinkages;
        let JudgesRoom {
            sums,
            scores,
            scored,
            is_scored,
        } = room;
        for (newer, (place, weight)) in before.iter().rev().take(settings.recent).enumerate() {
            let weight = f64::from(*weight) * recency(settings, newer);
            self.add_up(*place, Some(judge), sums);
            for other in sums.touched.drain(..) {
                let at = other as usize;
                let product = std::mem::take(&mut sums.products[at]);
                let length = self.lengths[*place] * self.lengths[at];
                let scores = &mut scores[at * shrinkages.len()..][..shrinkages.len()];
                // Not told by the scores: with an odd setting they may all be nothing.
                if !std::mem::replace(&mut is_scored[at], true) {
                    scored.push(other);
                }
                for (score, shrinkage) in scores.iter_mut().zip(shrinkages) {
                    *score += weight * product / (length + shrinkage.max(0.0) * self.mean_square);
                }
            }
        }
        for (known, _) in before {
            scores[known * shrinkages.len()..][..shrinkages.len()].fill(f64::MIN);
        }
        let gain = |place: usize| 1.0 / ((place + 2) as f64).log2();
        let ideal: f64 = (0..after.len().min(TOP)).map(gain).sum();
        let gains = (0..shrinkages.len())
            .map(|at| {
                let score = |place: u32| scores[place as usize * shrinkages.len() + at];
                let order = |a: &u32, b: &u32| score(*b).total_cmp(&score(*a)).then(a.cmp(b));
                if scored.len() > TOP {
                    scored.select_nth_unstable_by(TOP, order);
                }
                let top = scored.len().min(TOP);
                scored[..top].sort_unstable_by(order);
                let hits = scored[..top].iter().enumerate();
                let hits = hits.filter(|(_, place)| after.iter().any(|(wanted, _)| *wanted == **place as usize));
                hits.map(|(rank, _)| gain(rank)).sum::<f64>() / ideal
            })
            .collect();
        for place in scored
            .drain(..)
            .map(|place| place as usize)
            .chain(before.iter().map(|(known, _)| *known))
        {
            scores[place * shrinkages.len()..][..shrinkages.len()].fill(0.0);
            is_scored[place] = false;
        }
        gains
    }
}

/// Room for one thread's judging.
#[derive(Debug)]
struct JudgesRoom {
    sums: Sums,
    /// Of each workflow by each shrinkage; 0 for what was not scored.
    scores: Vec<f64>,
    scored: Vec<u32>,
    /// Whether it is among `scored`.
    is_scored: Vec<bool>,
}

impl JudgesRoom {
    fn new(workflows: usize, shrinkages: usize) -> Self {
        Self {
            sums: Sums {
                products: vec![0.0; workflows],
                touched: Vec::new(),
            },
            scores: vec![0.0; workflows * shrinkages],
            scored: Vec::new(),
            is_scored: vec![false; workflows],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::recommendation::ActKind;

    use super::*;

    fn takers(people: &[Vec<(u64, f64)>]) -> Takers {
        let mut collected = Collected::default();
        for person in people {
            let interests: Vec<_> = person
                .iter()
                .zip(0..)
                .map(|((workflow, weight), at_s)| Interest {
                    workflow: WorkflowId(*workflow),
                    weight: *weight,
                    kind: ActKind::Like,
                    at_s,
                })
                .collect();
            collected.add(&interests);
        }
        collected.finish()
    }

    fn choosing_of(shrinkages: &[f64]) -> RecommendationSettings {
        let mut settings = config::Settings::defaults().expect("the defaults are valid").recommendations;
        settings.shrinkages = shrinkages.to_vec();
        settings
    }

    /// The formula, pair by pair.
    fn naive(people: &[Vec<(u64, f64)>], shrinkage: f64) -> HashMap<(u64, u64), f64> {
        let weight = |person: &[(u64, f64)], id: u64| person.iter().find(|(it, _)| *it == id).map(|(_, weight)| *weight);
        let all: Vec<f64> = people.iter().flatten().map(|(_, weight)| weight.powi(2)).collect();
        let shrinkage = shrinkage * all.iter().sum::<f64>() / all.len().max(1) as f64;
        let mut likeness = HashMap::new();
        for one in 0..12 {
            for other in (0..12).filter(|other| *other != one) {
                let (mut product, mut of_one, mut of_other) = (0.0, 0.0, 0.0_f64);
                for person in people {
                    let (mine, theirs) = (weight(person, one), weight(person, other));
                    of_one += mine.unwrap_or_default().powi(2);
                    of_other += theirs.unwrap_or_default().powi(2);
                    if let (Some(mine), Some(theirs)) = (mine, theirs) {
                        product += mine * theirs;
                    }
                }
                if product > 0.0 {
                    likeness.insert((one, other), product / ((of_one * of_other).sqrt() + shrinkage));
                }
            }
        }
        likeness
    }

    fn person() -> impl Strategy<Value = Vec<(u64, f64)>> {
        prop::collection::btree_map(0..12_u64, 0.01..9.0_f64, 0..12).prop_map(|taken| taken.into_iter().collect())
    }

    #[test]
    fn shrinkage_is_chosen_by_what_people_took_last() {
        // Everybody took 1 and then 2; two of them took 3 before 2, and nothing else did anybody in common. By the cosine alone 3 is as near
        // to 4 to 7 of these two as can be.
        let mut people: Vec<Vec<(u64, f64)>> = (0..20).map(|_| vec![(1, 1.0), (2, 1.0)]).collect();
        people.extend([
            vec![(3, 1.0), (4, 1.0), (5, 1.0), (1, 1.0), (2, 1.0)],
            vec![(3, 1.0), (4, 1.0), (6, 1.0), (5, 1.0)],
        ]);
        let found = takers(&people);
        // One judge took enough: 2 is the last that they took. What goes with 1, and not what chance put beside 3 to 5.
        assert_eq!(found.best_shrinkage(&choosing_of(&[0.0, 50.0])), 50.0);
        assert_eq!(found.best_shrinkage(&choosing_of(&[50.0, 0.0])), 50.0);
        assert_eq!(found.best_shrinkage(&choosing_of(&[0.0])), 0.0);
        assert_eq!(
            takers(&people[..20]).best_shrinkage(&choosing_of(&[7.0, 50.0])),
            7.0,
            "nobody took enough"
        );
    }

    proptest! {
        #[test]
        fn neighbours_are_those_of_the_formula_pair_by_pair(
            people in prop::collection::vec(person(), 0..20), shrinkage in 0.0..30.0_f64, kept in 1..12_usize,
        ) {
            let takers = takers(&people);
            let expected = naive(&people, shrinkage);
            let all = takers.neighbours(100, shrinkage, 0..takers.len());
            let mut pairs = 0;
            for (workflow, neighbours) in &all {
                for (neighbour, likeness) in neighbours {
                    let expected = expected[&(workflow.0, neighbour.0)];
                    prop_assert!((f64::from(*likeness) - expected).abs() < 1e-5, "{likeness} is not {expected}");
                    pairs += 1;
                }
                prop_assert!(neighbours.windows(2).all(|two| two[0].1 >= two[1].1));
            }
            prop_assert_eq!(pairs, expected.len());
            // What is cut off is the end, and pieces give the same as the whole.
            let cut: Vec<_> = (0..takers.len()).flat_map(|at| takers.neighbours(kept, shrinkage, at..at + 1)).collect();
            let expected: Vec<_> = all.into_iter().map(|(id, mut list)| { list.truncate(kept); (id, list) }).collect();
            prop_assert_eq!(cut, expected);
        }

        #[test]
        fn weights_have_no_unit(people in prop::collection::vec(person(), 1..12), times in 0.001..1000.0_f64) {
            let scaled: Vec<Vec<_>> =
                people.iter().map(|person| person.iter().map(|(id, weight)| (*id, weight * times)).collect()).collect();
            let (one, other) = (takers(&people), takers(&scaled));
            let list = |takers: &Takers| takers.neighbours(100, 5.0, 0..takers.len());
            for ((_, mine), (_, theirs)) in list(&one).into_iter().zip(list(&other)) {
                for (mine, theirs) in mine.iter().zip(&theirs) {
                    prop_assert!((mine.1 - theirs.1).abs() < 1e-4);
                }
            }
        }
    }
}
