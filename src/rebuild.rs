//! `cookbook rebuild`: builds the search index of every live node anew, while the old ones answer.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ::config::Settings;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use store::index_node::{self, IndexJob, IndexNode};
use store::wake::Wake;
use tokio::time::sleep;

use crate::output;

/// Between looks at how far the builds are.
const LOOK: Duration = Duration::from_millis(200);

/// How long a node may take to begin. It may be at a comparison, which goes first.
const BEGIN_WITHIN: Duration = Duration::from_secs(120);

/// Arguments of `cookbook rebuild`.
#[derive(Debug, Args)]
#[command(after_help = "Needs a running `cookbook up` or `cookbook serve`: whoever answers searches builds its own index.")]
pub struct RebuildArgs {
    /// Only ask for the builds, and do not wait for them.
    #[arg(long)]
    pub no_wait: bool,
}

/// Asks every live node to build, and shows how they come along.
///
/// # Errors
/// The database is not there, no node is live, or a build failed.
pub async fn run(args: RebuildArgs, settings: Settings) -> Result<ExitCode> {
    let db = store::db::connect(&settings.database)
        .await
        .context("connect to `database.url`")?;
    let wake = Wake::start(&settings.redis).context("`redis.url`")?;
    let mut transaction = db.begin().await.context("begin")?;
    let before: BTreeMap<String, Option<DateTime<Utc>>> = index_node::all(&mut transaction)
        .await?
        .into_iter()
        .filter(|node| node.is_live)
        .map(|node| (node.node, node.build_started_at))
        .collect();
    if before.is_empty() {
        bail!(
            "no process answers searches on this database: start `cookbook up` or `cookbook serve`, which builds what it lacks"
        );
    }
    let reason = indexer::RebuildReason::Asked.name().to_owned();
    let queues = index_node::enqueue_for_live(&mut transaction, &IndexJob::Build { reason }).await?;
    transaction.commit().await.context("commit")?;
    queues.iter().for_each(|queue| wake.notify(queue));
    if args.no_wait {
        output::line(format!("asked {} to build", before.len()))?;
        return Ok(ExitCode::SUCCESS);
    }

    let asked_at = Instant::now();
    let bars = MultiProgress::new();
    let mut waiting: BTreeMap<String, ProgressBar> = BTreeMap::new();
    for node in before.keys() {
        waiting.insert(node.clone(), bars.add(bar(node)?));
    }
    let mut failed = 0;
    while !waiting.is_empty() {
        sleep(LOOK).await;
        let mut connection = db.acquire().await.context("connect")?;
        for node in index_node::all(&mut connection).await? {
            let Some(bar) = waiting.get(&node.node) else { continue };
            let begun = node.build_started_at != before.get(&node.node).copied().flatten();
            if begun {
                bar.set_length(node.build_total.max(node.build_done));
                bar.set_position(node.build_done);
            }
            match outcome(&node, begun, asked_at) {
                None => continue,
                Some(Ok(())) => bar.finish_with_message(format!("{} documents", node.documents)),
                Some(Err(error)) => {
                    failed += 1;
                    bar.abandon_with_message(error);
                }
            }
            waiting.remove(&node.node);
        }
    }
    output::line(format!("built {} of {}", before.len() - failed, before.len()))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How a node's build has ended, if it has.
fn outcome(node: &IndexNode, begun: bool, asked_at: Instant) -> Option<Result<(), String>> {
    if !begun {
        let gone = !node.is_live || asked_at.elapsed() > BEGIN_WITHIN;
        return gone.then(|| Err("has not begun".to_owned()));
    }
    match (&node.build_ended_at, &node.build_error) {
        (Some(_), None) => Some(Ok(())),
        (Some(_), Some(error)) => Some(Err(error.clone())),
        (None, _) if !node.is_live => Some(Err("gives no sign of life any more".to_owned())),
        (None, _) => None,
    }
}

fn bar(node: &str) -> Result<ProgressBar> {
    let style =
        ProgressStyle::with_template("{prefix:<24} {wide_bar} {human_pos}/{human_len} {msg}").context("the bar's template")?;
    Ok(ProgressBar::new(0).with_style(style).with_prefix(node.to_owned()))
}
