//! The whole API asked at random, by its own OpenAPI document: nothing is answered 5xx, and nothing otherwise than documented.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use crate::app::{TestApp, reverb_rack};

/// The program that asks, as `.ci/run` installs it.
const PROGRAM: &str = "schemathesis";

/// How long it asks, in seconds.
const ASK_FOR_S: u64 = 75;

/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// Whether the program is there. In CI it must be.
async fn has_program() -> bool {
    let asked = Command::new(PROGRAM)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    let found = asked.is_ok_and(|status| status.success());
    assert!(
        found || std::env::var_os("CI").is_none(),
        "`{PROGRAM}` is not on the search path"
    );
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests_are_answered_as_the_document_says() {
    if !has_program().await {
        println!("skipped: `{PROGRAM}` is not on the search path (`pip install schemathesis==4.32.5`)");
        return;
    }
    let app = TestApp::start_with(|settings| settings.auth.refusal_ms = 5).await;
    let user = app.user("producer-001").await;
    app.db
        .execute(&format!("UPDATE users SET is_admin = TRUE WHERE id = {}", user.id))
        .await;
    app.published(
        &user,
        reverb_rack("Plate"),
        json!({"title": "Plate", "genre": "Dub", "tags": ["plate"]}),
    )
    .await;
    let asking = Command::new(PROGRAM)
        .args(["run", &app.url("/v1/openapi.json")])
        .args(["--url", &app.url("")])
        .args(["--header", &format!("Authorization: Bearer {}", user.token)])
        .args(["--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-time", &ASK_FOR_S.to_string(), "--request-timeout", "40"])
        // Logging out would end the token that it asks with, and a stream does not end.
        .args(["--exclude-path", "/v1/sessions/current", "--exclude-path-regex", "stream$"])
        .args([
            // With two, Python 3.11 now and then fails in its own `ast` module (its issue 106905).
            "--workers",
            "1",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--no-color",
            "--seed",
            "1",
        ])
        .current_dir(app.folder.path())
        .output();
    // Who asks to wait for a position waits for an index that follows.
    let following = async {
        loop {
            app.follow().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = tokio::select! {
        asked = tokio::time::timeout(Duration::from_secs(ASK_FOR_S * 3), asking) => asked,
        () = following => unreachable!("it follows without end"),
    };
    let asked = asked.expect("it ends in time").expect("it runs");
    let said = String::from_utf8_lossy(&asked.stdout);
    println!("{said}");
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    app.run_jobs().await;
}
