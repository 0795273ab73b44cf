//! The order of a query's matches as one float.

use tantivy::Score;

/// The order of a short query in one float: a number of 31 bits, whose order is that of the floats with these bits. From the top: 2 bits
/// how many words are missing, 4 how words were met, 5 how good their fields are, 2 how near they are, 18 the score in steps of 0.012 %,
/// which are the upper bits of a float too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tiered {
    pub(super) missing: u32,
    pub(super) kinds: u32,
    pub(super) levels: u32,
    pub(super) near: u32,
    pub(super) score: f32,
}

/// Short queries have at most four words, and one of them is met.
const MAX_MISSING: u32 = 3;
/// The best of `kinds`: one more would be the bits of what is no number.
const MAX_KINDS: u32 = 14;
const MAX_LEVELS: u32 = 31;
const MAX_NEAR: u32 = 3;
const SCORE_BITS: u32 = 18;
/// Scores are told apart from 2^-16 to 2^16: 32 powers of two, and 2^13 steps within each.
const LEAST_SCORE: f32 = 1.0 / 65_536.0;
pub(super) const MOST_SCORE: f32 = 65_535.0;

/// What a document without a missing word costs by how its words were met and in which fields: lower comes first, as in [`Tiered`].
pub(super) fn cost(kinds: u32, levels: u32) -> u32 {
    kinds.min(MAX_KINDS) << COST_LEVEL_BITS | levels.min(MAX_LEVELS)
}

/// Bits of a cost for the fields.
const COST_LEVEL_BITS: u32 = 5;

impl Tiered {
    /// The most that a document may [`cost`] for it to score at least `least`.
    pub(super) fn most_cost(least: Score) -> u32 {
        let tiers = least.max(0.0).to_bits() >> SCORE_BITS;
        if tiers >> 11 < MAX_MISSING {
            return u32::MAX;
        }
        // Both are counted down from the best.
        cost(MAX_KINDS, MAX_LEVELS).saturating_sub(tiers >> 2 & 0x1ff)
    }

    pub(super) fn pack(self) -> f32 {
        let bits = self.score.clamp(LEAST_SCORE, MOST_SCORE).to_bits() - LEAST_SCORE.to_bits();
        let score = bits >> (f32::MANTISSA_DIGITS - 1 + 5 - SCORE_BITS);
        let tiers = (MAX_MISSING - self.missing.min(MAX_MISSING)) << 11
            | (MAX_KINDS - self.kinds.min(MAX_KINDS)) << 7
            | (MAX_LEVELS - self.levels.min(MAX_LEVELS)) << 2
            | (MAX_NEAR - self.near.min(MAX_NEAR));
        f32::from_bits(tiers << SCORE_BITS | score)
    }
}

/// How few words a document with such a score misses.
pub(crate) fn step_of(score: Score) -> u32 {
    score.max(0.0).to_bits() >> (SCORE_BITS + 11)
}

/// A score as it is shown, from 0 to 1 and in the order of the hits.
pub(crate) fn shown(score: Score, long: bool) -> f32 {
    if long {
        // Ten is what a few rare words give.
        score / (score + 10.0)
    } else {
        (f64::from(score.to_bits()) / f64::from(f32::INFINITY.to_bits())) as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tiered(kinds: u32, levels: u32, near: u32, score: f32) -> Tiered {
        Tiered {
            missing: 0,
            kinds,
            levels,
            near,
            score,
        }
    }

    #[test]
    fn each_tier_comes_before_all_that_is_below_it() {
        let order = [
            tiered(0, 0, 0, 0.1),
            tiered(0, 0, 1, 99.0),
            tiered(0, 0, 1, 1.0),
            tiered(0, 0, 3, 99.0),
            tiered(0, 1, 0, 99.0),
            tiered(1, 0, 0, 99.0),
            tiered(14, 31, 3, 0.0),
            Tiered {
                missing: 1,
                ..tiered(0, 0, 0, 99.0)
            },
            Tiered {
                missing: 3,
                ..tiered(0, 0, 0, 99.0)
            },
        ];
        assert_eq!(order.map(|tiered| step_of(tiered.pack())), [3, 3, 3, 3, 3, 3, 3, 2, 0]);
        for pair in order.windows(2) {
            assert!(pair[0].pack() > pair[1].pack(), "{pair:?}");
            assert!(shown(pair[0].pack(), false) > shown(pair[1].pack(), false), "{pair:?}");
        }
        assert!(tiered(0, 0, 0, f32::MAX).pack().is_finite());
    }

    proptest! {
        #[test]
        fn what_costs_more_does_not_reach_a_score(
            of in (0u32..25, 0u32..65, 0u32..4, 0.0f32..100.0), other in (0u32..25, 0u32..65, 0u32..4, 0.0f32..100.0), missing in 0u32..2,
        ) {
            let least = Tiered { missing, ..tiered(of.0, of.1, of.2, of.3) }.pack();
            if cost(other.0, other.1) > Tiered::most_cost(least) {
                prop_assert!(tiered(other.0, other.1, other.2, other.3).pack() < least);
            } else {
                prop_assert!(tiered(other.0, other.1, 0, MOST_SCORE).pack() >= least);
            }
        }

        #[test]
        fn a_higher_score_is_never_behind(a in 0.0f32..1e6, b in 0.0f32..1e6) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(tiered(1, 2, 1, low).pack() <= tiered(1, 2, 1, high).pack());
        }
    }
}
