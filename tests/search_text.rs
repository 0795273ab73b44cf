//! What a search of text tells beside its hits.

use serde_json::json;

use crate::app::{TestApp, reverb_rack};

#[tokio::test]
async fn an_answer_says_how_it_was_understood_what_matched_and_why() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let metadata = json!({"title": "Warm <Tape> Pad", "description": "Slow wobbles", "genre": "Ambient", "bpm": 80});
    let id = app.published(&user, reverb_rack("Warm"), metadata).await;
    app.follow().await;
    let found = app
        .get("/v1/search?q=the+warn+%22tape+pad%22+warm+-loud+genre:ambient+ta&matching=all")
        .await;
    let found = found.body;
    assert_eq!(found["total"], 0, "four letters are not put right: {found}");
    assert_eq!(found["relaxed"][0]["left_out"], json!(["warn"]));
    let found = app.get("/v1/search?q=warn+%22tape+pad%22+warm+ta&explain=true").await.body;
    assert_eq!(
        (&found["total"], &found["understood"]["may_miss"]),
        (&json!(1), &json!(1)),
        "{found}"
    );
    assert_eq!(found["hits"][0]["explain"]["missing"], json!(["warn"]));
    assert_eq!(
        app.get("/v1/search?q=warm&matching=some").await.refused_fields(),
        ["matching"]
    );
    let found = app
        .get("/v1/search?q=the+%22tape+pad%22+warm+-loud+genre:ambient+ta&explain=true&highlight_pre=[&highlight_post=]")
        .await;
    let found = found.body;
    assert_eq!(found["hits"][0]["id"], id, "{found}");
    assert_eq!(
        found["understood"],
        json!({"text": "the \"tape pad\" warm -loud genre:ambient ta", "words": ["the", "warm", "ta"], "prefix": "ta",
            "phrases": ["tape pad"], "excluded": ["loud"], "filters": [{"field": "genre", "value": "ambient", "excluded": false}],
            "ignored": ["the"], "may_miss": 0, "any_word_may_be_missing": false})
    );
    let hit = &found["hits"][0];
    assert_eq!(
        hit["highlights"]["title"],
        json!([{"at": 0, "text": "[Warm] &lt;[Tape]&gt; [Pad]"}])
    );
    assert_eq!(hit["explain"]["words"][2]["kind"], "prefix");
    assert_eq!(hit["explain"]["tiers"]["fields"], 0);
    assert!(
        hit["score"].as_f64().is_some_and(|score| (0.0..1.0).contains(&score)),
        "{hit}"
    );

    let typo = app.get("/v1/search?q=wobbels+").await.body;
    assert_eq!((&typo["total"], &typo["did_you_mean"]), (&json!(1), &json!("wobbles ")));
    let plain = app.get("/v1/search?q=warm&highlight=false").await.body;
    assert_eq!(
        (&plain["hits"][0]["highlights"], &plain["hits"][0]["explain"]),
        (&json!({}), &json!(null))
    );
}
