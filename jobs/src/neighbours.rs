//! Which workflows go together: likeness by who took them.
//!
//! **The formula.** A workflow is the vector of its takers' interests ([`store::recommendation::interests`]: acts weighted by kind and decayed with age).
//! The likeness of two is the cosine of their vectors (Sarwar et al. 2001), shrunk: `a·b / (|a| |b| + s)`. What few people took is shrunk most, since
//! for them a coincidence of one or two makes a high cosine (shrinkage in the denominator, as in Ferrari Dacrema, Cremonesi and Jannach 2019, "Are we
//! really making much progress?"). `s` is `shrinkage` times the mean square of all weights, so it is a number of people, and likeness the same in whatever
//! unit weights are. Of each workflow the likest `neighbours` are kept.
//!
//! **The bound.** Somebody's newest `most_interactions` count. An interaction takes 16 bytes (a number and a weight, by person and by
//! workflow), a workflow 24 and 12 more for each thread; results leave some thousand workflows at a time. At 5 million
//! interactions and 50,000 workflows that is about 100 MB, whatever the number of people. Time is that of all pairs within a person's interactions:
//! at most `most_interactions` times the number of interactions.

use std::collections::HashMap;

use config::RecommendationSettings;
use store::WorkflowId;
use store::recommendation::{Interest, Neighbour};

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
        for interest in interests {
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
    pub fn neighbours(
        &self,
        settings: &RecommendationSettings,
        places: std::ops::Range<usize>,
    ) -> Vec<(WorkflowId, Vec<Neighbour>)> {
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
                            .map(|place| (self.workflows[*place], self.neighbours_at(settings, *place, &mut sums)))
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

    fn neighbours_at(&self, settings: &RecommendationSettings, place: usize, sums: &mut Sums) -> Vec<Neighbour> {
        for (person, mine) in self.by_workflow.row(place) {
            for (other, theirs) in self.by_person.row(person) {
                if sums.products[other] == 0.0 {
                    sums.touched.push(other as u32);
                }
                sums.products[other] += f64::from(mine) * f64::from(theirs);
            }
        }
        let shrinkage = settings.shrinkage.max(0.0) * self.mean_square;
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
        let kept = settings.neighbours.min(neighbours.len());
        if kept < neighbours.len() {
            neighbours.select_nth_unstable_by(kept, order);
            neighbours.truncate(kept);
        }
        neighbours.sort_unstable_by(order);
        neighbours
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::recommendation::ActKind;

    use super::*;

    fn settings(neighbours: usize, shrinkage: f64) -> RecommendationSettings {
        RecommendationSettings {
            neighbours,
            shrinkage,
            ..config::Settings::defaults().expect("the defaults are valid").recommendations
        }
    }

    fn takers(people: &[Vec<(u64, f64)>]) -> Takers {
        let mut collected = Collected::default();
        for person in people {
            let interests: Vec<_> = person
                .iter()
                .map(|(workflow, weight)| Interest {
                    workflow: WorkflowId(*workflow),
                    weight: *weight,
                    kind: ActKind::Like,
                    at_s: 0,
                })
                .collect();
            collected.add(&interests);
        }
        collected.finish()
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

    proptest! {
        #[test]
        fn neighbours_are_those_of_the_formula_pair_by_pair(
            people in prop::collection::vec(person(), 0..20), shrinkage in 0.0..30.0_f64, kept in 1..12_usize,
        ) {
            let takers = takers(&people);
            let expected = naive(&people, shrinkage);
            let all = takers.neighbours(&settings(100, shrinkage), 0..takers.len());
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
            let cut: Vec<_> = (0..takers.len()).flat_map(|at| takers.neighbours(&settings(kept, shrinkage), at..at + 1)).collect();
            let expected: Vec<_> = all.into_iter().map(|(id, mut list)| { list.truncate(kept); (id, list) }).collect();
            prop_assert_eq!(cut, expected);
        }

        #[test]
        fn weights_have_no_unit(people in prop::collection::vec(person(), 1..12), times in 0.001..1000.0_f64) {
            let scaled: Vec<Vec<_>> =
                people.iter().map(|person| person.iter().map(|(id, weight)| (*id, weight * times)).collect()).collect();
            let (one, other) = (takers(&people), takers(&scaled));
            let list = |takers: &Takers| takers.neighbours(&settings(100, 5.0), 0..takers.len());
            for ((_, mine), (_, theirs)) in list(&one).into_iter().zip(list(&other)) {
                for (mine, theirs) in mine.iter().zip(&theirs) {
                    prop_assert!((mine.1 - theirs.1).abs() < 1e-4);
                }
            }
        }
    }
}
