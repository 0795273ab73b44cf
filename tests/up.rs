//! `cookbook up` with private servers: it has its folder to itself, leaves nothing behind, and picks up where it was.

use std::fs;
use std::process::{Command, Stdio};

use crate::program::{Up, cookbook, error_of, folder, in_the_end, processes_of, signal, state};

#[test]
fn a_second_start_on_the_same_folder_is_refused_and_told_by_whom() {
    let folder = folder();
    let first = Up::start(folder.path());
    let second = cookbook(folder.path()).arg("up").output().unwrap();
    assert!(!second.status.success());
    let error = error_of(&second);
    assert!(error.contains(&format!("is in use by process `{}`", first.pid())), "{error}");
}

#[tokio::test]
async fn sigterm_leaves_no_process_and_the_next_start_picks_up_where_it_was() {
    let folder = folder();
    let mut up = Up::start(folder.path());
    up.shell()
        .execute("CREATE TABLE left_here (id INT PRIMARY KEY); INSERT INTO left_here VALUES (7)")
        .await;
    let before = state(folder.path());
    assert!(up.stop().success());
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());

    let again = Up::start(folder.path());
    assert_eq!(again.shell().integer("SELECT id FROM left_here").await, 7);
    let after = state(folder.path());
    for key in ["/password", "/database/port", "/redis/port"] {
        assert_eq!(before.pointer(key), after.pointer(key), "{key} is kept");
    }
}

#[tokio::test]
async fn kill_9_leaves_no_process_and_loses_no_commit() {
    let folder = folder();
    let mut up = Up::start(folder.path());
    let shell = up.shell();
    shell.execute("CREATE TABLE left_here (id INT PRIMARY KEY)").await;
    for id in 0..20 {
        shell.execute(&format!("INSERT INTO left_here VALUES ({id})")).await;
    }
    up.kill();
    in_the_end("no process is left", || processes_of(folder.path()).is_empty());

    let again = Up::start(folder.path());
    assert_eq!(again.shell().integer("SELECT COUNT(*) FROM left_here").await, 20);
}

#[test]
fn servers_that_hang_do_not_hold_up_the_end() {
    let folder = folder();
    let mut up = Up::start(folder.path());
    signal("STOP", up.server_pid("database"));
    signal("STOP", up.server_pid("redis"));
    up.stop();
    in_the_end("no process is left", || processes_of(folder.path()).is_empty());
}

#[test]
fn kill_9_at_any_moment_of_a_start_leaves_no_process() {
    let folder = folder();
    for step in 0..12 {
        let mut child = cookbook(folder.path())
            .arg("up")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(step * 80));
        child.kill().unwrap();
        child.wait().unwrap();
        in_the_end("no process is left", || processes_of(folder.path()).is_empty());
    }
    assert!(Up::start(folder.path()).stop().success());
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let folder = folder();
    let up = Up::start(folder.path());
    let shell = up.shell();
    shell
        .execute("CREATE TABLE left_here (id INT PRIMARY KEY); INSERT INTO left_here VALUES (7)")
        .await;
    for server in ["database", "redis"] {
        let killed = up.server_pid(server);
        signal("KILL", killed);
        in_the_end(&format!("{server} is started again"), || up.server_pid(server) != killed);
    }
    // On the same port, with what was committed.
    assert_eq!(up.shell().integer("SELECT id FROM left_here").await, 7);
    drop(shell);
}

#[test]
fn a_server_left_over_from_a_lost_process_is_stopped_and_a_strangers_is_not() {
    let folder = folder();
    let servers = folder.path().join("data/servers");
    fs::create_dir_all(&servers).unwrap();
    // Two processes, of which one is known to be a server of this folder; the other has such a server's id, but was started later.
    let mut orphan = Command::new("sleep").arg("600").current_dir(&servers).spawn().unwrap();
    let mut stranger = Command::new("sleep").arg("600").current_dir(&servers).spawn().unwrap();
    let remembered = |pid: u32, since_start: u64| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let started: u64 = stat.split_whitespace().nth(21).unwrap().parse().unwrap();
        serde_json::json!({"port": 1, "process": {"pid": pid, "started": started - since_start}})
    };
    let state = serde_json::json!({
        "password": "0".repeat(48),
        "database": remembered(orphan.id(), 0),
        "redis": remembered(stranger.id(), 1),
    });
    fs::write(servers.join("state.json"), state.to_string()).unwrap();

    let mut up = Up::start(folder.path());
    assert!(orphan.try_wait().unwrap().is_some(), "the orphan is stopped");
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger is left alone");
    assert!(up.stop().success());
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger is left alone");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn other_commands_find_the_private_servers_and_say_what_to_do_where_there_are_none() {
    let folder = folder();
    let migrate = || cookbook(folder.path()).arg("migrate").output().unwrap();
    let error = error_of(&migrate());
    assert!(error.contains("set `database.url`, or start `cookbook up`"), "{error}");
    let mut up = Up::start(folder.path());
    let found = migrate();
    assert!(found.status.success(), "{}", error_of(&found));
    assert_eq!(String::from_utf8_lossy(&found.stdout), "the schema is up to date\n");
    up.stop();
    assert!(!migrate().status.success());
}

#[tokio::test]
async fn the_api_answers_where_it_says_that_it_is() {
    let folder = folder();
    let up = Up::start(folder.path());
    let alive = reqwest::get(format!("{}/livez", up.base)).await.unwrap();
    assert!(alive.status().is_success(), "{alive:?}");
}

#[test]
fn a_command_with_servers_finds_them_and_its_exit_code_is_passed_on() {
    let folder = folder();
    let script = r#"test -n "$COOKBOOK_TEST_DATABASE_URL" && test -n "$COOKBOOK_REDIS__URL" && "$0" migrate && exit 7"#;
    let output = cookbook(folder.path())
        .args(["with-servers", "--", "sh", "-c", script, env!("CARGO_BIN_EXE_cookbook")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", error_of(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("applied "));
}

#[test]
fn a_taken_address_is_refused_before_any_server_is_started() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = cookbook(folder.path())
        .arg("up")
        .env("COOKBOOK_HTTP__LISTEN", &address)
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        error_of(&output).contains(&format!("listen on `{address}` (`http.listen`)")),
        "{}",
        error_of(&output)
    );
    assert!(!folder.path().join("data/servers").exists());
}
