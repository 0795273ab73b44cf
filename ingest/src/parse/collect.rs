//! What has been read so far: the growing [`ParsedRack`] and the things in it that are still open.
//!
//! The collector does not know where in the file it is; [`Machine`](super::machine::Machine) does.

mod chains;
mod devices;
mod files;
mod finish;
mod mappings;
mod plugins;
mod racks;

use std::borrow::Cow;
use std::str::FromStr;

use config::LiveVersion;

use super::context::Slot;
use super::limits::Limits;
use super::privacy::without_folders;
use super::value::Attributes;
use super::{ParseError, ParseWarning, WarningCode};
use crate::rack::{Form, Index, Kind, ParsedRack, WrittenBy};

/// What a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Rack,
    Device,
    Mixer,
}

/// See the module.
pub(super) struct Collector<'a> {
    limits: &'a Limits,
    parsed: ParsedRack,
    warnings: Vec<ParseWarning>,
    items: usize,
    text_bytes: usize,
    /// Each scope with the depth of its element.
    scopes: Vec<(Scope, usize)>,
    racks: Vec<racks::OpenRack>,
    chains: Vec<chains::OpenChain>,
    /// The open device or plug-in. Devices hold no devices.
    device: Option<Index>,
    plugin: plugins::OpenPlugin,
    plugin_is_open: bool,
    mapping: mappings::OpenMapping,
    file_ref: files::OpenFileRef,
    sample: Option<crate::rack::Sample>,
    /// Whether the open parameter has a value.
    has_value: bool,
}

impl<'a> Collector<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            parsed: ParsedRack::default(),
            warnings: Vec::new(),
            items: 0,
            text_bytes: 0,
            scopes: Vec::new(),
            racks: Vec::new(),
            chains: Vec::new(),
            device: None,
            plugin: plugins::OpenPlugin::default(),
            plugin_is_open: false,
            mapping: mappings::OpenMapping::default(),
            file_ref: files::OpenFileRef::default(),
            sample: None,
            has_value: false,
        }
    }

    /// Whether a rack or device has been seen.
    pub(super) fn has_document(&self) -> bool {
        !self.parsed.racks.is_empty() || !self.parsed.devices.is_empty()
    }

    /// What the file holds, once that is known.
    pub(super) fn form(&self) -> Option<Form> {
        self.has_document().then_some(self.parsed.form)
    }

    /// What the outermost rack does, once that is known. A device's kind is found at the end.
    pub(super) fn rack_kind(&self) -> Option<Kind> {
        self.parsed.racks.first().map(|rack| rack.kind)
    }

    /// Notes something odd; the first of each kind is told in words, the others are counted.
    pub(super) fn warn(&mut self, code: WarningCode, message: impl FnOnce() -> String) {
        match self.warnings.iter_mut().find(|warning| warning.code == code) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => self.warnings.push(ParseWarning {
                code,
                count: 1,
                message: without_folders(&message()).into_owned(),
            }),
        }
    }

    /// Counts one more thing that is kept.
    fn count_item(&mut self) -> Result<(), ParseError> {
        self.items += 1;
        if self.items > self.limits.max_items {
            return Err(ParseError::TooManyItems {
                limit: self.limits.max_items,
            });
        }
        Ok(())
    }

    /// A text to keep, without folders.
    fn keep(&mut self, text: Option<Cow<'_, str>>) -> Result<String, ParseError> {
        let text = text.unwrap_or_default();
        let kept = without_folders(&text);
        self.text_bytes += kept.len();
        if self.text_bytes > self.limits.max_text_bytes {
            return Err(ParseError::TooMuchText {
                limit: self.limits.max_text_bytes,
            });
        }
        Ok(kept.into_owned())
    }

    fn bad_number(&mut self, what: &'static str) {
        self.warn(WarningCode::BadNumber, || format!("`{what}` is not a number in its range"));
    }

    /// Reads the attributes of the root element.
    pub(super) fn written_by(&mut self, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let creator = self.keep(attributes.text("Creator"))?;
        let schema = self.keep(attributes.text("MinorVersion"))?;
        let stated = creator
            .strip_prefix("Ableton Live ")
            .and_then(|version| LiveVersion::from_str(version).ok());
        let implied = || {
            let release = schema.split('_').next()?;
            LiveVersion::from_str(release).ok()
        };
        let version = stated.or_else(implied);
        if stated.is_none() {
            self.warn(WarningCode::NoLiveVersion, || {
                "the file does not name the version of Live that wrote it; taken from its schema".to_owned()
            });
        }
        self.parsed.live = WrittenBy {
            creator: Some(creator).filter(|text| !text.is_empty()),
            version,
            schema: Some(schema).filter(|text| !text.is_empty()),
            schema_changes: attributes.raw("SchemaChangeCount").and_then(|count| count.parse().ok()),
        };
        Ok(())
    }

    /// A scope opens: parameters inside belong to what was opened last.
    pub(super) fn push_scope(&mut self, scope: Scope, depth: usize) {
        self.scopes.push((scope, depth));
    }

    /// The innermost scope closes.
    pub(super) fn pop_scope(&mut self) {
        self.scopes.pop();
    }

    /// Depth of the element that parameters belong to.
    pub(super) fn scope_depth(&self) -> usize {
        self.scopes.last().map_or(0, |(_, depth)| *depth)
    }

    /// A parameter opens whose value is kept.
    pub(super) fn open_parameter(&mut self) {
        self.has_value = false;
    }

    /// A value of a parameter that is kept: its current one, or the first of an automation, where Live 8 kept it.
    pub(super) fn parameter_value(&mut self, slot: Slot, attributes: Attributes<'_>, current: bool) {
        // The first automation event counts, and only until the current value comes.
        if !current && self.has_value {
            return;
        }
        self.has_value = true;
        let Some(value) = attributes.number() else {
            self.bad_number("Manual");
            return;
        };
        match slot {
            Slot::RackOn | Slot::Macro(_) | Slot::ChainSelector => self.rack_parameter(slot, value),
            Slot::DeviceOn => {
                if let Some(device) = self.open_device_mut() {
                    device.on = value != 0.0;
                }
            }
            Slot::ChainActive | Slot::ChainVolume | Slot::ChainPan | Slot::ChainSend => self.chain_parameter(slot, value),
        }
    }

    /// An element closes at this depth: a mapping of it, or a value of it, is complete.
    #[inline]
    pub(super) fn close_parameter(&mut self, depth: usize) {
        if self.mapping.parameter_depth == depth {
            self.finish_mapping();
        }
    }

    /// What the file turned out to be.
    fn set_form(&mut self, form: Form) {
        if !self.has_document() {
            self.parsed.form = form;
        }
    }
}

/// The position of the next element of a list. Lists are bounded by `max_items`, far below `u32::MAX`.
fn next_index<T>(list: &[T]) -> Index {
    Index::try_from(list.len()).unwrap_or(Index::MAX)
}
