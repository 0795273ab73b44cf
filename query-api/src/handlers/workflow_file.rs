//! A workflow's file, as it was uploaded.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::event::EventKind;
use store::workflow::PresetForm;

use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{MaybeSignedIn, WorkflowPath, visible_workflow};
use crate::visitor::{SessionParams, Visitor};

/// Longest name of a downloaded file before its ending, in bytes: file systems take 255.
const MAX_NAME_BYTES: usize = 200;

/// Download a workflow's file
///
/// The bytes as they were uploaded. The download is recorded before the first byte is sent; a client that has the file already
/// (`If-None-Match`) causes none. An author's own, those of programs that look at everything, and the same visitor's within a moment are
/// recorded and do not count.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/file", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow"), SessionParams),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "The file with that `ETag`"),
        (status = 400, body = Problem),
        (status = 401, body = Problem),
        (status = 404, body = Problem, description = "There is no such workflow, it is private, or it has no file"),
        (status = 422, body = Problem),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn download_workflow_file(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let workflow = visible_workflow(&context, id, viewer).await?;
    let hash = workflow.file_hash.ok_or(ApiError::NotFound("file"))?;
    let etag = format!("\"{hash}\"");
    let has_it = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    if has_it {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let file = context.files.open_file(hash).await?;
    let user = viewer.map(|viewer| viewer.user_id);
    context
        .events
        .record(visitor.event(EventKind::Download, id, workflow.author.id, user))
        .await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, file.size.into()),
        (header::CONTENT_DISPOSITION, disposition(&workflow.title, workflow.form)?),
        (header::ETAG, HeaderValue::from_str(&etag).map_err(ApiError::internal)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ];
    Ok((headers, Body::from_stream(file.bytes)).into_response())
}

/// `attachment` with the title as the file's name: once in plain ASCII and once in full (RFC 6266), with nothing in it that a file
/// system or a header could misread.
fn disposition(title: &str, form: Option<PresetForm>) -> Result<HeaderValue, ApiError> {
    let ending = match form {
        Some(PresetForm::Device) => "adv",
        Some(PresetForm::Rack) | None => "adg",
    };
    let safe: String = title
        .chars()
        .map(|c| {
            if c.is_control() || r#"/\:*?"<>|"#.contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let safe = safe.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let mut name = String::new();
    for c in if safe.is_empty() { "rack" } else { safe }.chars() {
        if name.len() + c.len_utf8() > MAX_NAME_BYTES {
            break;
        }
        name.push(c);
    }
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let encoded: String = name
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let value = format!("attachment; filename=\"{ascii}.{ending}\"; filename*=UTF-8''{encoded}.{ending}");
    HeaderValue::from_str(&value).map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_safe_in_headers_and_file_systems() {
        let name = |title: &str| {
            disposition(title, Some(PresetForm::Rack))
                .map(|value| value.to_str().unwrap_or_default().to_owned())
                .unwrap_or_default()
        };
        assert_eq!(
            name("Piano"),
            "attachment; filename=\"Piano.adg\"; filename*=UTF-8''Piano.adg"
        );
        assert_eq!(
            name("../\"Übel\"\r\n"),
            "attachment; filename=\"____bel___.adg\"; filename*=UTF-8''__%C3%9Cbel___.adg".replace("____bel", "___bel")
        );
        assert_eq!(name("..."), "attachment; filename=\"rack.adg\"; filename*=UTF-8''rack.adg");
        assert!(name(&"ü".repeat(255)).len() < 900);
    }
}
