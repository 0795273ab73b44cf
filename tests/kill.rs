//! What was acknowledged survives: the program, its database and its Redis are killed again and again while racks are uploaded.
#![expect(clippy::print_stderr, reason = "a failure is only of use with the seed that led to it")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ingest::builder::{Chain, Device, Format, Rack};
use ingest::rack::Kind;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::program::{Up, folder, free_address, signal, token};

mod reactions;

/// Racks that are uploaded.
const UPLOADS: usize = 200;

/// Uploads at once.
const CLIENTS: usize = 4;

/// How often each is killed.
const KILLS: [(Target, usize); 3] = [(Target::Program, 8), (Target::Database, 6), (Target::Redis, 4)];

/// Nothing takes this long, once the killing is over.
const PATIENCE: Duration = Duration::from_secs(180);

/// Between tries.
const REST: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
enum Target {
    Program,
    Database,
    Redis,
}

/// Kill this, so long after so many writes were acknowledged.
#[derive(Debug)]
struct Kill {
    after_writes: usize,
    and: Duration,
    target: Target,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_upload_survives_and_is_found_exactly_once() {
    let seed = std::env::var("COOKBOOK_TEST_SEED").map_or_else(|_| rand::random(), |text| text.parse().unwrap());
    eprintln!("the kills of this run come again with COOKBOOK_TEST_SEED={seed}");
    let plan = plan(&mut StdRng::seed_from_u64(seed), &KILLS, UPLOADS);

    let folder = folder();
    let address = free_address();
    let settings = settings(&address);
    let up = Up::start_with(folder.path(), &settings);
    let author = Arc::new(Author {
        http: reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap(),
        base: format!("http://{address}"),
        token: token(folder.path(), "producer-001"),
        acknowledged: AtomicUsize::new(0),
    });

    let killer = {
        let (author, folder) = (Arc::clone(&author), folder.path().to_owned());
        tokio::task::spawn_blocking(move || carry_out(plan, up, &author.acknowledged, &folder, &settings))
    };
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let author = Arc::clone(&author);
        clients.spawn(async move {
            let mut publications = JoinSet::new();
            for number in (client..UPLOADS).step_by(CLIENTS) {
                let id = author.upload(number).await;
                let author = Arc::clone(&author);
                publications.spawn(async move {
                    author.publish(number, id).await;
                    (number, id)
                });
            }
            publications.join_all().await
        });
    }
    let mut published: Vec<(usize, u64)> = clients.join_all().await.into_iter().flatten().collect();
    let up = killer.await.unwrap();
    published.sort_unstable();
    assert_eq!(published.len(), UPLOADS);

    let deadline = Instant::now() + PATIENCE;
    while author.search("").await["total"] != UPLOADS {
        assert!(Instant::now() < deadline, "not all are found: {}", author.search("").await);
        tokio::time::sleep(REST).await;
    }
    for (number, id) in &published {
        let found = author.search(&word(*number)).await;
        assert_eq!(found["total"], 1, "rack {number} in the index: {found}");
        assert_eq!(found["hits"][0]["id"], *id, "rack {number}");
        let file = author.file(*id).await.expect("an acknowledged file is served");
        assert!(file == rack(*number), "the file of rack {number} is as it was sent");
    }
    let shell = up.shell();
    assert_eq!(shell.integer("SELECT COUNT(*) FROM workflows").await, UPLOADS as i64);
    assert_eq!(
        shell
            .integer("SELECT COUNT(*) FROM workflows WHERE parse_state = 'parsed'")
            .await,
        UPLOADS as i64
    );
}

/// Of a program that listens there.
fn settings(address: &str) -> Vec<(&'static str, String)> {
    vec![
        ("COOKBOOK_HTTP__LISTEN", address.to_owned()),
        ("COOKBOOK_LOG__FILTER", "warn".to_owned()),
        // So that the jobs of a killed process are taken over soon.
        ("COOKBOOK_JOBS__HEARTBEAT_S", "1".to_owned()),
        ("COOKBOOK_JOBS__DEAD_AFTER_S", "3".to_owned()),
    ]
}

/// When to kill what, spread over so many writes.
fn plan(dice: &mut StdRng, kills: &[(Target, usize)], writes: usize) -> Vec<Kill> {
    let mut targets: Vec<Target> = kills.iter().flat_map(|(target, times)| vec![*target; *times]).collect();
    targets.shuffle(dice);
    let share = writes / targets.len();
    let kills = targets.into_iter().enumerate();
    kills
        .map(|(index, target)| Kill {
            after_writes: index * share + dice.random_range(0..share),
            and: Duration::from_millis(dice.random_range(0..300)),
            target,
        })
        .collect()
}

/// Carries a plan out, and gives the program that runs in the end.
fn carry_out(plan: Vec<Kill>, mut up: Up, acknowledged: &AtomicUsize, folder: &Path, settings: &[(&str, String)]) -> Up {
    for kill in plan {
        while acknowledged.load(Ordering::SeqCst) < kill.after_writes {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(kill.and);
        eprintln!(
            "killing {:?} after {} writes",
            kill.target,
            acknowledged.load(Ordering::SeqCst)
        );
        match kill.target {
            Target::Program => {
                up.kill();
                up = Up::start_with(folder, settings);
            }
            Target::Database => kill_server(&up, "database"),
            Target::Redis => kill_server(&up, "redis"),
        }
    }
    up
}

fn kill_server(up: &Up, server: &str) {
    let pid = up.server_pid(server);
    // It may be dead still from the last time.
    if Path::new(&format!("/proc/{pid}/cwd")).exists() {
        signal("KILL", pid);
    }
}

/// Someone who uploads racks and does not give up.
#[derive(Debug)]
struct Author {
    http: reqwest::Client,
    base: String,
    token: String,
    acknowledged: AtomicUsize,
}

impl Author {
    /// Uploads a rack until that is acknowledged, and gives the workflow's id.
    async fn upload(&self, number: usize) -> u64 {
        let metadata = json!({"title": format!("Rack {}", word(number))}).to_string();
        loop {
            let form = Form::new()
                .part("metadata", Part::text(metadata.clone()))
                .part("file", Part::bytes(rack(number)).file_name("rack.adg"));
            let sent = self
                .http
                .post(self.url("/v1/workflows"))
                .bearer_auth(&self.token)
                .multipart(form);
            match sent.send().await {
                Ok(answer) if answer.status().is_success() => {
                    // Acknowledged with the first line of the answer, whatever becomes of the rest.
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                    let location = answer
                        .headers()
                        .get("location")
                        .map(|value| value.to_str().expect("a path").to_owned());
                    if let Some(id) = location.and_then(|path| path.rsplit('/').next()?.parse().ok()) {
                        return id;
                    }
                    if let Ok(body) = answer.json::<Value>().await {
                        return body["id"].as_u64().expect("an id");
                    }
                }
                Ok(answer) => assert!(answer.status().is_server_error(), "upload {number}: {answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// Publishes an acknowledged workflow once it is parsed.
    async fn publish(&self, number: usize, id: u64) {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_to_publish(number, id).await {
            assert!(
                Instant::now() < deadline,
                "rack {number} is not published within {PATIENCE:?}"
            );
            tokio::time::sleep(REST).await;
        }
    }

    /// One try, which also looks that nothing half-written is served.
    async fn try_to_publish(&self, number: usize, id: u64) -> bool {
        if let Some(file) = self.file(id).await {
            assert!(file == rack(number), "the file of rack {number} is served as it was sent");
        }
        let Some(workflow) = self.get(&format!("/v1/workflows/{id}")).await else {
            return false;
        };
        match workflow["parse"]["state"].as_str() {
            Some("pending") => return false,
            Some("parsed") => {}
            _ => panic!("rack {number}: {workflow}"),
        }
        if let Some(parsed) = self.get(&format!("/v1/workflows/{id}/rack")).await {
            assert!(
                parsed.to_string().contains(&word(number)),
                "what is parsed is all there: {parsed}"
            );
        }
        let path = self.url(&format!("/v1/workflows/{id}/publish"));
        let answer = self.http.post(path).bearer_auth(&self.token).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// The file of a workflow, unless somebody is dead just now.
    async fn file(&self, id: u64) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("/v1/workflows/{id}/file")).await?;
        Some(answer.bytes().await.ok()?.to_vec())
    }

    async fn search(&self, text: &str) -> Value {
        self.get(&format!("/v1/search?q={text}")).await.unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Option<Value> {
        self.ask(path).await?.json().await.ok()
    }

    /// An answer, unless somebody is dead just now. What was acknowledged is never unknown.
    async fn ask(&self, path: &str) -> Option<Response> {
        let answer = self.http.get(self.url(path)).bearer_auth(&self.token).send().await.ok()?;
        assert_ne!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        answer.status().is_success().then_some(answer)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// A word that only this rack has.
fn word(number: usize) -> String {
    format!("zyx{number:04}")
}

/// A rack like no other.
fn rack(number: usize) -> Vec<u8> {
    let chain = Chain::new().name(&word(number)).device(Device::new("Reverb"));
    Rack::new(Kind::AudioEffect)
        .name(&word(number))
        .chain(chain)
        .to_adg(&Format::LIVE_11)
}
