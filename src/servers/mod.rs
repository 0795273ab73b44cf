//! Private MariaDB (or MySQL) and Redis servers: children of this process, for whoever has none.

use ::config::Settings;
use anyhow::{Result, bail};

/// Fills in the URLs of the private servers that run on the same data folder, where none are configured.
///
/// # Errors
/// No `database.url` is configured and no `cookbook up` runs on this data folder.
pub fn locate(settings: Settings) -> Result<Settings> {
    if settings.database.url.is_empty() {
        bail!(
            "no database: set `database.url`, or start `cookbook up` on the data folder `{}`",
            settings.data.dir.display()
        );
    }
    Ok(settings)
}
