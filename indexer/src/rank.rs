//! Runs a [`Plan`] on a segment: which documents match, and how far ahead each belongs.
//!
//! Documents are gone through in windows. Within one, each list of documents is read once and noted in a cell per word and document: how
//! well the word was met, in how good a field, and how much it weighs. So a word with fifty completions costs fifty short loops and no
//! heap, and a document is scored once everything about it is known, and only as far as it takes to see that it is behind those that
//! will be shown. Words that must match are read rarest first, and later ones only where the earlier ones left candidates.
//!
//! **Short queries** are ordered by tiers: how many words are missing, where some may; then how words were met, added up over the words; then
//! how good the fields are; then how near the words are to each other; then BM25 and popularity. Among documents that miss a word, BM25 and
//! popularity alone decide: which word it is says more than where the others stand. **Long ones** by BM25 and a little popularity alone.
//! Either is one float: tiers are the higher bits of its representation.
//!
//! BM25 is BM25F (Robertson, Zaragoza, Taylor, *Simple BM25 extension to multiple weighted fields*, 2004): occurrences are weighted by
//! field and added up before they saturate, so that a word in title and text is not counted as two words. Only occurrences in prose are
//! set against its length.

mod lists;
mod nearness;
mod tiers;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tantivy::query::{EnableScoring, PhraseQuery, Query, Weight};
use tantivy::{DocAddress, DocId, Score, Searcher, SegmentReader, TERMINATED, Term};

use self::lists::{Cell, Cursor, Docs, Lengths, Lists, SlotPass};
use self::nearness::Nearness;
use self::tiers::{MOST_SCORE, Tiered, cost};
pub(crate) use self::tiers::{shown, step_of};
use crate::collector::Matches;
use crate::columns::SegmentColumns;
use crate::counters::CountersView;
use crate::plan::{MatchKind, Plan, What};
use crate::schema::Fields;
use crate::window::{Places, WINDOW};

/// BM25's saturation and length normalisation, as Lucene and tantivy have them.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// Weights of occurrences by level of the field, 0 unused. A word of a description weighs 1.
const LEVEL_WEIGHTS: [f32; 6] = [0.0, 1.0, 1.5, 2.0, 3.0, 5.0];

/// The same in long queries, where titles and descriptions are weighed by their stems.
const LONG_LEVEL_WEIGHTS: [f32; 6] = [0.0, 0.0, 0.25, 0.5, 1.0, 0.0];

/// Weight of a stem in a title, in long queries.
const TITLE_STEM_WEIGHT: f32 = 1.5;

/// How much popularity says in a short query, and in a long one, where text leads.
const POPULARITY: f32 = 0.07;
const LONG_POPULARITY: f32 = 0.02;

/// What popularity multiplies a score by: 1 for what nobody has liked yet, and more slowly more the more did (see [`Counts::liked`]).
///
/// [`Counts::liked`]: crate::Counts
fn popularity_factor(liked: f32, long: bool) -> f32 {
    1.0 + if long { LONG_POPULARITY } else { POPULARITY } * roughly_log2(1.0 + liked)
}

/// The binary logarithm of a number from 1 on, exact for powers of two and a straight line between them: the bits of a float are that.
/// It is asked for every match, and a real one takes ten times as long.
fn roughly_log2(number: f32) -> f32 {
    const ONE: u32 = 127 << 23;
    (number.to_bits() - ONE) as f32 / (1_u32 << 23) as f32
}

/// A plan that can be run.
pub(crate) struct TextQuery {
    pub(crate) plan: Arc<Plan>,
    fields: Fields,
    phrases: Phrases,
}

/// By words: where they stand side by side, field by field, with the field's level.
type Phrases = HashMap<Vec<String>, Vec<(Arc<dyn Weight>, u8)>>;

impl TextQuery {
    pub(crate) fn new(plan: Plan, fields: &Fields, searcher: &Searcher) -> tantivy::Result<Self> {
        let in_fields = |words: &[String]| -> tantivy::Result<Vec<(Arc<dyn Weight>, u8)>> {
            let fields = fields.texts.leveled().into_iter();
            fields
                .map(|(field, level)| {
                    let terms = words.iter().map(|word| Term::from_field_text(field, word)).collect();
                    let weight = PhraseQuery::new(terms).weight(EnableScoring::disabled_from_searcher(searcher))?;
                    Ok((Arc::from(weight), level))
                })
                .collect()
        };
        let mut phrases = Phrases::new();
        let sought = plan.slots.iter().flat_map(|slot| &slot.sources);
        let sought = sought.filter_map(|source| match &source.what {
            What::Phrase(words) => Some(words),
            What::Word(_) | What::Beginning(_) | What::Stem(_) => None,
        });
        for words in sought.chain(plan.excluded.iter().filter(|words| words.len() > 1)) {
            if !phrases.contains_key(words) {
                phrases.insert(words.clone(), in_fields(words)?);
            }
        }
        Ok(Self {
            plan: Arc::new(plan),
            fields: fields.clone(),
            phrases,
        })
    }

    /// Entries of lists that are read at most, over all segments.
    pub(crate) fn entries(&self) -> u64 {
        let sources = self.plan.slots.iter().flat_map(|slot| &slot.sources);
        sources.map(|source| source.frequency).sum()
    }

    /// What goes through some documents of a segment. Without scores every match is as good as another.
    pub(crate) fn pass(
        &self,
        reader: &SegmentReader,
        docs: Range<DocId>,
        columns: &Arc<SegmentColumns>,
        counters: &CountersView,
        scored: bool,
    ) -> tantivy::Result<TextPass> {
        let plan = &self.plan;
        let lists = Lists {
            all: reader.inverted_index(self.fields.all)?,
            beginnings: reader.inverted_index(self.fields.beginnings)?,
            stems: reader.inverted_index(self.fields.stems)?,
            title_stems: reader.inverted_index(self.fields.title_stems)?,
            reader,
            phrases: &self.phrases,
        };
        let mut slots = Vec::new();
        for slot in &plan.slots {
            let mut cursors = Vec::new();
            for (number, source) in slot.sources.iter().enumerate() {
                let opened = lists.open(&source.what, source.kind, source.weight, plan.long)?;
                cursors.extend(opened.into_iter().map(|(docs, reading)| Cursor {
                    docs,
                    reading,
                    kind: source.kind,
                    source: number as u16,
                }));
            }
            slots.push(SlotPass {
                cursors,
                cells: vec![Cell::default(); if scored { WINDOW as usize } else { 0 }],
                met: Places::default(),
            });
        }
        let mut excluded = Vec::new();
        for words in &plan.excluded {
            let what = match words.as_slice() {
                [word] => What::Word(word.clone()),
                words => What::Phrase(words.to_vec()),
            };
            let opened = lists.open(&what, MatchKind::Exact, 1.0, false)?;
            excluded.extend(opened.into_iter().map(|(docs, _)| docs));
        }
        let mut required: Vec<usize> = (0..plan.slots.len()).filter(|at| plan.slots[*at].required).collect();
        required.sort_by_key(|at| plan.slots[*at].frequency);
        let mut optional: Vec<usize> = (0..plan.slots.len()).filter(|at| !plan.slots[*at].required).collect();
        optional.sort_by_key(|at| plan.slots[*at].frequency);
        // Words that only weigh set no bound; without a word that must match, one of them has to.
        let free = plan.may_miss >= optional.len();
        let bound = (!free).then_some(plan.may_miss).filter(|_| !plan.long);
        Ok(TextPass {
            slots,
            required,
            optional,
            bound,
            steps: vec![Places::default(); bound.map_or(0, |most| most + 1)],
            excluded,
            scored,
            lengths: Lengths::open(reader, &self.fields, plan)?,
            nearness: Nearness::open(reader, &self.fields)?,
            columns: columns.clone(),
            counters: counters.clone(),
            plan: plan.clone(),
            end: docs.end,
            start: docs.start,
            next: docs.start,
        })
    }

    /// How one document matched; none if it does not.
    pub(crate) fn explained(
        &self,
        searcher: &Searcher,
        columns: &Arc<SegmentColumns>,
        counters: &CountersView,
        address: DocAddress,
    ) -> tantivy::Result<Option<Explained>> {
        let reader = searcher.segment_reader(address.segment_ord);
        let doc = address.doc_id..address.doc_id + 1;
        let mut pass = self.pass(reader, doc, columns, counters, true)?;
        let found = pass.next().filter(|(_, places)| places.has(0));
        Ok(found.map(|_| pass.explained(0)))
    }
}

/// The pass over some documents of one segment.
pub(crate) struct TextPass {
    plan: Arc<Plan>,
    slots: Vec<SlotPass>,
    /// Slots that must be met, the rarest first, and others.
    required: Vec<usize>,
    optional: Vec<usize>,
    /// How many of the others may be missing, where that is fewer than all.
    bound: Option<usize>,
    /// What misses at most none, one, … of the others that were read so far.
    steps: Vec<Places>,
    excluded: Vec<Docs>,
    scored: bool,
    lengths: Lengths,
    nearness: Nearness,
    columns: Arc<SegmentColumns>,
    counters: CountersView,
    /// First document behind all of them.
    end: DocId,
    /// First document of the window.
    start: DocId,
    /// First document behind the window.
    next: DocId,
}

impl Matches for TextPass {
    fn next(&mut self) -> Option<(DocId, Places)> {
        let from = self.next;
        let start = if let Some(rarest) = self.required.first() {
            self.slots[*rarest].first_from(from)
        } else if self.optional.is_empty() {
            from
        } else {
            // What misses so many at most has one of any that are one more: the rarest.
            let needed = self.bound.map_or(self.optional.len(), |most| most + 1);
            let slots = &mut self.slots;
            let rarest = self.optional.iter().take(needed).map(|at| slots[*at].first_from(from));
            rarest.min().unwrap_or(TERMINATED)
        };
        if start >= self.end {
            return None;
        }
        self.start = start;
        self.next = self.end.min(start + WINDOW);
        Some((start, self.read(self.next)))
    }

    fn promising(&self, places: &Places, least: Score) -> Places {
        let mut promising = *places;
        // Where words may be missing, a document has fewer cells than there are words.
        if self.scored && !self.plan.long && self.plan.may_miss == 0 {
            let most = Tiered::most_cost(least);
            match self.slots.as_slice() {
                [slot] => promising.retain(0, |place| {
                    let cell = slot.cells[place as usize];
                    cost(u32::from(cell.kind_cost()), cell.level_cost()) <= most
                }),
                _ => promising.retain(0, |place| {
                    let (kinds, levels) = self.tiers(place);
                    cost(kinds, levels) <= most
                }),
            }
        }
        promising
    }

    fn score(&mut self, place: u32, least: Score) -> Score {
        if !self.scored {
            return 1.0;
        }
        if self.plan.long {
            return self.bm25(place) * self.popularity(place);
        }
        let missing = if self.plan.may_miss == 0 { 0 } else { self.missing(place) };
        let (kinds, levels) = if missing > 0 { (0, 0) } else { self.tiers(place) };
        let tiered = |near: u32, score: f32| {
            let tiered = Tiered {
                missing,
                kinds,
                levels,
                near,
                score,
            };
            tiered.pack()
        };
        // From what is known soonest to what takes longest, as long as it may come far enough.
        let best = tiered(0, MOST_SCORE);
        if best < least {
            return best;
        }
        let score = self.bm25(place) * self.popularity(place);
        let best = tiered(0, score);
        if missing > 0 || best < least {
            return best;
        }
        let doc = self.start + place;
        let best = tiered(self.nearness.at_best(doc, &self.plan), score);
        if best < least {
            return best;
        }
        tiered(self.nearness.of(doc, place, &self.plan, &self.slots), score)
    }
}

impl TextPass {
    /// Reads the window that begins at `start`: what matches in it.
    fn read(&mut self, end: DocId) -> Places {
        let start = self.start;
        let mut candidates: Option<Places> = None;
        for at in &self.required {
            let slot = &mut self.slots[*at];
            slot.read(start, end, candidates.as_ref(), &self.lengths, self.scored);
            match &mut candidates {
                Some(candidates) => candidates.keep(&slot.met),
                None => candidates = Some(slot.met),
            }
            if candidates.as_ref().is_some_and(Places::is_empty) {
                return Places::default();
            }
        }
        if let Some(most) = self.bound {
            self.steps.fill(candidates.unwrap_or_else(|| Places::up_to(end - start)));
            for (turn, at) in self.optional.iter().enumerate() {
                let slot = &mut self.slots[*at];
                // Until so many were read, nothing is out of question.
                let only = (candidates.is_some() || turn > most).then_some(&self.steps[most]);
                slot.read(start, end, only, &self.lengths, self.scored);
                for missing in (1..=most).rev() {
                    let missed_before = self.steps[missing - 1];
                    self.steps[missing].keep(&slot.met);
                    self.steps[missing].add(&missed_before);
                }
                self.steps[0].keep(&slot.met);
                if self.steps[most].is_empty() {
                    return Places::default();
                }
            }
            candidates = Some(self.steps[most]);
        }
        let mut any = Places::default();
        for at in self.optional.iter().filter(|_| self.bound.is_none()) {
            let slot = &mut self.slots[*at];
            slot.read(start, end, candidates.as_ref(), &self.lengths, self.scored);
            any.add(&slot.met);
        }
        let mut matching = match candidates {
            Some(candidates) => candidates,
            None if self.optional.is_empty() => Places::up_to(end - start),
            None => any,
        };
        for docs in &mut self.excluded {
            if matching.is_empty() {
                break;
            }
            let candidates = matching;
            docs.each(start, end, Some(&candidates), |place, _| matching.unset(place));
        }
        matching
    }

    /// BM25 of the document.
    fn bm25(&self, place: u32) -> f32 {
        let slots = self
            .slots
            .iter()
            .zip(&self.plan.slots)
            .filter(|(pass, _)| pass.met.has(place));
        slots
            .map(|(pass, slot)| {
                let weight = pass.cells[place as usize].weight;
                slot.times * slot.idf * weight * (K1 + 1.0) / (weight + K1)
            })
            .sum()
    }

    fn popularity(&self, place: u32) -> f32 {
        let slot = self.columns.slots[(self.start + place) as usize];
        popularity_factor(self.counters.liked(slot), self.plan.long)
    }

    /// How many words it misses; of those that are given up in an order, from the first that it misses on.
    fn missing(&self, place: u32) -> u32 {
        let missed = |at: &usize| !self.slots[*at].met.has(place);
        let missing = if self.plan.kept_first.is_empty() {
            self.optional.iter().filter(|at| missed(at)).count()
        } else {
            let kept = self.plan.kept_first.iter().take_while(|at| !missed(at)).count();
            self.plan.kept_first.len() - kept
        };
        missing as u32
    }

    /// How the words were met and how good their fields are, added up.
    fn tiers(&self, place: u32) -> (u32, u32) {
        let mut kinds = 0;
        let mut levels = 0;
        for slot in self.slots.iter().filter(|slot| slot.met.has(place)) {
            let cell = slot.cells[place as usize];
            kinds += u32::from(cell.kind_cost());
            levels += cell.level_cost();
        }
        (kinds, levels)
    }

    fn explained(&mut self, place: u32) -> Explained {
        let slots = self
            .slots
            .iter()
            .zip(&self.plan.slots)
            .filter(|(pass, _)| pass.met.has(place));
        let words = slots
            .map(|(pass, slot)| {
                let cell = pass.cells[place as usize];
                let source = &slot.sources[usize::from(cell.source)];
                ExplainedWord {
                    typed: slot.typed.join(" "),
                    matched: match &source.what {
                        What::Word(word) | What::Stem(word) => word.clone(),
                        What::Beginning(beginning) => format!("{beginning}…"),
                        What::Phrase(words) => words.join(" "),
                    },
                    kind: source.kind,
                    level: cell.level(),
                    weight: cell.weight,
                    idf: slot.idf,
                }
            })
            .collect();
        let tiers = (!self.plan.long).then(|| {
            let (kinds, levels) = self.tiers(place);
            let near = self.nearness.of(self.start + place, place, &self.plan, &self.slots);
            [kinds, levels, near]
        });
        let missed = self
            .slots
            .iter()
            .zip(&self.plan.slots)
            .filter(|(pass, _)| !pass.met.has(place));
        Explained {
            words,
            missing: missed.map(|(_, slot)| slot.typed.join(" ")).collect(),
            tiers,
            bm25: self.bm25(place),
            popularity: self.popularity(place),
        }
    }
}

/// How a document matched, and the parts of its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The words that were met.
    pub words: Vec<ExplainedWord>,
    /// The words that were not.
    pub missing: Vec<String>,
    /// In short queries the tiers, of each of which the lower comes first: how words were met, how good their fields are, and how near
    /// they are (0: they are the whole title, 1: side by side, 2: near, 3: not near).
    pub tiers: Option<[u32; 3]>,
    /// BM25.
    pub bm25: f32,
    /// What popularity multiplied it by.
    pub popularity: f32,
}

/// How one word was met.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedWord {
    /// The word or phrase of the query.
    pub typed: String,
    /// What was found in its place.
    pub matched: String,
    /// How the two belong together.
    pub kind: MatchKind,
    /// How good the best field is: 5 title, 4 tag or author, 3 device or plug-in, 2 macro or chain, 1 description.
    pub level: u8,
    /// Weighted occurrences.
    pub weight: f32,
    /// How much the word says.
    pub idf: f32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Counts;

    #[test]
    fn the_liked_gain_and_the_equal_do_not_move() {
        let factor = |counts: Counts, long: bool| popularity_factor(counts.liked(), long);
        let counts = |likes| Counts {
            likes,
            ..Counts::default()
        };
        assert!((factor(counts(0), false) - 1.0).abs() < 1e-6);
        assert!(factor(counts(10), false) > factor(counts(1), false));
        assert!(factor(counts(10), true) < factor(counts(10), false));
        let trending = |trending| Counts { trending, ..counts(2) };
        assert!(factor(trending(4.0), false) > factor(trending(0.0), false));
        assert!((factor(trending(4.0), false) - factor(counts(4), false)).abs() < 1e-6);
    }
}
