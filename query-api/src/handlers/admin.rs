//! What admins do, and the account of it. Every deed and its entry are one transaction; what changes nothing is not entered.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use store::audit::{self, Action, Entry, Subject};
use store::{Conn, StoreError, UserId, moderation, token, user, workflow};
use utoipa::ToSchema;

use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{Admin, AnyUser, Cursor, JsonBody, PageParams, WorkflowPath, visible_workflow};
use crate::position::index_position;
use crate::transaction::in_transaction;

/// Longest reason, in characters, as the columns take it.
const MAX_REASON_CHARS: usize = 500;

/// Why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = Reason)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// Why, for the account of what admins did; of a take-down, its author sees it too.
    #[schema(min_length = 1, max_length = 500, example = "samples of somebody else's record")]
    reason: String,
}

impl ReasonBody {
    fn check(self) -> Result<String, ApiError> {
        let reason = self.reason.trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
            let error = FieldError::new("reason", format!("must have 1 to {MAX_REASON_CHARS} characters"));
            return Err(ApiError::Invalid(vec![error]));
        }
        Ok(reason.to_owned())
    }
}

/// What an admin did, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryBody {
    /// Id of the entry.
    id: u64,
    /// Who, by id; null for the command line.
    actor_id: Option<u64>,
    /// Who, by handle, while they are there.
    actor: Option<String>,
    /// What: `feature`, `unfeature`, `take_down`, `restore`, `suspend`, `unsuspend`, `verify`, `unverify`, `grant_admin`, `revoke_admin`.
    #[schema(example = "take_down")]
    action: String,
    /// To what: `user` or `workflow`.
    #[schema(example = "workflow")]
    subject_kind: String,
    /// Which.
    subject_id: u64,
    /// Why.
    reason: Option<String>,
    /// When.
    at: DateTime<Utc>,
}

/// A page of the account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// Entries, newest first.
    items: Vec<AuditEntryBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// Where a page ended.
struct ById(u64);

impl Cursor for ById {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

impl From<Entry> for AuditEntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            actor_id: entry.actor_id.map(|id| id.0),
            actor: entry.actor,
            action: entry.action,
            subject_kind: entry.subject_kind,
            subject_id: entry.subject_id,
            reason: entry.reason,
            at: entry.created_at,
        }
    }
}

/// List what admins did
#[utoipa::path(
    get, path = "/v1/admin/audit", tag = "admin", params(PageParams),
    responses(
        (status = 200, body = AuditPage),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn list_audit(
    State(context): State<ApiContext>,
    _admin: Admin,
    page: PageParams,
) -> Result<Json<AuditPage>, ApiError> {
    let limit = page.limit();
    let before = page.after::<ById>()?.map(|ById(id)| id);
    let mut entries = audit::list(&mut *context.connection().await?, before, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    Ok(Json(AuditPage {
        next: entries.last().filter(|_| has_more).map(|last| ById(last.id).write()),
        items: entries.into_iter().map(AuditEntryBody::from).collect(),
    }))
}

/// Does a deed, and enters it if it changed something.
async fn act(context: &ApiContext, admin: Admin, action: Action, subject: Subject, reason: String) -> Result<u64, ApiError> {
    in_transaction(context, move |db| {
        let reason = reason.clone();
        async move {
            if change(db, action, subject, &reason).await? {
                audit::record(db, Some(admin.0.user_id), action, subject, Some(&reason)).await?;
            }
            Ok(workflow::latest_change(db).await?)
        }
        .boxed()
    })
    .await
}

/// Makes the change; false when it was so before.
async fn change(db: &mut Conn, action: Action, subject: Subject, reason: &str) -> Result<bool, StoreError> {
    match (action, subject) {
        (Action::Feature | Action::Unfeature, Subject::Workflow(id)) => {
            moderation::set_featured(db, id, action == Action::Feature).await
        }
        (Action::TakeDown, Subject::Workflow(id)) => moderation::take_down(db, id, Some(reason)).await,
        (Action::Restore, Subject::Workflow(id)) => moderation::restore(db, id).await,
        (Action::Suspend, Subject::User(id)) => {
            let is_new = user::suspend(db, id, Some(reason)).await?;
            token::revoke_all(db, id, None).await?;
            Ok(is_new)
        }
        (Action::Unsuspend, Subject::User(id)) => user::unsuspend(db, id).await,
        (Action::Verify | Action::Unverify, Subject::User(id)) => user::set_verified(db, id, action == Action::Verify).await,
        (Action::GrantAdmin | Action::RevokeAdmin, Subject::User(id)) => {
            user::set_admin(db, id, action == Action::GrantAdmin).await
        }
        (_, Subject::User(_) | Subject::Workflow(_)) => {
            Err(StoreError::Invalid(format!("`{action}` is not done to that kind of thing")))
        }
    }
}

/// To a workflow, whatever its state.
async fn act_on_workflow(
    context: &ApiContext,
    admin: Admin,
    WorkflowPath(id): WorkflowPath,
    action: Action,
    body: ReasonBody,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let reason = body.check()?;
    visible_workflow(context, id, Some(admin.0)).await?;
    let position = act(context, admin, action, Subject::Workflow(id), reason).await?;
    Ok((StatusCode::NO_CONTENT, index_position(position)))
}

/// To a user, whatever their state. Admins do not do it to themselves: nobody could undo it.
async fn act_on_user(
    context: &ApiContext,
    admin: Admin,
    id: UserId,
    action: Action,
    body: ReasonBody,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let reason = body.check()?;
    if id == admin.0.user_id && action == Action::Suspend {
        return Err(ApiError::Conflict {
            code: "oneself",
            detail: "nobody can suspend themselves".to_owned(),
        });
    }
    let position = act(context, admin, action, Subject::User(id), reason).await?;
    Ok((StatusCode::NO_CONTENT, index_position(position)))
}

/// Feature a workflow
///
/// It carries `is_featured` from then on.
#[utoipa::path(
    post, path = "/v1/admin/workflows/{id}/feature", tag = "admin",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn feature_workflow(
    State(context): State<ApiContext>,
    admin: Admin,
    path: WorkflowPath,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_workflow(&context, admin, path, Action::Feature, body).await
}

/// Feature a workflow no longer
#[utoipa::path(
    post, path = "/v1/admin/workflows/{id}/unfeature", tag = "admin",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unfeature_workflow(
    State(context): State<ApiContext>,
    admin: Admin,
    path: WorkflowPath,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_workflow(&context, admin, path, Action::Unfeature, body).await
}

/// Take a workflow down
///
/// Only its author and admins see it then; its author sees the reason.
#[utoipa::path(
    post, path = "/v1/admin/workflows/{id}/take-down", tag = "admin",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn take_down_workflow(
    State(context): State<ApiContext>,
    admin: Admin,
    path: WorkflowPath,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_workflow(&context, admin, path, Action::TakeDown, body).await
}

/// Restore a workflow that was taken down
#[utoipa::path(
    post, path = "/v1/admin/workflows/{id}/restore", tag = "admin",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn restore_workflow(
    State(context): State<ApiContext>,
    admin: Admin,
    path: WorkflowPath,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_workflow(&context, admin, path, Action::Restore, body).await
}

/// Suspend a user
///
/// All that is theirs is hidden, their tokens end, and they cannot log in.
#[utoipa::path(
    post, path = "/v1/admin/users/{username}/suspend", tag = "admin",
    params(("username" = String, Path, description = "Handle")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`oneself`"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn suspend_user(
    State(context): State<ApiContext>,
    admin: Admin,
    AnyUser(user): AnyUser,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_user(&context, admin, user.id, Action::Suspend, body).await
}

/// Let a suspended user in again
///
/// Their tokens stay ended.
#[utoipa::path(
    post, path = "/v1/admin/users/{username}/unsuspend", tag = "admin",
    params(("username" = String, Path, description = "Handle")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unsuspend_user(
    State(context): State<ApiContext>,
    admin: Admin,
    AnyUser(user): AnyUser,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_user(&context, admin, user.id, Action::Unsuspend, body).await
}

/// Give a user the badge
///
/// It says that they are who they say they are.
#[utoipa::path(
    post, path = "/v1/admin/users/{username}/verify", tag = "admin",
    params(("username" = String, Path, description = "Handle")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn verify_user(
    State(context): State<ApiContext>,
    admin: Admin,
    AnyUser(user): AnyUser,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_user(&context, admin, user.id, Action::Verify, body).await
}

/// Take a user's badge
#[utoipa::path(
    post, path = "/v1/admin/users/{username}/unverify", tag = "admin",
    params(("username" = String, Path, description = "Handle")),
    request_body = ReasonBody,
    responses(
        (status = 204),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn unverify_user(
    State(context): State<ApiContext>,
    admin: Admin,
    AnyUser(user): AnyUser,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    act_on_user(&context, admin, user.id, Action::Unverify, body).await
}
