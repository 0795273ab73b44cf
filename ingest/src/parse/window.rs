//! XML as it comes out of the file, a window at a time: inflated, hashed, counted and cut into tags.
//!
//! quick-xml reads fastest from memory, without copying, but a rack's XML need not fit in memory. So each window of the inflated text is
//! read as if it were the whole; the tag that the window cuts off moves to the front of the next one.

use std::io::{ErrorKind, Read};

use quick_xml::Reader;
use quick_xml::events::Event;
use sha2::{Digest, Sha256};

use super::ParseError;
use super::container::looks_like_xml;
use super::limits::Limits;
use super::machine::Machine;
use super::value::Attributes;

/// Text that is looked at in one go. Large enough that the cut tags do not matter, small enough for the second-level cache.
const WINDOW_BYTES: usize = 128 * 1024;

/// Where a reading stands.
pub(super) struct Window<'l> {
    limits: &'l Limits,
    buffer: Vec<u8>,
    /// Bytes in the buffer that were read.
    filled: usize,
    /// Bytes of XML before the buffer's first.
    before: u64,
    hasher: Sha256,
}

impl<'l> Window<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            buffer: vec![0; WINDOW_BYTES],
            filled: 0,
            before: 0,
            hasher: Sha256::new(),
        }
    }

    /// SHA-256 of all bytes that were read.
    pub(super) fn content_hash(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }

    /// Reads a document to its end, handing every element to the machine.
    pub(super) fn read(&mut self, source: &mut impl Read, machine: &mut Machine<'_>) -> Result<(), ParseError> {
        loop {
            let is_last = self.fill(source)?;
            let text = self.buffer.get(..self.filled).unwrap_or_default();
            if self.before == 0 && !looks_like_xml(text) {
                return Err(ParseError::NotXml);
            }
            let used = read_tags(text, self.before, is_last, machine)?;
            if is_last {
                return Ok(());
            }
            self.forget(used)?;
        }
    }

    /// Fills the buffer; true at the end of the source.
    fn fill(&mut self, source: &mut impl Read) -> Result<bool, ParseError> {
        while let Some(free) = self.buffer.get_mut(self.filled..).filter(|free| !free.is_empty()) {
            let count = match source.read(free) {
                Ok(0) => return Ok(true),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(ParseError::Truncated),
                Err(_) => return Err(ParseError::CorruptGzip),
            };
            self.hasher.update(free.get(..count).unwrap_or_default());
            self.filled += count;
            if self.before + self.filled as u64 > self.limits.max_xml_bytes {
                return Err(ParseError::XmlTooLarge {
                    limit: self.limits.max_xml_bytes,
                });
            }
        }
        Ok(false)
    }

    /// Drops what was read and moves the rest to the front.
    fn forget(&mut self, used: usize) -> Result<(), ParseError> {
        let rest = self.filled.saturating_sub(used);
        if rest > self.limits.max_value_bytes {
            return Err(ParseError::TagTooLong {
                limit: self.limits.max_value_bytes,
            });
        }
        self.buffer.copy_within(used..self.filled, 0);
        self.filled = rest;
        self.before += used as u64;
        // A cut tag must leave room for its end.
        if self.buffer.len() < rest * 2 {
            self.buffer.resize(rest * 2, 0);
        }
        Ok(())
    }
}

/// Hands the elements at the beginning of a document to the machine, which may break off anywhere.
pub(super) fn read_head(text: &[u8], machine: &mut Machine<'_>) -> Result<(), ParseError> {
    read_tags(text, 0, false, machine).map(|_| ())
}

/// Hands the elements of a text to the machine and tells how much of the text is done with.
fn read_tags(text: &[u8], before: u64, is_last: bool, machine: &mut Machine<'_>) -> Result<usize, ParseError> {
    let mut reader = Reader::from_reader(text);
    let config = reader.config_mut();
    // The machine compares names itself: its stack lives longer than one window.
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.trim_markup_names_in_closing_tags = true;
    let mut used = 0;
    loop {
        let at = before + used as u64;
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
            Ok(Event::Eof) => break,
            Ok(Event::DocType(_)) => return Err(ParseError::Doctype),
            Ok(Event::Text(text)) => {
                if machine.depth() == 0 && !is_blank(&text, before + used as u64 == 0) {
                    return Err(stray_text(&text, at));
                }
            }
            Ok(Event::CData(_) | Event::GeneralRef(_)) if machine.depth() == 0 => {
                return Err(ParseError::Malformed {
                    at,
                    what: "text outside of the root element",
                });
            }
            Ok(_) => {}
            // The end of the window cuts through something: it will be whole in the next one.
            Err(_) if !is_last => break,
            Err(error) => return Err(damage(&error, at)),
        }
        used = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
    }
    Ok(used)
}

/// What quick-xml lets pass: `<` inside a tag, and names that are none. Templates have both.
fn check_tag(tag: &str, at: u64) -> Result<(), ParseError> {
    // Every byte of every tag passes here. Without an early end the loop compiles to vector instructions: tags are short.
    let has_opening = tag.bytes().fold(false, |found, byte| found | (byte == b'<'));
    if has_opening {
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

fn is_blank(text: &str, at_start: bool) -> bool {
    let text = if at_start { text.trim_start_matches('\u{feff}') } else { text };
    text.bytes().all(|byte| byte.is_ascii_whitespace())
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
