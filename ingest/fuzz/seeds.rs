//! Writes the seed corpus: small racks and presets from the builder, in every form of Live, to the folder given or `corpus/parse`.
//!
//! Most are not compressed, since a changed byte in compressed data is nearly always just a wrong checksum.

use std::error::Error;
use std::path::PathBuf;

use ingest::builder::{Chain, Device, File, Format, Macro, Plugin, Rack};
use ingest::rack::{Kind, Pad, Zone};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("corpus/parse"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for (number, format) in Format::ALL.iter().enumerate() {
        let plain = format.clone().plain();
        for (name, rack) in racks() {
            std::fs::write(folder.join(format!("{name}-{number}.xml")), rack.to_adg(&plain))?;
            std::fs::write(folder.join(format!("{name}-{number}.adg")), rack.to_adg(format))?;
        }
        std::fs::write(folder.join(format!("device-{number}.xml")), Device::new("Operator").to_adv(&plain))?;
    }
    std::fs::write(folder.join("set"), b"<Ableton><LiveSet><Tracks><MidiTrack/></Tracks><Scenes><Scene/></Scenes></LiveSet></Ableton>")?;
    std::fs::write(folder.join("set-form"), SET_FORM)?;
    Ok(())
}

/// A rack as it stands in a Live set.
const SET_FORM: &str = "<Ableton Creator=\"Ableton Live 12.1\"><DrumGroupDevice><Branches><DrumBranch Id=\"0\"><Name><UserName Value=\"Kick\"/></Name>\
<DeviceChain><MidiToAudioDeviceChain><Devices><OriginalSimpler><On><Manual Value=\"true\"/></On></OriginalSimpler><PluginDevice><PluginDesc>\
<VstPluginInfo><PlugName Value=\"Massive\"/><UniqueId Value=\"1\"/></VstPluginInfo></PluginDesc></PluginDevice></Devices></MidiToAudioDeviceChain>\
</DeviceChain><BranchInfo><ReceivingNote Value=\"92\"/></BranchInfo></DrumBranch></Branches></DrumGroupDevice></Ableton>";

fn racks() -> [(&'static str, Rack); 3] {
    let inner = Rack::new(Kind::AudioEffect)
        .macro_control(Macro::new("In").moved_by(1, 0.0, 127.0))
        .chain_selector_moved_by(2)
        .chain(Chain::new().device(Device::new("Eq8").mapped("Bands.0/Freq", 0, 30.0, 18000.0)));
    let zone = Zone {
        min: 0,
        max: 60,
        fade_min: 10,
        fade_max: 50,
    };
    let pad = Pad {
        note: Some(36),
        sending_note: Some(60),
        choke_group: Some(1),
    };
    [
        (
            "nested",
            Rack::new(Kind::Instrument)
                .name("Name")
                .annotation("Text")
                .variation("V", &[Some(1.0)])
                .chain(Chain::new().key_zone(zone).device(Device::new("Operator")).rack(inner)),
        ),
        (
            "drums",
            Rack::new(Kind::Drum)
                .chain(Chain::new().pad(pad).device(Device::new("DrumCell").sample(File::at("/Users/a/kick.wav").in_pack("Pack", "p"))))
                .return_chain(Chain::new().device(Device::new("Reverb"))),
        ),
        (
            "plugins",
            Rack::new(Kind::AudioEffect).chain(
                Chain::new()
                    .dragged_from("device:vst:audiofx:1397240113?n=A%20B")
                    .plugin(Plugin::vst2(1_397_240_113).mapped(1, 2, 0.0, 1.0).switched_by(3))
                    .plugin(Plugin::vst3([1, 2, 3, 4]))
                    .plugin(Plugin::audio_unit(*b"aumu", *b"abcd", *b"efgh"))
                    .device(Device::max("MxDeviceAudioEffect", File::at("/Users/a/x.amxd")).max_mapped("P", 1, 0.0, 1.0)),
            ),
        ),
    ]
}
