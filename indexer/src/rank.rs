//! Runs a [`Plan`] on a segment: which documents match, and how far ahead each belongs.
//!
//! Documents are gone through in windows. Within one, each list of documents is read once and noted in a cell per word and document: how
//! well the word was met, in how good a field, and how much it weighs. So a word with fifty completions costs fifty short loops and no
//! heap, and a document is scored once everything about it is known. Words that must match are read rarest first, and later ones only
//! where the earlier ones left candidates.
//!
//! **Short queries** are ordered by tiers: how many words are missing, where some may; then how words were met, added up over the words; then
//! how good the fields are; then how near the words are to each other; then BM25 and popularity. Among documents that miss a word, BM25 and
//! popularity alone decide: which word it is says more than where the others stand. **Long ones** by BM25 and a little popularity alone. Either is one float, so that
//! any collector of scores does: tiers are the higher bits of its representation ([`Tiered`]).
//!
//! BM25 is BM25F (Robertson, Zaragoza, Taylor, *Simple BM25 extension to multiple weighted fields*, 2004): occurrences are weighted by
//! field and added up before they saturate, so that a word in title and text is not counted as two words. Only occurrences in prose are
//! set against its length.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::columnar::Column;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{InvertedIndexReader, SegmentId};
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::{EnableScoring, Explanation, PhraseQuery, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, DocId, DocSet, Score, Searcher, SegmentReader, TERMINATED, TantivyError, Term};

use crate::columns::SegmentColumns;
use crate::counters::{CountersView, Counts};
use crate::plan::{MatchKind, Plan, What};
use crate::schema::{Fields, level};

/// Documents of a window: cells of four words and their documents fit into the cache of a core.
const WINDOW: u32 = 2048;

/// Where so few candidates are left in a window, lists jump to each instead of being read through.
const JUMP_BELOW: u32 = 12;

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

/// What popularity multiplies a score by: 1 for what nobody has liked yet, and more slowly more the more did. A download says less than
/// a like. What trends now counts as if more had liked it, by the weight that a like has there (2), so that what is new can come up among
/// equals although nobody had years to like it.
fn popularity_factor(counts: Counts, long: bool) -> f32 {
    let liked = counts.likes as f32 + counts.downloads as f32 / 10.0 + counts.trending.max(0.0) / 2.0;
    1.0 + if long { LONG_POPULARITY } else { POPULARITY } * roughly_log2(1.0 + liked)
}

/// The binary logarithm of a number from 1 on, exact for powers of two and a straight line between them: the bits of a float are that.
/// It is asked for every match, and a real one takes ten times as long.
fn roughly_log2(number: f32) -> f32 {
    const ONE: u32 = 127 << 23;
    (number.to_bits() - ONE) as f32 / (1_u32 << 23) as f32
}

/// A plan as a query.
#[derive(Clone)]
pub(crate) struct TextQuery {
    pub(crate) plan: Arc<Plan>,
    pub(crate) fields: Fields,
    pub(crate) columns: HashMap<SegmentId, Arc<SegmentColumns>>,
    pub(crate) counters: CountersView,
}

impl std::fmt::Debug for TextQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextQuery").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Query for TextQuery {
    fn weight(&self, enable_scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.text_weight(enable_scoring)?))
    }
}

impl TextQuery {
    fn text_weight(&self, enable_scoring: EnableScoring<'_>) -> tantivy::Result<TextWeight> {
        let searcher = enable_scoring
            .searcher()
            .ok_or_else(|| TantivyError::InvalidArgument("a search of text needs a searcher".to_owned()))?;
        let phrases = |words: &[String]| -> tantivy::Result<Vec<(Arc<dyn Weight>, u8)>> {
            let fields = self.fields.texts.leveled().into_iter();
            fields
                .map(|(field, level)| {
                    let terms = words.iter().map(|word| Term::from_field_text(field, word)).collect();
                    let weight = PhraseQuery::new(terms).weight(EnableScoring::disabled_from_searcher(searcher))?;
                    Ok((Arc::from(weight), level))
                })
                .collect()
        };
        let mut by_words = Phrases::new();
        let sought = self.plan.slots.iter().flat_map(|slot| &slot.sources);
        let sought = sought.filter_map(|source| match &source.what {
            What::Phrase(words) => Some(words),
            What::Word(_) | What::Beginning(_) | What::Stem(_) => None,
        });
        for words in sought.chain(self.plan.excluded.iter().filter(|words| words.len() > 1)) {
            if !by_words.contains_key(words) {
                by_words.insert(words.clone(), phrases(words)?);
            }
        }
        Ok(TextWeight {
            query: self.clone(),
            phrases: by_words,
            scoring: enable_scoring.is_scoring_enabled(),
        })
    }

    /// How one document matched; none if it does not.
    pub(crate) fn explained(&self, searcher: &Searcher, address: DocAddress) -> tantivy::Result<Option<Explained>> {
        let weight = self.text_weight(EnableScoring::enabled_from_searcher(searcher))?;
        let pass = weight.at(searcher.segment_reader(address.segment_ord), address.doc_id)?;
        Ok(pass.map(|mut pass| pass.explained()))
    }
}

/// By words: where they stand side by side, field by field, with the field's level.
type Phrases = HashMap<Vec<String>, Vec<(Arc<dyn Weight>, u8)>>;

/// A plan with the phrases that it needs.
struct TextWeight {
    query: TextQuery,
    phrases: Phrases,
    scoring: bool,
}

impl TextWeight {
    fn pass(&self, reader: &SegmentReader, scoring: bool) -> tantivy::Result<Pass> {
        let TextQuery {
            plan,
            fields,
            columns,
            counters,
        } = &self.query;
        let lists = Lists {
            all: reader.inverted_index(fields.all)?,
            beginnings: reader.inverted_index(fields.beginnings)?,
            stems: reader.inverted_index(fields.stems)?,
            title_stems: reader.inverted_index(fields.title_stems)?,
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
                cells: vec![Cell::default(); if scoring { WINDOW as usize } else { 0 }],
                met: Bits::default(),
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
        let mut pass = Pass {
            slots,
            required,
            optional,
            bound,
            steps: vec![Bits::default(); bound.map_or(0, |most| most + 1)],
            excluded,
            scoring,
            lengths: Lengths::open(reader, fields, plan)?,
            nearness: Nearness::open(reader, fields)?,
            columns: columns.get(&reader.segment_id()).cloned(),
            counters: counters.clone(),
            plan: plan.clone(),
            max_doc: reader.max_doc(),
            start: 0,
            matching: Bits::default(),
            doc: TERMINATED,
        };
        pass.doc = pass.first_from(0);
        Ok(pass)
    }

    /// The pass, standing at one document, to look at how it matched.
    pub(crate) fn at(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Option<Pass>> {
        let mut pass = self.pass(reader, true)?;
        if pass.doc < doc {
            pass.seek(doc);
        }
        Ok((pass.doc == doc).then_some(pass))
    }
}

impl Weight for TextWeight {
    fn scorer(&self, reader: &SegmentReader, _boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(self.pass(reader, self.scoring)?))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        match self.at(reader, doc)? {
            Some(mut pass) => Ok(Explanation::new("text", pass.score())),
            None => Err(TantivyError::InvalidArgument(format!("document {doc} does not match"))),
        }
    }

    fn for_each(&self, reader: &SegmentReader, callback: &mut dyn FnMut(DocId, Score)) -> tantivy::Result<()> {
        // As the default does, without asking a table of functions for each document.
        let mut pass = self.pass(reader, self.scoring)?;
        while pass.doc != TERMINATED {
            callback(pass.doc, pass.score());
            pass.advance();
        }
        Ok(())
    }
}

/// The lists of a segment.
struct Lists<'a> {
    all: Arc<InvertedIndexReader>,
    beginnings: Arc<InvertedIndexReader>,
    stems: Arc<InvertedIndexReader>,
    title_stems: Arc<InvertedIndexReader>,
    reader: &'a SegmentReader,
    phrases: &'a Phrases,
}

impl Lists<'_> {
    /// Opens what a source needs.
    fn open(&self, what: &What, kind: MatchKind, weight: f32, long: bool) -> tantivy::Result<Vec<(Docs, Reading)>> {
        let postings = |reader: &InvertedIndexReader, word: &str| -> tantivy::Result<Option<Docs>> {
            let Some(term) = reader.terms().get(word)? else {
                return Ok(None);
            };
            let postings = reader.read_postings_from_terminfo(&term, IndexRecordOption::WithFreqs)?;
            Ok(Some(Docs::Postings(Box::new(postings))))
        };
        Ok(match what {
            What::Word(word) => {
                let mut weights = LEVEL_WEIGHTS.map(|of_level| of_level * weight);
                if kind == MatchKind::Exact {
                    // Occurrences in prose are counted by their stems.
                    weights[usize::from(level::DESCRIPTION)] = 0.0;
                    if long {
                        weights = LONG_LEVEL_WEIGHTS;
                    }
                }
                postings(&self.all, word)?
                    .map(|docs| (docs, Reading::Leveled(weights)))
                    .into_iter()
                    .collect()
            }
            What::Beginning(beginning) => {
                let weights = LEVEL_WEIGHTS.map(|of_level| of_level * weight);
                postings(&self.beginnings, beginning)?
                    .map(|docs| (docs, Reading::Leveled(weights)))
                    .into_iter()
                    .collect()
            }
            What::Stem(stem) => {
                let described = postings(&self.stems, stem)?.map(|docs| {
                    let reading = Reading::Prose {
                        level: level::DESCRIPTION,
                        weight,
                    };
                    (docs, reading)
                });
                let titled = if long { postings(&self.title_stems, stem)? } else { None };
                let titled = titled.map(|docs| {
                    let reading = Reading::Prose {
                        level: level::TITLE,
                        weight: weight * TITLE_STEM_WEIGHT,
                    };
                    (docs, reading)
                });
                described.into_iter().chain(titled).collect()
            }
            What::Phrase(words) => {
                let mut found = Vec::new();
                for (phrase, level) in self.phrases.get(words).into_iter().flatten() {
                    let docs = phrase.scorer(self.reader, 1.0)?;
                    let weight = LEVEL_WEIGHTS[usize::from(*level)] * weight;
                    if docs.doc() != TERMINATED {
                        found.push((Docs::Phrase(docs), Reading::Fixed { level: *level, weight }));
                    }
                }
                found
            }
        })
    }
}

/// A list of documents, being read.
enum Docs {
    Postings(Box<SegmentPostings>),
    Phrase(Box<dyn Scorer>),
}

impl Docs {
    fn seek(&mut self, target: DocId) -> DocId {
        let doc = match self {
            Docs::Postings(postings) => postings.doc(),
            Docs::Phrase(phrase) => phrase.doc(),
        };
        if doc >= target {
            return doc;
        }
        match self {
            Docs::Postings(postings) => postings.seek(target),
            Docs::Phrase(phrase) => phrase.seek(target),
        }
    }

    /// Calls `found` for every document of a window, those of `only` if that is given, with its place in the window and its frequency.
    fn each(&mut self, start: DocId, end: DocId, only: Option<&Bits>, found: impl FnMut(u32, u32)) {
        match self {
            Docs::Postings(postings) => each(&mut **postings, start, end, only, SegmentPostings::term_freq, found),
            Docs::Phrase(phrase) => each(&mut **phrase, start, end, only, |_| 1, found),
        }
    }
}

fn each<D: DocSet + ?Sized>(
    docs: &mut D,
    start: DocId,
    end: DocId,
    only: Option<&Bits>,
    frequency: impl Fn(&D) -> u32,
    mut found: impl FnMut(u32, u32),
) {
    if let Some(only) = only
        && only.count() < JUMP_BELOW
    {
        for place in only.iter() {
            let target = start + place;
            let doc = if docs.doc() < target { docs.seek(target) } else { docs.doc() };
            if doc == target {
                found(place, frequency(docs));
            } else if doc >= end {
                return;
            }
        }
        return;
    }
    let mut doc = if docs.doc() < start { docs.seek(start) } else { docs.doc() };
    while doc < end {
        let place = doc - start;
        if only.is_none_or(|only| only.has(place)) {
            found(place, frequency(docs));
        }
        doc = docs.advance();
    }
}

/// What a list's frequencies mean.
#[derive(Clone, Copy)]
enum Reading {
    /// The level of the best field; its weight is in the table.
    Leveled([f32; 6]),
    /// Occurrences in prose.
    Prose { level: u8, weight: f32 },
    /// Nothing.
    Fixed { level: u8, weight: f32 },
}

/// One list of a word.
struct Cursor {
    docs: Docs,
    reading: Reading,
    kind: MatchKind,
    source: u16,
}

/// How a document of the window meets a word.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Cost of the kind of match and, below, of the field: lower is better.
    rank: u16,
    /// By which source it is met so well.
    source: u16,
    /// Weighted occurrences.
    weight: f32,
}

/// Bits of `rank` for the field.
const LEVEL_BITS: u32 = 4;

impl Cell {
    fn kind_cost(self) -> u16 {
        self.rank >> LEVEL_BITS
    }

    fn level(self) -> u8 {
        level::TITLE - (self.rank & ((1 << LEVEL_BITS) - 1)) as u8
    }
}

/// One word, on one segment.
struct SlotPass {
    cursors: Vec<Cursor>,
    /// By place in the window; those that are met say something.
    cells: Vec<Cell>,
    met: Bits,
}

impl SlotPass {
    fn read(&mut self, start: DocId, end: DocId, only: Option<&Bits>, lengths: &Lengths, scoring: bool) {
        let Self { cursors, cells, met } = self;
        met.clear();
        for cursor in cursors {
            let Cursor {
                docs,
                reading,
                kind,
                source,
            } = cursor;
            if !scoring {
                docs.each(start, end, only, |place, _| met.set(place));
                continue;
            }
            let cost = kind.cost() << LEVEL_BITS;
            let (reading, source) = (*reading, *source);
            docs.each(start, end, only, |place, frequency| {
                let (level, weight) = match reading {
                    Reading::Leveled(weights) => {
                        let level = (frequency as u8).clamp(1, level::TITLE);
                        (level, weights[usize::from(level)])
                    }
                    Reading::Prose { level, weight } => (level, weight * frequency as f32 * lengths.share(start + place)),
                    Reading::Fixed { level, weight } => (level, weight),
                };
                let rank = cost | u16::from(level::TITLE - level);
                let cell = &mut cells[place as usize];
                if met.has(place) {
                    cell.weight += weight;
                    if rank < cell.rank {
                        cell.rank = rank;
                        cell.source = source;
                    }
                } else {
                    met.set(place);
                    *cell = Cell { rank, source, weight };
                }
            });
        }
    }

    /// The first document from `from` on in any list.
    fn first_from(&mut self, from: DocId) -> DocId {
        let docs = self.cursors.iter_mut().map(|cursor| cursor.docs.seek(from));
        docs.min().unwrap_or(TERMINATED)
    }
}

/// Lengths of prose, as what an occurrence counts: less in a long text.
struct Lengths {
    description: FieldNormReader,
    title: Option<FieldNormReader>,
    /// By coded length of the description and of the title: K1's factor, in parts.
    description_parts: [f32; 256],
    title_parts: [f32; 256],
}

impl Lengths {
    fn open(reader: &SegmentReader, fields: &Fields, plan: &Plan) -> tantivy::Result<Self> {
        let average = if plan.long {
            plan.average.description + plan.average.title
        } else {
            plan.average.description
        };
        let mut parts = [0.0; 256];
        for (id, part) in (0..=255).zip(parts.iter_mut()) {
            *part = B * FieldNormReader::id_to_fieldnorm(id) as f32 / average.max(1.0);
        }
        Ok(Self {
            description: reader.get_fieldnorms_reader(fields.stems)?,
            title: if plan.long {
                Some(reader.get_fieldnorms_reader(fields.title_stems)?)
            } else {
                None
            },
            description_parts: parts.map(|part| 1.0 - B + part),
            title_parts: parts,
        })
    }

    /// What an occurrence in this document counts.
    fn share(&self, doc: DocId) -> f32 {
        let mut length = self.description_parts[usize::from(self.description.fieldnorm_id(doc))];
        if let Some(title) = &self.title {
            length += self.title_parts[usize::from(title.fieldnorm_id(doc))];
        }
        1.0 / length
    }
}

/// The pass over one segment.
pub(crate) struct Pass {
    plan: Arc<Plan>,
    slots: Vec<SlotPass>,
    /// Slots that must be met, the rarest first, and others.
    required: Vec<usize>,
    optional: Vec<usize>,
    /// How many of the others may be missing, where that is fewer than all.
    bound: Option<usize>,
    /// What misses at most none, one, … of the others that were read so far.
    steps: Vec<Bits>,
    excluded: Vec<Docs>,
    scoring: bool,
    lengths: Lengths,
    nearness: Nearness,
    columns: Option<Arc<SegmentColumns>>,
    counters: CountersView,
    max_doc: DocId,
    /// First document of the window.
    start: DocId,
    /// What matches in it.
    matching: Bits,
    doc: DocId,
}

impl Pass {
    /// The first match from a document on, which must lie behind the window.
    fn first_from(&mut self, mut from: DocId) -> DocId {
        loop {
            let start = if let Some(rarest) = self.required.first() {
                self.slots[*rarest].first_from(from)
            } else if self.optional.is_empty() {
                if from < self.max_doc { from } else { TERMINATED }
            } else {
                // What misses so many at most has one of any that are one more: the rarest.
                let needed = self.bound.map_or(self.optional.len(), |most| most + 1);
                let slots = &mut self.slots;
                let rarest = self.optional.iter().take(needed).map(|at| slots[*at].first_from(from));
                rarest.min().unwrap_or(TERMINATED)
            };
            if start >= self.max_doc {
                self.matching.clear();
                return TERMINATED;
            }
            self.start = start;
            let end = self.max_doc.min(start + WINDOW);
            self.read(end);
            if let Some(place) = self.matching.first_from(0) {
                return start + place;
            }
            from = end;
            if from >= self.max_doc {
                return TERMINATED;
            }
        }
    }

    /// Reads the window that begins at `start`.
    fn read(&mut self, end: DocId) {
        let start = self.start;
        let mut candidates: Option<Bits> = None;
        for at in &self.required {
            let slot = &mut self.slots[*at];
            slot.read(start, end, candidates.as_ref(), &self.lengths, self.scoring);
            match &mut candidates {
                Some(candidates) => candidates.keep(&slot.met),
                None => candidates = Some(slot.met),
            }
            if candidates.as_ref().is_some_and(Bits::is_empty) {
                self.matching.clear();
                return;
            }
        }
        if let Some(most) = self.bound {
            self.steps.fill(candidates.unwrap_or_else(|| Bits::up_to(end - start)));
            for (turn, at) in self.optional.iter().enumerate() {
                let slot = &mut self.slots[*at];
                // Until so many were read, nothing is out of question.
                let only = (candidates.is_some() || turn > most).then_some(&self.steps[most]);
                slot.read(start, end, only, &self.lengths, self.scoring);
                for missing in (1..=most).rev() {
                    let missed_before = self.steps[missing - 1];
                    self.steps[missing].keep(&slot.met);
                    self.steps[missing].add(&missed_before);
                }
                self.steps[0].keep(&slot.met);
                if self.steps[most].is_empty() {
                    self.matching.clear();
                    return;
                }
            }
            candidates = Some(self.steps[most]);
        }
        let mut any = Bits::default();
        for at in self.optional.iter().filter(|_| self.bound.is_none()) {
            let slot = &mut self.slots[*at];
            slot.read(start, end, candidates.as_ref(), &self.lengths, self.scoring);
            any.add(&slot.met);
        }
        self.matching = match candidates {
            Some(candidates) => candidates,
            None if self.optional.is_empty() => Bits::up_to(end - start),
            None => any,
        };
        for docs in &mut self.excluded {
            if self.matching.is_empty() {
                return;
            }
            let mut matching = self.matching;
            docs.each(start, end, Some(&self.matching), |place, _| matching.unset(place));
            self.matching = matching;
        }
    }

    fn place(&self) -> u32 {
        self.doc - self.start
    }

    /// BM25 of the document.
    fn bm25(&self) -> f32 {
        let place = self.place();
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

    fn popularity(&self) -> f32 {
        let counts = self.columns.as_ref().and_then(|columns| columns.slots.get(self.doc as usize));
        let counts = counts.map(|slot| self.counters.get(*slot)).unwrap_or_default();
        popularity_factor(counts, self.plan.long)
    }

    /// How many words it misses; of those that are given up in an order, from the first that it misses on.
    fn missing(&self) -> u32 {
        let place = self.place();
        let missed = |at: &usize| !self.slots[*at].met.has(place);
        let missing = if self.plan.kept_first.is_empty() {
            self.optional.iter().filter(|at| missed(at)).count()
        } else {
            let kept = self.plan.kept_first.iter().take_while(|at| !missed(at)).count();
            self.plan.kept_first.len() - kept
        };
        missing as u32
    }

    fn tiers(&mut self) -> (u32, u32, u32) {
        let place = self.place();
        let mut kinds = 0;
        let mut levels = 0;
        for slot in self.slots.iter().filter(|slot| slot.met.has(place)) {
            let cell = slot.cells[place as usize];
            kinds += u32::from(cell.kind_cost());
            levels += u32::from(level::TITLE - cell.level());
        }
        let near = self.nearness.of(self.doc, place, &self.plan, &self.slots);
        (kinds, levels, near)
    }

    fn explained(&mut self) -> Explained {
        let place = self.place();
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
        let tiers = (!self.plan.long).then(|| self.tiers());
        let missed = self
            .slots
            .iter()
            .zip(&self.plan.slots)
            .filter(|(pass, _)| !pass.met.has(place));
        Explained {
            words,
            missing: missed.map(|(_, slot)| slot.typed.join(" ")).collect(),
            tiers: tiers.map(|(kinds, levels, near)| [kinds, levels, near]),
            bm25: self.bm25(),
            popularity: self.popularity(),
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

impl DocSet for Pass {
    fn advance(&mut self) -> DocId {
        if self.doc == TERMINATED {
            return TERMINATED;
        }
        self.doc = match self.matching.first_from(self.place() + 1) {
            Some(place) => self.start + place,
            None => self.first_from(self.start + WINDOW),
        };
        self.doc
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc >= target {
            return self.doc;
        }
        let in_window = target < self.start + WINDOW;
        let place = if in_window {
            self.matching.first_from(target - self.start)
        } else {
            None
        };
        self.doc = match place {
            Some(place) => self.start + place,
            None => self.first_from(target.max(self.start + WINDOW)),
        };
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        let frequency = match self.required.first() {
            Some(rarest) => self.plan.slots[*rarest].frequency,
            None => u64::from(self.max_doc),
        };
        self.max_doc.min(u32::try_from(frequency).unwrap_or(u32::MAX))
    }
}

impl Scorer for Pass {
    fn score(&mut self) -> Score {
        if !self.scoring || self.doc == TERMINATED {
            return 1.0;
        }
        let score = self.bm25() * self.popularity();
        if self.plan.long {
            return score;
        }
        let missing = if self.plan.may_miss == 0 { 0 } else { self.missing() };
        if missing > 0 {
            return Tiered {
                missing,
                kinds: 0,
                levels: 0,
                near: 0,
                score,
            }
            .pack();
        }
        let (kinds, levels, near) = self.tiers();
        Tiered {
            missing,
            kinds,
            levels,
            near,
            score,
        }
        .pack()
    }
}

/// The order of a short query in one float: a number of 31 bits, whose order is that of the floats with these bits. From the top: 2 bits
/// how many words are missing, 4 how words were met, 5 how good their fields are, 2 how near they are, 18 the score in steps of 0.012 %,
/// which are the upper bits of a float too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tiered {
    pub(crate) missing: u32,
    pub(crate) kinds: u32,
    pub(crate) levels: u32,
    pub(crate) near: u32,
    pub(crate) score: f32,
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
const MOST_SCORE: f32 = 65_535.0;

impl Tiered {
    pub(crate) fn pack(self) -> f32 {
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

/// Positions of words, to see how near they are. Read for those documents alone that meet all words in fields of one level.
struct Nearness {
    /// By level from 1 on.
    fields: Vec<Vec<(Field, Arc<InvertedIndexReader>)>>,
    /// By slot, source and field.
    opened: HashMap<(usize, u16, Field), Option<Box<SegmentPostings>>>,
    title_words: Column<u64>,
    positions: Vec<Vec<u32>>,
}

/// Farthest that words are near.
const NEAR: u32 = 4;

impl Nearness {
    fn open(reader: &SegmentReader, fields: &Fields) -> tantivy::Result<Self> {
        let mut by_level = vec![Vec::new(); usize::from(level::TITLE) + 1];
        for (field, level) in fields.texts.leveled() {
            by_level[usize::from(level)].push((field, reader.inverted_index(field)?));
        }
        Ok(Self {
            fields: by_level,
            opened: HashMap::new(),
            title_words: reader.fast_fields().u64("title_words")?,
            positions: Vec::new(),
        })
    }

    /// 0: the words are the whole title, 1: side by side in their order, 2: near, 3: not.
    fn of(&mut self, doc: DocId, place: u32, plan: &Plan, slots: &[SlotPass]) -> u32 {
        if let [slot] = slots {
            // What most queries are while they are typed, and so without any detour.
            let cell = slot.cells[place as usize];
            let whole = cell.rank == 0 && self.title_words.first(doc) == Some(plan.typed as u64);
            return u32::from(!whole);
        }
        let met = slots.iter().enumerate().filter(|(_, slot)| slot.met.has(place));
        let met = met.map(|(at, slot)| (at, slot.cells[place as usize]));
        let cells = met.clone().map(|(_, cell)| cell);
        let mut levels = cells.clone().map(Cell::level);
        let Some(first) = levels.next() else {
            return 1;
        };
        if !levels.all(|level| level == first) {
            return 3;
        }
        let complete = met.clone().count() == slots.len();
        let exact = complete && cells.clone().all(|cell| cell.kind_cost() == 0);
        let is_whole = |words: usize| {
            let title = self.title_words.first(doc).unwrap_or(0) as usize;
            exact && first == level::TITLE && (title == plan.typed || title == words)
        };
        // What stands for a beginning, or for several words, has no one place.
        let placed: Vec<(usize, Cell)> = met
            .filter(|(at, cell)| {
                let source = &plan.slots[*at].sources[usize::from(cell.source)];
                let spans = matches!(
                    source.kind,
                    MatchKind::Joined | MatchKind::Synonym | MatchKind::Split | MatchKind::Stem
                );
                matches!(source.what, What::Word(_)) && !spans
            })
            .collect();
        if placed.len() < 2 {
            return u32::from(!is_whole(plan.slots.len()));
        }
        let whole = is_whole(plan.slots.len());
        let mut best = 3;
        let fields = std::mem::take(&mut self.fields);
        for (field, reader) in &fields[usize::from(first)] {
            if self.read_positions(doc, *field, reader, plan, &placed) {
                let offsets = placed.iter().map(|(at, _)| plan.slots[*at].offset);
                best = best.min(nearness(&self.positions, &offsets.collect::<Vec<_>>()));
            }
        }
        self.fields = fields;
        if best == 1 && whole { 0 } else { best }
    }

    /// Whether all words are in the field; then `positions` says where.
    fn read_positions(
        &mut self,
        doc: DocId,
        field: Field,
        reader: &InvertedIndexReader,
        plan: &Plan,
        placed: &[(usize, Cell)],
    ) -> bool {
        self.positions.resize(placed.len(), Vec::new());
        for ((at, cell), positions) in placed.iter().zip(&mut self.positions) {
            let postings = self.opened.entry((*at, cell.source, field)).or_insert_with(|| {
                let What::Word(word) = &plan.slots[*at].sources[usize::from(cell.source)].what else {
                    return None;
                };
                let term = reader.terms().get(word).ok().flatten()?;
                let option = IndexRecordOption::WithFreqsAndPositions;
                reader.read_postings_from_terminfo(&term, option).ok().map(Box::new)
            });
            let Some(postings) = postings else {
                return false;
            };
            if postings.doc() > doc || postings.seek(doc) != doc {
                return false;
            }
            postings.positions(positions);
        }
        true
    }
}

/// How near words are: 1 where the query has them, 2 near the first of them, 3 not.
fn nearness(positions: &[Vec<u32>], offsets: &[u32]) -> u32 {
    let Some((first, others)) = positions.split_first() else {
        return 3;
    };
    let others = || others.iter().zip(1_u32..);
    let mut best = 3;
    for at in first {
        if others().all(|(positions, next)| positions.contains(&(at + offsets[next as usize] - offsets[0]))) {
            return 1;
        }
        if others().all(|(positions, _)| positions.iter().any(|other| other.abs_diff(*at) <= NEAR)) {
            best = 2;
        }
    }
    best
}

/// A set of places in a window.
#[derive(Clone, Copy)]
struct Bits([u64; (WINDOW / 64) as usize]);

impl Default for Bits {
    fn default() -> Self {
        Self([0; (WINDOW / 64) as usize])
    }
}

impl Bits {
    /// The first so many.
    fn up_to(count: u32) -> Self {
        let mut bits = Self::default();
        (0..count).for_each(|place| bits.set(place));
        bits
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn set(&mut self, place: u32) {
        self.0[(place / 64) as usize] |= 1 << (place % 64);
    }

    fn unset(&mut self, place: u32) {
        self.0[(place / 64) as usize] &= !(1 << (place % 64));
    }

    fn has(&self, place: u32) -> bool {
        self.0[(place / 64) as usize] & (1 << (place % 64)) != 0
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    /// The first from a place on.
    fn first_from(&self, place: u32) -> Option<u32> {
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

    fn iter(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.first_from(0), |place| self.first_from(place + 1))
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

    #[test]
    fn words_are_near_as_they_were_typed() {
        assert_eq!(nearness(&[vec![3], vec![4]], &[0, 1]), 1);
        assert_eq!(nearness(&[vec![3], vec![5]], &[0, 2]), 1);
        assert_eq!(nearness(&[vec![3], vec![4]], &[0, 2]), 2);
        assert_eq!(nearness(&[vec![4], vec![3]], &[0, 1]), 2);
        assert_eq!(nearness(&[vec![4, 20], vec![10]], &[0, 1]), 3);
    }

    #[test]
    fn the_liked_gain_and_the_equal_do_not_move() {
        let counts = |likes| Counts {
            likes,
            ..Counts::default()
        };
        assert!((popularity_factor(counts(0), false) - 1.0).abs() < 1e-6);
        assert!(popularity_factor(counts(10), false) > popularity_factor(counts(1), false));
        assert!(popularity_factor(counts(10), true) < popularity_factor(counts(10), false));
        let trending = |trending| Counts { trending, ..counts(2) };
        assert!(popularity_factor(trending(4.0), false) > popularity_factor(trending(0.0), false));
        assert!((popularity_factor(trending(4.0), false) - popularity_factor(counts(4), false)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn bits_are_a_set(places in proptest::collection::btree_set(0..WINDOW, 0..40), from in 0..WINDOW) {
            let mut bits = Bits::default();
            places.iter().for_each(|place| bits.set(*place));
            prop_assert_eq!(bits.iter().collect::<Vec<_>>(), places.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(bits.first_from(from), places.range(from..).next().copied());
            prop_assert_eq!(bits.count() as usize, places.len());
        }

        #[test]
        fn a_higher_score_is_never_behind(a in 0.0f32..1e6, b in 0.0f32..1e6) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(tiered(1, 2, 1, low).pack() <= tiered(1, 2, 1, high).pack());
        }
    }
}
