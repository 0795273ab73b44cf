//! How settings are read: three layers, each over the one before.

use std::path::Path;

use figment::Figment;
use figment::providers::{Env, Format, Toml};

use crate::Settings;

/// The text of `config/default.toml`: every key with its default, unit and reason.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// Prefix of the environment variables that override keys.
const ENV_PREFIX: &str = "COOKBOOK_";

/// Beginnings, after the prefix, of environment variables that carry it without being settings: where the configuration file is, and
/// what the tests are told about their servers.
const NOT_SETTINGS: &[&str] = &["CONFIG", "TEST_"];

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A key that no setting has.
    #[error("unknown key `{key}` in {source_name}{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key as written, sections joined by dots.
        key: String,
        /// The file or `the environment`.
        source_name: String,
        /// The known key that is spelt most like it.
        nearest: Option<String>,
    },
    /// A value that is of the wrong type or out of range, or a file that is not TOML.
    #[error("{0}")]
    Invalid(String),
}

/// Fewest days that events are kept, if not for ever: what trends over 30 days is made from them.
const LEAST_KEEP_DAYS: u32 = 31;

impl Settings {
    /// Reads defaults, then `file` if given, then the environment.
    ///
    /// # Errors
    /// An unknown key (with the nearest known one), a value of the wrong type, or a file that cannot be read.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let environment = Env::prefixed(ENV_PREFIX)
            .filter(|key| {
                let key = key.as_str().to_ascii_uppercase();
                !NOT_SETTINGS.iter().any(|other| key.starts_with(other))
            })
            .split("__");
        let mut layers = Vec::new();
        if let Some(path) = file {
            if !path.is_file() {
                return Err(SettingsError::Invalid(format!(
                    "configuration file `{}` does not exist",
                    path.display()
                )));
            }
            layers.push((format!("`{}`", path.display()), Figment::from(Toml::file_exact(path))));
        }
        layers.push(("the environment".to_owned(), Figment::from(environment)));
        Self::from_layers(layers)
    }

    /// The defaults alone, for tests to start from.
    ///
    /// # Errors
    /// Never, unless `config/default.toml` itself is broken.
    pub fn defaults() -> Result<Self, SettingsError> {
        Self::from_layers(Vec::new())
    }

    fn from_layers(layers: Vec<(String, Figment)>) -> Result<Self, SettingsError> {
        let defaults = Figment::from(Toml::string(DEFAULTS));
        let known = keys_of(&defaults)?;
        let mut all = defaults;
        for (source_name, layer) in layers {
            for key in keys_of(&layer)? {
                if !known.contains(&key) {
                    let nearest = nearest_key(&key, &known);
                    return Err(SettingsError::UnknownKey {
                        key,
                        source_name,
                        nearest,
                    });
                }
            }
            all = all.merge(layer);
        }
        let settings: Self = all.extract().map_err(|error| SettingsError::Invalid(error.to_string()))?;
        settings.checked()
    }

    /// Refuses what no type forbids.
    fn checked(self) -> Result<Self, SettingsError> {
        let keep_days = self.events.keep_days;
        if (1..LEAST_KEEP_DAYS).contains(&keep_days) {
            return Err(SettingsError::Invalid(format!(
                "`events.keep_days` is {keep_days}: must be 0, for ever, or at least {LEAST_KEEP_DAYS}"
            )));
        }
        if keep_days > 0 && self.events.keep_addresses_days > keep_days {
            return Err(SettingsError::Invalid(format!(
                "`events.keep_addresses_days` is more than `events.keep_days`, {keep_days}: archives would keep addresses for ever"
            )));
        }
        Ok(self)
    }
}

/// Every leaf of a layer, sections joined by dots.
fn keys_of(layer: &Figment) -> Result<Vec<String>, SettingsError> {
    fn walk(prefix: &str, value: &figment::value::Value, keys: &mut Vec<String>) {
        match value {
            figment::value::Value::Dict(_, entries) => {
                for (name, inner) in entries {
                    let path = if prefix.is_empty() {
                        name.clone()
                    } else {
                        format!("{prefix}.{name}")
                    };
                    walk(&path, inner, keys);
                }
            }
            _ => keys.push(prefix.to_owned()),
        }
    }
    let data: figment::value::Value = layer.extract().map_err(|error| SettingsError::Invalid(error.to_string()))?;
    let mut keys = Vec::new();
    walk("", &data, &mut keys);
    keys.retain(|key| !key.is_empty());
    Ok(keys)
}

/// The known key that is spelt most like `key`, unless all are far off.
fn nearest_key(key: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Settings, SettingsError> {
        Settings::from_layers(vec![("`test.toml`".to_owned(), Figment::from(Toml::string(text)))])
    }

    #[test]
    fn events_are_kept_for_ever_or_for_a_month_at_least() {
        let with = |days: u32| {
            let layer = Figment::from(Toml::string(&format!("[events]\nkeep_days = {days}")));
            Settings::from_layers(vec![("a test".to_owned(), layer)])
        };
        assert!(with(0).is_ok() && with(31).is_ok());
        let layer = Figment::from(Toml::string("[events]\nkeep_days = 31\nkeep_addresses_days = 60"));
        let error = Settings::from_layers(vec![("a test".to_owned(), layer)]).expect_err("kept in archives");
        assert!(error.to_string().contains("keep_addresses_days"), "{error}");
        let error = with(30).expect_err("too short").to_string();
        assert!(error.contains("events.keep_days") && error.contains("31"), "{error}");
    }

    #[test]
    fn the_defaults_are_complete_and_every_key_is_explained() {
        let settings = Settings::defaults().expect("config/default.toml is read");
        assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
        let mut explained = false;
        for line in DEFAULTS.lines().map(str::trim) {
            if line.starts_with('#') {
                explained = true;
            } else if line.starts_with('[') || line.is_empty() {
                explained = false;
            } else {
                assert!(explained, "`{line}` has no comment above it");
            }
        }
    }

    #[test]
    fn a_file_overrides_a_default() {
        let settings = with_file("[http]\nlisten = \"127.0.0.1:9999\"").expect("a valid file");
        assert_eq!(settings.http.listen.port(), 9999);
    }

    #[test]
    fn an_unknown_key_is_refused_and_the_nearest_is_named() {
        let error = with_file("[http]\nlisen = \"127.0.0.1:9999\"").expect_err("a misspelt key");
        assert_eq!(
            error.to_string(),
            "unknown key `http.lisen` in `test.toml`; did you mean `http.listen`?"
        );
    }

    #[test]
    fn secrets_do_not_print() {
        let settings =
            with_file("[database]\nurl = \"mysql://cook:s3cret@db.example.org:3306/cookbook?x=s3cret\"").expect("valid");
        let shown = format!("{}{settings:?}", settings.to_toml());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("mysql://***@db.example.org:3306/cookbook"));
    }
}
