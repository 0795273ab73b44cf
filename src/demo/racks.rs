//! The files behind the demo's workflows: racks as their recipes say, each a little different.

use config::catalogue;
use ingest::builder::{Chain, Device, File, Format, Macro, Plugin, Rack};
use ingest::rack::{Kind, Pad};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::community::Workflow;

/// Pads of a kit: MIDI note, name, and the sample that it plays.
const PADS: &[(u8, &str, &str)] = &[
    (36, "Kick", "Kick 01.wav"),
    (37, "Rim", "Rim 02.wav"),
    (38, "Snare", "Snare 04.wav"),
    (39, "Clap", "Clap 01.wav"),
    (42, "Closed Hat", "Hat Closed 03.wav"),
    (46, "Open Hat", "Hat Open 01.wav"),
    (41, "Low Tom", "Tom Low.wav"),
    (49, "Crash", "Crash 02.wav"),
];

/// The hats cut each other off, as on most drum machines.
const HATS: std::ops::RangeInclusive<u8> = 42..=46;

/// Names of parallel chains.
const CHAIN_NAMES: &[&str] = &["Dry", "Wet", "Parallel", "Low", "High", "Clean", "Crushed"];

/// VST 2 numbers of plug-ins that many producers own (names in `config/plugins.toml`: Serum, Massive, LuSH-101).
const PLUGINS: &[u32] = &[1_483_109_208, 1_315_523_937, 1_397_240_113];

/// Max for Live devices by frame and file.
const MAX_DEVICES: &[(&str, &str)] = &[
    ("MxDeviceAudioEffect", "LFO.amxd"),
    ("MxDeviceAudioEffect", "Shaper.amxd"),
    ("MxDeviceMidiEffect", "Note Echo.amxd"),
];

/// The rack of a workflow, as the bytes of a file.
pub(super) fn file(workflow: &Workflow) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(workflow.variant));
    let recipe = workflow.recipe;
    let kind = match recipe.kind {
        "audio_effect" => Kind::AudioEffect,
        "midi_effect" => Kind::MidiEffect,
        "drum" => Kind::Drum,
        _ => Kind::Instrument,
    };
    let mut rack = Rack::new(kind).name(&workflow.title).annotation(recipe.purpose);
    for name in recipe.macros {
        rack = rack.macro_control(Macro::new(name).value(f64::from(rng.random_range(0_u8..=127))));
    }
    if kind == Kind::Drum {
        for (note, name, sample) in PADS {
            rack = rack.chain(pad(&mut rng, recipe.devices, *note, name, sample));
        }
    } else {
        rack = rack.chain(chain(&mut rng, kind, recipe.devices, CHAIN_NAMES[0]));
        for name in &CHAIN_NAMES[1..] {
            if rng.random_bool(0.15) {
                rack = rack.chain(chain(&mut rng, kind, recipe.devices, name));
            }
        }
    }
    rack.to_adg(&format_for(&mut rng, recipe.devices))
}

/// A chain with most of the recipe's devices, some of them mapped, and now and then something that not everybody owns.
fn chain(rng: &mut ChaCha8Rng, kind: Kind, elements: &[&str], name: &str) -> Chain {
    let mut chain = Chain::new()
        .name(name)
        .mix(1.0, f64::from(rng.random_range(-10_i8..=10)) / 10.0);
    if kind == Kind::Instrument && rng.random_bool(0.08) {
        chain = chain.plugin(Plugin::vst2(PLUGINS[rng.random_range(0..PLUGINS.len())]));
    } else if let Some(first) = elements.first() {
        chain = chain.device(device(rng, first, 0));
    }
    for (element, index) in elements.iter().zip(0_u8..).skip(1) {
        if rng.random_bool(0.85) {
            chain = chain.device(device(rng, element, index));
        }
    }
    if kind == Kind::AudioEffect && rng.random_bool(0.1) {
        let (frame, file) = MAX_DEVICES[rng.random_range(0..2)];
        chain = chain.device(Device::max(frame, File::built_in(file)));
    }
    if kind == Kind::MidiEffect && rng.random_bool(0.2) {
        let (frame, file) = MAX_DEVICES[2];
        chain = chain.device(Device::max(frame, File::built_in(file)));
    }
    chain
}

fn pad(rng: &mut ChaCha8Rng, elements: &[&str], note: u8, name: &str, sample: &str) -> Chain {
    let choke_group = HATS.contains(&note).then_some(1);
    let mut chain = Chain::new().name(name).pad(Pad {
        note: Some(note),
        sending_note: Some(60),
        choke_group,
    });
    for (element, index) in elements.iter().zip(0_u8..) {
        let mut device = device(rng, element, index);
        if index == 0 {
            device = device.sample(File::at(sample));
        }
        chain = chain.device(device);
    }
    chain
}

/// A device with one of its parameters on the macro of the same number.
fn device(rng: &mut ChaCha8Rng, element: &str, index: u8) -> Device {
    let device = Device::new(element).parameter("Level", f64::from(rng.random_range(0_u16..=1000)) / 1000.0);
    if index < 4 {
        device.mapped("Amount", index, 0.0, f64::from(rng.random_range(50_u8..=100)) / 100.0)
    } else {
        device
    }
}

/// A version of Live that has all devices: the oldest such, or a newer one.
fn format_for(rng: &mut ChaCha8Rng, elements: &[&str]) -> Format {
    let needed = elements
        .iter()
        .filter_map(|element| catalogue::device(element)?.first_live.as_ref())
        .map(|live| live.major)
        .max();
    let oldest = usize::from(needed.unwrap_or(9)).clamp(9, 12) - 8;
    Format::ALL[rng.random_range(oldest..Format::ALL.len())].clone()
}

#[cfg(test)]
mod tests {
    use super::super::community::{Community, Size};
    use super::*;

    #[test]
    fn every_rack_parses_and_is_of_its_recipes_kind() {
        let limits = ingest::Limits::from(&config::Settings::defaults().unwrap().parser);
        let community = Community::generate(Size {
            users: 20,
            workflows: 200,
            days: 60,
            views: 10,
        });
        let mut hashes = std::collections::HashSet::new();
        for workflow in &community.workflows {
            let parsed = ingest::parse(&file(workflow), &limits).unwrap();
            assert!(parsed.warnings.is_empty(), "{}: {:?}", workflow.title, parsed.warnings);
            assert_eq!(parsed.rack.kind.as_str(), workflow.recipe.kind);
            assert!(hashes.insert(parsed.content_hash), "{} is written twice", workflow.title);
        }
    }
}
