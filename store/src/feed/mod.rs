//! Feeds: what the people somebody follows did, the newest first.
//!
//! A feed is made of `user_activities`. Where a page comes from – Redis, `user_feed_cache`, or the activities themselves – changes how fast it
//! is and nothing else: each gives *keys* (time and id) of candidates, and what may be seen of them is decided by [`visible()`], from the rows
//! as they are when the page is read.

mod cache;
mod fan_out;
mod group;
mod list;
mod news;
mod page;
mod pull;
mod sorted_set;
mod visible;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use cache::{count_active, fill, forget_dormant, unfilled, want, want_active};
pub use fan_out::{Step, is_needed, step};
pub use group::{Group, MAX_GROUP};
pub use news::{Fresh, News, missed, who_follows};
pub use page::{Page, activity_of, feed, public_activity, pulled_feed};
pub use sorted_set::FeedCache;
pub use visible::{Activity, Comment, Person, Rack, visible};

/// Place of an activity in every list: by its own time, and by its id within a second. Later is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Its time in seconds since 1970, which is all that the column holds.
    pub at_s: i64,
    /// Its id.
    pub id: u64,
}

impl Key {
    /// After every activity: the last second that a TIMESTAMP can hold.
    pub const END: Self = Self {
        at_s: i32::MAX as i64,
        id: u64::MAX,
    };

    /// Before every activity.
    pub const START: Self = Self { at_s: 0, id: 0 };

    /// The key of an activity.
    pub fn new(at: DateTime<Utc>, id: u64) -> Self {
        Self {
            at_s: at.timestamp(),
            id,
        }
    }

    /// Its time.
    pub fn at(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.at_s, 0).unwrap_or_default()
    }
}

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type, Serialize, Deserialize)]
#[sqlx(rename_all = "snake_case")]
pub enum Kind {
    /// Published a workflow.
    #[sqlx(rename = "workflow_upload")]
    #[serde(rename = "upload")]
    Upload,
    /// Liked a workflow.
    #[sqlx(rename = "workflow_like")]
    #[serde(rename = "like")]
    Like,
    /// Commented on a workflow.
    #[sqlx(rename = "workflow_comment")]
    #[serde(rename = "comment")]
    Comment,
    /// Followed somebody.
    #[sqlx(rename = "user_follow")]
    #[serde(rename = "follow")]
    Follow,
    /// Rated a workflow.
    #[sqlx(rename = "workflow_rating")]
    #[serde(rename = "rating")]
    Rating,
}
