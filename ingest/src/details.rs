//! What an author may say about a workflow: the rules of each field, in one place for the API and for folders.
//!
//! Lengths are in characters, as MySQL counts them. Text is stored as written, but for white space around it and line ends.

use store::musical_key::MusicalKey;
use store::workflow::Tempo;
use unicode_normalization::UnicodeNormalization;

/// Longest title: `workflows.title`.
pub const MAX_TITLE_CHARS: usize = 255;
/// Title of a file whose name says nothing.
const UNTITLED: &str = "Untitled rack";
/// Longest description. The column takes 65,535 bytes, and a character may need four.
pub const MAX_DESCRIPTION_CHARS: usize = 16_000;
/// Longest genre: `workflows.genre`.
pub const MAX_GENRE_CHARS: usize = 100;
/// Longest key as written: `workflows.key_signature`.
pub const MAX_KEY_CHARS: usize = 10;
/// Longest tag: `workflow_tags.name`.
pub const MAX_TAG_CHARS: usize = 50;
/// Most tags of a workflow. More would make a tag say little, and let one rack sit in every facet.
pub const MAX_TAGS: usize = 20;

/// Why a field is refused, for people: a sentence about the value, without the field's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadField(pub String);

/// A title: one line, 1 to 255 characters.
///
/// # Errors
/// It is empty, too long, or holds control characters.
pub fn title(text: &str) -> Result<String, BadField> {
    let title = line(text, MAX_TITLE_CHARS)?;
    if title.is_empty() {
        return Err(BadField("must not be empty".to_owned()));
    }
    Ok(title)
}

/// The title of a file whose author gave none: its name without folders and ending, fit for the column.
pub fn title_of_file(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = match name.rsplit_once('.') {
        Some((stem, ending)) if matches!(ending.to_ascii_lowercase().as_str(), "adg" | "adv") => stem,
        _ => name,
    };
    let spaced: String = stem.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let short: String = spaced
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MAX_TITLE_CHARS)
        .collect();
    if short.is_empty() { UNTITLED.to_owned() } else { short }
}

/// A description: any lines, at most 16,000 characters. Empty is the same as none.
///
/// # Errors
/// It is too long, or holds control characters other than line ends and tabs.
pub fn description(text: &str) -> Result<Option<String>, BadField> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim();
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(BadField("must not hold control characters".to_owned()));
    }
    within(text, MAX_DESCRIPTION_CHARS)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// A genre: one line, at most 100 characters. Empty is the same as none.
///
/// # Errors
/// It is too long, or holds control characters.
pub fn genre(text: &str) -> Result<Option<String>, BadField> {
    let genre = line(text, MAX_GENRE_CHARS)?;
    Ok((!genre.is_empty()).then_some(genre))
}

/// A tempo in beats per minute, rounded to the hundredth.
///
/// # Errors
/// It is outside of what Live itself takes.
pub fn tempo(bpm: f64) -> Result<Tempo, BadField> {
    Tempo::from_bpm(bpm).ok_or_else(|| {
        BadField(format!(
            "must be from {} to {} beats per minute",
            Tempo::RANGE.start(),
            Tempo::RANGE.end()
        ))
    })
}

/// A key in any usual notation. It is kept as its author wrote it, or in its usual form where that would be too long for the column.
/// Empty is the same as none.
///
/// # Errors
/// It is no key.
pub fn key(text: &str) -> Result<Option<String>, BadField> {
    let text = line(text, MAX_GENRE_CHARS)?;
    if text.is_empty() {
        return Ok(None);
    }
    let key = MusicalKey::parse(&text)
        .ok_or_else(|| BadField("must be a major or minor key, such as `F#m`, `Gb minor`, `8A` or `1m`".to_owned()))?;
    let fits = text.chars().count() <= MAX_KEY_CHARS;
    Ok(Some(if fits { text } else { key.name().to_owned() }))
}

/// Tags in their usual form: lower case, composed, single spaces, without `#` in front; each once, in the order given. Empty ones
/// are dropped.
///
/// # Errors
/// There are too many, or one is too long or holds control characters; the message names it.
pub fn tags<S: AsRef<str>>(given: &[S]) -> Result<Vec<String>, BadField> {
    let mut tags: Vec<String> = Vec::new();
    for text in given {
        let text = text.as_ref();
        let normal: String = text.trim().trim_start_matches('#').to_lowercase().nfc().collect();
        let tag = line(&normal, MAX_TAG_CHARS).map_err(|BadField(reason)| BadField(format!("`{}` {reason}", shown(text))))?;
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(BadField(format!("must be at most {MAX_TAGS}, not {}", tags.len())));
    }
    Ok(tags)
}

/// One line with single spaces, at most `max` characters.
fn line(text: &str, max: usize) -> Result<String, BadField> {
    let text = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(BadField("must not hold control characters".to_owned()));
    }
    within(text, max)?;
    Ok(text.to_owned())
}

fn within(text: &str, max: usize) -> Result<(), BadField> {
    let count = text.chars().count();
    if count > max {
        return Err(BadField(format!("must be at most {max} characters, not {count}")));
    }
    Ok(())
}

/// The beginning of a value, fit for a message.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TAG_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_of_bounded_length_counted_in_characters() {
        assert_eq!(title("  Warm   Keys "), Ok("Warm Keys".to_owned()));
        assert_eq!(title(&"é".repeat(255)).map(|t| t.chars().count()), Ok(255));
        assert!(title(&"é".repeat(256)).is_err());
        assert!(title("   ").is_err());
        assert!(title("two\nlines").is_err());
        assert!(title("bell\u{7}").is_err());
    }

    #[test]
    fn a_file_name_becomes_a_title_that_is_always_valid() {
        assert_eq!(title_of_file("C:\\Racks\\Warm  Keys.adg"), "Warm Keys");
        assert_eq!(title_of_file("/racks/v1.2 Kit.ADV"), "v1.2 Kit");
        assert_eq!(title_of_file(".adg"), "Untitled rack");
        assert!(title(&title_of_file(&"\u{7}x".repeat(400))).is_ok());
    }

    #[test]
    fn a_description_keeps_its_lines_and_loses_other_control_characters_to_an_error() {
        assert_eq!(description("a\r\nb\rc\td "), Ok(Some("a\nb\nc\td".to_owned())));
        assert_eq!(description("  "), Ok(None));
        assert!(description("a\u{0}b").is_err());
        assert!(description(&"x".repeat(16_001)).is_err());
    }

    #[test]
    fn tags_take_their_usual_form_once_each() {
        assert_eq!(
            tags(&["#Deep  House", "deep house", "TECHNO", " ", "cafe\u{301}"]),
            Ok(vec!["deep house".to_owned(), "techno".to_owned(), "café".to_owned()])
        );
        assert_eq!(
            tags(&["x".repeat(51)]).map_err(|e| e.to_string().contains("at most 50 characters, not 51")),
            Err(true)
        );
        let many: Vec<String> = (0..21).map(|n| format!("tag {n}")).collect();
        assert!(tags(&many).is_err());
    }

    #[test]
    fn a_key_is_kept_as_written_where_it_fits() {
        for written in ["F#m", "Gb minor", "8A", "1m", "C"] {
            assert_eq!(key(written), Ok(Some(written.to_owned())));
        }
        assert_eq!(key("F sharp minor"), Ok(Some("F#m".to_owned())));
        assert_eq!(key(" "), Ok(None));
        assert!(key("H minor of some kind").is_err());
        assert!(key("dorian").is_err());
    }

    #[test]
    fn a_tempo_is_kept_to_the_hundredth_within_what_live_takes() {
        assert_eq!(tempo(128.456).map(Tempo::bpm), Ok(128.46));
        assert_eq!(tempo(20.0).map(Tempo::bpm), Ok(20.0));
        assert!(tempo(19.99).is_err());
        assert!(tempo(999.01).is_err());
        assert!(tempo(f64::NAN).is_err());
    }
}
