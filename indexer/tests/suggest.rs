//! Suggestions, and search inside a facet's values.

use chrono::{DateTime, Utc};
use indexer::{Facet, SearchRequest};

use crate::plain::{Plain, expected, fill};
use crate::support::Fixture;

fn suggested(fixture: &Fixture, text: &str, now: DateTime<Utc>) -> Vec<(Option<Facet>, String, u64)> {
    let found = fixture.index.suggest(text, 5, now, None).expect("the index answers");
    let items = found.items.into_iter();
    items.map(|found| (found.facet, found.value, found.count)).collect()
}

fn owned(found: &[(Option<Facet>, &str, u64)]) -> Vec<(Option<Facet>, String, u64)> {
    found
        .iter()
        .map(|(facet, value, count)| (*facet, (*value).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn titles_and_values_are_suggested_with_what_is_visible_of_them() {
    let fixture = Fixture::new().await;
    fixture
        .insert(1, "Reverb Wash", r#"genre = 'Reversed', devices_used = '["Reverb", "Echo"]'"#)
        .await;
    fixture
        .insert(2, "Wash of Reverb", r#"user_id = 2, devices_used = '["Reverb"]'"#)
        .await;
    fixture
        .insert(
            3,
            "Reverb Later",
            r#"genre = 'Revenant', devices_used = '["Reverb"]', published_at = '2037-01-01'"#,
        )
        .await;
    fixture
        .insert(4, "Reverb Hidden", r#"genre = 'Reverie', is_published = FALSE"#)
        .await;
    fixture.rebuild().await;
    let now = Utc::now();
    let all = owned(&[
        (None, "Wash of Reverb", 1),
        (None, "Reverb Wash", 2),
        (Some(Facet::Device), "Reverb", 2),
        (Some(Facet::Genre), "Reversed", 1),
    ]);
    assert_eq!(suggested(&fixture, "rev", now), all);
    assert_eq!(suggested(&fixture, "REVER", now), all);
    assert_eq!(suggested(&fixture, "reverb wa", now)[..2], all[..2]);
    assert_eq!(
        suggested(&fixture, "revreb", now),
        owned(&[(Some(Facet::Device), "Reverb", 2)])
    );
    assert_eq!(
        suggested(&fixture, "producer-00", now),
        owned(&[
            (Some(Facet::Author), "producer-001", 1),
            (Some(Facet::Author), "producer-002", 1)
        ])
    );
    assert_eq!(suggested(&fixture, "", now), []);
    assert_eq!(suggested(&fixture, "###", now), []);

    let later: DateTime<Utc> = "2037-01-02T00:00:00Z".parse().expect("a time");
    let then = suggested(&fixture, "rev", later);
    assert!(then.contains(&(Some(Facet::Device), "Reverb".to_owned(), 3)), "{then:?}");
    assert!(then.contains(&(Some(Facet::Genre), "Revenant".to_owned(), 1)), "{then:?}");
    assert!(then.iter().any(|(_, value, _)| value == "Reverb Later"), "{then:?}");

    let follower = indexer::Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 100);
    fixture.db.execute("UPDATE users SET suspended_at = NOW() WHERE id = 1").await;
    follower.catch_up().await.expect("caught up");
    assert_eq!(
        suggested(&fixture, "rev", now),
        owned(&[(None, "Wash of Reverb", 1), (Some(Facet::Device), "Reverb", 1)])
    );
}

#[tokio::test]
async fn a_facets_values_are_found_with_the_counts_that_a_search_shows() {
    let fixture = Fixture::new().await;
    let catalogue: Vec<Plain> = (1..=300).map(Plain::of).collect();
    fill(&fixture, &catalogue).await;
    for genre in [None, Some("Techno")] {
        for (facet, typed, fits) in [
            (
                Facet::Device,
                "",
                vec!["Auto Pan", "Reverb", "Operator", "Arpeggiator", "Granulator"],
            ),
            (Facet::Device, "pa", vec!["Auto Pan"]),
            (Facet::Device, "operatro", vec!["Operator"]),
            (Facet::Vendor, "fab", vec!["FabFilter"]),
            (Facet::Genre, "te", vec!["Techno"]),
            (Facet::Genre, "bass", vec!["Drum & Bass"]),
            (Facet::Tag, "80", vec!["808"]),
            (Facet::Tag, "zzz", vec![]),
        ] {
            let mut request = SearchRequest {
                facets: vec![facet],
                ..SearchRequest::default()
            };
            if let Some(genre) = genre {
                request.filters.any(Facet::Genre, genre);
            }
            let found = fixture
                .index
                .facet_values(facet, typed, 10, &request)
                .expect("the index answers");
            let by_hand = &expected(&catalogue, &request).facets[0];
            let mut fits: Vec<(String, u64)> = fits.into_iter().map(|value| (value.to_owned(), by_hand[value])).collect();
            fits.sort();
            let mut values: Vec<(String, u64)> = found.values.iter().map(|value| (value.value.clone(), value.count)).collect();
            values.sort();
            assert_eq!(values, fits, "{facet} `{typed}`");
            assert_eq!(found.found, fits.len());
        }
    }
}

#[tokio::test]
async fn totals_stay_those_of_counting_whatever_is_replaced_merged_and_removed() {
    let fixture = Fixture::new().await;
    let catalogue: Vec<Plain> = (1..=200).map(Plain::of).collect();
    fill(&fixture, &catalogue).await;
    let follower = indexer::Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 20);
    let mut left = catalogue.clone();
    for round in 0..25_u64 {
        let gone: Vec<String> = (1..=200)
            .filter(|id| id % 25 == round)
            .map(|id: u64| id.to_string())
            .collect();
        let again: Vec<String> = (1..=200)
            .filter(|id| id % 7 == round % 7)
            .map(|id: u64| id.to_string())
            .collect();
        fixture
            .db
            .execute(&format!(
                "UPDATE workflows SET is_published = FALSE WHERE id IN ({}); UPDATE workflows SET title = CONCAT(title, ' x') WHERE id IN ({})",
                gone.join(","),
                again.join(",")
            ))
            .await;
        follower.catch_up().await.expect("caught up");
        left.retain(|plain| plain.id % 25 != round);
        let request = SearchRequest {
            facet_limit: 1000,
            ..SearchRequest::default()
        };
        let answer = fixture.search(&request);
        for (counted, by_hand) in answer.facets.iter().zip(expected(&left, &request).facets) {
            let found = counted
                .values
                .iter()
                .map(|value| (value.value.clone(), value.count))
                .collect();
            assert_eq!(by_hand, found, "{} in round {round}", counted.facet);
        }
    }
    assert!(left.is_empty());
}
