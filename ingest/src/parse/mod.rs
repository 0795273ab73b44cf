//! The parser: bytes in, a [`ParsedRack`] out, or a named error.
//!
//! It does no I/O and trusts nothing: time and memory are bounded by [`Limits`], whatever the bytes are. It is one pass over the
//! inflating stream, which builds no tree: `window` cuts the stream into pieces and `tags` those into tags, `machine` knows what a tag means
//! where it stands, and `collect` keeps what is worth keeping.

mod collect;
mod container;
mod context;
mod error;
mod limits;
mod machine;
mod privacy;
mod sniff;
mod tags;
mod value;
mod window;

use flate2::bufread::GzDecoder;

pub use error::{ParseError, ParseWarning, WarningCode};
pub use limits::Limits;
pub use sniff::{SNIFF_BYTES, Sniffed, sniff};

use crate::rack::ParsedRack;
use container::{Container, container};
use machine::Machine;
use window::Window;

/// Version of what the parser finds. It grows when the same bytes give a different [`ParsedRack`], so that older rows can be parsed again.
pub const PARSER_VERSION: u32 = 1;

/// The result of a parse.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What the file says.
    pub rack: ParsedRack,
    /// What was odd about it.
    pub warnings: Vec<ParseWarning>,
    /// SHA-256 of the uncompressed XML: the same for one rack compressed twice.
    pub content_hash: [u8; 32],
}

/// Reads a rack (`.adg`) or device preset (`.adv`), compressed or not. The name of the file is not asked.
///
/// # Errors
/// The bytes are something else, damaged, or beyond the limits: see [`ParseError`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, ParseError> {
    let mut machine = Machine::new(limits);
    let mut window = Window::new(limits);
    let read = match container(bytes)? {
        Container::PlainXml => window.read(&mut &bytes[..], &mut machine),
        Container::Gzip => {
            let mut inflated = GzDecoder::new(bytes);
            let read = window.read(&mut inflated, &mut machine);
            let trailing = inflated.into_inner().len();
            if read.is_ok() && trailing > 0 {
                // Live itself reads one member and stops; the rest is not part of the rack.
                machine.collector.warn(WarningCode::TrailingBytes, || {
                    format!("{trailing} bytes after the end of the compressed data were ignored")
                });
            }
            read
        }
    };
    read?;
    if !machine.is_complete() {
        return Err(if machine.is_untouched() {
            ParseError::NotXml
        } else {
            ParseError::Truncated
        });
    }
    let (rack, warnings) = machine.collector.finish()?;
    Ok(Parsed {
        rack,
        warnings,
        content_hash: window.content_hash(),
    })
}
