//! From what was understood to what is looked up: every word becomes a list of terms of the index with weights, chosen by looking at its
//! dictionaries. Nothing is left for the engine to expand: so a typo is scored by its distance, and what matched can be shown.
//!
//! The dictionary of the field `all` has every word of every field. It is walked for completions, typos, and splits, once instead of
//! once a field.

use std::collections::HashMap;

use tantivy::Searcher;

use crate::dictionary::Dictionary;
use crate::request::Matching;
use crate::schema::{BEGINNING_CHARS, Fields};
use crate::stop_words::is_stop_word;
use crate::text::{stem, words};
use crate::understand::{Sought, Understood};

/// A word that fewer documents have is looked for with typos too: its few hits are not all that is meant, or it is a typo itself.
const FEW: u64 = 20;

/// Ways to split one word in two that are looked for.
const MAX_SPLITS: usize = 2;

/// From how many words of content on half of them may be missing in [`Matching::Most`]. Of two, one says too little: whoever looks for
/// `warm pad` would be told of all that is warm.
const MANY_FOR_HALF: usize = 3;

/// Most words of a text for which a synonym is one.
const MAX_SYNONYM_WORDS: usize = 4;

/// Most entries of lists that a long query reads, by document of the index; so many are never too many.
const MAX_ENTRIES_BY_DOCUMENT: u64 = 6;
const MANY_ENTRIES: u64 = 1_000_000;

/// Most things looked for in one search, over all words. Each is a list of documents to go through.
const MAX_SOURCES: usize = 512;

/// How a word of the query was met, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchKind {
    /// The word itself.
    Exact,
    /// Another form of it in a description.
    Stem,
    /// A longer word that it begins.
    Prefix,
    /// A word or words that mean the same.
    Synonym,
    /// Two words of the query in one.
    Joined,
    /// One word of the query in two.
    Split,
    /// One letter is wrong.
    OneTypo,
    /// One letter of a beginning is wrong.
    OneTypoPrefix,
    /// Two letters are wrong.
    TwoTypos,
    /// Two letters of a beginning are wrong.
    TwoTyposPrefix,
}

impl MatchKind {
    /// Name in answers.
    pub fn name(self) -> &'static str {
        match self {
            MatchKind::Exact => "exact",
            MatchKind::Stem => "stem",
            MatchKind::Prefix => "prefix",
            MatchKind::Synonym => "synonym",
            MatchKind::Joined => "joined",
            MatchKind::Split => "split",
            MatchKind::OneTypo | MatchKind::OneTypoPrefix => "typo",
            MatchKind::TwoTypos | MatchKind::TwoTyposPrefix => "two_typos",
        }
    }

    /// Its place in the order of tiers: what is added up over the words of a query, so that the lower sum comes first.
    pub(crate) fn cost(self) -> u16 {
        match self {
            // Another form of a word in running text is the word.
            MatchKind::Exact | MatchKind::Stem => 0,
            MatchKind::Prefix | MatchKind::Synonym => 1,
            MatchKind::Joined | MatchKind::Split => 2,
            MatchKind::OneTypo => 3,
            MatchKind::OneTypoPrefix => 4,
            MatchKind::TwoTypos => 5,
            MatchKind::TwoTyposPrefix => 6,
        }
    }

    /// Share of a word's weight that such a match has.
    fn weight(self) -> f32 {
        match self {
            MatchKind::Exact => 1.0,
            MatchKind::Stem | MatchKind::Synonym | MatchKind::Joined | MatchKind::Split => 0.8,
            MatchKind::Prefix => 0.5,
            MatchKind::OneTypo => 0.4,
            MatchKind::OneTypoPrefix => 0.3,
            MatchKind::TwoTypos => 0.2,
            MatchKind::TwoTyposPrefix => 0.15,
        }
    }
}

/// A search, ready to be run on every segment.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What must, or may, occur.
    pub(crate) slots: Vec<Slot>,
    /// Words and phrases that must not.
    pub(crate) excluded: Vec<Vec<String>>,
    /// How many of the words that need not match may be missing.
    pub(crate) may_miss: usize,
    /// Where words are given up in an order: slots of words, those that are kept longest first.
    pub(crate) kept_first: Vec<usize>,
    /// BM25 leads, without tiers: see [`Understood::is_long`].
    pub(crate) long: bool,
    /// Words that were typed, those that say nothing included.
    pub(crate) typed: usize,
    /// Words that say nothing and were left out.
    pub(crate) ignored: Vec<String>,
    /// Lengths of texts on average.
    pub(crate) average: AverageLengths,
}

/// Average numbers of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AverageLengths {
    pub(crate) title: f32,
    pub(crate) description: f32,
}

/// One word or phrase of the query.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Its words: one, or those of a phrase.
    pub(crate) typed: Vec<String>,
    /// Its place among the words of the query.
    pub(crate) offset: u32,
    /// How often it was written.
    pub(crate) times: f32,
    pub(crate) required: bool,
    /// How much it says: BM25's inverse document frequency.
    pub(crate) idf: f32,
    /// Documents that it is in, at most.
    pub(crate) frequency: u64,
    /// What it is met by.
    pub(crate) sources: Vec<Source>,
    /// Whether nothing but typos were found for it.
    pub(crate) corrected: bool,
}

/// Something that meets a slot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) what: What,
    pub(crate) kind: MatchKind,
    pub(crate) weight: f32,
    pub(crate) frequency: u64,
}

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A word, in any field.
    Word(String),
    /// Words that are longer than this, in any field.
    Beginning(String),
    /// A stem, in descriptions; in long queries in titles too.
    Stem(String),
    /// Words side by side, in one field.
    Phrase(Vec<String>),
}

impl Plan {
    /// Looks up what was understood.
    pub(crate) fn new(
        understood: &Understood,
        matching: Matching,
        synonyms: &Synonyms,
        fields: &Fields,
        searcher: &Searcher,
    ) -> tantivy::Result<Self> {
        let dictionary = Dictionary::new(fields, searcher)?;
        let mut plan = Self {
            slots: Vec::new(),
            excluded: understood.excluded.clone(),
            long: understood.is_long(),
            may_miss: 0,
            kept_first: Vec::new(),
            typed: 0,
            ignored: Vec::new(),
            average: dictionary.average_lengths(),
        };
        let typed = plan.lay_out(&understood.sought);
        for at in 0..plan.slots.len() {
            plan.look_up(at, &typed, &dictionary)?;
        }
        plan.join_neighbours(&typed, &dictionary)?;
        plan.add_synonyms(&typed, synonyms, &dictionary)?;
        for slot in &mut plan.slots {
            if slot.typed.len() == 1 {
                correct(slot, &typed, plan.long, &dictionary)?;
            }
            slot.finish(&dictionary);
        }
        plan.demand(matching);
        if plan.long {
            plan.drop_most_frequent(dictionary.documents);
        }
        let mut left = MAX_SOURCES;
        for slot in &mut plan.slots {
            slot.sources.truncate(left);
            left -= slot.sources.len();
        }
        Ok(plan)
    }

    /// Whether documents with fewer missing words come before others.
    pub(crate) fn has_steps(&self) -> bool {
        !self.long && self.may_miss > 0
    }

    /// Says which words must match, and how many of the others. Phrases always must.
    fn demand(&mut self, matching: Matching) {
        let mut words: Vec<usize> = (0..self.slots.len()).filter(|at| self.slots[*at].typed.len() == 1).collect();
        let phrases = words.len() < self.slots.len();
        let count = words.len();
        // Where there is nothing else, one word is what is looked for.
        let all_but_one = if phrases { count } else { count.saturating_sub(1) };
        self.may_miss = match matching {
            Matching::All => 0,
            Matching::Most if self.long => all_but_one,
            Matching::Most if count >= MANY_FOR_HALF => count / 2,
            Matching::Most => 0,
            Matching::Any => all_but_one,
            Matching::Last | Matching::Frequency => count.saturating_sub(1),
        };
        match matching {
            Matching::Frequency => words.sort_by_key(|at| self.slots[*at].frequency),
            // Repeated words stand where they were written first.
            Matching::Last => words.sort_by_key(|at| self.slots[*at].offset),
            Matching::All | Matching::Most | Matching::Any => {}
        }
        if self.may_miss == 0 {
            words.iter().for_each(|at| self.slots[*at].required = true);
        } else if matches!(matching, Matching::Last | Matching::Frequency) {
            if let Some(first) = words.first() {
                self.slots[*first].required = true;
            }
            // Many words have no steps, and those that most documents have may be left out.
            if !self.long {
                self.kept_first = words;
            }
        }
    }

    /// Leaves out words that most documents have, where reading through all of them would take long. They say least.
    fn drop_most_frequent(&mut self, documents: u64) {
        let budget = MANY_ENTRIES.max(documents * MAX_ENTRIES_BY_DOCUMENT);
        let mut frequencies: Vec<u64> = self.slots.iter().map(|slot| slot.frequency).collect();
        frequencies.sort_unstable();
        let mut sum = 0;
        let affordable = frequencies.into_iter().take_while(|frequency| {
            sum += frequency;
            sum <= budget
        });
        let most = affordable.last().unwrap_or(0);
        self.slots.retain(|slot| slot.required || slot.frequency <= most);
    }

    /// Makes the slots, each different word once, and says where each word of the text went.
    fn lay_out(&mut self, sought: &[Sought]) -> Vec<Typed> {
        let says_something = |sought: &Sought| match sought {
            Sought::Word { text, .. } => !is_stop_word(text),
            Sought::Phrase(_) => true,
        };
        let may_leave_out = sought.iter().any(says_something);
        let mut typed = Vec::new();
        for one in sought {
            let offset = self.typed as u32;
            match one {
                Sought::Word { text, .. } if may_leave_out && is_stop_word(text) => {
                    self.typed += 1;
                    self.ignored.push(text.clone());
                    typed.push(Typed::word(text, false, None));
                }
                Sought::Word { text, prefix } => {
                    self.typed += 1;
                    let known = self.slots.iter().position(|slot| slot.typed == [text.as_str()]);
                    let at = known.unwrap_or_else(|| {
                        self.slots.push(Slot::new(vec![text.clone()], offset, false));
                        self.slots.len() - 1
                    });
                    if known.is_some() {
                        self.slots[at].times += 1.0;
                    }
                    typed.push(Typed::word(text, *prefix, Some(at)));
                }
                Sought::Phrase(words) => {
                    self.typed += words.len();
                    self.slots.push(Slot::new(words.clone(), offset, true));
                    typed.push(Typed {
                        text: None,
                        prefix: false,
                        slot: Some(self.slots.len() - 1),
                    });
                }
            }
        }
        typed
    }

    /// Sources of the slot itself: the word or phrase, its other forms, what it begins, and itself in two.
    fn look_up(&mut self, at: usize, typed: &[Typed], dictionary: &Dictionary) -> tantivy::Result<()> {
        let long = self.long;
        let slot = &mut self.slots[at];
        let [word] = slot.typed.as_slice() else {
            let words = slot.typed.clone();
            slot.add_phrase(words, MatchKind::Exact, dictionary)?;
            return Ok(());
        };
        let word = word.clone();
        slot.add_word(word.clone(), MatchKind::Exact, dictionary)?;
        let stem = stem(&word);
        let frequency = dictionary.stem_frequency(&stem, long)?;
        if frequency > 0 {
            slot.sources.push(Source {
                what: What::Stem(stem),
                kind: MatchKind::Stem,
                weight: 1.0,
                frequency,
            });
        }
        let is_prefix = typed.iter().any(|typed| typed.slot == Some(at) && typed.prefix);
        // In a long query the last word is most likely complete; one that nothing has is not.
        if is_prefix && (!long || slot.sources.is_empty()) {
            slot.add_beginning(&word, MatchKind::Prefix, dictionary)?;
        }
        if !long || slot.sources.is_empty() {
            for halves in splits(&word, dictionary)? {
                slot.add_phrase(halves.to_vec(), MatchKind::Split, dictionary)?;
            }
        }
        Ok(())
    }

    /// Two words side by side may be written as one.
    fn join_neighbours(&mut self, typed: &[Typed], dictionary: &Dictionary) -> tantivy::Result<()> {
        if self.long {
            return Ok(());
        }
        for pair in typed.windows(2) {
            let (Some(first), Some(second)) = (&pair[0].text, &pair[1].text) else {
                continue;
            };
            let (Some(at), Some(next)) = (pair[0].slot, pair[1].slot) else {
                continue;
            };
            let joined = format!("{first}{second}");
            for slot in [at, next] {
                self.slots[slot].add_word(joined.clone(), MatchKind::Joined, dictionary)?;
                if pair[1].prefix {
                    self.slots[slot].add_beginning(&joined, MatchKind::Joined, dictionary)?;
                }
            }
        }
        Ok(())
    }

    fn add_synonyms(&mut self, typed: &[Typed], synonyms: &Synonyms, dictionary: &Dictionary) -> tantivy::Result<()> {
        for from in 0..typed.len() {
            for length in 1..=MAX_SYNONYM_WORDS.min(typed.len() - from) {
                let run = &typed[from..from + length];
                let Some(text) = run.iter().map(|typed| typed.text.as_deref()).collect::<Option<Vec<_>>>() else {
                    break;
                };
                let Some(alternatives) = synonyms.0.get(&text.join(" ")) else {
                    continue;
                };
                for slot in run.iter().filter_map(|typed| typed.slot) {
                    for alternative in alternatives {
                        match alternative.as_slice() {
                            [word] => self.slots[slot].add_word(word.clone(), MatchKind::Synonym, dictionary)?,
                            words => self.slots[slot].add_phrase(words.to_vec(), MatchKind::Synonym, dictionary)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Folded words of a text, and what they may be replaced by.
#[derive(Debug)]
pub(crate) struct Synonyms(HashMap<String, Vec<Vec<String>>>);

impl Synonyms {
    pub(crate) fn new(synonyms: &config::Synonyms) -> Self {
        let mut by_text: HashMap<String, Vec<Vec<String>>> = HashMap::new();
        for (from, to) in synonyms.pairs() {
            let alternatives = by_text.entry(words(from).join(" ")).or_default();
            let to = words(to);
            if !to.is_empty() && !alternatives.contains(&to) {
                alternatives.push(to);
            }
        }
        Self(by_text)
    }
}

/// A word of the query in its place, and the slot it went to.
struct Typed {
    /// None: a phrase.
    text: Option<String>,
    prefix: bool,
    /// None: it says nothing.
    slot: Option<usize>,
}

impl Typed {
    fn word(text: &str, prefix: bool, slot: Option<usize>) -> Self {
        Self {
            text: Some(text.to_owned()),
            prefix,
            slot,
        }
    }
}

impl Slot {
    fn new(typed: Vec<String>, offset: u32, required: bool) -> Self {
        Self {
            typed,
            offset,
            times: 1.0,
            required,
            idf: 0.0,
            frequency: 0,
            sources: Vec::new(),
            corrected: false,
        }
    }

    fn add(&mut self, what: What, kind: MatchKind, frequency: u64) {
        if frequency > 0 && !self.sources.iter().any(|known| known.what == what) {
            self.sources.push(Source {
                what,
                kind,
                weight: kind.weight(),
                frequency,
            });
        }
    }

    fn add_word(&mut self, word: String, kind: MatchKind, dictionary: &Dictionary) -> tantivy::Result<()> {
        let frequency = dictionary.frequency(&word)?;
        self.add(What::Word(word), kind, frequency);
        Ok(())
    }

    /// Adds words side by side, if each of them is known at all.
    fn add_phrase(&mut self, words: Vec<String>, kind: MatchKind, dictionary: &Dictionary) -> tantivy::Result<()> {
        let mut rarest = u64::MAX;
        for word in &words {
            rarest = rarest.min(dictionary.frequency(word)?);
        }
        self.add(What::Phrase(words), kind, rarest);
        Ok(())
    }

    /// Adds what a beginning begins: short ones are indexed, long ones are looked up.
    fn add_beginning(&mut self, beginning: &str, kind: MatchKind, dictionary: &Dictionary) -> tantivy::Result<()> {
        if beginning.chars().count() <= BEGINNING_CHARS {
            let frequency = dictionary.beginning_frequency(beginning)?;
            self.add(What::Beginning(beginning.to_owned()), kind, frequency);
            return Ok(());
        }
        for (word, frequency) in dictionary.completions(beginning)? {
            self.add(What::Word(word), kind, frequency);
        }
        Ok(())
    }

    /// Sums up its sources.
    fn finish(&mut self, dictionary: &Dictionary) {
        let documents = dictionary.documents.max(1);
        let of = |kinds: &[MatchKind]| -> u64 {
            let sources = self.sources.iter().filter(|source| kinds.contains(&source.kind));
            sources.map(|source| source.frequency).sum()
        };
        self.frequency = self.sources.iter().map(|source| source.frequency).sum::<u64>().min(documents);
        let exact = of(&[MatchKind::Exact]).max(of(&[MatchKind::Stem])) + of(&[MatchKind::Prefix]);
        let frequency = if exact > 0 { exact.min(documents) } else { self.frequency };
        let (frequency, documents) = (frequency as f32, documents as f32);
        self.idf = (1.0 + (documents - frequency + 0.5) / (frequency + 0.5)).ln();
    }

    /// The most frequent of the nearest corrections, if it had to be corrected.
    pub(crate) fn correction(&self) -> Option<&str> {
        let corrections = self.sources.iter().filter(|source| source.kind >= MatchKind::OneTypo);
        let best = corrections.min_by_key(|source| (source.kind, u64::MAX - source.frequency))?;
        match &best.what {
            What::Word(word) if self.corrected => Some(word),
            _ => None,
        }
    }
}

/// Adds what a word may have been meant to be, where there is little of the word itself.
fn correct(slot: &mut Slot, typed: &[Typed], long: bool, dictionary: &Dictionary) -> tantivy::Result<()> {
    let known: u64 = slot.sources.iter().map(|source| source.frequency).sum();
    if known >= if long { 1 } else { FEW } {
        return Ok(());
    }
    let word = slot.typed[0].clone();
    let prefix = typed.iter().any(|typed| typed.prefix && typed.text.as_ref() == Some(&word));
    for (near, kind, frequency) in dictionary.typos(&word, prefix)? {
        slot.add(What::Word(near), kind, frequency);
    }
    slot.corrected = known == 0 && !slot.sources.is_empty();
    Ok(())
}

/// A word in two that are both known, those that are met most first.
fn splits(word: &str, dictionary: &Dictionary) -> tantivy::Result<Vec<[String; 2]>> {
    let borders: Vec<usize> = word.char_indices().map(|(at, _)| at).skip(1).collect();
    let mut found = Vec::new();
    for at in borders {
        let (left, right) = word.split_at(at);
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        // `tr808` and `eq8` are split where digits begin; elsewhere a lone letter is no word.
        let at_digits = digits(left) != digits(right) && (digits(left) || digits(right));
        let too_short = left.chars().count() < 2 || right.chars().count() < 2;
        if (too_short && !at_digits) || is_stop_word(left) || is_stop_word(right) {
            continue;
        }
        let frequency = dictionary.frequency(left)?.min(dictionary.frequency(right)?);
        if frequency > 0 {
            found.push((frequency, [left.to_owned(), right.to_owned()]));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(MAX_SPLITS);
    Ok(found.into_iter().map(|(_, halves)| halves).collect())
}
