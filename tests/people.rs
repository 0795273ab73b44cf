//! Accounts, from the registration to the end: what people do, and what nobody can find out about others.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::app::{Answer, TestApp, User, answer, reverb_rack};

const PASSWORD: &str = "a long sentence is best";

/// Sends JSON as nobody.
async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    answer(app.request(Method::POST, path).json(&body)).await
}

async fn register(app: &TestApp, username: &str, email: &str) -> Answer {
    let asked = json!({"username": username, "email": email, "password": PASSWORD});
    post(app, "/v1/registrations", asked).await
}

async fn log_in(app: &TestApp, email: &str, password: &str) -> Answer {
    post(app, "/v1/sessions", json!({"email": email, "password": password})).await
}

/// The mails that were written and not looked at yet, each whole.
fn mails(app: &TestApp) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(app.settings.mail_dir()).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("read a mail");
        // Long lines are broken by `=` at their end, and `=` is `=3D`, in mails.
        found.push(text.replace("=\r\n", "").replace("=3D", "="));
        std::fs::remove_file(entry.path()).expect("remove a mail");
    }
    found
}

/// The path that the one mail there is links to.
fn link(mails: &[String]) -> String {
    let [mail] = mails else { panic!("{mails:?}") };
    let start = mail.find("/v1/").expect("a link");
    mail[start..].split_whitespace().next().expect("a link").to_owned()
}

/// Somebody who has registered, confirmed and logged in.
async fn member(app: &TestApp, username: &str) -> User {
    let email = format!("{username}@example.org");
    assert_eq!(register(app, username, &email).await.status, StatusCode::ACCEPTED);
    app.run_jobs().await;
    let confirmed = answer(app.request(Method::POST, &link(&mails(app)))).await;
    assert_eq!(confirmed.status, StatusCode::CREATED, "{}", confirmed.body);
    let session = log_in(app, &email, PASSWORD).await;
    assert_eq!(session.status, StatusCode::CREATED, "{}", session.body);
    let id = confirmed.body["id"].as_u64().expect("an id");
    User {
        id: id.into(),
        token: session.body["token"].as_str().expect("a token").to_owned(),
    }
}

fn quick(settings: &mut config::Settings) {
    settings.auth.refusal_ms = 50;
}

#[tokio::test]
async fn an_account_is_made_by_the_link_in_the_mail_and_by_nothing_else() {
    let app = TestApp::start_with(quick).await;
    let asked = register(&app, "producer-017", "Producer-017@example.org").await;
    assert_eq!(
        (asked.status, &asked.body),
        (StatusCode::ACCEPTED, &json!({"message": "check your mail"}))
    );
    app.get("/v1/users/producer-017")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(
        log_in(&app, "producer-017@example.org", PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    // The handle is reserved meanwhile.
    register(&app, "PRODUCER-017", "other@example.org")
        .await
        .assert_problem(StatusCode::CONFLICT, "username_taken");
    app.run_jobs().await;
    let link = link(&mails(&app));
    // The page, which changes nothing; a forged link; the button; and the link once more.
    let page = app.request(Method::GET, &link).send().await.expect("a page");
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.expect("text").contains("@producer-017"));
    app.get("/v1/users/producer-017")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    let forged = link.replace(&link[link.len() - 2..], "00");
    answer(app.request(Method::POST, &forged))
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "bad_link");
    let made = answer(app.request(Method::POST, &link)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    answer(app.request(Method::POST, &link))
        .await
        .assert_problem(StatusCode::BAD_REQUEST, "bad_link");
    let session = log_in(&app, " PRODUCER-017@EXAMPLE.ORG ", PASSWORD).await;
    assert_eq!(session.status, StatusCode::CREATED, "{}", session.body);
    let user = User {
        id: made.body["id"].as_u64().expect("an id").into(),
        token: session.body["token"].as_str().expect("a token").to_owned(),
    };
    let me = app.get_as(&user, "/v1/me").await;
    assert_eq!(me.body["email"], json!("producer-017@example.org"));
    assert!(me.body["email_verified_at"].is_string());
    let hash = app.db.shell().text("SELECT password FROM users").await.expect("a hash");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let refused = register(&app, "-", "nobody").await;
    assert_eq!(refused.refused_fields(), ["username", "email"]);
    register(&app, "producer-017", "other@example.org")
        .await
        .assert_problem(StatusCode::CONFLICT, "username_taken");
}

/// What an attacker can see of an address: each answer, each header that is not about the moment, what follows, and how long it takes.
#[tokio::test]
async fn nothing_tells_whether_an_address_has_an_account() {
    let app = TestApp::start_with(|settings| settings.auth.refusal_ms = 400).await;
    member(&app, "producer-001").await;
    app.db.execute("DELETE FROM login_attempts").await;
    let addresses = ["producer-001@example.org", "nobody@example.org"];
    let seen = async |what: &str, email: &str| {
        let started = Instant::now();
        let answer = match what {
            "login" => log_in(&app, email, "not the password").await,
            "reset" => post(&app, "/v1/password-resets", json!({"email": email})).await,
            _ => register(&app, &format!("fresh-{}", email.split('@').next().expect("a name")), email).await,
        };
        let mut headers: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        ((answer.status, answer.body, headers), started.elapsed())
    };
    for what in ["login", "reset", "registration"] {
        let (known, known_took) = seen(what, addresses[0]).await;
        let (unknown, unknown_took) = seen(what, addresses[1]).await;
        assert_eq!(known, unknown, "{what}");
        if what != "registration" {
            for took in [known_took, unknown_took] {
                assert!(took >= Duration::from_millis(400), "{what} took {took:?}");
            }
        }
    }
    // What follows is the same too: both handles are reserved, and nobody sees either.
    for name in ["fresh-producer-001", "fresh-nobody"] {
        app.get(&format!("/v1/users/{name}"))
            .await
            .assert_problem(StatusCode::NOT_FOUND, "not_found");
        register(&app, name, "third@example.org")
            .await
            .assert_problem(StatusCode::CONFLICT, "username_taken");
    }
    // Only who reads the mail learns it.
    app.run_jobs().await;
    let mails = mails(&app);
    assert_eq!(mails.len(), 3, "{mails:?}");
    assert!(
        mails
            .iter()
            .any(|mail| mail.contains("You have an account") && mail.contains("@producer-001."))
    );
    assert!(mails.iter().any(|mail| mail.contains("Set a new password")));
    assert!(
        mails
            .iter()
            .any(|mail| mail.contains("To: nobody@example.org") && mail.contains("/v1/registrations/confirm"))
    );
}

#[tokio::test]
async fn passwords_cannot_be_tried_often_by_anybody_or_all_at_once() {
    let app = TestApp::start_with(|settings| {
        settings.auth.refusal_ms = 50;
        settings.auth.login_failures_per_account = 5;
        settings.auth.login_failures_per_address = 12;
    })
    .await;
    member(&app, "producer-001").await;
    app.db.execute("DELETE FROM login_attempts").await;
    // All at once, so that none has failed when the others begin.
    for email in ["producer-001@example.org", "nobody@example.org"] {
        let tried = futures::future::join_all((0..20).map(|_| log_in(&app, email, "not the password"))).await;
        let looked_at = tried
            .iter()
            .filter(|answer| answer.status == StatusCode::UNAUTHORIZED)
            .count();
        assert!(looked_at <= 5, "{looked_at} of 20 passwords were looked at");
        assert!(
            tried
                .iter()
                .all(|answer| matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS))
        );
    }
    for _ in 0..5 {
        log_in(&app, "producer-001@example.org", "not the password").await;
    }
    let throttled = log_in(&app, "producer-001@example.org", PASSWORD).await;
    throttled.assert_problem(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
    assert!(!throttled.header("retry-after").is_empty());
    // Others are not affected, until the address itself has failed too often.
    app.db.execute("DELETE FROM login_attempts").await;
    let mut refused = 0;
    for n in 0..14 {
        let tried = log_in(&app, &format!("somebody-{n}@example.org"), "not the password").await;
        refused += usize::from(tried.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, 2, "an address has 12 failures in a window");
    app.db
        .execute("UPDATE login_attempts SET attempted_at = attempted_at - INTERVAL 1 HOUR")
        .await;
    assert_eq!(
        log_in(&app, "producer-001@example.org", PASSWORD).await.status,
        StatusCode::CREATED
    );
    let stored = app
        .db
        .integer("SELECT COUNT(*) FROM login_attempts WHERE HEX(account_hash) LIKE '%70726F6475636572%'")
        .await;
    assert_eq!(stored, 0, "no address stands in the table");
}

#[tokio::test]
async fn a_hash_of_an_older_application_is_taken_and_renewed() {
    let app = TestApp::start_with(quick).await;
    let user = app.user("producer-001").await;
    // PHP: password_hash('correct horse', PASSWORD_BCRYPT, ['cost' => 4])
    app.db
        .execute(&format!("UPDATE users SET password = '{PHP_HASH}' WHERE id = {}", user.id))
        .await;
    let wrong = log_in(&app, "producer-001@example.org", "correct hors").await;
    wrong.assert_problem(StatusCode::UNAUTHORIZED, "unauthenticated");
    for _ in 0..2 {
        let right = log_in(&app, "producer-001@example.org", "correct horse").await;
        assert_eq!(right.status, StatusCode::CREATED, "{}", right.body);
        let hash = app.db.shell().text("SELECT password FROM users").await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    }
}

#[tokio::test]
async fn tokens_are_listed_rotated_and_revoked_by_their_owner_only() {
    let app = TestApp::start_with(quick).await;
    let (user, other) = (member(&app, "producer-001").await, app.user("producer-002").await);
    let made = app
        .send(
            &user,
            Method::POST,
            "/v1/me/tokens",
            Some(json!({"name": "backup script", "days": 30})),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let (id, secret) = (
        made.body["id"].as_u64().expect("an id"),
        made.body["token"].as_str().expect("a token"),
    );
    let second = User {
        id: user.id,
        token: secret.to_owned(),
    };
    let listed = app.get_as(&second, "/v1/me/tokens").await;
    assert!(!listed.body.to_string().contains(secret));
    let named: Vec<(&str, bool)> = listed.body["items"]
        .as_array()
        .expect("tokens")
        .iter()
        .map(|token| (token["name"].as_str().expect("a name"), token["is_current"] == json!(true)))
        .collect();
    assert_eq!(named, [("login", false), ("backup script", true)]);
    let path = format!("/v1/me/tokens/{id}");
    for (method, path) in [(Method::DELETE, path.clone()), (Method::POST, format!("{path}/rotate"))] {
        app.send(&other, method, &path, None)
            .await
            .assert_problem(StatusCode::NOT_FOUND, "not_found");
    }
    let rotated = app.post_as(&user, &format!("{path}/rotate")).await;
    assert_eq!(rotated.status, StatusCode::CREATED, "{}", rotated.body);
    assert_eq!(app.get_as(&second, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let third = User {
        id: user.id,
        token: rotated.body["token"].as_str().expect("a token").to_owned(),
    };
    assert_eq!(app.get_as(&third, "/v1/me").await.status, StatusCode::OK);
    let revoked = app
        .send(&user, Method::DELETE, &format!("/v1/me/tokens/{}", rotated.body["id"]), None)
        .await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get_as(&third, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        app.send(&user, Method::DELETE, "/v1/sessions/current", None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.get_as(&user, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_or_reads_the_mail() {
    let app = TestApp::start_with(quick).await;
    let user = member(&app, "producer-001").await;
    let elsewhere = log_in(&app, "producer-001@example.org", PASSWORD).await;
    let elsewhere = User {
        id: user.id,
        token: elsewhere.body["token"].as_str().expect("a token").to_owned(),
    };
    let change = async |old: &str, new: &str| {
        let body = json!({"password": old, "new_password": new});
        app.send(&user, Method::PUT, "/v1/me/password", Some(body)).await
    };
    assert_eq!(change("wrong", "another long sentence").await.refused_fields(), ["password"]);
    assert_eq!(change(PASSWORD, "short").await.refused_fields(), ["new_password"]);
    assert_eq!(change(PASSWORD, "another long sentence").await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get_as(&user, "/v1/me").await.status, StatusCode::OK);
    assert_eq!(app.get_as(&elsewhere, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    app.run_jobs().await;
    assert!(mails(&app)[0].contains("Your password was changed"));

    assert_eq!(
        post(&app, "/v1/password-resets", json!({"email": "producer-001@example.org"}))
            .await
            .status,
        StatusCode::ACCEPTED
    );
    app.run_jobs().await;
    let link = link(&mails(&app));
    let page = app.request(Method::GET, &link).send().await.expect("a page");
    assert!(page.text().await.expect("text").contains("name=\"password\""));
    // As the page's form sends it.
    let form = app
        .request(Method::POST, &link)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("password=a+third+sentence");
    assert_eq!(answer(form).await.status, StatusCode::NO_CONTENT);
    let again = answer(
        app.request(Method::POST, &link)
            .json(&json!({"password": "a fourth sentence"})),
    )
    .await;
    again.assert_problem(StatusCode::BAD_REQUEST, "bad_link");
    assert_eq!(app.get_as(&user, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        log_in(&app, "producer-001@example.org", "a third sentence").await.status,
        StatusCode::CREATED
    );
    app.run_jobs().await;
}

#[tokio::test]
async fn a_profile_is_shown_as_its_owner_wrote_it() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let changed = app
        .send(
            &user,
            Method::PATCH,
            "/v1/me",
            Some(json!({"display_name": " DJ <b>Test</b> ", "bio": "one\ntwo", "website": "https://example.org/~me", "location": null})),
        )
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let shown = app.get("/v1/users/producer-001").await;
    assert_eq!(shown.body["display_name"], json!("DJ <b>Test</b>"));
    assert_eq!(shown.body["bio"], json!("one\ntwo"));
    assert!(shown.body.get("email").is_none());
    let refused = app
        .send(
            &user,
            Method::PATCH,
            "/v1/me",
            Some(json!({"website": "javascript:alert(1)", "display_name": "a\nb", "bio": "x".repeat(2001)})),
        )
        .await;
    assert_eq!(refused.refused_fields(), ["display_name", "bio", "website"]);
    // Another program's address of something that runs is not passed on.
    app.db.execute("UPDATE users SET website = 'javascript:alert(1)'").await;
    assert_eq!(app.get("/v1/users/producer-001").await.body["website"], Value::Null);

    let put = async |bytes: Vec<u8>| answer(app.request(Method::PUT, "/v1/me/avatar").bearer_auth(&user.token).body(bytes)).await;
    put(b"<svg onload=alert(1)>".to_vec())
        .await
        .assert_problem(StatusCode::UNPROCESSABLE_ENTITY, "not_an_image");
    let mut large = b"\x89PNG\r\n\x1a\n".to_vec();
    large.resize(app.settings.files.max_avatar_bytes + 1, 0);
    put(large).await.assert_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    for picture in [&b"\x89PNG\r\n\x1a\n-----"[..], b"\xff\xd8\xff\xe0-----"] {
        let set = put(picture.to_vec()).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
        let url = set.body["avatar_url"].as_str().expect("a path").to_owned();
        let got = app.request(Method::GET, &url).send().await.expect("a picture");
        assert!(got.headers()["content-type"].to_str().expect("text").starts_with("image/"));
        assert_eq!(got.headers()["x-content-type-options"], "nosniff");
        assert_eq!(got.bytes().await.expect("bytes"), picture);
    }
    let folder = app.settings.files_dir().join(format!("media/avatars/{}", user.id));
    app.sweep_media().await;
    assert_eq!(
        std::fs::read_dir(&folder).expect("a folder").count(),
        1,
        "the first picture is gone"
    );
    assert_eq!(
        app.send(&user, Method::DELETE, "/v1/me/avatar", None).await.status,
        StatusCode::NO_CONTENT
    );
    app.get("/v1/users/producer-001/avatar")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn who_leaves_takes_everything_personal_along_and_others_numbers_stay_right() {
    let app = TestApp::start_with(quick).await;
    let (leaving, staying) = (member(&app, "producer-001").await, app.user("producer-002").await);
    let own = app.published(&leaving, reverb_rack("Own"), json!({"title": "Own"})).await;
    let others = app.published(&staying, reverb_rack("Other"), json!({"title": "Other"})).await;
    let (a, b) = (leaving.id, staying.id);
    app.db
        .execute(&format!(
            "INSERT INTO workflow_likes (workflow_id, user_id) VALUES ({others}, {a}), ({own}, {b});
             INSERT INTO workflow_ratings (workflow_id, user_id, rating) VALUES ({others}, {a}, 4);
             INSERT INTO workflow_comments (workflow_id, user_id, content) VALUES ({others}, {a}, 'mine');
             INSERT INTO user_follows (follower_id, following_id) VALUES ({a}, {b}), ({b}, {a});
             INSERT INTO user_blocks (blocker_id, blocked_id) VALUES ({b}, {a});
             INSERT INTO workflow_collections (user_id, name) VALUES ({a}, 'mine');
             INSERT INTO workflow_views (workflow_id, user_id, session_id) VALUES ({others}, {a}, 's')"
        ))
        .await;
    let picture = app.request(Method::PUT, "/v1/me/avatar").bearer_auth(&leaving.token);
    assert_eq!(
        answer(picture.body(&b"\x89PNG\r\n\x1a\n-----"[..])).await.status,
        StatusCode::OK
    );

    // Deactivated: hidden, and back after a login.
    let confirm = |username: &str, password: &str| Some(json!({"username": username, "password": password}));
    let refused = app
        .send(&leaving, Method::POST, "/v1/me/deactivate", confirm("producer-002", PASSWORD))
        .await;
    assert_eq!(refused.refused_fields(), ["username"]);
    let done = app
        .send(&leaving, Method::POST, "/v1/me/deactivate", confirm("producer-001", PASSWORD))
        .await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.body);
    app.get("/v1/users/producer-001")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    app.get(&format!("/v1/workflows/{own}"))
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(app.get_as(&leaving, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
    let session = log_in(&app, "producer-001@example.org", PASSWORD).await;
    assert_eq!(session.status, StatusCode::CREATED, "{}", session.body);
    assert_eq!(app.get("/v1/users/producer-001").await.status, StatusCode::OK);
    let leaving = User {
        id: leaving.id,
        token: session.body["token"].as_str().expect("a token").to_owned(),
    };

    // Gone: hidden at once, and deleted soon.
    let wrong = app
        .send(
            &leaving,
            Method::DELETE,
            "/v1/me",
            confirm("producer-001", "not the password"),
        )
        .await;
    assert_eq!(wrong.refused_fields(), ["password"]);
    let done = app
        .send(&leaving, Method::DELETE, "/v1/me", confirm("producer-001", PASSWORD))
        .await;
    assert_eq!(done.status, StatusCode::ACCEPTED, "{}", done.body);
    app.get("/v1/users/producer-001")
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(
        log_in(&app, "producer-001@example.org", PASSWORD).await.status,
        StatusCode::UNAUTHORIZED
    );
    app.run_jobs().await;
    let mut left = Vec::new();
    for (table, column) in [
        ("users", "id"),
        ("workflows", "user_id"),
        ("workflow_likes", "user_id"),
        ("workflow_ratings", "user_id"),
        ("workflow_comments", "user_id"),
        ("comment_likes", "user_id"),
        ("user_follows", "follower_id"),
        ("user_follows", "following_id"),
        ("user_blocks", "blocked_id"),
        ("workflow_collections", "user_id"),
        ("user_activities", "user_id"),
        ("user_feed_cache", "user_id"),
        ("api_tokens", "user_id"),
        ("workflow_views", "user_id"),
        ("workflow_downloads", "user_id"),
    ] {
        if app
            .db
            .integer(&format!("SELECT COUNT(*) FROM {table} WHERE {column} = {a}"))
            .await
            > 0
        {
            left.push(table);
        }
    }
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(
        app.db
            .integer("SELECT COUNT(*) FROM workflow_views WHERE session_id IS NULL")
            .await,
        1,
        "a view of nobody"
    );
    let folder = app.settings.files_dir().join(format!("media/avatars/{a}"));
    assert_eq!(
        std::fs::read_dir(&folder).map_or(0, Iterator::count),
        0,
        "the picture is gone"
    );
    app.run_repairs().await;
    let counts = app
        .db
        .integer(&format!(
            "SELECT likes_count + ratings_count + comments_count + (SELECT followers_count + following_count FROM users WHERE id = {b})
             FROM workflows WHERE id = {others}"
        ))
        .await;
    assert_eq!(counts, 0, "what others had of theirs is counted no longer");
    let again = register(&app, "producer-001", "producer-001@example.org").await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "handle and address are free");
    app.run_jobs().await;
}

#[tokio::test]
async fn a_block_ends_follows_both_ways_and_is_its_owners_own() {
    let app = TestApp::start().await;
    let (one, other) = (app.user("producer-001").await, app.user("producer-002").await);
    let (a, b) = (one.id, other.id);
    app.db
        .execute(&format!(
            "INSERT INTO user_follows (follower_id, following_id) VALUES ({a}, {b}), ({b}, {a});
             INSERT INTO user_activities (user_id, activity_type, activity_data) VALUES ({b}, 'user_follow', '{{\"following_id\": {a}}}')"
        ))
        .await;
    for _ in 0..2 {
        let done = app.send(&one, Method::PUT, "/v1/me/blocks/producer-002", None).await;
        assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.body);
    }
    let left = "SELECT CAST((SELECT COUNT(*) FROM user_follows) + (SELECT COUNT(*) FROM user_activities)
                     + (SELECT SUM(followers_count + following_count) FROM users) AS SIGNED)";
    assert_eq!(app.db.integer(left).await, 0);
    for (user, whom) in [(&one, "producer-002"), (&other, "producer-001")] {
        app.send(user, Method::PUT, &format!("/v1/users/{whom}/follow"), None)
            .await
            .assert_problem(StatusCode::NOT_FOUND, "not_found");
    }
    let listed = app.get_as(&one, "/v1/me/blocks?limit=1").await;
    assert_eq!(listed.body["items"][0]["username"], json!("producer-002"));
    assert_eq!(listed.body["next"], Value::Null);
    assert_eq!(
        app.get_as(&other, "/v1/me/blocks").await.body["items"],
        json!([]),
        "nobody is told who blocked them"
    );
    app.send(&one, Method::PUT, "/v1/me/blocks/producer-001", None)
        .await
        .assert_problem(StatusCode::CONFLICT, "oneself");
    app.send(&one, Method::PUT, "/v1/me/blocks/nobody", None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    for _ in 0..2 {
        let done = app.send(&one, Method::DELETE, "/v1/me/blocks/producer-002", None).await;
        assert_eq!(done.status, StatusCode::NO_CONTENT, "{}", done.body);
    }
    assert_eq!(app.get_as(&one, "/v1/me/blocks").await.body["items"], json!([]));
}

#[tokio::test]
async fn being_here_is_noted_at_most_once_a_minute() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let set = async |column: &str, table: &str, whose: &str, value: &str| {
        let sql = format!("UPDATE {table} SET {column} = {value} WHERE {whose} = {}", user.id);
        app.db.execute(&sql).await;
    };
    let noted = async || {
        let since = format!(
            "SELECT CAST(COALESCE(YEAR(last_active_at), 0) AS SIGNED) FROM users WHERE id = {}",
            user.id
        );
        app.db.integer(&since).await
    };
    set("last_active_at", "users", "id", "'2020-01-01'").await;
    set(
        "last_used_at",
        "api_tokens",
        "user_id",
        "UTC_TIMESTAMP() - INTERVAL 61 SECOND",
    )
    .await;
    assert_eq!(app.get_as(&user, "/v1/me").await.status, StatusCode::OK);
    let until = Instant::now() + Duration::from_secs(20);
    while noted().await == 2020 && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
    assert!(noted().await > 2020);

    // Less than a minute after the last time nothing is written, whatever there is.
    set("last_active_at", "users", "id", "'2020-01-01'").await;
    assert_eq!(app.get_as(&user, "/v1/me").await.status, StatusCode::OK);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(noted().await, 2020);
}

/// `password_hash('correct horse', PASSWORD_BCRYPT, ['cost' => 4])` of PHP 8.
const PHP_HASH: &str = "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
