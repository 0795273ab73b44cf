//! XML as it comes out of the file, a window at a time: inflated, hashed, counted and cut into tags.
//!
//! Text is read fastest from memory, without copying, but a rack's XML need not fit in memory. So each window of the inflated text is
//! read as if it were the whole; the tag that the window cuts off moves to the front of the next one.

use std::io::{ErrorKind, Read};

use sha2::{Digest, Sha256};

use super::ParseError;
use super::container::looks_like_xml;
use super::limits::Limits;
use super::machine::Machine;
use super::tags::read_tags;

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
