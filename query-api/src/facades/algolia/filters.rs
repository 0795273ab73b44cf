//! Algolia's filters: nested lists (`facetFilters`, `numericFilters`, `tagFilters`) and the expression language of `filters`.
//!
//! ```text
//! or     = and ("OR" and)*
//! and    = not ("AND" not)*
//! not    = ["NOT"] ("(" or ")" | test)
//! test   = name ":" number "TO" number | name ("=" | "!=" | "<" | "<=" | ">" | ">=") number | [name ":"] value
//! name, value = bare text up to a blank or a sign, "…" or '…'
//! ```
//!
//! A value without a name is a tag. An attribute that is not known fits no document.

use indexer::{Condition, Facet, Range};
use serde_json::Value;

use super::error::AlgoliaError;
use crate::facades::attribute::{Attribute, Comparison, not, nothing};

/// Deepest nesting.
const MAX_DEPTH: usize = 16;

/// Longest filter, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Attribute by which documents are identified, and the one of tags, as they are called there.
const OBJECT_ID: &str = "objectID";
const TAGS: &str = "_tags";

type Result<T> = std::result::Result<T, AlgoliaError>;

fn attribute(name: &str) -> Option<Attribute> {
    match name {
        OBJECT_ID => Attribute::parse("id"),
        TAGS => Some(Attribute::Facet(Facet::Tag)),
        name => Attribute::parse(name),
    }
}

/// A nested list: every member holds, and of a member that is a list itself one or more. A text is such a list in JSON, or its members
/// joined by commas.
pub(super) fn nested(name: &str, value: &Value, read: fn(&str) -> Result<Condition>) -> Result<Condition> {
    let wrong = || AlgoliaError::invalid(format!("Invalid syntax for {name}"));
    let one = |member: &Value| match member {
        Value::String(text) if text.len() <= MAX_BYTES => read(text),
        _ => Err(wrong()),
    };
    match value {
        Value::Array(members) => {
            let members = members.iter().map(|member| match member {
                Value::Array(any) => Ok(Condition::Any(any.iter().map(one).collect::<Result<_>>()?)),
                member => one(member),
            });
            Ok(Condition::All(members.collect::<Result<_>>()?))
        }
        Value::String(text) if text.len() > MAX_BYTES => Err(wrong()),
        Value::String(text) if text.trim().is_empty() => Ok(Condition::All(Vec::new())),
        Value::String(text) if text.trim_start().starts_with('[') => {
            let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
            // What was a text of JSON is a list now, so this ends.
            nested(name, &value, read)
        }
        Value::String(text) => {
            let members: Result<Vec<Condition>> = text.split(',').map(|member| read(member.trim())).collect();
            Ok(Condition::All(members?))
        }
        _ => Err(wrong()),
    }
}

/// `attribute:value`, or `attribute:-value` for what must not be.
pub(super) fn of_facet(text: &str) -> Result<Condition> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(AlgoliaError::invalid(format!(
            "Invalid facetFilter `{}`: expected attribute:value",
            text.escape_debug()
        )));
    };
    let Some(attribute) = attribute(name.trim()) else {
        return Ok(nothing());
    };
    Ok(match value.strip_prefix('-') {
        Some(value) => not(attribute.is(value)),
        None => attribute.is(value
            .strip_prefix("\\-")
            .map_or_else(|| value.to_owned(), |value| format!("-{value}"))
            .as_str()),
    })
}

/// A tag, or `-tag`.
pub(super) fn of_tag(text: &str) -> Result<Condition> {
    let tag = Attribute::Facet(Facet::Tag);
    Ok(match text.strip_prefix('-') {
        Some(text) => not(tag.is(text)),
        None => tag.is(text),
    })
}

/// `attribute>=number`, `attribute:number TO number` or the like.
pub(super) fn of_number(text: &str) -> Result<Condition> {
    let mut parser = Parser { text, at: 0 };
    let condition = parser.test()?;
    parser.end()?;
    Ok(condition)
}

/// The expression language.
pub(super) fn expression(text: &str) -> Result<Condition> {
    if text.len() > MAX_BYTES {
        return Err(AlgoliaError::invalid("filters: too long"));
    }
    let mut parser = Parser { text, at: 0 };
    if parser.rest().is_empty() {
        return Ok(Condition::All(Vec::new()));
    }
    let condition = parser.or(0)?;
    parser.end()?;
    Ok(condition)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// What is left, without blanks before it.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn wrong(&self, what: &str) -> AlgoliaError {
        let column = self.text[..self.at].chars().count() + 1;
        AlgoliaError::invalid(format!("filters: {what} at col {column}"))
    }

    fn end(&mut self) -> Result<()> {
        if self.rest().is_empty() {
            Ok(())
        } else {
            Err(self.wrong("Unexpected token"))
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    /// Takes a word that is followed by a blank, a parenthesis or the end.
    fn take_word(&mut self, word: &str) -> bool {
        let after = self
            .rest()
            .strip_prefix(word)
            .and_then(|rest| rest.chars().next().map_or(Some(' '), Some));
        let is_next = after.is_some_and(|c| c.is_whitespace() || c == '(' || c == ')' || c == '"' || c == '\'');
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn or(&mut self, depth: usize) -> Result<Condition> {
        let mut any = vec![self.and(depth)?];
        while self.take_word("OR") {
            any.push(self.and(depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    fn and(&mut self, depth: usize) -> Result<Condition> {
        let mut all = vec![self.not(depth)?];
        while self.take_word("AND") {
            all.push(self.not(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn not(&mut self, depth: usize) -> Result<Condition> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("Too many nested conditions"));
        }
        if self.take_word("NOT") {
            return Ok(not(self.not(depth + 1)?));
        }
        if self.take("(") {
            let inner = self.or(depth + 1)?;
            if !self.take(")") {
                return Err(self.wrong("Expected `)`"));
            }
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Condition> {
        let before = self.at;
        let is_quoted = self.rest().starts_with(['"', '\'']);
        let name = self.word(|c| matches!(c, ':' | '=' | '!' | '<' | '>'))?;
        if !is_quoted && matches!(name.as_str(), "AND" | "OR" | "NOT" | "TO") {
            self.at = before;
            return Err(self.wrong("Unexpected operator"));
        }
        let found = attribute(&name);
        let with = |condition: &dyn Fn(Attribute) -> Condition| found.map_or_else(nothing, condition);
        for (sign, how) in [
            ("<=", Some(Comparison::AtMost)),
            (">=", Some(Comparison::AtLeast)),
            ("!=", None),
            ("<", Some(Comparison::Less)),
            (">", Some(Comparison::More)),
        ] {
            if self.take(sign) {
                let number = self.number()?;
                let exactly = |attribute: Attribute| attribute.within(Range::exactly(number));
                return Ok(match how {
                    Some(how) => with(&|attribute| attribute.compared(how, number)),
                    None => not(with(&exactly)),
                });
            }
        }
        if self.take("=") {
            let number = self.number()?;
            return Ok(with(&|attribute| attribute.within(Range::exactly(number))));
        }
        if !self.take(":") {
            return of_tag(&name);
        }
        let value = self.word(|c| c == '<')?;
        let before = self.at;
        if self.take_word("TO") {
            let max = self.number();
            if let (Ok(min), Ok(max)) = (value.trim().parse::<f64>(), max) {
                return Ok(with(&|attribute| attribute.within(Range::between(min, max))));
            }
            self.at = before;
            return Err(self.wrong("Expected numbers around `TO`"));
        }
        // A score behind a value weighs it in Algolia; here a value fits or does not.
        if self.take("<score=") {
            while self.text[self.at..].starts_with(|c: char| c.is_ascii_digit()) {
                self.at += 1;
            }
            self.take(">");
        }
        Ok(with(&|attribute| attribute.is(&value)))
    }

    fn number(&mut self) -> Result<f64> {
        let before = self.at;
        let number = self
            .word(|_| false)?
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite());
        number.ok_or_else(|| {
            self.at = before;
            self.wrong("Expected a number")
        })
    }

    /// A quoted text, or a bare one up to a blank, a parenthesis or what else ends it.
    fn word(&mut self, ends: impl Fn(char) -> bool) -> Result<String> {
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let mut value = String::new();
            let mut chars = rest[1..].char_indices();
            while let Some((offset, c)) = chars.next() {
                if c == quote {
                    self.at += 1 + offset + 1;
                    return Ok(value);
                }
                match (c, chars.clone().next()) {
                    ('\\', Some((_, escaped))) if escaped == quote || escaped == '\\' => {
                        chars.next();
                        value.push(escaped);
                    }
                    _ => value.push(c),
                }
            }
            return Err(self.wrong("Unterminated string"));
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')') || ends(c))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong("Expected a value"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use indexer::{Flag, Number, Test};
    use serde_json::json;

    use super::*;

    fn value(facet: Facet, value: &str) -> Condition {
        Condition::value(facet, value)
    }

    fn bpm(range: Range) -> Condition {
        Condition::Is(Test::Number(Number::Bpm, range))
    }

    #[test]
    fn lists_are_all_of_any() {
        let genre = |name: &str| value(Facet::Genre, name);
        let filters = json!(["tag:a b", ["genre:House", "genre:Techno"], "genre:-Dub", "genre:\\-x"]);
        assert_eq!(
            nested("facetFilters", &filters, of_facet).expect("valid"),
            Condition::All(vec![
                value(Facet::Tag, "a b"),
                Condition::Any(vec![genre("House"), genre("Techno")]),
                not(genre("Dub")),
                genre("-x"),
            ])
        );
        let text = json!("[\"genre:House\"]");
        assert_eq!(
            nested("facetFilters", &text, of_facet).expect("valid"),
            Condition::All(vec![genre("House")])
        );
        let hierarchy = json!([["category_device:audio_effect > Reverb"]]);
        let level = value(Facet::CategoryDevice, "audio_effect > Reverb");
        assert_eq!(
            nested("facetFilters", &hierarchy, of_facet).expect("valid"),
            Condition::All(vec![Condition::Any(vec![level])])
        );
        for wrong in [json!(5), json!([5]), json!([["a", ["b"]]]), json!("genre"), json!("[")] {
            assert!(nested("facetFilters", &wrong, of_facet).is_err(), "{wrong}");
        }
        assert_eq!(of_facet("colour:red").expect("unknown"), nothing());
    }

    #[test]
    fn numbers_are_compared() {
        let read = |text: &str| of_number(text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(read("bpm>=120"), bpm(Range::at_least(120.0)));
        assert_eq!(read("bpm <= 130.5"), bpm(Range::at_most(130.5)));
        assert_eq!(read("bpm=120"), bpm(Range::exactly(120.0)));
        assert_eq!(read("bpm != 120"), not(bpm(Range::exactly(120.0))));
        assert_eq!(read("bpm:120 TO 130"), bpm(Range::between(120.0, 130.0)));
        for wrong in ["bpm>=fast", "bpm>", "bpm:1 TO x", "bpm>=1 2", ""] {
            assert!(of_number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn expressions_have_names_values_and_operators() {
        let read = |text: &str| expression(text).unwrap_or_else(|_| panic!("{text}"));
        let house = value(Facet::Genre, "House");
        assert_eq!(read("genre:House"), house);
        assert_eq!(read("genre:'Drum & Bass'"), value(Facet::Genre, "Drum & Bass"));
        assert_eq!(read(r#"genre:"a \"b\"""#), value(Facet::Genre, r#"a "b""#));
        assert_eq!(read("is_featured:true"), Condition::Is(Test::Flag(Flag::Featured)));
        assert_eq!(read("genre:House<score=3>"), house);
        assert_eq!(read("warm"), value(Facet::Tag, "warm"));
        assert_eq!(
            read("(genre:House OR _tags:warm) AND NOT bpm:120 TO 130 AND bpm > 90"),
            Condition::All(vec![
                Condition::Any(vec![house.clone(), value(Facet::Tag, "warm")]),
                not(bpm(Range::between(120.0, 130.0))),
                Attribute::Number(Number::Bpm).compared(Comparison::More, 90.0),
            ])
        );
        assert_eq!(
            read("objectID:7"),
            Condition::Is(Test::Number(Number::Id, Range::exactly(7.0)))
        );
        assert_eq!(read(" "), Condition::All(Vec::new()));
        for wrong in [
            "genre:",
            "(genre:House",
            "genre:House genre:Dub",
            "AND",
            "genre:'x",
            "NOT",
            ")",
        ] {
            assert!(expression(wrong).is_err(), "{wrong}");
        }
        assert!(expression(&"(".repeat(9000)).is_err());
        assert!(expression(&"NOT ".repeat(4000)).is_err());
    }
}
