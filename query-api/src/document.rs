//! What the OpenAPI document says of all routes alike, so that no handler need repeat it.

use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required};

use crate::error::PROBLEM_JSON;
use crate::idempotency::{MAX_KEY_CHARS, SECRET_ROUTES};

/// Answers of every route: too much was asked for, or too much is going on.
const OF_ALL: &[(&str, &str)] = &[
    (
        "429",
        "More was asked for than is allowed; `Retry-After` says when to try again",
    ),
    (
        "503",
        "Something that the answer needs is down or busy; `Retry-After` says when to try again",
    ),
];

/// Answers of every route that takes an `Idempotency-Key`.
const OF_KEYS: &[(&str, &str)] = &[
    ("400", "The request cannot be read"),
    (
        "409",
        "`request_running`: another request with this `Idempotency-Key` is still worked on",
    ),
    (
        "422",
        "`idempotency_key_reused`: this `Idempotency-Key` was sent with another request",
    ),
];

/// Adds to each route what is true of all.
pub(crate) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if !path.starts_with("/v1/") {
            item.get.iter_mut().for_each(name_problems);
            continue;
        }
        if let Some(post) = item
            .post
            .as_mut()
            .filter(|post| needs_token(post) && !SECRET_ROUTES.contains(&path.as_str()))
        {
            post.parameters.get_or_insert_default().push(RefOr::T(key_parameter()));
            add_answers(post, OF_KEYS);
        }
        let methods = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in methods.into_iter().flatten() {
            add_answers(operation, OF_ALL);
            name_problems(operation);
        }
    }
}

fn needs_token(operation: &Operation) -> bool {
    operation.security.as_ref().is_some_and(|ways| !ways.is_empty())
}

fn add_answers(operation: &mut Operation, answers: &[(&str, &str)]) {
    for (status, description) in answers {
        let responses = &mut operation.responses.responses;
        responses
            .entry((*status).to_owned())
            .or_insert_with(|| RefOr::T(problem(description)));
    }
}

fn problem(description: &str) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, body)
        .build()
}

fn key_parameter() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY_CHARS))
        .pattern(Some("^[!-~]+$"))
        .build();
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Any text of your own, such as a UUID: a request that is sent again with it within a day is answered as before and not done again",
        ))
        .schema(Some(text))
        .build()
}

/// Errors are `application/problem+json`, which handlers leave out.
fn name_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.starts_with(['4', '5']) {
            response.content = std::mem::take(&mut response.content)
                .into_iter()
                .map(|(kind, body)| {
                    if is_problem(&body) {
                        (PROBLEM_JSON.to_owned(), body)
                    } else {
                        (kind, body)
                    }
                })
                .collect();
        }
    }
}

/// Whether a body is one of our problems, and not the error of another search engine that we answer like.
fn is_problem(body: &RefOr<Content>) -> bool {
    let RefOr::T(content) = body else { return false };
    matches!(&content.schema, Some(RefOr::Ref(schema)) if schema.ref_location.ends_with("/Problem"))
}
