//! What a workflow sounds and looks like: one file each, which its author sends and everybody who sees the workflow may have.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use serde::Serialize;
use store::media::{self, MediaKind, MediaPath};
use store::workflow::{self, Preview, Workflow};
use store::{StoreError, WorkflowId};
use utoipa::ToSchema;

use super::workflow::path_of;
use crate::context::ApiContext;
use crate::error::{ApiError, Problem};
use crate::extract::{MaybeSignedIn, OwnedWorkflow, WorkflowPath, visible_workflow};
use crate::transaction::{Refused, in_transaction};

/// Types that browsers play, by the ending that their first bytes are known by.
const AUDIO: &[(&str, &str)] = &[
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("m4a", "audio/mp4"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
];

/// Types that browsers show and that run nothing.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
];

/// Where previews are, as sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Preview)]
pub(crate) struct PreviewBody {
    /// What it sounds like; null where its author sent none.
    audio_url: Option<String>,
    /// What it looks like; null where its author sent none.
    image_url: Option<String>,
}

impl PreviewBody {
    pub(crate) fn of(workflow: &Workflow) -> Self {
        let url = |which| media_path(workflow, which).map(|_| url_of(workflow.id, which));
        Self {
            audio_url: url(Preview::Audio),
            image_url: url(Preview::Image),
        }
    }
}

/// Address of a preview.
pub(crate) fn url_of(id: WorkflowId, which: Preview) -> String {
    let last = match which {
        Preview::Audio => "audio",
        Preview::Image => "image",
    };
    format!("{}/preview/{last}", path_of(id))
}

fn kind_of(which: Preview) -> MediaKind {
    match which {
        Preview::Audio => MediaKind::PreviewAudio,
        Preview::Image => MediaKind::PreviewImage,
    }
}

fn types_of(which: Preview) -> &'static [(&'static str, &'static str)] {
    match which {
        Preview::Audio => AUDIO,
        Preview::Image => IMAGES,
    }
}

/// Where a workflow's preview is stored; `None` where there is none, or another program wrote a path of its own.
fn media_path(workflow: &Workflow, which: Preview) -> Option<MediaPath> {
    let column = match which {
        Preview::Audio => workflow.preview_audio_path.as_deref(),
        Preview::Image => workflow.preview_image_path.as_deref(),
    };
    MediaPath::parse(column?, kind_of(which), workflow.id.0)
}

/// Deletes the files of a workflow that is gone.
pub(crate) async fn delete_files(context: &ApiContext, workflow: &Workflow) -> Result<(), ApiError> {
    for which in [Preview::Audio, Preview::Image] {
        if let Some(path) = media_path(workflow, which) {
            media::delete(&context.files, &path).await?;
        }
    }
    Ok(())
}

/// Set the preview sound of a workflow
///
/// The body is the file itself: MP3, Ogg, M4A, WAV or FLAC, by its bytes and not by its name.
#[utoipa::path(
    put, path = "/v1/workflows/{id}/preview/audio", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = PreviewBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem, description = "`not_audio`"), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn set_preview_audio(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<PreviewBody>, ApiError> {
    let limit = context.settings.files.max_preview_audio_bytes;
    let bytes = read(body, "sound", limit)?;
    let ending = sniff(&bytes, AUDIO).ok_or_else(|| ApiError::Unprocessable {
        code: "not_audio",
        detail: "the sound is neither MP3 nor Ogg, M4A, WAV or FLAC".to_owned(),
    })?;
    set(&context, workflow.id, Preview::Audio, Some((bytes, ending))).await
}

/// Set the preview picture of a workflow
///
/// The body is the file itself: PNG, JPEG, WebP or GIF, by its bytes and not by its name.
#[utoipa::path(
    put, path = "/v1/workflows/{id}/preview/image", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = PreviewBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem, description = "`not_an_image`"), (status = 503, body = Problem),
    ),
    security(("token" = []))
)]
pub(crate) async fn set_preview_image(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<PreviewBody>, ApiError> {
    let limit = context.settings.files.max_preview_image_bytes;
    let bytes = read(body, "picture", limit)?;
    let ending = sniff(&bytes, IMAGES).ok_or_else(|| ApiError::Unprocessable {
        code: "not_an_image",
        detail: "the picture is neither PNG nor JPEG, WebP or GIF".to_owned(),
    })?;
    set(&context, workflow.id, Preview::Image, Some((bytes, ending))).await
}

fn read(body: Result<Bytes, BytesRejection>, what: &'static str, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = ApiError::TooLarge {
        what,
        limit: limit as u64,
    };
    match body {
        Ok(bytes) if bytes.len() > limit => Err(too_large),
        Ok(bytes) => Ok(bytes),
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large),
        Err(_) => Err(ApiError::BadRequest {
            code: "broken_body",
            detail: "the body ended early".to_owned(),
        }),
    }
}

/// The ending of a file of one of these types, by its first bytes.
fn sniff(bytes: &[u8], types: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let found = infer::get(bytes)?.extension();
    types.iter().map(|(ending, _)| *ending).find(|ending| *ending == found)
}

/// Remove the preview sound of a workflow
#[utoipa::path(
    delete, path = "/v1/workflows/{id}/preview/audio", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses((status = 200, body = PreviewBody), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn delete_preview_audio(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
) -> Result<Json<PreviewBody>, ApiError> {
    set(&context, workflow.id, Preview::Audio, None).await
}

/// Remove the preview picture of a workflow
#[utoipa::path(
    delete, path = "/v1/workflows/{id}/preview/image", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses((status = 200, body = PreviewBody), (status = 401, body = Problem), (status = 403, body = Problem),
              (status = 404, body = Problem), (status = 503, body = Problem)),
    security(("token" = []))
)]
pub(crate) async fn delete_preview_image(
    State(context): State<ApiContext>,
    OwnedWorkflow(workflow): OwnedWorkflow,
) -> Result<Json<PreviewBody>, ApiError> {
    set(&context, workflow.id, Preview::Image, None).await
}

/// Stores the new file first and names it then: at no time does the row name what is not there. A sweep takes the one before.
async fn set(
    context: &ApiContext,
    id: WorkflowId,
    which: Preview,
    new: Option<(Bytes, &'static str)>,
) -> Result<Json<PreviewBody>, ApiError> {
    let kind = kind_of(which);
    let new = match new {
        Some((bytes, ending)) => {
            let path = MediaPath::of(kind, id.0, &bytes, ending);
            media::put(&context.files, &path, bytes.clone()).await?;
            Some((path, bytes))
        }
        None => None,
    };
    let files = context.files.clone();
    in_transaction(context, move |tx| {
        let (files, new) = (files.clone(), new.clone());
        Box::pin(async move {
            if !workflow::lock(tx, id).await? {
                return Err(Refused::Api(ApiError::NotFound("workflow")));
            }
            let path = new.as_ref().map(|(path, _)| path.as_str());
            workflow::set_preview(tx, id, which, path).await?;
            if let Some((path, bytes)) = new {
                media::keep(&files, &path, bytes).await.map_err(ApiError::from)?;
            }
            Ok(())
        })
    })
    .await?;
    let mut db = context.connection().await?;
    let workflow = workflow::find(&mut db, id).await?.ok_or(ApiError::NotFound("workflow"))?;
    Ok(Json(PreviewBody::of(&workflow)))
}

/// Get the preview sound of a workflow
///
/// Takes a `Range` of bytes, as players ask for.
#[utoipa::path(
    get, path = "/v1/workflows/{id}/preview/audio", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, content_type = "audio/mpeg", body = Vec<u8>, description = "Or another type of sound"),
        (status = 206, content_type = "audio/mpeg", body = Vec<u8>, description = "The range that was asked for"),
        (status = 304, description = "The file with that `ETag`"),
        (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 416, description = "The range is outside of the file"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn get_preview_audio(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let workflow = visible_workflow(&context, id, viewer).await?;
    send(&context, &workflow, Preview::Audio, &headers).await
}

/// Get the preview picture of a workflow
#[utoipa::path(
    get, path = "/v1/workflows/{id}/preview/image", tag = "workflows",
    params(("id" = u64, Path, description = "Id of the workflow")),
    responses(
        (status = 200, content_type = "image/png", body = Vec<u8>, description = "Or another type of picture"),
        (status = 206, content_type = "image/png", body = Vec<u8>, description = "The range that was asked for"),
        (status = 304, description = "The file with that `ETag`"),
        (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 416, description = "The range is outside of the file"),
    ),
    security((), ("token" = []))
)]
pub(crate) async fn get_preview_image(
    State(context): State<ApiContext>,
    MaybeSignedIn(viewer): MaybeSignedIn,
    WorkflowPath(id): WorkflowPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let workflow = visible_workflow(&context, id, viewer).await?;
    send(&context, &workflow, Preview::Image, &headers).await
}

async fn send(context: &ApiContext, workflow: &Workflow, which: Preview, headers: &HeaderMap) -> Result<Response, ApiError> {
    let none = ApiError::NotFound("preview");
    let Some(path) = media_path(workflow, which) else {
        return Err(none);
    };
    let Some((_, content_type)) = types_of(which).iter().find(|(ending, _)| *ending == path.ending()) else {
        return Err(none);
    };
    let etag = format!("\"{}\"", path.hash());
    let asked = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if asked(header::IF_NONE_MATCH).is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let file = media::open(&context.files, &path).await?;
    let mut response_headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::ETAG, HeaderValue::from_str(&etag).map_err(ApiError::internal)?),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    ]);
    let Some(range) = asked(header::RANGE).and_then(|range| Range::read(range, file.size)) else {
        response_headers.insert(header::CONTENT_LENGTH, file.size.into());
        return Ok((response_headers, Body::from_stream(file.bytes)).into_response());
    };
    let Range::Of(first, last) = range else {
        let range = HeaderValue::from_str(&format!("bytes */{}", file.size)).map_err(ApiError::internal)?;
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, range)]).into_response());
    };
    // A preview is small: its size was bounded when it came.
    let size = file.size;
    let pieces: Vec<Bytes> = file.bytes.try_collect().await.map_err(StoreError::from)?;
    let part = Bytes::from(pieces.concat()).slice(usize_of(first)..usize_of(last + 1));
    let range = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}")).map_err(ApiError::internal)?;
    response_headers.insert(header::CONTENT_RANGE, range);
    Ok((StatusCode::PARTIAL_CONTENT, response_headers, part).into_response())
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A part of a file (RFC 9110, section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Range {
    /// From the first byte to the last, both of it.
    Of(u64, u64),
    /// None of the file's.
    Outside,
}

impl Range {
    /// Reads one range of bytes; `None` for whatever else, which is answered with the whole file.
    fn read(text: &str, size: u64) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.trim(), last.trim());
        if first.is_empty() {
            let count: u64 = last.parse().ok()?;
            return Some(if count == 0 || size == 0 {
                Self::Outside
            } else {
                Self::Of(size.saturating_sub(count), size - 1)
            });
        }
        let first: u64 = first.parse().ok()?;
        let last: u64 = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
        if last < first {
            return None;
        }
        Some(if first >= size {
            Self::Outside
        } else {
            Self::Of(first, last.min(size - 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_has_them() {
        for (text, range) in [
            ("bytes=0-0", Some(Range::Of(0, 0))),
            ("bytes=0-", Some(Range::Of(0, 9))),
            ("bytes=5-99", Some(Range::Of(5, 9))),
            ("bytes=-3", Some(Range::Of(7, 9))),
            ("bytes=-99", Some(Range::Of(0, 9))),
            ("bytes=10-", Some(Range::Outside)),
            ("bytes=-0", Some(Range::Outside)),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
            ("bytes=x-", None),
        ] {
            assert_eq!(Range::read(text, 10), range, "{text}");
        }
    }

    #[test]
    fn a_type_is_told_by_the_bytes() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n----", IMAGES), Some("png"));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n----", AUDIO), None);
        assert_eq!(sniff(b"ID3\x04----", AUDIO), Some("mp3"));
        assert_eq!(sniff(b"OggS----", AUDIO), Some("ogg"));
        assert_eq!(sniff(b"fLaC----", AUDIO), Some("flac"));
        assert_eq!(sniff(b"RIFF----WAVEfmt ", AUDIO), Some("wav"));
        for other in [
            &b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"[..],
            b"<html>",
            b"MZ\x90\0",
            b"",
            b"%PDF-1.7",
        ] {
            assert_eq!(sniff(other, IMAGES), None);
            assert_eq!(sniff(other, AUDIO), None);
        }
    }
}
