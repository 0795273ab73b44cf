//! Meilisearch's filter language.
//!
//! ```text
//! or        = and ("OR" and)*
//! and       = not ("AND" not)*
//! not       = "NOT" not | "(" or ")" | test
//! test      = value ("=" | "!=" | "<" | "<=" | ">" | ">=") value
//!           | value value "TO" value
//!           | value ["NOT"] "IN" "[" [value ("," value)*] "]"
//!           | value ["NOT"] ("EXISTS" | "CONTAINS" value | "STARTS" "WITH" value)
//!           | value "IS" ["NOT"] ("NULL" | "EMPTY")
//! value     = word | "'" … "'" | '"' … '"'
//! ```
//!
//! In JSON a filter is a text, or an array: all of its members hold, and of a member that is an array itself one or more. An attribute
//! without a value is absent from our documents, so `IS NULL`, `IS EMPTY` and `NOT EXISTS` mean the same.

use std::fmt;

use indexer::{Condition, Range};
use serde_json::Value;

use crate::facades::attribute::{Attribute, Comparison, not};

/// Deepest nesting. Ours is below that of Meilisearch (150): nobody writes such a filter by hand.
const MAX_DEPTH: usize = 24;

/// Longest filter, in bytes, all of its texts together.
const MAX_BYTES: usize = 16 * 1024;

/// Words that are values only within quotes.
const KEYWORDS: [&str; 12] = [
    "AND", "OR", "IN", "NOT", "TO", "EXISTS", "IS", "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH",
];

/// Why a filter is refused: what and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilterError {
    message: String,
    /// First and last column, from 1, and the filter.
    at: Option<(usize, usize, String)>,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.at {
            Some((from, to, filter)) => write!(f, "\n{from}:{to} {filter}"),
            None => Ok(()),
        }
    }
}

impl FilterError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at: None,
        }
    }
}

/// Reads the JSON of a filter.
pub(super) fn read(filter: &Value) -> Result<Condition, FilterError> {
    let mut bytes = 0;
    let mut text = |value: &Value| -> Result<Condition, FilterError> {
        let Value::String(text) = value else {
            return Err(FilterError::new(format!(
                "Invalid syntax for the filter parameter: `expected String, found: {value}`."
            )));
        };
        bytes += text.len();
        if bytes > MAX_BYTES {
            return Err(FilterError::new(format!("The filter is longer than {MAX_BYTES} bytes.")));
        }
        parse(text)
    };
    match filter {
        Value::Null => Ok(Condition::All(Vec::new())),
        Value::String(_) => text(filter),
        Value::Array(members) => {
            let mut all = Vec::with_capacity(members.len());
            for member in members {
                all.push(match member {
                    Value::Array(any) => Condition::Any(any.iter().map(&mut text).collect::<Result<_, _>>()?),
                    member => text(member)?,
                });
            }
            Ok(Condition::All(all))
        }
        other => Err(FilterError::new(format!(
            "Invalid syntax for the filter parameter: `expected String, Array, found: {other}`."
        ))),
    }
}

/// Reads one text. An empty one lets everything through.
fn parse(text: &str) -> Result<Condition, FilterError> {
    let mut parser = Parser { text, at: 0 };
    if parser.rest().trim().is_empty() {
        return Ok(Condition::All(Vec::new()));
    }
    let condition = parser.or(0)?;
    parser.skip_spaces();
    if parser.rest().is_empty() {
        return Ok(condition);
    }
    let rest = parser.rest().to_owned();
    Err(parser.wrong(
        format!(
            "Found unexpected characters at the end of the filter: `{}`. You probably forgot an `OR` or an `AND` rule.",
            rest.escape_debug()
        ),
        parser.at,
        text.len(),
    ))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn wrong(&self, message: String, from: usize, to: usize) -> FilterError {
        let column = |at: usize| self.text[..at].chars().count() + 1;
        FilterError {
            message,
            at: Some((column(from), column(to), self.text.to_owned())),
        }
    }

    /// Takes a character, if it is next.
    fn take(&mut self, wanted: char) -> bool {
        self.skip_spaces();
        let is_next = self.rest().starts_with(wanted);
        if is_next {
            self.at += wanted.len_utf8();
        }
        is_next
    }

    /// The bare word that is next; may be empty.
    fn peek_word(&mut self) -> &'a str {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Takes a word, if it is next.
    fn take_word(&mut self, wanted: &str) -> bool {
        let is_next = self.peek_word() == wanted;
        if is_next {
            self.at += wanted.len();
        }
        is_next
    }

    fn or(&mut self, depth: usize) -> Result<Condition, FilterError> {
        let mut any = vec![self.and(depth)?];
        while self.take_word("OR") {
            any.push(self.and(depth)?);
        }
        Ok(one_or(any, Condition::Any))
    }

    fn and(&mut self, depth: usize) -> Result<Condition, FilterError> {
        let mut all = vec![self.not(depth)?];
        while self.take_word("AND") {
            all.push(self.not(depth)?);
        }
        Ok(one_or(all, Condition::All))
    }

    fn not(&mut self, depth: usize) -> Result<Condition, FilterError> {
        if depth > MAX_DEPTH {
            let message = "The filter exceeded the maximum depth limit. Try rewriting the filter so that it contains fewer nested conditions.";
            return Err(self.wrong(message.to_owned(), self.at, self.text.len()));
        }
        if self.take_word("NOT") {
            return Ok(not(self.not(depth + 1)?));
        }
        if self.take('(') {
            let opened = self.at - 1;
            let inner = self.or(depth + 1)?;
            if !self.take(')') {
                return Err(self.unclosed(')', opened));
            }
            return Ok(inner);
        }
        self.test()
    }

    fn unclosed(&self, delimiter: char, opened: usize) -> FilterError {
        let open = self.text[opened..].escape_debug().to_string();
        self.wrong(
            format!("Expression `{open}` is missing the following closing delimiter: `{delimiter}`."),
            opened,
            self.text.len(),
        )
    }

    fn test(&mut self) -> Result<Condition, FilterError> {
        self.skip_spaces();
        let from = self.at;
        let name = self.value()?;
        let named_to = self.at;
        let attribute = Attribute::parse(&name);
        let Some(attribute) = attribute else {
            // Whether what follows is a test decides which of the two errors is told.
            self.operation(Attribute::Flag(indexer::Flag::Featured), from)?;
            return Err(self.wrong(not_filterable(&name), from, named_to));
        };
        self.operation(attribute, from)
    }

    fn operation(&mut self, attribute: Attribute, from: usize) -> Result<Condition, FilterError> {
        self.skip_spaces();
        for (sign, how) in [
            ("!=", None),
            ("<=", Some(Comparison::AtMost)),
            (">=", Some(Comparison::AtLeast)),
            ("<", Some(Comparison::Less)),
            (">", Some(Comparison::More)),
        ] {
            if self.rest().starts_with(sign) {
                self.at += sign.len();
                return match how {
                    None => Ok(not(attribute.is(&self.value()?))),
                    Some(how) => Ok(attribute.compared(how, self.number()?)),
                };
            }
        }
        if self.take('=') {
            return Ok(attribute.is(&self.value()?));
        }
        let negated = self.take_word("NOT");
        let found = if self.take_word("IN") {
            Some(self.list(attribute)?)
        } else if self.take_word("EXISTS") {
            Some(attribute.exists())
        } else if self.take_word("CONTAINS") {
            Some(attribute.contains(&self.value()?))
        } else if self.take_word("STARTS") {
            if !self.take_word("WITH") {
                return Err(self.no_operation(from));
            }
            Some(attribute.starts_with(&self.value()?))
        } else if !negated && self.take_word("IS") {
            let has = self.take_word("NOT");
            if !self.take_word("NULL") && !self.take_word("EMPTY") {
                return Err(self.no_operation(from));
            }
            Some(if has { attribute.exists() } else { not(attribute.exists()) })
        } else {
            None
        };
        match found {
            Some(condition) if negated => Ok(not(condition)),
            Some(condition) => Ok(condition),
            None if negated => Err(self.no_operation(from)),
            None => self.range(attribute, from),
        }
    }

    fn range(&mut self, attribute: Attribute, from: usize) -> Result<Condition, FilterError> {
        let before = self.at;
        let min = self.number();
        if min.is_ok() && self.take_word("TO") {
            let range = Range::between(min?, self.number()?);
            return Ok(attribute.within(range));
        }
        self.at = before;
        Err(self.no_operation(from))
    }

    fn list(&mut self, attribute: Attribute) -> Result<Condition, FilterError> {
        if !self.take('[') {
            return Err(self.wrong("Expected `[` after `IN` keyword.".to_owned(), self.at, self.text.len()));
        }
        let mut any = Vec::new();
        while !self.take(']') {
            self.skip_spaces();
            if self.rest().is_empty() {
                let message = "Expected matching `]` after the list of field names given to `IN[`";
                return Err(self.wrong(message.to_owned(), self.at, self.text.len()));
            }
            any.push(attribute.is(&self.value()?));
            if !self.take(',') && !self.rest().starts_with(']') {
                let message = "Expected matching `]` after the list of field names given to `IN[`";
                return Err(self.wrong(message.to_owned(), self.at, self.text.len()));
            }
        }
        Ok(Condition::Any(any))
    }

    fn no_operation(&self, from: usize) -> FilterError {
        let what = self.text[from..].trim();
        let what = if what.is_empty() {
            "but instead got nothing.".to_owned()
        } else {
            format!("at `{}`.", what.escape_debug())
        };
        self.wrong(
            format!(
                "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, `NOT EXISTS`, `IS NULL`, \
                 `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT CONTAINS`, `STARTS WITH`, or `NOT STARTS WITH` {what}"
            ),
            from,
            self.text.len(),
        )
    }

    fn number(&mut self) -> Result<f64, FilterError> {
        self.skip_spaces();
        let from = self.at;
        let text = self.value()?;
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) => Err(self.wrong("Non finite floats are not supported".to_owned(), from, self.at)),
            Err(_) => Err(self.wrong(format!("`{}` is not a number.", text.escape_debug()), from, self.at)),
        }
    }

    /// A bare word or a quoted text.
    fn value(&mut self) -> Result<String, FilterError> {
        self.skip_spaces();
        let from = self.at;
        if let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) {
            return self.quoted(quote);
        }
        let word = self.peek_word();
        if KEYWORDS.contains(&word) {
            let message = format!(
                "Was expecting a value but instead got `{word}`, which is a reserved keyword. To use `{word}` as a field name or a value, \
                 surround it by quotes."
            );
            return Err(self.wrong(message, from, from + word.len()));
        }
        if word.is_empty() {
            let rest = self.rest();
            let end = rest
                .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '=' | '<' | '>' | '!'))
                .unwrap_or(rest.len());
            let message = if rest[..end].trim().is_empty() {
                "Was expecting a value but instead got nothing.".to_owned()
            } else {
                format!("Was expecting a value but instead got `{}`.", rest[..end].escape_debug())
            };
            return Err(self.wrong(message, from, from + end));
        }
        self.at += word.len();
        Ok(word.to_owned())
    }

    fn quoted(&mut self, quote: char) -> Result<String, FilterError> {
        let opened = self.at;
        let mut value = String::new();
        let mut chars = self.text[opened + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            if c == quote {
                self.at = opened + 1 + offset + 1;
                return Ok(value);
            }
            if c != '\\' {
                value.push(c);
                continue;
            }
            match chars.next() {
                Some((_, escaped)) if escaped == quote || escaped == '\\' => value.push(escaped),
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            }
        }
        Err(self.unclosed(quote, opened))
    }
}

/// Whether a character may stand in a bare word.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

fn one_or(mut conditions: Vec<Condition>, joined: impl Fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        last => {
            conditions.extend(last);
            joined(conditions)
        }
    }
}

/// What Meilisearch says of an attribute that cannot be filtered by.
fn not_filterable(name: &str) -> String {
    let names: Vec<String> = Attribute::names().into_iter().map(|name| format!("`{name}`")).collect();
    format!(
        "Attribute `{}` is not filterable. Available filterable attribute patterns are: {}.",
        name.escape_debug(),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use indexer::{Facet, Fits, Flag, Number, Test};
    use serde_json::json;

    use super::*;

    fn genre(value: &str) -> Condition {
        Condition::value(Facet::Genre, value)
    }

    fn bpm(range: Range) -> Condition {
        Condition::Is(Test::Number(Number::Bpm, range))
    }

    fn ok(text: &str) -> Condition {
        parse(text).unwrap_or_else(|error| panic!("`{text}`: {error}"))
    }

    #[test]
    fn comparisons_ranges_and_lists() {
        assert_eq!(ok("genre = House"), genre("House"));
        assert_eq!(ok("genre=House"), genre("House"));
        assert_eq!(ok(r#""genre"="Drum & Bass""#), genre("Drum & Bass"));
        assert_eq!(ok(r"'genre' = 'it\'s'"), genre("it's"));
        assert_eq!(ok(r#"genre = "a \"b\" \\ c""#), genre(r#"a "b" \ c"#));
        assert_eq!(ok("genre != House"), not(genre("House")));
        assert_eq!(ok("bpm 120 TO 130.5"), bpm(Range::between(120.0, 130.5)));
        assert_eq!(ok(r#""bpm" 120 TO 130"#), bpm(Range::between(120.0, 130.0)));
        assert_eq!(ok(r#""bpm">=120"#), bpm(Range::at_least(120.0)));
        assert_eq!(ok("bpm <= 120"), bpm(Range::at_most(120.0)));
        let below = Range {
            min: Bound::Unbounded,
            max: Bound::Excluded(-1.5),
        };
        assert_eq!(ok("bpm < -1.5"), bpm(below));
        assert_eq!(ok("bpm = 120"), bpm(Range::exactly(120.0)));
        assert_eq!(ok("bpm = fast"), Condition::Any(Vec::new()));
        assert_eq!(
            ok("genre IN [House, 'Drum & Bass',]"),
            Condition::Any(vec![genre("House"), genre("Drum & Bass")])
        );
        assert_eq!(ok("genre IN []"), Condition::Any(Vec::new()));
        assert_eq!(ok("genre NOT IN [House]"), not(Condition::Any(vec![genre("House")])));
        assert_eq!(ok("key = 'Gb minor'"), Condition::value(Facet::Key, "F#m"));
        assert_eq!(ok("is_featured = true"), Condition::Is(Test::Flag(Flag::Featured)));
        assert_eq!(ok(r#""is_featured"="false""#), not(Condition::Is(Test::Flag(Flag::Featured))));
    }

    #[test]
    fn presence_and_parts_of_texts() {
        let has = Condition::Is(Test::Value(Facet::Genre, Fits::Anything));
        for text in ["genre EXISTS", "genre IS NOT NULL", "genre IS NOT EMPTY"] {
            assert_eq!(ok(text), has, "{text}");
        }
        for text in ["genre NOT EXISTS", "genre IS NULL", "genre IS EMPTY", "NOT genre EXISTS"] {
            assert_eq!(ok(text), not(has.clone()), "{text}");
        }
        let contains = Condition::Is(Test::Value(Facet::Tag, Fits::Contains("dark".to_owned())));
        assert_eq!(ok("tag CONTAINS dark"), contains);
        assert_eq!(ok("tag NOT CONTAINS dark"), not(contains));
        let starts = Condition::Is(Test::Value(Facet::Tag, Fits::StartsWith("dark a".to_owned())));
        assert_eq!(ok("tag STARTS WITH 'dark a'"), starts);
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        let [a, b, c] = ["a", "b", "c"].map(genre);
        let text = "genre=a OR NOT genre=b AND genre=c";
        let expected = Condition::Any(vec![a.clone(), Condition::All(vec![not(b.clone()), c.clone()])]);
        assert_eq!(ok(text), expected);
        assert_eq!(
            ok("(genre=a OR genre=b)AND genre=c"),
            Condition::All(vec![Condition::Any(vec![a.clone(), b.clone()]), c.clone()])
        );
        assert_eq!(ok("NOT (genre=a)"), not(a.clone()));
        let nested = json!([["genre=a", "genre=b"], "genre=c"]);
        assert_eq!(
            read(&nested).expect("valid"),
            Condition::All(vec![Condition::Any(vec![a, b]), c])
        );
        assert_eq!(ok("  "), Condition::All(Vec::new()));
        assert_eq!(read(&Value::Null).expect("none"), Condition::All(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = |text: &str| parse(text).expect_err(text).to_string();
        assert!(error(r#""many" = "Glass""#).starts_with("Attribute `many` is not filterable. Available filterable"));
        assert!(error(r#""many" = "Glass""#).ends_with("\n1:7 \"many\" = \"Glass\""));
        assert!(error("genre = ").starts_with("Was expecting a value but instead got nothing.\n"));
        assert!(error("genre = OR").contains("which is a reserved keyword"));
        assert!(error("genre").starts_with("Was expecting an operation `=`"));
        assert!(error("genre = a genre = b").starts_with("Found unexpected characters at the end of the filter: `genre = b`."));
        assert!(error("(genre = a").contains("missing the following closing delimiter: `)`"));
        assert!(error("genre = 'a").contains("missing the following closing delimiter: `'`"));
        assert!(error("genre IN House").starts_with("Expected `[` after `IN` keyword."));
        assert!(error("genre IN [House").contains("Expected matching `]`"));
        assert!(error("bpm > fast").starts_with("`fast` is not a number."));
        assert!(error("bpm > inf").starts_with("Non finite floats are not supported"));
        assert!(error("_geoRadius(1, 2, 3)").starts_with("Was expecting an operation"));
        assert!(error(&"(".repeat(5000)).contains("maximum depth limit"));
        assert!(error(&"NOT ".repeat(5000)).contains("maximum depth limit"));
        assert!(read(&json!(5)).is_err() && read(&json!([5])).is_err() && read(&json!([["genre=a", []]])).is_err());
        assert!(read(&json!(["x".repeat(MAX_BYTES + 1)])).is_err());
    }
}
