//! The folder that servers live in: who owns it, and what is remembered between starts.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::process::ProcessId;

/// File whose lock says that a process uses the folder. It holds that process's id, for people.
const LOCK: &str = "lock";

/// Where the servers' own files are, in the folder.
const SERVERS: &str = "servers";

/// What is remembered.
const STATE: &str = "state.json";

/// A data folder that this process alone uses. It is given back when this value goes, or the process does.
#[derive(Debug)]
pub struct Claim {
    /// The folder, as an absolute path.
    dir: PathBuf,
    _lock: File,
}

impl Claim {
    /// Makes the folder if need be, and takes it.
    ///
    /// # Errors
    /// Another process has it (the message names it), or it can't be written.
    pub fn take(dir: &Path) -> Result<Self> {
        // Racks that nobody published are in it: not for other users of the machine.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("make the data folder `{}`", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("find the data folder `{}`", dir.display()))?;
        let path = dir.join(LOCK);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("open `{}`", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // The message is as good without the number.
                let _ = file.read_to_string(&mut owner);
                bail!("the data folder `{}` is in use by process `{}`", dir.display(), owner.trim());
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("lock `{}`", path.display())),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { dir, _lock: file })
    }

    /// The folder, as an absolute path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder of the servers' own files, made if need be. Only this user may look into it: it holds a password and the sockets.
    ///
    /// # Errors
    /// It can't be made.
    pub(super) fn servers_dir(&self) -> Result<PathBuf> {
        let path = self.dir.join(SERVERS);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("make `{}`", path.display()))?;
        Ok(path)
    }
}

/// One server as it was last started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerState {
    /// Port on the loopback address; kept from start to start.
    pub(super) port: u16,
    /// Its process, of the last start.
    pub(super) process: Option<ProcessId>,
}

/// What is remembered between starts, and what lets other commands find the servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Password of both servers: whoever can read this file may use them.
    pub(super) password: String,
    /// The database server.
    pub(super) database: Option<ServerState>,
    /// The Redis server.
    pub(super) redis: Option<ServerState>,
}

impl State {
    /// Reads the state of the servers in a folder: `None` where no server was ever started.
    ///
    /// # Errors
    /// The file is there and can't be read.
    pub(super) fn read(servers_dir: &Path) -> Result<Option<Self>> {
        let path = servers_dir.join(STATE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("read `{}`", path.display())),
        };
        let state = serde_json::from_str(&text).with_context(|| format!("read `{}`", path.display()))?;
        Ok(Some(state))
    }

    /// Reads the state of the servers under a data folder that this process has not claimed.
    ///
    /// # Errors
    /// The file is there and can't be read.
    pub(super) fn read_beside(data_dir: &Path) -> Result<Option<(PathBuf, Self)>> {
        let Ok(servers_dir) = data_dir.join(SERVERS).canonicalize() else {
            return Ok(None);
        };
        Ok(Self::read(&servers_dir)?.map(|state| (servers_dir, state)))
    }

    /// A state for a first start.
    pub(super) fn fresh() -> Self {
        Self {
            password: hex::encode(rand::random::<[u8; 24]>()),
            database: None,
            redis: None,
        }
    }

    /// Writes the state, whole or not at all.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(super) fn write(&self, servers_dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_private(&servers_dir.join(STATE), &text)
    }
}

/// Writes a file that only this user may read, whole or not at all.
///
/// # Errors
/// The folder can't be written.
pub(super) fn write_private(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    let write = || {
        // Made anew, so that the mode is this one.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_the_second_is_told_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        let first = Claim::take(folder.path()).unwrap();
        let second = Claim::take(folder.path()).unwrap_err().to_string();
        assert!(
            second.contains(&format!("in use by process `{}`", std::process::id())),
            "{second}"
        );
        drop(first);
        Claim::take(folder.path()).unwrap();
    }

    #[test]
    fn the_state_is_read_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), None);
        let mut state = State::fresh();
        state.redis = Some(ServerState { port: 7, process: None });
        state.write(folder.path()).unwrap();
        state.write(folder.path()).unwrap();
        assert_eq!(State::read(folder.path()).unwrap(), Some(state));
        let mode = fs::metadata(folder.path().join(STATE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
