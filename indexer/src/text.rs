//! How text becomes words, for documents and for queries alike: letters and digits, letter case and accents folded, runs of
//! Chinese, Japanese and Korean script cut into overlapping pairs (those scripts put no spaces between words).

use tantivy::tokenizer::{Language, Stemmer, TextAnalyzer, Token, TokenStream, Tokenizer};
use unicode_normalization::UnicodeNormalization;

/// Longest word, in characters; what is longer is cut. Longer ones are data, not words.
const MAX_WORD_CHARS: usize = 64;

/// Folds letter case, accents and compatibility forms: `Café` and `CAFE` become `cafe`.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        // Most of what people write here, and all of the below does no more to it.
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_accent(*c)).nfc() {
        for lower in c.to_lowercase() {
            match lower {
                'ß' => folded.push_str("ss"),
                'æ' => folded.push_str("ae"),
                'œ' => folded.push_str("oe"),
                'ø' => folded.push('o'),
                'ł' => folded.push('l'),
                'đ' | 'ð' => folded.push('d'),
                'þ' => folded.push_str("th"),
                'ı' => folded.push('i'),
                // Lower case of a capital I with a dot, after its dot was dropped, may bring the dot back.
                other if is_accent(other) => {}
                other => folded.push(other),
            }
        }
    }
    folded
}

/// The words of a text, folded, in order.
pub fn words(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(|token| token.text).collect()
}

/// What a text of a query consists of: words, and runs of the scripts that put no blanks between words.
pub(crate) enum Piece {
    /// A word.
    Word(String),
    /// The overlapping pairs of a run, or its only character.
    Run(Vec<String>),
}

impl Piece {
    /// All its words.
    pub(crate) fn into_words(self) -> Vec<String> {
        match self {
            Piece::Word(word) => vec![word],
            Piece::Run(pairs) => pairs,
        }
    }
}

/// The pieces of a text, folded, in order.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (from, to, script) in runs(text) {
        let mut found = Vec::new();
        close_run(text, from, to, script, &mut found);
        let mut words: Vec<String> = found.into_iter().map(|token| token.text).collect();
        match script {
            _ if words.is_empty() => {}
            Script::Unspaced => pieces.push(Piece::Run(words)),
            Script::Spaced | Script::Neither => pieces.push(Piece::Word(words.remove(0))),
        }
    }
    pieces
}

/// The tokenizer of every text field.
#[derive(Clone, Default)]
pub(crate) struct Words;

impl Tokenizer for Words {
    type TokenStream<'a> = WordStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream {
        WordStream {
            tokens: tokens(text),
            next: 0,
        }
    }
}

/// The tokenizer of descriptions that are stemmed.
pub(crate) fn stems() -> TextAnalyzer {
    TextAnalyzer::builder(Words).filter(Stemmer::new(Language::English)).build()
}

/// The English stem of a folded word.
pub(crate) fn stem(word: &str) -> String {
    let mut analyzer = stems();
    let mut stream = analyzer.token_stream(word);
    if stream.advance() {
        stream.token().text.clone()
    } else {
        word.to_owned()
    }
}

/// The tokenizer of lists that [`crate::document`] writes, of words with a digit in front, as in `5warm 5pad 1tape`: each word is there
/// as often as its digit says, so that what tantivy keeps as a word's frequency is the digit.
#[derive(Clone, Default)]
pub(crate) struct Leveled;

impl Tokenizer for Leveled {
    type TokenStream<'a> = LeveledStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> LeveledStream<'a> {
        LeveledStream {
            rest: text,
            repetitions: 0,
            token: Token {
                position: 0,
                ..Token::default()
            },
        }
    }
}

/// Tokens of one list.
pub(crate) struct LeveledStream<'a> {
    rest: &'a str,
    /// How often the current word comes once more.
    repetitions: u32,
    token: Token,
}

impl TokenStream for LeveledStream<'_> {
    fn advance(&mut self) -> bool {
        if self.repetitions > 0 {
            self.repetitions -= 1;
            return true;
        }
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        let mut characters = word.chars();
        let Some(level) = characters.next().and_then(|digit| digit.to_digit(10)) else {
            return false;
        };
        self.rest = rest;
        self.repetitions = level.saturating_sub(1);
        self.token.text.clear();
        self.token.text.push_str(characters.as_str());
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// Tokens of one text.
pub(crate) struct WordStream {
    tokens: Vec<Token>,
    next: usize,
}

impl TokenStream for WordStream {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    /// Letters, digits and their accents.
    Spaced,
    /// Script without spaces between words.
    Unspaced,
    /// Everything that separates.
    Neither,
}

/// The words of a text, with where they are in it.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (from, to, script) in runs(text) {
        close_run(text, from, to, script, &mut found);
    }
    found
}

/// Longest stretches of one script: where they begin and end.
fn runs(text: &str) -> impl Iterator<Item = (usize, usize, Script)> {
    let mut characters = text.char_indices().map(|(at, c)| (at, script_of(c))).peekable();
    std::iter::from_fn(move || {
        let (from, script) = characters.next()?;
        while characters.next_if(|(_, next)| *next == script).is_some() {}
        let to = characters.peek().map_or(text.len(), |(at, _)| *at);
        Some((from, to, script))
    })
}

fn close_run(text: &str, from: usize, to: usize, script: Script, found: &mut Vec<Token>) {
    match script {
        Script::Neither => {}
        Script::Spaced => push(text, from, to, found),
        Script::Unspaced => {
            let mut starts: Vec<usize> = text[from..to].char_indices().map(|(at, _)| from + at).collect();
            starts.push(to);
            if starts.len() == 2 {
                push(text, from, to, found);
            }
            for pair in starts.windows(3) {
                push(text, pair[0], pair[2], found);
            }
        }
    }
}

fn push(text: &str, from: usize, to: usize, found: &mut Vec<Token>) {
    let word: String = fold(&text[from..to])
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(MAX_WORD_CHARS)
        .collect();
    if word.is_empty() {
        return;
    }
    found.push(Token {
        offset_from: from,
        offset_to: to,
        position: found.len(),
        text: word,
        position_length: 1,
    });
}

fn script_of(c: char) -> Script {
    if is_unspaced(c) {
        Script::Unspaced
    } else if c.is_alphanumeric() || is_accent(c) {
        Script::Spaced
    } else {
        Script::Neither
    }
}

/// Combining diacritical marks of the Latin, Greek and Cyrillic scripts; Japanese voicing marks are letters of their own.
fn is_accent(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Hiragana, Katakana, Han and Hangul.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' | '\u{3131}'..='\u{318e}' | '\u{ffa0}'..='\u{ffdc}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}'
        | '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_compatibility_forms_fold() {
        assert_eq!(
            fold("Café CAFE\u{301} ＦＵＬＬ Straße Ørsted İ"),
            "cafe cafe full strasse orsted i"
        );
    }

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(words("Auto-Pan & EQ Eight (808)"), ["auto", "pan", "eq", "eight", "808"]);
        assert_eq!(words("  ###  "), Vec::<String>::new());
    }

    #[test]
    fn words_of_a_list_are_there_as_often_as_their_digit_says() {
        let mut tokenizer = Leveled;
        let mut stream = tokenizer.token_stream("2warm 1808 3pad");
        let mut found = Vec::new();
        while stream.advance() {
            found.push(stream.token().text.clone());
        }
        assert_eq!(found, ["warm", "warm", "808", "pad", "pad", "pad"]);
        assert!(!tokenizer.token_stream("").advance());
    }

    #[test]
    fn stems_are_english() {
        assert_eq!(stem("loops"), stem("loop"));
        assert_eq!(stem("808"), "808");
    }

    #[test]
    fn unspaced_scripts_are_cut_into_overlapping_pairs() {
        assert_eq!(words("東京ドラム kit"), ["東京", "京ド", "ドラ", "ラム", "kit"]);
        assert_eq!(words("音"), ["音"]);
    }

    proptest! {
        #[test]
        fn folding_ascii_is_lower_case_as_it_is_beside_other_script(text in "[ -~\\t\\n]{0,40}") {
            prop_assert_eq!(format!("{}é", fold(&text)).replace('é', "e"), fold(&format!("{text}é")));
        }

        #[test]
        fn any_text_is_cut_at_character_borders_in_order(text in any::<String>()) {
            for (position, token) in tokens(&text).into_iter().enumerate() {
                prop_assert!(text.get(token.offset_from..token.offset_to).is_some());
                prop_assert_eq!(token.position, position);
                prop_assert!(token.text.chars().count() <= MAX_WORD_CHARS);
            }
        }
    }
}
