//! Bytes to a parsed rack, and a parsed rack to rows.
//!
//! The pure part comes first: [`sniff`] tells by the head of a file whether it may be a rack, [`parse()`] reads it whole into a
//! [`ParsedRack`](rack::ParsedRack). Around it: [`upload`] takes a file in, [`record`](mod@record) writes down what the parse found.

pub mod builder;
mod columns;
pub mod details;
pub mod folder;
pub mod parse;
pub mod publish;
pub mod rack;
pub mod record;
pub mod slug;
pub mod upload;

pub use parse::{Limits, PARSER_VERSION, ParseError, ParseWarning, Parsed, parse, sniff};
