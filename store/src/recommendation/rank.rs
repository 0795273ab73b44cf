//! From interests and neighbours to a list.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::{ActKind, Interest};
use crate::{UserId, WorkflowId};

/// What a workflow's score is, and the one interest that adds most to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score<Id> {
    /// The mean likeness to what the reader did, by their interest in each.
    pub score: f64,
    /// What adds most.
    pub because: Because<Id>,
}

/// An interest that leads to a workflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Because<Id> {
    /// The workflow that they were interested in.
    pub workflow: Id,
    /// What they did.
    pub kind: ActKind,
    /// Its part of the score.
    pub part: f64,
}

/// Scores of all neighbours of somebody's interests: `sum(weight(i) * likeness(i, j)) / sum(weight(i))` over their interests `i` (Sarwar et al.
/// 2001, "Item-based collaborative filtering recommendation algorithms", with implicit weights; Deshpande and Karypis 2004). Their own interests
/// are among the answer when they are like each other.
pub fn score<Id: Copy + Ord + Hash>(
    interests: &[Interest<Id>],
    neighbours: &HashMap<Id, Vec<(Id, f32)>>,
) -> HashMap<Id, Score<Id>> {
    let all: f64 = interests.iter().map(|interest| interest.weight).sum();
    let mut scores: HashMap<Id, Score<Id>> = HashMap::new();
    for interest in interests {
        for (workflow, likeness) in neighbours.get(&interest.workflow).into_iter().flatten() {
            let part = interest.weight * f64::from(*likeness) / all;
            let because = Because {
                workflow: interest.workflow,
                kind: interest.kind,
                part,
            };
            scores
                .entry(*workflow)
                .and_modify(|score| {
                    score.score += part;
                    if part > score.because.part {
                        score.because = because;
                    }
                })
                .or_insert(Score { score: part, because });
        }
    }
    scores
}

/// What may stand in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How many are wanted.
    pub limit: usize,
    /// Most of one author.
    pub per_author: usize,
    /// Every so many places are given to something else; 0: none.
    pub explore_every: usize,
}

/// What the rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<Id> {
    /// The workflow.
    pub workflow: Id,
    /// Its author.
    pub author: UserId,
    /// Its content, if that is known.
    pub content: Option<[u8; 32]>,
}

/// One place of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick<T> {
    /// What stands there.
    pub item: T,
    /// Whether it is there to be tried, and not for its score.
    pub is_explored: bool,
}

/// Fills a list from what is ranked, the best first, and from what is to be tried: no workflow and no content twice, of no author more than
/// allowed. What a rule leaves out makes room for what comes next, so a list is shorter than wanted only when nothing is left that
/// may stand in it.
pub fn arrange<T, Id: Copy + Eq + Hash>(
    ranked: impl IntoIterator<Item = T>,
    explored: impl IntoIterator<Item = T>,
    rules: Rules,
    listed: impl Fn(&T) -> Listed<Id>,
) -> Vec<Pick<T>> {
    let mut workflows: HashSet<Id> = HashSet::new();
    let mut contents: HashSet<[u8; 32]> = HashSet::new();
    let mut of_author: HashMap<UserId, usize> = HashMap::new();
    let mut fits = |item: &T| {
        let Listed {
            workflow,
            author,
            content,
        } = listed(item);
        let of_author = of_author.entry(author).or_default();
        if *of_author >= rules.per_author
            || workflows.contains(&workflow)
            || content.is_some_and(|content| contents.contains(&content))
        {
            return false;
        }
        *of_author += 1;
        workflows.insert(workflow);
        contents.extend(content);
        true
    };
    let (mut ranked, mut explored) = (ranked.into_iter(), explored.into_iter());
    let mut picks = Vec::new();
    for place in 1..=rules.limit {
        let is_turn = rules.explore_every > 0 && place.is_multiple_of(rules.explore_every);
        let mut pick = None;
        if is_turn {
            pick = next_that_fits(&mut explored, &mut fits, true);
        }
        let pick = pick
            .or_else(|| next_that_fits(&mut ranked, &mut fits, false))
            .or_else(|| next_that_fits(&mut explored, &mut fits, true));
        match pick {
            Some(pick) => picks.push(pick),
            None => break,
        }
    }
    picks
}

fn next_that_fits<T>(
    from: &mut impl Iterator<Item = T>,
    fits: &mut impl FnMut(&T) -> bool,
    is_explored: bool,
) -> Option<Pick<T>> {
    from.find(|item| fits(item)).map(|item| Pick { item, is_explored })
}

/// Puts workflows into an order for trying them: for each person and day another one, and always the same.
pub fn explore_order(user: UserId, day: i64, workflows: &mut [WorkflowId]) {
    let of_day = mixed(user.0 ^ mixed(day.unsigned_abs()));
    workflows.sort_by_key(|workflow| (mixed(workflow.0 ^ of_day), *workflow));
}

/// A number that looks random, the same for the same: the mixing of SplitMix64 (Steele, Lea and Flood 2014).
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        limit: 6,
        per_author: 2,
        explore_every: 3,
    };

    fn listed(item: &(u64, u64, u8)) -> Listed<u64> {
        Listed {
            workflow: item.0,
            author: UserId(item.1),
            content: (item.2 > 0).then_some([item.2; 32]),
        }
    }

    fn ids(ranked: &[(u64, u64, u8)], explored: &[(u64, u64, u8)], rules: Rules) -> Vec<u64> {
        arrange(ranked.to_vec(), explored.to_vec(), rules, listed)
            .into_iter()
            .map(|pick| pick.item.0)
            .collect()
    }

    #[test]
    fn rules_fill_up_from_what_comes_next_and_shorten_only_when_nothing_is_left() {
        let of_one = [(1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 2, 0), (5, 2, 0), (6, 2, 0), (7, 3, 0)];
        assert_eq!(ids(&of_one, &[], RULES), [1, 2, 4, 5, 7]);
        // Every third place is for trying, and more where ranks end.
        let new = [(20, 9, 0), (21, 8, 0), (22, 8, 0)];
        assert_eq!(ids(&of_one, &new, RULES), [1, 2, 20, 4, 5, 21]);
        assert_eq!(ids(&of_one[..2], &new, RULES), [1, 2, 20, 21, 22]);
        let none = Rules {
            explore_every: 0,
            ..RULES
        };
        assert_eq!(ids(&of_one, &[], none), [1, 2, 4, 5, 7]);
    }

    #[test]
    fn nothing_stands_twice_and_no_content_does() {
        let ranked = [(1, 1, 7), (1, 1, 7), (2, 2, 7), (3, 3, 8), (4, 4, 0), (5, 5, 0)];
        assert_eq!(ids(&ranked, &[(3, 3, 8), (6, 6, 8), (8, 8, 9)], RULES), [1, 3, 8, 4, 5]);
    }

    #[test]
    fn a_score_is_the_mean_likeness_and_says_what_adds_most() {
        let interest = |workflow, weight| Interest {
            workflow,
            weight,
            kind: ActKind::Like,
            at_s: 0,
        };
        let neighbours = HashMap::from([(1_u64, vec![(9_u64, 0.5_f32), (8, 0.25)]), (2, vec![(9, 1.0)])]);
        let scores = score(&[interest(1, 3.0), interest(2, 1.0), interest(3, 4.0)], &neighbours);
        assert_eq!(scores[&9].score, (3.0 * 0.5 + 1.0) / 8.0);
        assert_eq!(scores[&9].because.workflow, 1);
        assert_eq!(scores[&8].score, 0.75 / 8.0);
        assert_eq!(scores.len(), 2);
    }
}
