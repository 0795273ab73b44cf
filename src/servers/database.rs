//! A private MariaDB or MySQL: its data folder, its command line, and when it is ready.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use super::find::{DatabaseProgram, Kind};
use super::folder::write_private;
use super::guard::{self, OnParentDeath};
use super::{Durability, LOOPBACK};

/// User of the program on its private server.
pub(super) const USER: &str = "cookbook";

/// Database of the program on its private server.
pub(super) const DATABASE: &str = "cookbook";

/// What MySQL has by default, and MariaDB lacks `ONLY_FULL_GROUP_BY` of: what is refused on one must be refused on the other.
const SQL_MODE: &str =
    "STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/// Memory for pages: plenty for a community of this size, and little enough for a laptop.
const BUFFER_POOL: &str = "256M";

/// Statements that the server runs at each start, before it accepts anyone.
const INIT_FILE: &str = "init.sql";

/// A private database server.
#[derive(Debug)]
pub(super) struct Database {
    /// What to run.
    pub(super) program: DatabaseProgram,
    /// The servers' folder.
    pub(super) servers_dir: PathBuf,
    /// Whether what was committed survives a power cut, or only matters while the tests run.
    pub(super) durability: Durability,
}

impl Database {
    /// The server's own data folder.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.servers_dir.join(self.program.kind.folder())
    }

    /// Folder of the server's temporary tables. As it starts, a server deletes those that it finds, so in a folder that is shared, such as
    /// /tmp, it would take them from another server at work.
    fn tmp_dir(&self) -> Result<PathBuf> {
        let path = self.servers_dir.join(format!("{}.tmp", self.program.kind.folder()));
        fs::create_dir_all(&path).with_context(|| format!("make `{}`", path.display()))?;
        Ok(path)
    }

    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.servers_dir.join(format!("{}.log", self.program.kind.folder()))
    }

    /// Which server made the data in this folder, if one did.
    pub(super) fn made_by(servers_dir: &Path) -> Option<Kind> {
        [Kind::MariaDb, Kind::MySql]
            .into_iter()
            .find(|kind| servers_dir.join(kind.folder()).is_dir())
    }

    /// Makes the data folder where there is none: beside its place first, so that what is there is always complete.
    ///
    /// # Errors
    /// The server's own set-up fails; its last words are quoted.
    pub(super) fn initialise(&self) -> Result<()> {
        let data_dir = self.data_dir();
        if data_dir.is_dir() {
            return Ok(());
        }
        let new = self.servers_dir.join(format!("{}.new", self.program.kind.folder()));
        if new.exists() {
            fs::remove_dir_all(&new).with_context(|| format!("remove the half-made `{}`", new.display()))?;
        }
        let mut command = match self.program.kind {
            Kind::MariaDb => self.mariadb_install(&new)?,
            Kind::MySql => {
                let mut command = guard::command(self.program.path.as_os_str(), OnParentDeath::Kill);
                command.args(["--no-defaults", "--initialize-insecure"]);
                command.arg(format!("--datadir={}", new.display()));
                command
            }
        };
        command.arg(format!("--tmpdir={}", self.tmp_dir()?.display()));
        if geteuid().is_root() {
            command.arg("--user=root");
        }
        let output = command.output().with_context(|| format!("set up `{}`", new.display()))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!(
                "the database server could not set up its data folder:\n{}",
                String::from_utf8_lossy(&said).trim()
            );
        }
        fs::rename(&new, &data_dir).with_context(|| format!("put `{}` in its place", new.display()))
    }

    fn mariadb_install(&self, new: &Path) -> Result<Command> {
        let name = "mariadb-install-db";
        let beside = [Path::new("/usr/bin"), Path::new("/usr/local/bin")];
        let script = self
            .program
            .path
            .parent()
            .into_iter()
            .chain(beside)
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
            .with_context(|| format!("`{name}` is not beside `{}`", self.program.path.display()))?;
        let mut command = guard::command(script.as_os_str(), OnParentDeath::Kill);
        // `socket`: the server's root is whoever runs it, through the socket in the private folder, and has no password to guess.
        command.args([
            "--no-defaults",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
        command.arg(format!("--datadir={}", new.display()));
        // Else the script asks the account database who runs it, and a container's user may have no name.
        if geteuid().is_root() {
            command.arg("--auth-root-socket-user=root");
        }
        Ok(command)
    }

    /// The command that runs the server on a port.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(super) fn command(&self, port: u16, password: &str) -> Result<Command> {
        let init_file = self.servers_dir.join(INIT_FILE);
        write_private(&init_file, &init_statements(password))?;
        let _ = fs::remove_file(self.pid_file());
        let mut command = guard::command(self.program.path.as_os_str(), OnParentDeath::Kill);
        command.arg("--no-defaults").args([
            format!("--datadir={}", self.data_dir().display()),
            format!("--log-error={}", self.log().display()),
            format!("--pid-file={}", self.pid_file().display()),
            format!("--init-file={}", init_file.display()),
            format!("--tmpdir={}", self.tmp_dir()?.display()),
            format!("--port={port}"),
            format!("--bind-address={LOOPBACK}"),
            // Relative to the data folder: a socket's path may have 107 bytes at most, and a data folder may lie deep.
            "--socket=server.sock".to_owned(),
            // Users are known by address: no name service is asked, and `localhost` means the socket alone.
            "--skip-name-resolve".to_owned(),
            "--character-set-server=utf8mb4".to_owned(),
            "--collation-server=utf8mb4_unicode_ci".to_owned(),
            format!("--sql-mode={SQL_MODE}"),
            format!("--innodb-buffer-pool-size={BUFFER_POOL}"),
            "--max-connections=300".to_owned(),
            "--performance-schema=OFF".to_owned(),
            "--skip-log-bin".to_owned(),
        ]);
        match self.durability {
            // Ids without a lock (`migrations/README.md`, error 1467). Tests keep each server's default, since people's own servers have it.
            Durability::Durable => command.args(["--innodb-flush-log-at-trx-commit=1", "--innodb-autoinc-lock-mode=2"]),
            Durability::Fast => command.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]),
        };
        if self.program.kind == Kind::MySql {
            command.args(["--mysqlx=OFF", "--log-bin-trust-function-creators=1"]);
        }
        if geteuid().is_root() {
            command.arg("--user=root");
        }
        Ok(command)
    }

    /// Whether the server with this process id answers on the port. It writes its own id beside its data once it has the port, so
    /// that no stranger's server can be taken for it.
    pub(super) fn is_ready(&self, port: u16, pid: u32) -> bool {
        let written = fs::read_to_string(self.pid_file()).unwrap_or_default();
        written.trim() == pid.to_string() && greets(port)
    }

    fn pid_file(&self) -> PathBuf {
        self.servers_dir.join(format!("{}.pid", self.program.kind.folder()))
    }
}

/// A user for the program, who may come over TCP from this machine with the password, and its database. One statement a line.
fn init_statements(password: &str) -> String {
    format!(
        "CREATE USER IF NOT EXISTS '{USER}'@'{LOOPBACK}' IDENTIFIED BY '{password}';\n\
         ALTER USER '{USER}'@'{LOOPBACK}' IDENTIFIED BY '{password}';\n\
         GRANT ALL ON *.* TO '{USER}'@'{LOOPBACK}' WITH GRANT OPTION;\n\
         CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;\n"
    )
}

/// Whether a MySQL server greets a new connection: its first packet's first byte is the protocol's version, 10, and it greets only when it
/// accepts clients.
fn greets(port: u16) -> bool {
    let greeting = || {
        let mut stream = TcpStream::connect((LOOPBACK, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut header = [0_u8; 5];
        stream.read_exact(&mut header)?;
        Ok::<u8, std::io::Error>(header[4])
    };
    greeting().is_ok_and(|version| version == 10)
}
