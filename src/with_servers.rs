//! `cookbook with-servers -- CMD…`: private servers for the duration of a command.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use ::config::Settings;
use anyhow::{Context, Result};
use clap::Args;
use tracing::debug;

use crate::servers::guard::{self, OnParentDeath};
use crate::servers::{Claim, Durability, PrivateServers, Wanted};
use crate::shutdown;

/// Memory-backed files, where there is room: tests make and drop hundreds of tables.
const MEMORY: &str = "/dev/shm";

/// Room that the servers' files need, in bytes: 0.3 GB empty, and a few databases at a time.
const ROOM_BYTES: u64 = 3 << 30;

/// How the folders of such servers are called, before a process id.
const FOLDER_PREFIX: &str = "cookbook-servers.";

/// Time for the command to stop when this process is told to.
const COMMAND_STOPS_WITHIN: Duration = Duration::from_secs(5);

/// Arguments of `cookbook with-servers`.
#[derive(Debug, Args)]
#[command(after_help = "The command finds in its environment:\n  \
    COOKBOOK_TEST_DATABASE_URL  the server, without a database\n  \
    COOKBOOK_TEST_REDIS_URL     the Redis server\n  \
    COOKBOOK_DATABASE__URL, COOKBOOK_REDIS__URL, DATABASE_URL   the same with an empty database (not with --mysql-url)\n\n\
    Example:\n  cookbook with-servers -- cargo nextest run --workspace")]
pub struct WithServersArgs {
    /// Use this MySQL server (a URL without a database) rather than a private one; Redis is private all the same
    #[arg(long, value_name = "URL")]
    pub mysql_url: Option<String>,
    /// Keep the data on disk and flush every commit, as `cookbook up` does: slower, and what benchmarks should see
    #[arg(long)]
    pub durable: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Starts the servers, runs the command, stops the servers, and exits as the command did.
///
/// # Errors
/// A server or the command can't be started.
pub async fn run(args: WithServersArgs, _settings: Settings) -> Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let parent = parent_folder(args.durable);
    remove_left_over(&parent);
    let folder = parent.join(format!("{FOLDER_PREFIX}{}", std::process::id()));
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("make `{}`", folder.display()))?;
    let claim = Claim::take(&folder)?;
    let wanted = Wanted {
        database: args.mysql_url.is_none(),
        redis: true,
        durability: if args.durable { Durability::Durable } else { Durability::Fast },
    };
    let outcome = match PrivateServers::start(&claim, wanted).await {
        Ok(servers) => {
            let outcome = run_command(&args, &servers, stop).await;
            servers.stop().await;
            outcome
        }
        Err(error) => Err(error),
    };
    remove(&folder);
    Ok(exit_code(outcome?))
}

async fn run_command(
    args: &WithServersArgs,
    servers: &PrivateServers,
    stop: tokio_util::sync::CancellationToken,
) -> Result<ExitStatus> {
    let Some((program, arguments)) = args.command.split_first() else {
        anyhow::bail!("no command to run");
    };
    // Spawned on the main thread, which runs this future: the command's parent-death signal hangs on it.
    let mut command = tokio::process::Command::from(guard::command(program, OnParentDeath::Terminate));
    command.args(arguments);
    if let Some(url) = &servers.database_url {
        command
            .env("COOKBOOK_DATABASE__URL", url.expose())
            .env("DATABASE_URL", url.expose());
    }
    let server_url = servers.server_url.as_ref().map(|url| url.expose());
    if let Some(url) = args.mysql_url.as_deref().or(server_url) {
        command.env("COOKBOOK_TEST_DATABASE_URL", url);
    }
    if let Some(url) = &servers.redis_url {
        command
            .env("COOKBOOK_REDIS__URL", url.expose())
            .env("COOKBOOK_TEST_REDIS_URL", url.expose());
    }
    let mut child = command.spawn().with_context(|| format!("run `{}`", program.display()))?;
    tokio::select! {
        status = child.wait() => return Ok(status?),
        () = stop.cancelled() => {}
    }
    // Ctrl-C has reached the command by itself, SIGTERM has not.
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    match tokio::time::timeout(COMMAND_STOPS_WITHIN, child.wait()).await {
        Ok(status) => Ok(status?),
        Err(_) => {
            child.kill().await?;
            Ok(child.wait().await?)
        }
    }
}

/// The command's exit code, or 128 and the signal that ended it, as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn parent_folder(durable: bool) -> PathBuf {
    let memory = Path::new(MEMORY);
    let room = rustix::fs::statvfs(memory).map_or(0, |fs| fs.f_bavail.saturating_mul(fs.f_frsize));
    if !durable && room >= ROOM_BYTES {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// Removes the folders of servers whose process was killed: those that can be claimed.
fn remove_left_over(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX);
        // A folder without a lock may be one that another process is about to claim.
        if is_ours && entry.path().join("lock").is_file() && Claim::take(&entry.path()).is_ok() {
            remove(&entry.path());
        }
    }
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        debug!(folder = %folder.display(), %error, "could not remove the folder of private servers");
    }
}
