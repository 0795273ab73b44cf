//! What an element means where it stands: one arm for each kind of parent.

use super::super::collect::{Collector, Scope};
use super::super::context::{Context, Purpose, Slot, ZoneKind};
use super::super::value::Attributes;
use super::super::{ParseError, WarningCode};
use super::{Machine, short};
use crate::rack::{Kind, RangeUnit};

impl Machine<'_> {
    /// What a new element means, and what it says at once.
    pub(super) fn enter(&mut self, name: &str, attributes: Attributes<'_>, at: u64) -> Result<Context, ParseError> {
        self.elements += 1;
        if self.elements > self.limits.max_elements {
            return Err(ParseError::TooManyElements {
                limit: self.limits.max_elements,
            });
        }
        let parent = self.frames.last().map_or(Context::Document, |frame| frame.context);
        let out = &mut self.collector;
        let context = match parent {
            Context::Inside => inside(out, name, self.frames.len()),
            Context::Skip => skipped(out, name),
            Context::Document => {
                if self.root_closed {
                    return Err(ParseError::Malformed {
                        at,
                        what: "a second root element",
                    });
                }
                if name != "Ableton" {
                    return Err(not_live(name));
                }
                out.written_by(attributes)?;
                Context::Root
            }
            Context::Root => self.root_child(name)?,
            Context::LiveSet => match name {
                "Tracks" => Context::SetTracks,
                "Scenes" | "SceneNames" => Context::SetScenes,
                _ => Context::Skip,
            },
            Context::SetTracks => {
                self.tracks += 1;
                Context::Skip
            }
            Context::SetScenes => {
                self.scenes += 1;
                Context::Skip
            }

            Context::RackPreset => match name {
                "Device" => Context::RackHolder,
                "BranchPresets" => Context::Chains { returns: false },
                "ReturnBranchPresets" => Context::Chains { returns: true },
                _ => Context::Skip,
            },
            Context::RackHolder => match Kind::of_element(name) {
                Some(kind) => {
                    out.set_rack_kind(kind);
                    out.push_scope(Scope::Rack, self.frames.len() + 1);
                    Context::Rack
                }
                None => return Err(ParseError::UnknownLiveDocument(short(name))),
            },
            Context::Rack | Context::SetRack => rack_child(out, parent, name, attributes)?,
            Context::Variations => match name {
                "MacroSnapshots" => Context::Snapshots,
                _ => Context::Skip,
            },
            Context::Snapshots => {
                out.open_variation()?;
                Context::Snapshot
            }
            Context::Snapshot => {
                out.variation_field(name, attributes)?;
                Context::Skip
            }
            Context::Parameter(slot) => match name {
                "Manual" => {
                    out.parameter_value(slot, attributes, true);
                    Context::Skip
                }
                "ArrangerAutomation" => Context::Automation(slot),
                _ => inside(out, name, self.frames.len()),
            },
            Context::Automation(slot) => match name {
                "Events" => Context::AutomationEvents(slot),
                _ => Context::Skip,
            },
            Context::AutomationEvents(slot) => {
                out.parameter_value(slot, attributes, false);
                Context::Skip
            }

            Context::Chains { returns } => {
                out.open_chain(returns)?;
                Context::Chain
            }
            Context::Chain => chain_child(out, name, attributes)?,
            Context::ChainSource => match name {
                "BranchDeviceId" => {
                    out.chain_source(attributes)?;
                    Context::Skip
                }
                "FileRef" => open_file_ref(out, Purpose::Mention),
                _ => Context::ChainSource,
            },
            Context::ChainZones => match name {
                "KeyRange" => Context::Zone(ZoneKind::Key),
                "VelocityRange" => Context::Zone(ZoneKind::Velocity),
                _ => {
                    out.pad_field(name, attributes);
                    Context::Skip
                }
            },
            Context::Zone(zone) => {
                out.zone_field(zone, name, attributes);
                Context::Skip
            }
            Context::ChainItems => self.chain_item(name)?,
            Context::MixerPreset => match name {
                "AbletonDevicePreset" => Context::MixerDevicePreset,
                _ => Context::Skip,
            },
            Context::MixerDevicePreset => match name {
                "Device" => Context::MixerHolder,
                _ => Context::Skip,
            },
            Context::MixerHolder => {
                out.push_scope(Scope::Mixer, self.frames.len() + 1);
                Context::Mixer
            }
            Context::Mixer => match name {
                "Speaker" => Context::Parameter(Slot::ChainActive),
                "Volume" => Context::Parameter(Slot::ChainVolume),
                "Panorama" | "Pan" => Context::Parameter(Slot::ChainPan),
                "SendInfos" | "Sends" => Context::Sends,
                _ => inside(out, name, self.frames.len()),
            },
            Context::Sends => {
                out.open_send()?;
                Context::Send
            }
            Context::Send => match name {
                "Send" => Context::Parameter(Slot::ChainSend),
                _ => inside(out, name, self.frames.len()),
            },

            Context::SetChains { returns } => {
                out.open_chain(returns)?;
                Context::SetChain
            }
            Context::SetChain => match name {
                "Name" => Context::SetChainName,
                "DeviceChain" => Context::SetDeviceChain,
                "MixerDevice" => {
                    out.push_scope(Scope::Mixer, self.frames.len() + 1);
                    Context::Mixer
                }
                "BranchInfo" => Context::ChainZones,
                "KeyRange" => Context::Zone(ZoneKind::Key),
                "VelocityRange" => Context::Zone(ZoneKind::Velocity),
                _ => chain_child(out, name, attributes)?,
            },
            Context::SetChainName => {
                if name == "UserName" {
                    out.chain_name(attributes)?;
                }
                Context::Skip
            }
            Context::SetDeviceChain => match name {
                "Devices" => Context::SetDevices,
                _ => Context::SetDeviceChain,
            },
            Context::SetDevices => self.set_device(name)?,

            Context::DevicePreset => match name {
                "Device" => Context::DeviceHolder,
                _ => Context::Skip,
            },
            Context::DeviceHolder => {
                out.open_device(name)?;
                out.push_scope(Scope::Device, self.frames.len() + 1);
                Context::Device
            }
            Context::Device => match name {
                "UserName" => {
                    out.device_custom_name(attributes)?;
                    Context::Skip
                }
                "On" => Context::Parameter(Slot::DeviceOn),
                "PatchSlot" => Context::MaxPatch,
                _ => inside(out, name, self.frames.len()),
            },
            Context::MaxParameter => match name {
                "Name" => {
                    out.max_parameter_name(attributes)?;
                    Context::Skip
                }
                _ => inside(out, name, self.frames.len()),
            },
            Context::MaxPatch => match name {
                "FileRef" => open_file_ref(out, Purpose::MaxDevice),
                "Value" | "MxDPatchRef" | "MxPatchRef" => Context::MaxPatch,
                _ => Context::Skip,
            },
            Context::KeyMidi => {
                out.key_midi_field(name, attributes);
                Context::Skip
            }
            Context::Range(_) => {
                out.range_field(name, attributes);
                Context::Skip
            }
            Context::SampleRef => match name {
                "FileRef" => open_file_ref(out, Purpose::Sample),
                _ => Context::Skip,
            },
            Context::FileRef(_) => {
                out.file_ref_field(name, attributes)?;
                Context::Skip
            }

            Context::Plugin => match name {
                "Uid" => Context::PluginUid,
                "ParameterSettings" => Context::PluginParameters,
                "PowerMacroMappingRange" => Context::PluginOnRange,
                "PluginDesc" => Context::PluginDescription,
                "On" => Context::Parameter(Slot::DeviceOn),
                "PresetRef" | "Buffer" | "ProcessorState" | "ControllerState" => Context::Skip,
                _ => {
                    out.plugin_field(name, attributes)?;
                    Context::Inside
                }
            },
            Context::PluginUid => {
                out.plugin_uid_field(name, attributes);
                Context::Skip
            }
            Context::PluginOnRange => {
                out.plugin_on_range_field(name, attributes);
                Context::Skip
            }
            Context::PluginParameters => {
                out.open_plugin_parameter();
                Context::PluginParameter
            }
            Context::PluginParameter => match name {
                "MidiControllerRange" => Context::PluginRange,
                _ => {
                    out.plugin_parameter_field(name, attributes);
                    Context::Skip
                }
            },
            // The range is a pair of values directly, or inside a `MidiControllerRange` of its own.
            Context::PluginRange => match name {
                "Min" | "Max" => {
                    out.plugin_range_field(name, attributes);
                    Context::Skip
                }
                _ => Context::PluginRange,
            },
            Context::PluginDescription => match name {
                "Uid" => Context::PluginUid,
                _ => {
                    out.plugin_description_field(name, attributes)?;
                    Context::PluginDescription
                }
            },
        };
        if matches!(context, Context::Parameter(_)) {
            self.collector.open_parameter();
        }
        Ok(context)
    }

    /// The only child of the root says what the file is.
    fn root_child(&mut self, name: &str) -> Result<Context, ParseError> {
        let out = &mut self.collector;
        if out.has_document() {
            out.warn(WarningCode::SecondDocument, || {
                "the file holds a second document, which was ignored".to_owned()
            });
            return Ok(Context::Skip);
        }
        Ok(match name {
            "GroupDevicePreset" => {
                out.open_rack()?;
                Context::RackPreset
            }
            "LiveSet" => Context::LiveSet,
            "Groove" => return Err(ParseError::Groove),
            "DonorLibrary" => return Err(ParseError::ToolMade),
            _ => self.set_device(name)?,
        })
    }

    /// What stands in `DevicePresets`.
    fn chain_item(&mut self, name: &str) -> Result<Context, ParseError> {
        let out = &mut self.collector;
        Ok(match name {
            "AbletonDevicePreset" => Context::DevicePreset,
            "GroupDevicePreset" => {
                out.open_rack()?;
                Context::RackPreset
            }
            "VstPreset" | "Vst3Preset" | "AuPreset" => {
                out.open_plugin(name)?;
                out.push_scope(Scope::Device, self.frames.len() + 1);
                Context::Plugin
            }
            _ => {
                out.warn(WarningCode::UnknownItem, || {
                    format!("a chain holds an unknown `{}`", short(name))
                });
                Context::Skip
            }
        })
    }

    /// A device in the form of a Live set, and of a device preset: its own element, without a wrapper.
    fn set_device(&mut self, name: &str) -> Result<Context, ParseError> {
        let out = &mut self.collector;
        let depth = self.frames.len() + 1;
        if let Some(kind) = Kind::of_element(name) {
            out.warn(WarningCode::SetForm, || {
                "the rack has the form that it has inside a Live set, as tools cut it out; Live 12 does not open such files"
                    .to_owned()
            });
            out.open_rack()?;
            out.set_rack_kind(kind);
            out.push_scope(Scope::Rack, depth);
            return Ok(Context::SetRack);
        }
        let context = match name {
            "PluginDevice" | "AuPluginDevice" | "VstPreset" | "Vst3Preset" | "AuPreset" => {
                out.open_plugin(name)?;
                Context::Plugin
            }
            _ => {
                out.open_device(name)?;
                Context::Device
            }
        };
        out.push_scope(Scope::Device, depth);
        Ok(context)
    }
}

/// Elements inside a device, a mixer or a rack that matter wherever they stand.
fn inside(out: &mut Collector<'_>, name: &str, depth: usize) -> Context {
    match name {
        "KeyMidi" => {
            out.open_key_midi();
            Context::KeyMidi
        }
        "MidiControllerRange" if out.awaits_range(depth) => Context::Range(out.range_unit(RangeUnit::Parameter)),
        "MidiCCOnOffThresholds" if out.awaits_range(depth) => Context::Range(out.range_unit(RangeUnit::Macro)),
        "SampleRef" => {
            out.open_sample();
            Context::SampleRef
        }
        "FileRef" => open_file_ref(out, Purpose::Mention),
        "MxDFloatParameter" | "MxDEnumParameter" | "MxDIntParameter" => {
            out.open_max_parameter();
            Context::MaxParameter
        }
        "PresetRef" | "LastPresetRef" | "SourceContext" => Context::Skip,
        _ => Context::Inside,
    }
}

/// Elements that matter even where nothing else does.
fn skipped(out: &mut Collector<'_>, name: &str) -> Context {
    match name {
        "FileRef" => open_file_ref(out, Purpose::Mention),
        _ => Context::Skip,
    }
}

fn open_file_ref(out: &mut Collector<'_>, purpose: Purpose) -> Context {
    out.open_file_ref();
    Context::FileRef(purpose)
}

/// A child of a rack's own element.
fn rack_child(out: &mut Collector<'_>, parent: Context, name: &str, attributes: Attributes<'_>) -> Result<Context, ParseError> {
    // `MacroControls.3` and its like: a field and the number of a macro.
    if let Some((field, number)) = name.split_once('.') {
        return Ok(match (field, number.parse::<u8>()) {
            ("MacroControls", Ok(index)) => {
                out.has_macro(index)?;
                Context::Parameter(Slot::Macro(index))
            }
            (_, Ok(index)) => {
                out.macro_field(field, index, attributes)?;
                Context::Skip
            }
            _ => Context::Inside,
        });
    }
    Ok(match name {
        "On" => Context::Parameter(Slot::RackOn),
        "ChainSelector" => Context::Parameter(Slot::ChainSelector),
        "MacroVariations" => Context::Variations,
        "Branches" if parent == Context::SetRack => Context::SetChains { returns: false },
        "ReturnBranches" if parent == Context::SetRack => Context::SetChains { returns: true },
        "UserName" | "Annotation" | "NumVisibleMacroControls" | "LockId" | "LockSeal" => {
            out.rack_field(name, attributes)?;
            Context::Skip
        }
        "LastPresetRef" | "SourceContext" | "LockedScripts" => Context::Skip,
        _ => Context::Inside,
    })
}

/// A child of a chain.
fn chain_child(out: &mut Collector<'_>, name: &str, attributes: Attributes<'_>) -> Result<Context, ParseError> {
    Ok(match name {
        "DevicePresets" => Context::ChainItems,
        "MixerPreset" => Context::MixerPreset,
        "SourceContext" => Context::ChainSource,
        "ZoneSettings" => Context::ChainZones,
        "BranchSelectorRange" => Context::Zone(ZoneKind::Selector),
        "Name" => {
            out.chain_name(attributes)?;
            Context::Skip
        }
        _ => {
            out.chain_field(name, attributes);
            Context::Skip
        }
    })
}

/// The error for a root element that is not Live's.
fn not_live(name: &str) -> ParseError {
    match name {
        "plist" => ParseError::PluginPreset,
        _ => ParseError::NotLiveXml(short(name)),
    }
}
