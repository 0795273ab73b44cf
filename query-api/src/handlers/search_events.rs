//! What was done with the hits of a search.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;
use serde::{Deserialize, Serialize};
use store::WorkflowId;
use store::search_log::{self, QueryId, SearchEvent, SearchEventKind};
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::JsonBody;

/// Most events of one report: a page of hits, each opened.
const MAX_EVENTS: usize = 100;

/// Milliseconds within which an answer may not have been noted yet. What was done with older ones is looked up at once.
const RECENT_MS: u64 = 600_000;

/// Milliseconds by which clocks of several machines may differ.
const CLOCKS_DIFFER_MS: u64 = 60_000;

/// A report.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchEventsBody {
    /// At most 100.
    #[schema(max_items = 100, min_items = 1)]
    events: Vec<SearchEventBody>,
}

/// One thing done with one hit.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = SearchEvent)]
#[serde(deny_unknown_fields)]
struct SearchEventBody {
    /// The `query_id` of the answer.
    #[schema(example = "01KXQ4Y8V6T2M0Q3W5Z7R9B1CD")]
    query_id: String,
    /// `click`, `download` or `play`.
    #[schema(value_type = String, example = "click")]
    kind: SearchEventKind,
    /// The hit.
    workflow_id: u64,
    /// Its position among all hits, from 1.
    #[schema(minimum = 1)]
    position: u32,
}

/// How much was taken.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = SearchEventsTaken)]
pub(crate) struct TakenBody {
    /// Events taken. The same thing done with the same hit of an answer counts once.
    accepted: usize,
}

/// Report what was done with hits
///
/// For the community's reports on search. Nothing about who did it is kept. It is written a moment later.
#[utoipa::path(
    post, path = "/v1/search/events", tag = "search",
    request_body = SearchEventsBody,
    responses(
        (status = 202, body = TakenBody),
        (status = 400, body = Problem),
        (status = 413, body = Problem),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "An event is of no search, or of a position that it did not have; `errors` names each"),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn report_search_events(
    State(context): State<ApiContext>,
    JsonBody(body): JsonBody<SearchEventsBody>,
) -> Result<(StatusCode, Json<TakenBody>), ApiError> {
    let events = read(body)?;
    check_older(&context, &events).await?;
    let accepted = events.len();
    context.search_log.note_events(events);
    Ok((StatusCode::ACCEPTED, Json(TakenBody { accepted })))
}

/// Reads a report; every event that is wrong is named.
fn read(body: SearchEventsBody) -> Result<Vec<SearchEvent>, ApiError> {
    if body.events.is_empty() || body.events.len() > MAX_EVENTS {
        let message = format!("must be from 1 to {MAX_EVENTS}, not {}", body.events.len());
        return Err(ApiError::Invalid(vec![FieldError::new("events", message)]));
    }
    let happened_at = Utc::now();
    let latest_ms = u64::try_from(happened_at.timestamp_millis()).unwrap_or_default() + CLOCKS_DIFFER_MS;
    let mut events = Vec::with_capacity(body.events.len());
    let mut errors = Vec::new();
    for (index, event) in body.events.into_iter().enumerate() {
        let query_id = event
            .query_id
            .parse::<QueryId>()
            .ok()
            .filter(|id| id.given_out_ms() <= latest_ms);
        if event.position == 0 {
            errors.push(FieldError::new(format!("events[{index}].position"), "must be 1 or more"));
        }
        match query_id {
            None => errors.push(of_no_search(index)),
            Some(query_id) => events.push(SearchEvent {
                query_id,
                kind: event.kind,
                workflow_id: WorkflowId(event.workflow_id),
                position: event.position,
                happened_at,
            }),
        }
    }
    if errors.is_empty() {
        Ok(events)
    } else {
        Err(ApiError::Invalid(errors))
    }
}

/// Compares events of older answers with what was noted of them.
async fn check_older(context: &ApiContext, events: &[SearchEvent]) -> Result<(), ApiError> {
    let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
    let is_older = |event: &SearchEvent| event.query_id.given_out_ms() + RECENT_MS < now_ms;
    let ids: Vec<QueryId> = events
        .iter()
        .filter(|event| is_older(event))
        .map(|event| event.query_id)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let hits = search_log::hits_of(&mut *context.connection().await?, &ids).await?;
    let errors: Vec<FieldError> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| is_older(event))
        .filter_map(|(index, event)| match hits.get(&event.query_id) {
            None => Some(of_no_search(index)),
            Some(hits) if event.position > *hits => Some(FieldError::new(
                format!("events[{index}].position"),
                format!("must be at most {hits}, the number of hits"),
            )),
            Some(_) => None,
        })
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Invalid(errors))
    }
}

fn of_no_search(index: usize) -> FieldError {
    FieldError::new(format!("events[{index}].query_id"), "is the id of no answer")
}
