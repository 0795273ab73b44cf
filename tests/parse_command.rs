//! `cookbook parse`: needs no server.

use ingest::builder::{Chain, Device, Format, Rack};
use ingest::rack::Kind;
use serde_json::Value;

use crate::program::{cookbook, folder};

#[test]
fn racks_become_json_and_other_files_are_refused_with_a_code() {
    let folder = folder();
    let rack = Rack::new(Kind::AudioEffect)
        .name("Dub")
        .chain(Chain::new().device(Device::new("Reverb")));
    // The extension is never trusted.
    std::fs::write(folder.path().join("rack.als"), rack.to_adg(&Format::LIVE_11)).unwrap();
    std::fs::write(
        folder.path().join("preset.adv"),
        Device::new("Operator").to_adv(&Format::LIVE_12),
    )
    .unwrap();
    std::fs::write(folder.path().join("wrong.adg"), b"PK\x03\x04").unwrap();

    let good = cookbook(folder.path())
        .args(["parse", "rack.als", "preset.adv"])
        .output()
        .unwrap();
    assert_eq!(good.status.code(), Some(0));
    let lines = objects(&good.stdout).unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["rack"]["kind"], &lines[0]["rack"]["racks"][0]["name"]),
        (&"audio_effect".into(), &"Dub".into())
    );
    assert_eq!(
        (&lines[1]["rack"]["form"], &lines[1]["rack"]["devices"][0]["name"]),
        (&"device".into(), &"Operator".into())
    );

    let mixed = cookbook(folder.path())
        .args(["parse", "wrong.adg", "missing.adg", "rack.als"])
        .output()
        .unwrap();
    assert_eq!(mixed.status.code(), Some(1), "one refused file is enough");
    let lines = objects(&mixed.stdout).unwrap();
    assert_eq!(
        (&lines[0]["file"], &lines[0]["error"]["code"]),
        (&"wrong.adg".into(), &"zip_archive".into())
    );
    assert!(
        lines[0]["error"]["message"]
            .as_str()
            .is_some_and(|message| message.contains("zip archive"))
    );
    assert_eq!(lines[1]["error"]["code"], "unreadable");
    assert_eq!(lines[2]["rack"]["kind"], "audio_effect");
}

/// One JSON value a line.
fn objects(output: &[u8]) -> serde_json::Result<Vec<Value>> {
    serde_json::Deserializer::from_slice(output).into_iter().collect()
}
