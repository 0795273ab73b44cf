//! The clients that exist for Meilisearch and Algolia, from npm and PyPI, against the running server: only the host is changed. What they
//! are told is compared, by the scripts in `clients/`, with what the native API answers.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use indexer::CounterPoller;
use tokio::process::Command;
use tokio::time::timeout;

use crate::app::TestApp;

/// Time to install packages, once for each version of their lists.
const INSTALL_WITHIN: Duration = Duration::from_secs(150);

/// Time for one script.
const RUN_WITHIN: Duration = Duration::from_secs(60);

/// The first Node that the packages of Meilisearch run on, and the one that is installed from npm where the machine's is older (Debian 12
/// has 18).
const LEAST_NODE: (u32, u32) = (20, 19);
const NODE: &str = "20.19.5";

/// Workflows in the catalogue.
const WORKFLOWS: u64 = 240;

/// The scripts with what runs them.
const SCRIPTS: [(&str, &str); 4] = [
    ("node", "meilisearch.mjs"),
    ("node", "algolia.mjs"),
    ("node", "instantsearch.mjs"),
    ("python", "clients.py"),
];

#[tokio::test]
async fn existing_clients_find_the_same_with_nothing_changed_but_the_host() {
    let folder = match installed().await {
        Ok(folder) => folder,
        Err(why) => {
            assert!(
                std::env::var_os("CI").is_none_or(|value| value.is_empty()),
                "in CI the clients must run: {why}"
            );
            eprintln!("NOT RUN: the clients of other search engines are not tested here: {why}");
            return;
        }
    };
    let app = catalogue().await;
    let node = node(&folder).await.expect("installed() has it");
    let mut failed: Vec<String> = Vec::new();
    let mut passed = 0;
    for (program, script) in SCRIPTS {
        let program = if program == "python" {
            folder.join("python/bin/python")
        } else {
            node.clone()
        };
        let mut command = Command::new(program);
        command.current_dir(&folder).arg(script).arg(app.url(""));
        match run(command, RUN_WITHIN).await {
            Ok(output) => {
                let said = format!(
                    "{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                println!("{said}");
                passed += said.lines().filter(|line| line.starts_with("ok ")).count();
                if !output.status.success() || said.contains("not ok ") {
                    failed.push(script.to_owned());
                }
            }
            Err(why) => failed.push(format!("{script}: {why}")),
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    assert!(passed >= 25, "only {passed} tests of clients ran");
}

/// Racks of a few genres, tempos, devices and tags, with likes, visible and indexed.
async fn catalogue() -> TestApp {
    const GENRES: [&str; 5] = ["House", "Techno", "Drum & Bass", "Dub", "Ambient"];
    const TAGS: [&str; 4] = ["warm", "dark", "wide", "dusty"];
    const DEVICES: [&str; 6] = ["Operator", "Echo", "Reverb", "Wavetable", "EQ Eight", "Auto Filter"];
    const WORDS: [&str; 6] = ["Warm", "Deep", "Glitch", "Tape", "Vocal", "Bright"];
    let app = TestApp::start().await;
    let users: Vec<String> = (1..=6)
        .map(|id| format!("({id}, 'producer-00{id}', 'producer-00{id}@example.org', 'x')"))
        .collect();
    let tags: Vec<String> = (1..).zip(TAGS).map(|(id, name)| format!("({id}, '{name}')")).collect();
    let pick = |list: &[&'static str], seed: u64| list[seed as usize % list.len()];
    let mut rows = Vec::new();
    let mut pivots = Vec::new();
    let mut likes = Vec::new();
    for id in 1..=WORKFLOWS {
        let (first, second) = (pick(&WORDS, id), pick(&WORDS, id / 3 + 1));
        let (device, other) = (pick(&DEVICES, id / 2), pick(&DEVICES, id * 5 + 1));
        let devices = if device == other {
            format!("[\"{device}\"]")
        } else {
            format!("[\"{device}\", \"{other}\"]")
        };
        rows.push(format!(
            "({id}, {}, '{first} {second} {id}', 'A rack for {first} sounds.', 'rack-{id}', '{}', '{}', {}, '{}', '{devices}', 'none.adg', TRUE, {}, '2026-01-01' + INTERVAL {id} MINUTE)",
            1 + id % 6,
            pick(&["audio_effect", "instrument", "midi_effect"], id / 7),
            pick(&GENRES, id * 7 + id / 11),
            80 + id * 13 % 101,
            pick(&["Am", "F#m", "C", "Gb minor"], id / 5),
            id % 3 == 0,
        ));
        pivots.push(format!("({id}, {})", 1 + id % 4));
        likes.extend((1..=id * 7 % 6).map(|user| format!("({user}, {id})")));
    }
    app.db
        .execute(&format!(
            "INSERT INTO users (id, username, email, password) VALUES {};
             INSERT INTO workflow_tags (id, name) VALUES {};
             INSERT INTO workflows (id, user_id, title, description, slug, rack_type, genre, bpm, key_signature, devices_used, adg_file_path,
               is_published, is_featured, published_at) VALUES {};
             INSERT INTO workflow_tag_pivot (workflow_id, tag_id) VALUES {};
             INSERT INTO workflow_likes (user_id, workflow_id) VALUES {}",
            users.join(", "),
            tags.join(", "),
            rows.join(", "),
            pivots.join(", "),
            likes.join(", "),
        ))
        .await;
    app.follow().await;
    let mut counters = CounterPoller::new(app.index.clone(), app.db.pool().clone());
    counters.read_all().await.expect("read the counters");
    app
}

/// Installs the packages, unless they are, and gives the folder in which the scripts can run.
async fn installed() -> Result<PathBuf, String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&folder).map_err(|error| format!("make `{}`: {error}", folder.display()))?;
    let lists = ["package.json", "package-lock.json", "requirements.txt"];
    let mut wanted = Vec::new();
    for name in lists {
        wanted.extend(std::fs::read(from.join(name)).map_err(|error| format!("read `{name}`: {error}"))?);
    }
    let marker = folder.join("installed");
    let is_installed = std::fs::read(&marker).is_ok_and(|installed| installed == wanted);
    for entry in std::fs::read_dir(&from).map_err(|error| error.to_string())?.flatten() {
        std::fs::copy(entry.path(), folder.join(entry.file_name())).map_err(|error| error.to_string())?;
    }
    if is_installed && node(&folder).await.is_some() {
        return Ok(folder);
    }
    if node(&folder).await.is_none() {
        let package = format!(
            "node-linux-{}@{NODE}",
            if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" }
        );
        let mut command = Command::new("npm");
        command
            .current_dir(&folder)
            .args([
                "install",
                "--prefix",
                "node",
                "--no-save",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
            ])
            .arg(package);
        step(command).await?;
    }
    let steps: [(&str, &[&str]); 3] = [
        (
            "npm",
            &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        ),
        ("python3", &["-m", "venv", "python"]),
        (
            "python/bin/python",
            &[
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                "requirements.txt",
            ],
        ),
    ];
    for (program, arguments) in steps {
        let path = if program.contains('/') {
            folder.join(program)
        } else {
            PathBuf::from(program)
        };
        let mut command = Command::new(path);
        command.current_dir(&folder).args(arguments);
        step(command).await?;
    }
    std::fs::write(&marker, wanted).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// A Node that the packages can run on: the machine's, or the one that was installed beside them.
async fn node(folder: &Path) -> Option<PathBuf> {
    let beside = |arch: &str| folder.join(format!("node/node_modules/node-linux-{arch}/bin/node"));
    for node in [PathBuf::from("node"), beside("x64"), beside("arm64")] {
        let mut command = Command::new(&node);
        command.arg("--version");
        let Ok(output) = run(command, RUN_WITHIN).await else {
            continue;
        };
        let version = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = version
            .trim()
            .trim_start_matches('v')
            .split('.')
            .map_while(|part| part.parse::<u32>().ok());
        if (numbers.next(), numbers.next()) >= (Some(LEAST_NODE.0), Some(LEAST_NODE.1)) {
            return Some(node);
        }
    }
    None
}

/// Runs a step of the installation.
async fn step(command: Command) -> Result<(), String> {
    let shown = format!("{:?}", command.as_std());
    let output = run(command, INSTALL_WITHIN).await.map_err(|why| format!("{shown}: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown} failed: {}", said.trim()))
}

/// Runs a program for at most that long.
async fn run(mut command: Command, within: Duration) -> Result<Output, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    match timeout(within, command.output()).await {
        Ok(output) => output.map_err(|error| error.to_string()),
        Err(_) => Err(format!("not done within {} s", within.as_secs())),
    }
}
