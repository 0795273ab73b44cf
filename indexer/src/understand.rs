//! What somebody typed, understood: words, `"phrases"`, `-excluded` ones, and fielded words such as `bpm:120-130` or `-tag:dubstep`.
//!
//! A pure function of the text, which knows nothing of what is indexed. There is no such thing as a malformed query: what cannot be
//! read as anything else is read as words.

use std::fmt;
use std::ops::Bound;

use config::LiveVersion;
use serde::Serialize;
use store::musical_key::MusicalKey;

use crate::facet::Facet;
use crate::filter::{Condition, Filters, Flag, Test, live_version_of};
use crate::number::{Number, Range};
use crate::stop_words::is_stop_word;
use crate::text::{Piece, fold, pieces};

/// Longest text that is read, in characters; what follows is not. People paste whole paragraphs to find what is like them.
const MAX_TEXT_CHARS: usize = 2048;

/// Most words that are read: each costs a look at the index.
const MAX_WORDS: usize = 256;

/// Most phrases that are looked for, most things that are excluded, and most fielded words. A phrase is looked for in every field.
const MAX_PHRASES: usize = 16;
const MAX_EXCLUDED: usize = 32;
const MAX_FIELDED: usize = 32;

/// From how many words of content on not all need match.
const MANY_WORDS: usize = 5;

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understood {
    /// Words and phrases looked for, in order. A repeated word is there as often as it was written.
    pub sought: Vec<Sought>,
    /// Words (of length 1) and phrases that must not occur.
    pub excluded: Vec<Vec<String>>,
    /// Fielded words that were understood.
    pub fielded: Vec<Fielded>,
}

/// Something looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sought {
    /// A word.
    Word {
        /// Folded.
        text: String,
        /// Whether it also stands for all words that it begins: it is the last one, and nothing follows it yet.
        prefix: bool,
    },
    /// Words side by side, in this order.
    Phrase(Vec<String>),
}

/// A fielded word that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Fielded {
    /// What it asks for.
    pub wanted: Wanted,
    /// Whether it asks for the opposite.
    pub excluded: bool,
}

/// What a fielded word asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// A value of a facet.
    Value(Facet, String),
    /// A tempo.
    Bpm(Range),
    /// This version of Live opens it.
    Live(LiveVersion),
    /// Needs Max for Live, or does without it.
    MaxForLive(bool),
}

impl Understood {
    /// Reads a text.
    pub fn read(text: &str) -> Self {
        let text: String = text.chars().take(MAX_TEXT_CHARS).collect();
        let mut understood = Self::default();
        let mut rest = text.as_str();
        while let Some(token) = next_token(&mut rest) {
            understood.take(&token);
        }
        let mut phrases = 0;
        understood.sought.retain(|sought| {
            phrases += usize::from(matches!(sought, Sought::Phrase(_)));
            phrases <= MAX_PHRASES || matches!(sought, Sought::Word { .. })
        });
        understood.sought.truncate(MAX_WORDS);
        understood.excluded.truncate(MAX_EXCLUDED);
        understood.fielded.truncate(MAX_FIELDED);
        understood.mark_prefix(&text);
        understood
    }

    /// Whether another one looks for the same and excludes the same, whatever their fielded words ask for.
    pub(crate) fn has_text_of(&self, other: &Self) -> bool {
        self.sought == other.sought && self.excluded == other.excluded
    }

    /// Whether nothing is looked for or excluded by text.
    pub fn is_without_text(&self) -> bool {
        self.sought.is_empty() && self.excluded.is_empty()
    }

    /// Whether words only weigh: there are so many that not all need match. Words that say nothing do not count, unless all are such.
    pub fn is_long(&self) -> bool {
        let words = || {
            self.sought.iter().filter_map(|sought| match sought {
                Sought::Word { text, .. } => Some(text.as_str()),
                Sought::Phrase(_) => None,
            })
        };
        let content = words().filter(|word| !is_stop_word(word)).count();
        let counted = if content == 0 { words().count() } else { content };
        counted >= MANY_WORDS
    }

    /// A text that is understood so.
    pub fn to_text(&self) -> String {
        let quoted = |words: &[String]| match words {
            [word] => word.clone(),
            words => format!("\"{}\"", words.join(" ")),
        };
        let excluded = self.excluded.iter().map(|words| format!("-{}", quoted(words)));
        let fielded = self.fielded.iter().map(ToString::to_string);
        let mut sought: Vec<String> = self
            .sought
            .iter()
            .map(|sought| match sought {
                Sought::Word { text, .. } => text.clone(),
                Sought::Phrase(words) => quoted(words),
            })
            .collect();
        // What is unfinished has to be last.
        let unfinished = match self.sought.last() {
            Some(Sought::Word { prefix: true, .. }) => sought.pop(),
            _ => None,
        };
        let complete = sought.into_iter().chain(excluded).chain(fielded);
        let mut text: String = complete.flat_map(|part| [part, " ".to_owned()]).collect();
        text.extend(unfinished);
        text
    }

    fn take(&mut self, token: &Token) {
        if let Some((name, value)) = token.fielded()
            && let Some(fielded) = fielded(name, value, token.excluded)
        {
            self.fielded.push(fielded);
            return;
        }
        let pieces = pieces(&token.text);
        if token.excluded {
            let words: Vec<String> = pieces.into_iter().flat_map(Piece::into_words).collect();
            if !words.is_empty() {
                self.excluded.push(words);
            }
        } else if token.quoted {
            let mut words: Vec<String> = pieces.into_iter().flat_map(Piece::into_words).collect();
            match words.len() {
                0 => {}
                1 => self.sought.push(Sought::word(words.remove(0))),
                _ => self.sought.push(Sought::Phrase(words)),
            }
        } else {
            self.sought.extend(pieces.into_iter().map(|piece| match piece {
                Piece::Word(word) => Sought::word(word),
                // A character of a script without spaces is rarely a word alone, and begins whatever pair it is part of.
                Piece::Run(mut pairs) if pairs.len() == 1 && pairs[0].chars().count() == 1 => Sought::Word {
                    text: pairs.remove(0),
                    prefix: true,
                },
                Piece::Run(mut pairs) if pairs.len() == 1 => Sought::word(pairs.remove(0)),
                Piece::Run(pairs) => Sought::Phrase(pairs),
            }));
        }
    }

    /// The last word may be unfinished, if it is the last thing in the text.
    fn mark_prefix(&mut self, text: &str) {
        if !text.chars().next_back().is_some_and(char::is_alphanumeric) {
            return;
        }
        let mut rest = text;
        let mut last = None;
        while let Some(token) = next_token(&mut rest) {
            last = Some(token);
        }
        let is_plain = last.is_some_and(|token| {
            let is_fielded = token
                .fielded()
                .is_some_and(|(name, value)| fielded(name, value, token.excluded).is_some());
            !token.excluded && !token.quoted && !is_fielded
        });
        if is_plain && let Some(Sought::Word { prefix, .. }) = self.sought.last_mut() {
            *prefix = true;
        }
    }
}

impl Sought {
    fn word(text: String) -> Self {
        Sought::Word { text, prefix: false }
    }
}

impl fmt::Display for Fielded {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.excluded {
            f.write_str("-")?;
        }
        f.write_str(self.wanted.name())?;
        let value = self.wanted.value();
        if value.contains(char::is_whitespace) {
            write!(f, ":\"{value}\"")
        } else {
            write!(f, ":{value}")
        }
    }
}

impl Fielded {
    /// Adds what it asks for: values and tempos as the page's own controls do.
    pub(crate) fn narrow(&self, filters: &mut Filters) {
        match (&self.wanted, self.excluded) {
            (Wanted::Value(facet, value), false) => filters.any(*facet, value.as_str()),
            (Wanted::Value(facet, value), true) => filters.none(*facet, value.as_str()),
            (Wanted::Bpm(range), false) => filters.number(Number::Bpm, *range),
            (Wanted::Bpm(range), true) => filters.and(Condition::Is(Test::Number(Number::Bpm, *range)).negated()),
            (Wanted::Live(version), false) => filters.and(Condition::Is(Test::Live(*version))),
            (Wanted::Live(version), true) => filters.and(Condition::Is(Test::Live(*version)).negated()),
            (Wanted::MaxForLive(yes), excluded) => {
                // Who wants what does without it wants what is known to.
                filters.flag(Flag::NeedsMax, *yes != excluded);
                filters.flag(Flag::Parsed, true);
            }
        }
    }
}

impl Wanted {
    /// What its fielded word is called.
    pub fn name(&self) -> &'static str {
        match self {
            Wanted::Value(facet, _) => facet.name(),
            Wanted::Bpm(_) => "bpm",
            Wanted::Live(_) => "live",
            Wanted::MaxForLive(_) => "max_for_live",
        }
    }

    /// What it is asked to be, in the form in which it was understood.
    pub fn value(&self) -> String {
        match self {
            Wanted::Value(_, value) => value.clone(),
            Wanted::Bpm(range) => range_text(range),
            // A lone number is the whole generation.
            Wanted::Live(version) if version.minor == u16::MAX => version.major.to_string(),
            Wanted::Live(version) => version.to_string(),
            Wanted::MaxForLive(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        }
    }
}

/// A range in the form in which it is read.
fn range_text(range: &Range) -> String {
    let end = |bound: Bound<f64>| match bound {
        Bound::Included(number) | Bound::Excluded(number) => number.to_string(),
        Bound::Unbounded => String::new(),
    };
    if range.min == range.max {
        end(range.min)
    } else {
        format!("{}-{}", end(range.min), end(range.max))
    }
}

/// What stands between blanks: `word`, `"a phrase"`, `name:value` or `name:"a value"`, all of them also after a minus sign.
struct Token {
    text: String,
    excluded: bool,
    /// Whether all of it was in quotation marks.
    quoted: bool,
}

impl Token {
    /// Its parts, if it may be a fielded word.
    fn fielded(&self) -> Option<(&str, &str)> {
        if self.quoted {
            return None;
        }
        let (name, value) = self.text.split_once(':')?;
        let value = value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(value);
        let is_value = !value.trim().is_empty() && !value.contains(is_quote);
        (!name.is_empty() && is_value).then_some((name, value.trim()))
    }
}

/// Quotation marks that keyboards and telephones make.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

fn next_token(rest: &mut &str) -> Option<Token> {
    let text = rest.trim_start();
    let mut text = (!text.is_empty()).then_some(text)?;
    let mut excluded = false;
    if let Some(after) = text.strip_prefix('-')
        && after.starts_with(|c: char| c.is_alphanumeric() || is_quote(c))
    {
        excluded = true;
        text = after;
    }
    if let Some(after) = text.strip_prefix(is_quote) {
        if let Some((phrase, after)) = after.split_once(is_quote) {
            *rest = after;
            return Some(Token {
                text: phrase.to_owned(),
                excluded,
                quoted: true,
            });
        }
        // A mark that is never closed is none.
        text = after;
    }
    let mut end = text.find(char::is_whitespace).unwrap_or(text.len());
    // Blanks and further marks belong to `name:"a value"`; other marks end a word.
    if let Some(mark) = text[..end].find(is_quote) {
        let is_value = text[..mark].ends_with(':');
        let opened = text[mark..].chars().next().map_or(mark, |c| mark + c.len_utf8());
        match text[opened..].char_indices().find(|(_, c)| is_quote(*c)) {
            Some((length, c)) if is_value => {
                end = opened + length + c.len_utf8();
                let value = text[opened..opened + length].to_owned();
                *rest = &text[end..];
                return Some(Token {
                    text: format!("{}\"{value}\"", &text[..mark]),
                    excluded,
                    quoted: false,
                });
            }
            _ if mark > 0 => end = mark,
            _ => {}
        }
    }
    *rest = &text[end..];
    Some(Token {
        text: text[..end].to_owned(),
        excluded,
        quoted: false,
    })
}

/// A fielded word, if its name is one and its value can be read.
fn fielded(name: &str, value: &str, excluded: bool) -> Option<Fielded> {
    let name = fold(name);
    let value_of = |facet: Facet, value: &str| Wanted::Value(facet, value.to_owned());
    let wanted = match name.as_str() {
        "bpm" | "tempo" => Wanted::Bpm(value.replace('–', "-").parse().ok()?),
        "live" => Wanted::Live(live_version_of(value)?),
        "max_for_live" | "maxforlive" | "m4l" => Wanted::MaxForLive(yes_or_no(value)?),
        "key" => value_of(Facet::Key, MusicalKey::parse(value)?.name()),
        "kind" | "type" => value_of(Facet::Kind, kind(value)?),
        "difficulty" => value_of(Facet::Difficulty, one_of(value, &["beginner", "intermediate", "advanced"])?),
        "genre" => value_of(Facet::Genre, value),
        "tag" => value_of(Facet::Tag, value),
        "device" => value_of(Facet::Device, value),
        "plugin" | "plug-in" => value_of(Facet::Plugin, value),
        "author" | "by" => value_of(Facet::Author, value.strip_prefix('@').unwrap_or(value)),
        _ => return None,
    };
    Some(Fielded { wanted, excluded })
}

fn yes_or_no(value: &str) -> Option<bool> {
    match fold(value).as_str() {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

fn kind(value: &str) -> Option<&'static str> {
    let value = fold(value).replace([' ', '-'], "_");
    match value.as_str() {
        "effect" | "audio" => Some("audio_effect"),
        "midi" => Some("midi_effect"),
        "drums" | "drum_rack" => Some("drum"),
        other => one_of(other, &["audio_effect", "instrument", "midi_effect", "drum"]),
    }
}

fn one_of(value: &str, names: &[&'static str]) -> Option<&'static str> {
    let value = fold(value);
    names.iter().copied().find(|name| *name == value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(text: &str) -> Sought {
        Sought::word(text.to_owned())
    }

    fn beginning(text: &str) -> Sought {
        Sought::Word {
            text: text.to_owned(),
            prefix: true,
        }
    }

    fn phrase(words: &str) -> Sought {
        Sought::Phrase(words.split(' ').map(str::to_owned).collect())
    }

    fn value(facet: Facet, value: &str, excluded: bool) -> Fielded {
        Fielded {
            wanted: Wanted::Value(facet, value.to_owned()),
            excluded,
        }
    }

    #[test]
    fn words_phrases_exclusions_and_fielded_words_are_told_apart() {
        let read = Understood::read(
            r#"warm "tape echo" bpm:120-130 key:8A -loop -"drum kit" device:"Hybrid Reverb" -tag:dubstep live:11 pad"#,
        );
        assert_eq!(read.sought, [word("warm"), phrase("tape echo"), beginning("pad")]);
        assert_eq!(
            read.excluded,
            [vec!["loop".to_owned()], vec!["drum".to_owned(), "kit".to_owned()]]
        );
        let bpm = Fielded {
            wanted: Wanted::Bpm("120-130".parse().expect("a range")),
            excluded: false,
        };
        let live = Fielded {
            wanted: Wanted::Live(LiveVersion::new(11, u16::MAX)),
            excluded: false,
        };
        assert_eq!(
            read.fielded,
            [
                bpm,
                value(Facet::Key, "Am", false),
                value(Facet::Device, "Hybrid Reverb", false),
                value(Facet::Tag, "dubstep", true),
                live
            ]
        );
    }

    #[test]
    fn what_is_malformed_is_words() {
        for (text, words) in [
            ("bpm:fast", vec![word("bpm"), beginning("fast")]),
            ("key:H#q ", vec![word("key"), word("h"), word("q")]),
            ("live:abc ", vec![word("live"), word("abc")]),
            ("title:[* TO", vec![word("title"), beginning("to")]),
            ("\"never closed", vec![word("never"), beginning("closed")]),
            ("genre: house", vec![word("genre"), beginning("house")]),
            (
                "genre:\"never closed",
                vec![word("genre"), word("never"), beginning("closed")],
            ),
            ("lo-fi - keys", vec![word("lo"), word("fi"), beginning("keys")]),
            ("a\"b\"c ", vec![word("a"), word("b"), word("c")]),
            ("\"\" -\"\" -", vec![]),
            ("--x ", vec![word("x")]),
        ] {
            let read = Understood::read(text);
            assert_eq!(read.sought, words, "`{text}`");
            assert!(read.fielded.is_empty() && read.excluded.is_empty(), "`{text}`");
        }
    }

    #[test]
    fn only_a_word_that_ends_the_text_may_be_unfinished() {
        assert_eq!(Understood::read("warm pa").sought, [word("warm"), beginning("pa")]);
        assert_eq!(Understood::read("warm pa ").sought, [word("warm"), word("pa")]);
        assert_eq!(Understood::read("pa -x").sought, [word("pa")]);
        assert_eq!(Understood::read("pa genre:house").sought, [word("pa")]);
        assert_eq!(Understood::read("\"pa\"").sought, [word("pa")]);
    }

    #[test]
    fn a_run_of_an_unspaced_script_is_looked_for_as_it_stands() {
        assert_eq!(Understood::read("東京ドラム").sought, [phrase("東京 京ド ドラ ラム")]);
        assert_eq!(Understood::read("音 ").sought, [beginning("音")]);
    }

    #[test]
    fn five_words_of_content_are_many() {
        assert!(!Understood::read("the sound of a warm analog pad").is_long());
        assert!(Understood::read("the sound of a warm analog pad with tape").is_long());
        assert!(!Understood::read("to be or not").is_long());
    }

    proptest! {
        #[test]
        fn any_text_is_understood(text in any::<String>()) {
            Understood::read(&text);
        }

        #[test]
        fn what_looks_like_a_query_is_understood_and_bounded(text in r#"([a-z]{0,4}|-|"|:|bpm:|key:|live:|tag:| |[0-9]{1,3}|東京|é|“|\PC){0,200}"#) {
            let read = Understood::read(&text);
            prop_assert!(read.fielded.len() <= MAX_FIELDED && read.excluded.len() <= MAX_EXCLUDED && read.sought.len() <= MAX_WORDS);
            // What compatibility forms stand for may be cut in another way once it is written out.
            if text.chars().all(|c| c.is_ascii() || "東京é“".contains(c)) {
                prop_assert_eq!(&Understood::read(&read.to_text()), &read);
            }
            for sought in &read.sought {
                match sought {
                    Sought::Word { text, .. } => prop_assert!(!text.is_empty()),
                    Sought::Phrase(words) => prop_assert!(words.len() > 1),
                }
            }
        }

        #[test]
        fn plain_words_are_themselves(found in proptest::collection::vec("[a-z]{1,9}", 1..8)) {
            let read = Understood::read(&(found.join(" ") + " "));
            let expected: Vec<Sought> = found.iter().map(|text| word(text)).collect();
            prop_assert_eq!(read.sought, expected);
        }
    }
}
