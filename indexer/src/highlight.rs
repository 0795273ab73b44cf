//! Why a text was found, made visible: marks around the words that met the query, whichever way they met it, and a snippet of long texts.
//!
//! It works from the terms that were looked up ([`Plan`]), so that a typo's or a synonym's hit is marked like any other. Everything that is
//! not a mark is escaped: the result can be put into HTML as it is.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use tantivy::tokenizer::TokenStream;

use crate::document::Prose;
use crate::plan::{Plan, What};
use crate::response::{Card, Highlight};
use crate::text::{stems, tokens};

/// Most values of one list that are shown with marks.
const MAX_VALUES: usize = 32;

/// Words of a snippet before its first mark: enough to see what it belongs to.
const WORDS_BEFORE: usize = 5;

/// Most parts of a text that are looked at for the best snippet: a text that repeats one word would take the square of its length.
const MAX_PARTS: usize = 128;

/// How marks are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HighlightOptions {
    /// What is put before a word, as it is.
    pub pre: String,
    /// What is put behind it, as it is.
    pub post: String,
    /// Most words of a snippet.
    pub crop: usize,
}

impl Default for HighlightOptions {
    fn default() -> Self {
        Self {
            pre: "<em>".to_owned(),
            post: "</em>".to_owned(),
            crop: 30,
        }
    }
}

/// The words of a plan, to be found in texts.
pub(crate) struct Highlighter<'a> {
    options: &'a HighlightOptions,
    words: HashMap<&'a str, usize>,
    beginnings: Vec<(&'a str, usize)>,
    stems: HashMap<&'a str, usize>,
    phrases: Vec<(&'a [String], usize)>,
    /// Whether titles are found by their stems too.
    long: bool,
}

/// A place in a text that meets a word of the query.
struct Mark {
    place: Range<usize>,
    /// Its place among the text's words.
    word: usize,
    slot: usize,
}

impl<'a> Highlighter<'a> {
    pub(crate) fn new(plan: &'a Plan, options: &'a HighlightOptions) -> Self {
        let mut highlighter = Self {
            options,
            words: HashMap::new(),
            beginnings: Vec::new(),
            stems: HashMap::new(),
            phrases: Vec::new(),
            long: plan.long,
        };
        for (number, slot) in plan.slots.iter().enumerate() {
            for source in &slot.sources {
                match &source.what {
                    What::Word(word) => {
                        highlighter.words.entry(word).or_insert(number);
                    }
                    What::Beginning(beginning) => highlighter.beginnings.push((beginning, number)),
                    What::Stem(stem) => {
                        highlighter.stems.entry(stem).or_insert(number);
                    }
                    What::Phrase(words) => highlighter.phrases.push((words, number)),
                }
            }
        }
        highlighter
    }

    /// The texts of a hit that meet the query, field by field.
    pub(crate) fn of(&self, card: &Card, prose: &Prose) -> Vec<Highlight> {
        let author = [Some(&card.author.username), card.author.display_name.as_ref()];
        let lists: [(&'static str, Vec<&String>); 7] = [
            ("title", vec![&card.title]),
            ("tags", card.tags.iter().collect()),
            ("author", author.into_iter().flatten().collect()),
            ("devices", card.devices.iter().collect()),
            ("plugins", card.plugins.iter().collect()),
            ("macros", card.macros.iter().collect()),
            ("chains", prose.chains.iter().collect()),
        ];
        let mut found = Vec::new();
        for (field, values) in lists {
            let with_stems = self.long && field == "title";
            let marked = values.into_iter().enumerate().filter_map(|(at, value)| {
                let marks = self.marks(value, with_stems);
                let text = (!marks.is_empty()).then(|| self.written(value, 0..value.len(), &marks))?;
                Some(Highlight { field, at, text })
            });
            found.extend(marked.take(MAX_VALUES));
        }
        found.extend(self.snippet(&prose.description).map(|text| Highlight {
            field: "description",
            at: 0,
            text,
        }));
        found
    }

    /// Where a text meets the query, in order.
    fn marks(&self, text: &str, with_stems: bool) -> Vec<Mark> {
        let tokens = tokens(text);
        let mut marks = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let word = token.text.as_str();
            let begun = || {
                let mut beginnings = self.beginnings.iter();
                beginnings
                    .find(|(beginning, _)| word.starts_with(beginning))
                    .map(|(_, slot)| *slot)
            };
            if let Some(slot) = self.words.get(word).copied().or_else(begun) {
                marks.push(Mark {
                    place: token.offset_from..token.offset_to,
                    word: at,
                    slot,
                });
            }
            for (phrase, slot) in &self.phrases {
                let rest = tokens.get(at..at + phrase.len()).unwrap_or_default();
                let matches = !rest.is_empty() && rest.iter().zip(*phrase).all(|(token, word)| token.text == *word);
                let words = rest.iter().enumerate().filter(|_| matches);
                marks.extend(words.map(|(next, token)| Mark {
                    place: token.offset_from..token.offset_to,
                    word: at + next,
                    slot: *slot,
                }));
            }
        }
        if with_stems && !self.stems.is_empty() {
            let mut analyzer = stems();
            let mut stream = analyzer.token_stream(text);
            let mut word = 0;
            while stream.advance() {
                let token = stream.token();
                if let Some(slot) = self.stems.get(token.text.as_str()) {
                    marks.push(Mark {
                        place: token.offset_from..token.offset_to,
                        word,
                        slot: *slot,
                    });
                }
                word += 1;
            }
        }
        marks.sort_by_key(|mark| (mark.place.start, mark.place.end));
        marks
    }

    /// The part of a text in which most of the query is met, none if nothing is.
    fn snippet(&self, text: &str) -> Option<String> {
        let marks = self.marks(text, true);
        let tokens = tokens(text);
        let crop = self.options.crop.max(1);
        let slots = marks.iter().map(|mark| mark.slot).collect::<HashSet<_>>().len();
        // Of equally good parts the first. Marks are in order, so that what follows one is what its part may have.
        let mut best: Option<(usize, &Mark)> = None;
        for (at, mark) in marks.iter().enumerate().take(MAX_PARTS) {
            let mut met = HashSet::new();
            for next in marks[at..].iter().take_while(|next| next.word < mark.word + crop) {
                met.insert(next.slot);
                if met.len() == slots {
                    break;
                }
            }
            if best.is_none_or(|(most, _)| met.len() > most) {
                best = Some((met.len(), mark));
            }
        }
        let (_, first) = best?;
        let before = WORDS_BEFORE.min(crop / 2);
        let from = first.word.saturating_sub(before).min(tokens.len().saturating_sub(crop));
        let to = (from + crop).min(tokens.len());
        let begins = if from == 0 { 0 } else { tokens[from].offset_from };
        let ends = if to == tokens.len() {
            text.len()
        } else {
            tokens[to - 1].offset_to
        };
        let mut snippet = self.written(text, begins..ends, &marks);
        if from > 0 {
            snippet.insert(0, '…');
        }
        if to < tokens.len() {
            snippet.push('…');
        }
        Some(snippet)
    }

    /// A part of a text with its marks.
    fn written(&self, text: &str, part: Range<usize>, marks: &[Mark]) -> String {
        let mut written = String::with_capacity(part.len() + 32);
        let mut at = part.start;
        let mut marks = marks
            .iter()
            .filter(|mark| mark.place.start >= part.start && mark.place.end <= part.end)
            .peekable();
        while let Some(mark) = marks.next() {
            let Range { start, mut end } = mark.place;
            // Pairs of a script without spaces overlap, and one word may be met in several ways.
            while let Some(next) = marks.next_if(|next| next.place.start < end) {
                end = end.max(next.place.end);
            }
            escape(&text[at..start], &mut written);
            written.push_str(&self.options.pre);
            escape(&text[start..end], &mut written);
            written.push_str(&self.options.post);
            at = end;
        }
        escape(&text[at..part.end], &mut written);
        written
    }
}

/// Writes what HTML would take for markup as what it is.
fn escape(text: &str, into: &mut String) {
    for c in text.chars() {
        match c {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn highlighter<'a>(options: &'a HighlightOptions, words: &[&'a str]) -> Highlighter<'a> {
        Highlighter {
            options,
            words: words.iter().enumerate().map(|(slot, word)| (*word, slot)).collect(),
            beginnings: vec![("dru", 9)],
            stems: HashMap::from([("loop", 8)]),
            phrases: Vec::new(),
            long: false,
        }
    }

    fn marked(text: &str, words: &[&str], with_stems: bool) -> String {
        let options = HighlightOptions::default();
        let highlighter = highlighter(&options, words);
        highlighter.written(text, 0..text.len(), &highlighter.marks(text, with_stems))
    }

    #[test]
    fn words_beginnings_and_stems_are_marked_and_the_rest_is_escaped() {
        assert_eq!(
            marked("Wärm <b>&</b> Drums, looping", &["warm"], true),
            "<em>Wärm</em> &lt;b&gt;&amp;&lt;/b&gt; <em>Drums</em>, <em>looping</em>"
        );
        assert_eq!(marked("looping", &[], false), "looping");
    }

    #[test]
    fn overlapping_pairs_are_one_mark() {
        assert_eq!(marked("東京ドラム", &["東京", "京ド"], false), "<em>東京ド</em>ラム");
    }

    #[test]
    fn phrases_are_marked_where_they_are_whole() {
        let options = HighlightOptions::default();
        let phrase = ["tape".to_owned(), "echo".to_owned()];
        let mut highlighter = highlighter(&options, &[]);
        highlighter.phrases = vec![(&phrase, 0)];
        let text = "echo tape, tape-echo";
        assert_eq!(
            highlighter.written(text, 0..text.len(), &highlighter.marks(text, false)),
            "echo tape, <em>tape</em>-<em>echo</em>"
        );
    }

    #[test]
    fn a_snippet_shows_where_most_is_met() {
        let options = HighlightOptions {
            crop: 6,
            ..HighlightOptions::default()
        };
        let highlighter = highlighter(&options, &["warm", "pad"]);
        let text = format!(
            "warm {}with a warm analog pad and {}",
            "filler ".repeat(20),
            "more ".repeat(20)
        );
        assert_eq!(
            highlighter.snippet(&text).as_deref(),
            Some("…filler with a <em>warm</em> analog <em>pad</em>…")
        );
        assert_eq!(highlighter.snippet("nothing of it"), None);
        assert_eq!(highlighter.snippet("a warm one").as_deref(), Some("a <em>warm</em> one"));
    }

    proptest! {
        #[test]
        fn any_text_without_its_marks_is_itself(text in any::<String>(), crop in 0usize..8) {
            let options = HighlightOptions { pre: String::new(), post: String::new(), crop };
            let highlighter = highlighter(&options, &["a", "1"]);
            let mut escaped = String::new();
            escape(&text, &mut escaped);
            prop_assert_eq!(highlighter.written(&text, 0..text.len(), &highlighter.marks(&text, true)), escaped);
            highlighter.snippet(&text);
        }
    }
}
