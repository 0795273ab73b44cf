//! Likes and follows, with the activities that they write and take back.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, User, reverb_rack};

/// Types and data of somebody's activities, in order.
async fn activities(app: &TestApp, user: &User) -> Vec<String> {
    let mut found = Vec::new();
    let count = app
        .db
        .integer(&format!("SELECT COUNT(*) FROM user_activities WHERE user_id = {}", user.id))
        .await;
    for offset in 0..count {
        let row = app
            .db
            .shell()
            .text(&format!(
                "SELECT CONCAT(activity_type, ' ', COALESCE(workflow_id, '-'), ' ', COALESCE(comment_id, '-'), ' ',
                               COALESCE(following_id, '-'))
                 FROM user_activities WHERE user_id = {} ORDER BY id LIMIT 1 OFFSET {offset}",
                user.id
            ))
            .await;
        found.push(row.expect("a row"));
    }
    found
}

/// Names in a page of people.
fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["user"]["username"].as_str().expect("a name"))
        .collect()
}

#[tokio::test]
async fn a_like_counts_once_writes_its_activity_and_goes_with_it() {
    let app = TestApp::start().await;
    let (author, fan, other) = (
        app.user("producer-001").await,
        app.user("producer-002").await,
        app.user("producer-003").await,
    );
    let id = app.published(&author, reverb_rack("Liked"), json!({"title": "Liked"})).await;
    let path = format!("/v1/workflows/{id}/like");
    for _ in 0..2 {
        let liked = app.send(&fan, Method::PUT, &path, None).await;
        assert_eq!(
            (liked.status, liked.body),
            (StatusCode::OK, json!({"is_liked": true, "likes": 1}))
        );
    }
    assert_eq!(activities(&app, &fan).await, [format!("workflow_like {id} - -")]);
    app.send(&other, Method::PUT, &path, None).await;
    let likers = app.get(&format!("/v1/workflows/{id}/likes?limit=1")).await.body;
    assert_eq!(names(&likers), ["producer-003"]);
    let next = likers["next"].as_str().expect("a next page");
    let likers = app.get(&format!("/v1/workflows/{id}/likes?limit=1&cursor={next}")).await.body;
    assert_eq!((names(&likers), &likers["next"]), (vec!["producer-002"], &Value::Null));
    let own = app.get_as(&fan, "/v1/me/likes").await.body;
    assert_eq!(
        (&own["items"][0]["id"], &own["items"][0]["author"]["username"]),
        (&json!(id), &json!("producer-001"))
    );
    assert_eq!(app.get(&format!("/v1/workflows/{id}")).await.body["counts"]["likes"], 2);

    for _ in 0..2 {
        let unliked = app.send(&fan, Method::DELETE, &path, None).await;
        assert_eq!(
            (unliked.status, unliked.body),
            (StatusCode::OK, json!({"is_liked": false, "likes": 1}))
        );
    }
    assert!(activities(&app, &fan).await.is_empty());

    // A workflow that is hidden is out of reach and out of the list; deleting it takes its activities along.
    app.post_as(&author, &format!("/v1/workflows/{id}/unpublish")).await;
    app.send(&other, Method::PUT, &path, None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    assert_eq!(app.get_as(&other, "/v1/me/likes").await.body["items"], json!([]));
    assert_eq!(activities(&app, &other).await.len(), 1);
    app.send(&author, Method::DELETE, &format!("/v1/workflows/{id}"), None).await;
    assert!(activities(&app, &other).await.is_empty());
    assert!(activities(&app, &author).await.is_empty(), "the upload's went too");
}

#[tokio::test]
async fn a_follow_counts_on_both_sides_and_goes_with_its_activity() {
    let app = TestApp::start().await;
    let (star, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    for _ in 0..2 {
        let followed = app.send(&fan, Method::PUT, "/v1/users/producer-001/follow", None).await;
        assert_eq!(
            (followed.status, followed.body),
            (StatusCode::OK, json!({"is_following": true, "followers": 1}))
        );
    }
    assert_eq!(activities(&app, &fan).await, [format!("user_follow - - {}", star.id)]);
    assert_eq!(
        names(&app.get("/v1/users/producer-001/followers").await.body),
        ["producer-002"]
    );
    assert_eq!(
        names(&app.get("/v1/users/producer-002/following").await.body),
        ["producer-001"]
    );
    assert!(names(&app.get("/v1/users/producer-001/following").await.body).is_empty());
    app.send(&star, Method::PUT, "/v1/users/producer-001/follow", None)
        .await
        .assert_problem(StatusCode::CONFLICT, "own_account");
    app.send(&star, Method::PUT, "/v1/users/nobody-here/follow", None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    for _ in 0..2 {
        let unfollowed = app.send(&fan, Method::DELETE, "/v1/users/producer-001/follow", None).await;
        assert_eq!(
            (unfollowed.status, unfollowed.body),
            (StatusCode::OK, json!({"is_following": false, "followers": 0}))
        );
    }
    assert!(activities(&app, &fan).await.is_empty());
    app.send(&fan, Method::PUT, "/v1/users/producer-001/follow", None).await;
    app.db.execute(&format!("DELETE FROM users WHERE id = {}", star.id)).await;
    assert!(activities(&app, &fan).await.is_empty(), "who was followed is gone");
}

#[tokio::test]
async fn rows_of_other_programs_say_what_they_are_about() {
    let app = TestApp::start().await;
    let (author, fan) = (app.user("producer-001").await, app.user("producer-002").await);
    let id = app
        .published(&author, reverb_rack("Adopted"), json!({"title": "Adopted"}))
        .await;
    app.db
        .execute(&format!(
            r#"INSERT INTO user_activities (user_id, activity_type, activity_data) VALUES
                 ({0}, 'workflow_like', '{{"workflow_id": {id}, "workflow_title": "Adopted"}}'),
                 ({0}, 'workflow_comment', '{{"workflow_id": "{id}", "comment_id": 7}}'),
                 ({0}, 'user_follow', '{{"following_id": {1}}}'),
                 ({0}, 'workflow_rating', '{{"workflow_id": "all of them"}}'), ({0}, 'workflow_rating', NULL)"#,
            fan.id, author.id
        ))
        .await;
    assert_eq!(
        activities(&app, &fan).await,
        [
            format!("workflow_like {id} - -"),
            format!("workflow_comment {id} 7 -"),
            format!("user_follow - - {}", author.id),
            "workflow_rating - - -".to_owned(),
            "workflow_rating - - -".to_owned()
        ]
    );
    // A like of ours finds the activity that is there.
    app.send(&fan, Method::PUT, &format!("/v1/workflows/{id}/like"), None).await;
    assert_eq!(activities(&app, &fan).await.len(), 5);
    app.send(&fan, Method::DELETE, &format!("/v1/workflows/{id}/like"), None)
        .await;
    assert_eq!(activities(&app, &fan).await.len(), 4);
}

#[tokio::test]
async fn a_rating_is_one_a_user_is_changed_in_place_and_never_of_ones_own() {
    let app = TestApp::start().await;
    let (author, fan, other) = (
        app.user("producer-001").await,
        app.user("producer-002").await,
        app.user("producer-003").await,
    );
    let id = app.published(&author, reverb_rack("Rated"), json!({"title": "Rated"})).await;
    let path = format!("/v1/workflows/{id}/rating");
    app.send(&author, Method::PUT, &path, Some(json!({"stars": 5})))
        .await
        .assert_problem(StatusCode::CONFLICT, "own_workflow");
    for stars in [json!(0), json!(6), json!(-1)] {
        let refused = app.send(&fan, Method::PUT, &path, Some(json!({ "stars": stars }))).await;
        assert_eq!(
            (refused.status, refused.refused_fields()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec!["stars"])
        );
    }
    let verdict = json!({"stars": 5, "review": "As @producer-001 says: <wow>", "is_recommended": true});
    let rated = app.send(&fan, Method::PUT, &path, Some(verdict)).await;
    assert_eq!(
        (rated.status, rated.body),
        (StatusCode::OK, json!({"ratings": 1, "average_rating": 5.0}))
    );
    app.send(&other, Method::PUT, &path, Some(json!({"stars": 4}))).await;
    let again = app.send(&other, Method::PUT, &path, Some(json!({"stars": 2}))).await;
    assert_eq!(again.body, json!({"ratings": 2, "average_rating": 3.5}));
    let rating = app
        .db
        .shell()
        .text(&format!(
            "SELECT CAST(GROUP_CONCAT(JSON_VALUE(activity_data, '$.rating')) AS CHAR) FROM user_activities
             WHERE user_id = {} AND activity_type = 'workflow_rating'",
            other.id
        ))
        .await;
    assert_eq!(rating.as_deref(), Some("2"), "one activity, with the stars as they are now");
    let list = app.get(&format!("/v1/workflows/{id}/ratings")).await.body;
    assert_eq!(
        (&list["items"][0]["stars"], &list["items"][1]["stars"]),
        (&json!(2), &json!(5))
    );
    let list = app.get(&format!("/v1/workflows/{id}/ratings?only_reviews=true")).await.body;
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        list["items"][0]["review"],
        json!({
            "text": "As @producer-001 says: <wow>",
            "entities": [{"kind": "mention", "start": 3, "end": 16, "username": "producer-001"}],
            "html": "As <span class=\"mention\" data-username=\"producer-001\">@producer-001</span> says: &lt;wow&gt;"
        })
    );
    for _ in 0..2 {
        let gone = app.send(&fan, Method::DELETE, &path, None).await;
        assert_eq!(
            (gone.status, gone.body),
            (StatusCode::OK, json!({"ratings": 1, "average_rating": 2.0}))
        );
    }
    assert!(activities(&app, &fan).await.is_empty());
}

#[tokio::test]
async fn a_block_stands_between_two_people_and_nobody_else() {
    let app = TestApp::start().await;
    let (author, fan, other) = (
        app.user("producer-001").await,
        app.user("producer-002").await,
        app.user("producer-003").await,
    );
    let id = app
        .published(&author, reverb_rack("Blocked"), json!({"title": "Blocked"}))
        .await;
    let comments = format!("/v1/workflows/{id}/comments");
    let follow = "/v1/users/producer-001/follow";
    for user in [&fan, &other] {
        app.send(user, Method::PUT, follow, None).await;
    }
    let written = app
        .send(&fan, Method::POST, &comments, Some(json!({"content": "Before"})))
        .await;
    let comment = written.body["id"].clone();
    let blocked = app.send(&author, Method::PUT, "/v1/me/blocks/producer-002", None).await;
    assert!(blocked.status.is_success(), "{}", blocked.body);

    assert_eq!(
        activities(&app, &fan).await.len(),
        1,
        "the follow's went, the comment's stays"
    );
    app.send(&fan, Method::PUT, follow, None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    app.send(&author, Method::PUT, "/v1/users/producer-002/follow", None)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "not_found");
    app.send(&fan, Method::POST, &comments, Some(json!({"content": "After"})))
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    let reply = json!({"content": "Reply", "parent_id": comment});
    app.send(&author, Method::POST, &comments, Some(reply.clone()))
        .await
        .assert_problem(StatusCode::FORBIDDEN, "forbidden");
    assert_eq!(
        app.send(&other, Method::POST, &comments, Some(reply)).await.status,
        StatusCode::CREATED
    );
    for (user, state) in [(&author, "hidden"), (&fan, "shown"), (&other, "shown")] {
        let page = app.get_as(user, &comments).await.body;
        assert_eq!(page["items"][0]["state"], state, "to {}", user.id);
    }
    // In lists of others' followers, too.
    app.send(&fan, Method::PUT, "/v1/users/producer-003/follow", None).await;
    let followers = "/v1/users/producer-003/followers";
    assert_eq!(names(&app.get(followers).await.body), ["producer-002"]);
    assert!(names(&app.get_as(&author, followers).await.body).is_empty());
    app.send(&author, Method::DELETE, "/v1/me/blocks/producer-002", None).await;
    assert_eq!(app.send(&fan, Method::PUT, follow, None).await.status, StatusCode::OK);
}
