//! Whole programs whose surroundings are not all there: an object store that goes away, and a start without a database.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ingest::builder::{Chain, Device, Format, Rack};
use ingest::rack::Kind;
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::program::{Up, cookbook, folder, free_address, token};

/// Nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between tries.
const REST: Duration = Duration::from_millis(50);

/// The object store's bucket, and the account that may use it.
const BUCKET: &str = "cookbook";
const ACCESS_KEY: &str = "tests";
const SECRET_KEY: &str = "known-to-all-tests";

/// An S3 server on this machine, over a folder. It goes away with this value.
struct ObjectStore {
    address: SocketAddr,
    service: S3Service,
    serving: JoinHandle<()>,
}

impl ObjectStore {
    async fn start(root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).expect("make a bucket");
        let files = s3s_fs::FileSystem::new(root).expect("open the folder");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        Self {
            address: listener.local_addr().expect("an address"),
            serving: tokio::spawn(serve(listener, service.clone())),
            service,
        }
    }

    /// Goes away, with all connections.
    async fn stop(&mut self) {
        self.serving.abort();
        while !self.serving.is_finished() {
            tokio::time::sleep(REST).await;
        }
    }

    /// Comes back at the same address.
    async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("listen again");
        self.serving = tokio::spawn(serve(listener, self.service.clone()));
    }

    /// What the program must know of it.
    fn settings(&self) -> [(&'static str, String); 6] {
        [
            ("COOKBOOK_FILES__URL", format!("s3://{BUCKET}/community/files")),
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ]
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        connections.spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            // A client that goes away is its own affair.
            let _ = connection.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// Somebody who talks to a program.
struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    fn new(base: &str, token: String) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client");
        let base = base.to_owned();
        Self { http, base, token }
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().await.expect("an answer")
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    async fn upload(&self, name: &str) -> Response {
        let form = Form::new()
            .part("metadata", Part::text(json!({ "title": name }).to_string()))
            .part("file", Part::bytes(rack(name)).file_name("rack.adg"));
        let request = self.http.post(format!("{}/v1/workflows", self.base)).bearer_auth(&self.token);
        request.multipart(form).send().await.expect("an answer")
    }

    /// Uploads, publishes once it is parsed, and waits until search finds it.
    async fn publish(&self, name: &str) -> u64 {
        let uploaded = self.upload(name).await;
        assert_eq!(uploaded.status(), StatusCode::ACCEPTED, "{uploaded:?}");
        let uploaded: Value = uploaded.json().await.expect("JSON");
        let id = uploaded["id"].as_u64().expect("an id");
        let workflow = format!("/v1/workflows/{id}");
        self.until("it is parsed", &workflow, |answer| answer["parse"]["state"] == "parsed")
            .await;
        let publish = self.http.post(format!("{}{workflow}/publish", self.base));
        let published = publish.bearer_auth(&self.token).send().await.expect("an answer");
        assert_eq!(published.status(), StatusCode::OK, "{published:?}");
        self.until("it is found", &format!("/v1/search?q={name}"), |answer| answer["total"] == 1)
            .await;
        id
    }

    async fn until(&self, what: &str, path: &str, is_so: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.json(path).await;
            if is_so(&answer) {
                return;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}: {answer}");
            tokio::time::sleep(REST).await;
        }
    }
}

fn rack(name: &str) -> Vec<u8> {
    let chain = Chain::new().name(name).device(Device::new("Reverb"));
    Rack::new(Kind::AudioEffect).name(name).chain(chain).to_adg(&Format::LIVE_11)
}

/// Every file in a folder and the folders in it.
fn files_in(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("read the folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_kept_in_an_object_store_and_nothing_is_acknowledged_while_it_is_gone() {
    let folder = folder();
    let root = folder.path().join("s3");
    let mut store = ObjectStore::start(&root).await;
    let up = Up::start_with(folder.path(), &store.settings());
    let client = Client::new(&up.base, token(folder.path(), "producer-001"));

    let id = client.publish("quillon").await;
    let file = format!("/v1/workflows/{id}/file");
    assert!(client.get(&file).await.bytes().await.unwrap() == rack("quillon"));
    let kept = files_in(&root.join(BUCKET).join("community/files/racks"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(std::fs::read(&kept[0]).unwrap() == rack("quillon"));
    assert!(!folder.path().join("data/files").exists(), "nothing is kept in the folder");
    assert_eq!(client.json("/readyz").await["status"], "ok");

    store.stop().await;
    let health = client.json("/readyz").await;
    assert_eq!((&health["status"], &health["files"]), (&json!("degraded"), &json!("down")));
    let refused = client.upload("ferrule").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(client.get(&file).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.json("/v1/search?q=quillon").await["total"], 1, "search needs no files");
    assert_eq!(up.shell().integer("SELECT COUNT(*) FROM workflows").await, 1);

    store.start_again().await;
    client.publish("ferrule").await;
    assert_eq!(client.json("/readyz").await["status"], "ok");
}

/// `cookbook serve`; killed with this value.
struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_answers_after_a_start_without_database_and_redis() {
    let folder = folder();
    let mut up = Up::start(folder.path());
    let token = token(folder.path(), "producer-001");
    let id = Client::new(&up.base, token.clone()).publish("quillon").await;
    assert!(up.stop().success());

    let (address, nowhere) = (free_address(), free_address());
    let _serve = Serve(
        cookbook(folder.path())
            .arg("serve")
            .env("COOKBOOK_HTTP__LISTEN", &address)
            .env("COOKBOOK_DATABASE__URL", format!("mysql://cookbook@{nowhere}/cookbook"))
            .env("COOKBOOK_REDIS__URL", format!("redis://{nowhere}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let base = format!("http://{address}");
    let deadline = Instant::now() + PATIENCE;
    while reqwest::get(format!("{base}/livez")).await.is_err() {
        assert!(Instant::now() < deadline, "`cookbook serve` does not answer");
        tokio::time::sleep(REST).await;
    }
    let client = Client::new(&base, token);
    let found = client.json("/v1/search?q=quillon").await;
    assert_eq!((&found["total"], &found["hits"][0]["id"]), (&json!(1), &json!(id)));
    let health = client.json("/readyz").await;
    assert_eq!(
        (&health["status"], &health["database"], &health["redis"], &health["index"]),
        (&json!("degraded"), &json!("down"), &json!("down"), &json!("ok"))
    );
    let workflow = client.get(&format!("/v1/workflows/{id}")).await;
    assert_eq!(workflow.status(), StatusCode::SERVICE_UNAVAILABLE, "{workflow:?}");
    assert!(workflow.headers().contains_key("retry-after"), "{workflow:?}");
}
