//! What a workflow sounds and looks like.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, User, answer, reverb_rack};

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n a picture";
const SOUND: &[u8] = b"ID3\x04 a sound of some length";

async fn put(app: &TestApp, user: &User, path: &str, bytes: &'static [u8]) -> Answer {
    answer(app.request(Method::PUT, path).bearer_auth(&user.token).body(bytes)).await
}

/// Files of previews that are stored.
fn stored(app: &TestApp) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 })
            .sum()
    }
    count(&app.settings.files_dir().join("media"))
}

#[tokio::test]
async fn previews_are_sniffed_served_with_their_type_replaced_and_removed() {
    let app = TestApp::start_with(|settings| settings.files.max_preview_image_bytes = 64).await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app.published(&author, reverb_rack("Shown"), json!({"title": "Shown"})).await;
    let (workflow, audio, image) = (
        format!("/v1/workflows/{id}"),
        format!("/v1/workflows/{id}/preview/audio"),
        format!("/v1/workflows/{id}/preview/image"),
    );
    let none = json!({"audio_url": null, "image_url": null});
    assert_eq!(app.get(&workflow).await.body["preview"], none);
    app.get(&audio).await.assert_problem(StatusCode::NOT_FOUND, "not_found");
    put(&app, &author, &audio, PICTURE)
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "not_audio");
    put(&app, &author, &image, b"<svg onload='alert(1)'/>")
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "not_an_image");
    put(&app, &author, &image, &[0x89; 65])
        .await
        .assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    put(&app, &fan, &image, PICTURE)
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    assert_eq!(stored(&app), 0, "what is refused is not stored");

    assert_eq!(put(&app, &author, &image, PICTURE).await.status, StatusCode::OK);
    let set = put(&app, &author, &audio, SOUND).await;
    assert_eq!(set.body, json!({ "audio_url": audio, "image_url": image }));
    assert_eq!(app.get(&workflow).await.body["preview"], set.body);
    let served = app.request(Method::GET, &image).send().await.expect("an answer");
    let heading = |name: header::HeaderName| {
        served
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    assert_eq!(heading(header::CONTENT_TYPE).as_deref(), Some("image/png"));
    assert_eq!(heading(header::X_CONTENT_TYPE_OPTIONS).as_deref(), Some("nosniff"));
    let etag = heading(header::ETAG).expect("a tag");
    assert_eq!(served.bytes().await.expect("the picture"), PICTURE);
    let again = app.request(Method::GET, &image).header(header::IF_NONE_MATCH, etag);
    assert_eq!(answer(again).await.status, StatusCode::NOT_MODIFIED);

    let part = app.request(Method::GET, &audio).header(header::RANGE, "bytes=5-7");
    let part = part.send().await.expect("an answer");
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let range = part
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|range| range.to_str().ok());
    assert_eq!(range, Some(format!("bytes 5-7/{}", SOUND.len()).as_str()));
    assert_eq!(part.bytes().await.expect("the part"), SOUND[5..8]);
    let beyond = app.request(Method::GET, &audio).header(header::RANGE, "bytes=999-");
    assert_eq!(answer(beyond).await.status, StatusCode::RANGE_NOT_SATISFIABLE);

    assert_eq!(stored(&app), 2);
    put(&app, &author, &image, b"GIF89a another").await;
    app.sweep_media().await;
    assert_eq!(stored(&app), 2, "the one before is gone");
    let gone = app.send(&author, Method::DELETE, &audio, None).await;
    assert_eq!(
        (&gone.body["audio_url"], &gone.body["image_url"]),
        (&Value::Null, &json!(image))
    );
    app.post_as(&author, &format!("{workflow}/unpublish")).await;
    app.get_as(&fan, &image)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    app.send(&author, Method::DELETE, &workflow, None).await;
    app.sweep_media().await;
    assert_eq!(stored(&app), 0);
}
