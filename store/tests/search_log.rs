//! Searches and what was done with their hits.

use chrono::{DateTime, TimeDelta, Utc};
use store::WorkflowId;
use store::search_log::{self, QueryId, Search, SearchEvent, SearchEventKind, Source};
use test_support::TestDb;

fn search(text: &str, at: DateTime<Utc>, hits: u32, actor: u8) -> Search {
    Search {
        query_id: QueryId::generate(),
        searched_at: at,
        text: text.to_owned(),
        filters: Some("genre=house".to_owned()),
        hits,
        took_us: 1500,
        source: Source::Native,
        actor_hash: Some([actor; 8]),
    }
}

fn event(search: &Search, kind: SearchEventKind, workflow: u64, position: u32) -> SearchEvent {
    SearchEvent {
        query_id: search.query_id,
        kind,
        workflow_id: WorkflowId(workflow),
        position,
        happened_at: search.searched_at + TimeDelta::seconds(4),
    }
}

#[tokio::test]
async fn reports_read_what_was_searched_what_was_not_found_and_what_was_clicked() {
    let db = TestDb::new().await;
    let mut db = db.pool().acquire().await.unwrap();
    let first: DateTime<Utc> = "2026-05-01T10:00:00.123Z".parse().unwrap();
    let second = first + TimeDelta::days(1);
    let searches = [
        search("warm pad", first, 40, 1),
        search("warm pad", first, 40, 2),
        search("warm pad", second, 41, 2),
        search("theremin", first, 0, 1),
        search("theremin", second, 0, 1),
        search("gong", second, 0, 1),
        search("gong", second + TimeDelta::hours(1), 1, 1),
        search("", second, 900, 3),
        search("warm pad", second + TimeDelta::days(30), 40, 1),
    ];
    search_log::add_searches(&mut db, &searches).await.unwrap();
    // An uncertain end is repeated.
    search_log::add_searches(&mut db, &searches[..2]).await.unwrap();
    let events = [
        event(&searches[0], SearchEventKind::Click, 7, 1),
        event(&searches[0], SearchEventKind::Click, 8, 4),
        event(&searches[0], SearchEventKind::Download, 8, 4),
        event(&searches[2], SearchEventKind::Click, 7, 7),
        event(&searches[2], SearchEventKind::Click, 7, 7),
        event(&searches[2], SearchEventKind::Play, 9, 2),
    ];
    search_log::add_events(&mut db, &events).await.unwrap();
    search_log::add_events(&mut db, &events).await.unwrap();

    let (from, to) = (first - TimeDelta::hours(1), second + TimeDelta::days(1));
    let top = search_log::most_frequent(&mut db, from, to, 10).await.unwrap();
    let texts: Vec<_> = top.iter().map(|query| (query.text.as_str(), query.searches)).collect();
    assert_eq!(texts, [("warm pad", 3), ("gong", 2), ("theremin", 2)]);
    let warm = &top[0];
    assert_eq!((warm.searchers, warm.without_hits, warm.clicked, warm.clicks), (2, 0, 2, 3));
    assert_eq!(warm.mean_click_position, Some(4.0));
    assert!((warm.click_through() - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!(search_log::most_frequent(&mut db, from, to, 1).await.unwrap().len(), 1);

    let lacking = search_log::without_hits(&mut db, from, to, 10).await.unwrap();
    assert_eq!(lacking.len(), 1, "a gong was found in the end: {lacking:?}");
    assert_eq!(
        (lacking[0].text.as_str(), lacking[0].searches, lacking[0].searchers),
        ("theremin", 2, 1)
    );

    let days = search_log::by_day(&mut db, from, to).await.unwrap();
    assert_eq!(days.iter().map(|day| day.searches).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(
        (days[0].day, days[0].without_hits, days[0].clicked, days[0].clicks),
        (first.date_naive(), 1, 1, 2)
    );
    assert_eq!(days[0].mean_click_position, Some(2.5));
    assert_eq!(days[1].mean_click_position, Some(7.0));
    assert!((days[1].mean_took_us - 1500.0).abs() < 1e-9);

    let one = search_log::query_by_day(&mut db, "warm pad", from, to).await.unwrap();
    let of_days: Vec<_> = one.iter().map(|day| (day.searches, day.clicked, day.clicks)).collect();
    assert_eq!(of_days, [(2, 1, 2), (1, 1, 1)]);
    assert_eq!(one[0].mean_click_position, Some(2.5));
}

#[tokio::test]
async fn the_number_of_hits_of_known_answers_is_told_and_old_ones_are_pruned() {
    let db = TestDb::new().await;
    let mut connection = db.pool().acquire().await.unwrap();
    let old = search("old", Utc::now() - TimeDelta::days(91), 3, 1);
    let new = search("new", Utc::now() - TimeDelta::days(89), 5, 1);
    search_log::add_searches(&mut connection, &[old.clone(), new.clone()])
        .await
        .unwrap();
    let events = [
        event(&old, SearchEventKind::Click, 1, 1),
        event(&new, SearchEventKind::Click, 1, 1),
    ];
    search_log::add_events(&mut connection, &events).await.unwrap();
    let ids = [old.query_id, new.query_id, QueryId::generate()];
    let hits = search_log::hits_of(&mut connection, &ids).await.unwrap();
    assert_eq!(hits.len(), 2);
    assert_eq!((hits[&old.query_id], hits[&new.query_id]), (3, 5));

    assert_eq!(search_log::prune(&mut connection, 90, 1000).await.unwrap(), 2);
    assert_eq!(search_log::prune(&mut connection, 90, 1000).await.unwrap(), 0);
    assert_eq!(db.integer("SELECT COUNT(*) FROM searches WHERE text = 'new'").await, 1);
    assert_eq!(db.integer("SELECT COUNT(*) FROM search_events").await, 1);
}
