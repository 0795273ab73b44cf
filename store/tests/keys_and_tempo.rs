//! `musical_key` and `tempo`, kept by triggers whoever writes `key_signature` and `bpm`.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use store::musical_key::MusicalKey;

use crate::counts::{rows, small_community};

#[tokio::test]
async fn the_servers_spellings_are_the_programs() {
    let db = test_support::TestDb::new().await;
    let listed = rows(&db, "spelling, musical_key", "musical_key_spellings ORDER BY spelling").await;
    let expected: Vec<String> = MusicalKey::spellings()
        .filter(|(spelling, _)| spelling.len() <= 10)
        .map(|(spelling, key)| format!("{spelling} {key}"))
        .collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn the_trigger_reads_what_the_program_reads() {
    const CASES: usize = 800;
    let db = small_community().await;
    let mut runner = TestRunner::deterministic();
    let near_miss = "[A-Ha-h0-9][#b♯♭0-9 _-]?[-mMaAdDbBis ]{0,3}[a-zA-Zİ]{0,4}";
    let anything = "\\PC{0,10}";
    let mut texts: Vec<String> = MusicalKey::spellings().map(|(spelling, _)| spelling.to_owned()).collect();
    for _ in 0..CASES {
        for pattern in [near_miss, anything] {
            texts.push(
                proptest::string::string_regex(pattern)
                    .unwrap()
                    .new_tree(&mut runner)
                    .unwrap()
                    .current(),
            );
        }
    }
    texts.retain(|text| text.chars().count() <= 10);
    let mut connection = db.pool().begin().await.unwrap();
    let mut keys = 0;
    for text in texts {
        sqlx::query("UPDATE workflows SET key_signature = ? WHERE id = 1")
            .bind(&text)
            .execute(&mut *connection)
            .await
            .unwrap();
        let stored: Option<String> = sqlx::query_scalar("SELECT musical_key FROM workflows WHERE id = 1")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let read = MusicalKey::parse(&text).map(MusicalKey::name);
        assert_eq!(stored.as_deref(), read, "`{text}`");
        keys += usize::from(read.is_some());
    }
    assert!(keys > 900, "only {keys} of the texts were keys");
}

#[tokio::test]
async fn the_canonical_key_follows_an_insert_an_update_and_a_removal() {
    let db = small_community().await;
    let key = async |statement: &str| {
        db.execute(statement).await;
        rows(&db, "key_signature, musical_key", "workflows WHERE slug = 'new'")
            .await
            .remove(0)
    };
    let insert = "INSERT INTO workflows (user_id, title, slug, rack_type, adg_file_path, key_signature) VALUES (1, 'New', 'new', 'instrument', 'x', 'Gb minor')";
    assert_eq!(key(insert).await, "Gb minor F#m");
    assert_eq!(
        key("UPDATE workflows SET key_signature = 'B' WHERE slug = 'new'").await,
        "B B"
    );
    assert_eq!(
        key("UPDATE workflows SET key_signature = 'b' WHERE slug = 'new'").await,
        "b Bm"
    );
    assert_eq!(key("UPDATE workflows SET musical_key = 'C' WHERE slug = 'new'").await, "b Bm");
    assert_eq!(
        key("UPDATE workflows SET key_signature = 'dorian' WHERE slug = 'new'").await,
        "dorian"
    );
    assert_eq!(key("UPDATE workflows SET key_signature = NULL WHERE slug = 'new'").await, "");
}

#[tokio::test]
async fn tempo_and_bpm_follow_each_other() {
    let db = small_community().await;
    let tempo = async |statement: &str| {
        db.execute(statement).await;
        rows(&db, "COALESCE(bpm, '-'), COALESCE(tempo, '-')", "workflows WHERE id = 1")
            .await
            .remove(0)
    };
    for (set, expected) in [
        ("bpm = 120", "120 120.00"),
        ("tempo = 102.5", "103 102.50"),
        ("title = 'x'", "103 102.50"),
        ("bpm = 102", "102 102.00"),
        ("bpm = 175, tempo = 174.5", "175 174.50"),
        ("bpm = 90, tempo = 174.5", "90 90.00"),
        ("tempo = NULL", "- -"),
        ("bpm = 100", "100 100.00"),
        ("bpm = NULL", "- -"),
        // What the seed's INT holds and a tempo cannot.
        ("bpm = 120000", "120000 -"),
        ("bpm = -5", "-5 -"),
    ] {
        assert_eq!(
            tempo(&format!("UPDATE workflows SET {set} WHERE id = 1")).await,
            expected,
            "{set}"
        );
    }
    assert_eq!(tempo("REPLACE INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, bpm) VALUES (1, 1, 'One', 'one', 'instrument', 'x', 99)").await, "99 99.00");
}
