//! Whom one does not want to see, and by whom one does not want to be seen.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::Serialize;
use store::{UserId, block, follow};
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{AnyUser, Cursor, PageParams, SignedIn, VisibleUser};
use crate::transaction::in_transaction;

/// Somebody who is blocked, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BlockedUser)]
pub(crate) struct BlockedUserBody {
    /// Handle.
    username: String,
    /// Name.
    display_name: Option<String>,
    /// Since when.
    blocked_at: DateTime<Utc>,
}

/// A page of those who are blocked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BlockPage {
    /// Whom.
    items: Vec<BlockedUserBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// Where a page ended.
struct ByUser(UserId);

impl Cursor for ByUser {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(|id| Self(UserId(id)))
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// List blocks
///
/// Whom one has blocked oneself; who has blocked one, nobody is told.
#[utoipa::path(
    get, path = "/v1/me/blocks", tag = "people", params(PageParams),
    responses(
        (status = 200, body = BlockPage),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn list_blocks(
    State(context): State<ApiContext>,
    user: SignedIn,
    page: PageParams,
) -> Result<Json<BlockPage>, ApiError> {
    let limit = page.limit();
    let after = page.after::<ByUser>()?.map(|ByUser(id)| id);
    let mut blocked = block::list(&mut *context.connection().await?, user.user_id, after, limit + 1).await?;
    let has_more = blocked.len() > limit as usize;
    blocked.truncate(limit as usize);
    Ok(Json(BlockPage {
        next: blocked.last().filter(|_| has_more).map(|last| ByUser(last.id).write()),
        items: blocked
            .into_iter()
            .map(|user| BlockedUserBody {
                username: user.username,
                display_name: user.display_name,
                blocked_at: user.blocked_at,
            })
            .collect(),
    }))
}

/// Block somebody
///
/// Neither sees the other in feeds, follows and comments from then on, and neither follows the other any longer. Blocking again changes
/// nothing.
#[utoipa::path(
    put, path = "/v1/me/blocks/{username}", tag = "people",
    params(("username" = String, Path, description = "Handle")),
    responses(
        (status = 204),
        (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`oneself`"),
    ),
    security(("token" = []))
)]
pub(crate) async fn block_user(
    State(context): State<ApiContext>,
    user: SignedIn,
    VisibleUser(other): VisibleUser,
) -> Result<StatusCode, ApiError> {
    if other.id == user.user_id {
        return Err(ApiError::Conflict {
            code: "oneself",
            detail: "nobody can block themselves".to_owned(),
        });
    }
    in_transaction(&context, move |db| {
        async move {
            if !follow::lock(db, user.user_id, other.id).await? {
                return Err(ApiError::NotFound("user").into());
            }
            block::add(db, user.user_id, other.id).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        .boxed()
    })
    .await
}

/// Unblock somebody
///
/// What was followed before stays ended. Unblocking again changes nothing.
#[utoipa::path(
    delete, path = "/v1/me/blocks/{username}", tag = "people",
    params(("username" = String, Path, description = "Handle")),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn unblock_user(
    State(context): State<ApiContext>,
    user: SignedIn,
    AnyUser(other): AnyUser,
) -> Result<StatusCode, ApiError> {
    let was_blocked = block::remove(&mut *context.connection().await?, user.user_id, other.id).await?;
    // Whoever blocked somebody knows that they are there; others are not told.
    if was_blocked || other.is_visible || user.is_admin {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("user"))
    }
}
