//! What several tests use.

use ingest::Limits;

/// The limits of `config/default.toml`.
pub(crate) fn limits() -> Limits {
    Limits::from(&config::Settings::defaults().expect("defaults").parser)
}
