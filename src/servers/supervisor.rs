//! Starts the servers, starts them again when they die, and stops them.
//!
//! All of it happens on one thread of its own, which lives as long as the servers: their parent-death signal hangs on it.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ::config::Secret;
use anyhow::{Context, Result, anyhow, bail};
use std::os::unix::process::CommandExt;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::database::Database;
use super::folder::{Claim, ServerState, State};
use super::process::ProcessId;
use super::redis::{self, Redis};
use super::{LOOPBACK, Wanted, database_url, find, redis_url, server_url};

/// A server that is not ready by then has failed. Recovery after a crash of a large database is what takes longest.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Between looks at a server that starts.
const LOOK: Duration = Duration::from_millis(20);

/// Between looks at servers that run.
const WATCH: Duration = Duration::from_millis(100);

/// First and longest wait before a dead server is started again; it doubles.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// A server that lived this long has recovered: its next death is a first one.
const RECOVERED: Duration = Duration::from_secs(60);

/// Time for the servers to stop by themselves. Killed then, they lose nothing that was acknowledged. With what the rest of the program takes,
/// all must be over in 10 s.
const STOP_WITHIN: Duration = Duration::from_millis(2500);

/// Time for a server that was left over from a lost process.
const ORPHAN_STOP_WITHIN: Duration = Duration::from_secs(8);

/// Ports to choose from: below those that the kernel gives to outgoing connections, so that a server that is started again finds its own free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A log larger than this is put aside at the next start.
const LOG_BYTES: u64 = 4 << 20;

/// Running private servers. Dropped without [`PrivateServers::stop`], they are stopped too, but nobody waits for it.
#[derive(Debug)]
pub struct PrivateServers {
    /// URL of the program's database on the private server, where one was wanted.
    pub database_url: Option<Secret>,
    /// The same without a database, for tests, which make their own.
    pub server_url: Option<Secret>,
    /// URL of the private Redis, where one was wanted.
    pub redis_url: Option<Secret>,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl PrivateServers {
    /// Starts the wanted servers in a claimed folder, and returns when they answer.
    ///
    /// # Errors
    /// A program is missing, or a server does not start: its log is quoted.
    pub async fn start(claim: &Claim, wanted: Wanted) -> Result<Self> {
        let servers_dir = claim.servers_dir()?;
        let (stop, stopped) = mpsc::channel();
        let (started, ready) = oneshot::channel();
        let thread = std::thread::Builder::new().name("servers".to_owned()).spawn(move || {
            match Supervisor::start(servers_dir, wanted) {
                Ok(mut supervisor) => {
                    if started.send(Ok(supervisor.state.clone())).is_ok() {
                        supervisor.watch(&stopped);
                    }
                    supervisor.stop();
                }
                // Nobody waits any more: nobody need be told.
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let state = ready.await.map_err(|_| anyhow!("the servers' thread ended unexpectedly"))??;
        let password = &state.password;
        let database_port = state.database.filter(|_| wanted.database).map(|server| server.port);
        let redis_port = state.redis.filter(|_| wanted.redis).map(|server| server.port);
        Ok(Self {
            database_url: database_port.map(|port| database_url(port, password)),
            server_url: database_port.map(|port| Secret::new(server_url(port, password))),
            redis_url: redis_port.map(|port| redis_url(port, password)),
            stop,
            thread,
        })
    }

    /// Stops the servers, and returns when they are gone.
    pub async fn stop(self) {
        let Self { stop, thread, .. } = self;
        drop(stop);
        if !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(()))) {
            error!("the servers' thread ended unexpectedly");
        }
    }
}

/// One of the two servers.
#[derive(Debug)]
enum Server {
    Database(Database),
    Redis(Redis),
}

impl Server {
    fn name(&self) -> &'static str {
        match self {
            Self::Database(database) => database.program.kind.folder(),
            Self::Redis(_) => "redis",
        }
    }

    fn log(&self) -> PathBuf {
        match self {
            Self::Database(database) => database.log(),
            Self::Redis(redis) => redis.log(),
        }
    }

    fn command(&self, port: u16, password: &str) -> Result<Command> {
        match self {
            Self::Database(database) => database.command(port, password),
            Self::Redis(redis) => redis.command(port, password),
        }
    }

    fn is_ready(&self, port: u16, pid: u32, password: &str) -> bool {
        match self {
            Self::Database(database) => database.is_ready(port, pid),
            Self::Redis(_) => redis::is_ready(port, password),
        }
    }

    /// Its place in the state.
    fn slot<'a>(&self, state: &'a mut State) -> &'a mut Option<ServerState> {
        match self {
            Self::Database(_) => &mut state.database,
            Self::Redis(_) => &mut state.redis,
        }
    }
}

/// A server and its process.
#[derive(Debug)]
struct Kept {
    server: Server,
    child: Child,
    since: Instant,
    /// Where this run's words begin in the log.
    log_from: u64,
    backoff: Duration,
    /// When to start it again, if it is dead.
    again_at: Option<Instant>,
}

#[derive(Debug)]
struct Supervisor {
    servers_dir: PathBuf,
    state: State,
    /// In the order in which they are stopped.
    kept: Vec<Kept>,
}

impl Supervisor {
    fn start(servers_dir: PathBuf, wanted: Wanted) -> Result<Self> {
        let state = State::read(&servers_dir)?.unwrap_or_else(State::fresh);
        let mut supervisor = Self {
            servers_dir,
            state,
            kept: Vec::new(),
        };
        supervisor.stop_orphans();
        let started = supervisor.start_wanted(wanted);
        if started.is_err() {
            supervisor.stop();
        }
        started.map(|()| supervisor)
    }

    fn start_wanted(&mut self, wanted: Wanted) -> Result<()> {
        let servers_dir = &self.servers_dir;
        let mut servers = Vec::new();
        if wanted.redis {
            let program = find::redis()?;
            let servers_dir = servers_dir.clone();
            servers.push(Server::Redis(Redis { program, servers_dir }));
        }
        if wanted.database {
            let program = find::database(Database::made_by(servers_dir))?;
            let database = Database {
                program,
                servers_dir: servers_dir.clone(),
                durability: wanted.durability,
            };
            database.initialise()?;
            servers.push(Server::Database(database));
        }
        for server in servers {
            put_aside_if_large(&server.log());
            self.start_first(server)?;
        }
        Ok(())
    }

    /// Starts a server on the port that it had, or on another where that is taken, and waits until it answers.
    fn start_first(&mut self, server: Server) -> Result<()> {
        let had = server.slot(&mut self.state).map(|state| state.port);
        let port = had.filter(|port| is_free(*port)).map_or_else(free_port, Ok)?;
        let (child, log_from) = self.spawn(&server, port)?;
        let pid = child.id();
        self.kept.push(Kept {
            server,
            child,
            since: Instant::now(),
            log_from,
            backoff: BACKOFF.0,
            again_at: None,
        });
        let Some(kept) = self.kept.last_mut() else {
            bail!("a started server is not kept");
        };
        let name = kept.server.name();
        while !kept.server.is_ready(port, pid, &self.state.password) {
            if let Some(status) = kept.child.try_wait()? {
                bail!("{name} ended with {status} while it started:\n{}", kept.last_words());
            }
            if kept.since.elapsed() > READY_WITHIN {
                bail!(
                    "{name} does not answer after {} s:\n{}",
                    READY_WITHIN.as_secs(),
                    kept.last_words()
                );
            }
            std::thread::sleep(LOOK);
        }
        info!(
            server = name,
            port,
            pid,
            ms = kept.since.elapsed().as_millis() as u64,
            "private server is ready"
        );
        Ok(())
    }

    /// Starts a server's process and remembers it. Gives the process, and where its words will begin in the log.
    fn spawn(&mut self, server: &Server, port: u16) -> Result<(Child, u64)> {
        let log = server.log();
        let log_file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("open `{}`", log.display()))?;
        let log_from = log_file.metadata()?.len();
        let child = server
            .command(port, &self.state.password)?
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            // Ctrl-C on the terminal is for this process, which stops the servers in its own time.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", server.name()))?;
        let process = ProcessId::of(child.id());
        *server.slot(&mut self.state) = Some(ServerState { port, process });
        self.state.write(&self.servers_dir)?;
        Ok((child, log_from))
    }

    /// Stops what a lost process of this program left running in the folder.
    fn stop_orphans(&self) {
        for server in [self.state.redis, self.state.database].into_iter().flatten() {
            if let Some(process) = server.process.filter(|process| process.is_alive_in(&self.servers_dir)) {
                warn!(
                    pid = process.pid,
                    "stopping a private server that an earlier process left running"
                );
                process.stop(ORPHAN_STOP_WITHIN);
            }
        }
    }

    /// Looks after the servers until told to stop, or until whoever would tell is gone.
    fn watch(&mut self, stopped: &mpsc::Receiver<()>) {
        while stopped.recv_timeout(WATCH) == Err(mpsc::RecvTimeoutError::Timeout) {
            for index in 0..self.kept.len() {
                if let Err(error) = self.look_after(index) {
                    error!(server = self.kept[index].server.name(), "{error:#}");
                }
            }
        }
    }

    fn look_after(&mut self, index: usize) -> Result<()> {
        let kept = &mut self.kept[index];
        let Some(again_at) = kept.again_at else {
            if let Some(status) = kept.child.try_wait()? {
                if kept.since.elapsed() >= RECOVERED {
                    kept.backoff = BACKOFF.0;
                }
                error!(server = kept.server.name(), %status, "private server died, starting it again:\n{}", kept.last_words());
                kept.again_at = Some(Instant::now() + kept.backoff);
                kept.backoff = (kept.backoff * 2).min(BACKOFF.1);
            }
            return Ok(());
        };
        if Instant::now() < again_at {
            return Ok(());
        }
        // The pools know this port: another would be of no use to them.
        let port = kept.server.slot(&mut self.state).map(|state| state.port);
        let port = port.with_context(|| format!("{} has no port", kept.server.name()))?;
        kept.again_at = Some(Instant::now() + kept.backoff);
        kept.backoff = (kept.backoff * 2).min(BACKOFF.1);
        let kept = self.kept.remove(index);
        let spawned = self.spawn(&kept.server, port);
        self.kept.insert(index, kept);
        let (child, log_from) = spawned?;
        let kept = &mut self.kept[index];
        (kept.child, kept.log_from, kept.since, kept.again_at) = (child, log_from, Instant::now(), None);
        Ok(())
    }

    /// Asks all to stop, waits, and kills what has not.
    fn stop(&mut self) {
        let begin = Instant::now();
        let deadline = begin + STOP_WITHIN;
        for kept in &mut self.kept {
            if let Some(process) = ProcessId::of(kept.child.id()) {
                process.ask_to_stop();
            }
        }
        for kept in &mut self.kept {
            while matches!(kept.child.try_wait(), Ok(None)) {
                if Instant::now() >= deadline {
                    warn!(
                        server = kept.server.name(),
                        "private server takes too long to stop, killing it"
                    );
                    let _ = kept.child.kill();
                    let _ = kept.child.wait();
                    break;
                }
                std::thread::sleep(LOOK);
            }
        }
        if !self.kept.is_empty() {
            info!(ms = begin.elapsed().as_millis() as u64, "private servers are stopped");
        }
    }
}

impl Kept {
    /// The last lines that the server logged since it was started.
    fn last_words(&self) -> String {
        const LINES: usize = 12;
        let read = || {
            let mut file = fs::File::open(self.server.log())?;
            file.seek(SeekFrom::Start(self.log_from))?;
            let mut bytes = Vec::new();
            file.take(LOG_BYTES).read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        };
        let text = read()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(LINES);
        lines[last..].join("\n")
    }
}

fn put_aside_if_large(log: &Path) {
    if fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
        // The log goes on growing where this fails, which harms nothing yet.
        let _ = fs::rename(log, log.with_extension("log.old"));
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((LOOPBACK, port)).is_ok()
}

fn free_port() -> Result<u16> {
    (0..200)
        .map(|_| rand::random_range(PORTS))
        .find(|port| is_free(*port))
        .context("no free port on the loopback address")
}
