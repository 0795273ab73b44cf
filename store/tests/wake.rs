//! Hints, with Redis and without it.

use std::time::Duration;

use config::{RedisSettings, Secret};
use store::wake::Wake;
use tokio::net::TcpListener;
use tokio::time::timeout;

fn settings(url: &str) -> RedisSettings {
    RedisSettings {
        url: Secret::new(url),
        timeout_ms: 250,
    }
}

#[tokio::test]
async fn a_hint_reaches_whoever_waits_in_this_process_and_whoever_comes_later() {
    let wake = Wake::local();
    wake.notify("parse-rack");
    wake.notified("parse-rack").await;
    let waiting = tokio::spawn({
        let wake = wake.clone();
        async move { wake.notified("parse-rack").await }
    });
    wake.notify("another");
    assert!(!waiting.is_finished());
    wake.notify("parse-rack");
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_hint_reaches_another_process_over_redis() {
    let settings = settings(&test_support::redis_url());
    let (here, there) = (Wake::start(&settings).unwrap(), Wake::start(&settings).unwrap());
    let queue = test_support::redis_prefix();
    // The other one may not have subscribed yet, and a hint is not kept for it; so hint until it is heard.
    loop {
        here.notify(&queue);
        if timeout(Duration::from_millis(50), there.notified(&queue)).await.is_ok() {
            break;
        }
    }
}

#[tokio::test]
async fn a_hint_that_was_flushed_is_heard_though_its_process_has_ended() {
    let settings = settings(&test_support::redis_url());
    let there = Wake::start(&settings).unwrap();
    let queue = test_support::redis_prefix();
    // Heard at once, once the other one has subscribed.
    let first = Wake::start(&settings).unwrap();
    loop {
        first.notify(&queue);
        if timeout(Duration::from_millis(50), there.notified(&queue)).await.is_ok() {
            break;
        }
    }
    first.flush().await;
    while timeout(Duration::from_millis(50), there.notified(&queue)).await.is_ok() {}
    let second = Wake::start(&settings).unwrap();
    second.notify(&queue);
    second.flush().await;
    drop(second);
    timeout(Duration::from_secs(5), there.notified(&queue)).await.unwrap();
    // With nobody there it is given up, not waited for.
    let absent = Wake::start(&RedisSettings {
        url: Secret::new("redis://127.0.0.1:1"),
        ..settings
    })
    .unwrap();
    absent.notify(&queue);
    timeout(Duration::from_secs(5), absent.flush()).await.unwrap();
}

#[tokio::test]
async fn without_redis_hints_work_within_the_process_and_nobody_waits_for_it() {
    // A server that accepts and then says nothing is the worst that Redis can be.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", mute.local_addr().unwrap());
    let wake = Wake::start(&settings(&url)).unwrap();
    for _ in 0..10_000 {
        wake.notify("parse-rack");
    }
    wake.notified("parse-rack").await;
    let absent = Wake::start(&settings("redis://127.0.0.1:1")).unwrap();
    absent.notify("parse-rack");
    absent.notified("parse-rack").await;
    Wake::start(&settings("no url")).expect_err("a malformed URL is an error at the start");
}
