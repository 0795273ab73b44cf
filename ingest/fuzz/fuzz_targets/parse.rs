//! Any bytes: no panic, no endless loop, no unbounded memory, and nothing that cannot be stored.
#![no_main]

use std::sync::LazyLock;

use ingest::rack::ParsedRack;
use ingest::{Limits, parse, sniff};
use libfuzzer_sys::fuzz_target;

/// Small enough that a bomb is told from a rack within a millisecond or two.
static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits {
    max_xml_bytes: 1 << 22,
    max_elements: 50_000,
    max_depth: 128,
    max_value_bytes: 4096,
    max_items: 2000,
    max_text_bytes: 1 << 16,
});

fuzz_target!(|bytes: &[u8]| {
    let head = sniff(bytes);
    let Ok(parsed) = parse(bytes, &LIMITS) else { return };
    // What parses must not have been refused by its head.
    assert!(head.is_ok(), "{head:?}");
    let json = serde_json::to_string(&parsed.rack).expect("JSON");
    assert!(!json.to_ascii_lowercase().contains("/users/"), "a folder left the parser");
    let back: ParsedRack = serde_json::from_str(&json).expect("the same back");
    assert_eq!(back.totals, parsed.rack.totals);
    let _ = (parsed.rack.summary(), parsed.rack.requirements(), parsed.rack.devices_used(), parsed.rack.macro_controls());
});
