//! What is known about Live's devices and about plug-ins: `config/devices.toml` and `config/plugins.toml`, compiled in.
//!
//! This is not the place for guesses: what the tables do not hold is unknown, and callers show the element or identifier itself.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::LiveVersion;

const DEVICES: &str = include_str!("../devices.toml");
const PLUGINS: &str = include_str!("../plugins.toml");

/// What a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Sound in, sound out.
    AudioEffect,
    /// Notes in, sound out.
    Instrument,
    /// Notes in, notes out.
    MidiEffect,
    /// A container of chains.
    Rack,
}

impl Category {
    /// The word of the file and the database, such as `audio_effect`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AudioEffect => "audio_effect",
            Self::Instrument => "instrument",
            Self::MidiEffect => "midi_effect",
            Self::Rack => "rack",
        }
    }
}

/// The editions of Live, cheapest first. Live Lite is left out: it is not sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// Live Intro.
    Intro,
    /// Live Standard.
    Standard,
    /// Live Suite.
    Suite,
}

impl Edition {
    /// The word of the file and the database, such as `suite`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intro => "intro",
            Self::Standard => "standard",
            Self::Suite => "suite",
        }
    }
}

/// One of Live's own devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// What Live's browser calls it.
    pub name: String,
    /// What it does.
    pub category: Category,
    /// The name that search groups it under, where that is not `name`.
    facet: Option<String>,
    /// The element that takes its place in newer versions of Live.
    pub newer: Option<String>,
    /// Whether it is a frame for a Max for Live device.
    #[serde(default)]
    pub max_for_live: bool,
    /// The release that brought it; `None` is unknown.
    pub first_live: Option<LiveVersion>,
    /// Major versions of Live in whose files it was seen.
    #[serde(default)]
    pub seen: Vec<u16>,
    /// Major version of Live to the cheapest edition that holds it there.
    #[serde(default)]
    editions: BTreeMap<String, Edition>,
    /// Where `first_live` and `editions` are taken from: keys of `[sources]` in the file.
    #[serde(default)]
    pub sources: Vec<String>,
}

impl Device {
    /// The name that search groups it under: the same for the old and the new element of one device.
    pub fn facet(&self) -> &str {
        self.facet.as_deref().unwrap_or(&self.name)
    }

    /// The cheapest edition of a major version of Live that holds it; `None` is unknown, never "any".
    pub fn edition(&self, live_major: u16) -> Option<Edition> {
        self.editions.get(&live_major.to_string()).copied()
    }
}

/// A third-party plug-in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The name that its maker gave it.
    pub name: String,
    /// Its maker, where known.
    pub vendor: Option<String>,
}

/// The plug-in formats that Live hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginFormat {
    /// Steinberg's VST 2.
    Vst2,
    /// Steinberg's VST 3.
    Vst3,
    /// Apple's Audio Units.
    Au,
}

impl PluginFormat {
    /// The word of the file and the database, such as `vst3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vst2 => "vst2",
            Self::Vst3 => "vst3",
            Self::Au => "au",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceFile {
    devices: BTreeMap<String, Device>,
    #[serde(default)]
    sources: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginFile {
    vst2: BTreeMap<String, Plugin>,
    vst3: BTreeMap<String, Plugin>,
    au: BTreeMap<String, Plugin>,
}

// Both files are compiled in and a test reads them, so that the empty tables of `unwrap_or_default` are never seen.
static DEVICE_FILE: LazyLock<DeviceFile> = LazyLock::new(|| toml::from_str(DEVICES).unwrap_or_default());
static PLUGIN_FILE: LazyLock<PluginFile> = LazyLock::new(|| toml::from_str(PLUGINS).unwrap_or_default());

/// The device that an element stands for.
pub fn device(element: &str) -> Option<&'static Device> {
    DEVICE_FILE.devices.get(element)
}

/// All known devices with their elements, in alphabetical order of the elements.
pub fn devices() -> impl Iterator<Item = (&'static str, &'static Device)> {
    DEVICE_FILE.devices.iter().map(|(element, device)| (element.as_str(), device))
}

/// Where a fact of a device was read: the address behind a key of [`Device::sources`].
pub fn source(key: &str) -> Option<&'static str> {
    DEVICE_FILE.sources.get(key).map(String::as_str)
}

/// The plug-in behind an identifier: decimal for VST2, lower-case hexadecimal for VST3, `type/subtype/manufacturer` for Audio Units.
pub fn plugin(format: PluginFormat, id: &str) -> Option<&'static Plugin> {
    let table = match format {
        PluginFormat::Vst2 => &PLUGIN_FILE.vst2,
        PluginFormat::Vst3 => &PLUGIN_FILE.vst3,
        PluginFormat::Au => &PLUGIN_FILE.au,
    };
    table.get(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read() {
        toml::from_str::<DeviceFile>(DEVICES).expect("config/devices.toml is read");
        toml::from_str::<PluginFile>(PLUGINS).expect("config/plugins.toml is read");
    }

    #[test]
    fn every_newer_element_is_known_and_shares_no_cycle() {
        for (element, entry) in devices() {
            let mut next = entry.newer.as_deref();
            let mut steps = 0;
            while let Some(newer) = next {
                steps += 1;
                assert!(steps < 5, "{element} is replaced in a circle");
                next = device(newer)
                    .unwrap_or_else(|| panic!("{element} is replaced by the unknown {newer}"))
                    .newer
                    .as_deref();
            }
        }
    }

    #[test]
    fn what_is_claimed_about_a_device_names_its_source() {
        for (element, entry) in devices() {
            if !entry.editions.is_empty() || entry.first_live.is_some() {
                assert!(!entry.sources.is_empty(), "{element} claims something without a source");
            }
            for key in &entry.sources {
                assert!(source(key).is_some(), "{element} names the unknown source {key}");
            }
        }
    }

    #[test]
    fn all_80_elements_are_there_and_unknown_ones_are_not() {
        assert_eq!(devices().count(), 80);
        assert_eq!(device("StereoGain").map(|d| d.name.as_str()), Some("Utility"));
        assert_eq!(device("AutoPan").map(Device::facet), device("AutoPan2").map(Device::facet));
        assert_eq!(device("Overdrive").and_then(|d| d.edition(9)), Some(Edition::Standard));
        assert_eq!(
            device("Overdrive").and_then(|d| d.edition(12)),
            None,
            "editions are not carried over"
        );
        assert_eq!(device("Cabinet").and_then(|d| d.edition(10)), Some(Edition::Suite));
        assert_eq!(
            device("Corpus").and_then(|d| d.edition(12)),
            None,
            "a section without a note claims nothing"
        );
        assert_eq!(device("Delay").and_then(|d| d.first_live), Some(LiveVersion::new(10, 1)));
        assert!(device("Wavetable").is_none(), "a display name is no element");
        assert_eq!(
            plugin(PluginFormat::Vst2, "1315522357").map(|p| p.name.as_str()),
            Some("Guitar Rig 5")
        );
    }
}
