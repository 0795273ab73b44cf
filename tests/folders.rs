//! Folders of racks, taken in.

use std::fs;
use std::time::Duration;

use ingest::folder::{FileOutcome, FolderOptions, Summary, find_files, take_in};

use crate::app::{TestApp, User, reverb_rack};

/// Takes the folder in while somebody does the jobs, and returns the summary and the codes of what was refused.
async fn take_in_all(app: &TestApp, user: &User) -> (Summary, Vec<String>) {
    let paths = find_files(&[app.folder.path().join("racks")]).expect("find the files");
    let options = FolderOptions {
        user_id: user.id,
        publish: true,
        max_bytes: app.settings.http.max_upload_bytes,
        dead_after: Duration::from_secs(30),
    };
    let mut refused = Vec::new();
    let working = async {
        loop {
            app.run_jobs().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let wake = store::wake::Wake::local();
    let taking = take_in(app.db.pool(), &app.files, &wake, paths, &options, |_, outcome| {
        if let FileOutcome::Refused { code, .. } = outcome {
            refused.push(code.clone());
        }
    });
    let summary = tokio::select! {
        summary = taking => summary.expect("take the files in"),
        () = working => unreachable!("it never ends"),
    };
    refused.sort();
    (summary, refused)
}

#[tokio::test]
async fn a_folder_is_taken_in_once_and_what_is_no_rack_is_told() {
    let app = TestApp::start().await;
    let user = app.user("producer-001").await;
    let racks = app.folder.path().join("racks");
    fs::create_dir_all(racks.join("deep/er")).expect("make folders");
    for (name, bytes) in [
        ("Warm Keys.adg", reverb_rack("1")),
        ("deep/Cold Pad.ADG", reverb_rack("2")),
        ("deep/er/same as warm.adg", reverb_rack("1")),
        ("deep/er/._Warm Keys.adg", vec![0, 5, 22, 7, 0, 2, 0, 0, 0, 0]),
        ("deep/cut.adg", reverb_rack("3")[..300].to_vec()),
        ("deep/notes.txt", b"no rack".to_vec()),
        ("empty.adg", Vec::new()),
    ] {
        fs::write(racks.join(name), bytes).expect("write a file");
    }
    let (summary, refused) = take_in_all(&app, &user).await;
    let expected = Summary {
        added: 2,
        already_there: 1,
        refused: 3,
        failed: 0,
    };
    assert_eq!(summary, expected);
    assert_eq!(refused, ["apple_double", "empty_file", "truncated"]);
    app.follow().await;
    assert_eq!(app.search("q=cold pad").await.len(), 1);
    assert_eq!(app.search("q=shimmerize").await.len(), 2);

    let (summary, _) = take_in_all(&app, &user).await;
    assert_eq!((summary.added, summary.already_there, summary.refused), (0, 3, 3));
}
