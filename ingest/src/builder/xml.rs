//! XML as Live writes it: one element a line, tabs, ` />`, values in attributes.

use std::fmt::Write;

use quick_xml::escape::escape;

use super::{Mapped, format::LineEnd};

/// A growing document.
pub(crate) struct Xml {
    text: String,
    depth: usize,
    line_end: &'static str,
    /// Major version of Live.
    pub(crate) major: u16,
}

impl Xml {
    pub(crate) fn new(major: u16, line_end: LineEnd) -> Self {
        let mut xml = Self {
            text: String::new(),
            depth: 0,
            line_end: match line_end {
                LineEnd::Lf => "\n",
                LineEnd::CrLf => "\r\n",
            },
            major,
        };
        xml.line(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        xml
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// A line of its own.
    pub(crate) fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.text.push('\t');
        }
        self.text.push_str(text);
        self.text.push_str(self.line_end);
    }

    pub(crate) fn open(&mut self, tag: &str) {
        self.line(&format!("<{tag}>"));
        self.depth += 1;
    }

    pub(crate) fn open_with(&mut self, tag: &str, attributes: &str) {
        self.line(&format!("<{tag} {attributes}>"));
        self.depth += 1;
    }

    /// A member of a list; they carry numbers from Live 10 on.
    pub(crate) fn open_member(&mut self, tag: &str, id: usize) {
        if self.major >= 10 {
            self.open_with(tag, &format!("Id=\"{id}\""));
        } else {
            self.open(tag);
        }
    }

    pub(crate) fn close(&mut self, tag: &str) {
        self.depth -= 1;
        self.line(&format!("</{tag}>"));
    }

    pub(crate) fn empty(&mut self, tag: &str) {
        self.line(&format!("<{tag} />"));
    }

    /// A value that needs no escaping.
    pub(crate) fn value(&mut self, tag: &str, value: impl std::fmt::Display) {
        self.line(&format!("<{tag} Value=\"{value}\" />"));
    }

    /// A text.
    pub(crate) fn text(&mut self, tag: &str, text: &str) {
        let escaped = escape(text).replace('\n', "&#x0A;").replace('\r', "&#x0D;");
        self.value(tag, escaped);
    }

    /// Binary data as lines of hexadecimal digits.
    pub(crate) fn hexadecimal(&mut self, tag: &str, bytes: &[u8]) {
        self.open(tag);
        for line in bytes.chunks(40) {
            let mut digits = String::with_capacity(80);
            for byte in line {
                // Writing to a string cannot fail.
                let _ = write!(digits, "{byte:02X}");
            }
            self.line(&digits);
        }
        self.close(tag);
    }

    /// A continuous parameter, and the macro that moves it.
    pub(crate) fn number(&mut self, tag: &str, value: f64, mapped: Option<Mapped>) {
        self.open(tag);
        self.value("LomId", 0);
        if let Some(mapped) = mapped {
            self.key_midi(mapped.macro_index);
        }
        self.current("FloatEvent", value);
        let (min, max) = mapped.map_or((0.0, 127.0), |mapped| (mapped.min, mapped.max));
        self.range("MidiControllerRange", min, max);
        self.automation_target("AutomationTarget");
        self.automation_target("ModulationTarget");
        self.close(tag);
    }

    /// A switch, and the macro that moves it.
    pub(crate) fn switch(&mut self, tag: &str, on: bool, macro_index: Option<u8>) {
        self.open(tag);
        self.value("LomId", 0);
        if let Some(macro_index) = macro_index {
            self.key_midi(macro_index);
        }
        self.current("BoolEvent", on);
        self.automation_target("AutomationTarget");
        self.range("MidiCCOnOffThresholds", 64.0, 127.0);
        self.close(tag);
    }

    /// A parameter's value: an automation of one event up to Live 9, `Manual` from Live 9 on.
    fn current(&mut self, event: &str, value: impl std::fmt::Display + Copy) {
        if self.major <= 9 {
            self.open("ArrangerAutomation");
            self.open("Events");
            self.line(&format!("<{event} Time=\"-63072000\" Value=\"{value}\" />"));
            self.close("Events");
            self.close("ArrangerAutomation");
        }
        if self.major >= 9 {
            self.value("Manual", value);
        }
    }

    fn key_midi(&mut self, macro_index: u8) {
        self.open("KeyMidi");
        self.text("PersistentKeyString", "");
        self.value("IsNote", false);
        self.value("Channel", 16);
        self.value("NoteOrController", macro_index);
        self.value("LowerRangeNote", -1);
        self.value("UpperRangeNote", -1);
        self.value("ControllerMapMode", 0);
        self.close("KeyMidi");
    }

    pub(crate) fn range(&mut self, tag: &str, min: f64, max: f64) {
        self.open(tag);
        self.value("Min", min);
        self.value("Max", max);
        self.close(tag);
    }

    fn automation_target(&mut self, tag: &str) {
        self.open_with(tag, "Id=\"0\"");
        self.value("LockEnvelope", 0);
        self.close(tag);
    }
}
