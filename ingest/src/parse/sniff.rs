//! A bounded look at the head of a file, so that an upload of something else can be refused before it is stored.

use std::io::Read;

use flate2::bufread::GzDecoder;

use super::ParseError;
use super::container::{Container, container, looks_like_xml};
use super::limits::Limits;
use super::machine::Machine;
use super::tags::read_head;
use crate::rack::{Form, Kind};

/// Bytes of a file that [`sniff`] makes use of; more do not hurt.
pub const SNIFF_BYTES: usize = 8 * 1024;

/// Most XML that is inflated to look at. The root and its child stand within the first few hundred bytes.
const HEAD_BYTES: u64 = 16 * 1024;

/// What the head of a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sniffed {
    /// A rack, or what will turn out to be a device preset or an error.
    pub form: Form,
    /// What a rack does.
    pub kind: Option<Kind>,
}

/// Tells by the first bytes of a file whether it may be a rack or a device preset. [`parse`](super::parse) has the last word: it reads
/// the rest, and it alone tells a clip from a Live set, which differ at their end (here both are a set).
///
/// # Errors
/// The file is certainly something else, with the same names as `parse`'s.
pub fn sniff(head: &[u8]) -> Result<Sniffed, ParseError> {
    let head = head.get(..SNIFF_BYTES).unwrap_or(head);
    let mut xml = Vec::new();
    match container(head)? {
        Container::PlainXml => xml.extend_from_slice(head),
        Container::Gzip => {
            // The head breaks off in the middle of the compressed data; what came before that counts.
            let inflated = GzDecoder::new(head).take(HEAD_BYTES).read_to_end(&mut xml);
            if xml.is_empty() {
                return Err(match inflated {
                    Ok(_) => ParseError::NotXml,
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => ParseError::Truncated,
                    Err(_) => ParseError::CorruptGzip,
                });
            }
            if !looks_like_xml(&xml) {
                return Err(ParseError::NotXml);
            }
        }
    }
    let limits = Limits {
        max_xml_bytes: u64::MAX,
        max_elements: u64::MAX,
        max_depth: 1000,
        max_value_bytes: usize::MAX,
        max_items: usize::MAX,
        max_text_bytes: usize::MAX,
    };
    let mut machine = Machine::new(&limits);
    read_head(&xml, &mut machine)?;
    match machine.collector.form() {
        Some(form) => Ok(Sniffed {
            form,
            kind: machine.collector.rack_kind(),
        }),
        // The tags of the root break off, or there are none.
        None if machine.is_live_set() => Err(ParseError::LiveSet),
        None if machine.is_untouched() => Err(ParseError::NotXml),
        None => Err(ParseError::Truncated),
    }
}
