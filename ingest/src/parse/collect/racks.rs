//! Racks and their macros.

use super::super::context::Slot;
use super::super::value::Attributes;
use super::super::{ParseError, WarningCode};
use super::{Collector, Form, next_index};
use crate::rack::{Index, Kind, Macro, Rack, Variation};

/// Most macros that a rack is believed to have; Live has 16.
const MAX_MACROS: u8 = 64;

/// A rack whose end has not come.
pub(in crate::parse) struct OpenRack {
    pub(super) index: Index,
    /// Chains and return chains so far.
    pub(super) chains: u32,
    pub(super) returns: u32,
    /// Whether the rack's own element has come.
    has_kind: bool,
    variation: Option<Variation>,
}

impl Collector<'_> {
    pub(in crate::parse) fn open_rack(&mut self) -> Result<(), ParseError> {
        self.count_item()?;
        self.set_form(Form::Rack);
        let index = next_index(&self.parsed.racks);
        let (chain, position) = self.next_place();
        let depth = u32::try_from(self.racks.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.parsed.racks.push(Rack {
            chain,
            position,
            depth,
            on: true,
            ..Rack::default()
        });
        self.racks.push(OpenRack {
            index,
            chains: 0,
            returns: 0,
            has_kind: false,
            variation: None,
        });
        Ok(())
    }

    pub(in crate::parse) fn close_rack(&mut self) -> Result<(), ParseError> {
        if !self.racks.pop().is_some_and(|open| open.has_kind) {
            // A wrapper without its rack.
            return Err(ParseError::UnknownLiveDocument("GroupDevicePreset".to_owned()));
        }
        Ok(())
    }

    pub(super) fn open_rack_mut(&mut self) -> Option<&mut Rack> {
        let index = self.racks.last()?.index;
        self.parsed.racks.get_mut(index as usize)
    }

    pub(in crate::parse) fn set_rack_kind(&mut self, kind: Kind) {
        if let Some(open) = self.racks.last_mut() {
            open.has_kind = true;
        }
        if let Some(rack) = self.open_rack_mut() {
            rack.kind = kind;
        }
    }

    pub(in crate::parse) fn rack_field(&mut self, name: &str, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let text = match name {
            "UserName" | "Annotation" => self.keep(attributes.value_text())?,
            _ => String::new(),
        };
        let Some(rack) = self.open_rack_mut() else { return Ok(()) };
        match name {
            "UserName" => rack.name = text,
            "Annotation" => rack.annotation = text,
            "NumVisibleMacroControls" => match attributes.integer().and_then(|number| u32::try_from(number).ok()) {
                Some(number) if number <= u32::from(MAX_MACROS) => rack.macros_visible = number,
                _ => self.bad_number("NumVisibleMacroControls"),
            },
            // LockId and LockSeal: 0 in racks without the lock.
            _ => rack.locked |= attributes.value().is_some_and(|value| value != "0"),
        }
        Ok(())
    }

    pub(super) fn rack_parameter(&mut self, slot: Slot, value: f64) {
        let Some(rack) = self.open_rack_mut() else { return };
        match slot {
            Slot::RackOn => rack.on = value != 0.0,
            Slot::ChainSelector => rack.chain_selector = Some(value),
            Slot::Macro(index) => {
                if let Some(found) = rack.macros.get_mut(usize::from(index)) {
                    found.value = Some(value);
                }
            }
            _ => {}
        }
    }

    /// The rack has a macro of this number.
    pub(in crate::parse) fn has_macro(&mut self, index: u8) -> Result<(), ParseError> {
        if self.macro_mut(index)?.is_some()
            && let Some(rack) = self.open_rack_mut()
        {
            rack.macro_slots = rack.macro_slots.max(u32::from(index) + 1);
        }
        Ok(())
    }

    /// The macro of this number, made up to there where the file did not name it yet.
    fn macro_mut(&mut self, index: u8) -> Result<Option<&mut Macro>, ParseError> {
        if index >= MAX_MACROS {
            self.bad_number("MacroControls");
            return Ok(None);
        }
        let wanted = usize::from(index) + 1;
        loop {
            let Some(rack) = self.open_rack_mut() else { return Ok(None) };
            let next = rack.macros.len();
            if next >= wanted {
                break;
            }
            rack.macros.push(Macro {
                index: u32::try_from(next).unwrap_or_default(),
                name: default_macro_name(next),
                ..Macro::default()
            });
        }
        Ok(self.open_rack_mut().and_then(|rack| rack.macros.get_mut(usize::from(index))))
    }

    /// `MacroDisplayNames.3` and its like.
    pub(in crate::parse) fn macro_field(&mut self, field: &str, index: u8, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let text = match field {
            "MacroDisplayNames" | "MacroAnnotations" => self.keep(attributes.value_text())?,
            "MacroDefaults"
            | "MacroColor"
            | "MacroColorIndex"
            | "ExcludeMacroFromRandomization"
            | "ExcludeMacroFromSnapshots" => String::new(),
            _ => return Ok(()),
        };
        let Some(found) = self.macro_mut(index)? else { return Ok(()) };
        match field {
            "MacroDisplayNames" => {
                found.named = !text.trim().is_empty() && text != default_macro_name(usize::from(index));
                found.name = text;
            }
            "MacroAnnotations" => found.annotation = text,
            // -1 means that none was set.
            "MacroDefaults" => found.default = attributes.number().filter(|value| *value >= 0.0),
            "MacroColor" | "MacroColorIndex" => {
                found.colour = attributes
                    .integer()
                    .and_then(|number| i32::try_from(number).ok())
                    .filter(|number| *number >= 0);
            }
            "ExcludeMacroFromRandomization" => found.excluded_from_randomization = attributes.switch() == Some(true),
            _ => found.excluded_from_variations = attributes.switch() == Some(true),
        }
        Ok(())
    }

    pub(in crate::parse) fn open_variation(&mut self) -> Result<(), ParseError> {
        self.count_item()?;
        if let Some(open) = self.racks.last_mut() {
            open.variation = Some(Variation::default());
        }
        Ok(())
    }

    pub(in crate::parse) fn variation_field(&mut self, name: &str, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let text = match name {
            "SnapshotName" => self.keep(attributes.value_text())?,
            _ => String::new(),
        };
        let Some(variation) = self.racks.last_mut().and_then(|open| open.variation.as_mut()) else {
            return Ok(());
        };
        if name == "SnapshotName" {
            variation.name = text;
            return Ok(());
        }
        let Some((field, Ok(index))) = name.split_once('.').map(|(field, number)| (field, number.parse::<u8>())) else {
            return Ok(());
        };
        if index >= MAX_MACROS {
            self.warn(WarningCode::BadNumber, || {
                "a variation has more macros than a rack".to_owned()
            });
            return Ok(());
        }
        let place = usize::from(index);
        if variation.values.len() <= place {
            variation.values.resize(place + 1, None);
        }
        let Some(value) = variation.values.get_mut(place) else {
            return Ok(());
        };
        match field {
            "MacroValues" => *value = attributes.number().filter(|number| *number >= 0.0),
            "MacroHasValue" if attributes.switch() != Some(true) => *value = None,
            _ => {}
        }
        Ok(())
    }

    pub(in crate::parse) fn close_variation(&mut self) {
        let variation = self.racks.last_mut().and_then(|open| open.variation.take());
        if let (Some(variation), Some(rack)) = (variation, self.open_rack_mut()) {
            rack.variations.push(variation);
        }
    }
}

/// The name that Live gives to a macro that nobody named.
fn default_macro_name(index: usize) -> String {
    format!("Macro {}", index + 1)
}
