//! The same call twice: under one JSON-RPC id, or under one idempotency key.

use serde_json::json;

use super::gateway::Gateway;
use super::webhooks::{OPEN, OWN, begun, named};

#[tokio::test]
async fn a_repeated_call_is_answered_from_the_job_that_is_stored() {
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    let keyed = json!({"_meta": {"dev.asyncmcp/idempotencyKey": "k"}});
    let first = client.call(1, "p_batch", keyed.clone()).await.json();
    let job = first["result"]["_meta"]["dev.asyncmcp/job"].clone();
    assert_eq!(job["status"], "working");
    let id = job["id"].as_str().unwrap().parse().unwrap();
    begun(&gateway, 1).await;
    gateway.edge.calls.engine.cancel(id).await.unwrap();
    let again = client.call(2, "p_batch", keyed).await.json();
    let ended = &again["result"]["_meta"]["dev.asyncmcp/job"];
    assert_eq!(
        (&ended["id"], &ended["status"]),
        (&job["id"], &json!("cancelled"))
    );
    let text = again["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("was cancelled") && text.contains("the receiver of this route"),
        "{text}"
    );
}

#[tokio::test]
async fn a_client_that_waits_for_a_response_is_promised_none_that_will_not_come() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    let keyed = json!({"_meta": {"dev.asyncmcp/idempotencyKey": "k"}});
    assert_eq!(client.call(101, "p_batch", keyed.clone()).await.status, 202);
    assert_eq!(
        client.call(101, "p_batch", keyed.clone()).await.status,
        202,
        "sent twice"
    );
    let again = client.call(102, "p_batch", keyed).await;
    assert_eq!(again.refusal(), (200, -32602));
    assert!(again.body.contains("id 101"), "{}", again.body);
}

#[tokio::test]
async fn the_same_key_with_another_receiver_is_another_call() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(json!({})).await;
    let to = |url: &str| json!({"_meta": {"dev.asyncmcp/idempotencyKey": "k", "dev.asyncmcp/webhook": {"url": url}}});
    let first = client
        .call(1, "p_batch", to("http://127.0.0.1:9/one"))
        .await
        .json();
    assert!(first["result"].is_object(), "{first}");
    let other = client.call(2, "p_batch", to("http://127.0.0.1:9/two")).await;
    assert_eq!(other.refusal(), (200, -32602));
    assert!(other.body.contains("idempotency key"), "{}", other.body);
}

#[tokio::test]
async fn the_same_call_gets_the_same_job_and_another_under_its_name_is_refused() {
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    let first = client
        .call(5, "p_batch", json!({"arguments": {"n": 1}}))
        .await
        .body;
    assert_eq!(
        client
            .call(5, "p_batch", json!({"arguments": {"n": 1}}))
            .await
            .body,
        first
    );
    assert_eq!(
        client
            .call(5, "p_batch", json!({"arguments": {"n": 2}}))
            .await
            .refusal(),
        (200, -32602)
    );
    assert_eq!(gateway.pending(), 1);
    let other = gateway.client(json!({})).await;
    assert_ne!(
        other
            .call(5, "p_batch", json!({"arguments": {"n": 1}}))
            .await
            .body,
        first
    );
    assert_eq!(gateway.pending(), 2);
}
