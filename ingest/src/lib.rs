//! Bytes to a parsed rack, and a parsed rack to rows.
