//! Workflows as a collection: uploads, and an author's own list.

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use chrono::{DateTime, Utc};
use ingest::upload::{self, Received, Receiving};
use serde::Serialize;
use store::WorkflowId;
use store::queue::{JobPayload, ParseRack};
use store::workflow::{self, ParseState, RackKind};
use utoipa::ToSchema;

use super::workflow::{WorkflowBody, path_of};
use super::workflow_metadata::WorkflowMetadata;
use crate::context::ApiContext;
use crate::detached::detached;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{Cursor, PageParams, SignedIn, read_json};
use crate::position::index_position;

/// The form of an upload, for its description only: it is read piece by piece.
#[derive(Debug, ToSchema)]
#[schema(as = Upload)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub(crate) struct UploadForm {
    /// What the author says about it, as JSON.
    metadata: Option<WorkflowMetadata>,
    /// The `.adg` or `.adv` file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// An upload that is all there.
struct Upload {
    metadata: WorkflowMetadata,
    file: Received,
    file_name: Option<String>,
}

/// Upload a rack
///
/// A form with the parts `file` (an `.adg` rack or `.adv` device preset) and `metadata` (JSON), in either order. What is no rack is
/// refused and nothing is stored. Otherwise the answer is 202 with the workflow's `Location`: it survives any crash and is parsed soon;
/// `parse.state` tells. The same bytes sent again by the same user are the same workflow, answered 200 as it is.
#[utoipa::path(
    post, path = "/v1/workflows", tag = "workflows",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 202, body = WorkflowBody, headers(("location" = String), ("index-position" = u64))),
        (status = 200, body = WorkflowBody, description = "You uploaded these bytes before"),
        (status = 400, body = Problem, description = "The form cannot be read"),
        (status = 401, body = Problem),
        (status = 413, body = Problem),
        (status = 415, body = Problem),
        (status = 422, body = Problem, description = "The file is no rack: `code` says what it is; or fields are refused: `errors` names each"),
        (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn create_workflow(
    State(context): State<ApiContext>,
    user: SignedIn,
    request: Request,
) -> Result<(StatusCode, HeaderMap, Json<WorkflowBody>), ApiError> {
    let upload = read_upload(&context, request).await?;
    let (details, tags) = upload.metadata.check(upload.file_name.as_deref())?;
    let (accepted, workflow) = detached(async move {
        let accepted = upload::accept(&context.db, &context.files, user.user_id, &upload.file, &details, &tags).await?;
        context.wake.notify(ParseRack::QUEUE);
        let mut db = context.connection().await?;
        let workflow = workflow::find(&mut db, accepted.workflow_id).await?;
        Ok((accepted, workflow.ok_or(ApiError::NotFound("workflow"))?))
    })
    .await?;
    let mut headers = index_position(accepted.position);
    let location = HeaderValue::from_str(&path_of(workflow.id)).map_err(ApiError::internal)?;
    headers.insert(header::LOCATION, location);
    let status = if accepted.is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, headers, Json(WorkflowBody::new(workflow, true))))
}

/// Reads the form's parts as they come.
async fn read_upload(context: &ApiContext, request: Request) -> Result<Upload, ApiError> {
    let mut form = Multipart::from_request(request, context).await.map_err(|error| match error {
        MultipartRejection::InvalidBoundary(_) => ApiError::UnsupportedMediaType("multipart/form-data"),
        other => bad_form(other.body_text()),
    })?;
    let mut memory = context.upload_memory();
    let (mut metadata, mut file, mut file_name) = (None, None, None);
    while let Some(mut field) = form.next_field().await.map_err(|error| broken_form(&error, context))? {
        match field.name() {
            Some("metadata") if metadata.is_none() => metadata = Some(read_metadata(context, field).await?),
            Some("file") if file.is_none() => {
                file_name = field.file_name().map(ToOwned::to_owned);
                let mut receiving = Receiving::new(context.settings.http.max_upload_bytes);
                while let Some(piece) = next_piece(&mut field, context).await? {
                    memory.grow(piece.len())?;
                    receiving.push(&piece)?;
                }
                file = Some(receiving.finish()?);
            }
            Some(name @ ("metadata" | "file")) => return Err(bad_form(format!("the part `{name}` comes twice"))),
            _ => return Err(bad_form("a part is neither `metadata` nor `file`".to_owned())),
        }
    }
    Ok(Upload {
        metadata: metadata.unwrap_or_default(),
        file: file.ok_or_else(|| ApiError::Invalid(vec![FieldError::new("file", "is missing")]))?,
        file_name,
    })
}

async fn read_metadata(context: &ApiContext, mut field: Field<'_>) -> Result<WorkflowMetadata, ApiError> {
    let limit = context.settings.http.max_body_bytes;
    let mut json = Vec::new();
    while let Some(piece) = next_piece(&mut field, context).await? {
        if json.len() + piece.len() > limit {
            return Err(ApiError::TooLarge {
                what: "metadata",
                limit: limit as u64,
            });
        }
        json.extend_from_slice(&piece);
    }
    read_json(&json)
}

async fn next_piece(field: &mut Field<'_>, context: &ApiContext) -> Result<Option<Bytes>, ApiError> {
    field.chunk().await.map_err(|error| broken_form(&error, context))
}

fn broken_form(error: &MultipartError, context: &ApiContext) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::TooLarge {
            what: "file",
            limit: context.settings.http.max_upload_bytes,
        };
    }
    bad_form(error.body_text())
}

fn bad_form(detail: String) -> ApiError {
    ApiError::BadRequest {
        code: "bad_form",
        detail,
    }
}

/// One line of an author's own list, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OwnWorkflow)]
pub(crate) struct OwnWorkflowBody {
    /// Its id.
    id: u64,
    /// Title.
    title: String,
    /// Unique name for addresses.
    slug: String,
    /// What it is for.
    #[schema(value_type = String, example = "instrument")]
    kind: RackKind,
    /// `pending`, `parsed`, `failed` or `no_file`.
    #[schema(value_type = String, example = "parsed")]
    parse_state: ParseState,
    /// Whether it is published.
    is_published: bool,
    /// When it was made.
    created_at: Option<DateTime<Utc>>,
}

/// A page of an author's own workflows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct OwnWorkflowPage {
    /// The workflows, newest first.
    items: Vec<OwnWorkflowBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

impl Cursor for WorkflowId {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// List your own workflows
///
/// Published or not, newest first.
#[utoipa::path(
    get, path = "/v1/me/workflows", tag = "workflows", params(PageParams),
    responses((status = 200, body = OwnWorkflowPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 422, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_own_workflows(
    State(context): State<ApiContext>,
    user: SignedIn,
    page: PageParams,
) -> Result<Json<OwnWorkflowPage>, ApiError> {
    let limit = page.limit();
    let before = page.after::<WorkflowId>()?;
    let mut db = context.connection().await?;
    let mut workflows = workflow::list_own(&mut db, user.user_id, before, limit + 1).await?;
    let has_more = workflows.len() > limit as usize;
    workflows.truncate(limit as usize);
    Ok(Json(OwnWorkflowPage {
        next: workflows.last().filter(|_| has_more).map(|workflow| workflow.id.write()),
        items: workflows
            .into_iter()
            .map(|workflow| OwnWorkflowBody {
                id: workflow.id.0,
                title: workflow.title,
                slug: workflow.slug,
                kind: workflow.kind,
                parse_state: workflow.parse_state,
                is_published: workflow.is_published,
                created_at: workflow.created_at,
            })
            .collect(),
    }))
}
