//! The parser against racks of our own making, in every form that Live has given its files.

use ingest::builder::{Chain, Device, File, Format, LineEnd, Macro, Plugin, Rack};
use ingest::parse::WarningCode;
use ingest::rack::{Form, Item, Kind, Origin, Pad, ParsedRack, RangeUnit, Target, Zone};
use ingest::{Parsed, parse, sniff};

use crate::support::limits;

fn zone(min: i32, max: i32) -> Zone {
    Zone {
        min,
        max,
        fade_min: min,
        fade_max: max,
    }
}

/// A rack with one of everything that a rack can hold.
fn everything() -> Rack {
    let inner = Rack::new(Kind::AudioEffect)
        .name("Space")
        .macro_control(Macro::new("Amount").value(20.0).moved_by(1, 0.0, 127.0))
        .chain_selector(40.0)
        .chain_selector_moved_by(2)
        .chain(
            Chain::new()
                .selector_zone(zone(0, 63))
                .device(Device::new("Reverb").mapped("DecayTime", 0, 200.0, 60000.0)),
        )
        .chain(Chain::new().selector_zone(zone(64, 127)).device(Device::new("Echo").off()));
    Rack::new(Kind::Instrument)
        .name("Test & \"Truth\"")
        .annotation("line one\nline <two>")
        .visible_macros(4)
        .macro_control(
            Macro::new("Tone")
                .value(63.5)
                .colour(5)
                .default_value(64.0)
                .annotation("brighter"),
        )
        .macro_control(Macro::new("∆ Space").value(20.0).excluded())
        .variation("Bright", &[Some(127.0), None, Some(1.0)])
        .chain_selector(12.0)
        .chain_selector_moved_by(3)
        .chain(
            Chain::new()
                .name("Keys")
                .colour(7)
                .mix(0.5, -0.25)
                .volume_moved_by(0, 0.0, 1.0)
                .key_zone(zone(0, 59))
                .velocity_zone(zone(1, 100))
                .send(0.125)
                .device(Device::new("MidiPitcher").parameter("Pitch", -12.0))
                .device(
                    Device::new("MultiSampler")
                        .custom_name("Piano")
                        .sample(File::at("/Users/producer-017/Music/Grand C3.wav"))
                        .sample(File::at("/Users/producer-017/Packs/soft.aif").in_pack("Grand Piano", "www.ableton.com/20"))
                        .mapped("Filter/Freq", 0, 18000.0, 30.0)
                        .mapped("Filter/Slot/Reso", 1, 0.0, 1.0)
                        .switched_by(4),
                )
                .rack(inner),
        )
        .chain(
            Chain::new()
                .muted()
                .soloed()
                .dragged_from("device:vst:instr:1397240113?n=LuSH%2d101")
                .plugin(
                    Plugin::vst2(1_397_240_113)
                        .mapped(218, 0, 0.0, 0.5)
                        .switched_by(5)
                        .preset("Init"),
                )
                .plugin(Plugin::vst3([0x5653_5458, 0x6673_5873, 0x6572_756d, 0]).off())
                .plugin(Plugin::audio_unit(*b"aumu", *b"Alav", *b"Artu"))
                .plugin(Plugin::vst2(1_094_795_585)),
        )
        .chain(
            Chain::new().device(
                Device::max(
                    "MxDeviceAudioEffect",
                    File::at("/Users/producer-017/Max/drum de-rigid-iser.amxd")
                        .in_pack("Creative Extensions", "www.ableton.com/99"),
                )
                .max_mapped("Depth %", 6, 0.0, 100.0),
            ),
        )
        .return_chain(Chain::new().name("Verb").device(Device::new("Hybrid")))
}

fn parsed(bytes: &[u8]) -> Parsed {
    parse(bytes, &limits()).expect("a built rack")
}

#[test]
fn every_form_of_live_says_the_same() {
    for format in Format::ALL {
        for format in [format.clone(), format.clone().line_end(LineEnd::CrLf), format.plain()] {
            let bytes = everything().to_adg(&format);
            assert_eq!(sniff(&bytes[..bytes.len().min(600)]).map(|head| head.form), Ok(Form::Rack));
            let Parsed { rack, warnings, .. } = parsed(&bytes);
            assert_eq!(warnings, [], "{format:?}");
            check_everything(&rack);
        }
    }
}

fn check_everything(rack: &ParsedRack) {
    let major = rack.live.version.expect("a version").major;
    assert_eq!((rack.form, rack.kind), (Form::Rack, Kind::Instrument));
    let outer = &rack.racks[0];
    assert_eq!(outer.name, "Test & \"Truth\"");
    assert_eq!(outer.annotation, "line one\nline <two>");
    assert_eq!(outer.chain_selector, Some(12.0));
    assert!(outer.on && !outer.locked);
    let (slots, visible) = if major >= 11 { (16, 4) } else { (8, 8) };
    assert_eq!((outer.macro_slots, outer.macros_visible), (slots, visible));

    let tone = &outer.macros[0];
    assert_eq!(
        (tone.name.as_str(), tone.named, tone.value, tone.colour),
        ("Tone", true, Some(63.5), Some(5))
    );
    assert_eq!((tone.annotation.as_str(), tone.mappings), ("brighter", 3));
    assert_eq!(tone.default, (major >= 9).then_some(64.0));
    assert_eq!(outer.macros[1].name, "∆ Space");
    assert_eq!(outer.macros[1].excluded_from_variations, major >= 11);
    assert!(!outer.macros[2].named);
    if major >= 11 {
        assert_eq!(outer.variations[0].name, "Bright");
        assert_eq!(outer.variations[0].values[..4], [Some(127.0), None, Some(1.0), None]);
    }

    let keys = &rack.chains[0];
    assert_eq!(
        (keys.label.as_str(), keys.colour, keys.volume, keys.pan),
        ("Keys", Some(7), Some(0.5), Some(-0.25))
    );
    assert_eq!((keys.key_zone, keys.velocity_zone), (Some(zone(0, 59)), Some(zone(1, 100))));
    assert_eq!(keys.sends, [0.125]);
    assert!(!keys.muted && !keys.soloed && keys.pad.is_none());
    let items = rack.items_of(0);
    assert!(
        matches!(items[..], [Item::Device(pitch), Item::Device(piano), Item::Rack(space)]
        if pitch.name == "Pitch" && piano.custom_name == "Piano" && space.name == "Space")
    );

    let labels: Vec<&str> = rack.chains.iter().map(|chain| chain.label.as_str()).collect();
    assert_eq!(labels, ["Keys", "Reverb", "Echo", "LuSH-101", "drum de-rigid-iser", "Verb"]);
    assert_eq!(rack.chains[1].selector_zone, Some(zone(0, 63)));
    assert!(rack.chains[3].muted && rack.chains[3].soloed);
    assert!(rack.chains[5].is_return);
    let echo = rack.devices.iter().find(|device| device.element == "Echo").expect("the Echo");
    assert!(!echo.on);

    let plugins: Vec<(&str, Origin, &str, bool)> = rack
        .devices
        .iter()
        .filter_map(|device| {
            device
                .plugin
                .as_ref()
                .map(|plugin| (device.name.as_str(), device.origin, plugin.id.as_str(), device.on))
        })
        .collect();
    assert_eq!(
        plugins,
        [
            ("LuSH-101", Origin::Vst2, "1397240113", true),
            ("Serum", Origin::Vst3, "56535458667358736572756d00000000", false),
            ("Analog Lab V", Origin::Au, "aumu/Alav/Artu", true),
            ("VST2 1094795585 (AAAA)", Origin::Vst2, "1094795585", true),
        ]
    );
    check_mappings(rack);
    check_files(rack, major);
    assert_eq!(rack.totals.depth, 2);
    assert_eq!(
        (rack.totals.chains, rack.totals.top_chains, rack.totals.return_chains),
        (6, 3, 1)
    );
    assert_eq!((rack.totals.devices, rack.totals.plugins, rack.totals.samples), (10, 4, 2));
}

fn check_mappings(rack: &ParsedRack) {
    let found: Vec<_> = rack
        .mappings
        .iter()
        .map(|mapping| {
            (
                mapping.rack,
                mapping.macro_index,
                mapping.target,
                mapping.parameter.as_str(),
                mapping.inverted,
            )
        })
        .collect();
    let device = |element: &str| {
        u32::try_from(
            rack.devices
                .iter()
                .position(|device| device.element == element)
                .expect("a device"),
        )
        .expect("small")
    };
    let (sampler, reverb, max, vst) = (
        device("MultiSampler"),
        device("Reverb"),
        device("MxDeviceAudioEffect"),
        device("VstPreset"),
    );
    assert_eq!(
        found,
        [
            // An outermost rack's chain selector obeys its own macros.
            (Some(0), 3, Target::ChainSelector { rack: 0 }, "", false),
            (Some(0), 4, Target::Device { device: sampler }, "On", false),
            (Some(0), 0, Target::Device { device: sampler }, "Filter/Freq", true),
            (Some(0), 1, Target::Device { device: sampler }, "Filter/Slot/Reso", false),
            // A nested rack's macros obey the rack around it; its chain selector obeys its own.
            (Some(0), 1, Target::Macro { rack: 1, index: 0 }, "", false),
            (Some(1), 2, Target::ChainSelector { rack: 1 }, "", false),
            (Some(1), 0, Target::Device { device: reverb }, "DecayTime", false),
            (Some(0), 0, Target::ChainMixer { chain: 0 }, "Volume", false),
            (
                Some(0),
                0,
                Target::PluginParameter {
                    device: vst,
                    index: 0,
                    id: 218
                },
                "",
                false
            ),
            (Some(0), 5, Target::PluginOn { device: vst }, "", false),
            (
                Some(0),
                6,
                Target::Device { device: max },
                "ParameterList/ParameterList/MxDFloatParameter/Timeable",
                false
            ),
        ]
    );
    assert_eq!((rack.mappings[2].min, rack.mappings[2].max), (Some(18000.0), Some(30.0)));
    assert_eq!(
        (rack.mappings[1].range, rack.mappings[2].range),
        (RangeUnit::Macro, RangeUnit::Parameter)
    );
    assert_eq!((rack.mappings[8].min, rack.mappings[8].max), (Some(0.0), Some(0.5)));
    assert_eq!(rack.mappings[10].parameter_name.as_deref(), Some("Depth %"));
    assert_eq!(rack.totals.mappings, 10, "a plug-in's switch is not counted");
}

fn check_files(rack: &ParsedRack, major: u16) {
    let names: Vec<&str> = rack.samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names, ["Grand C3.wav", "soft.aif"]);
    // Live 8 knew no packs by name.
    let packs: Vec<(&str, bool)> = rack.packs.iter().map(|pack| (pack.name.as_str(), pack.required)).collect();
    if major >= 9 {
        assert_eq!(packs, [("Grand Piano", true), ("Creative Extensions", true)]);
        assert_eq!(rack.samples[1].pack.as_deref(), Some("Grand Piano"));
    }
    let json = serde_json::to_string(rack).expect("JSON");
    for private in ["producer-017", "Users", "Music", "/Max"] {
        assert!(!json.contains(private), "{private} in {json}");
    }
}

#[test]
fn drum_pads_carry_their_notes() {
    let pad = |note, choke_group| Pad {
        note,
        sending_note: Some(60),
        choke_group,
    };
    let kit = Rack::new(Kind::Drum)
        .chain(
            Chain::new()
                .name("Kick")
                .pad(pad(Some(36), None))
                .device(Device::new("DrumCell").sample(File::at("kick.wav"))),
        )
        .chain(
            Chain::new()
                .name("Hat")
                .pad(pad(Some(42), Some(1)))
                .device(Device::new("OriginalSimpler").sample(File::at("hat.wav"))),
        )
        .chain(Chain::new().name("All").pad(pad(None, None)));
    let rack = parsed(&kit.to_adg(&Format::LIVE_12)).rack;
    assert_eq!(rack.kind, Kind::Drum);
    let pads: Vec<_> = rack.chains.iter().filter_map(|chain| chain.pad).collect();
    assert_eq!(pads, [pad(Some(36), None), pad(Some(42), Some(1)), pad(None, None)]);
    assert_eq!(rack.samples.len(), 2);
}

#[test]
fn a_single_device_is_a_preset_of_its_kind() {
    for (element, kind) in [
        ("Operator", Kind::Instrument),
        ("Eq8", Kind::AudioEffect),
        ("MidiChord", Kind::MidiEffect),
    ] {
        for format in Format::ALL {
            let bytes = Device::new(element).custom_name("Mine").off().to_adv(&format);
            assert_eq!(sniff(&bytes).map(|head| head.form), Ok(Form::Device));
            let rack = parsed(&bytes).rack;
            assert_eq!((rack.form, rack.kind, rack.racks.len()), (Form::Device, kind, 0));
            assert_eq!((rack.devices[0].custom_name.as_str(), rack.devices[0].on), ("Mine", false));
        }
    }
}

#[test]
fn unknown_devices_stand_for_themselves() {
    let rack = Rack::new(Kind::AudioEffect).chain(Chain::new().device(Device::new("Futurizer")));
    let Parsed { rack, warnings, .. } = parsed(&rack.to_adg(&Format::LIVE_12.version("13.0b7")));
    assert_eq!((rack.devices[0].name.as_str(), rack.devices[0].category), ("Futurizer", None));
    assert_eq!(warnings[0].code, WarningCode::UnknownDevice);
    assert_eq!(rack.ableton_version().as_deref(), Some("13.0b7"));
    assert_eq!(rack.requirements().edition_word(), "unknown");
}

#[test]
fn the_same_rack_compressed_twice_has_one_content_hash() {
    let plain = everything().to_adg(&Format::LIVE_11.plain());
    let packed = everything().to_adg(&Format::LIVE_11);
    let windows = everything().to_adg(&Format::LIVE_11.line_end(LineEnd::CrLf));
    assert_ne!(plain, packed);
    assert_eq!(parsed(&plain).content_hash, parsed(&packed).content_hash);
    assert_ne!(parsed(&plain).content_hash, parsed(&windows).content_hash);
    assert_eq!(packed, everything().to_adg(&Format::LIVE_11), "the builder repeats itself");
}

#[test]
fn a_parsed_rack_survives_json() {
    let rack = parsed(&everything().to_adg(&Format::LIVE_12)).rack;
    let json = serde_json::to_string(&rack).expect("JSON");
    let back: ParsedRack = serde_json::from_str(&json).expect("the same back");
    assert_eq!(back, rack);
}

#[test]
fn what_search_needs_is_in_the_summary() {
    let rack = parsed(&everything().to_adg(&Format::LIVE_12)).rack;
    let summary = rack.summary();
    let devices: Vec<(&str, u32)> = summary
        .devices
        .iter()
        .map(|device| (device.name.as_str(), device.count))
        .collect();
    assert_eq!(
        devices,
        [
            ("Pitch", 1),
            ("Sampler", 1),
            ("Reverb", 1),
            ("Echo", 1),
            ("drum de-rigid-iser", 1),
            ("Hybrid Reverb", 1)
        ]
    );
    assert_eq!(summary.plugins.len(), 4);
    assert_eq!(summary.plugins[0].name.as_deref(), Some("LuSH-101"));
    assert_eq!(summary.plugins[3].name, None);
    assert_eq!(summary.macro_names, ["Tone", "∆ Space", "Amount"]);
    assert_eq!(summary.chain_names, ["Keys", "Verb"]);
    assert_eq!(summary.packs, ["Grand Piano", "Creative Extensions"]);
    assert_eq!((summary.device_count, summary.mappings, summary.depth), (10, 10, 2));
    assert_eq!(rack.devices_used()[6], "Analog Lab V");
    assert_eq!(
        rack.macro_controls()[0],
        serde_json::json!({"index": 0, "name": "Tone", "value": 63.5, "mappings": 3})
    );
}

/// A rack as it stands in a Live set, which tools cut out and save as `.adg`.
const SET_FORM: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Ableton MajorVersion="5" MinorVersion="12.0_12049" Creator="a tool">
<DrumGroupDevice><On><Manual Value="true" /></On><UserName Value="Kit" />
<Branches><DrumBranch Id="0">
    <Name><EffectiveName Value="Kick" /><UserName Value="Kick 1" /></Name>
    <DeviceChain><MidiToAudioDeviceChain><Devices>
        <OriginalSimpler><On><Manual Value="true" /></On><VolumeAndPan><Panorama>
            <KeyMidi><Channel Value="16" /><NoteOrController Value="2" /></KeyMidi>
            <MidiControllerRange><Min Value="1" /><Max Value="-1" /></MidiControllerRange>
        </Panorama></VolumeAndPan></OriginalSimpler>
        <AudioEffectGroupDevice><Branches /></AudioEffectGroupDevice>
        <PluginDevice><On><Manual Value="false" /></On><PluginDesc><VstPluginInfo>
            <PlugName Value="Massive" /><UniqueId Value="1315523937" /><Preset><VstPreset><Name Value="Init" /></VstPreset></Preset>
        </VstPluginInfo></PluginDesc></PluginDevice>
    </Devices></MidiToAudioDeviceChain></DeviceChain>
    <BranchInfo><ReceivingNote Value="92" /><SendingNote Value="60" /><ChokeGroup Value="0" /></BranchInfo>
    <MixerDevice><Speaker><Manual Value="false" /></Speaker><Volume><Manual Value="0.5" /></Volume></MixerDevice>
</DrumBranch></Branches></DrumGroupDevice></Ableton>"#;

#[test]
fn a_rack_cut_out_of_a_set_is_read_too() {
    let Parsed { rack, warnings, .. } = parsed(SET_FORM.as_bytes());
    let codes: Vec<WarningCode> = warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [WarningCode::NoLiveVersion, WarningCode::SetForm]);
    assert_eq!(rack.ableton_version().as_deref(), Some("12.0"), "from the schema");
    assert_eq!(
        (rack.kind, rack.racks[0].name.as_str(), rack.totals.racks, rack.totals.depth),
        (Kind::Drum, "Kit", 2, 2)
    );
    let chain = &rack.chains[0];
    assert_eq!((chain.name.as_str(), chain.muted, chain.volume), ("Kick 1", true, Some(0.5)));
    assert_eq!(chain.pad.and_then(|pad| pad.note), Some(36));
    assert!(
        matches!(rack.items_of(0)[..], [Item::Device(simpler), Item::Rack(_), Item::Device(massive)]
        if simpler.name == "Simpler" && massive.name == "Massive" && !massive.on)
    );
    assert_eq!(rack.mappings.len(), 1);
    assert!(rack.mappings[0].inverted && rack.mappings[0].rack == Some(0));
}

#[test]
fn a_rack_names_what_it_needs_and_why() {
    use ingest::rack::Need;

    let needs = parsed(&everything().to_adg(&Format::LIVE_12.version("12.2b16")))
        .rack
        .requirements();
    assert_eq!(needs.live_version.map(|version| version.to_string()).as_deref(), Some("12.2"));
    assert_eq!(needs.edition_word(), "unknown", "most devices' editions are not known");
    let of = |need: Need| -> Vec<&str> {
        needs
            .reasons
            .iter()
            .filter(|reason| reason.needs == need)
            .map(|reason| reason.value.as_str())
            .collect()
    };
    assert_eq!(of(Need::LiveVersion), ["12.2"]);
    assert_eq!(
        of(Need::Plugin),
        ["LuSH-101", "Serum", "Analog Lab V", "VST2 1094795585 (AAAA)"]
    );
    assert_eq!(of(Need::Pack), ["Grand Piano", "Creative Extensions"]);
    assert_eq!(of(Need::MaxForLive).len(), 1);

    // A device whose edition is known for the Live that wrote it.
    let needs = parsed(&Device::new("Overdrive").to_adv(&Format::LIVE_9)).rack.requirements();
    assert_eq!(needs.edition_word(), "standard");
    let needs = parsed(&Device::new("Overdrive").to_adv(&Format::LIVE_12)).rack.requirements();
    assert_eq!(needs.edition_word(), "unknown");
}
