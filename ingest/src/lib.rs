//! Bytes to a parsed rack, and a parsed rack to rows.
//!
//! The pure part comes first: [`sniff`] tells by the head of a file whether it may be a rack, [`parse()`] reads it whole into a
//! [`ParsedRack`](rack::ParsedRack).

pub mod parse;
pub mod rack;

pub use parse::{Limits, PARSER_VERSION, ParseError, ParseWarning, Parsed, parse, sniff};
