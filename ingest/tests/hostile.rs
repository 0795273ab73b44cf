//! Files that are no racks, damaged racks, and files made to hurt: each gets its named error, in bounded time and memory.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::builder::{Chain, Device, File, Format, Macro, Plugin, Rack};
use ingest::parse::WarningCode;
use ingest::rack::Kind;
use ingest::{Limits, parse, sniff};
use proptest::prelude::*;

use crate::support::limits;

fn code(bytes: &[u8]) -> &'static str {
    code_within(bytes, &limits())
}

fn code_within(bytes: &[u8], limits: &Limits) -> &'static str {
    parse(bytes, limits).map_or_else(|error| error.code(), |_| "a rack")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = GzEncoder::new(Vec::new(), Compression::fast());
    file.write_all(bytes).expect("memory");
    file.finish().expect("memory")
}

/// A document around some content.
fn document(content: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Ableton Creator=\"Ableton Live 11.3.13\">{content}</Ableton>\n")
}

fn small_rack() -> Rack {
    Rack::new(Kind::Instrument)
        .name("Søft Keys")
        .macro_control(Macro::new("Tone"))
        .chain(
            Chain::new()
                .device(Device::new("Operator").mapped("Filter/Freq", 0, 20.0, 20000.0))
                .plugin(Plugin::vst2(1_397_240_113).mapped(3, 0, 0.0, 1.0))
                .rack(
                    Rack::new(Kind::AudioEffect)
                        .chain(Chain::new().device(Device::new("Reverb").sample(File::at("/Users/producer-017/a.wav")))),
                ),
        )
}

#[test]
fn files_of_other_kinds_are_told_apart() {
    let others: [(&[u8], &str); 19] = [
        (b"", "empty_file"),
        (b"PK\x03\x04\x14\0\0\0", "zip_archive"),
        (b"\x00\x05\x16\x07\x00\x02\0\0Mac OS X", "apple_double"),
        (b"\xab\x1e\x56\x78\x03\0\x01LiveDocument", "binary_live_document"),
        (b"ampf\x04\0\0\0iiii", "max_device"),
        (b"VST3\x01\0\0\0", "plugin_preset"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio_file"),
        (b"FORM\0\0\0\0AIFFCOMM", "audio_file"),
        (b"\xff\xfe<\0?\0x\0m\0l\0", "unsupported_encoding"),
        (b"JUNK\n", "unknown_file"),
        (b"{\"json\": true}", "unknown_file"),
        (b"<!DOCTYPE html><html></html>", "doctype"),
        (b"<html><body></body></html>", "not_live_xml"),
        (
            b"<?xml version=\"1.0\"?><plist version=\"1.0\"><dict/></plist>",
            "plugin_preset",
        ),
        (
            b"<Ableton><LiveSet><Tracks><MidiTrack/></Tracks><Scenes><Scene/></Scenes></LiveSet></Ableton>",
            "live_clip",
        ),
        (
            b"<Ableton><LiveSet><Tracks><MidiTrack/></Tracks><Scenes><Scene/><Scene/></Scenes></LiveSet></Ableton>",
            "live_set",
        ),
        (b"<Ableton><Groove><Name/></Groove></Ableton>", "groove"),
        (b"<Ableton><DonorLibrary/></Ableton>", "tool_made"),
        (b"<Ableton><Skin><Color/></Skin></Ableton>", "unknown_live_document"),
    ];
    for (bytes, expected) in others {
        assert_eq!(code(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        let by_head = sniff(bytes).map_or_else(|error| error.code(), |_| "maybe");
        // The head cannot tell a clip from a set, or an unknown document from the preset of an unknown device.
        let allowed = match expected {
            "live_clip" => ["live_clip", "live_set"],
            "unknown_live_document" => [expected, "maybe"],
            _ => [expected, expected],
        };
        assert!(allowed.contains(&by_head), "{expected}: {by_head}");
    }
    assert_eq!(code(&gzip(b"")), "not_xml");
    assert_eq!(code(&gzip(b"no markup at all")), "not_xml");
    assert_eq!(code(&gzip(&gzip(document("<GroupDevicePreset/>").as_bytes()))), "not_xml");
    assert_eq!(code(b"\x1f\x8b"), "truncated");
    assert_eq!(
        code(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff\xff\xff\xff\xff\xff\xff"),
        "corrupt_gzip"
    );
}

#[test]
fn templates_are_told_from_damage() {
    for content in [
        "<GroupDevicePreset><% each %><Name/></GroupDevicePreset>",
        "<GroupDevicePreset><Name Value=\"<%= name %>\" /></GroupDevicePreset>",
        "<GroupDevicePreset Id=\"<%=id%>\"></GroupDevicePreset>",
    ] {
        assert_eq!(code(document(content).as_bytes()), "template", "{content}");
    }
}

#[test]
fn damaged_xml_is_refused() {
    let damage = [
        ("<GroupDevicePreset>", "malformed_xml"),
        ("<GroupDevicePreset></GroupDevicePresets>", "malformed_xml"),
        ("</GroupDevicePreset>", "malformed_xml"),
        (
            "<GroupDevicePreset><Name Value=\"a<b\" /></GroupDevicePreset>",
            "malformed_xml",
        ),
        ("<GroupDevicePreset><Name <b /></GroupDevicePreset>", "malformed_xml"),
        ("<GroupDevicePreset>< Name/></GroupDevicePreset>", "malformed_xml"),
        ("</Ableton><Ableton>", "malformed_xml"),
        ("</Ableton>text", "malformed_xml"),
        ("", "unknown_live_document"),
        ("<GroupDevicePreset/>", "unknown_live_document"),
        (
            "<GroupDevicePreset><Device><Eq8/></Device></GroupDevicePreset>",
            "unknown_live_document",
        ),
        ("<VstPreset/>", "plugin_preset"),
    ];
    for (content, expected) in damage {
        assert_eq!(code(document(content).as_bytes()), expected, "{content}");
    }
    assert_eq!(code(b"<Ableton><GroupDevicePreset>"), "truncated", "an unclosed root");
    assert_eq!(code(b"<Ableton"), "truncated");
    assert_eq!(code(b"<Ableton><GroupDevicePreset Id=\""), "truncated");
    assert_eq!(
        code(b"<Ableton><GroupDevicePreset Id=\"\xff\xfe\"/></Ableton>"),
        "invalid_utf8"
    );
    assert_eq!(code(b"<Ableton><Eq8>\xc3\x28</Eq8></Ableton>"), "invalid_utf8");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = small_rack().to_adg(&Format::LIVE_12);
    for end in (0..whole.len()).step_by(23) {
        let refused = code(&whole[..end]);
        assert!(
            ["empty_file", "unknown_file", "truncated", "corrupt_gzip", "not_xml"].contains(&refused),
            "{end}: {refused}"
        );
    }
    let plain = small_rack().to_adg(&Format::LIVE_12.plain());
    // Without the line break at the end it is still whole.
    for end in (0..plain.len() - 1).step_by(211) {
        let refused = code(&plain[..end]);
        assert!(
            [
                "empty_file",
                "unknown_file",
                "truncated",
                "invalid_utf8",
                "unknown_live_document"
            ]
            .contains(&refused),
            "{end}: {refused}"
        );
    }
}

#[test]
fn damaged_compression_is_noticed() {
    let mut bytes = small_rack().to_adg(&Format::LIVE_12);
    let checksum = bytes.len() - 6;
    bytes[checksum] ^= 1;
    assert_eq!(code(&bytes), "corrupt_gzip");
}

#[test]
fn bytes_after_the_end_are_ignored_and_told() {
    let whole = small_rack().to_adg(&Format::LIVE_12);
    let mut longer = whole.clone();
    longer.extend_from_slice(b"more bytes");
    let parsed = parse(&longer, &limits()).expect("a rack");
    assert_eq!(parsed.warnings[0].code, WarningCode::TrailingBytes);
    assert_eq!(parsed.content_hash, parse(&whole, &limits()).expect("a rack").content_hash);
}

#[test]
fn document_types_and_entities_are_refused() {
    let billion_laughs =
        "<!DOCTYPE a [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Ableton><Eq8><UserName Value=\"&b;\"/></Eq8></Ableton>";
    assert_eq!(code(billion_laughs.as_bytes()), "doctype");
    assert_eq!(code(format!("<!DOCTYPE {}", "[".repeat(100_000)).as_bytes()), "truncated");
    let undefined = document("<Eq8><UserName Value=\"&b;\"/>&c;</Eq8>");
    let parsed = parse(undefined.as_bytes(), &limits()).expect("undefined entities stay as they are");
    assert_eq!(parsed.rack.devices[0].custom_name, "&b;");
}

#[test]
fn bombs_stop_at_their_limits() {
    let tight = Limits {
        max_xml_bytes: 4 << 20,
        max_elements: 10_000,
        max_depth: 64,
        max_value_bytes: 4096,
        max_items: 100,
        max_text_bytes: 10_000,
    };
    let code = |xml: &str| code_within(&gzip(xml.as_bytes()), &tight);
    let spaces = " ".repeat(64 << 20);
    assert_eq!(code(&document(&format!("<Eq8>{spaces}</Eq8>"))), "xml_too_large");
    assert_eq!(code(&document(&"<a>".repeat(100))), "too_deep");
    assert_eq!(
        code(&document(&format!("<Eq8>{}</Eq8>", "<a/>".repeat(20_000)))),
        "too_many_elements"
    );
    let long = "x".repeat(1 << 20);
    assert_eq!(
        code(&document(&format!("<Eq8><UserName Value=\"{long}\"/></Eq8>"))),
        "tag_too_long"
    );
    assert_eq!(code(&document(&format!("<Eq8><!--{long}--></Eq8>"))), "tag_too_long");
    assert_eq!(code(&document(&format!("<{long}/>"))), "tag_too_long");

    let chains = (0..200).fold(Rack::new(Kind::Drum), |rack, _| rack.chain(Chain::new()));
    assert_eq!(code_within(&chains.to_adg(&Format::LIVE_12), &tight), "too_many_items");
    let wordy = (0..20).fold(Rack::new(Kind::Drum), |rack, _| {
        rack.chain(Chain::new().name(&"n".repeat(1000)))
    });
    assert_eq!(code_within(&wordy.to_adg(&Format::LIVE_12), &tight), "too_much_text");
}

#[test]
fn racks_in_racks_give_flat_json() {
    let mut rack = Rack::new(Kind::AudioEffect).chain(Chain::new().device(Device::new("Eq8")));
    for _ in 0..50 {
        rack = Rack::new(Kind::AudioEffect).chain(Chain::new().rack(rack));
    }
    let parsed = parse(&rack.to_adg(&Format::LIVE_12), &limits())
        .expect("deep, but not too deep")
        .rack;
    assert_eq!((parsed.totals.depth, parsed.totals.racks), (51, 51));
    let json = serde_json::to_string(&parsed).expect("JSON");
    let (_, deepest) = json.bytes().fold((0_i32, 0_i32), |(depth, deepest), byte| match byte {
        b'{' | b'[' => (depth + 1, deepest.max(depth + 1)),
        b'}' | b']' => (depth - 1, deepest),
        _ => (depth, deepest),
    });
    assert!(deepest <= 8, "MariaDB takes 32 levels, this has {deepest}");
}

#[test]
fn long_data_between_tags_costs_nothing() {
    // 32 MB of hexadecimal digits in one text, as large plug-in states are stored.
    let digits = "0123456789ABCDEF".repeat(2 << 20);
    let xml = document(&format!("<Eq8><Blob>{digits}</Blob><UserName Value=\"after\"/></Eq8>"));
    let parsed = parse(xml.as_bytes(), &limits()).expect("a preset");
    assert_eq!(parsed.rack.devices[0].custom_name, "after");
}

/// Parses whatever it is given; a panic or an endless loop is the failure. What comes out must be storable.
fn survives(bytes: &[u8]) {
    let _ = sniff(bytes);
    if let Ok(parsed) = parse(bytes, &limits()) {
        let json = serde_json::to_string(&parsed.rack).expect("JSON");
        let back: ingest::rack::ParsedRack = serde_json::from_str(&json).expect("the same back");
        assert_eq!(back.totals, parsed.rack.totals);
        let _ = (
            parsed.rack.summary(),
            parsed.rack.requirements(),
            parsed.rack.devices_used(),
            parsed.rack.macro_controls(),
        );
        assert!(!json.contains("/Users/"), "a folder left the parser");
    }
}

/// Pieces from which racks are made, to be put where they do not belong.
const PIECES: &[&str] = &[
    "<GroupDevicePreset>",
    "</GroupDevicePreset>",
    "<Device>",
    "</Device>",
    "<DrumGroupDevice>",
    "</DrumGroupDevice>",
    "<BranchPresets>",
    "</BranchPresets>",
    "<DrumBranchPreset>",
    "</DrumBranchPreset>",
    "<DevicePresets>",
    "</DevicePresets>",
    "<Branches>",
    "</Branches>",
    "<KeyMidi><Channel Value=\"16\"/><NoteOrController Value=\"3\"/></KeyMidi>",
    "<KeyMidi><Channel Value=\"16\"/><NoteOrController Value=\"99999999999\"/></KeyMidi>",
    "<MacroControls.7><Manual Value=\"1e999\"/></MacroControls.7>",
    "<MacroDisplayNames.255 Value=\"x\"/>",
    "<VstPreset><UniqueId Value=\"-5\"/></VstPreset>",
    "<SampleRef><FileRef><Path Value=\"/Users/producer-017/x\"/></FileRef></SampleRef>",
    "<ReceivingNote Value=\"-300\"/>",
    "<Eq8>",
    "</Eq8>",
    "<ZoneSettings>",
    "</ZoneSettings>",
    "&lt;&#0;&#xFFFFFFFF;",
    "<![CDATA[<a>]]>",
    "<?pi?>",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        survives(&bytes);
        survives(&gzip(&bytes));
    }

    #[test]
    fn racks_with_changed_bytes_are_survived(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20), which in 0..5_usize) {
        let format = Format::ALL[which].clone();
        let mut xml = small_rack().to_xml(&format).into_bytes();
        for (place, byte) in &changes {
            let at = place.index(xml.len());
            xml[at] = *byte;
        }
        survives(&xml);
        let mut packed = small_rack().to_adg(&format);
        for (place, byte) in &changes {
            let at = place.index(packed.len());
            packed[at] = *byte;
        }
        survives(&packed);
    }

    #[test]
    fn racks_with_pieces_in_wrong_places_are_survived(pieces in proptest::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len()), 1..12)) {
        let xml = small_rack().to_xml(&Format::LIVE_11);
        let mut lines: Vec<&str> = xml.lines().collect();
        for (place, piece) in &pieces {
            let at = place.index(lines.len());
            lines.insert(at, PIECES[*piece]);
        }
        survives(lines.join("\n").as_bytes());
    }

    #[test]
    fn nothing_but_pieces_is_survived(pieces in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let content: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        survives(document(&content).as_bytes());
    }
}
