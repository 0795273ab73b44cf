//! Where in a rack file the parser is.

use crate::rack::RangeUnit;

/// A parameter whose value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    RackOn,
    Macro(u8),
    ChainSelector,
    DeviceOn,
    ChainActive,
    ChainVolume,
    ChainPan,
    ChainSend,
}

/// What a file reference is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The sample that a device plays.
    Sample,
    /// The file of a Max for Live device.
    MaxDevice,
    /// Bookkeeping: where a preset or chain came from.
    Mention,
}

/// Which zone of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZoneKind {
    Selector,
    Key,
    Velocity,
}

/// What an open element means. The meaning of an element follows from its name and the meaning of its parent alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// Before the root element.
    Document,
    /// `Ableton`.
    Root,
    /// Nothing below matters, but for file references.
    Skip,

    // A Live set, looked at only to tell it from a clip.
    LiveSet,
    SetTracks,
    SetScenes,

    // Racks.
    /// `GroupDevicePreset`.
    RackPreset,
    /// Its `Device`.
    RackHolder,
    /// `<X>GroupDevice` inside that.
    Rack,
    /// `<X>GroupDevice` in the form of a Live set, which holds its chains itself.
    SetRack,
    Variations,
    Snapshots,
    Snapshot,
    /// A parameter whose value is kept.
    Parameter(Slot),
    Automation(Slot),
    AutomationEvents(Slot),

    // Chains.
    /// `BranchPresets`, or `ReturnBranchPresets`.
    Chains {
        returns: bool,
    },
    /// `<X>BranchPreset`.
    Chain,
    ChainSource,
    ChainZones,
    Zone(ZoneKind),
    ChainItems,
    MixerPreset,
    MixerDevicePreset,
    MixerHolder,
    Mixer,
    Sends,
    Send,

    // Chains in the form of a Live set.
    SetChains {
        returns: bool,
    },
    SetChain,
    SetChainName,
    SetDeviceChain,
    SetDevices,

    // Devices.
    /// `AbletonDevicePreset`.
    DevicePreset,
    /// Its `Device`.
    DeviceHolder,
    /// The device's own element.
    Device,
    /// Anything in a device, a mixer or a rack.
    Inside,
    /// A parameter of a Max for Live device.
    MaxParameter,
    MaxPatch,
    KeyMidi,
    Range(RangeUnit),
    SampleRef,
    FileRef(Purpose),

    // Plug-ins.
    Plugin,
    PluginUid,
    PluginOnRange,
    PluginParameters,
    PluginParameter,
    PluginRange,
    /// `PluginDesc` of the form of a Live set.
    PluginDescription,
}
