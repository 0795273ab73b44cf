//! Lists of documents of a segment, read window by window into cells: how a document meets a word.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::InvertedIndexReader;
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::Scorer;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, SegmentReader, TERMINATED};

use super::{B, LEVEL_WEIGHTS, LONG_LEVEL_WEIGHTS, Phrases, TITLE_STEM_WEIGHT};
use crate::plan::{MatchKind, Plan, What};
use crate::schema::{Fields, level};
use crate::window::Places;

/// Where so few candidates are left in a window, lists jump to each instead of being read through.
const JUMP_BELOW: u32 = 12;

/// The lists of a segment.
pub(super) struct Lists<'a> {
    pub(super) all: Arc<InvertedIndexReader>,
    pub(super) beginnings: Arc<InvertedIndexReader>,
    pub(super) stems: Arc<InvertedIndexReader>,
    pub(super) title_stems: Arc<InvertedIndexReader>,
    pub(super) reader: &'a SegmentReader,
    pub(super) phrases: &'a Phrases,
}

impl Lists<'_> {
    /// Opens what a source needs.
    pub(super) fn open(&self, what: &What, kind: MatchKind, weight: f32, long: bool) -> tantivy::Result<Vec<(Docs, Reading)>> {
        let postings = |reader: &InvertedIndexReader, word: &str| -> tantivy::Result<Option<Docs>> {
            let Some(term) = reader.terms().get(word)? else {
                return Ok(None);
            };
            let postings = reader.read_block_postings_from_terminfo(&term, IndexRecordOption::WithFreqs)?;
            Ok(Some(Docs::Postings(Box::new(Blocks { postings, at: 0 }))))
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
pub(super) enum Docs {
    Postings(Box<Blocks>),
    Phrase(Box<dyn Scorer>),
}

impl Docs {
    fn seek(&mut self, target: DocId) -> DocId {
        match self {
            Docs::Postings(blocks) => blocks.seek(target),
            Docs::Phrase(phrase) if phrase.doc() >= target => phrase.doc(),
            Docs::Phrase(phrase) => phrase.seek(target),
        }
    }

    /// Calls `found` for every document of a window, those of `only` if that is given, with its place in the window and its frequency.
    pub(super) fn each(&mut self, start: DocId, end: DocId, only: Option<&Places>, mut found: impl FnMut(u32, u32)) {
        if let Some(only) = only
            && only.count() < JUMP_BELOW
        {
            for place in only.iter() {
                let doc = self.seek(start + place);
                if doc == start + place {
                    found(place, self.frequency());
                } else if doc >= end {
                    return;
                }
            }
            return;
        }
        match self {
            Docs::Postings(blocks) => match only {
                None => blocks.each(start, end, found),
                Some(only) => blocks.each(start, end, |place, frequency| {
                    if only.has(place) {
                        found(place, frequency);
                    }
                }),
            },
            Docs::Phrase(phrase) => {
                let mut doc = if phrase.doc() < start {
                    phrase.seek(start)
                } else {
                    phrase.doc()
                };
                while doc < end {
                    let place = doc - start;
                    if only.is_none_or(|only| only.has(place)) {
                        found(place, 1);
                    }
                    doc = phrase.advance();
                }
            }
        }
    }

    fn frequency(&self) -> u32 {
        match self {
            Docs::Postings(blocks) => blocks.postings.freqs().get(blocks.at).copied().unwrap_or(1),
            Docs::Phrase(_) => 1,
        }
    }
}

/// The documents of a term with their frequencies, by the blocks in which they are kept: to go through a block that lies unpacked costs less
/// than to ask for one document after the other.
pub(super) struct Blocks {
    postings: BlockSegmentPostings,
    /// Place in the block.
    at: usize,
}

impl Blocks {
    fn doc(&self) -> DocId {
        self.postings.docs().get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        // A block that has been gone through to its end stands at no document, though others may follow.
        let last = self.postings.docs().last().copied().unwrap_or(TERMINATED);
        if last < target || self.at >= self.postings.docs().len() {
            if last == TERMINATED {
                return TERMINATED;
            }
            self.at = self.postings.seek(target.max(last + 1));
        } else {
            let rest = &self.postings.docs()[self.at..];
            self.at += rest.partition_point(|doc| *doc < target);
        }
        self.doc()
    }

    fn each(&mut self, start: DocId, end: DocId, mut found: impl FnMut(u32, u32)) {
        let mut doc = self.seek(start);
        while doc < end {
            let docs = &self.postings.docs()[self.at..];
            let here = docs.partition_point(|doc| *doc < end);
            let frequencies = self.postings.freqs()[self.at..].iter().copied();
            for (doc, frequency) in docs[..here].iter().zip(frequencies) {
                found(doc - start, frequency);
            }
            self.at += here;
            if self.at < self.postings.docs().len() {
                return;
            }
            self.postings.advance();
            self.at = 0;
            doc = self.doc();
        }
    }
}

/// What a list's frequencies mean.
#[derive(Clone, Copy)]
pub(super) enum Reading {
    /// The level of the best field; its weight is in the table.
    Leveled([f32; 6]),
    /// Occurrences in prose.
    Prose { level: u8, weight: f32 },
    /// Nothing.
    Fixed { level: u8, weight: f32 },
}

/// One list of a word.
pub(super) struct Cursor {
    pub(super) docs: Docs,
    pub(super) reading: Reading,
    pub(super) kind: MatchKind,
    pub(super) source: u16,
}

/// How a document of the window meets a word.
#[derive(Clone, Copy, Default)]
pub(super) struct Cell {
    /// Cost of the kind of match and, below, of the field: lower is better.
    pub(super) rank: u16,
    /// By which source it is met so well.
    pub(super) source: u16,
    /// Weighted occurrences.
    pub(super) weight: f32,
}

/// Bits of `rank` for the field.
const LEVEL_BITS: u32 = 4;

impl Cell {
    pub(super) fn kind_cost(self) -> u16 {
        self.rank >> LEVEL_BITS
    }

    pub(super) fn level_cost(self) -> u32 {
        u32::from(self.rank & ((1 << LEVEL_BITS) - 1))
    }

    pub(super) fn level(self) -> u8 {
        level::TITLE - self.level_cost() as u8
    }
}

/// One word, on one segment.
pub(super) struct SlotPass {
    pub(super) cursors: Vec<Cursor>,
    /// By place in the window; those that are met say something.
    pub(super) cells: Vec<Cell>,
    pub(super) met: Places,
}

impl SlotPass {
    pub(super) fn read(&mut self, start: DocId, end: DocId, only: Option<&Places>, lengths: &Lengths, scoring: bool) {
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
    pub(super) fn first_from(&mut self, from: DocId) -> DocId {
        let docs = self.cursors.iter_mut().map(|cursor| cursor.docs.seek(from));
        docs.min().unwrap_or(TERMINATED)
    }
}

/// Lengths of prose, as what an occurrence counts: less in a long text.
pub(super) struct Lengths {
    description: FieldNormReader,
    title: Option<FieldNormReader>,
    /// By coded length of the description and of the title: K1's factor, in parts.
    description_parts: [f32; 256],
    title_parts: [f32; 256],
}

impl Lengths {
    pub(super) fn open(reader: &SegmentReader, fields: &Fields, plan: &Plan) -> tantivy::Result<Self> {
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
