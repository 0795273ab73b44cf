//! Which workflows go together: that a generation is what people did, and that ranking by it is worth something on data whose structure the
//! code does not know.

use std::fmt::Write as _;

use chrono::Utc;
use config::{RecommendationSettings, Settings};
use jobs::testing::run_pending_jobs;
use jobs::{Evaluation, Split, compute_recommendations, evaluate_recommendations};
use store::queue::{ComputeRecommendations, enqueue};
use store::recommendation::{self, Neighbour};
use store::{UserId, WorkflowId};
use test_support::TestDb;

use crate::support::context;

fn settings() -> RecommendationSettings {
    Settings::defaults().unwrap().recommendations
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }
}

/// How a community came to be.
#[derive(Clone, Copy)]
struct Made {
    seed: u64,
    listeners: u64,
    workflows: u64,
    scenes: u64,
    /// Share of what somebody takes that has nothing to do with their scenes.
    noise: f64,
    /// Share of people whose scene changes half-way.
    movers: f64,
    /// Most that somebody takes.
    most: u64,
    /// Years ago that it ended.
    years_ago: i64,
}

const AUTHORS: u64 = 40;

/// Everybody belongs to a scene and looks into a second one; within a scene few workflows get most; authors work in all scenes.
async fn community(made: Made) -> TestDb {
    let db = TestDb::new().await;
    let mut random = Random(made.seed);
    let people = AUTHORS + made.listeners;
    let mut users = String::from("INSERT INTO users (id, username, email, password) VALUES ");
    for id in 1..=people {
        write!(
            users,
            "{}({id}, 'u{id}', '{id}@example.org', 'x')",
            if id == 1 { "" } else { "," }
        )
        .unwrap();
    }
    db.execute(&users).await;
    let mut workflows = String::from(
        "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, parse_state, is_published, published_at) VALUES ",
    );
    for id in 1..=made.workflows {
        let (comma, author) = (if id == 1 { "" } else { "," }, 1 + random.below(AUTHORS));
        write!(
            workflows,
            "{comma}({id}, {author}, 'W{id}', 'w-{id}', 'instrument', 'x', 'no_file', TRUE, '2020-01-01')"
        )
        .unwrap();
    }
    db.execute(&workflows).await;
    let a_scene = made.workflows / made.scenes;
    let ends_s = Utc::now().timestamp() - made.years_ago * 365 * 86_400;
    let mut rows: [Vec<String>; 2] = Default::default();
    for user in AUTHORS + 1..=people {
        let mut scene = random.below(made.scenes);
        let second = random.below(made.scenes);
        let moves = random.unit() < made.movers;
        let count = 4 + random.below(made.most - 4);
        let mut taken = std::collections::HashSet::new();
        for at in 0..count {
            if moves && at == count / 2 {
                scene = random.below(made.scenes);
            }
            let chance = random.unit();
            // Few get much, within a scene and altogether.
            let place = |random: &mut Random, of: u64| (random.unit().powi(3) * of as f64) as u64;
            let workflow = if chance < made.noise {
                1 + place(&mut random, made.workflows)
            } else if chance < made.noise + (1.0 - made.noise) * 0.75 {
                1 + place(&mut random, a_scene) * made.scenes + scene
            } else {
                1 + place(&mut random, a_scene) * made.scenes + second
            };
            if !taken.insert(workflow) {
                continue;
            }
            let at_s = ends_s - (count - at) as i64 * 86_400 * 5 - random.below(86_400) as i64;
            let table = usize::from(random.below(3) == 0);
            rows[table].push(format!("({workflow}, {user}, FROM_UNIXTIME({at_s}))"));
        }
    }
    for (rows, table) in rows.iter().zip(["workflow_downloads", "workflow_likes"]) {
        for group in rows.chunks(1000) {
            db.execute(&format!(
                "INSERT INTO {table} (workflow_id, user_id, created_at) VALUES {}",
                group.join(",")
            ))
            .await;
        }
    }
    db
}

const A_COMMUNITY: Made = Made {
    seed: 1,
    listeners: 250,
    workflows: 240,
    scenes: 8,
    noise: 0.15,
    movers: 0.0,
    most: 40,
    years_ago: 0,
};

async fn evaluate(made: Made) -> Evaluation {
    let db = community(made).await;
    evaluate_recommendations(db.pool(), &settings(), Split::default())
        .await
        .unwrap()
}

/// The aims of the program, on communities that nothing was tuned for.
fn assert_aims(found: &Evaluation) {
    assert!(
        found.bare.ndcg >= 0.97 * found.best.ndcg,
        "bare {:?}, best {:?}",
        found.bare,
        found.best
    );
    assert!(
        found.bare.ndcg >= 1.5 * found.popularity.ndcg,
        "bare {:?}, popularity {:?}",
        found.bare,
        found.popularity
    );
    assert!(found.list.ndcg > found.popularity.ndcg, "{:?}", found.list);
    assert!(found.list.coverage > found.popularity.coverage && found.list.novelty > found.popularity.novelty);
}

#[tokio::test]
async fn ranking_by_neighbours_is_as_good_as_a_tuned_item_knn_and_better_than_popularity() {
    assert_aims(&evaluate(A_COMMUNITY).await);
}

#[tokio::test]
async fn tastes_that_change_are_followed_and_what_is_old_ranks_all_the_same() {
    let made = Made {
        seed: 2,
        movers: 0.6,
        noise: 0.1,
        years_ago: 20,
        ..A_COMMUNITY
    };
    assert_aims(&evaluate(made).await);
}

#[tokio::test]
async fn where_there_is_nothing_to_learn_nothing_is_learnt() {
    // All is noise: whatever ranks well here looks at what was held back.
    let made = Made {
        seed: 3,
        noise: 1.0,
        ..A_COMMUNITY
    };
    let found = evaluate(made).await;
    assert!(found.bare.ndcg < 1.1 * found.popularity.ndcg, "{found:#?}");
}

#[tokio::test]
async fn with_nobody_to_measure_it_says_so() {
    let db = TestDb::new().await;
    let error = evaluate_recommendations(db.pool(), &settings(), Split::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nothing to measure"), "{error}");
}

async fn neighbours(db: &TestDb, workflow: u64) -> Vec<Neighbour> {
    recommendation::neighbours_of(&mut db.pool().acquire().await.unwrap(), WorkflowId(workflow))
        .await
        .unwrap()
}

fn ids(neighbours: &[Neighbour]) -> Vec<u64> {
    neighbours.iter().map(|(id, _)| id.0).collect()
}

/// Users 1 to 9; workflows 1 to 6 of user 9.
async fn small() -> TestDb {
    let db = TestDb::new().await;
    for id in 1..=9 {
        db.execute(&format!(
            "INSERT INTO users (id, username, email, password) VALUES ({id}, 'u{id}', '{id}@example.org', 'x')"
        ))
        .await;
    }
    for id in 1..=6 {
        db.execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, parse_state, is_published)
             VALUES ({id}, 9, 'W{id}', 'w-{id}', 'instrument', 'x', 'no_file', TRUE)"
        ))
        .await;
    }
    db
}

async fn download(db: &TestDb, user: u64, workflows: &[u64]) {
    for workflow in workflows {
        db.execute(&format!(
            "INSERT INTO workflow_downloads (workflow_id, user_id) VALUES ({workflow}, {user})"
        ))
        .await;
    }
}

#[tokio::test]
async fn a_generation_is_what_people_wanted_and_takes_the_place_of_the_one_before() {
    let db = small().await;
    let context = context(&db);
    let run = async || {
        enqueue(
            &mut db.pool().acquire().await.unwrap(),
            &ComputeRecommendations::default(),
            None,
        )
        .await
        .unwrap();
        assert_eq!(run_pending_jobs(&context).await.unwrap().failed, 0);
    };
    let is_first_wanted = async || {
        recommendation::is_first_wanted(&mut db.pool().acquire().await.unwrap())
            .await
            .unwrap()
    };
    assert!(!is_first_wanted().await, "nobody did anything");
    run().await;
    assert_eq!(neighbours(&db, 1).await, []);

    download(&db, 1, &[1, 2]).await;
    download(&db, 2, &[1, 2]).await;
    download(&db, 3, &[1, 3]).await;
    // Praise and collections count as downloads do; a bad rating, a bot, an own download, somebody suspended and what is hidden do not.
    db.execute(
        "INSERT INTO workflow_ratings (workflow_id, user_id, rating) VALUES (1, 4, 5), (4, 4, 4), (5, 4, 3);
         INSERT INTO workflow_collections (id, user_id, name) VALUES (1, 4, 'Mine');
         INSERT INTO collection_workflows (collection_id, workflow_id) VALUES (1, 2);
         INSERT INTO workflow_downloads (workflow_id, user_id, counted) VALUES (6, 1, FALSE), (5, 9, TRUE), (1, 9, TRUE);
         UPDATE users SET suspended_at = NOW() WHERE id = 5;
         INSERT INTO workflow_downloads (workflow_id, user_id) VALUES (1, 5), (6, 5)",
    )
    .await;
    assert!(is_first_wanted().await);
    run().await;
    assert!(!is_first_wanted().await);
    assert_eq!(ids(&neighbours(&db, 1).await), [2, 3, 4], "among equals the older one");
    // One person took 4, 1 and 2; more people took 1 than 2, so it is less like 4.
    assert_eq!(ids(&neighbours(&db, 4).await), [2, 1]);
    assert_eq!(neighbours(&db, 5).await, []);
    assert_eq!(neighbours(&db, 6).await, []);
    let likeness = neighbours(&db, 1).await[0].1;
    // Three of the four who took 1 took 2; all weigh the same, since all happened at about the same time.
    let expected = 3.0 / (12.0_f32.sqrt() + settings().shrinkages[0] as f32);
    assert!((likeness - expected).abs() < 1e-3, "{likeness} is not {expected}");

    let first = recommendation::current(&mut db.pool().acquire().await.unwrap())
        .await
        .unwrap()
        .unwrap();
    db.execute("UPDATE workflows SET taken_down_at = NOW() WHERE id = 2; DELETE FROM workflow_downloads WHERE user_id = 3")
        .await;
    run().await;
    assert_eq!(ids(&neighbours(&db, 1).await), [4]);
    run().await;
    let last = recommendation::current(&mut db.pool().acquire().await.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(last.generation.id > first.generation.id);
    // The one before stays for who still reads it; older ones are gone.
    assert_eq!(db.integer("SELECT COUNT(*) FROM recommendation_generations").await, 2);
    assert_eq!(
        db.integer(&format!(
            "SELECT COUNT(*) FROM workflow_neighbours WHERE generation_id < {}",
            last.generation.id - 1
        ))
        .await,
        0
    );
}

#[tokio::test]
async fn one_begun_earlier_and_ended_later_does_not_come_back() {
    let db = small().await;
    download(&db, 1, &[1, 2]).await;
    let mut connection = db.pool().acquire().await.unwrap();
    let slow = recommendation::begin(&mut connection, Utc::now()).await.unwrap();
    recommendation::add_neighbours(&mut connection, slow, &[(WorkflowId(1), vec![(WorkflowId(6), 1.0)])])
        .await
        .unwrap();
    let quick = compute_recommendations(db.pool(), &settings(), Utc::now()).await.unwrap();
    assert!(!recommendation::publish(&mut connection, slow, 1).await.unwrap());
    let current = recommendation::current(&mut connection).await.unwrap().unwrap();
    assert_eq!((current.generation.id, current.workflows), (quick.id, 2));
    assert_eq!(ids(&neighbours(&db, 1).await), [2]);
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_neighbours").await, 2);
}

#[tokio::test]
async fn what_one_person_did_is_read_newest_first_and_all_they_know_is_seen() {
    let db = small().await;
    download(&db, 1, &[1]).await;
    db.execute(
        "INSERT INTO workflow_views (workflow_id, user_id) VALUES (2, 1);
         INSERT INTO workflow_comments (workflow_id, user_id, content) VALUES (3, 1, 'Nice');
         INSERT INTO workflow_dismissals (user_id, workflow_id) VALUES (1, 4), (2, 5)",
    )
    .await;
    let mut acts = recommendation::acts_of(&mut db.pool().acquire().await.unwrap(), UserId(1))
        .await
        .unwrap();
    acts.sort_by_key(|act| act.workflow);
    assert_eq!(acts.iter().map(|act| act.workflow.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let wanted = recommendation::interests(&settings(), acts);
    assert_eq!(wanted.iter().map(|interest| interest.workflow.0).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn an_act_of_tomorrow_does_not_make_all_others_old() {
    let db = small().await;
    download(&db, 1, &[1]).await;
    db.execute("INSERT INTO workflow_likes (workflow_id, user_id, created_at) VALUES (2, 1, NOW() + INTERVAL 9 YEAR)")
        .await;
    let mut connection = db.pool().acquire().await.unwrap();
    let of_one = recommendation::acts_of(&mut connection, UserId(1)).await.unwrap();
    let of_group = recommendation::acts_of_group(&mut connection, (UserId(1), UserId(1)))
        .await
        .unwrap();
    for acts in [of_one, of_group[0].acts.clone()] {
        assert_eq!(acts.len(), 2);
        assert!(acts.iter().all(|act| act.at_s <= Utc::now().timestamp()), "{acts:?}");
    }
}
