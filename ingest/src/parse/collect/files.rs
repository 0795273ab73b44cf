//! References to files: samples, Max for Live devices, and the packs that they belong to.

use super::super::ParseError;
use super::super::context::Purpose;
use super::super::privacy::base_name;
use super::super::value::Attributes;
use super::Collector;
use crate::rack::{Pack, Sample};

/// The pack of what ships with every Live; not one to buy or install.
const CORE_LIBRARY: &str = "Core Library";

/// `RelativePathType` of files that ship with Live.
const BUILT_IN: i64 = 7;

/// Most packs of one file that are kept.
const MAX_PACKS: usize = 100;

/// The file reference that is being read.
#[derive(Default)]
pub(in crate::parse) struct OpenFileRef {
    /// `Name` (Live 10 and earlier) or the last component of `RelativePath`, else of `Path` (Live 11 and later).
    name: String,
    pack: String,
    pack_id: String,
    built_in: bool,
}

impl Collector<'_> {
    pub(in crate::parse) fn open_file_ref(&mut self) {
        self.file_ref = OpenFileRef::default();
    }

    pub(in crate::parse) fn file_ref_field(&mut self, field: &str, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let is_text = matches!(field, "Name" | "RelativePath" | "Path" | "LivePackName" | "LivePackId");
        if !is_text {
            if field == "RelativePathType" {
                self.file_ref.built_in = attributes.integer() == Some(BUILT_IN);
            }
            return Ok(());
        }
        let Some(text) = attributes.value_text().filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        match field {
            "LivePackName" => self.file_ref.pack = super::without_folders(&text).into_owned(),
            "LivePackId" => self.file_ref.pack_id = super::without_folders(&text).into_owned(),
            // Only the file's own name; `Path` is the last resort, and never overrides.
            "Name" | "RelativePath" => self.file_ref.name = base_name(&text).to_owned(),
            _ if self.file_ref.name.is_empty() => self.file_ref.name = base_name(&text).to_owned(),
            _ => {}
        }
        Ok(())
    }

    pub(in crate::parse) fn close_file_ref(&mut self, purpose: Purpose) -> Result<(), ParseError> {
        let file = std::mem::take(&mut self.file_ref);
        let pack = Some(file.pack).filter(|pack| !pack.is_empty() && pack != CORE_LIBRARY);
        let built_in = file.built_in;
        match purpose {
            Purpose::Mention => {}
            Purpose::Sample => {
                let name = self.keep(Some(file.name.into()))?;
                let pack = pack.clone();
                if let Some(sample) = &mut self.sample {
                    sample.name = name;
                    sample.built_in = built_in;
                    sample.pack = pack;
                }
            }
            Purpose::MaxDevice => {
                let name = self.keep(Some(file.name.into()))?;
                let pack = pack.clone();
                if let Some(device) = self.open_device_mut()
                    && let Some(max_device) = &mut device.max_device
                    && !name.is_empty()
                {
                    let title = name.strip_suffix(".amxd").unwrap_or(&name);
                    device.name = title.to_owned();
                    max_device.file = name;
                    max_device.built_in = built_in;
                    max_device.pack = pack;
                }
            }
        }
        if let Some(name) = pack {
            self.name_pack(name, file.pack_id, purpose)?;
        }
        Ok(())
    }

    /// Counts one use or mention of a pack.
    fn name_pack(&mut self, name: String, id: String, purpose: Purpose) -> Result<(), ParseError> {
        let packs = &mut self.parsed.packs;
        let place = match packs.iter().position(|pack| pack.name == name) {
            Some(place) => place,
            None if packs.len() >= MAX_PACKS => return Ok(()),
            None => {
                self.count_item()?;
                let name = self.keep(Some(name.into()))?;
                let id = self.keep(Some(id.into()))?;
                self.parsed.packs.push(Pack {
                    name,
                    id,
                    ..Pack::default()
                });
                self.parsed.packs.len() - 1
            }
        };
        let Some(pack) = self.parsed.packs.get_mut(place) else {
            return Ok(());
        };
        match purpose {
            Purpose::Sample => pack.samples += 1,
            Purpose::MaxDevice => pack.devices += 1,
            Purpose::Mention => {}
        }
        pack.required = pack.samples + pack.devices > 0;
        Ok(())
    }

    pub(in crate::parse) fn open_sample(&mut self) {
        self.sample = Some(Sample {
            device: self.device,
            ..Sample::default()
        });
    }

    pub(in crate::parse) fn close_sample(&mut self) -> Result<(), ParseError> {
        if let Some(sample) = self.sample.take() {
            self.count_item()?;
            self.parsed.samples.push(sample);
        }
        Ok(())
    }
}
