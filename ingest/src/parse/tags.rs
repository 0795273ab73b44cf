//! Text, cut into tags.
//!
//! Nearly everything in a rack is a tag of one of three forms, with blanks before it: `<Name Id="0">`, `<Name Value="1" />`, `</Name>`.
//! Those are cut here, with one look at each byte. All else that XML has, and all that is wrong with it, is quick-xml's: it reads one
//! event from where this stopped.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::ParseError;
use super::container::BOM;
use super::machine::Machine;
use super::value::Attributes;

/// Hands the elements at the beginning of a document to the machine, which may break off anywhere.
pub(super) fn read_head(text: &[u8], machine: &mut Machine<'_>) -> Result<(), ParseError> {
    read_tags(text, 0, false, machine).map(|_| ())
}

/// Hands the elements of a text to the machine and tells how much of the text is done with. `before` bytes came before it.
pub(super) fn read_tags(text: &[u8], before: u64, is_last: bool, machine: &mut Machine<'_>) -> Result<usize, ParseError> {
    // Checked once as a whole, not tag by tag. What is broken or cut off is met, and said, by quick-xml.
    let readable = match std::str::from_utf8(text) {
        Ok(all) => all,
        Err(error) => std::str::from_utf8(text.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default(),
    };
    let mut used = if before == 0 && text.starts_with(BOM) { BOM.len() } else { 0 };
    loop {
        used = read_plain_tags(readable, used, before, machine)?;
        let rest = text.get(used..).unwrap_or_default();
        match read_event(rest, before + used as u64, is_last, machine)? {
            Some(length) => used += length,
            None => return Ok(used),
        }
    }
}

/// Reads tags as long as they are plain; gives where the first thing begins that is not, blanks before it included.
fn read_plain_tags(text: &str, from: usize, before: u64, machine: &mut Machine<'_>) -> Result<usize, ParseError> {
    let mut used = from;
    loop {
        let rest = text.as_bytes().get(used..).unwrap_or_default();
        let blanks = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        let start = used + blanks;
        let at = before + start as u64;
        match rest.get(blanks..) {
            Some([b'<', b'/', closing @ ..]) => {
                // The name is known: it is that of the element which is open.
                let Some(name) = machine.open_name().filter(|name| closing.starts_with(name.as_bytes())) else {
                    return Ok(used);
                };
                let length = name.len();
                if closing.get(length) != Some(&b'>') {
                    return Ok(used);
                }
                machine.close_open(at)?;
                used = start + length + 3;
            }
            Some([b'<', ..]) => {
                let Some(tag) = PlainTag::read(text, start + 1) else {
                    return Ok(used);
                };
                if tag.is_empty {
                    machine.empty(tag.name, Attributes(tag.attributes), at)?;
                } else {
                    machine.open(tag.name, Attributes(tag.attributes), at)?;
                }
                used = tag.end;
            }
            _ => return Ok(used),
        }
    }
}

/// A tag that opens, with double quotes alone and without a `<`.
struct PlainTag<'t> {
    name: &'t str,
    attributes: &'t str,
    /// Whether it closes too.
    is_empty: bool,
    /// Where the text goes on behind it.
    end: usize,
}

impl<'t> PlainTag<'t> {
    /// Reads a tag whose name begins here; none if it is not plain, or not whole.
    #[inline]
    fn read(text: &'t str, from: usize) -> Option<Self> {
        let tag = text.as_bytes().get(from..)?;
        let name_length = tag.iter().position(|byte| !is_plain_name(*byte))?;
        let name = text.get(from..from + name_length)?;
        if !name.as_bytes().first()?.is_ascii_alphabetic() {
            return None;
        }
        let behind = from + name_length;
        let (attributes_length, is_empty, end) = match tag.get(name_length..)? {
            [b'>', ..] => (0, false, behind + 1),
            [b'/', b'>', ..] => (0, true, behind + 2),
            rest @ [b' ', ..] => {
                let close = closing_bracket(rest)?;
                let is_empty = rest.get(close.checked_sub(1)?) == Some(&b'/');
                (close - usize::from(is_empty), is_empty, behind + close + 1)
            }
            _ => return None,
        };
        Some(Self {
            name,
            attributes: text.get(behind..behind + attributes_length)?,
            is_empty,
            end,
        })
    }
}

/// Where the `>` of a tag is, outside of its values.
#[inline]
fn closing_bracket(attributes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let outside = attributes.get(at..)?;
        at += outside.iter().position(|byte| matches!(byte, b'"' | b'\'' | b'<' | b'>'))?;
        match attributes.get(at)? {
            b'>' => return Some(at),
            b'"' => {
                let value = attributes.get(at + 1..)?;
                let length = value.iter().position(|byte| matches!(byte, b'"' | b'<'))?;
                if value.get(length) == Some(&b'<') {
                    return None;
                }
                at += length + 2;
            }
            _ => return None,
        }
    }
}

/// Whether a byte occurs in the names that Live gives to elements.
#[inline]
fn is_plain_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':')
}

/// Hands one event to the machine, whatever it is; gives its length, or none at the end of the text, or where it is cut off.
fn read_event(text: &[u8], at: u64, is_last: bool, machine: &mut Machine<'_>) -> Result<Option<usize>, ParseError> {
    if text.starts_with(BOM) {
        // A character like others where it does not begin the document. A reader takes it off without counting it.
        return match machine.depth() {
            0 => Err(stray_text("", at)),
            _ => Ok(Some(BOM.len())),
        };
    }
    let mut reader = Reader::from_reader(text);
    let config = reader.config_mut();
    // The machine compares names itself: its stack lives longer than one event.
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.trim_markup_names_in_closing_tags = true;
    match reader.read_event() {
        Ok(Event::Start(tag)) => {
            check_tag(&tag, at)?;
            let name = tag.name();
            machine.open(name.as_ref(), Attributes(tag.attributes_raw()), at)?;
        }
        Ok(Event::Empty(tag)) => {
            check_tag(&tag, at)?;
            let name = tag.name();
            machine.empty(name.as_ref(), Attributes(tag.attributes_raw()), at)?;
        }
        Ok(Event::End(tag)) => machine.close(tag.name().as_ref(), at)?,
        Ok(Event::Eof) => return Ok(None),
        Ok(Event::DocType(_)) => return Err(ParseError::Doctype),
        Ok(Event::Text(text)) => {
            if machine.depth() == 0 && !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                return Err(stray_text(&text, at));
            }
        }
        Ok(Event::CData(_) | Event::GeneralRef(_)) if machine.depth() == 0 => {
            return Err(stray_text("", at));
        }
        Ok(_) => {}
        // The end of the window cuts through something: it will be whole in the next one.
        Err(_) if !is_last => return Ok(None),
        Err(error) => return Err(damage(&error, at)),
    }
    Ok(Some(usize::try_from(reader.buffer_position()).unwrap_or(text.len())))
}

/// What quick-xml lets pass: `<` inside a tag, and names that are none. Templates have both.
fn check_tag(tag: &str, at: u64) -> Result<(), ParseError> {
    if tag.contains('<') {
        return Err(if tag.contains("<%") {
            ParseError::Template
        } else {
            ParseError::Malformed {
                at,
                what: "a `<` inside a tag",
            }
        });
    }
    match tag.as_bytes().first() {
        Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' || *byte == b':' || *byte >= 0x80 => Ok(()),
        Some(b'%') => Err(ParseError::Template),
        _ => Err(ParseError::Malformed {
            at,
            what: "a tag without a name",
        }),
    }
}

fn stray_text(text: &str, at: u64) -> ParseError {
    if text.contains("{{") || text.contains("{%") {
        return ParseError::Template;
    }
    ParseError::Malformed {
        at,
        what: "text outside of the root element",
    }
}

/// What a reader's error at the very end of the file means.
fn damage(error: &quick_xml::Error, at: u64) -> ParseError {
    match error {
        quick_xml::Error::Syntax(_) => ParseError::Truncated,
        quick_xml::Error::Encoding(_) => ParseError::InvalidUtf8 { at },
        _ => ParseError::Malformed {
            at,
            what: "a markup error",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::Limits;

    /// What comes of a text, told apart by everything that could differ.
    type Outcome = (Result<usize, ParseError>, usize, bool, String);

    fn outcome(read: impl FnOnce(&mut Machine<'_>) -> Result<usize, ParseError>) -> Outcome {
        static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits::from(&config::Settings::defaults().unwrap().parser));
        let mut machine = Machine::new(&LIMITS);
        let used = read(&mut machine);
        let (depth, is_complete) = (machine.depth(), machine.is_complete());
        (used, depth, is_complete, format!("{:?}", machine.collector.finish()))
    }

    /// The same without the short cut.
    fn read_by_events(text: &[u8], machine: &mut Machine<'_>) -> Result<usize, ParseError> {
        let mut used = if text.starts_with(BOM) { BOM.len() } else { 0 };
        while let Some(length) = read_event(text.get(used..).unwrap_or_default(), used as u64, true, machine)? {
            used += length;
        }
        Ok(used)
    }

    const PIECES: [&[u8]; 38] = [
        b"<Ableton Creator=\"Ableton Live 11.0\">",
        b"<Ableton>",
        b"</Ableton>",
        b"<GroupDevicePreset>",
        b"<Device>",
        b"<DrumGroupDevice Id=\"0\">",
        b"</DrumGroupDevice>",
        b"</Device>",
        b"</GroupDevicePreset>",
        b"<UserName Value=\"A &amp; B > C\" />",
        b"<UserName Value='single' />",
        b"<UserName  Value = \"spaced\"/>",
        b"<MacroDisplayNames.3 Value=\"X\"/>",
        b"<A/>",
        b"<A>",
        b"</A>",
        b"</A >",
        b"<A b=\"/\">",
        b"<A b=/>",
        b"<A b=\"<\"/>",
        b"<A\tb=\"1\"/>",
        b"<A/ >",
        b"<\xc3\xa9/>",
        b"<A \xc3\xa9=\"\xc3\xa9\"/>",
        b"< A>",
        b"<1>",
        b"\r\n\t ",
        b"\x0c",
        b"text",
        b"&amp;",
        b"& ",
        b"<!-- <A> -->",
        b"<![CDATA[<A>]]>",
        b"<?pi ?>",
        b"\xef\xbb\xbf",
        b"\xff",
        b"<A b=\"",
        b"\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_short_cut_changes_nothing(
            wrapped in any::<bool>(),
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..30),
        ) {
            let mut text = if wrapped { b"<Ableton><GroupDevicePreset><Device><DrumGroupDevice>".to_vec() } else { Vec::new() };
            text.extend(pieces.concat());
            let short = outcome(|machine| read_tags(&text, 0, true, machine));
            prop_assert_eq!(short, outcome(|machine| read_by_events(&text, machine)));
        }

        #[test]
        fn a_text_in_two_windows_is_the_same_text(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..30),
            cut in any::<proptest::sample::Index>(),
        ) {
            let text = [b"<Ableton><GroupDevicePreset><Device><DrumGroupDevice>", pieces.concat().as_slice()].concat();
            let (whole, ..) = outcome(|machine| read_tags(&text, 0, true, machine));
            let (split, ..) = outcome(|machine| {
                let used = read_tags(&text[..cut.index(text.len() + 1)], 0, false, machine)?;
                Ok(used + read_tags(&text[used..], used as u64, true, machine)?)
            });
            // Text outside of the root is found where the window begins, or where the text does.
            prop_assert_eq!(whole.map_err(|error| error.code()), split.map_err(|error| error.code()));
        }
    }

    #[test]
    fn a_mark_before_the_document_is_counted() {
        let text = [BOM, b"<Ableton><A/></Ableton>"].concat();
        let (used, depth, is_complete, _) = outcome(|machine| read_tags(&text, 0, true, machine));
        assert_eq!((used, depth, is_complete), (Ok(text.len()), 0, true));
    }
}
