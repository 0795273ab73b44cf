//! Marks of what met the text, put where a client wants them.
//!
//! The index marks with two characters that no text has, and escapes the rest for HTML; both APIs' clients want the plain text, with
//! marks of their own choice, or as places.

use std::ops::Range;

use indexer::HighlightOptions;

/// Begins a mark: characters for private use.
const BEGIN: char = '\u{e000}';

/// Ends a mark.
const END: char = '\u{e001}';

/// More words than any text has: texts come whole, and each client has them cut as it says.
const WHOLE: usize = 1 << 20;

/// How the index is to mark.
pub(super) fn options() -> HighlightOptions {
    HighlightOptions {
        pre: BEGIN.to_string(),
        post: END.to_string(),
        crop: WHOLE,
    }
}

/// A text, and where in it the marks are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marked {
    /// The text, without marks or escapes.
    pub(super) text: String,
    /// Bytes of the text that are marked, in order.
    pub(super) marks: Vec<Range<usize>>,
}

impl Marked {
    /// A text without marks.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            marks: Vec::new(),
        }
    }

    /// Reads what the index wrote.
    pub(super) fn read(written: &str) -> Self {
        let mut marked = Self::default();
        let mut begin = None;
        let mut rest = written;
        while let Some(c) = rest.chars().next() {
            match c {
                BEGIN => begin = Some(marked.text.len()),
                END => {
                    if let Some(begin) = begin.take() {
                        marked.marks.push(begin..marked.text.len());
                    }
                }
                '&' => {
                    let (text, length) = entity(rest);
                    marked.text.push_str(text);
                    rest = &rest[length..];
                    continue;
                }
                other => marked.text.push(other),
            }
            rest = &rest[c.len_utf8()..];
        }
        marked
    }

    /// The text with these around each mark.
    pub(super) fn with(&self, pre: &str, post: &str) -> String {
        let mut written = String::with_capacity(self.text.len() + self.marks.len() * (pre.len() + post.len()));
        let mut at = 0;
        for mark in &self.marks {
            written.push_str(&self.text[at..mark.start]);
            written.push_str(pre);
            written.push_str(&self.text[mark.clone()]);
            written.push_str(post);
            at = mark.end;
        }
        written.push_str(&self.text[at..]);
        written
    }

    /// The text on one line, each run of spaces as one.
    pub(super) fn on_one_line(&self) -> Self {
        let mut line = Self::default();
        // Where each byte went.
        let mut places = Vec::with_capacity(self.text.len() + 1);
        for c in self.text.chars() {
            places.extend(std::iter::repeat_n(line.text.len(), c.len_utf8()));
            if !c.is_whitespace() {
                line.text.push(c);
            } else if !line.text.is_empty() && !line.text.ends_with(' ') {
                line.text.push(' ');
            }
        }
        places.push(line.text.len());
        line.text.truncate(line.text.trim_end().len());
        let end = line.text.len();
        let marks = self
            .marks
            .iter()
            .map(|mark| places[mark.start].min(end)..places[mark.end].min(end));
        line.marks = marks.filter(|mark| !mark.is_empty()).collect();
        line
    }

    /// The part with those bytes.
    fn part(&self, part: Range<usize>) -> Self {
        let inside = self
            .marks
            .iter()
            .filter(|mark| mark.start >= part.start && mark.end <= part.end);
        Self {
            marks: inside.map(|mark| mark.start - part.start..mark.end - part.start).collect(),
            text: self.text[part].to_owned(),
        }
    }

    /// Of a longer text the beginning that is `beginning`, which may end in an ellipsis; none if it begins otherwise.
    pub(super) fn beginning(&self, beginning: &str) -> Option<Self> {
        if self.text == beginning {
            return Some(self.clone());
        }
        let kept = beginning.strip_suffix('…')?;
        let mut part = self.text.starts_with(kept).then(|| self.part(0..kept.len()))?;
        part.text.push('…');
        Some(part)
    }

    /// At most so many words, those in which most is marked, with a marker wherever something is left out.
    pub(super) fn cropped(&self, most: usize, marker: &str) -> Self {
        let words: Vec<Range<usize>> = words_of(&self.text);
        let most = most.max(1);
        if words.len() <= most {
            return self.clone();
        }
        // Marks before each word, so that those of a window are a difference.
        let mut before = Vec::with_capacity(words.len() + 1);
        for word in &words {
            before.push(self.marks.partition_point(|mark| mark.start < word.start));
        }
        before.push(self.marks.len());
        let marked = |from: usize| before[from + most] - before[from];
        let starts = 0..=words.len() - most;
        let best = starts.clone().map(marked).max().unwrap_or(0);
        let first = starts.clone().find(|from| marked(*from) == best).unwrap_or(0);
        let run = starts.skip(first).take_while(|from| marked(*from) == best).count();
        // What is met stands in the middle of those windows that are equally good.
        let from = if best == 0 { 0 } else { first + (run - 1) / 2 };
        let to = from + most;
        let mut part = self.part(words[from].start..words[to - 1].end);
        if from > 0 {
            part.text.insert_str(0, marker);
            for mark in &mut part.marks {
                *mark = mark.start + marker.len()..mark.end + marker.len();
            }
        }
        if to < words.len() {
            part.text.push_str(marker);
        }
        part
    }

    /// The marked parts.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().map(|mark| &self.text[mark.clone()])
    }
}

/// Where the words of a text are, as spaces part them.
fn words_of(text: &str) -> Vec<Range<usize>> {
    let begin = text.as_ptr() as usize;
    let place = |word: &str| {
        let start = word.as_ptr() as usize - begin;
        start..start + word.len()
    };
    text.split_whitespace().map(place).collect()
}

/// What an escape at the beginning of a text stands for, and its length; an ampersand alone stands for itself.
fn entity(text: &str) -> (&'static str, usize) {
    let known = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
    ];
    let found = known.iter().find(|(escape, _)| text.starts_with(escape));
    found.map_or(("&", 1), |(escape, plain)| (*plain, escape.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_escapes_are_read_and_written_again() {
        let marked = Marked::read("\u{e000}Wärm\u{e001} &lt;b&gt; &amp;amp; & \u{e000}Drums\u{e001}");
        assert_eq!(marked.text, "Wärm <b> &amp; & Drums");
        assert_eq!(marked.words().collect::<Vec<_>>(), ["Wärm", "Drums"]);
        assert_eq!(marked.with("<em>", "</em>"), "<em>Wärm</em> <b> &amp; & <em>Drums</em>");
        assert_eq!(Marked::read("\u{e001}\u{e000}x"), Marked::plain("x"));
    }

    fn shown(marked: &Marked) -> String {
        marked.with("[", "]")
    }

    fn read(text: &str) -> Marked {
        Marked::read(&text.replace('[', "\u{e000}").replace(']', "\u{e001}"))
    }

    #[test]
    fn a_text_comes_on_one_line_with_its_marks() {
        assert_eq!(shown(&read("  a\n\n [b]  c[\td]\n").on_one_line()), "a [b] c[ d]");
        let excerpt = read("a [b] c d").beginning("a b…").expect("its beginning");
        assert_eq!(shown(&excerpt), "a [b]…");
        assert_eq!(read("a [b]").beginning("a b"), Some(read("a [b]")));
        assert_eq!(read("a [b]").beginning("b"), None);
    }

    #[test]
    fn a_crop_shows_where_most_is_marked() {
        assert_eq!(shown(&read("one [two] three").cropped(3, "…")), "one [two] three");
        assert_eq!(shown(&read("a b c d [e] f g h i").cropped(3, "…")), "…d [e] f…");
        assert_eq!(shown(&read("[a] b c d e [f] [g] h").cropped(2, "…")), "…[f] [g]…");
        assert_eq!(shown(&read("a b c d").cropped(2, " (more)")), "a b (more)");
        assert_eq!(shown(&read("a b c [d]").cropped(1, "..")), "..[d]");
    }

    #[test]
    fn any_text_survives_lines_and_crops() {
        let letters = [' ', '\n', 'a', 'é', '東', ' ', '\u{2003}', '…', 'z'];
        // A linear congruential generator (Knuth's MMIX): the same texts each time.
        let mut state = 7_u64;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..2000 {
            let text: String = (0..next(24)).map(|_| letters[next(letters.len())]).collect();
            let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let mut marked = Marked::plain(&text);
            let mut at = next(4);
            while at + 1 < bounds.len() {
                let end = (at + 1 + next(3)).min(bounds.len() - 1);
                marked.marks.push(bounds[at]..bounds[end]);
                at = end + next(4);
            }
            let line = marked.on_one_line();
            assert_eq!(line.text, text.split_whitespace().collect::<Vec<_>>().join(" "));
            let most = next(6);
            let cropped = line.cropped(most, "");
            assert!(cropped.text.split_whitespace().count() <= most.max(1), "{text:?} {most}");
            assert_eq!(cropped.with("", ""), cropped.text);
        }
    }
}
