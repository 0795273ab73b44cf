//! The built program, run as its users run it, in a folder of its own.
#![expect(clippy::print_stderr, reason = "the log of a program that failed a test")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use test_support::Shell;

/// Anything that this program does at all, it does within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Room that a program with private servers needs, in bytes.
const ROOM_BYTES: u64 = 2 << 30;

/// A folder for a program and its data, in memory where the system has room for it: these tests kill processes and not the machine, so
/// flushing to a disk that is busy with other things would only make them slow.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    let made = if room > ROOM_BYTES {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("make a folder")
}

/// A `cookbook` command in a folder, untouched by the settings of whoever runs the tests.
pub(crate) fn cookbook(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cookbook"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COOKBOOK_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .env("COOKBOOK_HTTP__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null());
    command
}

/// A running `cookbook up` with private servers. It is killed with this value.
#[derive(Debug)]
pub(crate) struct Up {
    child: Child,
    folder: PathBuf,
    /// Address of its API, such as `http://127.0.0.1:18080`.
    pub(crate) base: String,
}

impl Up {
    /// Starts it in a folder, and returns when it says that it is up.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same with settings, as environment variables.
    pub(crate) fn start_with(folder: &Path, settings: &[(&str, String)]) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .expect("open the log");
        let mut child = cookbook(folder)
            .arg("up")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("start `cookbook up`");
        let mut said = BufReader::new(child.stdout.take().expect("its output")).lines();
        let base = said.find_map(|line| {
            let line = line.expect("its output is text");
            let (_, rest) = line.split_once(" is up at ")?;
            Some(rest.split_whitespace().next()?.to_owned())
        });
        let Some(base) = base else {
            let status = child.wait().expect("wait for it");
            panic!("`cookbook up` ended with {status}:\n{}", log_of(folder));
        };
        // The rest of what it says must have a reader.
        std::thread::spawn(move || said.for_each(drop));
        let folder = folder.to_owned();
        Self { child, folder, base }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill it");
        self.child.wait().expect("wait for it");
    }

    /// Asks it to stop, and waits as long as it may take: 10 s.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        signal("TERM", self.pid());
        let mut ended = None;
        eventually(Duration::from_secs(10), "`cookbook up` stops", || {
            ended = self.child.try_wait().expect("look at it");
            ended.is_some()
        });
        ended.expect("it has ended")
    }

    /// The process id of its private `database` or `redis`.
    pub(crate) fn server_pid(&self, server: &str) -> u32 {
        let pid = state(&self.folder)[server]["process"]["pid"].as_u64();
        u32::try_from(pid.expect("the state names a process")).expect("a process id")
    }

    /// A SQL shell on its private database.
    pub(crate) fn shell(&self) -> Shell {
        let state = state(&self.folder);
        let password = state["password"].as_str().expect("a password");
        let port = &state["database"]["port"];
        Shell::at(&format!("mysql://cookbook:{password}@127.0.0.1:{port}/cookbook"))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of `cookbook up`:\n{}", log_of(&self.folder));
        }
    }
}

/// What the program remembers of its servers.
pub(crate) fn state(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("data/servers/state.json")).expect("read the servers' state");
    serde_json::from_str(&text).expect("the state is JSON")
}

/// Sends a signal.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(sent.expect("run `kill`").success(), "send SIG{name} to {pid}");
}

/// Waits until something is so.
pub(crate) fn eventually(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits, patiently, until something is so.
pub(crate) fn in_the_end(what: &str, is_so: impl FnMut() -> bool) {
    eventually(PATIENCE, what, is_so);
}

/// Every process that works in the folder or names it on its command line, but for zombies, which are dead.
pub(crate) fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().expect("the folder is there");
    let name = folder.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("read /proc").flatten() {
        let works_there = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if works_there || command.contains(&name) {
            found.push(format!("{} {command}", entry.file_name().display()));
        }
    }
    found
}

/// What a finished command printed as its error.
pub(crate) fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The last lines of the log.
fn log_of(folder: &Path) -> String {
    const LINES: usize = 200;
    let text = fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// A token of a user, made if need be, of the program that runs in the folder.
pub(crate) fn token(folder: &Path, user: &str) -> String {
    let output = cookbook(folder)
        .args(["token", "create", "--user", user, "--create-user"])
        .output()
        .expect("run `cookbook token`");
    assert!(output.status.success(), "{}", error_of(&output));
    String::from_utf8(output.stdout).expect("a token").trim().to_owned()
}

/// An address that stays the same when the program is started again: below the ports that the kernel gives to outgoing connections.
pub(crate) fn free_address() -> String {
    loop {
        let address = format!("127.0.0.1:{}", rand::random_range(12_000..20_000));
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
