//! Who may know whom, and which crate may name which technology: the tables of ARCHITECTURE.md, as a test.

use std::collections::BTreeMap;
use std::path::Path;

use cargo_metadata::MetadataCommand;

/// Each package of the workspace with the packages of the workspace that it may use. Its tests may use `test-support` besides.
const MAY_USE: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("store", &["config"]),
    ("ingest", &["config", "store"]),
    ("indexer", &["config", "store"]),
    ("jobs", &["config", "store", "ingest", "indexer"]),
    ("query-api", &["config", "store", "ingest", "indexer"]),
    ("cookbook", &["config", "store", "ingest", "indexer", "jobs", "query-api"]),
    ("test-support", &["config", "store"]),
];

/// Each technology with the package that may name it; one that two packages may name stands twice. A name stands for its family too: `apalis` for `apalis-core`.
const NAMED_BY: &[(&str, &str)] = &[
    ("sqlx", "store"),
    ("redis", "store"),
    ("object_store", "store"),
    ("flate2", "ingest"),
    ("quick-xml", "ingest"),
    ("tantivy", "indexer"),
    ("polars", "jobs"),
    ("cron", "jobs"),
    ("lettre", "jobs"),
    ("lettre", "jobs"),
    ("apalis", "jobs"),
    ("axum", "query-api"),
    ("utoipa", "query-api"),
    ("askama", "jobs"),
    ("askama", "query-api"),
    ("argon2", "query-api"),
    ("figment", "config"),
    ("toml", "config"),
    ("tracing-subscriber", "config"),
];

/// The files of `jobs` that may name apalis: its backends, and what puts workers together. A job is a plain function.
const APALIS_FILES: &[&str] = &["backend.rs", "follow.rs", "poller.rs", "run.rs"];

/// What is no part of the program and may set the stage for tests with anything.
const FOR_TESTS: &str = "test-support";

/// Packages with the names of all that they depend on: for the program, its build, or its tests.
type Packages = BTreeMap<String, Vec<String>>;

#[test]
fn every_crate_keeps_to_its_room_and_its_technologies() {
    let found = violations(&workspace());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_package_of_the_workspace_has_a_room() {
    let rooms: Vec<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    for package in workspace().keys() {
        assert!(rooms.contains(&package.as_str()), "`{package}` is not in the table of rooms");
    }
}

#[test]
fn apalis_is_named_in_the_queues_own_files_only() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs/src")];
    let mut named_in = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("read a folder of `jobs`").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let code = std::fs::read_to_string(entry.path()).expect("read a file of `jobs`");
            if code
                .lines()
                .any(|line| !line.trim_start().starts_with("//") && line.contains("apalis"))
            {
                named_in.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    named_in.sort();
    assert_eq!(named_in, APALIS_FILES);
}

#[test]
fn a_wrong_dependency_is_found() {
    let wrong =
        |package: &str, dependency: &str| violations(&Packages::from([(package.to_owned(), vec![dependency.to_owned()])]));
    assert_eq!(wrong("ingest", "indexer"), ["`ingest` may not use `indexer`"]);
    assert_eq!(wrong("store", "jobs"), ["`store` may not use `jobs`"]);
    assert_eq!(
        wrong("jobs", "axum"),
        ["`jobs` may not name `axum`, which is for `query-api`"]
    );
    assert_eq!(
        wrong("cookbook", "sqlx-core"),
        ["`cookbook` may not name `sqlx-core`, which is for `store`"]
    );
    assert_eq!(
        wrong("store", "askama"),
        ["`store` may not name `askama`, which is for `jobs` and `query-api`"]
    );
    for package in ["jobs", "query-api"] {
        assert_eq!(wrong(package, "askama"), Vec::<String>::new());
    }
    assert_eq!(wrong("query-api", "test-support"), Vec::<String>::new());
}

fn workspace() -> Packages {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    let packages = metadata.workspace_packages();
    packages
        .into_iter()
        .map(|package| {
            let dependencies = package.dependencies.iter().map(|dependency| dependency.name.clone());
            (package.name.to_string(), dependencies.collect())
        })
        .collect()
}

fn violations(packages: &Packages) -> Vec<String> {
    let mut found = Vec::new();
    for (package, dependencies) in packages {
        let may_use = MAY_USE
            .iter()
            .find(|(name, _)| name == package)
            .map_or(&[][..], |(_, rooms)| rooms);
        for dependency in dependencies {
            let is_room = MAY_USE.iter().any(|(name, _)| name == dependency);
            if is_room && dependency != FOR_TESTS && !may_use.contains(&dependency.as_str()) {
                found.push(format!("`{package}` may not use `{dependency}`"));
            }
            let owners: Vec<&str> = NAMED_BY
                .iter()
                .filter(|(technology, _)| is_of(dependency, technology))
                .map(|(_, owner)| *owner)
                .collect();
            if !owners.is_empty() && !owners.contains(&package.as_str()) && package != FOR_TESTS {
                let owners = owners.join("` and `");
                found.push(format!("`{package}` may not name `{dependency}`, which is for `{owners}`"));
            }
        }
    }
    found
}

/// Whether a package is a technology's own or of its family.
fn is_of(package: &str, technology: &str) -> bool {
    package
        .strip_prefix(technology)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}
