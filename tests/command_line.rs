//! The command line itself: what needs no server.

use crate::program::{cookbook, error_of, folder};

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let folder = folder();
    let output = cookbook(folder.path())
        .arg("config")
        .env("COOKBOOK_HTTP__LISTN", "x")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = error_of(&output);
    assert!(
        error.contains("unknown key `http.listn`") && error.contains("did you mean `http.listen`?"),
        "{error}"
    );
}

#[test]
fn the_effective_settings_come_from_file_and_environment_and_hide_secrets() {
    let folder = folder();
    let file = "[database]\nurl = \"mysql://someone:s3cret@db.example.org/cookbook\"\n[index]\nbatch = 17\n";
    std::fs::write(folder.path().join("cookbook.toml"), file).unwrap();
    let output = cookbook(folder.path())
        .arg("config")
        .env("COOKBOOK_INDEX__BATCH", "18")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("mysql://***@db.example.org/cookbook") && !shown.contains("s3cret"),
        "{shown}"
    );
    assert!(shown.contains("batch = 18"), "{shown}");
}

#[test]
fn every_subcommand_has_help() {
    let folder = folder();
    let commands = "up serve work migrate ingest parse rebuild feed rollup jobs token config with-servers";
    for command in commands.split(' ') {
        let output = cookbook(folder.path()).args([command, "--help"]).output().unwrap();
        assert!(output.status.success(), "{command}: {}", error_of(&output));
    }
}
