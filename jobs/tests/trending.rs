//! What trends: the formula's promises, whatever people do, and that what is remembered between computations changes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use config::{Settings, TrendingSettings};
use jobs::testing::run_pending_jobs;
use jobs::trending::{Act, Acts, Decay, expectation_left, expectation_of_day, median, observe, score};
use jobs::{TrendingState, compute_trending};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::queue::{RollUp, enqueue};
use store::stats::EventKind;
use store::trending::{BoardLine, Parts, Span, board, creator_board, current};
use test_support::TestDb;

use crate::support::context;

/// Noon of 2026-06-01.
const NOW_S: i64 = 1_780_315_200;

const DAY_S: i64 = 86_400;

/// Floats are added up in whatever order.
const CLOSE: f64 = 1e-9;

fn settings() -> TrendingSettings {
    Settings::defaults().unwrap().trending
}

fn act() -> impl Strategy<Value = Act> {
    (
        1_u64..4,
        1_u64..25,
        -DAY_S..70 * DAY_S,
        0_u64..5,
        0_usize..6,
        1_u8..6,
        prop::bool::weighted(0.3),
    )
        .prop_map(|(item, actor, age_s, network, kind, rating, is_newcomer)| Act {
            item,
            actor,
            at_s: NOW_S - age_s,
            network,
            kind: EventKind::ALL[kind],
            rating: if EventKind::ALL[kind] == EventKind::Rating {
                rating
            } else {
                0
            },
            is_newcomer,
        })
}

/// Many within the last day, so that all spans have something.
fn acts() -> impl Strategy<Value = Vec<Act>> {
    vec((act(), any::<bool>()), 0..150).prop_map(|acts| {
        acts.into_iter()
            .map(|(act, is_fresh)| {
                if is_fresh {
                    Act {
                        at_s: NOW_S - (NOW_S - act.at_s).abs() / 70,
                        ..act
                    }
                } else {
                    act
                }
            })
            .collect()
    })
}

fn columns(acts: &[Act]) -> Acts {
    let mut columns = Acts::default();
    acts.iter().for_each(|act| columns.push(*act));
    columns.latest().unwrap()
}

fn observed(acts: &[Act], span: Span, now_s: i64) -> BTreeMap<u64, Parts> {
    observe(&settings(), &columns(acts), Decay::Window(span, now_s))
        .into_iter()
        .collect()
}

fn weight_of(acts: &[Act], item: u64) -> f64 {
    observed(acts, Span::Day, NOW_S)
        .get(&item)
        .map_or(0.0, |parts| parts.observed)
}

/// Scores with the expectation that follows from all acts of the past, as the job makes it.
fn scores(acts: &[Act], span: Span, now_s: i64) -> BTreeMap<u64, f64> {
    let settings = settings();
    let midnight_s = now_s - now_s.rem_euclid(DAY_S);
    let mut by_day: BTreeMap<i64, Vec<Act>> = BTreeMap::new();
    for act in acts.iter().filter(|act| act.at_s < midnight_s) {
        by_day.entry(act.at_s.div_euclid(DAY_S)).or_default().push(*act);
    }
    let mut own: BTreeMap<u64, f64> = BTreeMap::new();
    for (day, acts) in by_day {
        let factor = expectation_of_day(&settings, span, (day + 1) * DAY_S, midnight_s);
        for (item, parts) in observe(&settings, &columns(&acts), Decay::None) {
            *own.entry(item).or_default() += factor * parts.observed;
        }
    }
    let left = expectation_left(&settings, span, now_s - midnight_s);
    let group = median(&mut own.values().copied().collect::<Vec<_>>(), 3) * left;
    observed(acts, span, now_s)
        .into_iter()
        .map(|(item, mut parts)| {
            let own = own.get(&item).copied().unwrap_or_default() * left;
            (item, score(&settings, &mut parts, own, group))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_more_person_never_lowers_their_item_and_leaves_the_others_alone(
        acts in acts(), mut more in act(), span in 0_usize..3, expected in 0.0_f64..20.0,
    ) {
        let span = Span::ALL[span];
        more.actor = 1000;
        let before = observed(&acts, span, NOW_S);
        let after = observed(&[acts, vec![more]].concat(), span, NOW_S);
        for item in 1..4 {
            let scored = |parts: Option<&Parts>| {
                parts.map_or(0.0, |parts| score(&settings(), &mut parts.clone(), expected, 0.0))
            };
            let (before, after) = (scored(before.get(&item)), scored(after.get(&item)));
            if item == more.item {
                prop_assert!(after >= before - CLOSE, "{before} became {after}");
            } else {
                prop_assert_eq!(before, after);
            }
        }
    }

    #[test]
    fn while_nothing_happens_no_score_rises(acts in acts(), span in 0_usize..3, later_s in 0_i64..60 * DAY_S) {
        let span = Span::ALL[span];
        // What is in the future is an event that has not happened.
        let acts: Vec<Act> = acts.into_iter().filter(|act| act.at_s <= NOW_S).collect();
        let now = scores(&acts, span, NOW_S);
        for (item, score) in scores(&acts, span, NOW_S + later_s) {
            let before = now.get(&item).copied().unwrap_or_default();
            prop_assert!(score <= before + CLOSE, "item {item}: {before} became {score}");
        }
    }

    #[test]
    fn ratings_of_three_stars_and_fewer_add_nothing(acts in acts(), ratings in vec((act(), 1_u8..4), 0..20)) {
        let bad = ratings.into_iter().map(|(act, rating)| Act {
            actor: act.actor + 1000, kind: EventKind::Rating, rating, at_s: NOW_S, ..act
        });
        let all: Vec<Act> = acts.iter().copied().chain(bad).collect();
        prop_assert_eq!(observed(&acts, Span::Week, NOW_S), observed(&all, Span::Week, NOW_S));
    }

    #[test]
    fn a_thousand_events_by_one_person_do_not_beat_ten_people(
        events in vec(act(), 1000), helpers in 0_u64..3, network in 0_u64..2,
    ) {
        let viewer = |item, actor| Act {
            item, actor, at_s: NOW_S - 60, network: 0, kind: EventKind::View, rating: 0, is_newcomer: false,
        };
        let mut all: Vec<Act> = events.into_iter()
            .map(|act| Act { item: 1, actor: 1, at_s: NOW_S - 60, network, is_newcomer: false, ..act })
            .collect();
        all.extend((0..helpers).map(|helper| viewer(1, 10 + helper)));
        all.extend((0..10).map(|person| viewer(2, 20 + person)));
        let found = observed(&all, Span::Day, NOW_S);
        let scored = |item: u64| score(&settings(), &mut found[&item].clone(), 0.0, 0.0);
        prop_assert!(scored(1) < scored(2));
        prop_assert_eq!(scored(1) > 0.0, helpers == 2);
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (acts, shuffled) in acts().prop_flat_map(|acts| (Just(acts.clone()), Just(acts).prop_shuffle())),
    ) {
        for span in Span::ALL {
            prop_assert_eq!(observed(&acts, span, NOW_S), observed(&shuffled, span, NOW_S));
        }
    }

    #[test]
    fn newcomers_in_whatever_number_never_more_than_double_an_item(acts in acts(), crowd in 0_u64..400) {
        let established: Vec<Act> = acts.into_iter().map(|act| Act { is_newcomer: false, ..act }).collect();
        let before = weight_of(&established, 1);
        let newcomers = (0..crowd).flat_map(|number| EventKind::ALL.map(|kind| Act {
            item: 1, actor: 1000 + number, at_s: NOW_S, network: 0, kind, rating: 5, is_newcomer: true,
        }));
        let after = weight_of(&established.iter().copied().chain(newcomers).collect::<Vec<_>>(), 1);
        let settings = settings();
        // The most that one person can count, as a newcomer.
        let one = settings.newcomer_weight * (settings.download + settings.further_acts * (settings.view + settings.like + settings.comment + 2.0 * settings.star + settings.collection_add));
        let free = f64::from(settings.newcomers_free) * one;
        // Caps of single persons, which more people loosen, may have held back as much as everybody's value.
        let uncapped: f64 = observed(&established, Span::Day, NOW_S).get(&1).map_or(0.0, |parts| parts.raw);
        prop_assert!(after <= 2.0 * (uncapped.max(before) + free) + CLOSE, "{before} became {after}");
    }
}

#[test]
fn a_burst_from_one_network_counts_as_few_people() {
    let crowd = |network_of: fn(u64) -> u64| -> f64 {
        let acts: Vec<Act> = (0..100)
            .map(|person| Act {
                item: 1,
                actor: person + 1,
                at_s: NOW_S,
                network: network_of(person),
                kind: EventKind::Download,
                rating: 0,
                is_newcomer: false,
            })
            .collect();
        weight_of(&acts, 1)
    };
    assert!(crowd(|person| person + 1) > 299.0);
    assert!(crowd(|_| 0) > 299.0, "unknown networks are not one network");
    // Two in full and then a half, a quarter, and so on.
    assert!((8.9..=9.0).contains(&crowd(|_| 7)));
}

#[test]
fn an_even_flow_is_what_is_expected_of_it() {
    // Twenty different people a day for a year, at all times of the day.
    let acts: Vec<Act> = (0..20 * 365)
        .map(|number| Act {
            item: 1,
            actor: number as u64 + 1,
            at_s: NOW_S - number * DAY_S / 20,
            network: 0,
            kind: EventKind::View,
            rating: 0,
            is_newcomer: false,
        })
        .collect();
    for span in Span::ALL {
        let found = observed(&acts, span, NOW_S)[&1].observed;
        let score = scores(&acts, span, NOW_S)[&1];
        assert!(score < 1.0, "{span}: {found} is taken for unusual: {score}");
    }
}

#[test]
fn half_of_a_group_decides_its_median() {
    assert_eq!(median(&mut [3.0, 1.0, 2.0], 3), 2.0);
    assert_eq!(median(&mut [3.0, 1.0, 2.0], 5), 1.0);
    assert_eq!(median(&mut [3.0, 1.0, 2.0], 6), 0.0);
    assert_eq!(median(&mut [], 0), 0.0);
}

// ------------------------------------------------------------------------------------------------- with a database

/// Communities tried.
const CASES: usize = 5;

/// One statement that makes or unmakes something.
fn statement(id: usize, event: &(u64, u64, i64, u8, u8), now: DateTime<Utc>) -> String {
    let (workflow, user, age_s, kind, rating) = event;
    let at = (now - TimeDelta::seconds(*age_s)).format("%Y-%m-%d %H:%M:%S");
    match kind {
        0 | 1 => format!(
            "INSERT INTO workflow_views (id, workflow_id, user_id, ip_address, session_id, created_at)
             VALUES ({id}, {workflow}, {}, '192.0.{}.7', 's{user}', '{at}');",
            if *kind == 0 { user.to_string() } else { "NULL".to_owned() },
            user % 3,
        ),
        2 => format!(
            "INSERT INTO workflow_downloads (id, workflow_id, user_id, created_at) VALUES ({id}, {workflow}, {user}, '{at}');"
        ),
        3 => format!(
            "INSERT INTO workflow_likes (id, workflow_id, user_id, created_at) VALUES ({id}, {workflow}, {user}, '{at}')
             ON DUPLICATE KEY UPDATE created_at = '{at}';"
        ),
        4 => format!(
            "INSERT INTO workflow_comments (id, workflow_id, user_id, content, created_at) VALUES ({id}, {workflow}, {user}, 'x', '{at}');"
        ),
        _ => format!(
            "INSERT INTO workflow_ratings (id, workflow_id, user_id, rating, created_at) VALUES ({id}, {workflow}, {user}, {rating}, '{at}')
             ON DUPLICATE KEY UPDATE rating = {rating};"
        ),
    }
}

async fn community() -> TestDb {
    let db = TestDb::new().await;
    for user in 1..=12 {
        let age_days = if user % 4 == 0 { 20 } else { 400 };
        db.execute(&format!(
            "INSERT INTO users (id, username, email, password, created_at)
             VALUES ({user}, 'producer-{user:03}', '{user}@example.org', 'x', NOW() - INTERVAL {age_days} DAY)"
        ))
        .await;
    }
    db.execute(
        "INSERT INTO workflows (id, user_id, title, slug, rack_type, genre, adg_file_path, parse_state, is_published, created_at) VALUES
           (1, 1, 'One', 'one', 'instrument', 'Techno', 'one.adg', 'no_file', TRUE, NOW() - INTERVAL 90 DAY),
           (2, 1, 'Two', 'two', 'instrument', 'techno', 'two.adg', 'no_file', TRUE, NOW() - INTERVAL 90 DAY),
           (3, 2, 'Three', 'three', 'midi_effect', NULL, 'three.adg', 'no_file', TRUE, NOW() - INTERVAL 90 DAY),
           (4, 3, 'Hidden', 'hidden', 'instrument', 'Techno', 'four.adg', 'no_file', FALSE, NOW() - INTERVAL 90 DAY)",
    )
    .await;
    db
}

async fn roll_up(context: &jobs::Context) {
    enqueue(&mut context.db.acquire().await.unwrap(), &RollUp::default(), None)
        .await
        .unwrap();
    run_pending_jobs(context).await.unwrap();
}

/// All lines of the current generation, workflows' and creators'.
async fn lines(db: &TestDb) -> Vec<(Span, u64, f64, Parts)> {
    let mut connection = db.pool().acquire().await.unwrap();
    let generation = current(&mut connection).await.unwrap().unwrap();
    let mut all = Vec::new();
    for span in Span::ALL {
        let scored = |line: &BoardLine| line.score > 0.0;
        let lines = board(&mut connection, generation.id, span).await.unwrap();
        all.extend(
            lines
                .into_iter()
                .filter(scored)
                .map(|line| (span, line.workflow.0, line.score, line.parts)),
        );
        let lines = creator_board(&mut connection, generation.id, span).await.unwrap();
        let scored = lines.into_iter().filter(|line| line.score > 0.0);
        all.extend(scored.map(|line| (span, 1_000_000 + line.user.0, line.score, line.parts)));
    }
    all
}

#[tokio::test]
async fn what_is_remembered_between_computations_changes_nothing() {
    let mut runner = TestRunner::default();
    let event = (1_u64..5, 1_u64..13, 0_i64..50 * DAY_S, 0_u8..6, 1_u8..6).prop_map(|(workflow, user, age_s, kind, rating)| {
        // Half of them within two days.
        let age_s = if age_s % 2 == 0 { age_s / 25 } else { age_s };
        (workflow, user, age_s, kind, rating)
    });
    for _ in 0..CASES {
        let (first, late, gone) = (
            vec(event.clone(), 80..160),
            vec(event.clone(), 0..60),
            vec(any::<bool>(), 160),
        )
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let db = community().await;
        let context = context(&db);
        let now: DateTime<Utc> = Utc::now();
        let settings = context.settings.trending.clone();
        let mut state = TrendingState::default();

        for (id, event) in (1..).zip(&first) {
            db.execute(&statement(id, event, now)).await;
        }
        roll_up(&context).await;
        compute_trending(&context.db, &settings, &mut state, now).await.unwrap();

        for (id, event) in (1000..).zip(&late) {
            db.execute(&statement(id, event, now)).await;
        }
        for (id, _) in gone.iter().enumerate().filter(|(_, gone)| **gone) {
            for table in [
                "workflow_views",
                "workflow_downloads",
                "workflow_likes",
                "workflow_comments",
                "workflow_ratings",
            ] {
                db.execute(&format!("DELETE FROM {table} WHERE id = {id}")).await;
            }
        }
        db.execute("UPDATE users SET suspended_at = NOW() WHERE id = 5").await;
        roll_up(&context).await;
        let later = now + TimeDelta::minutes(1);
        compute_trending(&context.db, &settings, &mut state, later).await.unwrap();
        // Of the past, some days at a time are weighed.
        compute_trending(&context.db, &settings, &mut state, later).await.unwrap();
        let remembered = lines(&db).await;
        assert!(!remembered.is_empty());
        assert!(
            remembered.iter().all(|(_, id, ..)| *id != 4),
            "what is not visible scores nothing"
        );

        db.execute("DELETE FROM trending_attention; DELETE FROM trending_days").await;
        let mut nothing = TrendingState::default();
        for _ in 0..2 {
            compute_trending(&context.db, &settings, &mut nothing, later).await.unwrap();
        }
        let anew = lines(&db).await;
        assert_eq!(
            remembered.iter().map(|(span, id, ..)| (*span, *id)).collect::<Vec<_>>(),
            anew.iter().map(|(span, id, ..)| (*span, *id)).collect::<Vec<_>>()
        );
        for ((_, id, before, parts), (.., after, parts_anew)) in remembered.iter().zip(&anew) {
            assert!(
                (before - after).abs() < CLOSE,
                "{id}: {before} {parts:?} or {after} {parts_anew:?}"
            );
        }
    }
}

#[tokio::test]
async fn generations_follow_each_other_without_a_gap_and_the_one_before_stays_for_its_readers() {
    let db = community().await;
    let context = context(&db);
    let now = Utc::now();
    for user in 2..8_u64 {
        db.execute(&statement(user as usize, &(1, user, 60, 2, 0), now)).await;
    }
    let mut state = TrendingState::default();
    let settings = &context.settings.trending;
    let first = compute_trending(&context.db, settings, &mut state, now).await.unwrap();
    let mut connection = db.pool().acquire().await.unwrap();
    let line = board(&mut connection, first.id, Span::Day).await.unwrap().remove(0);
    assert_eq!((line.workflow.0, line.previous_score, line.parts.downloads), (1, 0.0, 6));

    db.execute("DELETE FROM workflow_downloads").await;
    let second = compute_trending(&context.db, settings, &mut state, now + TimeDelta::minutes(1))
        .await
        .unwrap();
    assert_eq!(current(&mut connection).await.unwrap().unwrap().id, second.id);
    assert_eq!(
        board(&mut connection, first.id, Span::Day).await.unwrap().len(),
        1,
        "for who is still at it"
    );
    let lines = board(&mut connection, second.id, Span::Day).await.unwrap();
    assert_eq!(
        (lines[0].score, lines[0].previous_score),
        (0.0, line.score),
        "that it scored before is kept"
    );

    compute_trending(&context.db, settings, &mut state, now + TimeDelta::minutes(2))
        .await
        .unwrap();
    assert_eq!(board(&mut connection, first.id, Span::Day).await.unwrap(), []);
    assert_eq!(db.integer("SELECT COUNT(*) FROM trending_generations").await, 2);

    // One that was overtaken while it was written goes, and its rows with it.
    let overtaken = store::trending::begin(&mut connection, now).await.unwrap();
    let winner = compute_trending(&context.db, settings, &mut state, now + TimeDelta::minutes(3))
        .await
        .unwrap();
    assert!(!store::trending::publish(&mut connection, overtaken).await.unwrap());
    assert_eq!(current(&mut connection).await.unwrap().unwrap().id, winner.id);
}

#[tokio::test]
async fn days_of_the_past_are_weighed_once_and_again_when_they_change() {
    let db = community().await;
    let context = context(&db);
    let now = Utc::now();
    for user in 2..8_u64 {
        db.execute(&statement(user as usize, &(1, user, 40 * DAY_S, 2, 0), now)).await;
    }
    roll_up(&context).await;
    let mut state = TrendingState::default();
    let settings = &context.settings.trending;
    compute_trending(&context.db, settings, &mut state, now).await.unwrap();
    let day: NaiveDate = (now - TimeDelta::days(40)).date_naive();
    let weights = async || {
        db.shell()
            .text(&format!(
                "SELECT CONCAT(COUNT(*), ' ', CAST(ROUND(SUM(weight) * 1000) AS SIGNED)) FROM trending_attention WHERE day = '{day}'"
            ))
            .await
    };
    assert_eq!(weights().await.as_deref(), Some("1 15750"));
    db.execute("DELETE FROM workflow_downloads WHERE user_id = 2").await;
    roll_up(&context).await;
    compute_trending(&context.db, settings, &mut state, now).await.unwrap();
    assert_eq!(weights().await.as_deref(), Some("1 12750"));
}
