//! Compute which workflows go together: a new generation of all neighbours.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use config::RecommendationSettings;
use store::queue::ComputeRecommendations;
use store::recommendation::{self, Generation, PersonActs, interests};
use store::{Conn, Db, StoreError, UserId, trending};

use crate::Context;
use crate::neighbours::Collected;

/// People whose acts are read at once.
const PEOPLE: u32 = 1000;

/// Workflows whose neighbours are computed and written at once: with a hundred neighbours each, 2 MB.
const BLOCK: usize = 2048;

/// Whether there is no generation yet, and something to make one of. Asked at every tick.
pub(crate) async fn is_first_wanted(db: &mut Conn) -> Result<bool, StoreError> {
    recommendation::is_first_wanted(db).await
}

/// Safe to repeat and to run at once: each makes a generation of its own, and the one begun last stays.
pub(crate) async fn run(context: Context, _job: ComputeRecommendations) -> anyhow::Result<()> {
    let generation = compute_recommendations(&context.db, &context.settings.recommendations, Utc::now()).await?;
    tracing::info!(generation = generation.id, "computed which workflows go together");
    Ok(())
}

/// Makes and publishes a generation from all that people did until now.
///
/// # Errors
/// The database refused; the generation before stays.
pub async fn compute_recommendations(
    db: &Db,
    settings: &RecommendationSettings,
    now: DateTime<Utc>,
) -> anyhow::Result<Generation> {
    let as_of = recommendation::newest_act(&mut *db.acquire().await?)
        .await?
        .unwrap_or(now)
        .min(now);
    let mut collected = Collected::default();
    for_everybody(db, |person| collected.add(&interests(settings, person.acts)))
        .await
        .context("read what people did")?;

    let generation = recommendation::begin(&mut *db.acquire().await?, as_of).await?;
    let interactions = collected.interactions();
    let takers = Arc::new(
        tokio::task::spawn_blocking(move || collected.finish())
            .await
            .context("turn")?,
    );
    let shrinkage = tokio::task::spawn_blocking({
        let (takers, settings) = (Arc::clone(&takers), settings.clone());
        move || takers.best_shrinkage(&settings)
    })
    .await
    .context("choose a shrinkage")?;
    tracing::info!(shrinkage, interactions, workflows = takers.len(), "compare workflows");
    let mut workflows = 0;
    for first in (0..takers.len()).step_by(BLOCK) {
        let block = first..(first + BLOCK).min(takers.len());
        let (takers, kept) = (Arc::clone(&takers), settings.neighbours);
        let neighbours = tokio::task::spawn_blocking(move || takers.neighbours(kept, shrinkage, block))
            .await
            .context("compare workflows")?;
        workflows += neighbours.len();
        recommendation::add_neighbours(&mut *db.acquire().await?, generation, &neighbours)
            .await
            .context("write neighbours")?;
    }
    let workflows = u32::try_from(workflows).unwrap_or(u32::MAX);
    recommendation::publish(&mut *db.acquire().await?, generation, workflows)
        .await
        .context("publish the generation")?;
    Ok(generation)
}

/// Gives what each person did to others' published workflows to `each`, in order of the person, without those who are suspended or closed.
/// In memory at once are the acts of some people.
pub(crate) async fn for_everybody(db: &Db, mut each: impl FnMut(PersonActs)) -> Result<(), StoreError> {
    let mut connection = db.acquire().await?;
    let discounted: HashSet<UserId> = trending::discounted_users(&mut connection).await?.into_iter().collect();
    for group in recommendation::user_groups(&mut connection, PEOPLE).await? {
        for person in recommendation::acts_of_group(&mut connection, group).await? {
            if !discounted.contains(&person.user) {
                each(person);
            }
        }
    }
    Ok(())
}
