//! What a rack file says, as data: the public, stable JSON form of a parsed rack.
//!
//! The form is flat: racks, chains, devices, mappings and samples are five lists that refer to each other by position.
//! Racks nest as deep as producers like, while MariaDB refuses JSON deeper than 32 levels and MySQL deeper than 100; flat lists have the same
//! five levels for every rack, and are easier to count and search. [`ParsedRack::items_of`] gives a chain's content in order.
//!
//! Nothing here is a path: names that were paths have lost their folders (see `parse::privacy`).

mod requirements;
mod summary;

use config::LiveVersion;
use config::catalogue::{Category, PluginFormat};
use serde::{Deserialize, Serialize};

pub use requirements::{Need, Reason, Requirements};

/// A position in one of the lists of [`ParsedRack`].
pub type Index = u32;

/// Everything that was read from one rack or device preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParsedRack {
    /// A rack, or a single device's preset.
    pub form: Form,
    /// What the outermost rack, or the single device, does.
    pub kind: Kind,
    /// The Live that wrote the file.
    pub live: WrittenBy,
    /// Racks, the outermost first, each before those inside it. Empty for a device preset.
    pub racks: Vec<Rack>,
    /// Chains of all racks, return chains included, in the order of the file.
    pub chains: Vec<Chain>,
    /// Devices of all chains, plug-ins included, in the order of the file.
    pub devices: Vec<Device>,
    /// What the macros move.
    pub mappings: Vec<Mapping>,
    /// References to samples, one for each time that a device uses one.
    pub samples: Vec<Sample>,
    /// Packs that the file names.
    pub packs: Vec<Pack>,
    /// Counts of the above.
    pub totals: Totals,
}

/// Whether a file holds a rack or a single device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A rack (`.adg`).
    #[default]
    Rack,
    /// A single device's preset (`.adv`).
    Device,
}

impl Form {
    /// The word of the database column, such as `rack`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rack => "rack",
            Self::Device => "device",
        }
    }
}

/// What a rack does. A single device's preset has the kind of its device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An Audio Effect Rack.
    #[default]
    AudioEffect,
    /// An Instrument Rack.
    Instrument,
    /// A MIDI Effect Rack.
    MidiEffect,
    /// A Drum Rack.
    Drum,
}

impl Kind {
    /// The word of the database column, such as `audio_effect`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AudioEffect => "audio_effect",
            Self::Instrument => "instrument",
            Self::MidiEffect => "midi_effect",
            Self::Drum => "drum",
        }
    }

    /// What Live calls a rack of this kind.
    pub const fn rack_name(self) -> &'static str {
        match self {
            Self::AudioEffect => "Audio Effect Rack",
            Self::Instrument => "Instrument Rack",
            Self::MidiEffect => "MIDI Effect Rack",
            Self::Drum => "Drum Rack",
        }
    }

    /// The element of a rack of this kind.
    pub const fn element(self) -> &'static str {
        match self {
            Self::AudioEffect => "AudioEffectGroupDevice",
            Self::Instrument => "InstrumentGroupDevice",
            Self::MidiEffect => "MidiEffectGroupDevice",
            Self::Drum => "DrumGroupDevice",
        }
    }

    /// The kind of a rack's element, such as `DrumGroupDevice`.
    pub fn of_element(element: &str) -> Option<Self> {
        match element {
            "AudioEffectGroupDevice" => Some(Self::AudioEffect),
            "InstrumentGroupDevice" => Some(Self::Instrument),
            "MidiEffectGroupDevice" => Some(Self::MidiEffect),
            "DrumGroupDevice" => Some(Self::Drum),
            _ => None,
        }
    }
}

/// The Live that wrote a file, as its root element says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WrittenBy {
    /// The program, such as `Ableton Live 11.3.13`; tools write their own names.
    pub creator: Option<String>,
    /// The version of Live. From the creator, else from the schema, which is coarse: files of 11.1 to 11.3 say `11.0`.
    pub version: Option<LiveVersion>,
    /// Version of the file's schema, such as `11.0_11300`.
    pub schema: Option<String>,
    /// Number of changes to that schema.
    pub schema_changes: Option<u32>,
}

/// One rack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rack {
    /// What it does.
    pub kind: Kind,
    /// The chain that holds it; none for the outermost rack.
    pub chain: Option<Index>,
    /// Place among the devices and racks of that chain, from 0.
    pub position: u32,
    /// 1 for the outermost rack, 2 for racks in its chains, and so on.
    pub depth: u32,
    /// Name that was typed in; often that of an earlier save.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Info text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub annotation: String,
    /// Whether it is switched on.
    pub on: bool,
    /// Macros stored: 8 up to Live 10, 16 since.
    pub macro_slots: u32,
    /// Macros shown, 8 where the file does not say (up to Live 10).
    pub macros_visible: u32,
    /// The macros in use: named, mapped, coloured, explained or moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub macros: Vec<Macro>,
    /// Stored sets of macro values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variations: Vec<Variation>,
    /// Position of the chain selector, 0 to 127.
    pub chain_selector: Option<f64>,
    /// Whether the content carries Ableton's lock, as racks built on purchased content often do.
    #[serde(skip_serializing_if = "is_false")]
    pub locked: bool,
}

/// One macro control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Macro {
    /// Number, from 0.
    pub index: u32,
    /// Its name; `Macro 1` and so on where nobody named it.
    pub name: String,
    /// Whether somebody named it.
    pub named: bool,
    /// How many parameters it moves.
    pub mappings: u32,
    /// Position, 0 to 127.
    pub value: Option<f64>,
    /// Position that a double click restores; none where it was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<f64>,
    /// Number in Live's palette: of its version 11 and later, or of the smaller palette before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<i32>,
    /// Info text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub annotation: String,
    /// Left alone by the rack's randomize button.
    #[serde(skip_serializing_if = "is_false")]
    pub excluded_from_randomization: bool,
    /// Left alone by variations.
    #[serde(skip_serializing_if = "is_false")]
    pub excluded_from_variations: bool,
}

/// One stored set of macro values (Live 11 and later).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variation {
    /// Its name.
    pub name: String,
    /// Value of each macro, 0 to 127; null where it stores none.
    pub values: Vec<Option<f64>>,
}

/// One chain of a rack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chain {
    /// The rack that it belongs to.
    pub rack: Index,
    /// Place among the chains of that rack, or among its return chains, from 0.
    pub position: u32,
    /// Whether it is a return chain.
    #[serde(rename = "return", skip_serializing_if = "is_false")]
    pub is_return: bool,
    /// Name that was typed in; empty is usual.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Name to show: its own, else that of its first device or rack.
    pub label: String,
    /// Number in Live's palette: of its version 11 and later, or of the smaller palette before.
    pub colour: Option<i32>,
    /// Whether solo is on.
    #[serde(skip_serializing_if = "is_false")]
    pub soloed: bool,
    /// Whether the chain's activator is off.
    #[serde(skip_serializing_if = "is_false")]
    pub muted: bool,
    /// Volume as a linear factor; 1 is 0 dB.
    pub volume: Option<f64>,
    /// Panorama, -1 (left) to 1 (right).
    pub pan: Option<f64>,
    /// Levels of the sends to the rack's return chains, as linear factors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sends: Vec<f64>,
    /// Positions of the chain selector at which it sounds, 0 to 127.
    pub selector_zone: Option<Zone>,
    /// Keys that it answers to, 0 to 127; not for audio effects and drum pads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_zone: Option<Zone>,
    /// Velocities that it answers to, 1 to 127; not for audio effects and drum pads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity_zone: Option<Zone>,
    /// The drum pad that plays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad: Option<Pad>,
}

/// A range with fades: full between `min + (fade)` and `max`, silent outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Zone {
    /// Lowest value.
    pub min: i32,
    /// Highest value.
    pub max: i32,
    /// Where the fade-in ends; `min` without a fade.
    pub fade_min: i32,
    /// Where the fade-out begins; `max` without a fade.
    pub fade_max: i32,
}

/// How a chain of a drum rack is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pad {
    /// MIDI note that plays it, 36 for the C1 of most kits; none for "All Notes". The file stores 128 minus the note.
    pub note: Option<u8>,
    /// MIDI note that the chain receives.
    pub sending_note: Option<u8>,
    /// Group whose pads cut each other off; none for no group.
    pub choke_group: Option<u8>,
}

/// Where a device comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Part of Live.
    #[default]
    Native,
    /// A Max for Live device.
    MaxForLive,
    /// A VST 2 plug-in.
    Vst2,
    /// A VST 3 plug-in.
    Vst3,
    /// An Audio Unit.
    Au,
}

/// One device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// The chain that holds it; none in a device preset.
    pub chain: Option<Index>,
    /// Place among the devices and racks of that chain, from 0.
    pub position: u32,
    /// The element of the file, such as `Eq8`.
    pub element: String,
    /// The name that people know, such as `EQ Eight`: of a Max for Live device the name of its file, of a plug-in its own name
    /// or else its identifier. An element that is not in the catalogue stands for itself.
    pub name: String,
    /// Title that was typed in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub custom_name: String,
    /// What it does, where known.
    pub category: Option<Category>,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it is switched on.
    pub on: bool,
    /// Facts of a plug-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Plugin>,
    /// Facts of a Max for Live device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_device: Option<MaxDevice>,
}

/// A third-party plug-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// VST 2, VST 3 or Audio Unit.
    pub format: PluginFormat,
    /// Identifier: decimal for VST 2, 32 hexadecimal digits for VST 3, `type/subtype/manufacturer` for Audio Units.
    pub id: String,
    /// The VST 2 identifier as four characters, where they are printable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub four_cc: Option<String>,
    /// Name, where the file or the catalogue knows it.
    pub name: Option<String>,
    /// Maker, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Name of the plug-in's own preset, where stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preset: String,
}

/// A Max for Live device's file. The rack refers to it and does not hold it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaxDevice {
    /// File name with its ending, such as `LFO.amxd`.
    pub file: String,
    /// Whether it ships with Live.
    pub built_in: bool,
    /// The pack that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
}

/// One parameter that a macro moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapping {
    /// The rack whose macro it is; none where a tool mapped something that no rack holds.
    pub rack: Option<Index>,
    /// Number of the macro, from 0.
    #[serde(rename = "macro")]
    pub macro_index: u32,
    /// What it moves.
    pub target: Target,
    /// Path of the parameter inside the target, such as `Bands.3/ParameterA/Freq`; empty where the target says it all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parameter: String,
    /// Name of the parameter, where the file holds one (Max for Live).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_name: Option<String>,
    /// Value at the macro's lowest position; larger than `max` where the mapping is inverted.
    pub min: Option<f64>,
    /// Value at the macro's highest position.
    pub max: Option<f64>,
    /// What `min` and `max` are measured in.
    pub range: RangeUnit,
    /// Whether the parameter falls while the macro rises.
    #[serde(skip_serializing_if = "is_false")]
    pub inverted: bool,
}

/// What the two ends of a mapping are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RangeUnit {
    /// The parameter's own unit.
    #[default]
    Parameter,
    /// Positions of the macro, 0 to 127, between which a switch is on.
    Macro,
    /// The file gives no range: lists of choices are always covered whole.
    Whole,
}

/// What a macro moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// A parameter of a native or Max for Live device.
    Device {
        /// The device.
        device: Index,
    },
    /// A parameter of a plug-in, whose name the file does not hold.
    PluginParameter {
        /// The plug-in.
        device: Index,
        /// Place in the plug-in's list of parameters.
        index: i64,
        /// Identifier that the plug-in gave it.
        id: i64,
    },
    /// A plug-in's switch.
    PluginOn {
        /// The plug-in.
        device: Index,
    },
    /// The mixer of a chain: volume, panorama, sends, activator.
    ChainMixer {
        /// The chain.
        chain: Index,
    },
    /// A macro of a nested rack.
    Macro {
        /// The nested rack.
        rack: Index,
        /// Number of its macro, from 0.
        index: u32,
    },
    /// The switch of a nested rack.
    RackOn {
        /// The nested rack.
        rack: Index,
    },
    /// A rack's chain selector, moved by that rack's own macro.
    ChainSelector {
        /// The rack.
        rack: Index,
    },
    /// Another parameter of a rack.
    Rack {
        /// The rack.
        rack: Index,
    },
    /// Something that no rack or device holds.
    #[default]
    Unknown,
}

/// One reference to a sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// The device that plays it.
    pub device: Option<Index>,
    /// File name without folders; empty where the reference is empty.
    pub name: String,
    /// The pack that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// Whether it ships with Live.
    #[serde(skip_serializing_if = "is_false")]
    pub built_in: bool,
}

/// A pack that the file names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pack {
    /// Its name.
    pub name: String,
    /// Its identifier at Ableton, such as `www.ableton.com/285`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Samples of the rack that belong to it.
    pub samples: u32,
    /// Max for Live devices of the rack that belong to it.
    pub devices: u32,
    /// Whether the rack needs it to sound: it does when samples or devices belong to it, and not when a preset merely came from it.
    pub required: bool,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Racks, nested ones included.
    pub racks: u32,
    /// Levels of racks: 1 without nested ones, 0 for a device preset.
    pub depth: u32,
    /// Chains of all racks, return chains included.
    pub chains: u32,
    /// Chains of the outermost rack, return chains not included.
    pub top_chains: u32,
    /// Return chains of all racks.
    pub return_chains: u32,
    /// Devices, plug-ins included, nested racks and chain mixers not.
    pub devices: u32,
    /// Plug-ins.
    pub plugins: u32,
    /// Macro mappings, switches of plug-ins not included.
    pub mappings: u32,
    /// References to samples.
    pub samples: u32,
    /// Variations of all racks.
    pub variations: u32,
}

/// A device or a nested rack in a chain.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A device.
    Device(&'a Device),
    /// A nested rack.
    Rack(&'a Rack),
}

impl ParsedRack {
    /// The outermost rack; none in a device preset.
    pub fn outermost(&self) -> Option<&Rack> {
        self.racks.first()
    }

    /// Devices and nested racks of a chain, in order.
    pub fn items_of(&self, chain: Index) -> Vec<Item<'_>> {
        let devices = self.devices.iter().filter(|device| device.chain == Some(chain));
        let racks = self.racks.iter().filter(|rack| rack.chain == Some(chain));
        let mut items: Vec<(u32, Item<'_>)> = devices
            .map(|device| (device.position, Item::Device(device)))
            .chain(racks.map(|rack| (rack.position, Item::Rack(rack))))
            .collect();
        items.sort_by_key(|(position, _)| *position);
        items.into_iter().map(|(_, item)| item).collect()
    }
}

/// For `skip_serializing_if`, which hands over a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}
