//! An upload: what is taken, what is refused, and what is left of it.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::app::{TestApp, answer, reverb_rack};

#[tokio::test]
async fn an_uploaded_rack_is_parsed_published_and_found_by_what_is_in_it() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let uploaded = app
        .upload(
            &user,
            reverb_rack("Wide"),
            json!({"title": "Wide Röom", "tags": ["#Ambient", "deep  House"], "bpm": 92.456, "key": "F#m", "difficulty": "beginner"}),
        )
        .await;
    assert_eq!(uploaded.status, StatusCode::ACCEPTED, "{}", uploaded.body);
    let id = uploaded.body["id"].as_u64().expect("an id");
    let path = format!("/v1/workflows/{id}");
    assert_eq!(uploaded.header("location"), path);
    assert_eq!(uploaded.body["parse"]["state"], "pending");
    assert_eq!(uploaded.body["slug"], "wide-room");
    assert_eq!(uploaded.body["tags"], json!(["ambient", "deep house"]));
    assert_eq!(uploaded.body["bpm"], 92.46);
    assert_eq!(uploaded.body["kind"], "audio_effect");

    app.post_as(&user, &format!("{path}/publish"))
        .await
        .assert_problem(StatusCode::CONFLICT, "not_parsed_yet");
    app.run_jobs().await;
    let parsed = app.get_as(&user, &path).await;
    assert_eq!(parsed.body["parse"]["state"], "parsed", "{}", parsed.body);
    assert_eq!(
        parsed.body["file"]["live_version"].as_str().map(|v| v.starts_with("11.")),
        Some(true),
        "{}",
        parsed.body
    );
    app.get(&path).await.assert_problem(StatusCode::NOT_FOUND, "not_found");

    let published = app.post_as(&user, &format!("{path}/publish")).await;
    assert_eq!(published.body["is_visible"], true, "{}", published.body);
    app.follow().await;
    let position = published.header("index-position");
    assert_ne!(position, "");
    for query in [
        "q=wide room",
        "q=shimmerize",
        "q=cathedral",
        "q=hybrid reverb",
        "device=hybrid reverb",
        "tag=deep house",
        "bpm=90-95",
        "kind=audio_effect&difficulty=beginner",
        "author=producer-001",
        &format!("wait_for={position}"),
    ] {
        assert_eq!(app.search(query).await, [id], "`{query}`");
    }
    assert!(app.search("q=accordion").await.is_empty());

    let rack = app.get(&format!("{path}/rack")).await;
    assert_eq!(
        rack.body["rack"]["racks"][0]["macros"][0]["name"], "Shimmerize",
        "{}",
        rack.body
    );
    assert_eq!(
        app.db
            .integer("SELECT COUNT(*) FROM user_activities WHERE activity_type = 'workflow_upload'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_same_bytes_of_one_user_are_one_workflow_and_of_two_users_two() {
    let app = TestApp::start().await;
    let (one, other) = (app.user("producer-001").await, app.user("producer-002").await);
    let first = app.upload(&one, reverb_rack("Same"), json!({"title": "First"})).await;
    let again = app.upload(&one, reverb_rack("Same"), json!({"title": "Second"})).await;
    let theirs = app.upload(&other, reverb_rack("Same"), json!({"title": "First"})).await;
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::OK));
    assert_eq!(first.body["id"], again.body["id"]);
    assert_eq!(again.body["title"], "First");
    assert_eq!(theirs.status, StatusCode::ACCEPTED);
    assert_ne!(theirs.body["id"], first.body["id"]);
    let slug = theirs.body["slug"].as_str().expect("a slug");
    assert!(slug.starts_with("first-"), "{slug}");
    assert_eq!(app.stored_files().await, 1);
    app.run_jobs().await;
}

#[tokio::test]
async fn the_same_upload_sent_many_times_at_once_is_one_workflow() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let sent = (0..12).map(|_| app.upload(&user, reverb_rack("Same"), json!({"title": "Race", "tags": ["a", "b", "c"]})));
    let answers = futures::future::join_all(sent).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
    assert_eq!(
        answers.iter().filter(|answer| answer.status == StatusCode::ACCEPTED).count(),
        1
    );
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflows").await, 1);
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflow_tag_pivot").await, 3);
    app.run_jobs().await;
}

#[tokio::test]
async fn what_is_no_rack_is_refused_by_name_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let live_set = r#"<?xml version="1.0" encoding="UTF-8"?><Ableton MajorVersion="5" Creator="Ableton Live 11.0"><LiveSet></LiveSet></Ableton>"#;
    for (file, code) in [
        (Vec::new(), "empty_file"),
        (b"just some text".to_vec(), "unknown_file"),
        (b"PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec(), "zip_archive"),
        (b"RIFF\x24\x08\x00\x00WAVEfmt aaaaaaaaaaaaaaaaaaaa".to_vec(), "audio_file"),
        (live_set.as_bytes().to_vec(), "live_set"),
        (b"<html><body>hi</body></html>".to_vec(), "not_live_xml"),
    ] {
        let refused = app.upload(&user, file, json!({"title": "No rack"})).await;
        refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, code);
    }
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflows").await, 0);
    assert_eq!(app.stored_files().await, 0);
}

#[tokio::test]
async fn a_file_that_breaks_off_later_is_a_failed_parse_with_its_reason() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let mut file = reverb_rack("Cut");
    file.truncate(file.len() - 20);
    let uploaded = app.upload(&user, file, json!({"title": "Cut"})).await;
    assert_eq!(uploaded.status, StatusCode::ACCEPTED, "{}", uploaded.body);
    let path = format!("/v1/workflows/{}", uploaded.body["id"]);
    app.run_jobs().await;
    let failed = app.get_as(&user, &path).await;
    assert_eq!(failed.body["parse"]["state"], "failed");
    assert_eq!(failed.body["parse"]["error"]["code"], "truncated", "{}", failed.body);
    app.post_as(&user, &format!("{path}/publish"))
        .await
        .assert_problem(StatusCode::CONFLICT, "unreadable_file");
    app.get_as(&user, &format!("{path}/rack"))
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn every_refused_field_is_named_at_once_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let refused = app
        .upload(
            &user,
            reverb_rack("Fields"),
            json!({"title": "x".repeat(256), "description": "a\u{0}b", "genre": "g".repeat(101), "bpm": 5, "key": "H minor of some kind",
                   "difficulty": "hard", "tags": ["t".repeat(51)]}),
        )
        .await;
    refused.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    assert_eq!(
        refused.refused_fields(),
        ["title", "description", "genre", "bpm", "key", "difficulty", "tags"]
    );
    assert!(
        refused.body["errors"][5]["message"]
            .as_str()
            .is_some_and(|m| m.contains("`beginner`"))
    );
    assert_eq!(app.stored_files().await, 0);
}

#[tokio::test]
async fn a_form_that_is_wrong_is_told_so() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let post = || app.request(Method::POST, "/v1/workflows").bearer_auth(&user.token);
    let rack = || Part::bytes(reverb_rack("Form")).file_name("a.adg");
    answer(
        app.request(Method::POST, "/v1/workflows")
            .multipart(Form::new().part("file", rack())),
    )
    .await
    .assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
    answer(post().json(&json!({})))
        .await
        .assert_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
    let missing = answer(post().multipart(Form::new().text("metadata", "{}"))).await;
    missing.assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields");
    assert_eq!(missing.refused_fields(), ["file"]);
    for (form, code) in [
        (Form::new().part("file", rack()).part("file", rack()), "bad_form"),
        (Form::new().part("file", rack()).text("colour", "red"), "bad_form"),
        (
            Form::new().part("file", rack()).text("metadata", "{\"title\":"),
            "malformed_json",
        ),
        (
            Form::new().part("file", rack()).text("metadata", "{\"titel\":\"x\"}"),
            "wrong_json",
        ),
        (
            Form::new().part("file", rack()).text("metadata", "{\"bpm\":\"fast\"}"),
            "wrong_json",
        ),
    ] {
        answer(post().multipart(form))
            .await
            .assert_problem(StatusCode::BAD_REQUEST, code);
    }
    assert_eq!(app.stored_files().await, 0);
}

#[tokio::test]
async fn the_title_of_an_upload_without_one_is_its_files_name() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let uploaded = app.upload(&user, reverb_rack("Untitled"), json!({})).await;
    assert_eq!(uploaded.body["title"], "My Rack", "{}", uploaded.body);
    app.run_jobs().await;
}

#[tokio::test]
async fn a_file_over_the_limit_is_413_and_nothing_is_stored() {
    let app = TestApp::start_with(|settings| settings.http.max_upload_bytes = 200_000).await;
    let user = app.user("producer-001").await;
    let mut file = reverb_rack("Large");
    file.resize(250_000, 0);
    let refused = app.upload(&user, file.clone(), json!({"title": "Large"})).await;
    refused.assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    file.resize(205_000, 0);
    let refused = app.upload(&user, file, json!({"title": "Large"})).await;
    refused.assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    let refused = app
        .upload(
            &user,
            reverb_rack("Text"),
            json!({"title": "Large", "description": "x".repeat(300_000)}),
        )
        .await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", refused.body);
    assert_eq!(app.stored_files().await, 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_leaves_nothing() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let address = app.url("").trim_start_matches("http://").to_owned();
    for sent in [10, 2000] {
        let mut connection = TcpStream::connect(&address).await.expect("connect");
        let head = format!(
            "POST /v1/workflows HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
             Content-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.adg\"\r\n\r\n",
            user.token
        );
        connection.write_all(head.as_bytes()).await.expect("send the head");
        let rack = reverb_rack("Half");
        connection
            .write_all(&rack[..sent.min(rack.len())])
            .await
            .expect("send half of the file");
        connection.flush().await.expect("send");
        drop(connection);
    }
    // The API is as it was.
    let uploaded = app.upload(&user, reverb_rack("Whole"), json!({"title": "Whole"})).await;
    assert_eq!(uploaded.status, StatusCode::ACCEPTED);
    assert_eq!(app.stored_files().await, 1);
    assert_eq!(app.db.integer("SELECT COUNT(*) FROM workflows").await, 1);
    app.run_jobs().await;
}

#[tokio::test]
async fn uploading_again_heals_a_file_that_the_store_lost() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let uploaded = app.upload(&user, reverb_rack("Lost"), json!({"title": "Lost"})).await;
    std::fs::remove_dir_all(app.settings.files_dir().join("racks")).expect("lose the files");
    app.run_jobs().await;
    let path = format!("/v1/workflows/{}", uploaded.body["id"]);
    assert_eq!(app.get_as(&user, &path).await.body["parse"]["state"], "no_file");
    app.post_as(&user, &format!("{path}/publish"))
        .await
        .assert_problem(StatusCode::CONFLICT, "file_lost");
    let again = app.upload(&user, reverb_rack("Lost"), json!({"title": "Lost"})).await;
    assert_eq!((again.status, &again.body["id"]), (StatusCode::OK, &uploaded.body["id"]));
    app.run_jobs().await;
    assert_eq!(app.get_as(&user, &path).await.body["parse"]["state"], "parsed");
}
