//! The parts of a parsed rack that other rooms keep: the summary for search, and the values of the seed's columns.

use std::collections::HashSet;

use config::catalogue;
use serde_json::{Value, json};
use store::rack_summary::{DeviceOrigin, DeviceSummary, PluginSummary, RackSummary};

use super::{Origin, ParsedRack};

impl ParsedRack {
    /// The facts that search and requirements need.
    pub fn summary(&self) -> RackSummary {
        RackSummary {
            devices: self.device_summaries(),
            plugins: self.plugin_summaries(),
            macro_names: distinct(
                self.racks
                    .iter()
                    .flat_map(|rack| &rack.macros)
                    .filter(|found| found.named)
                    .map(|found| found.name.trim()),
            ),
            chain_names: distinct(
                self.chains
                    .iter()
                    .map(|chain| chain.name.trim())
                    .filter(|name| !name.is_empty()),
            ),
            annotation: self.outermost().map(|rack| rack.annotation.clone()).unwrap_or_default(),
            packs: self
                .packs
                .iter()
                .filter(|pack| pack.required)
                .map(|pack| pack.name.clone())
                .collect(),
            chains: self.totals.chains,
            device_count: self.totals.devices,
            mappings: self.totals.mappings,
            macros: self.macros_in_use(),
            samples: self.totals.samples,
            depth: self.totals.depth,
        }
    }

    /// `workflows.devices_used`: the distinct names of the devices, plug-ins included, in order of first appearance.
    /// A plug-in without a known name appears with its identifier.
    pub fn devices_used(&self) -> Value {
        distinct(self.devices.iter().map(|device| device.name.as_str())).into()
    }

    /// `workflows.macro_controls`: the macros that the outermost rack shows or uses, as `{index, name, value, mappings}`.
    pub fn macro_controls(&self) -> Value {
        self.outermost()
            .map(|rack| rack.macros.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|found| json!({"index": found.index, "name": found.name, "value": found.value, "mappings": found.mappings}))
            .collect()
    }

    /// `workflows.ableton_version`: the Live that wrote the file, such as `11.3.13` or `12.2b16`.
    pub fn ableton_version(&self) -> Option<String> {
        self.live.version.map(|version| version.to_string())
    }

    /// Macros of the outermost rack that somebody named or mapped.
    fn macros_in_use(&self) -> u32 {
        let used = self
            .outermost()
            .map(|rack| rack.macros.iter().filter(|found| found.named || found.mappings > 0).count());
        used.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
    }

    fn device_summaries(&self) -> Vec<DeviceSummary> {
        let mut summaries: Vec<DeviceSummary> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for device in self.devices.iter().filter(|device| device.plugin.is_none()) {
            let place = *places
                .entry((device.element.as_str(), device.name.as_str()))
                .or_insert_with(|| {
                    let is_max = device.origin == Origin::MaxForLive;
                    let known = catalogue::device(&device.element).filter(|_| !is_max);
                    summaries.push(DeviceSummary {
                        element: device.element.clone(),
                        name: device.name.clone(),
                        facet: known.map_or(device.name.as_str(), |entry| entry.facet()).to_owned(),
                        origin: if is_max {
                            DeviceOrigin::MaxForLive
                        } else {
                            DeviceOrigin::Native
                        },
                        category: device.category.map_or("", |category| category.as_str()).to_owned(),
                        count: 0,
                    });
                    summaries.len() - 1
                });
            if let Some(summary) = summaries.get_mut(place) {
                summary.count += 1;
            }
        }
        summaries
    }

    fn plugin_summaries(&self) -> Vec<PluginSummary> {
        let mut summaries: Vec<PluginSummary> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for plugin in self.devices.iter().filter_map(|device| device.plugin.as_ref()) {
            let place = *places.entry((plugin.format, plugin.id.as_str())).or_insert_with(|| {
                summaries.push(PluginSummary {
                    format: plugin.format.as_str().to_owned(),
                    id: plugin.id.clone(),
                    name: None,
                    vendor: None,
                    count: 0,
                });
                summaries.len() - 1
            });
            if let Some(summary) = summaries.get_mut(place) {
                summary.count += 1;
                // One instance may have brought a name along that another has not.
                summary.name = summary.name.take().or_else(|| plugin.name.clone());
                summary.vendor = summary.vendor.take().or_else(|| plugin.vendor.clone());
            }
        }
        summaries
    }
}

/// Each text once, in order of first appearance.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.filter(|text| seen.insert(*text)).map(str::to_owned).collect()
}
