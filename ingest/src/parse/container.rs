//! What bytes are before they are XML: gzip, plain text, or something that is no rack at all.

use super::ParseError;

/// How the XML is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// Compressed, as Live saves it.
    Gzip,
    /// Plain text, as tools and version control leave it.
    PlainXml,
}

/// Beginnings of files that people send by mistake. Facts: `ab 1e 56 78` begins Live's binary documents and settings;
/// AppleDouble is RFC 1740; `ampf` begins .amxd, `VST3` .vstpreset, `CcnK` .fxp and .fxb files.
const STRANGERS: &[(&[u8], ParseError)] = &[
    (b"\xab\x1e\x56\x78", ParseError::BinaryLiveDocument),
    (b"\x00\x05\x16\x07", ParseError::AppleDouble),
    (b"PK\x03\x04", ParseError::ZipArchive),
    (b"PK\x05\x06", ParseError::ZipArchive),
    (b"ampf", ParseError::MaxDevice),
    (b"VST3", ParseError::PluginPreset),
    (b"CcnK", ParseError::PluginPreset),
    (b"bplist", ParseError::PluginPreset),
    (b"RIFF", ParseError::AudioFile),
    (b"FORM", ParseError::AudioFile),
    (b"fLaC", ParseError::AudioFile),
    (b"OggS", ParseError::AudioFile),
    (b"ID3", ParseError::AudioFile),
    (b"\xff\xfe", ParseError::UnsupportedEncoding),
    (b"\xfe\xff", ParseError::UnsupportedEncoding),
    (b"<\0", ParseError::UnsupportedEncoding),
    (b"\0<", ParseError::UnsupportedEncoding),
];

/// The mark that some editors put before UTF-8.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Tells by the first bytes what a file is; its name is never asked.
pub(crate) fn container(head: &[u8]) -> Result<Container, ParseError> {
    if head.is_empty() {
        return Err(ParseError::EmptyFile);
    }
    if head.starts_with(b"\x1f\x8b") {
        return Ok(Container::Gzip);
    }
    if let Some((_, error)) = STRANGERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(error.clone());
    }
    if looks_like_xml(head) {
        return Ok(Container::PlainXml);
    }
    Err(ParseError::UnknownFile)
}

/// Whether text begins with a tag, after an optional mark and blanks.
pub(crate) fn looks_like_xml(head: &[u8]) -> bool {
    let text = head.strip_prefix(BOM).unwrap_or(head);
    text.trim_ascii_start().first() == Some(&b'<')
}
