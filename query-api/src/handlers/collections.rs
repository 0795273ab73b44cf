//! Collections: ordered lists of workflows that somebody keeps, for everybody or for themselves.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use store::collection::{self, Collection, CollectionChanges, Entry, Place, Placed};
use store::media::{MediaKind, MediaPath};
use store::workflow::{self, Preview, RackKind};
use store::{CollectionId, Conn, UserId, WorkflowId};
use utoipa::{IntoParams, ToSchema};

use super::previews::url_of;
use super::workflow::AuthorBody;
use crate::context::ApiContext;
use crate::error::{ApiError, FieldError, Problem};
use crate::extract::{
    Cursor, EntryPath, JsonBody, MaybeSignedIn, OwnedCollection, PageParams, SignedIn, UserPath, VisibleCollection, WorkflowPath,
    visible_workflow,
};
use crate::text;
use crate::transaction::{Refused, in_transaction};

/// Longest name, as the column has it.
const MAX_NAME_CHARS: usize = 255;

/// Racks whose pictures stand for a collection.
const COVERS: u32 = 4;

/// A collection, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Collection)]
pub(crate) struct CollectionBody {
    /// Its id.
    id: u64,
    /// What it is called.
    name: String,
    /// What it is for: plain text.
    description: Option<String>,
    /// Whose.
    owner: AuthorBody,
    /// Whether everybody may see it.
    is_public: bool,
    /// Workflows in it, those that not everybody may see included.
    workflows: i32,
    /// Its first racks, to make a picture of.
    covers: Vec<CoverBody>,
    /// When it was made.
    created_at: Option<DateTime<Utc>>,
    /// When its name, description or visibility was changed last.
    updated_at: Option<DateTime<Utc>>,
}

/// A rack that stands for a collection, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Cover)]
pub(crate) struct CoverBody {
    /// Its id.
    workflow_id: u64,
    /// Its title.
    title: String,
    /// Its preview picture; null where its author sent none.
    image_url: Option<String>,
}

/// A page of collections.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CollectionPage {
    /// Collections, the latest first.
    items: Vec<CollectionBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A workflow in a collection, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CollectionEntry)]
pub(crate) struct EntryBody {
    /// Its id.
    id: u64,
    /// Its unique name.
    slug: String,
    /// Its title.
    title: String,
    /// What it is for.
    #[schema(value_type = String, example = "instrument")]
    kind: RackKind,
    /// Who made it.
    author: AuthorBody,
    /// When it was added.
    added_at: Option<DateTime<Utc>>,
}

/// A page of a collection.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EntryPage {
    /// Workflows that you may see, in the collection's order.
    items: Vec<EntryBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A collection to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CollectionDraft {
    /// What it is called.
    #[schema(max_length = 255, example = "Dub chords")]
    name: String,
    /// What it is for.
    description: Option<String>,
    /// Whether everybody may see it; true when absent.
    is_public: Option<bool>,
}

/// What its owner changes. An absent field stays as it is; `null` empties the description.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CollectionChange {
    /// What it is called.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// What it is for.
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    /// Whether everybody may see it.
    is_public: Option<bool>,
}

/// Tells a field that is `null` from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Where a workflow goes.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlaceParams {
    /// `start` or `end`. Without, a new entry goes to the end and one that is there stays.
    at: Option<String>,
    /// The workflow of the collection that it goes before.
    before: Option<u64>,
}

impl PlaceParams {
    fn read(&self) -> Result<Place, ApiError> {
        match (self.at.as_deref(), self.before) {
            (None, None) => Ok(Place::AsItIs),
            (None, Some(id)) => Ok(Place::Before(WorkflowId(id))),
            (Some("start"), None) => Ok(Place::Start),
            (Some("end"), None) => Ok(Place::End),
            (Some(_), Some(_)) => Err(refused("before", "excludes `at`")),
            (Some(_), None) => Err(refused("at", "must be `start` or `end`")),
        }
    }
}

fn refused(field: &str, message: &str) -> ApiError {
    ApiError::Invalid(vec![FieldError::new(field, message)])
}

/// Where a page of a collection ended: an entry's number and id.
struct AfterEntry(i32, u64);

impl Cursor for AfterEntry {
    fn read(text: &str) -> Option<Self> {
        let (order, id) = text.split_once('.')?;
        Some(Self(order.parse().ok()?, id.parse().ok()?))
    }

    fn write(&self) -> String {
        format!("{}.{}", self.0, self.1)
    }
}

impl Cursor for CollectionId {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// A collection as it is sent to a viewer.
async fn body(db: &mut Conn, collection: Collection, viewer: Option<UserId>) -> Result<CollectionBody, ApiError> {
    let covers = collection::list_entries(db, collection.id, viewer, None, COVERS).await?;
    Ok(CollectionBody {
        id: collection.id.0,
        name: collection.name,
        description: collection.description,
        owner: AuthorBody {
            id: collection.user_id.0,
            username: collection.username,
            display_name: collection.display_name,
        },
        is_public: collection.is_public,
        workflows: collection.workflows,
        covers: covers
            .into_iter()
            .map(|entry| CoverBody {
                workflow_id: entry.workflow_id.0,
                image_url: image_of(&entry),
                title: entry.title,
            })
            .collect(),
        created_at: collection.created_at,
        updated_at: collection.updated_at,
    })
}

async fn page(
    db: &mut Conn,
    mut collections: Vec<Collection>,
    viewer: Option<UserId>,
    limit: u32,
) -> Result<Json<CollectionPage>, ApiError> {
    let has_more = collections.len() > limit as usize;
    collections.truncate(limit as usize);
    let next = collections.last().filter(|_| has_more).map(|last| last.id.write());
    let mut items = Vec::with_capacity(collections.len());
    for collection in collections {
        items.push(body(db, collection, viewer).await?);
    }
    Ok(Json(CollectionPage { items, next }))
}

/// Address of a rack's preview picture; `None` where there is none, or another program wrote a path of its own.
fn image_of(entry: &Entry) -> Option<String> {
    let path = entry.preview_image_path.as_deref()?;
    MediaPath::parse(path, MediaKind::PreviewImage, entry.workflow_id.0)?;
    Some(url_of(entry.workflow_id, Preview::Image))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    text::check("name", name, MAX_NAME_CHARS)?;
    if name.contains(['\n', '\r']) {
        return Err(refused("name", "must be one line"));
    }
    Ok(())
}

fn check_description(description: Option<&str>, max_chars: usize) -> Result<(), ApiError> {
    description.map_or(Ok(()), |text| text::check("description", text, max_chars))
}

/// Make a collection
#[utoipa::path(
    post, path = "/v1/collections", tag = "collections",
    request_body = CollectionDraft,
    responses(
        (status = 201, body = CollectionBody, headers(("location" = String))),
        (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 409, body = Problem, description = "`too_many_collections`"),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn create_collection(
    State(context): State<ApiContext>,
    me: SignedIn,
    JsonBody(draft): JsonBody<CollectionDraft>,
) -> Result<(StatusCode, HeaderMap, Json<CollectionBody>), ApiError> {
    let community = &context.settings.community;
    check_name(&draft.name)?;
    check_description(draft.description.as_deref(), community.comment_max_chars)?;
    let most = i64::from(community.max_collections);
    let id = in_transaction(&context, move |tx| {
        let draft = draft.clone();
        Box::pin(async move {
            if collection::count_of(tx, me.user_id).await? >= most {
                return Err(Refused::Api(ApiError::Conflict {
                    code: "too_many_collections",
                    detail: format!("nobody has more than {most} collections"),
                }));
            }
            let is_public = draft.is_public.unwrap_or(true);
            Ok(collection::create(tx, me.user_id, &draft.name, draft.description.as_deref(), is_public).await?)
        })
    })
    .await?;
    let location = HeaderValue::from_str(&format!("/v1/collections/{id}")).map_err(ApiError::internal)?;
    let body = show(&context, id, me.user_id).await?;
    Ok((
        StatusCode::CREATED,
        HeaderMap::from_iter([(header::LOCATION, location)]),
        body,
    ))
}

/// Loads a collection as it is after a write.
async fn show(context: &ApiContext, id: CollectionId, viewer: UserId) -> Result<Json<CollectionBody>, ApiError> {
    let mut db = context.connection().await?;
    let collection = collection::find(&mut db, id).await?.ok_or(ApiError::NotFound("collection"))?;
    Ok(Json(body(&mut db, collection, Some(viewer)).await?))
}

/// Get a collection
#[utoipa::path(
    get, path = "/v1/collections/{id}", tag = "collections",
    params(("id" = u64, Path, description = "Id of the collection")),
    responses((status = 200, body = CollectionBody), (status = 401, body = Problem), (status = 404, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn get_collection(
    State(context): State<ApiContext>,
    VisibleCollection { collection, viewer }: VisibleCollection,
) -> Result<Json<CollectionBody>, ApiError> {
    let mut db = context.connection().await?;
    let viewer = viewer.map(|viewer| viewer.user_id);
    Ok(Json(body(&mut db, collection, viewer).await?))
}

/// Change a collection
#[utoipa::path(
    patch, path = "/v1/collections/{id}", tag = "collections",
    params(("id" = u64, Path, description = "Id of the collection")),
    request_body = CollectionChange,
    responses(
        (status = 200, body = CollectionBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 415, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn update_collection(
    State(context): State<ApiContext>,
    OwnedCollection(owned): OwnedCollection,
    JsonBody(change): JsonBody<CollectionChange>,
) -> Result<Json<CollectionBody>, ApiError> {
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    let description = change.description.as_ref().and_then(Option::as_deref);
    check_description(description, context.settings.community.comment_max_chars)?;
    let changes = CollectionChanges {
        name: change.name,
        description: change.description,
        is_public: change.is_public,
    };
    in_transaction(&context, move |tx| {
        let changes = changes.clone();
        Box::pin(async move { Ok(collection::change(tx, owned.id, &changes).await?) })
    })
    .await?;
    show(&context, owned.id, owned.user_id).await
}

/// Delete a collection
///
/// The workflows in it stay.
#[utoipa::path(
    delete, path = "/v1/collections/{id}", tag = "collections",
    params(("id" = u64, Path, description = "Id of the collection")),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn delete_collection(
    State(context): State<ApiContext>,
    OwnedCollection(owned): OwnedCollection,
) -> Result<StatusCode, ApiError> {
    in_transaction(&context, move |tx| {
        Box::pin(async move { Ok(collection::delete(tx, owned.id).await?) })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a collection's workflows
///
/// In its order; those that you may not see are left out.
#[utoipa::path(
    get, path = "/v1/collections/{id}/workflows", tag = "collections",
    params(("id" = u64, Path, description = "Id of the collection"), PageParams),
    responses((status = 200, body = EntryPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_collection_workflows(
    State(context): State<ApiContext>,
    VisibleCollection { collection, viewer }: VisibleCollection,
    params: PageParams,
) -> Result<Json<EntryPage>, ApiError> {
    let limit = params.limit();
    let after = params.after::<AfterEntry>()?.map(|AfterEntry(order, id)| (order, id));
    let viewer = viewer.map(|viewer| viewer.user_id);
    let mut db = context.connection().await?;
    let mut entries = collection::list_entries(&mut db, collection.id, viewer, after, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    Ok(Json(EntryPage {
        next: entries
            .last()
            .filter(|_| has_more)
            .map(|last| AfterEntry(last.sort_order, last.id).write()),
        items: entries.into_iter().map(EntryBody::from).collect(),
    }))
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.workflow_id.0,
            slug: entry.slug,
            title: entry.title,
            kind: entry.kind.unwrap_or(entry.rack_type.into()),
            author: AuthorBody {
                id: entry.author_id.0,
                username: entry.username,
                display_name: entry.display_name,
            },
            added_at: entry.added_at,
        }
    }
}

/// Put a workflow into a collection
///
/// Or move it to another place in it. Doing it again changes nothing.
#[utoipa::path(
    put, path = "/v1/collections/{id}/workflows/{workflow_id}", tag = "collections",
    params(("id" = u64, Path, description = "Id of the collection"), ("workflow_id" = u64, Path, description = "Id of the workflow"),
           PlaceParams),
    responses(
        (status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem, description = "There is no such collection or workflow, or it is private"),
        (status = 409, body = Problem, description = "`collection_full`"),
        (status = 422, body = Problem), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn put_collection_workflow(
    State(context): State<ApiContext>,
    OwnedCollection(owned): OwnedCollection,
    me: SignedIn,
    EntryPath(workflow): EntryPath,
    Query(params): Query<PlaceParams>,
) -> Result<StatusCode, ApiError> {
    let place = params.read()?;
    visible_workflow(&context, workflow, Some(me)).await?;
    let most = context.settings.community.max_collection_workflows;
    let placed = in_transaction(&context, move |tx| {
        Box::pin(async move {
            if !workflow::lock(tx, workflow).await? {
                return Err(Refused::Api(ApiError::NotFound("workflow")));
            }
            if !collection::lock(tx, owned.id).await? {
                return Err(Refused::Api(ApiError::NotFound("collection")));
            }
            Ok(collection::place(tx, owned.id, workflow, place, most).await?)
        })
    })
    .await?;
    match placed {
        Placed::Added | Placed::Moved => Ok(StatusCode::NO_CONTENT),
        Placed::Full => Err(ApiError::Conflict {
            code: "collection_full",
            detail: format!("no collection has more than {most} workflows"),
        }),
        Placed::NoSuchNeighbour => Err(refused("before", "is not in the collection")),
    }
}

/// Take a workflow out of a collection
///
/// What is not in it stays so.
#[utoipa::path(
    delete, path = "/v1/collections/{id}/workflows/{workflow_id}", tag = "collections",
    params(("id" = u64, Path, description = "Id of the collection"), ("workflow_id" = u64, Path, description = "Id of the workflow")),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
              (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn delete_collection_workflow(
    State(context): State<ApiContext>,
    OwnedCollection(owned): OwnedCollection,
    EntryPath(workflow): EntryPath,
) -> Result<StatusCode, ApiError> {
    in_transaction(&context, move |tx| {
        Box::pin(async move {
            // One that was hidden or is gone may be taken out all the same.
            workflow::lock(tx, workflow).await?;
            collection::lock(tx, owned.id).await?;
            Ok(collection::take_out(tx, owned.id, workflow).await?)
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List your collections
///
/// Public and private, the latest first.
#[utoipa::path(
    get, path = "/v1/me/collections", tag = "collections", params(PageParams),
    responses((status = 200, body = CollectionPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 422, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn list_own_collections(
    State(context): State<ApiContext>,
    me: SignedIn,
    params: PageParams,
) -> Result<Json<CollectionPage>, ApiError> {
    let before = params.after::<CollectionId>()?;
    let mut db = context.connection().await?;
    let collections = collection::list_of_user(&mut db, me.user_id, false, before, params.limit() + 1).await?;
    page(&mut db, collections, Some(me.user_id), params.limit()).await
}

/// List somebody's public collections
///
/// The latest first.
#[utoipa::path(
    get, path = "/v1/users/{username}/collections", tag = "collections",
    params(("username" = String, Path, description = "Handle of the user"), PageParams),
    responses((status = 200, body = CollectionPage), (status = 400, body = Problem), (status = 404, body = Problem),
              (status = 422, body = Problem)),
)]
pub(crate) async fn list_user_collections(
    State(context): State<ApiContext>,
    UserPath(user): UserPath,
    params: PageParams,
) -> Result<Json<CollectionPage>, ApiError> {
    let before = params.after::<CollectionId>()?;
    let mut db = context.connection().await?;
    let collections = collection::list_of_user(&mut db, user, true, before, params.limit() + 1).await?;
    page(&mut db, collections, None, params.limit()).await
}

/// List public collections that hold a workflow
///
/// The latest first.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/collections", tag = "collections",
    params(("id" = u64, Path, description = "Id of the workflow"), PageParams),
    responses((status = 200, body = CollectionPage), (status = 400, body = Problem), (status = 401, body = Problem),
              (status = 404, body = Problem), (status = 422, body = Problem)),
    security((), ("token" = []))
)]
pub(crate) async fn list_collections_with_workflow(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    params: PageParams,
) -> Result<Json<CollectionPage>, ApiError> {
    let before = params.after::<CollectionId>()?;
    visible_workflow(&context, id, viewer).await?;
    let mut db = context.connection().await?;
    let collections = collection::list_with_workflow(&mut db, id, before, params.limit() + 1).await?;
    page(&mut db, collections, viewer.map(|viewer| viewer.user_id), params.limit()).await
}
