//! Takes the demo's community in: users, then uploads through the ordinary way, then what people did about them.
//!
//! It may be killed at any moment and started again: users come in one transaction, an upload of the same bytes by the same user is the
//! same workflow, what people did is added anew, and the follows, which come last, tell that the demo is complete.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use ingest::upload::{Receiving, accept};
use store::community::{self as rows, State};
use store::queue::{self, ComputeRecommendations, JobPayload};
use store::workflow::{Details, Difficulty, Tempo};
use store::{Conn, StoreError, UserId, WorkflowId};

use super::community::{Community, Deed, Event, SecondsAgo, Size};
use super::racks;
use crate::parts::Shared;

/// Uploads under way at once: enough to keep the disk busy while others hash.
const UPLOADS_AT_ONCE: usize = 8;

/// Between looks at how many parses are left.
const LOOK: Duration = Duration::from_millis(150);

/// What was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The community, now.
    Now {
        /// Users.
        users: usize,
        /// Workflows.
        workflows: usize,
        /// Follows, likes, ratings, comments, views and downloads together.
        deeds: usize,
        /// Position in the log of changes at which search has all of it.
        position: u64,
    },
    /// Nothing: an earlier call had loaded all of it.
    Before,
}

/// Loads the demo into a database without users, or finishes a load that was interrupted. The workers must be running: they parse the racks.
///
/// # Errors
/// The database has users of its own, or something on the way failed.
pub async fn load(shared: &Shared) -> Result<Loaded> {
    let mut db = shared.db.acquire().await?;
    match rows::state(&mut db).await? {
        State::Complete => return Ok(Loaded::Before),
        State::Foreign => bail!("`--demo` fills an empty database only, and this one has users already; start without it"),
        State::Empty | State::Begun => {}
    }
    drop(db);
    let _hush = ::config::hush(&shared.settings.log);
    let community = Community::generate(Size::default());
    let now = Utc::now();
    let users = add_users(shared, &community, now).await?;
    let workflows = upload(shared, &community, &users).await?;
    wait_for_parses(shared).await?;
    let deeds = add_deeds(shared, &community, now, &users, &workflows).await?;
    let mut db = shared.db.acquire().await?;
    // Now that all of it is there: the next night would be late for somebody who looks around.
    queue::enqueue(&mut db, &ComputeRecommendations::default(), None).await?;
    shared.wake.notify(ComputeRecommendations::QUEUE);
    Ok(Loaded::Now {
        users: users.len(),
        workflows: workflows.len(),
        deeds,
        position: store::workflow::latest_change(&mut db).await?,
    })
}

async fn add_users(shared: &Shared, community: &Community, now: DateTime<Utc>) -> Result<Vec<UserId>> {
    let mut tx = shared.db.begin().await?;
    if rows::state(&mut tx).await? == State::Empty {
        let users: Vec<_> = community
            .users
            .iter()
            .map(|user| rows::UserRow {
                username: user.handle.clone(),
                bio: user.bio.clone(),
                location: user.region.map(str::to_owned),
                created_at: ago(now, user.joined),
            })
            .collect();
        rows::add_users(&mut tx, &users).await?;
    }
    let handles: Vec<String> = community.users.iter().map(|user| user.handle.clone()).collect();
    let by_handle: HashMap<String, UserId> = rows::user_ids(&mut tx, &handles).await?.into_iter().collect();
    tx.commit().await?;
    handles
        .iter()
        .map(|handle| {
            by_handle
                .get(handle)
                .copied()
                .with_context(|| format!("user `{handle}` is missing"))
        })
        .collect()
}

/// Writes every rack and uploads it, as its author would.
async fn upload(shared: &Shared, community: &Community, users: &[UserId]) -> Result<Vec<WorkflowId>> {
    let bar = progress("racks uploaded", community.workflows.len());
    let uploads = community.workflows.iter().map(|workflow| {
        let (bar, owner) = (bar.clone(), users[workflow.author]);
        let details = Details {
            title: workflow.title.clone(),
            description: Some(workflow.description.clone()),
            genre: Some(workflow.genre.to_owned()),
            tempo: Tempo::from_bpm(f64::from(workflow.bpm)),
            key_signature: workflow.key.map(str::to_owned),
            difficulty: match workflow.difficulty {
                "beginner" => Difficulty::Beginner,
                "advanced" => Difficulty::Advanced,
                _ => Difficulty::Intermediate,
            },
        };
        let tags: Vec<String> = workflow.tags.iter().map(|tag| (*tag).to_owned()).collect();
        async move {
            let mut receiving = Receiving::new(shared.settings.http.max_upload_bytes);
            receiving.push(&racks::file(workflow))?;
            let accepted = accept(&shared.db, &shared.files, owner, &receiving.finish()?, &details, &tags).await?;
            bar.inc(1);
            anyhow::Ok(accepted.workflow_id)
        }
    });
    let ids = stream::iter(uploads).buffered(UPLOADS_AT_ONCE).try_collect().await?;
    bar.finish();
    Ok(ids)
}

async fn wait_for_parses(shared: &Shared) -> Result<()> {
    let mut db = shared.db.acquire().await?;
    let total = rows::count_pending(&mut db).await?;
    let bar = progress("racks parsed", usize::try_from(total)?);
    loop {
        let left = rows::count_pending(&mut db).await?;
        bar.set_position(total.saturating_sub(left));
        if left == 0 {
            bar.finish();
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Publishes everything at its own time and adds what people did.
async fn add_deeds(
    shared: &Shared,
    community: &Community,
    now: DateTime<Utc>,
    users: &[UserId],
    workflows: &[WorkflowId],
) -> Result<usize> {
    let published: Vec<_> = community
        .workflows
        .iter()
        .zip(workflows)
        .map(|(workflow, id)| rows::PublishedRow {
            workflow_id: *id,
            user_id: users[workflow.author],
            published_at: ago(now, workflow.published),
        })
        .collect();
    let follows: Vec<_> = community
        .follows
        .iter()
        .map(|follow| rows::FollowRow {
            follower_id: users[follow.follower],
            following_id: users[follow.followee],
            created_at: ago(now, follow.at),
        })
        .collect();
    let event = |event: &Event| rows::EventRow {
        workflow_id: workflows[event.workflow],
        user_id: event.user.map(|user| users[user]),
        ip_address: event.network.to_owned(),
        session_id: format!("{:016x}", event.session),
        created_at: ago(now, event.at),
    };
    let likes: Vec<_> = community.likes.iter().map(|like| deed(like, now, users, workflows)).collect();
    let ratings: Vec<_> = community
        .ratings
        .iter()
        .map(|rating| deed(rating, now, users, workflows))
        .collect();
    let comments: Vec<_> = community
        .comments
        .iter()
        .map(|comment| deed(comment, now, users, workflows))
        .collect();
    let views: Vec<_> = community.views.iter().map(event).collect();
    let downloads: Vec<_> = community.downloads.iter().map(event).collect();
    let deeds = follows.len() + likes.len() + ratings.len() + comments.len() + views.len() + downloads.len();

    let bar = progress("deeds added", deeds);
    let mut db = shared.db.acquire().await?;
    // What an interrupted load left.
    rows::forget_deeds(&mut db).await?;
    drop(db);
    in_groups(shared, &published, rows::publish, None).await?;
    in_groups(shared, &likes, rows::add_likes, Some(&bar)).await?;
    in_groups(shared, &ratings, rows::add_ratings, Some(&bar)).await?;
    in_groups(shared, &comments, rows::add_comments, Some(&bar)).await?;
    in_groups(shared, &downloads, rows::add_downloads, Some(&bar)).await?;
    in_groups(shared, &views, rows::add_views, Some(&bar)).await?;
    // Last, and all at once: they tell that the demo is complete.
    let mut tx = shared.db.begin().await?;
    rows::add_follows(&mut tx, &follows).await?;
    tx.commit().await?;
    bar.inc(follows.len() as u64);
    bar.finish();
    Ok(deeds)
}

/// Adds rows in transactions of a few thousand, so that readers of the same tables are not held up by one long one.
async fn in_groups<T>(
    shared: &Shared,
    rows: &[T],
    add: impl AsyncFn(&mut Conn, &[T]) -> Result<(), StoreError>,
    bar: Option<&ProgressBar>,
) -> Result<()> {
    for group in rows.chunks(2_000) {
        let mut tx = shared.db.begin().await?;
        add(&mut tx, group).await?;
        tx.commit().await?;
        if let Some(bar) = bar {
            bar.inc(group.len() as u64);
        }
    }
    Ok(())
}

fn deed<T: Clone>(deed: &Deed<T>, now: DateTime<Utc>, users: &[UserId], workflows: &[WorkflowId]) -> rows::DeedRow<T> {
    rows::DeedRow {
        user_id: users[deed.user],
        workflow_id: workflows[deed.workflow],
        created_at: ago(now, deed.at),
        what: deed.what.clone(),
    }
}

fn ago(now: DateTime<Utc>, seconds: SecondsAgo) -> DateTime<Utc> {
    now - TimeDelta::seconds(i64::from(seconds))
}

/// A bar on a terminal, and nothing elsewhere.
fn progress(what: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<16} {bar:40} {pos}/{len} ({eta} left)")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what)
}
