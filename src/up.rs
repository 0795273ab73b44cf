//! `cookbook up`: everything in one process, with private servers where none are configured.

use std::process::ExitCode;
use std::time::Duration;

use ::config::Settings;
use anyhow::Result;
use clap::Args;
use indexer::Index;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::demo::{self, Loaded};
use crate::parts::{self, Shared};
use crate::servers::{self, Claim, Durability, PrivateServers};
use crate::{migrate, output, shutdown};

/// Longest wait for the index to show the demo. It takes a second or two.
const INDEXED_WITHIN: Duration = Duration::from_secs(60);

/// Arguments of `cookbook up`.
#[derive(Debug, Args)]
#[command(
    long_about = "Run everything in one process: the API, the workers, the scheduler and the follower of the search index.\n\n\
        Where `database.url` or `redis.url` is not configured, a private MariaDB (or MySQL) and Redis are started as children, with their data \
        under `data.dir`, on ports of their own on the loopback address. They stop with this process, however it ends. With URLs \
        configured, those are used, and nothing is started.",
    after_help = "Examples:\n  \
        cookbook up --demo\n  \
        COOKBOOK_DATABASE__URL=mysql://me:secret@db.example.org/cookbook cookbook up\n  \
        COOKBOOK_DATA__DIR=/srv/cookbook COOKBOOK_HTTP__LISTEN=127.0.0.1:9090 cookbook up"
)]
pub struct UpArgs {
    /// Fill an empty database with a made-up community whose racks are real files
    #[arg(long)]
    pub demo: bool,
}

/// Runs everything until a signal to stop comes.
///
/// # Errors
/// The data folder is in use, the address is taken, a server does not start, a migration fails, or a part fails.
pub async fn run(args: UpArgs, mut settings: Settings) -> Result<ExitCode> {
    let stop = shutdown::on_signal()?;
    let claim = Claim::take(&settings.data.dir)?;
    claim.dir().clone_into(&mut settings.data.dir);
    // Before anything is started: a taken address should not cost a start of the servers.
    let listener = parts::listen(&settings).await?;
    let private = tokio::select! {
        started = start_missing(&claim, &mut settings) => started?,
        // Half-started servers die with this process, and half-made data are made again.
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let ended = run_parts(&args, settings, listener, stop).await;
    if let Some(private) = private {
        private.stop().await;
    }
    ended.map(|()| ExitCode::SUCCESS)
}

/// Starts private servers for the URLs that are not configured, and fills these in.
async fn start_missing(claim: &Claim, settings: &mut Settings) -> Result<Option<PrivateServers>> {
    let wanted = servers::Wanted {
        database: settings.database.url.is_empty(),
        redis: settings.redis.url.is_empty(),
        durability: Durability::Durable,
    };
    if !wanted.database && !wanted.redis {
        return Ok(None);
    }
    let private = PrivateServers::start(claim, wanted).await?;
    if let Some(url) = &private.database_url {
        settings.database.url = url.clone();
    }
    if let Some(url) = &private.redis_url {
        settings.redis.url = url.clone();
    }
    Ok(Some(private))
}

async fn run_parts(args: &UpArgs, settings: Settings, listener: TcpListener, stop: CancellationToken) -> Result<()> {
    tokio::select! {
        migrated = migrate::apply(&settings) => migrated?,
        () = stop.cancelled() => return Ok(()),
    };
    let base = format!("http://{}", listener.local_addr()?);
    let shared = Shared::open(settings).await?;
    let index = shared.open_index()?;
    let wanted = parts::Wanted {
        api: Some(parts::Api {
            listener,
            index: index.clone(),
        }),
        workers: true,
    };
    if !args.demo {
        welcome(&base)?;
        return parts::run(&shared, wanted, stop).await;
    }
    let (ran, shown) = tokio::join!(
        parts::run(&shared, wanted, stop.clone()),
        show_demo(&shared, &index, &base, &stop)
    );
    shown.and(ran)
}

/// Loads the demo beside the running parts, which do the work, and stops everything if that fails.
async fn show_demo(shared: &Shared, index: &Index, base: &str, stop: &CancellationToken) -> Result<()> {
    let loaded = tokio::select! {
        loaded = demo::load(shared) => loaded,
        () = stop.cancelled() => return Ok(()),
    };
    match loaded {
        Ok(Loaded::Now {
            users,
            workflows,
            deeds,
            position,
        }) => {
            // The addresses below should have something to show.
            index.wait_for(position, INDEXED_WITHIN).await;
            output::line(format!(
                "The demo's community is in: {users} producers, {workflows} racks, {deeds} follows, likes, ratings, comments, views and downloads."
            ))?;
        }
        Ok(Loaded::Before) => output::line("The demo's community is there from before.")?,
        Err(error) => {
            stop.cancel();
            return Err(error.context("load the demo"));
        }
    }
    welcome(base)
}

/// Says where it is and what to try.
fn welcome(base: &str) -> Result<()> {
    // As it was called, since it may not be on the search path.
    let program = std::env::args().next().unwrap_or_else(|| "cookbook".to_owned());
    output::line(format!(
        "Ableton Cookbook is up at {base} (Ctrl-C stops it). To try, from another terminal:\n  \
         curl '{base}/v1/search?q=reese&limit=3'                            search\n  \
         curl '{base}/v1/search?genre=Techno&key=Am&bpm=120-135&limit=3'    filter, with counts\n  \
         {program} ingest PATH    take a folder of racks in\n  \
         {base}/v1/docs    the API, described"
    ))?;
    Ok(())
}
