//! Views, downloads and activities by month.

use chrono::{DateTime, Utc};
use store::partition::{TABLES, extend, extend_at};

use crate::counts::{rows, small_community};

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn every_table_has_months_ahead_and_a_last_one_for_all_else() {
    let db = small_community().await;
    let this_month = Utc::now().format("p%Y%m").to_string();
    for table in TABLES {
        let names = rows(
            &db,
            "partition_name",
            &format!("information_schema.partitions WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY partition_ordinal_position"),
        )
        .await;
        assert_eq!(names.last().unwrap(), "pmax", "{table}");
        let ahead = names.iter().rev().skip(1).take_while(|name| **name > this_month).count();
        assert!(ahead >= 2, "{table}: {names:?}");
        assert!(names.contains(&this_month), "{table}: {names:?}");
    }
    assert!(extend(db.pool(), 2).await.unwrap().is_empty(), "nothing to do yet");
}

#[tokio::test]
async fn months_are_added_and_what_gathered_in_the_last_partition_moves_to_them() {
    let db = small_community().await;
    db.execute(
        "INSERT INTO workflow_views (workflow_id, created_at) VALUES (1, '2031-05-31 23:59:59'), (1, '2031-06-01 00:00:00')",
    )
    .await;
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views PARTITION (pmax)").await, 2);
    let made = extend_at(db.pool(), time("2031-05-10T00:00:00Z"), 2).await.unwrap();
    assert!(
        made.contains(&"workflow_views.p203105".to_owned()) && made.contains(&"user_activities.p203107".to_owned()),
        "{made:?}"
    );
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views PARTITION (p203105)").await, 1);
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views PARTITION (p203106)").await, 1);
    assert_eq!(db.integer("SELECT COUNT(*) FROM workflow_views PARTITION (pmax)").await, 0);
    assert!(
        extend_at(db.pool(), time("2031-05-10T00:00:00Z"), 2)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn several_processes_may_add_months_at_once() {
    let db = small_community().await;
    let now = time("2030-01-15T00:00:00Z");
    let made: Vec<Vec<String>> = futures::future::try_join_all((0..3).map(|_| extend_at(db.pool(), now, 1)))
        .await
        .unwrap();
    assert_eq!(made.iter().filter(|made| !made.is_empty()).count(), 1);
}

#[tokio::test]
async fn a_day_of_views_opens_one_partition() {
    let db = small_community().await;
    let plan = sqlx::raw_sql(if db.is_mariadb().await {
        "EXPLAIN PARTITIONS SELECT COUNT(*) FROM workflow_views WHERE created_at >= '2031-01-02' AND created_at < '2031-01-03'"
    } else {
        "EXPLAIN FORMAT=TRADITIONAL SELECT COUNT(*) FROM workflow_views WHERE created_at >= '2031-01-02' AND created_at < '2031-01-03'"
    })
    .fetch_one(db.pool())
    .await
    .unwrap();
    let partitions: String = sqlx::Row::get(&plan, "partitions");
    assert_eq!(partitions, "pmax");
}
