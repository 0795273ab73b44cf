//! Files by hash, and the sweep of those that nothing names.

use bytes::Bytes;
use chrono::TimeDelta;
use futures::TryStreamExt;
use store::files::{FileHash, Files, FilesError};
use store::media::{self, MediaKind, MediaPath};
use store::unnamed_files;
use tempfile::TempDir;
use test_support::TestDb;

fn files() -> (TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::local(folder.path().join("files")).unwrap();
    (folder, files)
}

async fn put(files: &Files, bytes: &'static [u8]) -> FileHash {
    let hash = FileHash::of(bytes);
    files.put(hash, Bytes::from_static(bytes)).await.unwrap();
    hash
}

#[tokio::test]
async fn a_file_is_found_under_its_hash_and_storing_it_twice_is_once() {
    let (folder, files) = files();
    let hash = put(&files, b"rack").await;
    put(&files, b"rack").await;
    assert_eq!(files.load(hash, 100).await.unwrap(), "rack");
    let open = files.open_file(hash).await.unwrap();
    assert_eq!(open.size, 4);
    let pieces: Vec<Bytes> = open.bytes.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"rack");
    let listed: Vec<_> = files.list().try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].hash, listed[0].size), (hash, 4));
    assert!(folder.path().join("files").join(hash.path()).is_file());
    assert!(matches!(files.load(hash, 3).await, Err(FilesError::TooLarge { size: 4, .. })));
    let nothing = FileHash::of(b"nothing");
    assert!(files.find(nothing).await.unwrap().is_none());
    assert!(matches!(files.open_file(nothing).await, Err(FilesError::NotFound(_))));
}

#[tokio::test]
async fn a_path_of_another_program_is_read_inside_the_store_and_nowhere_else() {
    let (folder, files) = files();
    std::fs::write(folder.path().join("outside"), "secret").unwrap();
    std::fs::create_dir_all(folder.path().join("files/old/kits")).unwrap();
    std::fs::write(folder.path().join("files/old/a b.adg"), "old").unwrap();
    assert_eq!(files.load_path("old/a b.adg", 100).await.unwrap(), "old");
    let long = "x".repeat(400);
    for path in [
        "../outside",
        "/../outside",
        "old/../../outside",
        "",
        "/",
        "old",
        "old/kits",
        "old/a b.adg/c",
        "nul\0",
        long.as_str(),
    ] {
        let found = files.load_path(path, 100).await;
        assert!(matches!(found, Err(FilesError::NotFound(_))), "`{path}`: {found:?}");
    }
}

#[tokio::test]
async fn the_sweep_removes_what_is_old_and_unnamed_and_nothing_else() {
    let db = TestDb::new().await;
    let (folder, files) = files();
    let (named, unnamed) = (put(&files, b"named").await, put(&files, b"unnamed").await);
    db.shell()
        .execute(&format!(
            "INSERT INTO users (username, email, password) VALUES ('producer-001', 'producer-001@example.org', '!');
             INSERT INTO workflows (user_id, title, slug, rack_type, adg_file_path, file_hash)
             VALUES (1, 'Named', 'named', 'instrument', 'x', UNHEX('{named}'))"
        ))
        .await;
    std::fs::write(folder.path().join("files/racks/notes.txt"), "not ours").unwrap();
    assert_eq!(
        unnamed_files::remove(db.pool(), &files, TimeDelta::hours(1)).await.unwrap(),
        0
    );
    assert_eq!(
        unnamed_files::remove(db.pool(), &files, TimeDelta::seconds(-60))
            .await
            .unwrap(),
        1
    );
    assert!(files.find(named).await.unwrap().is_some());
    assert!(files.find(unnamed).await.unwrap().is_none());
    assert!(folder.path().join("files/racks/notes.txt").is_file());
}

#[tokio::test]
async fn pictures_and_sounds_go_when_they_are_old_and_no_row_names_them() {
    let db = TestDb::new().await;
    let (_folder, files) = files();
    let mut paths = Vec::new();
    for (kind, owner, bytes) in [
        (MediaKind::Avatar, 1, "named"),
        (MediaKind::Avatar, 1, "replaced"),
        (MediaKind::PreviewAudio, 7, "named"),
        (MediaKind::PreviewImage, 7, "taken back"),
        (MediaKind::PreviewImage, 8, "of a workflow that is gone"),
    ] {
        let path = MediaPath::of(kind, owner, bytes.as_bytes(), "png");
        media::put(&files, &path, Bytes::from(bytes)).await.unwrap();
        paths.push(path);
    }
    db.execute(&format!(
        "INSERT INTO users (id, username, email, password, avatar_path) VALUES (1, 'producer-001', 'producer-001@example.org', '!', '{}');
         INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, preview_audio_path)
         VALUES (7, 1, 'Named', 'named', 'instrument', 'x', '{}')",
        paths[0], paths[2]
    ))
    .await;
    assert_eq!(
        media::remove_unnamed(db.pool(), &files, TimeDelta::hours(1)).await.unwrap(),
        0
    );
    let gone = media::remove_unnamed(db.pool(), &files, TimeDelta::seconds(-60))
        .await
        .unwrap();
    assert_eq!(gone, 3);
    for (path, is_there) in paths.iter().zip([true, false, true, false, false]) {
        assert_eq!(media::open(&files, path).await.is_ok(), is_there, "{path}");
    }
}
