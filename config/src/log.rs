//! Logging: lines for people on a terminal, JSON for programs.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::ChronoUtc;

use crate::settings::{LogSettings, SettingsError};

/// Who reads the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// `Human` when standard error is a terminal, else `Json`.
    #[default]
    Auto,
    /// One readable line an event.
    Human,
    /// One JSON object an event.
    Json,
}

/// Sends every `tracing` event to standard error, so that standard output stays free for a command's own result.
///
/// # Errors
/// `log.filter` cannot be read as an `EnvFilter`, or logging was started before.
pub fn init_logging(settings: &LogSettings) -> Result<(), SettingsError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| SettingsError::Invalid(format!("log.filter: {error}")))?;
    let human = match settings.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if human {
        builder
            .with_timer(ChronoUtc::new("%H:%M:%S%.3f".to_owned()))
            .with_target(false)
            .try_init()
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_timer(ChronoUtc::rfc_3339())
            .try_init()
    };
    started.map_err(|error| SettingsError::Invalid(format!("logging was started before: {error}")))
}
