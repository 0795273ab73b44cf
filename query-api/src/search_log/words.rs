//! What is kept of a request: its text folded and shortened, its filters as one line.

use std::ops::Bound;

use indexer::{Condition, Fits, Range, SearchRequest, Test, fold};
use store::search_log::{FILTERS_CHARS, TEXT_CHARS};

/// From so many digits on, a word may be somebody's number.
const DIGITS_OF_A_NUMBER: usize = 7;

/// A text, folded, with one space between words, and without the words that look like somebody's address or number.
pub(super) fn kept_text(text: &str) -> String {
    let mut kept = String::new();
    for word in fold(text).split_whitespace() {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        if word.contains('@') || digits >= DIGITS_OF_A_NUMBER {
            continue;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(word);
    }
    shortened(&kept, TEXT_CHARS)
}

/// What was selected, as `genre=house|genre=techno&bpm=120-`; none where nothing was. What somebody owns is their own affair: that it
/// was asked for is all that is kept.
pub(super) fn kept_filters(request: &SearchRequest) -> Option<String> {
    let mut kept: Vec<String> = request
        .filters
        .groups
        .iter()
        .map(|group| described(&group.condition))
        .collect();
    kept.retain(|condition| !condition.is_empty());
    if let Some(tempo) = request.tempo {
        kept.push(format!("tempo={}", tempo.bpm));
    }
    if let Some(id) = request.mix_with {
        kept.push(format!("mix_with={id}"));
    }
    (!kept.is_empty()).then(|| shortened(&kept.join("&"), FILTERS_CHARS))
}

/// A condition in few letters, for people.
fn described(condition: &Condition) -> String {
    let joined = |inner: &[Condition], by: &str| {
        let inner: Vec<String> = inner.iter().map(described).collect();
        inner.join(by)
    };
    match condition {
        Condition::All(inner) => joined(inner, "&"),
        Condition::Any(inner) => joined(inner, "|"),
        Condition::Not(inner) => format!("-({})", described(inner)),
        Condition::Is(Test::Value(facet, fits)) => match fits {
            Fits::Is(value) => format!("{}={}", facet.name(), fold(value)),
            Fits::StartsWith(value) => format!("{}={}*", facet.name(), fold(value)),
            Fits::Contains(value) => format!("{}=*{}*", facet.name(), fold(value)),
            Fits::Anything => format!("{}=*", facet.name()),
        },
        Condition::Is(Test::Number(number, range)) => format!("{}={}", number.name(), ends(range)),
        Condition::Is(Test::Flag(flag)) => flag.name().to_owned(),
        Condition::Is(Test::Live(version)) => format!("opens_in={version}"),
        Condition::Is(Test::Opens(_)) => "opens".to_owned(),
    }
}

fn ends(range: &Range) -> String {
    let end = |bound: Bound<f64>| match bound {
        Bound::Included(number) | Bound::Excluded(number) => number.to_string(),
        Bound::Unbounded => String::new(),
    };
    format!("{}-{}", end(range.min), end(range.max))
}

fn shortened(text: &str, chars: usize) -> String {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(end, _)| end);
    text[..end].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use indexer::{Facet, Flag, Number};

    use super::*;

    #[test]
    fn text_is_folded_shortened_and_rid_of_what_may_name_somebody() {
        assert_eq!(kept_text("  Wärm   PAD "), "warm pad");
        assert_eq!(kept_text("kick producer-001@example.org 0171-2345678 808"), "kick 808");
        assert_eq!(kept_text(""), "");
        assert_eq!(kept_text(&"東京 ".repeat(200)).chars().count(), TEXT_CHARS);
        let cut_at_a_space = kept_text(&"a ".repeat(200));
        assert_eq!(cut_at_a_space.len(), TEXT_CHARS - 1);
    }

    #[test]
    fn filters_are_one_line() {
        let mut request = SearchRequest::text("x")
            .with(Facet::Genre, "House")
            .with(Facet::Genre, "Techno");
        request.filters.number(Number::Bpm, Range::at_least(120.0));
        request.filters.none(Facet::Tag, "Dark");
        request.filters.flag(Flag::Featured, true);
        assert_eq!(
            kept_filters(&request).as_deref(),
            Some("genre=house|genre=techno&bpm=120-&-(tag=dark)&is_featured")
        );
        assert_eq!(kept_filters(&SearchRequest::text("x")), None);
        let many = (0..200).fold(SearchRequest::default(), |request, n| {
            request.with(Facet::Tag, format!("tag {n}"))
        });
        assert!(kept_filters(&many).is_some_and(|kept| kept.chars().count() <= FILTERS_CHARS));
    }
}
