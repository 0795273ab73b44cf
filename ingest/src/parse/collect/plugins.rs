//! Third-party plug-ins.
//!
//! A rack holds a plug-in's identifier and state, but not its name, unless the plug-in was dragged into the chain from the browser.

use std::fmt::Write;

use config::catalogue::{self, PluginFormat};

use super::super::ParseError;
use super::super::privacy::without_folders;
use super::super::value::Attributes;
use super::chains::OpenChain;
use super::mappings::is_inverted;
use super::{Collector, next_index};
use crate::rack::{Device, Form, Mapping, Origin, Plugin, RangeUnit, Target};

/// The plug-in that is being read.
#[derive(Default)]
pub(in crate::parse) struct OpenPlugin {
    format: Option<PluginFormat>,
    unique_id: Option<i64>,
    /// The four 32-bit parts of a VST 3 class id.
    uid: [Option<u32>; 4],
    /// Type, subtype and manufacturer of an Audio Unit.
    au: [Option<u32>; 3],
    name: Option<String>,
    vendor: Option<String>,
    preset: String,
    /// Macro of the switch, and its range.
    on_macro: Option<u32>,
    on_min: Option<f64>,
    on_max: Option<f64>,
    parameter: OpenParameter,
}

/// The entry of `ParameterSettings` that is being read.
#[derive(Default)]
struct OpenParameter {
    index: i64,
    id: i64,
    macro_index: Option<u32>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Collector<'_> {
    pub(in crate::parse) fn open_plugin(&mut self, element: &str) -> Result<(), ParseError> {
        self.count_item()?;
        self.set_form(Form::Device);
        let (format, origin) = match element {
            "Vst3Preset" => (Some(PluginFormat::Vst3), Origin::Vst3),
            "AuPreset" | "AuPluginDevice" => (Some(PluginFormat::Au), Origin::Au),
            "VstPreset" => (Some(PluginFormat::Vst2), Origin::Vst2),
            // `PluginDevice` says in its `PluginDesc` which it is.
            _ => (None, Origin::Vst2),
        };
        let element = self.keep(Some(element.into()))?;
        let index = next_index(&self.parsed.devices);
        let (chain, position) = self.next_place();
        self.parsed.devices.push(Device {
            chain,
            position,
            element,
            origin,
            on: true,
            ..Device::default()
        });
        self.device = Some(index);
        self.plugin = OpenPlugin {
            format,
            ..OpenPlugin::default()
        };
        self.plugin_is_open = true;
        Ok(())
    }

    pub(in crate::parse) fn plugin_field(&mut self, name: &str, attributes: Attributes<'_>) -> Result<(), ParseError> {
        match name {
            "IsOn" => {
                let on = attributes.switch() != Some(false);
                if let Some(device) = self.open_device_mut() {
                    device.on = on;
                }
            }
            "PowerMacroControlIndex" => self.plugin.on_macro = macro_number(attributes),
            "UniqueId" => self.plugin.unique_id = attributes.integer(),
            "Name" => self.plugin.preset = self.keep(attributes.value_text())?,
            "Type" => self.plugin.au[0] = bits(attributes),
            "SubType" => self.plugin.au[1] = bits(attributes),
            // Text: the maker's name. The four characters of the maker stand in the plist of the state, which is not read.
            "Manufacturer" => match bits(attributes) {
                Some(code) => self.plugin.au[2] = Some(code),
                None => self.plugin.vendor = Some(self.keep(attributes.value_text())?).filter(|text| !text.is_empty()),
            },
            _ => {}
        }
        Ok(())
    }

    pub(in crate::parse) fn plugin_uid_field(&mut self, name: &str, attributes: Attributes<'_>) {
        let place = name.strip_prefix("Fields.").and_then(|number| number.parse::<usize>().ok());
        if let Some(field) = place.and_then(|place| self.plugin.uid.get_mut(place)) {
            *field = bits(attributes);
        }
    }

    pub(in crate::parse) fn plugin_on_range_field(&mut self, name: &str, attributes: Attributes<'_>) {
        match name {
            "Min" => self.plugin.on_min = attributes.number(),
            "Max" => self.plugin.on_max = attributes.number(),
            _ => {}
        }
    }

    /// What a Live set says about a plug-in; there, the name is known.
    pub(in crate::parse) fn plugin_description_field(
        &mut self,
        name: &str,
        attributes: Attributes<'_>,
    ) -> Result<(), ParseError> {
        match name {
            "VstPluginInfo" => self.plugin.format = Some(PluginFormat::Vst2),
            "Vst3PluginInfo" => self.plugin.format = Some(PluginFormat::Vst3),
            "AuPluginInfo" => self.plugin.format = Some(PluginFormat::Au),
            "UniqueId" => self.plugin.unique_id = attributes.integer(),
            "ComponentType" => self.plugin.au[0] = bits(attributes),
            "ComponentSubType" => self.plugin.au[1] = bits(attributes),
            "ComponentManufacturer" => self.plugin.au[2] = bits(attributes),
            // `Name` of the description comes before those of the presets inside it.
            "PlugName" | "Name" if self.plugin.name.is_none() => {
                self.plugin.name = Some(self.keep(attributes.value_text())?).filter(|text| !text.is_empty());
            }
            "Manufacturer" => self.plugin.vendor = Some(self.keep(attributes.value_text())?).filter(|text| !text.is_empty()),
            _ => {}
        }
        Ok(())
    }

    pub(in crate::parse) fn open_plugin_parameter(&mut self) {
        self.plugin.parameter = OpenParameter::default();
    }

    pub(in crate::parse) fn plugin_parameter_field(&mut self, name: &str, attributes: Attributes<'_>) {
        let parameter = &mut self.plugin.parameter;
        match name {
            "Index" => parameter.index = attributes.integer().unwrap_or_default(),
            // `Id` up to Live 9.6.
            "ParameterId" | "Id" => parameter.id = attributes.integer().unwrap_or_default(),
            "MacroControlIndex" => parameter.macro_index = macro_number(attributes),
            _ => {}
        }
    }

    pub(in crate::parse) fn plugin_range_field(&mut self, name: &str, attributes: Attributes<'_>) {
        let parameter = &mut self.plugin.parameter;
        match name {
            "Min" => parameter.min = attributes.number(),
            _ => parameter.max = attributes.number(),
        }
    }

    pub(in crate::parse) fn close_plugin_parameter(&mut self) -> Result<(), ParseError> {
        let parameter = std::mem::take(&mut self.plugin.parameter);
        let (Some(macro_index), Some(device)) = (parameter.macro_index, self.device) else {
            return Ok(());
        };
        let has_range = parameter.min.is_some() || parameter.max.is_some();
        self.push_mapping(Mapping {
            rack: self.owner(),
            macro_index,
            target: Target::PluginParameter {
                device,
                index: parameter.index,
                id: parameter.id,
            },
            min: parameter.min,
            max: parameter.max,
            range: if has_range { RangeUnit::Parameter } else { RangeUnit::Whole },
            inverted: is_inverted(parameter.min, parameter.max),
            ..Mapping::default()
        })
    }

    /// The end of a plug-in settles its identifier and name.
    pub(super) fn finish_plugin(&mut self) -> Result<(), ParseError> {
        if !std::mem::take(&mut self.plugin_is_open) {
            return Ok(());
        }
        let open = std::mem::take(&mut self.plugin);
        if let (Some(macro_index), Some(device)) = (open.on_macro, self.device) {
            self.push_mapping(Mapping {
                rack: self.owner(),
                macro_index,
                target: Target::PluginOn { device },
                min: open.on_min,
                max: open.on_max,
                range: RangeUnit::Macro,
                inverted: is_inverted(open.on_min, open.on_max),
                ..Mapping::default()
            })?;
        }
        let format = open.format.unwrap_or(PluginFormat::Vst2);
        let (id, four_cc) = match format {
            PluginFormat::Vst2 => {
                let id = open.unique_id.unwrap_or_default();
                let code = u32::try_from(id).ok().and_then(four_characters);
                (id.to_string(), code)
            }
            PluginFormat::Vst3 => (hexadecimal(open.uid), None),
            PluginFormat::Au => (audio_unit_id(open.au), None),
        };
        let known = catalogue::plugin(format, &id).or_else(|| vst2_behind_vst3(format, &id));
        let name = open.name.or_else(|| known.map(|entry| entry.name.clone()));
        let vendor = open.vendor.or_else(|| known.and_then(|entry| entry.vendor.clone()));
        let Some(device) = self.open_device_mut() else { return Ok(()) };
        device.origin = match format {
            PluginFormat::Vst2 => Origin::Vst2,
            PluginFormat::Vst3 => Origin::Vst3,
            PluginFormat::Au => Origin::Au,
        };
        device.name = name.clone().unwrap_or_else(|| unnamed(format, &id, four_cc.as_deref()));
        device.plugin = Some(Plugin {
            format,
            id,
            four_cc,
            name,
            vendor,
            preset: open.preset,
        });
        Ok(())
    }

    /// Names the plug-ins of a chain from the browser's id that the chain was made from, such as `device:vst:instr:1397240113?n=LuSH-101`.
    pub(super) fn name_plugins_from_source(&mut self, open: &OpenChain, source: &str) {
        let Some((address, query)) = source.split_once('?') else {
            return;
        };
        let Some(name) = query.split('&').find_map(|pair| pair.strip_prefix("n=")) else {
            return;
        };
        let name = without_folders(&percent_decoded(name)).into_owned();
        let mut parts = address.split(':').skip(1);
        let format = match parts.next() {
            Some("vst") => PluginFormat::Vst2,
            Some("vst3") => PluginFormat::Vst3,
            Some("au") => PluginFormat::Au,
            _ => return,
        };
        let id: String = parts.skip(1).collect::<Vec<_>>().join("/");
        for device in self.parsed.devices.iter_mut().skip(open.first_device) {
            if device.chain != Some(open.index) {
                continue;
            }
            let Some(plugin) = device.plugin.as_mut().filter(|plugin| plugin.format == format) else {
                continue;
            };
            let same = match format {
                PluginFormat::Vst2 => plugin.id == id,
                PluginFormat::Vst3 => plugin.id.eq_ignore_ascii_case(&id.replace('-', "")),
                // `manufacturer/subtype/type` here.
                PluginFormat::Au => plugin.id.split('/').rev().eq(id.split('/')),
            };
            if same && !name.is_empty() {
                device.name.clone_from(&name);
                plugin.name = Some(name.clone());
            }
        }
    }
}

/// A macro's number; -1 is none.
fn macro_number(attributes: Attributes<'_>) -> Option<u32> {
    attributes.integer().and_then(|number| u32::try_from(number).ok())
}

/// A 32-bit number that was written signed or unsigned.
fn bits(attributes: Attributes<'_>) -> Option<u32> {
    let number = attributes.integer()?;
    u32::try_from(number)
        .ok()
        .or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
}

/// A number as the four characters that its bytes spell, if they can be printed.
fn four_characters(code: u32) -> Option<String> {
    let bytes = code.to_be_bytes();
    bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        .then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
}

fn hexadecimal(uid: [Option<u32>; 4]) -> String {
    let mut text = String::with_capacity(32);
    for field in uid {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:08x}", field.unwrap_or_default());
    }
    text
}

fn audio_unit_id(parts: [Option<u32>; 3]) -> String {
    parts
        .map(|part| {
            let code = part.unwrap_or_default();
            four_characters(code).unwrap_or_else(|| code.to_string())
        })
        .join("/")
}

/// The entry of the VST 2 plug-in that a VST 3 class id was derived from: Steinberg's rule puts `VST`, the four characters of the VST 2
/// identifier and the beginning of its name into the id.
fn vst2_behind_vst3(format: PluginFormat, id: &str) -> Option<&'static catalogue::Plugin> {
    if format != PluginFormat::Vst3 {
        return None;
    }
    let code = u32::from_str_radix(id.strip_prefix("565354")?.get(..8)?, 16).ok()?;
    catalogue::plugin(PluginFormat::Vst2, &code.to_string())
}

/// How to call a plug-in whose name is not known.
fn unnamed(format: PluginFormat, id: &str, four_cc: Option<&str>) -> String {
    let format = match format {
        PluginFormat::Vst2 => "VST2",
        PluginFormat::Vst3 => "VST3",
        PluginFormat::Au => "AU",
    };
    match four_cc {
        Some(code) => format!("{format} {id} ({code})"),
        None => format!("{format} {id}"),
    }
}

/// Resolves `%20` and its like.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = (byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                decoded.push(code);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
