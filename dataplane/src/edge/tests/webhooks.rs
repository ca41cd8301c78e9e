//! Webhook tools: three ways to acknowledge, once per call, and what is refused.

use asyncmcp_delivery::egress::NamedBy;
use asyncmcp_delivery::job::OnInterruption;
use serde_json::{Value, json};

use super::gateway::{Gateway, initialize};

pub(super) const NAMED: &str = "http://127.0.0.1:9/hook";
/// A route whose clients may name a receiver on this machine.
pub(super) const OPEN: &str = "  webhookTools: [{name: \"p_*batch\", timeout: 2h}]
  webhook:
    receivers:
      fromClients: {allowedHosts: [\"127.0.0.1\"], allowedCidrs: [127.0.0.0/8], schemes: [http]}
";
/// A route with a receiver of its own.
pub(super) const OWN: &str = "  webhookTools: [{name: p_batch, onInterruption: Retry}]
  webhook: {receivers: {default: {url: \"http://127.0.0.1:9/own\"}}}
";

pub(super) fn named() -> Value {
    json!({"webhookUrl": NAMED})
}

#[tokio::test]
async fn a_client_that_named_its_receiver_gets_202_and_nothing_else() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    let reply = client.call(5, "p_batch", json!({"arguments": {}})).await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (202, ""));
    assert_eq!(gateway.pending(), 1);
}

#[tokio::test]
async fn the_routes_own_receiver_gives_an_acknowledgement_that_a_model_can_read() {
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    let reply = client.call(5, "p_batch", json!({})).await.json();
    let result = &reply["result"];
    assert_eq!(result["isError"], false);
    assert!(result["content"][0]["text"].as_str().unwrap().contains("p_batch"));
    assert_eq!(result["_meta"]["dev.asyncmcp/job"]["status"], "working");
    assert_eq!(
        result["_meta"]["dev.asyncmcp/job"]["id"].as_str().unwrap().len(),
        26
    );
    assert_eq!(gateway.pending(), 1);
}

#[tokio::test]
async fn without_a_receiver_it_is_an_ordinary_call() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(json!({})).await;
    let reply = client.call(5, "p_batch", json!({})).await.json();
    assert!(reply["result"]["content"].is_array(), "{reply}");
    assert_eq!(gateway.pending(), 0);
}

#[tokio::test]
async fn an_ordinary_tool_is_not_for_the_receiver() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    assert_eq!(client.call(5, "p_echo", json!({})).await.json()["id"], 5);
    assert_eq!(gateway.pending(), 0);
}

#[tokio::test]
async fn what_acceptance_writes_down() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    let call = concat!(
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"p_safe_batch","#,
        r#""arguments":{ "n":1.00 },"_meta":{"progressToken":1,"com.example/y":1}}}"#
    );
    assert_eq!(client.post(call).await.status, 202);
    let (_, call, params) = begun(&gateway, 1).await.remove(0);
    let params = String::from_utf8(params.to_vec()).unwrap();
    assert_eq!(
        params,
        r#"{"name":"safe_batch","arguments":{ "n":1.00 },"_meta":{"com.example/y":1}}"#
    );
    assert_eq!(
        (call.server.as_str(), call.tool.as_str(), call.shown_as.as_str()),
        ("a", "safe_batch", "p_safe_batch")
    );
    assert_eq!(call.request_id, "\"x\"");
    assert_eq!(call.timeout.as_secs(), 7200);
    assert_eq!(
        call.on_interruption,
        OnInterruption::Fail,
        "a hint counts only where the route says Auto"
    );
    let target = call.target.unwrap();
    assert_eq!((target.url.as_str(), target.named_by), (NAMED, NamedBy::Session));
}

#[tokio::test]
async fn a_tool_runs_once_unless_the_route_says_otherwise() {
    for (route, meta, expect) in [
        (OPEN, named(), OnInterruption::Fail),
        (OWN, json!({}), OnInterruption::Retry),
    ] {
        let gateway = Gateway::start(route).await;
        gateway.client(meta).await.call(1, "p_batch", json!({})).await;
        assert_eq!(begun(&gateway, 1).await[0].1.on_interruption, expect);
    }
}

#[tokio::test]
async fn a_route_that_says_auto_believes_the_tools_hints() {
    let auto = OPEN.replace("timeout: 2h", "onInterruption: Auto");
    for (tool, expect) in [
        ("p_batch", OnInterruption::Fail),
        ("p_safe_batch", OnInterruption::Retry),
    ] {
        let gateway = Gateway::start(&auto).await;
        gateway.client(named()).await.call(1, tool, json!({})).await;
        assert_eq!(begun(&gateway, 1).await[0].1.on_interruption, expect, "{tool}");
    }
}

#[tokio::test]
async fn an_idempotency_key_stands_above_the_json_rpc_id() {
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    let keyed = |key: Value| json!({"_meta": {"dev.asyncmcp/idempotencyKey": key}});
    let job = |reply: Value| reply["result"]["_meta"]["dev.asyncmcp/job"]["id"].clone();
    let first = job(client.call(1, "p_batch", keyed(json!("k"))).await.json());
    assert_eq!(
        job(client.call(2, "p_batch", keyed(json!("k"))).await.json()),
        first
    );
    assert_ne!(
        job(client.call(1, "p_batch", keyed(json!("l"))).await.json()),
        first
    );
    for bad in [json!(5), json!("")] {
        assert_eq!(
            client.call(3, "p_batch", keyed(bad)).await.refusal(),
            (200, -32602)
        );
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_allowed_is_refused_where_it_is_named() {
    let gateway = Gateway::start(OPEN).await;
    for url in [
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "https://127.0.0.1/",
        "http://localhost:1/",
        "nonsense",
    ] {
        let body = initialize("2025-11-25", &json!({"webhookUrl": url})).to_string();
        let reply = gateway.post(&[], body).await;
        assert_eq!(reply.refusal(), (200, -31005), "{url}");
        assert!(!reply.headers.contains_key("mcp-session-id"));
    }
}

#[tokio::test]
async fn a_receiver_that_the_route_no_longer_allows_gets_no_new_jobs() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    gateway.change_route("  webhookTools: [{name: p_batch}]\n");
    let deadline = tokio::time::Duration::from_secs(5);
    let refused = async {
        let mut id = 0;
        while client.call(id, "p_batch", json!({})).await.status != 200 {
            id += 1;
        }
        client.call(1000, "p_batch", json!({})).await
    };
    let reply = tokio::time::timeout(deadline, refused).await.unwrap();
    assert_eq!(reply.refusal(), (200, -31005));
}

/// The `_meta` of a call that names a receiver.
fn per_call(webhook: &Value) -> Value {
    json!({"_meta": {"dev.asyncmcp/webhook": webhook}})
}

const SECRET: &str = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0";

#[tokio::test]
async fn a_receiver_per_call_beats_the_sessions_and_its_secret_is_kept_with_the_job() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    let own = "http://127.0.0.1:9/own";
    let reply = client
        .call(1, "p_batch", per_call(&json!({"url": own, "secret": SECRET})))
        .await
        .json();
    let text = reply["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("the receiver that the call named"), "{reply}");
    assert_eq!(reply["result"]["_meta"]["dev.asyncmcp/job"]["status"], "working");
    let (_, call, params) = begun(&gateway, 1).await.remove(0);
    let target = call.target.unwrap();
    assert_eq!((target.url.as_str(), target.named_by), (own, NamedBy::Call));
    assert_eq!(target.secret, Some(SECRET.parse().unwrap()));
    let params = String::from_utf8(params.to_vec()).unwrap();
    assert!(!params.contains("whsec_"), "no server learns of it: {params}");
}

#[tokio::test]
async fn a_receiver_per_call_is_held_to_what_clients_may_name() {
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    let reply = client.call(1, "p_batch", per_call(&json!({"url": NAMED}))).await;
    assert_eq!(
        reply.refusal(),
        (200, -31005),
        "the route's own word is not the client's"
    );
    assert_eq!(gateway.pending(), 0);
}

#[tokio::test]
async fn a_receiver_per_call_that_cannot_be_read_is_refused_by_the_name_of_its_field() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    for (webhook, field) in [
        (
            json!("http://127.0.0.1:9/"),
            "dev.asyncmcp/webhook\"] must be an object",
        ),
        (json!({"secret": SECRET}), "].url must be"),
        (json!({"url": 5}), "].url must be"),
        (json!({"url": NAMED, "secret": "whsec_short"}), "].secret must be"),
        (json!({"url": NAMED, "secret": "hunter2"}), "].secret must be"),
        (json!({"url": NAMED, "secret": null}), "].secret must be"),
    ] {
        let reply = client.call(1, "p_batch", per_call(&webhook)).await;
        assert_eq!(reply.refusal(), (200, -32602), "{webhook}");
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains(field) && !message.contains("hunter2"),
            "{message}"
        );
    }
    let reply = client.call(1, "p_echo", per_call(&json!({"url": NAMED}))).await;
    assert_eq!(reply.refusal(), (200, -32602), "an ordinary tool");
    assert_eq!(gateway.pending(), 0);
}

#[tokio::test]
async fn a_session_that_ends_leaves_its_jobs_running() {
    let gateway = Gateway::start(OPEN).await;
    let client = gateway.client(named()).await;
    client.call(5, "p_batch", json!({})).await;
    assert_eq!(client.with_method("DELETE").await.status(), 200);
    assert_eq!(gateway.pending(), 1);
}

#[tokio::test]
async fn a_store_that_is_down_refuses_webhook_calls_only() {
    use asyncmcp_delivery::store::Store as _;
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    client.call(1, "p_echo", json!({})).await;
    gateway.store.close().await.unwrap();
    let reply = client.call(2, "p_batch", json!({})).await;
    assert_eq!(reply.refusal(), (200, -31004));
    assert_eq!(client.call(3, "p_echo", json!({})).await.json()["id"], 3);
}

#[tokio::test]
async fn an_engine_that_drains_accepts_nothing() {
    let gateway = Gateway::start(OWN).await;
    let client = gateway.client(json!({})).await;
    gateway.edge.calls.engine.finish_deliveries().await;
    assert_eq!(
        client.call(1, "p_batch", json!({})).await.refusal(),
        (200, -31004)
    );
}

/// The jobs whose execution began, once there are so many.
pub(super) async fn begun(
    gateway: &Gateway,
    count: usize,
) -> Vec<(
    asyncmcp_delivery::id::JobId,
    asyncmcp_delivery::job::Call,
    bytes::Bytes,
)> {
    let all = async {
        loop {
            let begun = gateway.jobs.begun.lock().unwrap().clone();
            if begun.len() >= count {
                return begun;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(tokio::time::Duration::from_secs(5), all)
        .await
        .expect("the job should begin")
}

#[tokio::test]
async fn a_client_with_too_many_calls_pending_is_told_when_to_come_back() {
    let route = OWN.replace("webhook: {", "webhook: {perClient: {maxPending: 1}, ");
    let gateway = Gateway::start(&route).await;
    let client = gateway.client(json!({})).await;
    client.call(1, "p_batch", json!({})).await;
    let refused = client.call(2, "p_batch", json!({})).await.json();
    assert_eq!(refused["error"]["code"], -31004, "{refused}");
    assert!(refused["error"]["data"]["retryAfterMs"].as_u64().unwrap() > 0);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("webhook.perClient.maxPending"), "{message}");
    let again = client.call(1, "p_batch", json!({})).await.json();
    assert!(
        again["result"]["_meta"]["dev.asyncmcp/job"].is_object(),
        "{again}"
    );
    let other = gateway
        .client(json!({}))
        .await
        .call(1, "p_batch", json!({}))
        .await
        .json();
    assert!(
        other["result"]["_meta"]["dev.asyncmcp/job"].is_object(),
        "{other}"
    );
    assert_eq!(gateway.pending(), 2);
}

#[tokio::test]
async fn a_call_for_a_server_with_too_long_a_queue_is_told_when_to_come_back() {
    let gateway = Gateway::start(&OWN.replace("webhook: {", "webhook: {maxRunning: 1, ")).await;
    let client = gateway.client(json!({})).await;
    client.call(0, "p_batch", json!({})).await;
    begun(&gateway, 1).await;
    for id in 1..=8 {
        client.call(id, "p_batch", json!({})).await;
    }
    let refused = client.call(9, "p_batch", json!({})).await.json();
    assert_eq!(refused["error"]["code"], -31004, "{refused}");
    assert!(refused["error"]["data"]["retryAfterMs"].as_u64().unwrap() > 0);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("servers[].maxQueuedJobs"), "{message}");
    assert_eq!(gateway.pending(), 9);
}
