//! Chains: their state, zones and pads.

use super::super::ParseError;
use super::super::context::{Slot, ZoneKind};
use super::super::value::Attributes;
use super::{Collector, next_index};
use crate::rack::{Chain, Index, Pad, Zone};

/// Most sends of one chain that are kept; Live's drum racks have up to 6 return chains.
const MAX_SENDS: usize = 32;

/// A chain whose end has not come.
pub(in crate::parse) struct OpenChain {
    pub(super) index: Index,
    /// Devices and racks so far.
    pub(super) items: u32,
    /// First device in it.
    pub(super) first_device: usize,
    /// Where it was dragged from, in the browser's notation.
    pub(super) source: Option<String>,
}

impl Collector<'_> {
    pub(in crate::parse) fn open_chain(&mut self, is_return: bool) -> Result<(), ParseError> {
        self.count_item()?;
        let Some(open) = self.racks.last_mut() else { return Ok(()) };
        let rack = open.index;
        let counter = if is_return { &mut open.returns } else { &mut open.chains };
        let position = *counter;
        *counter = counter.saturating_add(1);
        let index = next_index(&self.parsed.chains);
        self.parsed.chains.push(Chain {
            rack,
            position,
            is_return,
            ..Chain::default()
        });
        self.chains.push(OpenChain {
            index,
            items: 0,
            first_device: self.parsed.devices.len(),
            source: None,
        });
        Ok(())
    }

    pub(in crate::parse) fn close_chain(&mut self) {
        if let Some(open) = self.chains.pop()
            && let Some(source) = &open.source
        {
            self.name_plugins_from_source(&open, source);
        }
    }

    /// The chain and place of the next device or rack.
    pub(super) fn next_place(&mut self) -> (Option<Index>, u32) {
        match self.chains.last_mut() {
            Some(open) => {
                let position = open.items;
                open.items = position.saturating_add(1);
                (Some(open.index), position)
            }
            None => (None, 0),
        }
    }

    pub(super) fn open_chain_mut(&mut self) -> Option<&mut Chain> {
        let index = self.chains.last()?.index;
        self.parsed.chains.get_mut(index as usize)
    }

    pub(in crate::parse) fn chain_name(&mut self, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let name = self.keep(attributes.value_text())?;
        if let Some(chain) = self.open_chain_mut() {
            chain.name = name;
        }
        Ok(())
    }

    pub(in crate::parse) fn chain_field(&mut self, name: &str, attributes: Attributes<'_>) {
        let Some(chain) = self.open_chain_mut() else { return };
        match name {
            "IsSoloed" => chain.soloed = attributes.switch() == Some(true),
            "DocumentColorIndex" | "ColorIndex" | "Color" => {
                chain.colour = attributes.integer().and_then(|number| i32::try_from(number).ok());
            }
            _ => {}
        }
    }

    pub(in crate::parse) fn chain_source(&mut self, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let source = self.keep(attributes.value_text())?;
        if let Some(open) = self.chains.last_mut() {
            open.source = Some(source).filter(|text| !text.is_empty());
        }
        Ok(())
    }

    pub(super) fn chain_parameter(&mut self, slot: Slot, value: f64) {
        let Some(chain) = self.open_chain_mut() else { return };
        match slot {
            Slot::ChainActive => chain.muted = value == 0.0,
            Slot::ChainVolume => chain.volume = Some(value),
            Slot::ChainPan => chain.pan = Some(value),
            Slot::ChainSend => {
                if let Some(send) = chain.sends.last_mut() {
                    *send = value;
                }
            }
            _ => {}
        }
    }

    pub(in crate::parse) fn open_send(&mut self) -> Result<(), ParseError> {
        let Some(chain) = self.open_chain_mut() else { return Ok(()) };
        if chain.sends.len() < MAX_SENDS {
            chain.sends.push(0.0);
        }
        Ok(())
    }

    pub(in crate::parse) fn zone_field(&mut self, kind: ZoneKind, name: &str, attributes: Attributes<'_>) {
        let Some(value) = attributes.integer().and_then(|number| i32::try_from(number).ok()) else {
            self.bad_number("zone");
            return;
        };
        let Some(chain) = self.open_chain_mut() else { return };
        let zone = match kind {
            ZoneKind::Selector => &mut chain.selector_zone,
            ZoneKind::Key => &mut chain.key_zone,
            ZoneKind::Velocity => &mut chain.velocity_zone,
        };
        let zone = zone.get_or_insert_with(Zone::default);
        match name {
            "Min" => zone.min = value,
            "Max" => zone.max = value,
            "CrossfadeMin" => zone.fade_min = value,
            "CrossfadeMax" => zone.fade_max = value,
            _ => {}
        }
    }

    pub(in crate::parse) fn pad_field(&mut self, name: &str, attributes: Attributes<'_>) {
        if !matches!(name, "ReceivingNote" | "SendingNote" | "ChokeGroup") {
            return;
        }
        let number = attributes.integer().filter(|number| (0..=128).contains(number));
        let Some(number) = number.and_then(|number| u8::try_from(number).ok()) else {
            self.bad_number("ReceivingNote");
            return;
        };
        let Some(chain) = self.open_chain_mut() else { return };
        let pad = chain.pad.get_or_insert_with(Pad::default);
        match name {
            // Stored from the top: 128 is note 0. 0 means all notes.
            "ReceivingNote" => pad.note = (number > 0).then(|| 128 - number),
            "SendingNote" => pad.sending_note = Some(number.min(127)),
            _ => pad.choke_group = (number > 0).then_some(number),
        }
    }
}
