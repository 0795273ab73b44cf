//! What somebody must own to open a rack, and what in it forces that.

use config::LiveVersion;
use config::catalogue::{self, Edition};
use serde::{Deserialize, Serialize};

use super::{Origin, ParsedRack};

/// What somebody must own to open a rack and hear it as it was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Requirements {
    /// The earliest Live; none where the file does not tell.
    pub live_version: Option<LiveVersion>,
    /// The cheapest edition; none where it is not known, which is never "any".
    pub edition: Option<Edition>,
    /// What forces each of these, and what else is needed.
    pub reasons: Vec<Reason>,
}

/// One thing that a rack needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What kind of thing.
    pub needs: Need,
    /// Which one: a version, an edition or `unknown`, or the name of a plug-in or pack.
    pub value: String,
    /// What in the rack needs it: a device's, plug-in's or pack's name, or a short phrase.
    pub because: String,
}

/// Kinds of things that a rack can need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// A version of Live.
    LiveVersion,
    /// An edition of Live.
    Edition,
    /// Max for Live, part of Suite and an add-on for Standard.
    MaxForLive,
    /// A third-party plug-in.
    Plugin,
    /// A pack.
    Pack,
    /// A Max for Live device that does not ship with Live: its file is not in the rack.
    MaxDevice,
}

impl Requirements {
    /// `workflows.required_edition`: `intro`, `standard`, `suite` or `unknown`.
    pub fn edition_word(&self) -> &'static str {
        self.edition.map_or("unknown", Edition::as_str)
    }
}

impl ParsedRack {
    /// What it takes to open the rack.
    ///
    /// The version is the feature release of the Live that wrote it: Live does not open files of newer ones, and the file's schema changes
    /// at most once per feature release (`11.0_11202` is written by 11.2, `11.0_11300` by 11.3). The edition is the dearest of its devices';
    /// one device of unknown edition makes the whole unknown, unless another needs Suite anyway.
    pub fn requirements(&self) -> Requirements {
        let mut reasons = Vec::new();
        let mut live_version = self.live.version.map(LiveVersion::feature_release);
        if let (Some(needed), Some(wrote)) = (live_version, self.live.version) {
            reasons.push(Reason {
                needs: Need::LiveVersion,
                value: needed.to_string(),
                because: format!("saved by Live {wrote}"),
            });
        }
        let major = self.live.version.map(|version| version.major);
        let mut edition = Some(Edition::Intro);
        let mut seen = std::collections::HashSet::new();
        let elements = self.devices.iter().filter(|device| device.plugin.is_none()).map(|device| {
            let is_max = device.origin == Origin::MaxForLive;
            (device.element.as_str(), device.name.as_str(), is_max)
        });
        let racks = self
            .racks
            .iter()
            .map(|rack| (rack.kind.element(), rack.kind.rack_name(), false));
        for (element, name, is_max) in elements.chain(racks) {
            if !seen.insert((element, name)) {
                continue;
            }
            if is_max {
                reasons.push(Reason {
                    needs: Need::MaxForLive,
                    value: "max_for_live".to_owned(),
                    because: name.to_owned(),
                });
            }
            let known = catalogue::device(element);
            if let Some(first) = known.and_then(|entry| entry.first_live)
                && live_version.is_none_or(|needed| needed < first)
            {
                live_version = Some(first);
                reasons.push(Reason {
                    needs: Need::LiveVersion,
                    value: first.to_string(),
                    because: name.to_owned(),
                });
            }
            let needed = major.and_then(|major| known?.edition(major));
            let value = needed.map_or("unknown", Edition::as_str);
            edition = dearer(edition, needed);
            if needed != Some(Edition::Intro) {
                reasons.push(Reason {
                    needs: Need::Edition,
                    value: value.to_owned(),
                    because: name.to_owned(),
                });
            }
        }
        // What the answer does not rest on is no reason: with Suite needed, neither Standard nor unknown devices matter.
        let word = edition.map_or("unknown", Edition::as_str);
        reasons.retain(|reason| reason.needs != Need::Edition || reason.value == word);
        self.other_needs(&mut reasons);
        Requirements {
            live_version,
            edition,
            reasons,
        }
    }

    /// Plug-ins, packs and Max for Live devices that do not come with Live.
    fn other_needs(&self, reasons: &mut Vec<Reason>) {
        let mut seen = std::collections::HashSet::new();
        for device in &self.devices {
            let foreign_max = device
                .max_device
                .as_ref()
                .is_some_and(|max_device| !max_device.built_in && max_device.pack.is_none() && !max_device.file.is_empty());
            let needs = match (&device.plugin, foreign_max) {
                (Some(_), _) => Need::Plugin,
                (None, true) => Need::MaxDevice,
                (None, false) => continue,
            };
            if seen.insert(device.name.as_str()) {
                reasons.push(Reason {
                    needs,
                    value: device.name.clone(),
                    because: device.plugin.as_ref().map_or_else(
                        || "its file is not part of the rack".to_owned(),
                        |plugin| format!("{} {}", plugin.format.as_str(), plugin.id),
                    ),
                });
            }
        }
        for pack in self.packs.iter().filter(|pack| pack.required) {
            reasons.push(Reason {
                needs: Need::Pack,
                value: pack.name.clone(),
                because: match (pack.samples, pack.devices) {
                    (0, devices) => format!("{devices} of its devices"),
                    (samples, 0) => format!("{samples} of its samples"),
                    (samples, devices) => format!("{samples} of its samples and {devices} of its devices"),
                },
            });
        }
    }
}

/// The dearer of two editions; unknown is dearer than anything but Suite, which holds everything.
fn dearer(a: Option<Edition>, b: Option<Edition>) -> Option<Edition> {
    match (a, b) {
        (Some(Edition::Suite), _) | (_, Some(Edition::Suite)) => Some(Edition::Suite),
        (Some(a), Some(b)) => Some(a.max(b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_edition_never_passes_as_a_known_one() {
        assert_eq!(dearer(Some(Edition::Intro), None), None);
        assert_eq!(dearer(None, Some(Edition::Standard)), None);
        assert_eq!(dearer(None, Some(Edition::Suite)), Some(Edition::Suite));
        assert_eq!(dearer(Some(Edition::Intro), Some(Edition::Standard)), Some(Edition::Standard));
    }
}
