//! Devices, plug-ins and file references.

use config::catalogue::PluginFormat;

use super::xml::Xml;
use super::{Device, File, Parameter, Plugin};

/// A device's own element. In a preset file it stands alone and carries no number; in a chain it does.
pub(super) fn write_device(xml: &mut Xml, device: &Device, in_chain: bool) {
    if in_chain {
        xml.open_member(&device.element, 0);
    } else {
        xml.open(&device.element);
    }
    xml.value("LomId", 0);
    xml.value("IsExpanded", true);
    xml.switch("On", !device.off, device.on_macro);
    xml.line("<ParametersListWrapper LomId=\"0\" />");
    xml.value("LastSelectedTimeableIndex", 0);
    xml.open("LastPresetRef");
    xml.empty("Value");
    xml.close("LastPresetRef");
    xml.empty("LockedScripts");
    xml.value("IsFolded", false);
    xml.value("ShouldShowPresetName", false);
    xml.text("UserName", &device.custom_name);
    xml.text("Annotation", "");
    xml.open("SourceContext");
    xml.empty("Value");
    xml.close("SourceContext");
    xml.value("OverwriteProtectionNumber", 2820);
    if let Some(file) = &device.max_file {
        write_max(xml, device, file);
    }
    write_parameters(xml, &device.parameters.iter().collect::<Vec<_>>(), 0);
    if !device.samples.is_empty() {
        write_samples(xml, device);
    }
    xml.close(&device.element);
}

/// Parameters, those with a common path inside common elements. The paths come from the program, not from users: they are short.
fn write_parameters(xml: &mut Xml, parameters: &[&Parameter], level: usize) {
    let mut rest = parameters;
    while let Some(first) = rest.first() {
        let mut parts = first.path.split('/').skip(level);
        let Some(element) = parts.next() else { return };
        let is_leaf = parts.next().is_none();
        if is_leaf {
            xml.number(element, first.value, first.mapped);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let together = rest
            .iter()
            .take_while(|parameter| {
                parameter.path.split('/').nth(level) == Some(element) && parameter.path.split('/').nth(level + 1).is_some()
            })
            .count();
        let (inner, outer) = rest.split_at(together);
        xml.open(element);
        write_parameters(xml, inner, level + 1);
        xml.close(element);
        rest = outer;
    }
}

fn write_max(xml: &mut Xml, device: &Device, file: &File) {
    xml.open("PatchSlot");
    xml.open("Value");
    // Live 12 renamed the reference.
    let reference = if xml.major >= 12 { "MxPatchRef" } else { "MxDPatchRef" };
    xml.open_member(reference, 0);
    write_file_ref(xml, file);
    xml.close(reference);
    xml.close("Value");
    xml.close("PatchSlot");
    xml.open("ParameterList");
    xml.open("ParameterList");
    for (index, (name, mapped)) in device.max_parameters.iter().enumerate() {
        xml.open_member("MxDFloatParameter", index);
        xml.value("Index", index);
        xml.value("Type", 1);
        xml.text("Name", name);
        xml.text("ShortName", name);
        xml.value("MinValue", mapped.min.min(mapped.max));
        xml.value("MaxValue", mapped.min.max(mapped.max));
        xml.number("Timeable", mapped.min, Some(*mapped));
        xml.close("MxDFloatParameter");
    }
    xml.close("ParameterList");
    xml.close("ParameterList");
}

/// Samples where the device keeps them.
fn write_samples(xml: &mut Xml, device: &Device) {
    match device.element.as_str() {
        "DrumCell" => {
            xml.open("UserSample");
            xml.open("Value");
            for (index, file) in device.samples.iter().enumerate() {
                xml.open_member("MultiSamplePart", index);
                write_sample_ref(xml, file);
                xml.close("MultiSamplePart");
            }
            xml.close("Value");
            xml.close("UserSample");
        }
        _ => {
            xml.open("Player");
            xml.open("MultiSampleMap");
            xml.open("SampleParts");
            for (index, file) in device.samples.iter().enumerate() {
                xml.open_member("MultiSamplePart", index);
                xml.text(
                    "Name",
                    file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".wav"),
                );
                write_sample_ref(xml, file);
                xml.close("MultiSamplePart");
            }
            xml.close("SampleParts");
            xml.close("MultiSampleMap");
            xml.close("Player");
        }
    }
}

fn write_sample_ref(xml: &mut Xml, file: &File) {
    xml.open("SampleRef");
    write_file_ref(xml, file);
    xml.value("LastModDate", 0);
    // Where the sample came from: bookkeeping that readers must not count as another sample.
    xml.open("SourceContext");
    xml.open_member("SourceContext", 0);
    xml.open("OriginalFileRef");
    xml.open_member("FileRef", 0);
    write_file_ref_fields(xml, file);
    xml.close("FileRef");
    xml.close("OriginalFileRef");
    xml.text("BrowserContentPath", &format!("view:X-Samples#{}", file.path));
    xml.close("SourceContext");
    xml.close("SourceContext");
    xml.value("SampleUsageHint", 0);
    xml.value("DefaultDuration", 44100);
    xml.value("DefaultSampleRate", 44100);
    xml.close("SampleRef");
}

fn write_file_ref(xml: &mut Xml, file: &File) {
    xml.open("FileRef");
    write_file_ref_fields(xml, file);
    xml.close("FileRef");
}

/// The fields of a file reference: a list of folders and a name up to Live 10, whole paths since.
fn write_file_ref_fields(xml: &mut Xml, file: &File) {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let kind = match (file.built_in, file.pack.is_empty()) {
        (true, _) => 7,
        (false, false) => 5,
        (false, true) => 1,
    };
    if xml.major >= 11 {
        xml.value("RelativePathType", kind);
        xml.text("RelativePath", &format!("../../Samples/{name}"));
        xml.text("Path", &file.path);
        xml.value("Type", 1);
        xml.text("LivePackName", &file.pack);
        xml.text("LivePackId", &file.pack_id);
        xml.value("OriginalFileSize", 0);
        xml.value("OriginalCrc", 0);
        return;
    }
    xml.value("HasRelativePath", true);
    xml.value("RelativePathType", kind);
    xml.open("RelativePath");
    xml.line("<RelativePathElement Dir=\"\" />");
    xml.line("<RelativePathElement Dir=\"Samples\" />");
    xml.close("RelativePath");
    xml.text("Name", name);
    xml.value("Type", 1);
    // An alias in the system's own form, which holds the whole path once more.
    xml.hexadecimal("Data", file.path.as_bytes());
    xml.value("RefersToFolder", false);
    xml.open("SearchHint");
    xml.open("PathHint");
    for folder in file.path.split('/').filter(|folder| !folder.is_empty() && *folder != name) {
        xml.line(&format!(
            "<RelativePathElement Dir=\"{}\" />",
            quick_xml::escape::escape(folder)
        ));
    }
    xml.close("PathHint");
    xml.value("FileSize", 0);
    xml.close("SearchHint");
    if xml.major >= 9 {
        xml.text("LivePackName", &file.pack);
        xml.text("LivePackId", &file.pack_id);
    } else {
        xml.text("ImmutableUid", "");
    }
}

/// A plug-in's preset, which stands in a chain without a `Device` around it.
pub(super) fn write_plugin(xml: &mut Xml, plugin: &Plugin, id: usize) {
    let element = match plugin.format {
        PluginFormat::Vst2 => "VstPreset",
        PluginFormat::Vst3 => "Vst3Preset",
        PluginFormat::Au => "AuPreset",
    };
    xml.open_member(element, id);
    xml.value("OverwriteProtectionNumber", 2819);
    if xml.major >= 11 {
        xml.value("MpeEnabled", 0);
    }
    xml.open("ParameterSettings");
    for (index, (parameter, mapped)) in plugin.parameters.iter().enumerate() {
        xml.open_member("PluginParameterSettings", index);
        xml.value("Index", index);
        xml.value("VisualIndex", index);
        xml.value("ParameterId", parameter);
        xml.value("Type", "PluginFloatParameter");
        match mapped {
            Some(mapped) => {
                xml.value("MacroControlIndex", mapped.macro_index);
                xml.open("MidiControllerRange");
                xml.range("MidiControllerRange", mapped.min, mapped.max);
                xml.close("MidiControllerRange");
            }
            None => {
                xml.value("MacroControlIndex", -1);
                xml.empty("MidiControllerRange");
            }
        }
        xml.value("LomId", 0);
        xml.close("PluginParameterSettings");
    }
    xml.close("ParameterSettings");
    xml.value("IsOn", !plugin.off);
    xml.value("PowerMacroControlIndex", plugin.on_macro.map_or(-1, i32::from));
    xml.range("PowerMacroMappingRange", 64.0, 127.0);
    xml.value("IsFolded", false);
    write_plugin_id(xml, plugin);
    xml.empty("PresetRef");
    xml.close(element);
}

fn write_plugin_id(xml: &mut Xml, plugin: &Plugin) {
    // Repeatable bytes in place of the state that a plug-in would store.
    let state: Vec<u8> = (0..plugin.state_bytes)
        .map(|at| u8::try_from(at * 31 % 251).unwrap_or_default())
        .collect();
    match plugin.format {
        PluginFormat::Vst2 => {
            // 'FBCh': the state is one opaque chunk.
            xml.value("Type", 1_178_747_752);
            xml.value("ProgramCount", 1);
            xml.value("ParameterCount", plugin.parameters.len());
            xml.value("ProgramNumber", 0);
            xml.hexadecimal("Buffer", &state);
            xml.text("Name", &plugin.preset);
            xml.value("PluginVersion", 1);
            xml.value("UniqueId", plugin.id.first().copied().unwrap_or_default());
            xml.value("ByteOrder", 2);
        }
        PluginFormat::Vst3 => {
            xml.open("Uid");
            for (place, field) in plugin.id.iter().enumerate() {
                // Live writes these signed.
                xml.value(&format!("Fields.{place}"), field.cast_signed());
            }
            xml.close("Uid");
            xml.value("DeviceType", 2);
            xml.hexadecimal("ProcessorState", &state);
            xml.empty("ControllerState");
            xml.text("Name", &plugin.preset);
        }
        PluginFormat::Au => {
            xml.hexadecimal("Buffer", &state);
            xml.text("Name", &plugin.preset);
            for (tag, place) in [("Manufacturer", 2), ("SubType", 1), ("Type", 0)] {
                xml.value(tag, plugin.id.get(place).copied().unwrap_or_default());
            }
        }
    }
}
