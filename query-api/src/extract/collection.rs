//! Which collection: the id in the path, loaded where the policy needs it.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use store::collection::{self, Collection};
use store::{CollectionId, WorkflowId};

use super::{MaybeSignedIn, SignedIn};
use crate::context::ApiContext;
use crate::error::ApiError;

/// There is none, or it is none of your business: both look the same.
const NO_COLLECTION: ApiError = ApiError::NotFound("collection");

/// A collection that the viewer may see.
#[derive(Debug)]
pub(crate) struct VisibleCollection {
    /// The collection.
    pub(crate) collection: Collection,
    /// Who asks.
    pub(crate) viewer: Option<SignedIn>,
}

/// A collection that its owner, or an admin, asks to change.
#[derive(Debug)]
pub(crate) struct OwnedCollection(pub(crate) Collection);

/// The `{workflow_id}` of a path to an entry of a collection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryPath(pub(crate) WorkflowId);

/// An id in the path, in its one form: digits. `None` for anything else.
async fn id_in(parts: &mut Parts, context: &ApiContext, name: &str) -> Option<u64> {
    let Path(params) = Path::<HashMap<String, String>>::from_request_parts(parts, context)
        .await
        .ok()?;
    let id = params.get(name)?;
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    id.parse().ok().filter(|_| is_plain)
}

impl FromRequestParts<ApiContext> for EntryPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let id = id_in(parts, context, "workflow_id").await;
        id.map(|id| Self(WorkflowId(id))).ok_or(ApiError::NotFound("workflow"))
    }
}

impl FromRequestParts<ApiContext> for VisibleCollection {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let MaybeSignedIn(viewer) = MaybeSignedIn::from_request_parts(parts, context).await?;
        let id = id_in(parts, context, "id").await.ok_or(NO_COLLECTION)?;
        let mut db = context.connection().await?;
        let collection = collection::find(&mut db, CollectionId(id)).await?.ok_or(NO_COLLECTION)?;
        let is_insider = viewer.is_some_and(|viewer| viewer.is_admin || viewer.user_id == collection.user_id);
        if is_insider || (collection.is_public && collection.is_owner_active) {
            Ok(Self { collection, viewer })
        } else {
            Err(NO_COLLECTION)
        }
    }
}

impl FromRequestParts<ApiContext> for OwnedCollection {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, ApiError> {
        let user = SignedIn::from_request_parts(parts, context).await?;
        let VisibleCollection { collection, .. } = VisibleCollection::from_request_parts(parts, context).await?;
        if user.is_admin || collection.user_id == user.user_id {
            Ok(Self(collection))
        } else {
            Err(ApiError::Forbidden("only its owner may change a collection"))
        }
    }
}
