//! Every route of the OpenAPI document, called by everybody: nobody, another user, the owner and an admin.

use std::collections::BTreeSet;

use query_api::rights::{RIGHTS, Right, right_of};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, User, answer, reverb_rack};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Nobody,
    Other,
    Owner,
    Admin,
}

const ROLES: [Role; 4] = [Role::Nobody, Role::Other, Role::Owner, Role::Admin];

/// One operation of the document.
struct Operation {
    method: Method,
    path: String,
    /// Whether the document says that a token may be sent, and that none need be.
    takes_token: bool,
    needs_token: bool,
}

/// Every operation of the document.
fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else {
                continue;
            };
            let security = operation["security"].as_array();
            let takes_token = security.is_some_and(|ways| ways.iter().any(|way| !way["token"].is_null()));
            let without =
                security.is_none_or(|ways| ways.iter().any(|way| way.as_object().is_some_and(serde_json::Map::is_empty)));
            operations.push(Operation {
                method,
                path: path.clone(),
                takes_token,
                needs_token: !without,
            });
        }
    }
    operations
}

/// The path with the names of what is public by its nature: a facet, and the one index of other search engines' APIs, whose documents are
/// workflows.
fn with_names(path: &str) -> String {
    let names = [
        ("/v1/facets/{name}", "/v1/facets/genre"),
        ("{uid}", "workflows"),
        ("{index}", "workflows"),
        ("{facet}", "genre"),
        ("{object_id}", "{id}"),
    ];
    names
        .into_iter()
        .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// Whether a path names something that may be private.
fn is_about_something(path: &str) -> bool {
    with_names(path).contains('{')
}

/// Everybody who asks, and what they ask for.
struct Walk {
    app: TestApp,
    owner: User,
    other: User,
    admin: User,
}

impl Walk {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let (owner, other, admin) = (
            app.user("producer-001").await,
            app.user("producer-002").await,
            app.user("producer-003").await,
        );
        app.db
            .execute(&format!("UPDATE users SET is_admin = TRUE WHERE id = {}", admin.id))
            .await;
        Self {
            app,
            owner,
            other,
            admin,
        }
    }

    /// The path with things of the owner in its places. A new one each time, since the call may delete it.
    async fn path_to(&self, path: &str, is_public: bool, name: &str) -> String {
        if !path.contains('{') {
            return path.to_owned();
        }
        if path.contains("/{username}") {
            return path.replace("{username}", &self.somebody().await);
        }
        if path.starts_with("/v1/me/tokens/{id}") {
            return path.replace("{id}", &self.token_of(&self.owner).await.0.to_string());
        }
        if path.starts_with("/v1/collections/{id}") {
            return self.path_to_collection(path, is_public, name).await;
        }
        if path.contains("/{report}/{period}") {
            return self.path_to_report(path).await;
        }
        if !is_about_something(path) {
            return with_names(path);
        }
        let path = with_names(path);
        let is_document = ["/indexes/workflows/documents/{id}", "/1/indexes/workflows/{id}"].contains(&path.as_str());
        let is_comment = path.starts_with("/v1/comments/{id}");
        assert!(
            (is_comment || is_document || path.contains("/workflows/{id}")) && path.matches('{').count() == 1,
            "the walk does not know what `{path}` is about: teach `path_to` to make one that is public and one that is private"
        );
        let metadata = json!({ "title": name });
        let file = reverb_rack(name);
        let id = if is_public {
            self.app.published(&self.owner, file, metadata).await
        } else {
            let uploaded = self.app.upload(&self.owner, file, metadata).await;
            assert_eq!(uploaded.status, StatusCode::ACCEPTED, "{}", uploaded.body);
            self.app.run_jobs().await;
            uploaded.body["id"].as_u64().expect("an id")
        };
        if path.contains("/preview/") {
            self.give_previews(id).await;
        }
        let id = if is_comment { self.comment_on(id).await } else { id };
        path.replace("{id}", &id.to_string())
    }

    /// The path with a collection of the owner in it, which holds a workflow of theirs that everybody may see.
    async fn path_to_collection(&self, path: &str, is_public: bool, name: &str) -> String {
        let draft = json!({"name": name, "is_public": is_public});
        let made = self.app.send(&self.owner, Method::POST, "/v1/collections", Some(draft)).await;
        let path = path.replace("{id}", &made.body["id"].to_string());
        if !path.contains("{workflow_id}") {
            return path;
        }
        let workflow = self
            .app
            .published(&self.owner, reverb_rack(name), json!({ "title": name }))
            .await;
        path.replace("{workflow_id}", &workflow.to_string())
    }

    /// The path with a report in it that is there, and whose period is over.
    async fn path_to_report(&self, path: &str) -> String {
        self.app
            .db
            .execute(
                "INSERT INTO reports (report, period, zone, starts_at, ends_at, figures, shape)
                 VALUES ('daily', '2026-03-01', 'UTC', '2026-03-01', '2026-03-02', '{}', 1) ON DUPLICATE KEY UPDATE version = version",
            )
            .await;
        path.replace("{report}", "daily").replace("{period}", "2026-03-01")
    }

    /// A sound and a picture for a workflow of the owner.
    async fn give_previews(&self, workflow: u64) {
        for (which, bytes) in [("audio", &b"ID3-----"[..]), ("image", &b"\x89PNG\r\n\x1a\n-----"[..])] {
            let path = format!("/v1/workflows/{workflow}/preview/{which}");
            let put = self.app.request(Method::PUT, &path).bearer_auth(&self.owner.token);
            let put = answer(put.body(bytes)).await;
            assert_eq!(put.status, StatusCode::OK, "{}", put.body);
        }
    }

    /// A comment of the owner on their workflow.
    async fn comment_on(&self, workflow: u64) -> u64 {
        let path = format!("/v1/workflows/{workflow}/comments");
        let draft = json!({"content": "Mine"});
        let written = self.app.send(&self.owner, Method::POST, &path, Some(draft)).await;
        written.body["id"].as_u64().expect("an id")
    }

    /// Handle of a new user with a picture.
    async fn somebody(&self) -> String {
        let name = format!("somebody-{}", ulid::Ulid::generate().to_string().to_lowercase());
        let user = self.app.user(&name).await;
        let picture = self.app.request(Method::PUT, "/v1/me/avatar").bearer_auth(&user.token);
        let set = answer(picture.body(&b"\x89PNG\r\n\x1a\n-----"[..])).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
        name
    }

    /// Another token of somebody.
    async fn token_of(&self, user: &User) -> (u64, String) {
        let asked = Some(json!({ "name": "walk" }));
        let made = self.app.send(user, Method::POST, "/v1/me/tokens", asked).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        (
            made.body["id"].as_u64().expect("an id"),
            made.body["token"].as_str().expect("a token").to_owned(),
        )
    }

    /// Calls it without a body: who may call is decided before the body is read.
    async fn call(&self, role: Role, method: Method, path: &str) -> StatusCode {
        let request = self.app.request(method, path);
        let user = match role {
            Role::Nobody => return answer(request).await.status,
            Role::Other => &self.other,
            Role::Owner => &self.owner,
            Role::Admin => &self.admin,
        };
        // Logging out ends the token that it is called with.
        let request = if path == "/v1/sessions/current" {
            request.bearer_auth(self.token_of(user).await.1)
        } else {
            request.bearer_auth(&user.token)
        };
        request.send().await.expect("an answer").status()
    }
}

/// What an answer must be; `None` is whatever the route says to those who may call it.
fn expected(right: Right, role: Role, about_private: bool) -> Option<StatusCode> {
    let is_mine = matches!(role, Role::Owner | Role::Admin);
    match right {
        Right::Public if about_private && !is_mine => Some(StatusCode::NOT_FOUND),
        Right::Visible if about_private => Some(StatusCode::NOT_FOUND),
        Right::Public | Right::Visible => None,
        _ if role == Role::Nobody => Some(StatusCode::UNAUTHORIZED),
        Right::Own if role != Role::Owner => Some(StatusCode::NOT_FOUND),
        Right::Admin if role != Role::Admin => Some(StatusCode::FORBIDDEN),
        _ if about_private && !is_mine => Some(StatusCode::NOT_FOUND),
        Right::Owner if !is_mine => Some(StatusCode::FORBIDDEN),
        _ => None,
    }
}

#[tokio::test]
async fn every_route_answers_everybody_as_its_rule_says() {
    let walk = Walk::start().await;
    let operations = operations(&walk.app.get("/v1/openapi.json").await.body);
    let mut wrong = Vec::new();
    let mut calls = 0;
    for operation in &operations {
        let Some(right) = right_of(operation.method.as_str(), &operation.path) else {
            wrong.push(format!("{} {} has no rule", operation.method, operation.path));
            continue;
        };
        // Whoever has an account shows it.
        let has_private = is_about_something(&operation.path) && !operation.path.contains("{username}");
        let kinds: &[bool] = if has_private { &[true, false] } else { &[true] };
        for (&is_public, role) in kinds.iter().flat_map(|kind| ROLES.map(|role| (kind, role))) {
            let path = walk.path_to(&operation.path, is_public, &format!("Walk {calls}")).await;
            let status = walk.call(role, operation.method.clone(), &path).await;
            calls += 1;
            let is_right = match expected(right, role, !is_public) {
                Some(expected) => status == expected,
                None => {
                    !status.is_server_error()
                        && ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status)
                }
            };
            if !is_right {
                wrong.push(format!(
                    "{} {} ({right:?}, {}) answers {role:?} {status}",
                    operation.method,
                    operation.path,
                    if is_public { "public" } else { "private" }
                ));
            }
        }
    }
    // The report that the admin asked for.
    walk.app.run_jobs().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{} routes, {calls} calls", operations.len());
}

#[tokio::test]
async fn the_list_of_rights_and_the_document_name_the_same_routes() {
    let app = TestApp::start().await;
    let operations = operations(&app.get("/v1/openapi.json").await.body);
    let documented: BTreeSet<_> = operations
        .iter()
        .map(|operation| (operation.method.as_str(), operation.path.as_str()))
        .collect();
    let stated: BTreeSet<_> = RIGHTS.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(documented, stated);
    assert_eq!(stated.len(), RIGHTS.len(), "a route stands twice in the list");
    for operation in &operations {
        let right = right_of(operation.method.as_str(), &operation.path).expect("a rule");
        let is_public = matches!(right, Right::Public | Right::Visible);
        assert_eq!(
            operation.needs_token, !is_public,
            "{} {}: what the document says of tokens is not the rule",
            operation.method, operation.path
        );
        assert!(operation.takes_token || is_public);
    }
}
