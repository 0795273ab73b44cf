//! What is new in a feed, told to an open page as it happens (server-sent events).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use chrono::{TimeDelta, Utc};
use futures::stream::{self, Stream as Events};
use store::UserId;
use store::feed::{self, Activity, Group, Key};
use store::gaps::Position;
use store::usage::Use;
use tokio::time::{Instant, sleep_until};

use super::feed::EntryBody;
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::SignedIn;
use crate::streams::{Piece, Stream};

/// Age of an activity beyond which it is history that was written late, and no news.
const HISTORY: TimeDelta = TimeDelta::days(1);

/// Longest `Last-Event-ID`, in bytes: ours is longer only while hundreds of transactions are open.
const MAX_ID_BYTES: usize = 4096;

/// Wait of a client that lost its connection.
const RETRY: Duration = Duration::from_secs(3);

/// Follow your feed
///
/// Server-sent events: `activity` with an entry as in `GET /v1/feed`, as soon as it is committed. Events carry ids; a client that comes back
/// with `Last-Event-ID`, as browsers do, is told what it missed, or `reset` when that is too much and the feed must be read again. An entry
/// may come twice around such a break: its activity's id tells. A line with an id alone is a sign of life. The stream ends after some
/// minutes, and is to be opened again.
#[utoipa::path(
    get, path = "/v1/feed/stream", tag = "feed",
    params(("last-event-id" = Option<String>, Header, description = "Id of the last event that was received")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 401, body = Problem),
              (status = 503, body = Problem, description = "Too many are open")),
    security(("token" = []))
)]
pub(crate) async fn stream_feed(
    State(context): State<ApiContext>,
    user: SignedIn,
    headers: HeaderMap,
) -> Result<Sse<impl Events<Item = Result<Event, Infallible>>>, ApiError> {
    let since = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .filter(|id| id.len() <= MAX_ID_BYTES)
        .and_then(|id| serde_json::from_str::<Position>(id).ok());
    let stream = context.streams.open(user.user_id).await?.ok_or(ApiError::Unavailable {
        what: "a place among the open feeds",
        cause: None,
    })?;
    let mut telling = Telling::new(context, user.user_id, stream);
    let is_first = since.is_none();
    telling.begin(since).await?;
    // A page opens its stream again every few minutes, and says where it was.
    if is_first {
        telling.context.usage.count(Use::FeedStream, 1);
    }
    Ok(Sse::new(stream::unfold(telling, |mut telling| async move {
        let event = telling.next().await?;
        Some((Ok(event), telling))
    })))
}

/// One open page.
struct Telling {
    context: ApiContext,
    viewer: UserId,
    stream: Stream,
    waiting: VecDeque<Event>,
    ends_at: Instant,
    heartbeat: Duration,
}

impl Telling {
    fn new(context: ApiContext, viewer: UserId, stream: Stream) -> Self {
        let settings = &context.settings.feed;
        Self {
            ends_at: Instant::now() + Duration::from_secs(settings.stream_s),
            heartbeat: Duration::from_secs(settings.heartbeat_s.max(1)),
            context,
            viewer,
            stream,
            waiting: VecDeque::new(),
        }
    }

    /// Tells what was missed since, and where the stream begins.
    async fn begin(&mut self, since: Option<Position>) -> Result<(), ApiError> {
        let position = self.stream.position.clone();
        let missed = match since {
            Some(since) => feed::missed(&mut *self.context.connection().await?, self.viewer, &since, &position).await?,
            None => Some(Vec::new()),
        };
        match missed {
            Some(keys) => self.tell(&keys).await?,
            None => self.waiting.push_back(Event::default().event("reset").data("{}")),
        }
        if let Some(mark) = mark(&position) {
            self.waiting.push_back(mark.retry(RETRY));
        }
        Ok(())
    }

    /// The next event. None at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let beat = Instant::now() + self.heartbeat;
            let piece = tokio::select! {
                biased;
                piece = self.stream.news.recv() => Some(piece?),
                () = sleep_until(beat.min(self.ends_at)) => None,
            };
            if Instant::now() >= self.ends_at {
                return None;
            }
            // What everybody was told is read before it is looked whether something of it waits here.
            let told = self.context.streams.position();
            match piece.or_else(|| self.stream.news.try_recv().ok()) {
                Some(Piece { keys, position }) => {
                    // Who comes back is told then.
                    self.tell(&keys).await.ok()?;
                    self.waiting.extend(mark(&position));
                }
                None => self.waiting.extend(told.as_ref().and_then(mark)),
            }
        }
    }

    /// Puts those of these activities in line that may be seen, the oldest first.
    async fn tell(&mut self, keys: &[Key]) -> Result<(), ApiError> {
        let mut db = self.context.connection().await?;
        let seen = feed::visible(&mut db, Some(self.viewer), true, keys).await?;
        drop(db);
        let news = Utc::now() - HISTORY;
        let events = seen.into_iter().rev().filter(|activity| activity.at > news).filter_map(event);
        self.waiting.extend(events);
        Ok(())
    }
}

fn event(activity: Activity) -> Option<Event> {
    let entry = EntryBody::new(Group {
        activities: vec![activity],
    })?;
    Event::default().event("activity").json_data(entry).ok()
}

/// An event that is nothing but its id.
fn mark(position: &Position) -> Option<Event> {
    Some(Event::default().id(serde_json::to_string(position).ok()?))
}
