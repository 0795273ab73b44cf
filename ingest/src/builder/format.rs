//! The forms that Live has given its files, and the packing.

use std::borrow::Cow;
use std::io::Write;

use flate2::{Compression, GzBuilder};

use super::xml::Xml;

/// A version of Live as it shows in its files.
#[derive(Clone, Debug)]
pub struct Format {
    /// 8 to 12: what the file holds and how.
    pub(crate) major: u16,
    /// The attributes of the root element, the version of Live excepted.
    pub(crate) root: &'static str,
    /// Version of Live, such as `11.3.13`.
    pub(crate) version: Cow<'static, str>,
    /// Between lines.
    pub(crate) line_end: LineEnd,
    /// Whether the XML is compressed.
    pub(crate) compressed: bool,
}

/// What stands between lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// As Live on a Mac writes.
    Lf,
    /// As Live on Windows writes.
    CrLf,
}

impl Format {
    /// Live 8.3.4.
    pub const LIVE_8: Self = Self::written_by(
        8,
        "8.3.4",
        r#"MajorVersion="4" MinorVersion="8.1_226" SchemaChangeCount="11""#,
    );
    /// Live 9.7.1.
    pub const LIVE_9: Self = Self::written_by(9, "9.7.1", r#"MajorVersion="4" MinorVersion="9.5_327""#);
    /// Live 10.1.7.
    pub const LIVE_10: Self = Self::written_by(
        10,
        "10.1.7",
        r#"MajorVersion="5" MinorVersion="10.0_377" SchemaChangeCount="3""#,
    );
    /// Live 11.3.13.
    pub const LIVE_11: Self = Self::written_by(
        11,
        "11.3.13",
        r#"MajorVersion="5" MinorVersion="11.0_11300" SchemaChangeCount="3""#,
    );
    /// Live 12.1.5.
    pub const LIVE_12: Self = Self::written_by(
        12,
        "12.1.5",
        r#"MajorVersion="5" MinorVersion="12.0_12120" SchemaChangeCount="2""#,
    );

    /// All forms, oldest first.
    pub const ALL: [Self; 5] = [Self::LIVE_8, Self::LIVE_9, Self::LIVE_10, Self::LIVE_11, Self::LIVE_12];

    const fn written_by(major: u16, version: &'static str, root: &'static str) -> Self {
        Self {
            major,
            root,
            version: Cow::Borrowed(version),
            line_end: LineEnd::Lf,
            compressed: true,
        }
    }

    /// The same form, written by another version, such as `12.2b16`.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = Cow::Owned(version.to_owned());
        self
    }

    /// The same form with other line endings.
    #[must_use]
    pub fn line_end(mut self, line_end: LineEnd) -> Self {
        self.line_end = line_end;
        self
    }

    /// The same form, not compressed.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.compressed = false;
        self
    }

    /// A whole document around some content.
    pub(crate) fn document(&self, content: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml::new(self.major, self.line_end);
        let mut root = format!("{} Creator=\"Ableton Live {}\"", self.root, self.version);
        if self.major > 8 {
            root.push_str(r#" Revision="0000000000000000000000000000000000000000""#);
        }
        xml.open_with("Ableton", &root);
        content(&mut xml);
        xml.close("Ableton");
        xml.finish()
    }

    /// XML as a file: compressed as Live does, without name and time.
    pub fn pack(&self, xml: &str) -> Vec<u8> {
        if !self.compressed {
            return xml.as_bytes().to_vec();
        }
        // The byte that names the system, as Live writes it on Windows (NTFS) and Macs.
        let system = match self.line_end {
            LineEnd::Lf => 19,
            LineEnd::CrLf => 11,
        };
        let mut file = GzBuilder::new()
            .mtime(0)
            .operating_system(system)
            .write(Vec::new(), Compression::default());
        // Writing to memory cannot fail; an empty file would be noticed by every reader.
        file.write_all(xml.as_bytes())
            .and_then(|()| file.finish())
            .unwrap_or_default()
    }
}
