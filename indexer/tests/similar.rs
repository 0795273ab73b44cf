//! Racks like a given one.

use chrono::Utc;
use indexer::{LikenessKind, Similar};

use crate::support::Fixture;

fn similar(fixture: &Fixture, id: u64) -> Option<Vec<Similar>> {
    let settings = config::Settings::defaults().expect("the defaults are valid");
    let found = fixture.index.similar(id, 10, Utc::now(), None, &settings.similar, &[]);
    found.expect("the index answers").map(|found| found.racks)
}

fn ids(similar: &[Similar]) -> Vec<u64> {
    similar.iter().map(|similar| similar.hit.card.id).collect()
}

#[tokio::test]
async fn a_rare_shared_device_weighs_more_than_a_common_one_and_is_the_reason() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "Asked", r#"devices_used = '["Roar", "Reverb"]'"#).await;
    fixture
        .insert(2, "Common", r#"user_id = 2, devices_used = '["Reverb", "Echo"]'"#)
        .await;
    fixture.insert(3, "Rare", r#"devices_used = '["Roar", "Echo"]'"#).await;
    for id in 4..12 {
        fixture
            .insert(id, "Other", r#"user_id = 2, devices_used = '["Reverb"]'"#)
            .await;
    }
    fixture.rebuild().await;
    let found = similar(&fixture, 1).expect("it is public");
    assert_eq!(found[0].hit.card.id, 3);
    assert_eq!(found[0].reasons[0].kind, LikenessKind::Devices);
    assert_eq!(found[0].reasons[0].values, ["Roar"]);
}

#[tokio::test]
async fn no_content_comes_twice_and_no_author_twice_in_a_row() {
    let fixture = Fixture::new().await;
    let hash = |of: &str| format!("content_hash = UNHEX(SHA2('{of}', 256)), devices_used = '[\"Roar\"]'");
    fixture.insert(1, "Asked", &hash("a")).await;
    fixture.insert(2, "Asked", &format!("user_id = 2, {}", hash("a"))).await;
    fixture.insert(3, "One", &hash("b")).await;
    fixture.insert(4, "One again", &format!("user_id = 2, {}", hash("b"))).await;
    fixture.insert(5, "Two", &hash("c")).await;
    fixture.insert(6, "Three", &hash("d")).await;
    fixture
        .insert(7, "Far", r#"user_id = 2, devices_used = '["Roar", "Echo", "Reverb"]'"#)
        .await;
    fixture.rebuild().await;
    let found = similar(&fixture, 1).expect("it is public");
    let authors: Vec<u64> = found.iter().map(|similar| similar.hit.card.author.id).collect();
    assert!(authors.windows(2).all(|pair| pair[0] != pair[1]), "{authors:?}");
    let ids = ids(&found);
    assert!(!ids.contains(&1) && !ids.contains(&2), "{ids:?}");
    assert!(!(ids.contains(&3) && ids.contains(&4)), "{ids:?}");
    assert!(ids.contains(&7), "{ids:?}");
}

#[tokio::test]
async fn what_may_not_be_seen_is_neither_answered_nor_answered_for() {
    let fixture = Fixture::new().await;
    let roar = r#"devices_used = '["Roar"]'"#;
    fixture.insert(1, "Seen", roar).await;
    fixture.insert(2, "Seen too", &format!("user_id = 2, {roar}")).await;
    fixture
        .insert(3, "Later", &format!("user_id = 2, published_at = '2037-01-01', {roar}"))
        .await;
    fixture
        .insert(4, "Hidden", &format!("user_id = 2, is_published = FALSE, {roar}"))
        .await;
    fixture.insert(5, "Nothing in common", "user_id = 2").await;
    fixture.insert(6, "", "").await;
    fixture.rebuild().await;
    assert_eq!(ids(&similar(&fixture, 1).expect("it is public"))[..1], [2]);
    for hidden in [3, 4, 99] {
        assert!(!ids(&similar(&fixture, 1).expect("it is public")).contains(&hidden));
        assert!(similar(&fixture, hidden).is_none(), "{hidden}");
    }
    assert!(
        similar(&fixture, 6).expect("it is public").is_empty(),
        "a rack that says nothing is like none"
    );
}

#[tokio::test]
async fn old_and_new_elements_of_a_device_are_alike_and_descriptions_tell_their_part() {
    let fixture = Fixture::new().await;
    fixture
        .insert(
            1,
            "Asked",
            r#"devices_used = '["Auto Pan"]', description = 'tremolo of a rotating cabinet'"#,
        )
        .await;
    fixture
        .insert(2, "New", r#"user_id = 2, devices_used = '["Auto Pan-Tremolo"]'"#)
        .await;
    fixture
        .insert(3, "Words", "description = 'the rotating cabinet of an organ'")
        .await;
    for id in 4..12 {
        fixture.insert(id, "Other", "user_id = 2, description = 'of a the an'").await;
    }
    fixture.rebuild().await;
    let found = similar(&fixture, 1).expect("it is public");
    assert_eq!(ids(&found)[..2], [2, 3]);
    assert_eq!(
        (found[0].reasons[0].kind, &found[0].reasons[0].values[..]),
        (LikenessKind::Devices, &["Auto Pan".to_owned()][..])
    );
    assert_eq!(found[1].reasons[0].kind, LikenessKind::Text);
    assert!(
        found[1].reasons[0].values[..2].contains(&"rotating".to_owned()),
        "{:?}",
        found[1].reasons
    );
}
