//! Private MariaDB (or MySQL) and Redis servers, for whoever has none: children of this process, on the loopback address, behind a
//! password that only this user can read, with their data in a folder that one process claims.
//!
//! They die with this process, even when it is killed ([`guard`]). When one of them dies, it is started again (`supervisor`). A server that
//! this program did not start is never touched: one that it did start and lost is known by process id, start time and folder.

mod database;
mod find;
mod folder;
pub mod guard;
mod process;
mod redis;
mod supervisor;

use std::path::Path;

use ::config::{Secret, Settings};
use anyhow::{Result, bail};

pub use folder::Claim;
use folder::{ServerState, State};
pub use supervisor::PrivateServers;

/// The address that private servers listen on.
const LOOPBACK: &str = "127.0.0.1";

/// Whether what was committed must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Each commit is flushed to disk before it is acknowledged.
    Durable,
    /// Nothing is flushed: for data that are thrown away.
    Fast,
}

/// Which servers to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A database server.
    pub database: bool,
    /// A Redis server.
    pub redis: bool,
    /// How careful the database is.
    pub durability: Durability,
}

/// Fills in the URLs of the private servers that run on the same data folder, where none are configured.
///
/// # Errors
/// No `database.url` is configured and no `cookbook up` runs on this data folder.
pub fn locate(mut settings: Settings) -> Result<Settings> {
    if !settings.database.url.is_empty() && !settings.redis.url.is_empty() {
        return Ok(settings);
    }
    if let Some((servers_dir, state)) = State::read_beside(&settings.data.dir)? {
        if let Some(server) = running(state.database, &servers_dir)
            && settings.database.url.is_empty()
        {
            settings.database.url = database_url(server.port, &state.password);
        }
        if let Some(server) = running(state.redis, &servers_dir)
            && settings.redis.url.is_empty()
        {
            settings.redis.url = redis_url(server.port, &state.password);
        }
    }
    if settings.database.url.is_empty() {
        bail!(
            "no database: set `database.url`, or start `cookbook up` on the data folder `{}`",
            settings.data.dir.display()
        );
    }
    Ok(settings)
}

fn running(server: Option<ServerState>, servers_dir: &Path) -> Option<ServerState> {
    server.filter(|server| server.process.is_some_and(|process| process.is_alive_in(servers_dir)))
}

fn database_url(port: u16, password: &str) -> Secret {
    Secret::new(format!("{}/{}", server_url(port, password), database::DATABASE))
}

/// The database server's URL, without a database.
fn server_url(port: u16, password: &str) -> String {
    format!("mysql://{}:{password}@{LOOPBACK}:{port}", database::USER)
}

fn redis_url(port: u16, password: &str) -> Secret {
    Secret::new(format!("redis://:{password}@{LOOPBACK}:{port}/0"))
}
