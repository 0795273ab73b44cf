//! What is found, in which order, with which counts.

use indexer::{Facet, Number, NumberCounts, SearchError, SearchRequest, Sort, TempoNear};

use crate::support::{Fixture, ids};

#[tokio::test]
async fn a_row_of_plain_sql_is_found_by_everything_that_it_says() {
    let fixture = Fixture::new().await;
    assert!(matches!(
        fixture.index.search(&SearchRequest::default()),
        Err(SearchError::NotReady)
    ));
    fixture
        .insert(
            7,
            "Dusty Lo-Fi Keys",
            r#"description = 'Warm tape wobble', genre = 'Lo-Fi', bpm = 84, key_signature = 'Am', difficulty_level = 'beginner',
               devices_used = '["Electric", {"name": "Vinyl Distortion"}]', macro_controls = '{"Macro 1": "Wobble Depth"}'"#,
        )
        .await;
    fixture
        .db
        .execute("INSERT INTO workflow_tags (id, name) VALUES (1, 'chillhop'); INSERT INTO workflow_tag_pivot VALUES (7, 1)")
        .await;
    fixture.rebuild().await;
    for text in [
        "dusty",
        "KEYS",
        "tape",
        "chillhop",
        "electric",
        "vinyl distortion",
        "depth",
        "cafe nord",
        "producer-001",
        "dus",
        "lo-fi wob",
        "",
        "###",
        "dusty AND (",
        "\"",
        "title:[* TO",
        "-",
        "keys^9~2",
    ] {
        // What says nothing (`AND`, `TO`) need not match; what is a word of a grammar elsewhere is a word here.
        let words_of_grammar = text.contains("title:") || text.contains('^');
        assert_eq!(!fixture.ids(text).is_empty(), !words_of_grammar, "`{text}`");
    }
    assert_eq!(fixture.ids("dubstep"), Vec::<u64>::new());
    let answer = fixture.search(&SearchRequest::default());
    let card = &answer.hits[0].card;
    assert_eq!(
        (card.bpm, card.key.as_deref(), card.kind.as_str()),
        (Some(84.0), Some("Am"), "instrument")
    );
    assert_eq!(card.devices, ["Electric", "Vinyl Distortion"]);
    assert_eq!(card.macros, ["Wobble Depth"]);
    assert_eq!(card.tags, ["chillhop"]);
}

#[tokio::test]
async fn only_what_may_be_seen_is_found() {
    let fixture = Fixture::new().await;
    fixture.insert(1, "Seen", "").await;
    fixture.insert(2, "Unpublished", "is_published = FALSE").await;
    fixture.insert(3, "Taken down", "taken_down_at = '2026-01-01'").await;
    fixture.insert(4, "Later", "published_at = '2037-01-01'").await;
    fixture.insert(5, "Of somebody else", "user_id = 2").await;
    fixture.rebuild().await;
    assert_eq!(ids(&fixture.search(&SearchRequest::default())), [5, 1]);
    let later = SearchRequest {
        now: "2037-01-02T00:00:00Z".parse().expect("a time"),
        ..SearchRequest::default()
    };
    assert_eq!(fixture.search(&later).total, 3);
    fixture.db.execute("UPDATE users SET is_active = FALSE WHERE id = 1").await;
    fixture.rebuild().await;
    assert_eq!(ids(&fixture.search(&SearchRequest::default())), [5]);
    fixture.db.execute("UPDATE users SET suspended_at = NOW() WHERE id = 2").await;
    fixture.rebuild().await;
    assert_eq!(fixture.search(&SearchRequest::default()).total, 0);
}

#[tokio::test]
async fn a_word_ranks_before_what_it_begins_and_a_name_before_a_mention() {
    let fixture = Fixture::new().await;
    fixture
        .insert(1, "Pad", "description = 'a reverb and a reverb and a reverb'")
        .await;
    fixture.insert(2, "Reverberation", "").await;
    fixture.insert(3, "Reverb", "").await;
    fixture.rebuild().await;
    assert_eq!(fixture.ids("reverb"), [3, 1, 2]);
    assert_eq!(fixture.ids("reverb "), [3, 1], "after a blank the word is complete");
}

#[tokio::test]
async fn values_of_one_facet_are_alternatives_and_facets_narrow_each_other() {
    let fixture = Fixture::new().await;
    fixture
        .insert(1, "a", "genre = 'Techno', key_signature = 'Am', bpm = 130")
        .await;
    fixture
        .insert(2, "b", "genre = 'techno', key_signature = 'C', bpm = 135")
        .await;
    fixture
        .insert(3, "c", "genre = 'House', key_signature = 'Am', bpm = 124")
        .await;
    fixture.insert(4, "d", "genre = 'Trance', key_signature = 'Am'").await;
    fixture.rebuild().await;
    let request = SearchRequest::default()
        .with(Facet::Genre, "TECHNO")
        .with(Facet::Genre, "house");
    let answer = fixture.search(&request);
    assert_eq!(answer.total, 3);
    let counts = |facet: Facet| -> Vec<(String, u64, bool)> {
        let facet = answer.facets.iter().find(|counts| counts.facet == facet).expect("counted");
        facet
            .values
            .iter()
            .map(|value| (value.value.clone(), value.count, value.selected))
            .collect()
    };
    let value = |value: &str, count, selected| (value.to_owned(), count, selected);
    assert_eq!(
        counts(Facet::Genre),
        [value("Techno", 2, true), value("House", 1, true), value("Trance", 1, false)]
    );
    assert_eq!(counts(Facet::Key), [value("Am", 2, false), value("C", 1, false)]);

    let mut narrow = SearchRequest {
        numbers: vec![Number::Bpm],
        ..request
    };
    narrow.filters.number(Number::Bpm, "130-".parse().expect("a range"));
    let answer = fixture.search(&narrow);
    assert_eq!(answer.total, 2);
    let NumberCounts { min, max, steps, .. } = &answer.numbers[0];
    let steps: Vec<(f64, u64)> = steps.iter().map(|step| (step.from, step.count)).collect();
    assert_eq!(steps, [(120.0, 1), (130.0, 2)], "the range itself does not narrow the tempos");
    assert_eq!((*min, *max), (Some(124.0), Some(135.0)));

    let unknown = SearchRequest::default().with(Facet::Genre, "Polka");
    let answer = fixture.search(&unknown);
    assert_eq!(answer.total, 0);
    let genres = &answer.facets[0].values;
    assert_eq!(
        genres.last().map(|value| (value.value.as_str(), value.count, value.selected)),
        Some(("Polka", 0, true))
    );
    assert_eq!(genres.len(), 4);
}

#[tokio::test]
async fn pages_in_every_order_join_without_gap_or_repetition() {
    let fixture = Fixture::new().await;
    for id in 1..=23 {
        fixture
            .insert(
                id,
                "same words",
                &format!("bpm = {}, published_at = '2026-01-0{}'", 100 + id % 4, 1 + id % 3),
            )
            .await;
    }
    fixture.rebuild().await;
    for sort in Sort::ALL {
        for text in ["", "words"] {
            let mut request = SearchRequest {
                text: text.to_owned(),
                sort,
                tempo: Some(TempoNear {
                    within: None,
                    ..TempoNear::of(101.0)
                }),
                limit: 5,
                ..SearchRequest::default()
            };
            let mut seen = Vec::new();
            loop {
                let answer = fixture.search(&request);
                assert_eq!(answer.total, 23);
                seen.extend(ids(&answer));
                request.after = answer.next;
                if request.after.is_none() {
                    break;
                }
            }
            let all = SearchRequest {
                limit: 100,
                after: None,
                ..request
            };
            let third = SearchRequest {
                limit: 5,
                skip: 10,
                ..all.clone()
            };
            assert_eq!(seen[10..15], ids(&fixture.search(&third)), "{sort:?} `{text}`");
            assert_eq!(seen, ids(&fixture.search(&all)), "{sort:?} `{text}`");
            seen.sort_unstable();
            assert_eq!(seen, (1..=23).collect::<Vec<_>>(), "{sort:?} `{text}`");
        }
    }
    let none = SearchRequest {
        limit: 0,
        ..SearchRequest::default()
    };
    assert_eq!(fixture.search(&none).total, 23);
}
