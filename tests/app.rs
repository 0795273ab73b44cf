//! The API on a free port with a database, files and an index of its own; jobs and the index's follower are stepped by the test.

use std::sync::Arc;

use config::{Secret, Settings};
use indexer::{Follower, Index};
use ingest::builder::{Chain, Device, Format, Macro, Plugin, Rack};
use ingest::rack::Kind;
use jobs::testing::run_pending_jobs;
use query_api::ApiContext;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use store::files::Files;
use store::queue::inspect::{self, Status};
use store::queue::{self, ComputeTrending, RepairCounts, RollUp, SweepPending};
use store::token::NewToken;
use store::wake::Wake;
use store::{Db, UserId, token, user};
use tempfile::TempDir;
use test_support::TestDb;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A running API. Dropping it fails the test when jobs are left that nobody did.
pub(crate) struct TestApp {
    pub(crate) db: TestDb,
    pub(crate) files: Files,
    pub(crate) settings: Arc<Settings>,
    /// The API's own pool.
    pub(crate) api_db: Db,
    /// The API's index.
    pub(crate) index: Index,
    jobs: jobs::Context,
    follower: Follower,
    base: String,
    http: reqwest::Client,
    stop: CancellationToken,
    pub(crate) folder: TempDir,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) token: String,
}

impl TestApp {
    /// Starts it with the default settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts it with changed settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let db = TestDb::new().await;
        let folder = crate::program::folder();
        let mut settings = Settings::defaults().expect("the defaults are valid");
        settings.data.dir = folder.path().join("data");
        settings.database.url = Secret::new(db.url());
        // Hundreds of requests come from one address; who tests limits turns them on. Passwords are hashed cheaply: an unoptimised build
        // is slow.
        settings.limits.enabled = false;
        settings.auth.argon2_memory_kib = 64;
        settings.auth.argon2_passes = 1;
        change(&mut settings);
        let settings = Arc::new(settings);
        let files = Files::open(&settings).expect("open the file store");
        let index = Index::open(&settings.index_dir(), settings.index.writer_memory_bytes).expect("open the index");
        index.rebuild(db.pool(), |_| {}).await.expect("build the index");
        let follower = Follower::new(index.clone(), db.pool().clone(), settings.index.batch);
        let wake = Wake::local();
        let jobs = jobs::Context::new(db.pool().clone(), files.clone(), Arc::clone(&settings), wake.clone());
        let api_db = store::db::connect(&settings.database).await.expect("open a pool");
        let context =
            ApiContext::new(api_db.clone(), files.clone(), index.clone(), Arc::clone(&settings), wake).expect("prepare the API");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("its address"));
        let stop = CancellationToken::new();
        tokio::spawn(query_api::serve(context, listener, stop.clone()));
        Self {
            db,
            files,
            settings,
            api_db,
            index,
            jobs,
            follower,
            base,
            http: reqwest::Client::new(),
            stop,
            folder,
        }
    }

    /// Makes somebody with a token.
    pub(crate) async fn user(&self, username: &str) -> User {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        let email = format!("{username}@example.org");
        let id = user::create(&mut db, username, &email, user::NO_PASSWORD)
            .await
            .expect("make a user");
        let token = NewToken::generate().expect("random numbers");
        token::create(&mut db, id, "test", &token, None).await.expect("make a token");
        User {
            id,
            token: token.expose().to_owned(),
        }
    }

    /// Address of a path, with host and port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request as nobody.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// GETs as nobody.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// Sends JSON as somebody.
    pub(crate) async fn send(&self, user: &User, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path).bearer_auth(&user.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request).await
    }

    /// GETs as somebody.
    pub(crate) async fn get_as(&self, user: &User, path: &str) -> Answer {
        self.send(user, Method::GET, path, None).await
    }

    /// POSTs without a body as somebody.
    pub(crate) async fn post_as(&self, user: &User, path: &str) -> Answer {
        self.send(user, Method::POST, path, None).await
    }

    /// Uploads a file as somebody.
    pub(crate) async fn upload(&self, user: &User, file: Vec<u8>, metadata: Value) -> Answer {
        let form = Form::new()
            .text("metadata", metadata.to_string())
            .part("file", Part::bytes(file).file_name("My Rack.adg"));
        answer(
            self.request(Method::POST, "/v1/workflows")
                .bearer_auth(&user.token)
                .multipart(form),
        )
        .await
    }

    /// Uploads a rack, parses and publishes it, and lets the index follow. Returns its id.
    pub(crate) async fn published(&self, user: &User, file: Vec<u8>, metadata: Value) -> u64 {
        let uploaded = self.upload(user, file, metadata).await;
        assert_eq!(uploaded.status, StatusCode::ACCEPTED, "{}", uploaded.body);
        let id = uploaded.body["id"].as_u64().expect("an id");
        self.run_jobs().await;
        let published = self.post_as(user, &format!("/v1/workflows/{id}/publish")).await;
        assert_eq!(published.status, StatusCode::OK, "{}", published.body);
        self.follow().await;
        id
    }

    /// Does all jobs that are due.
    pub(crate) async fn run_jobs(&self) {
        run_pending_jobs(&self.jobs).await.expect("run the jobs");
    }

    /// Rolls up and computes what trends, as the schedule does. Without the former, what happened an hour ago is unknown after midnight.
    pub(crate) async fn compute_trending(&self) {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        queue::enqueue(&mut db, &RollUp::default(), None).await.expect("enqueue");
        self.run_jobs().await;
        queue::enqueue(&mut db, &ComputeTrending {}, None).await.expect("enqueue");
        drop(db);
        self.run_jobs().await;
    }

    /// Counts again what cascades left uncounted, as the schedule does.
    pub(crate) async fn run_repairs(&self) {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        queue::enqueue(&mut db, &RepairCounts {}, None)
            .await
            .expect("enqueue the repair");
        drop(db);
        self.run_jobs().await;
    }

    /// Enqueues a parse of what was left pending, as the schedule does.
    pub(crate) async fn sweep_pending(&self) {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        queue::enqueue(&mut db, &SweepPending {}, None)
            .await
            .expect("enqueue the sweep");
        drop(db);
        run_pending_jobs(&self.jobs).await.expect("run the sweep");
    }

    /// How many jobs nobody has done yet.
    pub(crate) async fn waiting_jobs(&self) -> usize {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        inspect::list(&mut db, None, Some(Status::Pending), 100)
            .await
            .expect("list jobs")
            .len()
    }

    /// Lets the index follow to the end of the log.
    pub(crate) async fn follow(&self) {
        self.follower.catch_up().await.expect("follow the log");
    }

    /// Ids that a search finds, in order.
    pub(crate) async fn search(&self, query: &str) -> Vec<u64> {
        let found = self.get(&format!("/v1/search?{query}")).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.body);
        let hits = found.body["hits"].as_array().expect("hits");
        hits.iter().map(|hit| hit["id"].as_u64().expect("an id")).collect()
    }

    /// Tells it to stop, as SIGTERM does.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Removes pictures and sounds that nothing names, as the nightly sweep does with those of the day before.
    pub(crate) async fn sweep_media(&self) {
        let of_now = chrono::TimeDelta::seconds(-60);
        store::media::remove_unnamed(self.db.pool(), &self.files, of_now)
            .await
            .expect("sweep the files");
    }

    /// How many files are stored.
    pub(crate) async fn stored_files(&self) -> usize {
        use futures::TryStreamExt;
        let listed: Vec<_> = self.files.list().try_collect().await.expect("list the files");
        listed.len()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() {
            return;
        }
        let database = config::DatabaseSettings {
            max_connections: 1,
            ..self.settings.database.clone()
        };
        // A thread with a runtime of its own: the test's runtime may be ending.
        let waiting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let db = store::db::connect(&database).await.expect("connect");
                let mut connection = db.acquire().await.expect("a connection");
                inspect::list(&mut connection, None, Some(Status::Pending), 10)
                    .await
                    .expect("list jobs")
            })
        })
        .join()
        .expect("look for jobs that are left");
        assert!(waiting.is_empty(), "jobs are left that nobody did: {waiting:?}");
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    /// JSON, or null where the body is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("read the body");
        Self {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Asserts that it is a problem with this status and code, in the form of RFC 9457.
    pub(crate) fn assert_problem(&self, status: StatusCode, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.body
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], json!(status.as_u16()));
        assert_eq!(self.body["type"], json!(format!("urn:cookbook:problem:{code}")));
        for field in ["title", "detail"] {
            assert!(
                self.body[field].as_str().is_some_and(|text| !text.is_empty()),
                "{}",
                self.body
            );
        }
        assert!(!self.header("x-request-id").is_empty());
    }

    /// Names of the refused fields.
    pub(crate) fn refused_fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }
}

/// Sends a request.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("an answer")).await
}

/// A rack with a reverb, a plug-in and a named macro. A different name makes different bytes.
pub(crate) fn reverb_rack(name: &str) -> Vec<u8> {
    Rack::new(Kind::AudioEffect)
        .name(name)
        .macro_control(Macro::new("Shimmerize").value(64.0))
        .chain(
            Chain::new()
                .name("Cathedral")
                .device(Device::new("Hybrid").mapped("Decay", 0, 0.2, 10.0))
                .plugin(Plugin::vst2(1_483_109_208)),
        )
        .to_adg(&Format::LIVE_11)
}
