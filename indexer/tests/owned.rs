//! What opens with what somebody owns, what mixes with a rack, and near tempos.

use config::LiveVersion;
use config::catalogue::Edition;
use indexer::{Facet, Harmony, Owned, SearchError, SearchRequest, Sort, TempoNear};
use store::musical_key::MusicalKey;

use crate::support::{Fixture, ids};

fn owned(live: &str, edition: Edition) -> Owned {
    Owned {
        live: live.parse::<LiveVersion>().expect("a version"),
        edition,
        max_for_live: false,
        plugins: Vec::new(),
        packs: Vec::new(),
        max_devices: Vec::new(),
        suite_holds_all: false,
    }
}

fn opens(fixture: &Fixture, owned: Owned) -> Vec<u64> {
    let mut request = SearchRequest::default();
    request.filters.opens(owned);
    let mut found = ids(&fixture.search(&request));
    found.sort_unstable();
    found
}

#[tokio::test]
async fn only_what_opens_completely_passes_and_what_is_unknown_never_does() {
    let fixture = Fixture::new().await;
    let parsed = [
        (1, "11.3", "standard", "[]"),
        (
            2,
            "11.3",
            "suite",
            r#"[{"needs": "max_for_live", "value": "max_for_live", "because": "Granulator"}]"#,
        ),
        (
            3,
            "11.3",
            "unknown",
            r#"[{"needs": "edition", "value": "unknown", "because": "Echo"}]"#,
        ),
        (4, "12.2", "intro", "[]"),
        (
            5,
            "10.1",
            "intro",
            r#"[{"needs": "plugin", "value": "Serum", "because": "vst3 5653"}]"#,
        ),
        (
            6,
            "10.1",
            "intro",
            r#"[{"needs": "pack", "value": "Grand Piano", "because": "2 of its samples"}]"#,
        ),
        (
            7,
            "10.1",
            "intro",
            r#"[{"needs": "max_device", "value": "Weird", "because": "its file is not part of the rack"}]"#,
        ),
        (
            8,
            "10.1",
            "intro",
            r#"[{"needs": "something_new", "value": "X", "because": "a later parser"}]"#,
        ),
    ];
    for (id, live, edition, needs) in parsed {
        let more = format!("required_live_version = '{live}', required_edition = '{edition}', requirements = '{needs}'");
        fixture.insert(id, "Rack", &more).await;
        fixture
            .db
            .execute(&format!(
                "INSERT INTO parsed_racks (workflow_id, parser_version, summary, rack, warnings) VALUES ({id}, 1, '{{}}', '{{}}', '[]')"
            ))
            .await;
    }
    fixture.insert(9, "Never parsed", "").await;
    fixture.rebuild().await;

    assert_eq!(opens(&fixture, owned("11.3", Edition::Standard)), [1]);
    assert_eq!(opens(&fixture, owned("11.2", Edition::Standard)), Vec::<u64>::new());
    assert_eq!(opens(&fixture, owned("12.2", Edition::Intro)), [4]);
    assert_eq!(
        opens(&fixture, owned("12.2b3", Edition::Intro)),
        Vec::<u64>::new(),
        "a beta is before its release"
    );
    assert_eq!(opens(&fixture, owned("12.2", Edition::Suite)), [1, 4]);
    let more = Owned {
        max_for_live: true,
        plugins: vec!["SERUM".to_owned()],
        packs: vec!["Grand Piano".to_owned()],
        max_devices: vec!["Weird".to_owned()],
        ..owned("12.2", Edition::Suite)
    };
    assert_eq!(opens(&fixture, more.clone()), [1, 2, 4, 5, 6, 7]);
    let concluded = Owned {
        suite_holds_all: true,
        ..more
    };
    assert_eq!(opens(&fixture, concluded.clone()), [1, 2, 3, 4, 5, 6, 7]);
    let of_standard = Owned {
        edition: Edition::Standard,
        ..concluded
    };
    assert_eq!(
        opens(&fixture, of_standard),
        [1, 4, 5, 6, 7],
        "it says nothing to owners of less than Suite"
    );
    let hit = &fixture
        .search(&SearchRequest::default().with(Facet::Needs, "plugin:serum"))
        .hits[0];
    assert_eq!(hit.card.requirements.forced_by[0]["value"], "Serum");
}

#[tokio::test]
async fn keys_in_any_notation_find_what_goes_with_them() {
    let fixture = Fixture::new().await;
    for (id, key) in [
        (1, "Am"),
        (2, "C"),
        (3, "D minor"),
        (4, "9A"),
        (5, "F"),
        (6, "1d"),
        (7, "G"),
        (8, "F#"),
    ] {
        fixture.insert(id, "Rack", &format!("key_signature = '{key}'")).await;
    }
    fixture.rebuild().await;
    let found = |text: &str, harmony: Harmony| {
        let mut request = SearchRequest::default();
        request.filters.key(MusicalKey::parse(text).expect("a key"), harmony);
        let mut found = ids(&fixture.search(&request));
        found.sort_unstable();
        found
    };
    for notation in ["Am", "8A", "1m", "a-Moll"] {
        assert_eq!(found(notation, Harmony::Exact), [1]);
        assert_eq!(found(notation, Harmony::Compatible), [1, 2, 3, 4, 6]);
        assert_eq!(found(notation, Harmony::Diagonal), [1, 2, 3, 4, 5, 6, 7]);
    }
}

#[tokio::test]
async fn half_and_double_time_come_after_the_tempo_itself_and_nearest_come_first() {
    let fixture = Fixture::new().await;
    for (id, bpm) in [
        (1, "140"),
        (2, "70"),
        (3, "136"),
        (4, "280"),
        (5, "100"),
        (6, "NULL"),
        (7, "69"),
    ] {
        fixture.insert(id, "Rack", &format!("bpm = {bpm}")).await;
    }
    fixture.rebuild().await;
    let near = |half_and_double: bool, sort: Sort| {
        let request = SearchRequest {
            tempo: Some(TempoNear {
                half_and_double,
                ..TempoNear::of(140.0)
            }),
            sort,
            ..SearchRequest::default()
        };
        ids(&fixture.search(&request))
    };
    assert_eq!(near(false, Sort::BpmDistance), [1, 3]);
    assert_eq!(near(true, Sort::BpmDistance), [1, 3, 4, 2, 7]);
    assert_eq!(near(true, Sort::Newest), [3, 1, 7, 4, 2]);
    let orders_only = SearchRequest {
        tempo: Some(TempoNear {
            within: None,
            ..TempoNear::of(140.0)
        }),
        sort: Sort::BpmDistance,
        ..SearchRequest::default()
    };
    assert_eq!(ids(&fixture.search(&orders_only)), [1, 3, 5, 4, 2, 7, 6]);
    let without = SearchRequest {
        sort: Sort::BpmDistance,
        ..SearchRequest::default()
    };
    assert!(matches!(fixture.index.search(&without), Err(SearchError::NoTempo)));
}

#[tokio::test]
async fn what_mixes_with_a_rack_has_a_compatible_key_and_a_near_tempo() {
    let fixture = Fixture::new().await;
    for (id, key, bpm) in [
        (1, "'Am'", "128"),
        (2, "'C'", "126"),
        (3, "'Em'", "129"),
        (4, "'F#'", "128"),
        (5, "'Am'", "90"),
        (6, "NULL", "128"),
        (7, "'C'", "NULL"),
        (8, "NULL", "NULL"),
    ] {
        fixture
            .insert(id, "Rack", &format!("key_signature = {key}, bpm = {bpm}"))
            .await;
    }
    fixture.insert(9, "Hidden", "is_published = FALSE, bpm = 128").await;
    fixture.rebuild().await;
    let mix = |id: u64| {
        fixture.index.search(&SearchRequest {
            mix_with: Some(id),
            sort: Sort::BpmDistance,
            ..SearchRequest::default()
        })
    };
    let answer = mix(1).expect("it mixes");
    assert_eq!(ids(&answer), [3, 2], "the nearest first, and not itself");
    let told = answer.mix.expect("what was asked for");
    assert_eq!(
        (told.with, told.key.map(|key| key.name()), told.bpm),
        (1, Some("Am"), Some(128.0))
    );
    assert_eq!(ids(&mix(6).expect("by its tempo alone")), [4, 1, 3, 2]);
    assert_eq!(ids(&mix(7).expect("by its key alone")), [5, 2, 1]);
    for nothing in [8, 9, 99] {
        assert!(matches!(mix(nothing), Err(SearchError::NothingToMix(_))), "{nothing}");
    }
}
