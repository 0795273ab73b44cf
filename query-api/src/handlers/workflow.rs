//! One workflow: read, change, delete.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use store::WorkflowId;
use store::event::EventKind;
use store::workflow::{self, Difficulty, Edition, ParseState, PresetForm, RackKind, Workflow};
use utoipa::ToSchema;

use super::previews::{self, PreviewBody};
use super::workflow_metadata::WorkflowChanges;
use crate::change::{Change, change_workflow};
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{JsonBody, MaybeSignedIn, OwnedWorkflow, WorkflowPath, visible_workflow};
use crate::position::index_position;
use crate::visitor::{SessionParams, Visitor};

/// A workflow, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(crate) struct WorkflowBody {
    /// Its id.
    id: u64,
    /// Unique name for addresses; stays when the title changes.
    slug: String,
    /// Title.
    title: String,
    /// Description.
    description: Option<String>,
    /// Who made it.
    author: AuthorBody,
    /// What it is for: `audio_effect`, `instrument`, `midi_effect` or `drum`.
    #[schema(value_type = String, example = "instrument")]
    kind: RackKind,
    /// `rack` or `device`; null without a file.
    #[schema(value_type = Option<String>, example = "rack")]
    form: Option<PresetForm>,
    /// Genre.
    genre: Option<String>,
    /// Beats per minute, to the hundredth.
    bpm: Option<f64>,
    /// Key in its usual form; null where the author's word is no key.
    key: Option<String>,
    /// Key as the author wrote it.
    key_signature: Option<String>,
    /// `beginner`, `intermediate` or `advanced`.
    #[schema(value_type = String, example = "intermediate")]
    difficulty: Difficulty,
    /// Tags, by name.
    tags: Vec<String>,
    /// The file; null where there is none.
    file: Option<FileBody>,
    /// What became of the parse.
    parse: ParseBody,
    /// What it needs to open; null before the parse and without a file.
    requires: Option<RequiresBody>,
    /// What it sounds and looks like.
    preview: PreviewBody,
    /// Counters.
    counts: CountsBody,
    /// Mean of the ratings; null without any.
    average_rating: Option<f64>,
    /// Whether its author published it.
    is_published: bool,
    /// Whether everybody may see it now.
    is_visible: bool,
    /// Whether it was chosen by the staff.
    is_featured: bool,
    /// When it was, or will be, public.
    published_at: Option<DateTime<Utc>>,
    /// When an admin took it down, and why; only its author and admins see this.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_down: Option<TakenDownBody>,
    /// When it was made.
    created_at: Option<DateTime<Utc>>,
    /// When its author changed it last.
    updated_at: Option<DateTime<Utc>>,
}

/// An author, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Author)]
pub(crate) struct AuthorBody {
    /// Their id.
    pub(crate) id: u64,
    /// Their handle.
    pub(crate) username: String,
    /// Their name, if they gave one.
    pub(crate) display_name: Option<String>,
}

/// A workflow's file, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WorkflowFile)]
struct FileBody {
    /// Where to get it.
    url: String,
    /// SHA-256 of its bytes, in hexadecimal.
    sha256: String,
    /// Its size in bytes.
    size_bytes: Option<i32>,
    /// Version of Live that wrote it.
    live_version: Option<String>,
}

/// What became of a parse, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Parse)]
struct ParseBody {
    /// `pending`, `parsed`, `failed` (see `error`) or `no_file`.
    #[schema(value_type = String, example = "parsed")]
    state: ParseState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ParseErrorBody>,
    /// Where the parsed rack is to be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    rack_url: Option<String>,
    /// Version of the parser.
    parser_version: Option<u32>,
    /// When it was parsed.
    parsed_at: Option<DateTime<Utc>>,
}

/// Why a parse failed, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ParseFailure)]
struct ParseErrorBody {
    /// Stable name, for programs.
    #[schema(example = "truncated")]
    code: String,
    /// For people.
    message: String,
}

/// What a workflow needs to open, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Requires)]
struct RequiresBody {
    /// Least version of Live.
    live_version: Option<String>,
    /// Least edition of Live: `intro`, `standard`, `suite`, or `unknown` when some device in it is not known well enough to promise.
    #[schema(value_type = Option<String>, example = "suite")]
    live_edition: Option<Edition>,
    /// What forces them.
    forced_by: Value,
}

/// Counters, as sent.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Counts)]
struct CountsBody {
    /// Downloads.
    downloads: i32,
    /// Likes.
    likes: i32,
    /// Comments.
    comments: i32,
    /// Ratings.
    ratings: i32,
}

/// A take-down, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TakenDown)]
struct TakenDownBody {
    /// When.
    at: DateTime<Utc>,
    /// Why.
    reason: Option<String>,
}

impl WorkflowBody {
    /// The form in which its author, an admin or (`is_insider` false) anybody gets it.
    pub(crate) fn new(workflow: Workflow, is_insider: bool) -> Self {
        let is_parsed = workflow.parse_state == ParseState::Parsed;
        let preview = PreviewBody::of(&workflow);
        let path = path_of(workflow.id);
        Self {
            id: workflow.id.0,
            slug: workflow.slug,
            title: workflow.title,
            description: workflow.description,
            author: AuthorBody {
                id: workflow.author.id.0,
                username: workflow.author.username,
                display_name: workflow.author.display_name,
            },
            kind: workflow.kind,
            form: workflow.form,
            genre: workflow.genre,
            bpm: workflow.bpm,
            key: workflow.musical_key,
            key_signature: workflow.key_signature,
            difficulty: workflow.difficulty,
            tags: workflow.tags,
            file: workflow.file_hash.map(|hash| FileBody {
                url: format!("{path}/file"),
                sha256: hash.to_string(),
                size_bytes: workflow.file_size,
                live_version: workflow.ableton_version,
            }),
            parse: ParseBody {
                state: workflow.parse_state,
                error: workflow.parse_error_code.map(|code| ParseErrorBody {
                    code,
                    message: workflow.parse_error.unwrap_or_default(),
                }),
                rack_url: is_parsed.then(|| format!("{path}/rack")),
                parser_version: workflow.parser_version,
                parsed_at: workflow.parsed_at,
            },
            requires: is_parsed.then(|| RequiresBody {
                live_version: workflow.required_live_version,
                live_edition: workflow.required_edition,
                forced_by: workflow.requirements.unwrap_or_default(),
            }),
            preview,
            counts: CountsBody {
                downloads: workflow.downloads,
                likes: workflow.likes,
                comments: workflow.comments,
                ratings: workflow.ratings,
            },
            average_rating: (workflow.ratings > 0).then_some(workflow.average_rating),
            is_published: workflow.is_published,
            is_visible: workflow.is_visible,
            is_featured: workflow.is_featured,
            published_at: workflow.published_at,
            taken_down: workflow.taken_down_at.filter(|_| is_insider).map(|at| TakenDownBody {
                at,
                reason: workflow.taken_down_reason,
            }),
            created_at: workflow.created_at,
            updated_at: workflow.updated_at,
        }
    }
}

/// Where a workflow is.
pub(crate) fn path_of(id: WorkflowId) -> String {
    format!("/v1/workflows/{id}")
}

/// Get a workflow
///
/// Its author and admins see it whatever its state; others when it is visible.
#[utoipa::path(
    get, path = "/v1/workflows/{id}", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow"), SessionParams),
    responses(
        (status = 200, body = WorkflowBody),
        (status = 400, body = Problem), (status = 422, body = Problem),
        (status = 401, body = Problem, description = "The token is not valid"),
        (status = 404, body = Problem, description = "There is none, or it is private"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn get_workflow(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    visitor: Visitor,
) -> Result<Json<WorkflowBody>, ApiError> {
    let workflow = visible_workflow(&context, id, viewer).await?;
    if context.settings.events.view_on_read && !visitor.is_bot {
        let user = viewer.map(|viewer| viewer.user_id);
        let view = visitor.event(EventKind::View, id, workflow.author.id, user);
        // Beside the answer, which says nothing of it and need not wait.
        tokio::spawn(async move {
            if let Err(error) = context.events.record(view).await {
                tracing::warn!(%error, "a view was not recorded");
            }
        });
    }
    let is_insider = viewer.is_some_and(|viewer| viewer.is_admin || viewer.user_id == workflow.author.id);
    Ok(Json(WorkflowBody::new(workflow, is_insider)))
}

/// Change a workflow
///
/// Changes what its author says about it. An absent field stays as it is, `null` empties it. The header `index-position` of the answer
/// is for `wait_for` of a search that must show the change.
#[utoipa::path(
    patch, path = "/v1/workflows/{id}", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body = WorkflowChanges,
    responses(
        (status = 200, body = WorkflowBody),
        (status = 400, body = Problem, description = "The body is not JSON of that form"),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 422, body = Problem, description = "Fields are refused; `errors` names each"),
    ),
    security(("token" = []))
)]
pub(crate) async fn update_workflow(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
    JsonBody(changes): JsonBody<WorkflowChanges>,
) -> Result<Response, ApiError> {
    let (details, tags) = changes.check()?;
    change_and_show(&context, workflow.id, Change::Details(details, tags)).await
}

/// Delete a workflow
///
/// With all that hangs on it: tags, likes, comments, ratings, its place in collections.
#[utoipa::path(
    delete, path = "/v1/workflows/{id}", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn delete_workflow(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    let position = change_workflow(&context, workflow.id, Change::Delete).await?;
    previews::delete_files(&context, &workflow).await?;
    Ok((StatusCode::NO_CONTENT, index_position(position)))
}

/// Makes a change, and answers with the workflow as it is then.
pub(crate) async fn change_and_show(context: &ApiContext, id: WorkflowId, change: Change) -> Result<Response, ApiError> {
    let position = change_workflow(context, id, change).await?;
    let mut db = context.connection().await?;
    let workflow = workflow::find(&mut db, id).await?.ok_or(ApiError::NotFound("workflow"))?;
    Ok((index_position(position), Json(WorkflowBody::new(workflow, true))).into_response())
}
