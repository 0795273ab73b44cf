//! Native and Max for Live devices.

use config::catalogue;

use super::super::machine::short;
use super::super::value::Attributes;
use super::super::{ParseError, WarningCode};
use super::{Collector, Form, next_index};
use crate::rack::{Device, MaxDevice, Origin};

impl Collector<'_> {
    pub(in crate::parse) fn open_device(&mut self, element: &str) -> Result<(), ParseError> {
        self.count_item()?;
        self.set_form(Form::Device);
        let known = catalogue::device(element);
        if known.is_none() {
            self.warn(WarningCode::UnknownDevice, || {
                format!("the catalogue does not know the device `{}`", short(element))
            });
        }
        let element = self.keep(Some(element.into()))?;
        let is_max = known.is_some_and(|entry| entry.max_for_live);
        let index = next_index(&self.parsed.devices);
        let (chain, position) = self.next_place();
        self.parsed.devices.push(Device {
            chain,
            position,
            name: known.map_or_else(|| element.clone(), |entry| entry.name.clone()),
            category: known.map(|entry| entry.category),
            element,
            origin: if is_max { Origin::MaxForLive } else { Origin::Native },
            on: true,
            max_device: is_max.then(MaxDevice::default),
            ..Device::default()
        });
        self.device = Some(index);
        Ok(())
    }

    pub(in crate::parse) fn close_device(&mut self) -> Result<(), ParseError> {
        self.finish_plugin()?;
        self.device = None;
        Ok(())
    }

    pub(super) fn open_device_mut(&mut self) -> Option<&mut Device> {
        self.parsed.devices.get_mut(self.device? as usize)
    }

    pub(in crate::parse) fn device_custom_name(&mut self, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let name = self.keep(attributes.value_text())?;
        if let Some(device) = self.open_device_mut() {
            device.custom_name = name;
        }
        Ok(())
    }
}
