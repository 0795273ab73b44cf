//! Why bytes are no rack, and what was odd about those that are.

use serde::Serialize;

/// Why a file was refused. Each has a stable [`code`](Self::code) for the database and a message for the producer who sent the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// No bytes.
    #[error("the file is empty")]
    EmptyFile,
    /// Bytes that start like nothing known.
    #[error("this is not a file of Ableton Live: a rack is saved by Live as an .adg file, a device preset as an .adv file")]
    UnknownFile,
    /// A zip archive.
    #[error("this is a zip archive: unpack it and send the .adg file inside")]
    ZipArchive,
    /// The side file that macOS writes for a file on a foreign disk.
    #[error(
        "this is the `._` companion file that macOS makes beside the real one: send the file without `._` in front of its name"
    )]
    AppleDouble,
    /// A document of Live from before its files were XML, or a part of its own settings.
    #[error("this is a binary Live document from before Live 8: open it in a newer Live and save the rack from there")]
    BinaryLiveDocument,
    /// A Max for Live device.
    #[error("this is a Max for Live device (.amxd): put it in a rack and save the rack")]
    MaxDevice,
    /// A preset of a plug-in.
    #[error("this is a plug-in's own preset: put the plug-in in a rack and save the rack")]
    PluginPreset,
    /// A sound file.
    #[error("this is a sound file, not a rack")]
    AudioFile,
    /// Text in an encoding other than UTF-8.
    #[error("this text is not encoded in UTF-8 as Live writes it")]
    UnsupportedEncoding,
    /// A Live set.
    #[error("this is a Live set (.als): save a rack from it and send the .adg file")]
    LiveSet,
    /// A Live clip.
    #[error("this is a Live clip (.alc), not a rack")]
    LiveClip,
    /// A groove.
    #[error("this is a groove (.agr), not a rack")]
    Groove,
    /// A collection of devices made by a tool.
    #[error("this file was made by a tool and holds a library of devices, not a rack")]
    ToolMade,
    /// Another document of Live.
    #[error("this is a file of Live, but neither a rack nor a preset of a known device: it holds `{0}`")]
    UnknownLiveDocument(String),
    /// XML of another program.
    #[error("this is XML, but not written by Live: its root is `{0}`")]
    NotLiveXml(String),
    /// Compressed, but no XML inside.
    #[error("this is a gzip file, but there is no Live document inside")]
    NotXml,
    /// A template whose tokens were not filled in.
    #[error("this is a template for making racks, with tokens such as `<%= name %>` not filled in")]
    Template,
    /// XML with a mistake.
    #[error("the XML is damaged at byte {at}: {what}")]
    Malformed {
        /// Where, in bytes of XML.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A file that stops in the middle.
    #[error("the file stops in the middle: it was not copied completely")]
    Truncated,
    /// Compressed data with a mistake.
    #[error("the compressed data is damaged")]
    CorruptGzip,
    /// Bytes that are no UTF-8.
    #[error("the text is damaged at byte {at}: it is not UTF-8")]
    InvalidUtf8 {
        /// Where, in bytes of XML.
        at: u64,
    },
    /// A document type declaration, which Live never writes and attackers do.
    #[error("the file declares a document type, which Live never does")]
    Doctype,
    /// Too much XML.
    #[error("the file unpacks to more than {limit} bytes")]
    XmlTooLarge {
        /// `parser.max_xml_bytes`.
        limit: u64,
    },
    /// Too many elements.
    #[error("the file has more than {limit} elements")]
    TooManyElements {
        /// `parser.max_elements`.
        limit: u64,
    },
    /// Elements in elements in elements.
    #[error("the file nests more than {limit} elements in each other")]
    TooDeep {
        /// `parser.max_depth`.
        limit: usize,
    },
    /// One tag that is too long.
    #[error("the file has a tag longer than {limit} bytes")]
    TagTooLong {
        /// `parser.max_value_bytes`.
        limit: usize,
    },
    /// Too many racks, chains, devices, mappings, samples and variations.
    #[error("the rack has more than {limit} chains, devices, mappings and samples")]
    TooManyItems {
        /// `parser.max_items`.
        limit: usize,
    },
    /// Names and texts that are too long in sum.
    #[error("the names and texts of the rack are longer than {limit} bytes together")]
    TooMuchText {
        /// `parser.max_text_bytes`.
        limit: usize,
    },
}

impl ParseError {
    /// Stable name for the database, the API and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::EmptyFile => "empty_file",
            Self::UnknownFile => "unknown_file",
            Self::ZipArchive => "zip_archive",
            Self::AppleDouble => "apple_double",
            Self::BinaryLiveDocument => "binary_live_document",
            Self::MaxDevice => "max_device",
            Self::PluginPreset => "plugin_preset",
            Self::AudioFile => "audio_file",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::LiveSet => "live_set",
            Self::LiveClip => "live_clip",
            Self::Groove => "groove",
            Self::ToolMade => "tool_made",
            Self::UnknownLiveDocument(_) => "unknown_live_document",
            Self::NotLiveXml(_) => "not_live_xml",
            Self::NotXml => "not_xml",
            Self::Template => "template",
            Self::Malformed { .. } => "malformed_xml",
            Self::Truncated => "truncated",
            Self::CorruptGzip => "corrupt_gzip",
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::Doctype => "doctype",
            Self::XmlTooLarge { .. } => "xml_too_large",
            Self::TooManyElements { .. } => "too_many_elements",
            Self::TooDeep { .. } => "too_deep",
            Self::TagTooLong { .. } => "tag_too_long",
            Self::TooManyItems { .. } => "too_many_items",
            Self::TooMuchText { .. } => "too_much_text",
        }
    }
}

/// Something odd about a file that was parsed all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParseWarning {
    /// Stable name.
    pub code: WarningCode,
    /// How often.
    pub count: u32,
    /// The first one, in words; never a path.
    pub message: String,
}

/// What can be odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningCode {
    /// Bytes after the end of the compressed data; ignored.
    TrailingBytes,
    /// The root element names no version of Live.
    NoLiveVersion,
    /// A device that the catalogue does not know: newer than this program, or made up by a tool.
    UnknownDevice,
    /// Something in a chain that is neither device nor rack nor plug-in; ignored.
    UnknownItem,
    /// A macro mapping that no rack owns.
    MappingWithoutRack,
    /// A second document after the first; ignored.
    SecondDocument,
    /// A number that is none, or out of bounds; ignored.
    BadNumber,
    /// A rack in the form of a Live set, as tools cut it out; Live 12 does not open such files.
    SetForm,
}
