//! The facts of a parsed rack that search and requirements need, small enough to read a thousand at a time.
//!
//! `ingest` writes it beside the whole rack (`parsed_racks.summary`), `indexer` reads it: the two do not know each other.
//! A new field needs `#[serde(default)]`, so that rows written earlier still read.

use serde::{Deserialize, Serialize};

/// Summary of one parsed rack or device preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RackSummary {
    /// Distinct devices, in order of first appearance.
    pub devices: Vec<DeviceSummary>,
    /// Distinct plug-ins, in order of first appearance.
    pub plugins: Vec<PluginSummary>,
    /// Names that somebody gave to macros, distinct, outermost rack first.
    pub macro_names: Vec<String>,
    /// Names that somebody gave to chains, distinct.
    pub chain_names: Vec<String>,
    /// The rack's own info text.
    pub annotation: String,
    /// Packs whose content it refers to.
    pub packs: Vec<String>,
    /// Chains, nested and return chains included.
    pub chains: u32,
    /// Devices, plug-ins included, nested racks and chain mixers not.
    pub device_count: u32,
    /// Macro mappings.
    pub mappings: u32,
    /// Macros in use: named or mapped.
    pub macros: u32,
    /// Sample references.
    pub samples: u32,
    /// Levels of racks, 1 for a rack without nested ones.
    pub depth: u32,
}

/// Where a device comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOrigin {
    /// Part of Live.
    Native,
    /// A Max for Live device.
    MaxForLive,
    /// A third-party plug-in.
    Plugin,
}

impl RackSummary {
    /// Names of the devices to group by, each once, in alphabetical order.
    pub fn into_device_names(self) -> Vec<String> {
        let devices = self.devices.into_iter();
        let mut names: Vec<String> = devices
            .map(|device| if device.facet.is_empty() { device.name } else { device.facet })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// One distinct native or Max for Live device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// Name of the element in the file, such as `Eq8`.
    pub element: String,
    /// Name that people know, such as `EQ Eight`; of a Max for Live device, its file's name without `.amxd`.
    pub name: String,
    /// Name to group by: the same for the old and the new element of one device, such as `Auto Pan` of an `Auto Pan-Tremolo`.
    #[serde(default)]
    pub facet: String,
    /// Where it comes from.
    pub origin: DeviceOrigin,
    /// `instrument`, `audio_effect` or `midi_effect`; empty where unknown.
    pub category: String,
    /// How many times the rack holds it.
    pub count: u32,
}

/// One distinct plug-in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginSummary {
    /// `vst2`, `vst3` or `au`.
    pub format: String,
    /// Identifier in the format's own notation.
    pub id: String,
    /// Name, where it is known; never guessed.
    pub name: Option<String>,
    /// Maker, where it is known.
    pub vendor: Option<String>,
    /// How many times the rack holds it.
    pub count: u32,
}
