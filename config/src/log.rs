//! Logging: lines for people on a terminal, JSON for programs.

use std::io::IsTerminal;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::ChronoUtc;

use crate::SettingsError;
use crate::settings::LogSettings;

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
        let builder = builder
            .with_timer(ChronoUtc::new("%H:%M:%S%.3f".to_owned()))
            .with_target(false)
            .with_filter_reloading();
        let handle = builder.reload_handle();
        // Where it cannot be set, logging was started before, which `try_init` reports.
        let _ = SET_FILTER.set(Box::new(move |directives| {
            let _ = handle.reload(EnvFilter::new(directives));
        }));
        builder.try_init()
    } else {
        builder
            .json()
            .flatten_event(true)
            .with_timer(ChronoUtc::rfc_3339())
            .try_init()
    };
    started.map_err(|error| SettingsError::Invalid(format!("logging was started before: {error}")))
}

/// Replaces the filter of the running log.
type SetFilter = Box<dyn Fn(&str) + Send + Sync>;

/// Changes the filter of a running log; set only where people read it.
static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

/// Leaves only warnings and errors in a log that people read, so that a progress bar stays whole, until the value is dropped. A log for
/// programs goes on as it was.
#[must_use]
pub fn hush(settings: &LogSettings) -> Hush {
    if let Some(set_filter) = SET_FILTER.get() {
        set_filter("warn");
    }
    Hush {
        filter: settings.filter.clone(),
    }
}

/// Restores the log's filter when it is dropped.
#[derive(Debug)]
pub struct Hush {
    filter: String,
}

impl Drop for Hush {
    fn drop(&mut self) {
        if let Some(set_filter) = SET_FILTER.get() {
            set_filter(&self.filter);
        }
    }
}
