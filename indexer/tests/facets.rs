//! Counts of the one pass against counting by hand, over random selections.

use std::collections::{BTreeMap, BTreeSet};

use indexer::{BpmRange, Card, Facet, SearchRequest};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::Fixture;

const GENRES: [&str; 5] = ["Techno", "House", "Drum & Bass", "Ambient", "Lo-Fi"];
const KEYS: [&str; 4] = ["Am", "C", "F#m", "Eb"];
const TAGS: [&str; 6] = ["warm", "dark", "glitch", "pad", "808", "vocal"];
const DEVICES: [&str; 5] = ["Operator", "Reverb", "Echo", "EQ Eight", "Saturator"];
const KINDS: [&str; 3] = ["instrument", "audio_effect", "midi_effect"];
const LEVELS: [&str; 3] = ["beginner", "intermediate", "advanced"];

/// Documents in the catalogue: several segments, once some were replaced.
const DOCUMENTS: u64 = 400;

/// A number that looks random and is always the same.
fn mixed(seed: u64) -> usize {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(x >> 40).unwrap_or(0)
}

async fn fill(fixture: &Fixture) {
    let tags: Vec<String> = (1..).zip(TAGS).map(|(id, tag)| format!("({id}, '{tag}')")).collect();
    fixture
        .db
        .execute(&format!("INSERT INTO workflow_tags (id, name) VALUES {}", tags.join(", ")))
        .await;
    let mut rows = Vec::new();
    let mut pivots = Vec::new();
    for id in 1..=DOCUMENTS {
        let pick = |salt: u64, of: usize| mixed(id * 31 + salt) % of;
        let maybe = |salt: u64, values: &[&str]| match pick(salt, values.len() + 1) {
            0 => "NULL".to_owned(),
            at => format!("'{}'", values[at - 1]),
        };
        let devices: Vec<&str> = (0..5)
            .filter(|at| pick(10 + at, 3) == 0)
            .map(|at| DEVICES[at as usize])
            .collect();
        let bpm = if pick(3, 5) == 0 {
            "NULL".to_owned()
        } else {
            (60 + pick(4, 120)).to_string()
        };
        rows.push(format!(
            "({id}, {}, 'rack {}', 'r{id}', '{}', {}, {}, {bpm}, '{}', '{}', 'none.adg', TRUE)",
            1 + id % 2,
            if pick(6, 2) == 0 { "soft" } else { "hard" },
            KINDS[pick(7, 3)],
            maybe(1, &GENRES),
            maybe(2, &KEYS),
            LEVELS[pick(5, 3)],
            serde_json::to_string(&devices).unwrap_or_default(),
        ));
        pivots.extend(
            (0..6)
                .filter(|at| pick(20 + at, 4) == 0)
                .map(|at| format!("({id}, {})", at + 1)),
        );
    }
    fixture
        .db
        .execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, key_signature, bpm, difficulty_level, devices_used,
               adg_file_path, is_published) VALUES {}; INSERT INTO workflow_tag_pivot VALUES {}",
            rows.join(", "),
            pivots.join(", ")
        ))
        .await;
}

/// Values that a card has in a facet.
fn values(card: &Card, facet: Facet) -> Vec<String> {
    match facet {
        Facet::Genre => card.genre.clone().into_iter().collect(),
        Facet::Key => card.key.clone().into_iter().collect(),
        Facet::Device => card.devices.clone(),
        Facet::Plugin => card.plugins.clone(),
        Facet::Tag => card.tags.clone(),
        Facet::Kind => vec![card.kind.clone()],
        Facet::Difficulty => card.difficulty.clone().into_iter().collect(),
        Facet::Author => vec![card.author.username.clone()],
    }
}

fn passes(card: &Card, request: &SearchRequest, but: Option<Facet>, but_bpm: bool) -> bool {
    let text = request.text.is_empty() || card.title.split(' ').any(|word| word == request.text);
    let bpm = but_bpm
        || request
            .bpm
            .is_none_or(|range| card.bpm.is_some_and(|bpm| range.contains(bpm)));
    let selections = request.selections.iter().all(|(facet, wanted)| {
        Some(*facet) == but || wanted.is_empty() || values(card, *facet).iter().any(|value| wanted.contains(value))
    });
    text && bpm && selections
}

fn selections() -> impl Strategy<Value = BTreeMap<Facet, Vec<String>>> {
    let of = |facet: Facet, values: &'static [&'static str]| {
        let chosen = proptest::sample::subsequence(values.to_vec(), 0..=values.len().min(3));
        proptest::option::weighted(0.4, chosen)
            .prop_map(move |chosen| chosen.map(|chosen| (facet, chosen.into_iter().map(str::to_owned).collect::<Vec<_>>())))
    };
    (
        of(Facet::Genre, &GENRES),
        of(Facet::Key, &KEYS),
        of(Facet::Tag, &TAGS),
        of(Facet::Device, &DEVICES),
        of(Facet::Kind, &KINDS),
        of(Facet::Difficulty, &LEVELS),
        of(Facet::Author, &["producer-001", "producer-003"]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].into_iter().flatten().collect())
}

#[tokio::test]
async fn counts_of_one_pass_are_those_of_counting_by_hand() {
    let fixture = Fixture::new().await;
    fill(&fixture).await;
    fixture.rebuild().await;
    // Replace some, so that there are several segments and deleted documents.
    let follower = indexer::Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 50);
    let mut db = fixture.db.pool().acquire().await.expect("a connection");
    let some: Vec<store::WorkflowId> = (1..=DOCUMENTS).step_by(3).map(store::WorkflowId).collect();
    store::index_log::log(&mut db, &some).await.expect("logged");
    follower.catch_up().await.expect("caught up");
    assert!(fixture.index.status().segments > 1);

    let all = SearchRequest {
        limit: 1000,
        ..SearchRequest::default()
    };
    let cards: Vec<Card> = fixture.search(&all).hits.into_iter().map(|hit| hit.card).collect();
    assert_eq!(cards.len() as u64, DOCUMENTS);

    let bpm = proptest::option::weighted(0.4, (60_u32..120, 0_u32..80));
    let text = proptest::sample::select(vec!["", "soft", "hard"]);
    let cases = (selections(), bpm, text);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        cases: 1000,
        ..Config::default()
    });
    let result = runner.run(&cases, |(selections, bpm, text)| {
        let request = SearchRequest {
            text: text.to_owned(),
            selections,
            bpm: bpm.map(|(from, width)| BpmRange {
                min: Some(from.into()),
                max: Some((from + width).into()),
            }),
            limit: 1000,
            facet_limit: 1000,
            ..SearchRequest::default()
        };
        let answer = fixture.search(&request);
        let expected: BTreeSet<u64> = cards
            .iter()
            .filter(|card| passes(card, &request, None, false))
            .map(|card| card.id)
            .collect();
        prop_assert_eq!(answer.total, expected.len() as u64);
        prop_assert_eq!(answer.hits.iter().map(|hit| hit.card.id).collect::<BTreeSet<_>>(), expected);
        for counted in &answer.facets {
            let mut by_hand: BTreeMap<String, u64> = BTreeMap::new();
            for card in cards.iter().filter(|card| passes(card, &request, Some(counted.facet), false)) {
                for value in values(card, counted.facet) {
                    *by_hand.entry(value).or_default() += 1;
                }
            }
            let found: BTreeMap<String, u64> = counted
                .values
                .iter()
                .filter(|value| value.count > 0)
                .map(|value| (value.value.clone(), value.count))
                .collect();
            prop_assert_eq!(counted.distinct, by_hand.len());
            prop_assert_eq!(found, by_hand, "{}", counted.facet);
        }
        let mut steps: BTreeMap<u32, u64> = BTreeMap::new();
        for bpm in cards
            .iter()
            .filter(|card| passes(card, &request, None, true))
            .filter_map(|card| card.bpm)
        {
            *steps.entry(bpm as u32 / 10 * 10).or_default() += 1;
        }
        prop_assert_eq!(answer.bpm.steps.into_iter().collect::<BTreeMap<_, _>>(), steps);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
