//! The fields of a document.

use tantivy::schema::{Field, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};

use crate::facet::Facet;
use crate::text::{Leveled, Words, stems};

/// Version of the fields and of how they are filled. Raise it with any change to either: an index of another version is rebuilt.
pub const SCHEMA_VERSION: u32 = 5;

/// Name of the tokenizer of text fields.
const WORDS: &str = "words";

/// Name of the tokenizer of stemmed fields.
const STEMS: &str = "stems";

/// Name of the tokenizer of lists of words with their levels.
const LEVELED: &str = "leveled";

/// Longest beginning of a word that is indexed, in characters. One to four letters begin so many words that looking them up while
/// somebody types would take long, and what they begin is found by one list of documents instead of hundreds.
pub(crate) const BEGINNING_CHARS: usize = 4;

/// How much it says that a word is in a field, from 1 to 5: what somebody chose as a name says more about a rack than what it happens
/// to contain, and a description mentions everything.
pub(crate) mod level {
    pub(crate) const TITLE: u8 = 5;
    pub(crate) const TAGS: u8 = 4;
    pub(crate) const AUTHOR: u8 = 4;
    pub(crate) const DEVICES: u8 = 3;
    pub(crate) const PLUGINS: u8 = 3;
    pub(crate) const MACROS: u8 = 2;
    pub(crate) const CHAINS: u8 = 2;
    pub(crate) const DESCRIPTION: u8 = 1;
}

/// Handles of all fields.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    /// Id of the workflow: the key by which documents are replaced.
    pub(crate) id: Field,
    /// Hash of all that the document says, to compare an index with the database.
    pub(crate) revision: Field,
    /// Seconds since 1970 from which the workflow may be seen; 0: always.
    pub(crate) visible_from: Field,
    /// Seconds since 1970 at which it was published, or made, for the order of the newest.
    pub(crate) listed_at: Field,
    /// Tempo in beats a minute.
    pub(crate) bpm: Field,
    /// Properties that it has or has not, see [`crate::Flag`].
    pub(crate) flags: Field,
    /// Least version of Live, as a number that sorts as versions do; absent where unknown.
    pub(crate) needs_live: Field,
    /// Devices; absent where the file was not parsed, as the next two are.
    pub(crate) device_count: Field,
    /// Chains.
    pub(crate) chain_count: Field,
    /// Macros in use.
    pub(crate) macro_count: Field,
    /// The card, as JSON.
    pub(crate) card: Field,
    /// Values of facets, in the order of [`Facet::ALL`].
    pub(crate) facets: [Field; Facet::ALL.len()],
    /// Fields that text is looked for in.
    pub(crate) texts: TextFields,
    /// Every word of every text field once, its frequency being the level of the best field that it is in.
    pub(crate) all: Field,
    /// The first letters of every longer word in the same way, from one to [`BEGINNING_CHARS`].
    pub(crate) beginnings: Field,
    /// The description in English stems.
    pub(crate) stems: Field,
    /// The title in English stems.
    pub(crate) title_stems: Field,
    /// Number of words of the title.
    pub(crate) title_words: Field,
    /// What highlights need beside the card, as JSON.
    pub(crate) prose: Field,
}

/// The text fields.
#[derive(Clone, Debug)]
pub(crate) struct TextFields {
    pub(crate) title: Field,
    pub(crate) tags: Field,
    pub(crate) author: Field,
    pub(crate) devices: Field,
    pub(crate) plugins: Field,
    pub(crate) macros: Field,
    pub(crate) chains: Field,
    pub(crate) description: Field,
}

impl TextFields {
    /// All of them with their levels.
    pub(crate) fn leveled(&self) -> [(Field, u8); 8] {
        [
            (self.title, level::TITLE),
            (self.tags, level::TAGS),
            (self.author, level::AUTHOR),
            (self.devices, level::DEVICES),
            (self.plugins, level::PLUGINS),
            (self.macros, level::MACROS),
            (self.chains, level::CHAINS),
            (self.description, level::DESCRIPTION),
        ]
    }
}

/// The schema and its handles.
pub(crate) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let number = NumericOptions::default().set_fast();
    // A rack with a long title or many devices is not worse for it: lengths are kept of stemmed fields only.
    let text = || {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer(WORDS)
                .set_index_option(IndexRecordOption::WithFreqsAndPositions)
                .set_fieldnorms(false),
        )
    };
    let words_only = |tokenizer: &str, length_matters: bool| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer(tokenizer)
                .set_index_option(IndexRecordOption::WithFreqs)
                .set_fieldnorms(length_matters),
        )
    };
    let fields = Fields {
        id: builder.add_u64_field("id", number.clone().set_indexed()),
        revision: builder.add_u64_field("revision", number.clone()),
        visible_from: builder.add_i64_field("visible_from", number.clone()),
        listed_at: builder.add_i64_field("listed_at", number.clone()),
        bpm: builder.add_f64_field("bpm", number.clone()),
        flags: builder.add_u64_field("flags", number.clone()),
        needs_live: builder.add_u64_field("needs_live", number.clone()),
        device_count: builder.add_u64_field("device_count", number.clone()),
        chain_count: builder.add_u64_field("chain_count", number.clone()),
        macro_count: builder.add_u64_field("macro_count", number.clone()),
        card: builder.add_bytes_field("card", STORED),
        facets: Facet::ALL.map(|facet| {
            let only_fast = TextOptions::default().set_fast("raw");
            builder.add_text_field(facet_field(facet), only_fast)
        }),
        texts: TextFields {
            title: builder.add_text_field("title", text()),
            tags: builder.add_text_field("tags", text()),
            author: builder.add_text_field("author", text()),
            devices: builder.add_text_field("devices", text()),
            plugins: builder.add_text_field("plugins", text()),
            macros: builder.add_text_field("macros", text()),
            chains: builder.add_text_field("chains", text()),
            description: builder.add_text_field("description", text()),
        },
        all: builder.add_text_field("all", words_only(LEVELED, false)),
        beginnings: builder.add_text_field("beginnings", words_only(LEVELED, false)),
        stems: builder.add_text_field("stems", words_only(STEMS, true)),
        title_stems: builder.add_text_field("title_stems", words_only(STEMS, true)),
        title_words: builder.add_u64_field("title_words", number),
        prose: builder.add_bytes_field("prose", STORED),
    };
    (builder.build(), fields)
}

/// The tokenizers that the schema names.
pub(crate) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(WORDS, TextAnalyzer::builder(Words).build());
    manager.register(STEMS, stems());
    manager.register(LEVELED, TextAnalyzer::builder(Leveled).build());
    manager
}

/// Name of the field that holds the values of a facet.
pub(crate) fn facet_field(facet: Facet) -> &'static str {
    match facet {
        Facet::Genre => "facet_genre",
        Facet::Key => "facet_key",
        Facet::Device => "facet_device",
        Facet::Plugin => "facet_plugin",
        Facet::Tag => "facet_tag",
        Facet::Kind => "facet_kind",
        Facet::Difficulty => "facet_difficulty",
        Facet::Author => "facet_author",
        Facet::Origin => "facet_origin",
        Facet::Vendor => "facet_vendor",
        Facet::Category => "facet_category",
        Facet::CategoryDevice => "facet_category_device",
        Facet::Edition => "facet_edition",
        Facet::Live => "facet_live",
        Facet::Form => "facet_form",
        Facet::Needs => "facet_needs",
    }
}
