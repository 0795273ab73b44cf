//! What macros move.
//!
//! The moved parameter carries the mapping: `KeyMidi` with channel 16 and the macro's number. Whose macro it is follows from where the
//! parameter stands: a chain's content obeys the rack that owns the chain, a nested rack's macros and switch obey the rack around it,
//! and a chain selector obeys its own rack.

use super::super::context::{Context, Slot};
use super::super::value::Attributes;
use super::super::{ParseError, WarningCode};
use super::{Collector, Scope};
use crate::rack::{Index, Mapping, RangeUnit, Target};

/// The MIDI channel that marks a macro; real channels are 0 to 15.
const MACRO_CHANNEL: i64 = 16;

/// The mapping that is being read.
#[derive(Default)]
pub(in crate::parse) struct OpenMapping {
    channel: Option<i64>,
    number: Option<i64>,
    /// Depth of the parameter whose mapping awaits its range; 0 for none.
    pub(super) parameter_depth: usize,
    /// A Max for Live parameter: the first mapping in it, and its name.
    max_parameter: Option<(usize, Option<String>)>,
}

impl Collector<'_> {
    pub(in crate::parse) fn open_key_midi(&mut self) {
        self.mapping.channel = None;
        self.mapping.number = None;
    }

    pub(in crate::parse) fn key_midi_field(&mut self, name: &str, attributes: Attributes<'_>) {
        match name {
            "Channel" => self.mapping.channel = attributes.integer(),
            "NoteOrController" => self.mapping.number = attributes.integer(),
            _ => {}
        }
    }

    /// The macro that the last `KeyMidi` names. Tools write -1 for none.
    pub(in crate::parse) fn key_midi_macro(&self) -> Option<u32> {
        if self.mapping.channel != Some(MACRO_CHANNEL) {
            return None;
        }
        self.mapping.number.and_then(|number| u32::try_from(number).ok())
    }

    /// Notes that a macro moves the parameter whose context and path these are. Its range follows.
    pub(in crate::parse) fn add_mapping(
        &mut self,
        macro_index: u32,
        parameter: Option<Context>,
        path: String,
        parameter_depth: usize,
    ) -> Result<(), ParseError> {
        self.finish_mapping();
        let rack = self.racks.last().map(|open| open.index);
        let around = self
            .racks
            .len()
            .checked_sub(2)
            .and_then(|place| self.racks.get(place))
            .map(|open| open.index);
        let scope = self.scopes.last().map(|(scope, _)| *scope);
        let (owner, target, path) = match (scope, rack) {
            (Some(Scope::Rack), Some(rack)) => match parameter {
                Some(Context::Parameter(Slot::ChainSelector)) => (Some(rack), Target::ChainSelector { rack }, String::new()),
                Some(Context::Parameter(Slot::Macro(index))) => (
                    around,
                    Target::Macro {
                        rack,
                        index: u32::from(index),
                    },
                    String::new(),
                ),
                Some(Context::Parameter(Slot::RackOn)) => (around, Target::RackOn { rack }, String::new()),
                _ => (around, Target::Rack { rack }, path),
            },
            (Some(Scope::Mixer), _) => match self.chains.last() {
                Some(chain) => (rack, Target::ChainMixer { chain: chain.index }, path),
                None => (rack, Target::Unknown, path),
            },
            (Some(Scope::Device), _) => match self.device {
                Some(device) => (rack, Target::Device { device }, path),
                None => (rack, Target::Unknown, path),
            },
            _ => (rack, Target::Unknown, path),
        };
        let path = self.keep(Some(path.into()))?;
        self.push_mapping(Mapping {
            rack: owner,
            macro_index,
            target,
            parameter: path,
            range: RangeUnit::Whole,
            ..Mapping::default()
        })?;
        self.mapping.parameter_depth = parameter_depth;
        Ok(())
    }

    /// Adds a mapping to the list.
    pub(super) fn push_mapping(&mut self, mapping: Mapping) -> Result<(), ParseError> {
        self.count_item()?;
        if mapping.rack.is_none() {
            self.warn(WarningCode::MappingWithoutRack, || {
                "a parameter is mapped to a macro, but no rack around it has macros".to_owned()
            });
        }
        self.parsed.mappings.push(mapping);
        Ok(())
    }

    /// Whether an element at this depth may hold the range of the last mapping.
    #[inline]
    pub(in crate::parse) fn awaits_range(&self, depth: usize) -> bool {
        self.mapping.parameter_depth == depth
    }

    /// Notes what the range of the last mapping is measured in.
    pub(in crate::parse) fn range_unit(&mut self, unit: RangeUnit) -> RangeUnit {
        if let Some(mapping) = self.parsed.mappings.last_mut() {
            mapping.range = unit;
        }
        unit
    }

    pub(in crate::parse) fn range_field(&mut self, name: &str, attributes: Attributes<'_>) {
        let Some(mapping) = self.parsed.mappings.last_mut() else {
            return;
        };
        match name {
            "Min" => mapping.min = attributes.number(),
            "Max" => mapping.max = attributes.number(),
            _ => {}
        }
    }

    /// The parameter of the last mapping is complete.
    pub(super) fn finish_mapping(&mut self) {
        if self.mapping.parameter_depth == 0 {
            return;
        }
        self.mapping.parameter_depth = 0;
        if let Some(mapping) = self.parsed.mappings.last_mut() {
            mapping.inverted = is_inverted(mapping.min, mapping.max);
        }
    }

    pub(in crate::parse) fn open_max_parameter(&mut self) {
        self.mapping.max_parameter = Some((self.parsed.mappings.len(), None));
    }

    pub(in crate::parse) fn max_parameter_name(&mut self, attributes: Attributes<'_>) -> Result<(), ParseError> {
        // Names of parameters that nothing moves are not kept, so they do not count as text yet.
        let name = attributes.value_text().filter(|name| !name.is_empty());
        if let Some((_, known)) = &mut self.mapping.max_parameter {
            *known = name.map(std::borrow::Cow::into_owned);
        }
        Ok(())
    }

    pub(in crate::parse) fn close_max_parameter(&mut self) -> Result<(), ParseError> {
        let Some((first, Some(name))) = self.mapping.max_parameter.take() else {
            return Ok(());
        };
        for place in first..self.parsed.mappings.len() {
            let name = self.keep(Some(name.as_str().into()))?;
            if let Some(mapping) = self.parsed.mappings.get_mut(place) {
                mapping.parameter_name = Some(name);
            }
        }
        Ok(())
    }

    /// The rack whose macros move the content of the open chain.
    pub(super) fn owner(&self) -> Option<Index> {
        self.racks.last().map(|open| open.index)
    }
}

/// Whether a range runs downwards.
pub(super) fn is_inverted(min: Option<f64>, max: Option<f64>) -> bool {
    matches!((min, max), (Some(min), Some(max)) if min > max)
}
