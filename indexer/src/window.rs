//! Windows of documents: a search goes through a segment in runs of documents that are small enough for everything about them to stay in
//! the cache of a core, and works on sets of their places instead of asking about one document after the other.

use tantivy::DocId;

/// Documents of a window: cells of four words and their documents fit into the cache of a core.
pub(crate) const WINDOW: u32 = 2048;

/// A set of places in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places([u64; (WINDOW / 64) as usize]);

impl Default for Places {
    fn default() -> Self {
        Self([0; (WINDOW / 64) as usize])
    }
}

impl Places {
    /// The first so many.
    pub(crate) fn up_to(count: u32) -> Self {
        let mut left = count.min(WINDOW);
        let mut places = Self::default();
        for word in &mut places.0 {
            let here = left.min(64);
            *word = if here == 64 { u64::MAX } else { (1 << here) - 1 };
            left -= here;
        }
        places
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    #[inline]
    pub(crate) fn set(&mut self, place: u32) {
        self.0[(place / 64) as usize] |= 1 << (place % 64);
    }

    #[inline]
    pub(crate) fn unset(&mut self, place: u32) {
        self.0[(place / 64) as usize] &= !(1 << (place % 64));
    }

    #[inline]
    pub(crate) fn has(&self, place: u32) -> bool {
        self.0[(place / 64) as usize] & (1 << (place % 64)) != 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Leaves those that `other` has too.
    pub(crate) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    /// Takes those of `other` in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    /// Leaves those that `other` has not.
    pub(crate) fn remove(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
    }

    /// Leaves those that a document passes, the window beginning at `start`.
    #[inline]
    pub(crate) fn retain(&mut self, start: DocId, passes: impl Fn(DocId) -> bool) {
        for (at, word) in (0..).zip(&mut self.0) {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !passes(start + at * 64 + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Calls `found` for each, in order.
    #[inline]
    pub(crate) fn each(&self, mut found: impl FnMut(u32)) {
        for (at, word) in (0..).zip(&self.0) {
            let mut left = *word;
            while left != 0 {
                found(at * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }

    /// The first from a place on.
    pub(crate) fn first_from(&self, place: u32) -> Option<u32> {
        let from = (place / 64) as usize;
        let first = self.0.get(from)? & (u64::MAX << (place % 64));
        if first != 0 {
            return Some(from as u32 * 64 + first.trailing_zeros());
        }
        let rest = self.0.iter().enumerate().skip(from + 1);
        rest.into_iter()
            .find(|(_, word)| **word != 0)
            .map(|(at, word)| at as u32 * 64 + word.trailing_zeros())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.first_from(0), |place| self.first_from(place + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    fn of(places: &BTreeSet<u32>) -> Places {
        let mut set = Places::default();
        places.iter().for_each(|place| set.set(*place));
        set
    }

    proptest! {
        #[test]
        fn places_are_a_set(mine in btree_set(0..WINDOW, 0..40), others in btree_set(0..WINDOW, 0..40), from in 0..WINDOW) {
            let places = of(&mine);
            prop_assert_eq!(places.iter().collect::<BTreeSet<_>>(), mine.clone());
            let mut met = Vec::new();
            places.each(|place| met.push(place));
            prop_assert_eq!(met, mine.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(places.first_from(from), mine.range(from..).next().copied());
            prop_assert_eq!(places.count() as usize, mine.len());
            let changed = |change: fn(&mut Places, &Places)| {
                let mut changed = places;
                change(&mut changed, &of(&others));
                changed.iter().collect::<BTreeSet<_>>()
            };
            prop_assert_eq!(changed(Places::keep), &mine & &others);
            prop_assert_eq!(changed(Places::add), &mine | &others);
            prop_assert_eq!(changed(Places::remove), &mine - &others);
            let mut odd = places;
            odd.retain(7, |doc| doc % 2 == 0);
            prop_assert_eq!(odd.iter().collect::<Vec<_>>(), mine.iter().copied().filter(|place| place % 2 == 1).collect::<Vec<_>>());
        }

        #[test]
        fn the_first_so_many(count in 0..=WINDOW) {
            prop_assert_eq!(Places::up_to(count).iter().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}
