//! What can only be said when everything was read.

use config::catalogue::Category;

use super::super::ParseError;
use super::{Collector, ParseWarning};
use crate::rack::{Device, Kind, ParsedRack, Target, Totals};

/// Macros shown by Lives that do not say how many (up to Live 10).
const MACROS_OF_OLD: u32 = 8;

impl Collector<'_> {
    /// Ends the reading.
    pub(in crate::parse) fn finish(mut self) -> Result<(ParsedRack, Vec<ParseWarning>), ParseError> {
        let parsed = &mut self.parsed;
        parsed.kind = match (parsed.racks.first(), parsed.devices.first()) {
            (Some(rack), _) => rack.kind,
            (None, Some(device)) => kind_of(device)?,
            (None, None) => return Err(ParseError::UnknownLiveDocument("Ableton".to_owned())),
        };
        count_macros(parsed);
        label_chains(parsed);
        parsed.totals = totals(parsed);
        Ok((self.parsed, self.warnings))
    }
}

/// The kind of a single device's preset. It decides where the preset is found, so that a device of unknown kind is refused.
fn kind_of(device: &Device) -> Result<Kind, ParseError> {
    if device.plugin.is_some() {
        return Err(ParseError::PluginPreset);
    }
    match device.category {
        Some(Category::AudioEffect) => Ok(Kind::AudioEffect),
        Some(Category::Instrument) => Ok(Kind::Instrument),
        Some(Category::MidiEffect) => Ok(Kind::MidiEffect),
        Some(Category::Rack) | None => Err(ParseError::UnknownLiveDocument(device.element.clone())),
    }
}

/// Counts each macro's mappings, and drops the macros that are neither shown nor used.
fn count_macros(parsed: &mut ParsedRack) {
    for mapping in &parsed.mappings {
        let rack = mapping.rack.and_then(|rack| parsed.racks.get_mut(rack as usize));
        if let Some(found) = rack.and_then(|rack| rack.macros.get_mut(mapping.macro_index as usize)) {
            found.mappings += 1;
        }
    }
    for rack in &mut parsed.racks {
        if rack.macros_visible == 0 {
            rack.macros_visible = MACROS_OF_OLD.min(rack.macro_slots);
        }
        let visible = rack.macros_visible;
        rack.macros
            .retain(|found| found.index < visible || found.named || found.mappings > 0 || !found.annotation.is_empty());
    }
}

/// Gives chains without a name that of their first device or rack, as Live does.
fn label_chains(parsed: &mut ParsedRack) {
    for chain in &mut parsed.chains {
        chain.label.clone_from(&chain.name);
    }
    let first_devices = parsed.devices.iter().filter(|device| device.position == 0).map(|device| {
        let title = if device.custom_name.is_empty() {
            &device.name
        } else {
            &device.custom_name
        };
        (device.chain, title.clone())
    });
    let first_racks = parsed.racks.iter().filter(|rack| rack.position == 0).map(|rack| {
        let title = if rack.name.is_empty() {
            rack.kind.rack_name().to_owned()
        } else {
            rack.name.clone()
        };
        (rack.chain, title)
    });
    for (chain, title) in first_devices.chain(first_racks) {
        let chain = chain.and_then(|chain| parsed.chains.get_mut(chain as usize));
        if let Some(chain) = chain.filter(|chain| chain.label.trim().is_empty()) {
            chain.label = title;
        }
    }
}

fn totals(parsed: &ParsedRack) -> Totals {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Totals {
        racks: count(parsed.racks.len()),
        depth: parsed.racks.iter().map(|rack| rack.depth).max().unwrap_or(0),
        chains: count(parsed.chains.len()),
        top_chains: count(
            parsed
                .chains
                .iter()
                .filter(|chain| chain.rack == 0 && !chain.is_return)
                .count(),
        ),
        return_chains: count(parsed.chains.iter().filter(|chain| chain.is_return).count()),
        devices: count(parsed.devices.len()),
        plugins: count(parsed.devices.iter().filter(|device| device.plugin.is_some()).count()),
        mappings: count(
            parsed
                .mappings
                .iter()
                .filter(|mapping| !matches!(mapping.target, Target::PluginOn { .. }))
                .count(),
        ),
        samples: count(parsed.samples.len()),
        variations: count(parsed.racks.iter().map(|rack| rack.variations.len()).sum()),
    }
}
