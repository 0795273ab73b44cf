//! Settings of the program, and logging.
//!
//! [`Settings`] is read from three layers, each over the one before: the commented `config/default.toml` that is compiled in,
//! a file, and environment variables. A key that the defaults do not name is refused, with the nearest one that they do.

mod log;
mod settings;

pub use log::{LogFormat, init_logging};
pub use settings::{
    DEFAULTS, DataSettings, DatabaseSettings, FilesSettings, HttpSettings, IndexSettings, JobsSettings, LogSettings,
    ParserSettings, RedisSettings, ScheduleSettings, Secret, Settings, SettingsError,
};
