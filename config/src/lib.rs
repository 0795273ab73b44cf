//! Settings of the program, the device catalogue, synonyms, and logging.
//!
//! [`Settings`] is read from three layers, each over the one before: the commented `config/default.toml` that is compiled in,
//! a file, and environment variables. A key that the defaults do not name is refused, with the nearest one that they do.

pub mod catalogue;
mod live_version;
mod load;
mod log;
mod secret;
mod settings;
mod synonyms;

pub use live_version::{LiveVersion, NotALiveVersion};
pub use load::{DEFAULTS, SettingsError};
pub use log::{Hush, LogFormat, hush, init_logging};
pub use secret::Secret;
pub use settings::{
    AddressPolicy, AuthSettings, CommunitySettings, DataSettings, DatabaseSettings, EventsSettings, FeedSettings, FilesSettings,
    HttpSettings, IndexSettings, JobsSettings, LimitsSettings, LogSettings, MailSettings, ParserSettings, RecommendationSettings,
    RedisSettings, ScheduleSettings, SearchLogSettings, SearchSettings, Settings, SimilarSettings, TrendingSettings,
};
pub use synonyms::{Synonyms, SynonymsError};
