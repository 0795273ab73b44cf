//! What happened to a workflow, day by day, for its author.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{Datelike, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use store::stats::{self, Counts};
use utoipa::{IntoParams, ToSchema};

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::OwnedWorkflow;

/// Most days at once: a leap year.
const MAX_DAYS: i64 = 366;

/// Years that a day may be of. Nothing is known from before, and the servers' dates end there.
const YEARS: RangeInclusive<i32> = 1970..=9999;

/// Days that are shown when nothing is asked for.
const DAYS: u64 = 30;

/// Which days.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DaysParams {
    /// The first day; 29 days before the last when absent.
    from: Option<NaiveDate>,
    /// The last day; today when absent. Days are UTC, at most 366 of them.
    to: Option<NaiveDate>,
}

impl DaysParams {
    /// The first day and the last.
    fn span(&self) -> Result<(NaiveDate, NaiveDate), ApiError> {
        let refused = |field, message: &str| Err(ApiError::Invalid(vec![FieldError::new(field, message)]));
        let last = self.to.unwrap_or_else(|| Utc::now().date_naive());
        if !YEARS.contains(&last.year()) {
            return refused("to", "must be from 1970 to 9999");
        }
        let first = self.from.unwrap_or(last - Days::new(DAYS - 1));
        match (last - first).num_days() {
            ..0 => refused("from", "must not be after `to`"),
            0..MAX_DAYS => Ok((first, last)),
            _ => refused("from", "at most 366 days at once"),
        }
    }
}

/// What happened to a workflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowStats {
    /// Every day from the first to the last, also those on which nothing happened. Those of the last minute may be missing.
    days: Vec<WorkflowDay>,
}

/// What happened to a workflow on a day of UTC. What its author did is not in it, nor what programs did.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct WorkflowDay {
    /// The day.
    day: NaiveDate,
    /// Views, of which one visitor has at most one in half an hour.
    views: u32,
    /// Different visitors who viewed. Cannot be summed over days: who came twice is in both.
    unique_viewers: u32,
    /// Downloads, of which one visitor has at most one in half an hour.
    downloads: u32,
    /// Different visitors who downloaded.
    unique_downloaders: u32,
    /// Likes given that day which still stand.
    likes: u32,
    /// Comments and replies.
    comments: u32,
    /// Ratings, by the day on which they were first given.
    ratings: u32,
    /// Additions to collections.
    collection_adds: u32,
}

impl WorkflowDay {
    fn of(day: NaiveDate, counts: Counts) -> Self {
        Self {
            day,
            views: counts.views,
            unique_viewers: counts.unique_viewers,
            downloads: counts.downloads,
            unique_downloaders: counts.unique_downloaders,
            likes: counts.likes,
            comments: counts.comments,
            ratings: counts.ratings,
            collection_adds: counts.collection_adds,
        }
    }
}

/// Get a workflow's numbers
///
/// Views, downloads and reactions by day, for its owner and admins.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/stats", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow"), DaysParams),
    responses(
        (status = 200, body = WorkflowStats),
        (status = 400, body = Problem, description = "A day is not of the form 2026-01-31"),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem, description = "The days run backwards, or are too many"),
    ),
    security(("token" = []))
)]
pub(crate) async fn get_workflow_stats(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
    params: Result<Query<DaysParams>, QueryRejection>,
) -> Result<Json<WorkflowStats>, ApiError> {
    let Query(params) = params.map_err(|error| ApiError::BadRequest {
        code: "bad_query",
        detail: error.body_text(),
    })?;
    let (first, last) = params.span()?;
    let rows = stats::days_of(&mut *context.connection().await?, workflow.id, first, last).await?;
    let counts: BTreeMap<NaiveDate, Counts> = rows.into_iter().map(|row| (row.span, row.counts)).collect();
    let days = stats::days(first, last).map(|day| WorkflowDay::of(day, counts.get(&day).copied().unwrap_or_default()));
    Ok(Json(WorkflowStats { days: days.collect() }))
}
