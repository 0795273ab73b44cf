//! Tags of visible workflows.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use store::{TagId, tag};
use utoipa::{IntoParams, ToSchema};

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{Cursor, PageParams};

/// Which tags.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TagParams {
    /// Only tags that start so, in the order of the alphabet. Otherwise all, the most used first.
    prefix: Option<String>,
}

/// A tag, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Tag)]
pub(crate) struct TagBody {
    /// Its name.
    #[schema(example = "techno")]
    name: String,
    /// Workflows that carry it, unpublished ones included; a search with `facets` counts the visible ones.
    usage_count: i32,
}

/// A page of tags.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TagPage {
    /// The tags.
    items: Vec<TagBody>,
    /// `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// Where a page of the most used tags ended.
struct ByUse(i32, TagId);

impl Cursor for ByUse {
    fn read(text: &str) -> Option<Self> {
        let (count, id) = text.split_once('.')?;
        Some(Self(count.parse().ok()?, TagId(id.parse().ok()?)))
    }

    fn write(&self) -> String {
        format!("{}.{}", self.0, self.1)
    }
}

/// Where a page in the order of the alphabet ended.
struct ByName(String);

impl Cursor for ByName {
    fn read(text: &str) -> Option<Self> {
        String::from_utf8(hex::decode(text).ok()?).ok().map(Self)
    }

    fn write(&self) -> String {
        hex::encode(&self.0)
    }
}

/// List tags
///
/// Tags that some visible workflow carries.
#[utoipa::path(
    get, path = "/v1/tags", tag = "tags", params(TagParams, PageParams),
    responses((status = 200, body = TagPage), (status = 400, body = Problem), (status = 422, body = Problem)),
)]
pub(crate) async fn list_tags(
    State(context): State<ApiContext>,
    Query(params): Query<TagParams>,
    page: PageParams,
) -> Result<Json<TagPage>, ApiError> {
    let limit = page.limit();
    let prefix = params.prefix.as_deref().map(str::trim).filter(|prefix| !prefix.is_empty());
    let mut db = context.connection().await?;
    let (mut tags, write): (_, fn(&tag::Tag) -> String) = if let Some(prefix) = prefix {
        let after = page.after::<ByName>()?;
        let tags = tag::list_by_prefix(&mut db, prefix, after.as_ref().map(|name| name.0.as_str()), limit + 1).await?;
        (tags, |tag| ByName(tag.name.clone()).write())
    } else {
        let after = page.after::<ByUse>()?.map(|ByUse(count, id)| (count, id));
        let tags = tag::list_popular(&mut db, after, limit + 1).await?;
        (tags, |tag| ByUse(tag.usage_count, tag.id).write())
    };
    let has_more = tags.len() > limit as usize;
    tags.truncate(limit as usize);
    Ok(Json(TagPage {
        next: tags.last().filter(|_| has_more).map(write),
        items: tags
            .into_iter()
            .map(|tag| TagBody {
                name: tag.name,
                usage_count: tag.usage_count,
            })
            .collect(),
    }))
}
