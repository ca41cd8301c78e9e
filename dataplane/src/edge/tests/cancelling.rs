//! Clients that give up a webhook call: which job a cancellation finds, and what it does to it.

use std::time::Duration;

use asyncmcp_delivery::clock::{Clock, Millis};
use asyncmcp_delivery::id::JobId;
use serde_json::json;

use super::gateway::Gateway;
use super::webhooks::{NAMED, OPEN, begun, named};

fn cancel(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

#[tokio::test]
async fn a_result_is_dated_by_the_wall_clock_although_the_store_counts_from_another_time() {
    let ten_days = Duration::from_hours(240);
    let wall = Clock::system(Millis(0), 0, None).wall();
    let floor = Millis(0).plus(wall.since(Millis(0).plus(ten_days)));
    let clock = Clock::system(floor, 1, None);
    assert!(
        clock.now() < floor.plus(Duration::from_mins(1)),
        "a jump is no age"
    );
    let gateway = Gateway::start_at(OPEN, clock.clone()).await;
    let client = gateway.client(named()).await;
    client.call(5, "p_batch", json!({})).await;
    let (job, ..) = begun(&gateway, 1).await.remove(0);
    client.post(cancel(5)).await;
    delivered(&gateway, 1).await;
    let (timestamp, ce_time) = gateway.jobs.times.lock().unwrap()[0];
    assert!(
        timestamp.since(ce_time) < Duration::from_mins(1),
        "{timestamp} {ce_time}"
    );
    let hour_ago = Millis(wall.0 - 3_600_000);
    assert!(
        job >= JobId::first_at(clock.since(hour_ago)),
        "a list of the last hour has it"
    );
}

/// What was delivered, once there is so much.
async fn delivered(gateway: &Gateway, count: usize) -> Vec<String> {
    let mut delivered = gateway.jobs.delivered.subscribe();
    let wait = delivered.wait_for(|all| all.len() >= count);
    let all = tokio::time::timeout(tokio::time::Duration::from_secs(5), wait).await;
    all.unwrap().unwrap().clone()
}

#[tokio::test]
async fn a_job_is_cancelled_by_its_session_and_the_receiver_hears_of_it() {
    let gateway = Gateway::start(OPEN).await;
    let (client, other) = (gateway.client(named()).await, gateway.client(named()).await);
    client.call(5, "p_batch", json!({})).await;
    begun(&gateway, 1).await;
    assert_eq!(other.post(cancel(5)).await.status, 202);
    assert!(gateway.jobs.delivered.borrow().is_empty());
    assert_eq!(client.post(cancel(5)).await.status, 202);
    assert_eq!(delivered(&gateway, 1).await, [format!("{NAMED} Cancelled")]);
}

#[tokio::test]
async fn a_job_under_an_idempotency_key_is_cancelled_by_the_id_of_any_request_that_asked_for_it() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    let keyed = |key: &str| json!({"_meta": {"dev.asyncmcp/idempotencyKey": key}});
    for (first, again) in [(5, 5), (6, 7)] {
        let key = keyed(&first.to_string());
        client.call(first, "p_batch", key.clone()).await;
        client.call(again, "p_batch", key).await;
    }
    begun(&gateway, 2).await;
    assert_eq!(client.post(cancel(5)).await.status, 202);
    assert_eq!(delivered(&gateway, 1).await.len(), 1);
    assert_eq!(client.post(cancel(7)).await.status, 202);
    let expected = format!("{NAMED} Cancelled");
    assert_eq!(delivered(&gateway, 2).await, [expected.clone(), expected]);
    // What is over is left alone, and no job of any other request was touched.
    assert_eq!(client.post(cancel(6)).await.status, 202);
    assert_eq!(gateway.pending(), 0);
}

#[tokio::test]
async fn a_retry_is_answered_by_its_name_although_the_key_is_left_out() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    let key = json!({"_meta": {"dev.asyncmcp/idempotencyKey": "k"}});
    client.call(5, "p_batch", key).await;
    client.call(5, "p_batch", json!({})).await;
    begun(&gateway, 1).await;
    assert_eq!(
        gateway.pending(),
        1,
        "a request is one call, whatever it is called"
    );
}
