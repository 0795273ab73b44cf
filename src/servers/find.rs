//! Which server programs this machine has.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tracing::debug;

/// Folders that are searched besides `PATH`: Debian keeps servers where an ordinary user's `PATH` does not look.
const MORE_FOLDERS: &[&str] = &[
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/opt/homebrew/bin",
];

/// The two servers that speak MySQL's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
}

impl Kind {
    /// Name of its data folder: the two can't read each other's.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// The oldest version that the schema and the queries run on: both for `SKIP LOCKED` and descending index keys.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::MariaDb => (10, 11),
            Self::MySql => (8, 4),
        }
    }
}

/// A database server that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatabaseProgram {
    /// The program.
    pub(super) path: PathBuf,
    /// What it is, by its own word: MariaDB installs itself under MySQL's name too.
    pub(super) kind: Kind,
}

/// The database server to use: MariaDB before MySQL, unless `only` says which.
///
/// # Errors
/// There is none, or it is too old; the message says what to install.
pub(super) fn database(only: Option<Kind>) -> Result<DatabaseProgram> {
    let mut refused = Vec::new();
    let mut found = Vec::new();
    for path in ["mariadbd", "mysqld"].iter().flat_map(|name| candidates(name)) {
        let said = version_line(&path);
        match said.as_deref().and_then(kind_and_version) {
            Some((kind, version)) if version >= kind.oldest() => found.push(DatabaseProgram { path, kind }),
            Some((kind, version)) => refused.push(format!(
                "`{}` is {kind:?} {}.{}, and at least {}.{} is needed",
                path.display(),
                version.0,
                version.1,
                kind.oldest().0,
                kind.oldest().1
            )),
            None => refused.push(format!("`{}` does not tell its version", path.display())),
        }
    }
    debug!(?found, ?refused, "database servers on this machine");
    let wanted = |program: &DatabaseProgram| only.is_none_or(|kind| program.kind == kind);
    found.sort_by_key(|program| program.kind == Kind::MySql);
    if let Some(program) = found.into_iter().find(wanted) {
        return Ok(program);
    }
    let why = if refused.is_empty() {
        String::new()
    } else {
        format!(" ({})", refused.join("; "))
    };
    match only {
        Some(kind) => bail!("the data folder was made by {kind:?}, which is not on this machine{why}"),
        None => bail!(
            "no MariaDB or MySQL server on this machine{why}: install one (on Debian and Ubuntu `apt-get install mariadb-server-core`; \
             elsewhere the package with `mariadbd` or `mysqld` in it), or set `database.url` to one that runs"
        ),
    }
}

/// The Redis server to use.
///
/// # Errors
/// There is none; the message says what to install.
pub(super) fn redis() -> Result<PathBuf> {
    ["redis-server", "valkey-server"]
        .iter()
        .flat_map(|name| candidates(name))
        .next()
        .ok_or_else(|| {
            anyhow::anyhow!(
                "no Redis server on this machine: install one (on Debian and Ubuntu `apt-get install redis-server`), \
                 or set `redis.url` to one that runs"
            )
        })
}

/// Every file of this name in the searched folders, in order.
fn candidates(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(MORE_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .filter(|file| file.is_file())
        .collect()
}

fn version_line(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(["--no-defaults", "--version"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads lines such as `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu` and `/usr/sbin/mysqld  Ver 9.7.4 for Linux`.
fn kind_and_version(line: &str) -> Option<(Kind, (u32, u32))> {
    let version = line.split_once("Ver ")?.1;
    let kind = if version.contains("MariaDB") {
        Kind::MariaDb
    } else {
        Kind::MySql
    };
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let major = numbers.next()?.ok()?;
    let minor = numbers.next()?.ok()?;
    Some((kind, (major, minor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mariadb_is_told_from_mysql_by_what_it_says() {
        let mariadb = "mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)";
        let mysql = "/usr/sbin/mysqld  Ver 9.7.4 for Linux on x86_64 (Debian)";
        assert_eq!(kind_and_version(mariadb), Some((Kind::MariaDb, (10, 11))));
        assert_eq!(kind_and_version(mysql), Some((Kind::MySql, (9, 7))));
        assert_eq!(kind_and_version("mysqld: command of another kind"), None);
    }
}
