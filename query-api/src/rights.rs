//! Who may call what: every route's rule, in one list.
//!
//! A handler's extractors (`SignedIn`, `OwnedWorkflow`, `Admin`) carry a rule out; this list says what was meant. `tests/rights.rs`
//! calls every route of the OpenAPI document as nobody, as another user, as the owner and as an admin, and fails where an answer
//! differs from the list, or where a route has no line in it.
//!
//! A thing that is not public is 404 to everybody but its owner and admins, whatever the route: that it exists is private too.

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Everybody, without a token. Where the route is about one thing: everybody who may see that thing.
    Public,
    /// Everybody, without a token, about a thing that everybody may see; any other is 404 to its owner and admins too, since the
    /// route answers from the index, which holds only what everybody may see.
    Visible,
    /// Whoever sends a valid token.
    SignedIn,
    /// Whoever sends a valid token, about a thing that is theirs: any other is 404, to admins too.
    Own,
    /// The owner of the thing that the path names, and admins.
    Owner,
    /// Admins.
    Admin,
}

use Right::{Admin, Own, Owner, Public, SignedIn, Visible};

/// Method, path as in the OpenAPI document, and who may call it; sorted by path.
pub const RIGHTS: &[(&str, &str, Right)] = &[
    ("POST", "/1/indexes/{index}/facets/{facet}/query", Public),
    ("POST", "/1/indexes/{index}/queries", Public),
    ("POST", "/1/indexes/{index}/query", Public),
    ("GET", "/1/indexes/{index}/{object_id}", Visible),
    ("GET", "/health", Public),
    ("GET", "/indexes", Public),
    ("GET", "/indexes/{uid}", Public),
    ("GET", "/indexes/{uid}/documents/{id}", Visible),
    ("POST", "/indexes/{uid}/facet-search", Public),
    ("GET", "/indexes/{uid}/search", Public),
    ("POST", "/indexes/{uid}/search", Public),
    ("POST", "/indexes/{uid}/similar", Public),
    ("GET", "/livez", Public),
    ("POST", "/multi-search", Public),
    ("GET", "/readyz", Public),
    ("GET", "/v1/activity", Public),
    ("GET", "/v1/admin/audit", Admin),
    ("GET", "/v1/admin/jobs", Admin),
    ("GET", "/v1/admin/metrics", Admin),
    ("GET", "/v1/admin/overview", Admin),
    ("GET", "/v1/admin/reports", Admin),
    ("GET", "/v1/admin/reports/{report}/{period}", Admin),
    ("POST", "/v1/admin/reports/{report}/{period}", Admin),
    ("POST", "/v1/admin/users/{username}/suspend", Admin),
    ("POST", "/v1/admin/users/{username}/unsuspend", Admin),
    ("POST", "/v1/admin/users/{username}/unverify", Admin),
    ("POST", "/v1/admin/users/{username}/verify", Admin),
    ("POST", "/v1/admin/workflows/{id}/feature", Admin),
    ("POST", "/v1/admin/workflows/{id}/restore", Admin),
    ("POST", "/v1/admin/workflows/{id}/take-down", Admin),
    ("POST", "/v1/admin/workflows/{id}/unfeature", Admin),
    ("POST", "/v1/collections", SignedIn),
    ("DELETE", "/v1/collections/{id}", Owner),
    ("GET", "/v1/collections/{id}", Public),
    ("PATCH", "/v1/collections/{id}", Owner),
    ("GET", "/v1/collections/{id}/workflows", Public),
    ("DELETE", "/v1/collections/{id}/workflows/{workflow_id}", Owner),
    ("PUT", "/v1/collections/{id}/workflows/{workflow_id}", Owner),
    ("DELETE", "/v1/comments/{id}", Owner),
    ("GET", "/v1/comments/{id}", Public),
    ("PATCH", "/v1/comments/{id}", Owner),
    ("DELETE", "/v1/comments/{id}/like", SignedIn),
    ("PUT", "/v1/comments/{id}/like", SignedIn),
    ("DELETE", "/v1/comments/{id}/pin", Owner),
    ("PUT", "/v1/comments/{id}/pin", Owner),
    ("GET", "/v1/comments/{id}/replies", Public),
    ("GET", "/v1/facets/{name}", Public),
    ("GET", "/v1/feed", SignedIn),
    ("GET", "/v1/feed/stream", SignedIn),
    ("DELETE", "/v1/me", SignedIn),
    ("GET", "/v1/me", SignedIn),
    ("PATCH", "/v1/me", SignedIn),
    ("DELETE", "/v1/me/avatar", SignedIn),
    ("PUT", "/v1/me/avatar", SignedIn),
    ("GET", "/v1/me/blocks", SignedIn),
    ("DELETE", "/v1/me/blocks/{username}", SignedIn),
    ("PUT", "/v1/me/blocks/{username}", SignedIn),
    ("GET", "/v1/me/collections", SignedIn),
    ("POST", "/v1/me/deactivate", SignedIn),
    ("GET", "/v1/me/likes", SignedIn),
    ("GET", "/v1/me/not-interested", SignedIn),
    ("PUT", "/v1/me/password", SignedIn),
    ("GET", "/v1/me/tokens", SignedIn),
    ("POST", "/v1/me/tokens", SignedIn),
    ("DELETE", "/v1/me/tokens/{id}", Own),
    ("POST", "/v1/me/tokens/{id}/rotate", Own),
    ("GET", "/v1/me/workflows", SignedIn),
    ("POST", "/v1/password-resets", Public),
    ("GET", "/v1/password-resets/confirm", Public),
    ("POST", "/v1/password-resets/confirm", Public),
    ("GET", "/v1/recommendations", SignedIn),
    ("POST", "/v1/registrations", Public),
    ("GET", "/v1/registrations/confirm", Public),
    ("POST", "/v1/registrations/confirm", Public),
    ("GET", "/v1/search", Public),
    ("POST", "/v1/search/events", Public),
    ("POST", "/v1/sessions", Public),
    ("DELETE", "/v1/sessions/current", SignedIn),
    ("GET", "/v1/suggest", Public),
    ("GET", "/v1/tags", Public),
    ("GET", "/v1/trending", Public),
    ("GET", "/v1/trending/creators", Public),
    ("GET", "/v1/users/{username}", Public),
    ("GET", "/v1/users/{username}/activity", Public),
    ("GET", "/v1/users/{username}/avatar", Public),
    ("GET", "/v1/users/{username}/collections", Public),
    ("DELETE", "/v1/users/{username}/follow", SignedIn),
    ("PUT", "/v1/users/{username}/follow", SignedIn),
    ("GET", "/v1/users/{username}/followers", Public),
    ("GET", "/v1/users/{username}/following", Public),
    ("POST", "/v1/workflows", SignedIn),
    ("DELETE", "/v1/workflows/{id}", Owner),
    ("GET", "/v1/workflows/{id}", Public),
    ("PATCH", "/v1/workflows/{id}", Owner),
    ("GET", "/v1/workflows/{id}/collections", Public),
    ("GET", "/v1/workflows/{id}/comments", Public),
    ("POST", "/v1/workflows/{id}/comments", SignedIn),
    ("GET", "/v1/workflows/{id}/file", Public),
    ("DELETE", "/v1/workflows/{id}/like", SignedIn),
    ("PUT", "/v1/workflows/{id}/like", SignedIn),
    ("GET", "/v1/workflows/{id}/likes", Public),
    ("DELETE", "/v1/workflows/{id}/not-interested", SignedIn),
    ("PUT", "/v1/workflows/{id}/not-interested", SignedIn),
    ("DELETE", "/v1/workflows/{id}/preview/audio", Owner),
    ("GET", "/v1/workflows/{id}/preview/audio", Public),
    ("PUT", "/v1/workflows/{id}/preview/audio", Owner),
    ("DELETE", "/v1/workflows/{id}/preview/image", Owner),
    ("GET", "/v1/workflows/{id}/preview/image", Public),
    ("PUT", "/v1/workflows/{id}/preview/image", Owner),
    ("POST", "/v1/workflows/{id}/publish", Owner),
    ("GET", "/v1/workflows/{id}/rack", Public),
    ("DELETE", "/v1/workflows/{id}/rating", SignedIn),
    ("PUT", "/v1/workflows/{id}/rating", SignedIn),
    ("GET", "/v1/workflows/{id}/ratings", Public),
    ("GET", "/v1/workflows/{id}/similar", Visible),
    ("GET", "/v1/workflows/{id}/stats", Owner),
    ("POST", "/v1/workflows/{id}/unpublish", Owner),
    ("POST", "/v1/workflows/{id}/views", Public),
    ("GET", "/version", Public),
];

/// The rule of a route; `None` when nobody has stated one.
pub fn right_of(method: &str, path: &str) -> Option<Right> {
    RIGHTS
        .iter()
        .find(|(its_method, its_path, _)| *its_method == method && *its_path == path)
        .map(|(_, _, right)| *right)
}
