//! Builds real rack files from a small description, in the forms that Live 8 to 12 write.
//!
//! Tests and the demo community make their racks with it: the bytes go through the same doors as anyone's. The same description always
//! gives the same bytes. It writes what Live writes as far as public files show it: the same elements in the same order, tabs, ` />`,
//! either line ending, gzip without a name or time. What a device itself stores is left out but for the parameters that are given, so that
//! Live would fill in defaults; no claim is made that Live opens these files.
//!
//! ```
//! use ingest::builder::{Chain, Device, Format, Macro, Rack};
//! use ingest::rack::Kind;
//!
//! let rack = Rack::new(Kind::AudioEffect)
//!     .name("Dub Space")
//!     .macro_control(Macro::new("Size").value(64.0))
//!     .chain(
//!         Chain::new()
//!             .name("Wet")
//!             .device(Device::new("Reverb").mapped("RoomSize", 0, 0.2, 500.0)),
//!     );
//! let bytes = rack.to_adg(&Format::LIVE_11);
//! let limits = ingest::Limits::from(&config::Settings::defaults()?.parser);
//! let parsed = ingest::parse(&bytes, &limits)?;
//! assert_eq!(parsed.rack.devices[0].name, "Reverb");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device;
mod format;
mod rack;
mod xml;

pub use format::{Format, LineEnd};

use crate::rack::{Kind, Pad, Zone};
use config::catalogue::PluginFormat;

/// A rack to be written.
#[derive(Clone, Debug)]
pub struct Rack {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) annotation: String,
    pub(crate) on: bool,
    pub(crate) visible_macros: u32,
    pub(crate) macros: Vec<Macro>,
    pub(crate) variations: Vec<(String, Vec<Option<f64>>)>,
    pub(crate) chain_selector: f64,
    pub(crate) chain_selector_macro: Option<u8>,
    pub(crate) locked: bool,
    pub(crate) chains: Vec<Chain>,
    pub(crate) return_chains: Vec<Chain>,
}

/// A macro control to be written.
#[derive(Clone, Debug, Default)]
pub struct Macro {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) default: Option<f64>,
    pub(crate) colour: Option<i32>,
    pub(crate) annotation: String,
    pub(crate) moved_by: Option<Mapped>,
    pub(crate) excluded: bool,
}

/// A mapping to be written: a macro and the range that it covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapped {
    pub(crate) macro_index: u8,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// A chain to be written.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    pub(crate) name: String,
    pub(crate) colour: Option<i32>,
    pub(crate) soloed: bool,
    pub(crate) muted: bool,
    pub(crate) volume: Option<f64>,
    pub(crate) volume_macro: Option<Mapped>,
    pub(crate) pan: f64,
    pub(crate) sends: Vec<f64>,
    pub(crate) selector_zone: Option<Zone>,
    pub(crate) key_zone: Option<Zone>,
    pub(crate) velocity_zone: Option<Zone>,
    pub(crate) pad: Option<Pad>,
    pub(crate) source: String,
    pub(crate) items: Vec<Item>,
}

/// What a chain holds.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Device(Device),
    Plugin(Plugin),
    Rack(Rack),
}

/// A native or Max for Live device to be written.
#[derive(Clone, Debug, Default)]
pub struct Device {
    pub(crate) element: String,
    pub(crate) custom_name: String,
    pub(crate) off: bool,
    pub(crate) on_macro: Option<u8>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) max_file: Option<File>,
    pub(crate) max_parameters: Vec<(String, Mapped)>,
    pub(crate) samples: Vec<File>,
}

/// A parameter of a device.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) path: String,
    pub(crate) value: f64,
    pub(crate) mapped: Option<Mapped>,
}

/// A reference to a file: where its author had it, and the pack that it belongs to.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub(crate) path: String,
    pub(crate) pack: String,
    pub(crate) pack_id: String,
    pub(crate) built_in: bool,
}

/// A third-party plug-in to be written.
#[derive(Clone, Debug)]
pub struct Plugin {
    pub(crate) format: PluginFormat,
    /// VST 2: one number. VST 3: four. Audio Unit: type, subtype, manufacturer.
    pub(crate) id: Vec<u32>,
    pub(crate) off: bool,
    pub(crate) preset: String,
    pub(crate) parameters: Vec<(i64, Option<Mapped>)>,
    pub(crate) on_macro: Option<u8>,
    pub(crate) state_bytes: usize,
}

impl Rack {
    /// An empty rack.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            name: String::new(),
            annotation: String::new(),
            on: true,
            visible_macros: 8,
            macros: Vec::new(),
            variations: Vec::new(),
            chain_selector: 0.0,
            chain_selector_macro: None,
            locked: false,
            chains: Vec::new(),
            return_chains: Vec::new(),
        }
    }

    /// Sets the rack's name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the info text.
    #[must_use]
    pub fn annotation(mut self, text: &str) -> Self {
        text.clone_into(&mut self.annotation);
        self
    }

    /// Switches the rack off.
    #[must_use]
    pub fn off(mut self) -> Self {
        self.on = false;
        self
    }

    /// Sets how many macros are shown (Live 11 and later).
    #[must_use]
    pub fn visible_macros(mut self, number: u32) -> Self {
        self.visible_macros = number;
        self
    }

    /// Adds the next macro.
    #[must_use]
    pub fn macro_control(mut self, control: Macro) -> Self {
        self.macros.push(control);
        self
    }

    /// Adds a variation (Live 11 and later): a value for each macro, from the first.
    #[must_use]
    pub fn variation(mut self, name: &str, values: &[Option<f64>]) -> Self {
        self.variations.push((name.to_owned(), values.to_vec()));
        self
    }

    /// Sets the chain selector, 0 to 127.
    #[must_use]
    pub fn chain_selector(mut self, position: f64) -> Self {
        self.chain_selector = position;
        self
    }

    /// Lets one of the rack's own macros move its chain selector.
    #[must_use]
    pub fn chain_selector_moved_by(mut self, macro_index: u8) -> Self {
        self.chain_selector_macro = Some(macro_index);
        self
    }

    /// Marks the content as locked by Ableton.
    #[must_use]
    pub fn locked(mut self) -> Self {
        self.locked = true;
        self
    }

    /// Adds a chain.
    #[must_use]
    pub fn chain(mut self, chain: Chain) -> Self {
        self.chains.push(chain);
        self
    }

    /// Adds a return chain.
    #[must_use]
    pub fn return_chain(mut self, chain: Chain) -> Self {
        self.return_chains.push(chain);
        self
    }

    /// The rack as a file that Live would save.
    pub fn to_adg(&self, format: &Format) -> Vec<u8> {
        format.pack(&self.to_xml(format))
    }

    /// The rack's XML.
    pub fn to_xml(&self, format: &Format) -> String {
        format.document(|xml| rack::write_rack(xml, self, false))
    }
}

impl Macro {
    /// A macro with a name. An empty name is Live's own: `Macro 1` and so on.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Sets its position, 0 to 127.
    #[must_use]
    pub fn value(mut self, value: f64) -> Self {
        self.value = value;
        self
    }

    /// Sets the position that a double click restores (Live 9 and later).
    #[must_use]
    pub fn default_value(mut self, value: f64) -> Self {
        self.default = Some(value);
        self
    }

    /// Sets its colour: a number in Live's palette.
    #[must_use]
    pub fn colour(mut self, number: i32) -> Self {
        self.colour = Some(number);
        self
    }

    /// Sets its info text.
    #[must_use]
    pub fn annotation(mut self, text: &str) -> Self {
        text.clone_into(&mut self.annotation);
        self
    }

    /// Leaves it out of randomization and variations (Live 11 and later).
    #[must_use]
    pub fn excluded(mut self) -> Self {
        self.excluded = true;
        self
    }

    /// Lets a macro of the rack around move it.
    #[must_use]
    pub fn moved_by(mut self, macro_index: u8, min: f64, max: f64) -> Self {
        self.moved_by = Some(Mapped { macro_index, min, max });
        self
    }
}

impl Chain {
    /// An empty chain.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets its name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets its colour: a number in Live's palette.
    #[must_use]
    pub fn colour(mut self, number: i32) -> Self {
        self.colour = Some(number);
        self
    }

    /// Turns solo on.
    #[must_use]
    pub fn soloed(mut self) -> Self {
        self.soloed = true;
        self
    }

    /// Turns its activator off.
    #[must_use]
    pub fn muted(mut self) -> Self {
        self.muted = true;
        self
    }

    /// Sets volume (a linear factor) and panorama (-1 to 1).
    #[must_use]
    pub fn mix(mut self, volume: f64, pan: f64) -> Self {
        self.volume = Some(volume);
        self.pan = pan;
        self
    }

    /// Lets a macro move the volume.
    #[must_use]
    pub fn volume_moved_by(mut self, macro_index: u8, min: f64, max: f64) -> Self {
        self.volume_macro = Some(Mapped { macro_index, min, max });
        self
    }

    /// Adds the level of the next send, a linear factor.
    #[must_use]
    pub fn send(mut self, level: f64) -> Self {
        self.sends.push(level);
        self
    }

    /// Sets the positions of the chain selector at which it sounds.
    #[must_use]
    pub fn selector_zone(mut self, zone: Zone) -> Self {
        self.selector_zone = Some(zone);
        self
    }

    /// Sets the keys that it answers to.
    #[must_use]
    pub fn key_zone(mut self, zone: Zone) -> Self {
        self.key_zone = Some(zone);
        self
    }

    /// Sets the velocities that it answers to.
    #[must_use]
    pub fn velocity_zone(mut self, zone: Zone) -> Self {
        self.velocity_zone = Some(zone);
        self
    }

    /// Sets the drum pad that plays it, in drum racks; without one, a chain there answers to all notes.
    #[must_use]
    pub fn pad(mut self, pad: Pad) -> Self {
        self.pad = Some(pad);
        self
    }

    /// Sets where it was dragged from, in the notation of Live's browser, such as `device:vst:instr:1397240113?n=LuSH-101`.
    #[must_use]
    pub fn dragged_from(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    /// Adds a device.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.items.push(Item::Device(device));
        self
    }

    /// Adds a plug-in.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.items.push(Item::Plugin(plugin));
        self
    }

    /// Adds a nested rack.
    #[must_use]
    pub fn rack(mut self, rack: Rack) -> Self {
        self.items.push(Item::Rack(rack));
        self
    }
}

impl Device {
    /// A device of Live by its element, such as `Eq8`.
    pub fn new(element: &str) -> Self {
        Self {
            element: element.to_owned(),
            ..Self::default()
        }
    }

    /// A Max for Live device: one of the frames `MxDeviceAudioEffect`, `MxDeviceInstrument`, `MxDeviceMidiEffect`, and its file.
    pub fn max(element: &str, file: File) -> Self {
        Self {
            max_file: Some(file),
            ..Self::new(element)
        }
    }

    /// Sets its title.
    #[must_use]
    pub fn custom_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.custom_name);
        self
    }

    /// Switches it off.
    #[must_use]
    pub fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Lets a macro switch it.
    #[must_use]
    pub fn switched_by(mut self, macro_index: u8) -> Self {
        self.on_macro = Some(macro_index);
        self
    }

    /// Adds a parameter with its value; its path has slashes between elements.
    #[must_use]
    pub fn parameter(mut self, path: &str, value: f64) -> Self {
        self.parameters.push(Parameter {
            path: path.to_owned(),
            value,
            mapped: None,
        });
        self
    }

    /// Adds a parameter that a macro moves from `min` to `max`, or downwards where `min` is the larger.
    #[must_use]
    pub fn mapped(mut self, path: &str, macro_index: u8, min: f64, max: f64) -> Self {
        self.parameters.push(Parameter {
            path: path.to_owned(),
            value: min,
            mapped: Some(Mapped { macro_index, min, max }),
        });
        self
    }

    /// Adds a parameter of a Max for Live device that a macro moves, by its real name.
    #[must_use]
    pub fn max_mapped(mut self, name: &str, macro_index: u8, min: f64, max: f64) -> Self {
        self.max_parameters.push((name.to_owned(), Mapped { macro_index, min, max }));
        self
    }

    /// Adds a sample that it plays.
    #[must_use]
    pub fn sample(mut self, file: File) -> Self {
        self.samples.push(file);
        self
    }

    /// The device as a preset file that Live would save.
    pub fn to_adv(&self, format: &Format) -> Vec<u8> {
        format.pack(&self.to_xml(format))
    }

    /// The preset's XML.
    pub fn to_xml(&self, format: &Format) -> String {
        format.document(|xml| device::write_device(xml, self, false))
    }
}

impl File {
    /// A file of the author's, by its path.
    pub fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// A file that ships with Live.
    pub fn built_in(path: &str) -> Self {
        Self {
            built_in: true,
            ..Self::at(path)
        }
    }

    /// Says which pack it belongs to; the id is Ableton's, such as `www.ableton.com/285`.
    #[must_use]
    pub fn in_pack(mut self, name: &str, id: &str) -> Self {
        name.clone_into(&mut self.pack);
        id.clone_into(&mut self.pack_id);
        self
    }
}

impl Plugin {
    fn new(format: PluginFormat, id: &[u32]) -> Self {
        Self {
            format,
            id: id.to_vec(),
            off: false,
            preset: String::new(),
            parameters: Vec::new(),
            on_macro: None,
            state_bytes: 64,
        }
    }

    /// A VST 2 plug-in by its number.
    pub fn vst2(unique_id: u32) -> Self {
        Self::new(PluginFormat::Vst2, &[unique_id])
    }

    /// A VST 3 plug-in by its class id.
    pub fn vst3(class_id: [u32; 4]) -> Self {
        Self::new(PluginFormat::Vst3, &class_id)
    }

    /// An Audio Unit by type, subtype and manufacturer, four characters each, such as `aumu`, `Alav`, `Artu`.
    pub fn audio_unit(kind: [u8; 4], subtype: [u8; 4], manufacturer: [u8; 4]) -> Self {
        Self::new(PluginFormat::Au, &[kind, subtype, manufacturer].map(u32::from_be_bytes))
    }

    /// Switches it off.
    #[must_use]
    pub fn off(mut self) -> Self {
        self.off = true;
        self
    }

    /// Lets a macro switch it.
    #[must_use]
    pub fn switched_by(mut self, macro_index: u8) -> Self {
        self.on_macro = Some(macro_index);
        self
    }

    /// Sets the name of its own preset.
    #[must_use]
    pub fn preset(mut self, name: &str) -> Self {
        name.clone_into(&mut self.preset);
        self
    }

    /// Adds a parameter by its number that a macro moves.
    #[must_use]
    pub fn mapped(mut self, parameter_id: i64, macro_index: u8, min: f64, max: f64) -> Self {
        self.parameters.push((parameter_id, Some(Mapped { macro_index, min, max })));
        self
    }

    /// Sets the size of its stored state, in bytes.
    #[must_use]
    pub fn state_bytes(mut self, bytes: usize) -> Self {
        self.state_bytes = bytes;
        self
    }
}
