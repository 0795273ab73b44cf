//! What a file may cost.

/// Limits of one parse: see the section `[parser]` of `config/default.toml` for their reasons.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest XML, in bytes.
    pub max_xml_bytes: u64,
    /// Most elements.
    pub max_elements: u64,
    /// Deepest nesting of elements.
    pub max_depth: usize,
    /// Longest tag with its attributes, in bytes.
    pub max_value_bytes: usize,
    /// Most racks, chains, devices, mappings, samples, variations and packs, together.
    pub max_items: usize,
    /// Most bytes of names and texts, together.
    pub max_text_bytes: usize,
}

impl From<&config::ParserSettings> for Limits {
    fn from(settings: &config::ParserSettings) -> Self {
        Self {
            max_xml_bytes: settings.max_xml_bytes,
            max_elements: settings.max_elements,
            max_depth: settings.max_depth,
            max_value_bytes: settings.max_value_bytes,
            max_items: settings.max_items,
            max_text_bytes: settings.max_text_bytes,
        }
    }
}
