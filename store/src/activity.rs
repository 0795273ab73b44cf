//! `user_activities`: what people did, in public. Feeds are made of it.
//!
//! A row is written in the transaction of what it tells of, and goes with it: undoing takes it away ([`forget`]), and triggers do when
//! its workflow, comment or followed user is deleted, whoever deletes. `activity_data` is the seed's JSON; triggers copy its ids into
//! `workflow_id`, `comment_id` and `following_id`, which is what statements look at:
//!
//! | `activity_type` | `activity_data` |
//! |---|---|
//! | `workflow_upload` | `{"workflow_id"}` |
//! | `workflow_like` | `{"workflow_id"}` |
//! | `workflow_comment` | `{"workflow_id", "comment_id"}`, and `"parent_id"` of a reply |
//! | `workflow_rating` | `{"workflow_id", "rating"}`: the stars as they are now; `created_at` is of the first rating |
//! | `user_follow` | `{"following_id"}` |
//!
//! There is no type for the like of a comment, so that writes none. Nothing here says who may see an activity: that is tested when a
//! feed is read.

use serde_json::{Value, json};

use crate::{CommentId, Conn, StoreError, UserId, WorkflowId};

/// What somebody did in public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Made a workflow public. Once a workflow: publishing it again after hiding it is no new upload.
    Upload(WorkflowId),
    /// Liked a workflow.
    Like(WorkflowId),
    /// Commented on a workflow.
    Comment {
        /// Which workflow.
        workflow: WorkflowId,
        /// The comment.
        comment: CommentId,
        /// The comment that it answers.
        parent: Option<CommentId>,
    },
    /// Rated a workflow.
    Rating {
        /// Which workflow.
        workflow: WorkflowId,
        /// Stars, 1 to 5.
        stars: u8,
    },
    /// Followed somebody.
    Follow(UserId),
}

impl Activity {
    /// As in `activity_type`.
    fn kind(self) -> &'static str {
        match self {
            Self::Upload(_) => "workflow_upload",
            Self::Like(_) => "workflow_like",
            Self::Comment { .. } => "workflow_comment",
            Self::Rating { .. } => "workflow_rating",
            Self::Follow(_) => "user_follow",
        }
    }

    /// As in `activity_data`.
    fn data(self) -> Value {
        match self {
            Self::Upload(workflow) | Self::Like(workflow) => json!({ "workflow_id": workflow }),
            Self::Comment {
                workflow,
                comment,
                parent: None,
            } => json!({ "workflow_id": workflow, "comment_id": comment }),
            Self::Comment {
                workflow,
                comment,
                parent: Some(parent),
            } => json!({ "workflow_id": workflow, "comment_id": comment, "parent_id": parent }),
            Self::Rating { workflow, stars } => json!({ "workflow_id": workflow, "rating": stars }),
            Self::Follow(user) => json!({ "following_id": user }),
        }
    }
}

/// Notes what somebody did. What is noted already stays with its time, and takes over what changed about it (the stars of a rating).
///
/// Two callers at once for the same deed must be kept apart by what they both lock: the workflow, or the two users of a follow.
///
/// # Errors
/// The database refused.
pub async fn record(db: &mut Conn, actor: UserId, activity: Activity) -> Result<(), StoreError> {
    let data = activity.data();
    if let Some(id) = find(db, actor, activity).await? {
        if matches!(activity, Activity::Rating { .. }) {
            sqlx::query!("UPDATE user_activities SET activity_data = ? WHERE id = ?", data, id)
                .execute(db)
                .await?;
        }
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO user_activities (user_id, activity_type, activity_data) VALUES (?, ?, ?)",
        actor,
        activity.kind(),
        data
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes back what [`record`] noted. What is not noted is no error.
///
/// # Errors
/// The database refused.
pub async fn forget(db: &mut Conn, actor: UserId, activity: Activity) -> Result<(), StoreError> {
    // By its id, found by index first: a delete that finds nothing would lock the gap where others write.
    while let Some(id) = find(db, actor, activity).await? {
        sqlx::query!("DELETE FROM user_activities WHERE id = ?", id)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn find(db: &mut Conn, actor: UserId, activity: Activity) -> Result<Option<u64>, StoreError> {
    let found = match activity {
        Activity::Upload(workflow) | Activity::Like(workflow) | Activity::Rating { workflow, .. } => {
            sqlx::query_scalar!(
                "SELECT id FROM user_activities WHERE workflow_id = ? AND user_id = ? AND activity_type = ? LIMIT 1",
                workflow,
                actor,
                activity.kind()
            )
            .fetch_optional(db)
            .await?
        }
        Activity::Comment { comment, .. } => {
            sqlx::query_scalar!(
                "SELECT id FROM user_activities WHERE comment_id = ? AND user_id = ? LIMIT 1",
                comment,
                actor
            )
            .fetch_optional(db)
            .await?
        }
        Activity::Follow(user) => {
            sqlx::query_scalar!(
                "SELECT id FROM user_activities WHERE following_id = ? AND user_id = ? LIMIT 1",
                user,
                actor
            )
            .fetch_optional(db)
            .await?
        }
    };
    Ok(found)
}
