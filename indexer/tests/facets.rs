//! Counts of the one pass against counting by hand, and against tantivy's own filter aggregations, over random selections.

use std::collections::BTreeMap;

use indexer::{
    Condition, Control, Facet, Filters, Fits, Flag, Group, Number, Owned, SearchRequest, SearchResponse, Sort, TempoNear, Test,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tantivy::aggregation::AggregationCollector;
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::query::AllQuery;
use tantivy::schema::{FAST, STRING, Schema};

use crate::plain::{
    AUTHORS, DEVICES, EDITIONS, Expected, GENRES, KEYS, KINDS, LEVELS, LIVES, PACKS, PLUGINS, Plain, TAGS, expected, fill,
    first_day, range,
};
use crate::support::{Fixture, ids};

/// Documents in the catalogue: several segments, once some were replaced.
const DOCUMENTS: u64 = 200;

/// Pages, of two requests on average, that are compared with counting by hand.
const CASES: u32 = 1200;

/// Selections that are compared with tantivy's aggregations.
const AGGREGATED: u32 = 300;

fn values_of(facet: Facet) -> Vec<String> {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match facet {
        Facet::Genre => owned(&GENRES),
        Facet::Key => owned(&KEYS),
        Facet::Device => owned(&DEVICES.map(|device| device.2)),
        Facet::Plugin => owned(&PLUGINS.map(|plugin| plugin.0)),
        Facet::Tag => owned(&TAGS),
        Facet::Kind => owned(&KINDS),
        Facet::Difficulty => owned(&LEVELS),
        Facet::Author => owned(&AUTHORS),
        Facet::Origin => owned(&["native", "max_for_live", "plugin"]),
        Facet::Vendor => owned(&["Xfer Records", "FabFilter"]),
        Facet::Category => owned(&KINDS),
        Facet::CategoryDevice => DEVICES.iter().map(|device| format!("{} > {}", device.4, device.2)).collect(),
        Facet::Edition => owned(&EDITIONS),
        Facet::Live => owned(&LIVES),
        Facet::Form => owned(&["rack", "device"]),
        Facet::Needs => vec!["plugin:Serum".to_owned(), "pack:Grand Piano".to_owned()],
    }
}

fn value() -> impl Strategy<Value = Test> {
    (
        proptest::sample::select(Facet::ALL.to_vec()),
        any::<proptest::sample::Index>(),
        0..10_u8,
    )
        .prop_map(|(facet, at, form)| {
            let values = values_of(facet);
            let value = values[at.index(values.len())].clone();
            let fits = match form {
                0 => Fits::StartsWith(value.chars().take(1).collect()),
                1 => Fits::Contains(value.chars().skip(1).take(2).collect()),
                2 => Fits::Anything,
                3 => Fits::Is("what nothing has".to_owned()),
                // The case of a key means something.
                4 if facet != Facet::Key => Fits::Is(value.to_uppercase()),
                _ => Fits::Is(value),
            };
            Test::Value(facet, fits)
        })
}

fn number() -> impl Strategy<Value = Test> {
    let other = (
        proptest::sample::select(Number::ALL.to_vec()),
        0..200_u32,
        0..150_u32,
        0..4_u8,
    );
    other.prop_map(|(number, min, width, form)| match number {
        Number::Uploaded => {
            let days = indexer::Range::at_least((first_day().timestamp() + i64::from(min) * 43_200) as f64);
            Test::Number(number, days)
        }
        Number::Rating => Test::Number(number, range(min % 4, width % 3, form)),
        Number::MacroCount | Number::ChainCount | Number::DeviceCount => Test::Number(number, range(min % 10, width % 8, form)),
        _ => Test::Number(number, range(min, width, form)),
    })
}

fn owned() -> impl Strategy<Value = Test> {
    let lists = (
        proptest::sample::subsequence(PLUGINS.map(|plugin| plugin.0.to_owned()).to_vec(), 0..=4),
        proptest::sample::subsequence(PACKS.map(str::to_owned).to_vec(), 0..=2),
    );
    let live = proptest::sample::select(vec!["10.1.9", "11.2", "11.3.13", "12.1", "12.4"]);
    (live, 0..3_usize, any::<bool>(), any::<bool>(), lists).prop_map(
        |(live, edition, max_for_live, suite_holds_all, (plugins, packs))| {
            use config::catalogue::Edition::{Intro, Standard, Suite};
            Test::Opens(Owned {
                live: live.parse().expect("a version"),
                edition: [Intro, Standard, Suite][edition],
                max_for_live,
                plugins,
                packs,
                max_devices: Vec::new(),
                suite_holds_all,
            })
        },
    )
}

fn condition() -> impl Strategy<Value = Condition> {
    let live = proptest::sample::select(LIVES.to_vec()).prop_map(|live| Test::Live(live.parse().expect("a version")));
    let flag = proptest::sample::select(Flag::ALL.to_vec()).prop_map(Test::Flag);
    let test = prop_oneof![8 => value(), 4 => number(), 1 => flag, 1 => live, 2 => owned()];
    test.prop_map(Condition::Is).prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Condition::Any),
            1 => proptest::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            1 => inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

/// A page's usual choice: some of one facet's values, with that facet's control.
fn choice() -> impl Strategy<Value = Group> {
    let facet = proptest::sample::select(Facet::ALL.to_vec());
    (facet, proptest::collection::vec(any::<proptest::sample::Index>(), 0..4)).prop_map(|(facet, chosen)| {
        let values = values_of(facet);
        let chosen = chosen
            .iter()
            .map(|at| Condition::value(facet, &values[at.index(values.len())]));
        Group {
            of: Some(Control::Facet(facet.family())),
            condition: Condition::Any(chosen.collect()),
        }
    })
}

fn group() -> impl Strategy<Value = Group> {
    let control = prop_oneof![
        proptest::sample::select(Facet::ALL.to_vec()).prop_map(|facet| Control::Facet(facet.family())),
        proptest::sample::select(Number::ALL.to_vec()).prop_map(Control::Number),
    ];
    let free = (proptest::option::of(control), condition()).prop_map(|(of, condition)| Group { of, condition });
    prop_oneof![2 => choice(), 1 => free]
}

prop_compose! {
    fn request()(
        groups in proptest::collection::vec(group(), 0..5),
        facets in proptest::sample::subsequence(Facet::ALL.to_vec(), 0..=Facet::ALL.len()),
        numbers in proptest::sample::subsequence(Number::ALL.to_vec(), 0..=4),
        sort in proptest::sample::select(Sort::ALL.to_vec()),
        tempo in proptest::option::weighted(0.3, (70..180_u32, proptest::option::of(0..20_u32), any::<bool>())),
        text in proptest::sample::select(vec!["", "soft", "hard"]),
    ) -> SearchRequest {
        let tempo = tempo.map(|(bpm, within, half_and_double)| TempoNear {
            bpm: bpm.into(),
            within: within.map(|percent| f64::from(percent) / 100.0),
            half_and_double,
        });
        SearchRequest {
            text: text.to_owned(),
            filters: Filters { groups },
            sort: if tempo.is_none() && sort == Sort::BpmDistance { Sort::Newest } else { sort },
            tempo,
            facets,
            numbers,
            limit: 1000,
            facet_limit: 1000,
            ..SearchRequest::default()
        }
    }
}

fn compare(answer: &SearchResponse, expected: &Expected) -> Result<(), TestCaseError> {
    prop_assert_eq!(answer.total, expected.ids.len() as u64);
    prop_assert_eq!(
        &ids(answer).into_iter().collect::<std::collections::BTreeSet<_>>(),
        &expected.ids
    );
    if let Some(order) = &expected.order {
        prop_assert_eq!(&ids(answer), order);
    }
    for (counted, by_hand) in answer.facets.iter().zip(&expected.facets) {
        let found: BTreeMap<String, u64> = counted
            .values
            .iter()
            .filter(|value| value.count > 0)
            .map(|value| (value.value.clone(), value.count))
            .collect();
        prop_assert_eq!(counted.distinct, by_hand.len());
        prop_assert_eq!(&found, by_hand, "{}", counted.facet);
    }
    for (counted, by_hand) in answer.numbers.iter().zip(&expected.numbers) {
        let min = by_hand.iter().copied().reduce(f64::min);
        let max = by_hand.iter().copied().reduce(f64::max);
        prop_assert_eq!((counted.min, counted.max, counted.count), (min, max, by_hand.len() as u64));
        prop_assert!((counted.sum - by_hand.iter().sum::<f64>()).abs() < 1e-6 * counted.sum.abs().max(1.0));
        let in_steps: u64 = counted.steps.iter().map(|step| step.count).sum();
        prop_assert_eq!(in_steps, counted.count);
        for step in &counted.steps {
            let within = by_hand
                .iter()
                .filter(|number| **number >= step.from && **number < step.to)
                .count();
            prop_assert_eq!(step.count, within as u64, "{} {:?}", counted.number, step);
        }
    }
    Ok(())
}

#[tokio::test]
async fn counts_of_one_pass_are_those_of_counting_by_hand() {
    let fixture = Fixture::new().await;
    let catalogue: Vec<Plain> = (1..=DOCUMENTS).map(Plain::of).collect();
    fill(&fixture, &catalogue).await;
    // Replace some, so that there are several segments and deleted documents.
    let follower = indexer::Follower::new(fixture.index.clone(), fixture.db.pool().clone(), 50);
    let mut db = fixture.db.pool().acquire().await.expect("a connection");
    let some: Vec<store::WorkflowId> = (1..=DOCUMENTS).step_by(3).map(store::WorkflowId).collect();
    store::index_log::log(&mut db, &some).await.expect("logged");
    follower.catch_up().await.expect("caught up");
    assert!(fixture.index.status().segments > 1);

    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        cases: CASES,
        ..Config::default()
    });
    let requests = std::cell::Cell::new(0_usize);
    let result = runner.run(&proptest::collection::vec(request(), 1..4), |page| {
        let now = chrono::Utc::now();
        let page: Vec<SearchRequest> = page.into_iter().map(|request| SearchRequest { now, ..request }).collect();
        requests.set(requests.get() + page.len());
        let answers = fixture.index.search_all(&page).expect("search answers");
        for (request, answer) in page.iter().zip(&answers) {
            compare(answer, &expected(&catalogue, request))?;
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    println!(
        "{} random requests on {CASES} pages agree with counting by hand",
        requests.get()
    );
}

/// The facets that the aggregations count; those of one control each.
const AGGREGATES: [Facet; 7] = [
    Facet::Genre,
    Facet::Key,
    Facet::Tag,
    Facet::Device,
    Facet::Plugin,
    Facet::Author,
    Facet::Live,
];

/// An index of the same documents made without any of our code, in which values are terms.
fn bare_index(catalogue: &[Plain]) -> tantivy::Index {
    let mut schema = Schema::builder();
    let fields = AGGREGATES.map(|facet| schema.add_text_field(facet.name(), STRING | FAST));
    let index = tantivy::Index::create_in_ram(schema.build());
    let mut writer: tantivy::IndexWriter = index.writer_with_num_threads(1, 15_000_000).expect("a writer");
    for plain in catalogue {
        let mut document = tantivy::TantivyDocument::new();
        for (facet, field) in AGGREGATES.into_iter().zip(fields) {
            plain.values(facet).iter().for_each(|value| document.add_text(field, value));
        }
        writer.add_document(document).expect("added");
    }
    writer.commit().expect("committed");
    index
}

/// A query in tantivy's own language for what was chosen in all facets but one.
fn but(chosen: &BTreeMap<Facet, Vec<String>>, facet: Option<Facet>) -> String {
    let clauses: Vec<String> = chosen
        .iter()
        .filter(|(its, values)| Some(**its) != facet && !values.is_empty())
        .map(|(facet, values)| {
            let values: Vec<String> = values.iter().map(|value| format!("{facet}:\"{value}\"")).collect();
            format!("({})", values.join(" OR "))
        })
        .collect();
    if clauses.is_empty() {
        "*".to_owned()
    } else {
        clauses.join(" AND ")
    }
}

#[tokio::test]
async fn counts_of_one_pass_are_those_of_tantivys_filter_aggregations() {
    let fixture = Fixture::new().await;
    let catalogue: Vec<Plain> = (1..=DOCUMENTS).map(Plain::of).collect();
    fill(&fixture, &catalogue).await;
    let bare = bare_index(&catalogue);
    let searcher = bare.reader().expect("a reader").searcher();
    let chosen = AGGREGATES.map(|facet| {
        let values = values_of(facet).into_iter().collect::<std::collections::BTreeSet<_>>();
        let some = proptest::sample::subsequence(values.into_iter().collect::<Vec<_>>(), 0..=2);
        proptest::option::weighted(0.4, some).prop_map(move |values| (facet, values.unwrap_or_default()))
    });
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        cases: AGGREGATED,
        ..Config::default()
    });
    let result = runner.run(&chosen, |chosen| {
        let chosen: BTreeMap<Facet, Vec<String>> = chosen.into_iter().collect();
        let mut request = SearchRequest {
            facets: AGGREGATES.to_vec(),
            facet_limit: 1000,
            limit: 0,
            ..SearchRequest::default()
        };
        for (facet, values) in &chosen {
            values.iter().for_each(|value| request.filters.any(*facet, value));
        }
        let mut wanted = json!({"hits": {"filter": but(&chosen, None)}});
        for facet in AGGREGATES {
            wanted[facet.name()] = json!({
                "filter": but(&chosen, Some(facet)),
                "aggs": {"values": {"terms": {"field": facet.name(), "size": 1000, "segment_size": 1000}}},
            });
        }
        let wanted: Aggregations = serde_json::from_value(wanted).expect("aggregations");
        let collector = AggregationCollector::from_aggs(wanted, Default::default());
        let aggregated = searcher.search(&AllQuery, &collector).expect("aggregated");
        let aggregated = serde_json::to_value(aggregated).expect("JSON");

        let answer = fixture.search(&request);
        prop_assert_eq!(Some(answer.total), aggregated["hits"]["doc_count"].as_u64());
        for counted in &answer.facets {
            let buckets = aggregated[counted.facet.name()]["values"]["buckets"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let theirs: BTreeMap<String, u64> = buckets
                .iter()
                .map(|bucket: &Value| {
                    (
                        bucket["key"].as_str().unwrap_or_default().to_owned(),
                        bucket["doc_count"].as_u64().unwrap_or(0),
                    )
                })
                .collect();
            let ours = counted.values.iter().filter(|value| value.count > 0);
            let ours: BTreeMap<String, u64> = ours.map(|value| (value.value.clone(), value.count)).collect();
            prop_assert_eq!(ours, theirs, "{}", counted.facet);
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    println!("{AGGREGATED} random selections agree with tantivy's filter aggregations");
}
