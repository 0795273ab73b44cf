//! Keep feeds in step with what people do, and fill those that are asked for.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use store::feed::{self, Step};
use store::gaps::Position;
use store::queue::TendFeeds;
use store::{Conn, StoreError};
use tokio::time::sleep;

use crate::Context;

/// Feeds filled between two looks at what is new.
const FILLS: u32 = 20;

/// How long one run goes on while there is something to do: then others have their turn, and the next tick goes on.
const AT_MOST: Duration = Duration::from_secs(60);

/// How long a run stays for gaps, which close after two looks a second apart, and how often it looks meanwhile.
const STAY: Duration = Duration::from_millis(2500);
const LOOK: Duration = Duration::from_millis(250);

/// How often one step is tried again that lost its locks to somebody who reads or fills a feed.
const TRIES: u32 = 5;

/// Whether there is anything to do. Asked every second.
pub(crate) async fn is_needed(db: &mut Conn) -> Result<bool, StoreError> {
    feed::is_needed(db).await
}

/// Safe to repeat and to run at once: a step holds a row, copies what is there already without effect, and notes its position last.
pub(crate) async fn run(context: Context, _job: TendFeeds) -> anyhow::Result<()> {
    let mut remembered = None;
    let started = Instant::now();
    let mut busy_at = started;
    while started.elapsed() < AT_MOST {
        let step = step(&context, &mut remembered).await.context("take a step")?;
        let filled = fill_some(&context).await.context("fill feeds")?;
        if step.more || filled > 0 {
            busy_at = Instant::now();
            continue;
        }
        if !step.has_gaps || busy_at.elapsed() > STAY {
            break;
        }
        sleep(LOOK).await;
    }
    Ok(())
}

async fn step(context: &Context, remembered: &mut Option<Position>) -> Result<Step, StoreError> {
    let mut tries = 0;
    loop {
        match feed::step(
            &context.db,
            &context.feeds,
            &context.settings.feed,
            remembered,
            Instant::now(),
        )
        .await
        {
            Err(error) if error.is_lock_conflict() && tries < TRIES => tries += 1,
            Ok(step) => {
                if step.copies > 0 || step.marks > 0 {
                    tracing::debug!(
                        activities = step.activities,
                        copies = step.copies,
                        marks = step.marks,
                        "tended feeds"
                    );
                }
                return Ok(step);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Fills some of the feeds that are asked for. Returns how many.
async fn fill_some(context: &Context) -> Result<usize, StoreError> {
    let users = feed::unfilled(&mut *context.db.acquire().await?, FILLS).await?;
    for user in &users {
        let mut tries = 0;
        while let Err(error) = feed::fill(&context.db, *user, context.settings.feed.cap).await {
            tries += 1;
            if !error.is_lock_conflict() || tries > TRIES {
                return Err(error);
            }
        }
    }
    Ok(users.len())
}
