//! Headers and tokens: the server that the route gives them for gets them, and nobody else.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::receiver::Receiver;
use asyncmcp_tests::session::{Session, answer};
use serde_json::json;

use crate::{SOON, gateway, route, told};

const TOKEN: &str = "hunter2-the-first";
const NEXT_TOKEN: &str = "hunter2-the-second";

fn with_token(server: &McpServer) -> String {
    format!(
        "{{name: a, url: '{}', bearerTokenSecretRef: {{name: upstream, key: token}}}}",
        server.url()
    )
}

#[tokio::test]
async fn a_server_gets_what_the_route_gives_it_and_nothing_of_a_client() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["t"]).await;
    DataPlane::write_secret(dir.path(), "upstream", "token", &format!("{TOKEN}\n"))?;
    DataPlane::write_secret(dir.path(), "upstream", "key", "k-17")?;
    let given = format!(
        "{{name: a, url: '{}', host: 'mcp.internal:80', bearerTokenSecretRef: {{name: upstream, key: token}}, headers: \
         [{{name: X-Team, value: platform team}}, {{name: x-api-key, valueFrom: {{secretKeyRef: {{name: upstream, key: key}}}}}}]}}",
        server.url()
    );
    let gateway = gateway(dir.path(), &[given]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", "arguments": {}}});
    let request = session.request(call.to_string());
    let request = request
        .bearer_auth("the-clients-own")
        .header("cookie", "c=1")
        .header("x-api-key", "mine")
        .header("x-team", "attackers");
    assert!(answer(request).await?.json()["result"].is_object());
    let seen = server.nature().seen.clone();
    assert!(seen.iter().any(|seen| seen.method() == "tools/call"));
    assert!(seen.iter().any(|seen| seen.http == "GET"));
    for seen in seen {
        assert_eq!(
            seen.headers["authorization"],
            format!("Bearer {TOKEN}"),
            "{seen:?}"
        );
        assert_eq!(seen.headers["x-api-key"], "k-17", "{seen:?}");
        assert_eq!(seen.headers["x-team"], "platform team", "{seen:?}");
        assert_eq!(seen.headers["host"], "mcp.internal:80", "{seen:?}");
        assert!(!seen.headers.contains_key("cookie"), "{seen:?}");
        assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn without_its_token_a_server_is_not_called_and_jobs_wait_until_it_is_there() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (server, receiver) = (McpServer::start(&["t", "job"]).await, Receiver::willing().await?);
    let rest = format!(
        "  webhookTools: [{{name: job}}]\n  webhook: {{receivers: {{default: {{url: '{}'}}}}}}",
        receiver.url("/hook")
    );
    DataPlane::write_secret(dir.path(), "upstream", "token", TOKEN)?;
    let gateway = DataPlane::start(dir.path(), &route(&[with_token(&server)], &rest), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    assert!(session.call(1, "t", &json!({})).await?.json()["result"].is_object());
    told(&gateway, "Ready", &[]).await;

    std::fs::remove_file(dir.path().join("refs/secrets/upstream/token"))?;
    let words = "bearerTokenSecretRef: key token of Secret upstream cannot be read";
    told(&gateway, "Unreachable", &[words]).await;
    let missing = gateway.status().await?["missingKeys"].clone();
    assert_eq!(missing, json!(["secrets/upstream/token"]));
    let before = server.nature().seen.len();
    let refused = session.call(2, "t", &json!({})).await?.json();
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    assert!(
        message.contains("\"a\" was not called: a credential"),
        "{message}"
    );
    assert!(session.call(3, "job", &json!({})).await?.is_acknowledgement());
    tried_in_vain(&gateway).await;
    values_that_are_no_token(&gateway).await?;
    let after = server.nature().seen.len();
    assert_eq!(
        (after, receiver.count()),
        (before, 0),
        "something was sent without the token"
    );

    DataPlane::write_secret(dir.path(), "upstream", "token", NEXT_TOKEN)?;
    let posts = receiver.answered(1, SOON).await;
    assert_eq!(posts[0].response()["id"], 3);
    let job = &server.seen("tools/call")[1];
    assert_eq!(job.headers["authorization"], format!("Bearer {NEXT_TOKEN}"));
    told(&gateway, "Ready", &[]).await;
    let log = std::fs::read_to_string(dir.path().join("dataplane.log"))?;
    let said = format!("{} {log}", gateway.status().await?);
    assert!(!said.contains("hunter2"), "a token is in the log or in status");
    Ok(())
}

/// Waits until the job was looked at.
async fn tried_in_vain(gateway: &DataPlane) {
    eventually(SOON, || async {
        let log = gateway.process.json_lines();
        let mut lines = log.iter().map(ToString::to_string);
        let tried =
            lines.any(|line| line.contains("no reply from the server") && line.contains("cannot be read"));
        tried.then_some(()).ok_or("the job was not tried")
    })
    .await;
}

async fn values_that_are_no_token(gateway: &DataPlane) -> Result<()> {
    for (value, why) in [
        ("", "is empty"),
        ("Bearer hunter2-word", "one word"),
        ("\u{e4}", "one word"),
    ] {
        DataPlane::write_secret(&gateway.dir, "upstream", "token", value)?;
        told(gateway, "Unreachable", &["key token of Secret upstream", why]).await;
        let keys = gateway.status().await?["unusableKeys"].clone();
        assert_eq!(keys[0]["key"], "secrets/upstream/token", "{keys}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_was_never_seen_for_want_of_its_token_is_named_to_clients_with_the_reason() -> Result<()>
{
    let dir = tempfile::tempdir()?;
    let server = McpServer::start(&["t"]).await;
    let gateway = gateway(dir.path(), &[with_token(&server)]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    let refused = session.call(1, "t", &json!({})).await?.json();
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("\"a\" was not called: a credential"),
        "{refused}"
    );
    assert_eq!(server.nature().seen.len(), 0);
    DataPlane::write_secret(dir.path(), "upstream", "token", TOKEN)?;
    told(&gateway, "Ready", &[]).await;
    assert!(session.call(2, "t", &json!({})).await?.json()["result"].is_object());
    Ok(())
}

#[tokio::test]
async fn where_a_server_redirects_to_gets_no_credentials_not_even_a_request() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let elsewhere = McpServer::start(&["t"]).await;
    let to: &'static str = elsewhere.url().leak();
    for status in [301, 302, 303, 307, 308] {
        let server = McpServer::that_says(Reaction::Http(status, vec![("location", to)], "")).await;
        DataPlane::write_secret(dir.path(), "upstream", "token", TOKEN)?;
        let gateway = gateway(dir.path(), &[with_token(&server)]).await?;
        told(&gateway, "Rejected", &[to, "not followed"]).await;
        assert!(!server.nature().seen.is_empty());
    }
    assert_eq!(elsewhere.nature().seen.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_another_one_now_does_not_get_the_credentials_of_the_one_before() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (one, other) = (McpServer::start(&["t"]).await, McpServer::start(&["t"]).await);
    DataPlane::write_secret(dir.path(), "upstream", "token", TOKEN)?;
    let gateway = gateway(dir.path(), &[with_token(&one)]).await?;
    told(&gateway, "Ready", &[]).await;
    let without = format!("{{name: a, url: '{}'}}", other.url());
    gateway.edit(&route(&[without], "  store: {memory: {}}"))?;
    eventually(SOON, || async {
        let seen = other.nature().seen.len();
        (seen > 1).then_some(()).ok_or("not called yet")
    })
    .await;
    for seen in &other.nature().seen {
        assert!(!seen.headers.contains_key("authorization"), "{seen:?}");
    }
    Ok(())
}
