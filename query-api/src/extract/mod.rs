//! Extractors: a handler's signature is its policy. They authenticate, load and bound.

mod body;
mod collection;
mod comment;
mod page;
mod search_params;
mod signed_in;
mod user;
mod workflow;

pub(crate) use body::{JsonBody, read_json};
pub(crate) use collection::{EntryPath, OwnedCollection, VisibleCollection};
pub(crate) use comment::{HostedComment, ModeratedComment, OwnedComment, VisibleComment};
pub(crate) use page::{Cursor, PageParams};
pub(crate) use search_params::{FacetSearchParams, SearchParams};
pub use signed_in::{Admin, MaybeSignedIn, SignedIn};
pub(crate) use user::{AnyUser, UserPath, VisibleUser};
pub(crate) use workflow::{OwnedWorkflow, WorkflowPath, visible_workflow};
