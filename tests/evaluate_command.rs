//! `cookbook evaluate recommendations`: a community so small that its figures are known beforehand.

use std::process::Output;

use test_support::TestDb;

use crate::program::{cookbook, error_of, folder};

async fn evaluate(db: &TestDb, arguments: &'static [&'static str]) -> Output {
    let folder = folder();
    let mut command = cookbook(folder.path());
    command
        .args(["evaluate", "recommendations"])
        .args(arguments)
        .env("COOKBOOK_DATABASE__URL", db.url());
    tokio::task::spawn_blocking(move || command.output().expect("run the command"))
        .await
        .expect("wait for the command")
}

#[tokio::test]
async fn its_figures_are_those_that_can_be_told_by_hand() {
    // Two circles of five people. Each took the five workflows of their circle, each in another order, so that each is held back of one of
    // them. Neighbours lead to it and to nothing else. The ten are equally popular, and newer ones come first among equals: the other
    // circle's five come before it for those of the first.
    let db = TestDb::new().await;
    for user in 1..=11 {
        db.execute(&format!(
            "INSERT INTO users (id, username, email, password) VALUES ({user}, 'u{user}', '{user}@example.org', 'x')"
        ))
        .await;
    }
    for workflow in 1..=10 {
        db.execute(&format!(
            "INSERT INTO workflows (id, user_id, title, slug, rack_type, adg_file_path, parse_state, is_published)
             VALUES ({workflow}, 11, 'W{workflow}', 'w-{workflow}', 'instrument', 'x', 'no_file', TRUE)"
        ))
        .await;
    }
    for person in 0..10 {
        for step in 0..5 {
            let workflow = 1 + person / 5 * 5 + (person + step) % 5;
            db.execute(&format!(
                "INSERT INTO workflow_downloads (workflow_id, user_id, created_at)
                 VALUES ({workflow}, 1 + {person}, '2026-03-01' + INTERVAL {step} HOUR)"
            ))
            .await;
        }
    }
    let output = evaluate(&db, &[]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "10 people took 10 workflows; learnt from 40 interactions, 10 held back of 10 people"
    );
    let figures = |name: &str| -> Vec<f64> {
        let line = lines
            .iter()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("`{name}` in {text}"));
        line.split_whitespace()
            .rev()
            .take(4)
            .map(|figure| figure.parse().expect("a number"))
            .collect()
    };
    // Novelty, coverage, recall and nDCG: four of ten took each.
    let bits = ((10.0_f64 / 4.0).log2() * 100.0).round() / 100.0;
    assert_eq!(figures("this program's ranking, bare"), [bits, 1.0, 1.0, 1.0]);
    assert_eq!(figures("item-kNN"), [bits, 1.0, 1.0, 1.0]);
    let sixth = 1.0 / 7.0_f64.log2();
    let popularity = figures("popularity");
    assert_eq!(popularity[..3], [bits, 1.0, 1.0]);
    assert!((popularity[3] - (1.0 + sixth) / 2.0).abs() < 1e-4, "{text}");
    assert!(
        lines
            .last()
            .expect("a last line")
            .starts_with("bare ranking: 1.000 of the best item-kNN"),
        "{text}"
    );
}

#[tokio::test]
async fn where_nothing_can_be_measured_it_says_so() {
    let db = TestDb::new().await;
    let output = evaluate(&db, &[]).await;
    assert!(!output.status.success() && error_of(&output).contains("there is nothing to measure"));
    let output = evaluate(&db, &["--held-back", "1.5"]).await;
    assert!(error_of(&output).contains("`--held-back` 1.5"), "{}", error_of(&output));
}

#[tokio::test]
async fn ratings_of_a_file_are_measured_without_a_database() {
    let folder = folder();
    // The same two circles; what gets three stars is no interest, and of half stars the whole ones count.
    let mut rows = "person,thing,stars,at\n".to_owned();
    for person in 0..10 {
        for step in 0..5 {
            let thing = person / 5 * 5 + (person + step) % 5;
            rows += &format!(
                "p{person},t{thing},4.5,{}\np{person},low{step},3.5,{}\n",
                1000 + step,
                1000 + step
            );
        }
    }
    for (name, text) in [("ratings.csv", rows.clone()), ("ratings.inter", rows.replace(',', "\t"))] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("write the ratings");
        let mut command = cookbook(folder.path());
        command.args(["evaluate", "recommendations", "--ratings"]).arg(&file);
        let output = tokio::task::spawn_blocking(move || command.output().expect("run the command"))
            .await
            .expect("wait for the command");
        assert!(output.status.success(), "{}", error_of(&output));
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            text.lines().next(),
            Some("10 people took 10 workflows; learnt from 40 interactions, 10 held back of 10 people")
        );
        let bare = text
            .lines()
            .find(|line| line.starts_with("this program's"))
            .expect("the bare ranking");
        assert!(bare.contains(" 1.0000 "), "{text}");
    }
    for line in ["1,2,good,4", "1,2,6,4", "1,2,NaN,4", "1,2,5,1e300", "1,2,5,-1", "1,2,5"] {
        std::fs::write(folder.path().join("bad.csv"), format!("a,b,c,d\n{line}\n")).expect("write a file");
        let mut command = cookbook(folder.path());
        command.args(["evaluate", "recommendations", "--ratings", "bad.csv"]);
        let output = tokio::task::spawn_blocking(move || command.output().expect("run the command"))
            .await
            .expect("wait for the command");
        assert!(!output.status.success(), "{line}");
        assert!(error_of(&output).contains("stars"), "{line}: {}", error_of(&output));
    }
}
