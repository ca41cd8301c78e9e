//! What a token may see and call: the scopes of servers and of webhook tools.

use anyhow::Result;
use asyncmcp_fakes::issuer::Issuer;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::mcp::content::{prompt, resource};
use asyncmcp_tests::modern::{self, Modern};
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};

use crate::scene::{AUDIENCE, SOON, Scene, jwt};

/// Tools of `a` need `a:use`, its webhook tool also `run`; tools of `b` need nothing.
async fn scene(issuer: &Issuer) -> Result<(Scene, McpServer)> {
    let auth = format!(
        "  auth: {{bearerSecretRefs: [{{name: clients, key: one}}], jwt: [{}]}}",
        jwt(issuer.url(), ", scopes: [mcp]")
    );
    let scene = Scene::open(&auth, &[("one", "token-of-the-first-client")]).await?;
    let other = McpServer::start(&["free"]).await;
    let servers = format!(
        "servers: [{{name: a, url: '{}', tools: {{scopes: ['a:use']}}}}, {{name: b, url: '{}'}}]",
        scene.server.url(),
        other.url()
    );
    let route = crate::scene::route(&scene.server, &scene.receiver, &auth);
    let before = format!("servers: [{{name: a, url: '{}'}}]", scene.server.url());
    let route = route.replace(&before, &servers);
    let route = route.replace("[{name: slow}]", "[{name: slow, scopes: [run]}]");
    assert!(
        route.contains("a:use") && route.contains("scopes: [run]"),
        "{route}"
    );
    scene.gateway.edit(&route)?;
    let session = client(&scene, issuer, "mcp").await?;
    asyncmcp_tests::eventually(SOON, || async {
        match session.tools().await {
            Ok(tools) if tools == ["free"] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    Ok((scene, other))
}

async fn client(scene: &Scene, issuer: &Issuer, scopes: &str) -> Result<Session> {
    let mut claims = issuer.claims("alice", AUDIENCE);
    claims["scope"] = scopes.into();
    scene.client(&issuer.sign(&claims))?.begin(None).await
}

#[tokio::test]
async fn a_list_shows_and_a_call_reaches_what_the_token_covers() -> Result<()> {
    let issuer = Issuer::start().await;
    let (scene, _other) = scene(&issuer).await?;
    let known = ["quick", "slow", "free"];
    for (scopes, allowed) in [
        ("mcp", &["free"][..]),
        ("mcp run", &["free"]),
        ("mcp a:use", &["quick", "free"]),
        ("mcp a:use run", &known),
    ] {
        let session = client(&scene, &issuer, scopes).await?;
        assert_eq!(session.tools().await?, allowed, "{scopes}");
        for (id, tool) in (1..).zip(known) {
            let reply = session.call(id, tool, &json!({})).await?;
            let status = if allowed.contains(&tool) { 200 } else { 403 };
            assert_eq!(reply.status, status, "{scopes} {tool} {}", reply.json());
        }
    }
    scene.receiver.answered(1, SOON).await;
    let calls = scene.server.seen("tools/call");
    assert_eq!(calls.len(), 3, "quick twice, slow once");
    Ok(())
}

#[tokio::test]
async fn prompts_and_resources_of_a_server_need_what_its_tools_need() -> Result<()> {
    let issuer = Issuer::start().await;
    let (scene, _other) = scene(&issuer).await?;
    {
        let content = &mut scene.server.nature().content;
        content.prompts = vec![prompt("greet")];
        content.resources = vec![resource("test://a/one")];
        content.completes = true;
    }
    scene.server.forget_sessions(); // what it declares is read when a session begins
    asyncmcp_tests::eventually(SOON, async || !scene.server.seen("prompts/list").is_empty()).await;
    for (scopes, status, listed) in [("mcp", 403, 0), ("mcp a:use", 200, 1)] {
        let session = client(&scene, &issuer, scopes).await?;
        let ask = async |method: &str, params: Value| {
            let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
            session.post(body.to_string()).await
        };
        let reference = json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "topic", "value": ""}});
        for (method, params) in [
            ("prompts/get", json!({"name": "greet"})),
            ("resources/read", json!({"uri": "test://a/one"})),
            ("completion/complete", reference),
        ] {
            let reply = ask(method, params).await?;
            assert_eq!(reply.status, status, "{scopes} {method}: {}", reply.json());
        }
        for (method, member) in [("prompts/list", "prompts"), ("resources/list", "resources")] {
            let list = ask(method, json!({})).await?.json();
            let entries = list["result"][member].as_array().map(Vec::len);
            assert_eq!(entries, Some(listed), "{scopes}: {list}");
        }
    }
    assert_eq!(scene.server.seen("resources/read").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_refusal_names_the_scopes_to_ask_for_and_the_request() -> Result<()> {
    let issuer = Issuer::start().await;
    let (scene, _other) = scene(&issuer).await?;
    let session = client(&scene, &issuer, "mcp run openid").await?;
    let reply = session.call(7, "slow", &json!({})).await?;
    assert_eq!((reply.status, &reply.json()["id"]), (403, &json!(7)));
    let challenge = reply.headers["www-authenticate"].to_str()?;
    assert!(
        challenge.contains(r#"scope="a:use mcp run", error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(
        challenge.contains("/.well-known/oauth-protected-resource/mcp"),
        "{challenge}"
    );
    let metadata = scene
        .gateway
        .url()
        .replace("/mcp", "/.well-known/oauth-protected-resource");
    let metadata: Value = serde_json::from_str(&reqwest::get(metadata).await?.text().await?)?;
    assert_eq!(metadata["scopes_supported"], json!(["mcp", "a:use", "run"]));
    assert_eq!(
        session.call(8, "free", &json!({})).await?.status,
        200,
        "the session goes on"
    );
    Ok(())
}

#[tokio::test]
async fn a_modern_client_is_shown_and_refused_the_same() -> Result<()> {
    let issuer = Issuer::start().await;
    let (scene, _other) = scene(&issuer).await?;
    let nobody = Modern::at(&scene.gateway.url())?;
    let list = modern::request(1, "tools/list");
    assert_eq!(nobody.send(&list).await?.status, 401);
    let mut claims = issuer.claims("alice", AUDIENCE);
    claims["scope"] = "mcp run".into();
    let client = nobody.with_token(&issuer.sign(&claims));
    let listed = client.send(&list).await?.json();
    assert_eq!(
        listed["result"]["tools"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    assert_eq!(listed["result"]["cacheScope"], "private");
    let reply = client.send(&modern::call(2, "slow", &json!({}))).await?;
    assert_eq!((reply.status, &reply.json()["id"]), (403, &json!(2)));
    let challenge = reply.headers["www-authenticate"].to_str()?;
    assert!(challenge.contains(r#"scope="a:use mcp run""#), "{challenge}");
    assert_eq!(
        client.send(&modern::call(3, "free", &json!({}))).await?.status,
        200
    );
    Ok(())
}

/// A batch has one status for all of its messages.
#[tokio::test]
async fn in_a_batch_a_refusal_is_the_error_of_its_request() -> Result<()> {
    let issuer = Issuer::start().await;
    let (scene, _other) = scene(&issuer).await?;
    let mut claims = issuer.claims("alice", AUDIENCE);
    claims["scope"] = "mcp".into();
    let params = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let client = scene.client(&issuer.sign(&claims))?;
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let hello = client.post(hello.to_string()).await?;
    let session = client.with_id(hello.headers["mcp-session-id"].to_str()?);
    let call =
        |id, tool| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}});
    let batch = json!([call(1, "quick"), call(2, "free")]);
    let reply = session.post(batch.to_string()).await?;
    assert_eq!(reply.status, 200);
    let answers = reply.json();
    assert!(
        answers[0]["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .contains("a:use"),
        "{answers}"
    );
    assert!(answers[1]["result"].is_object(), "{answers}");
    Ok(())
}

#[tokio::test]
async fn a_token_of_the_routes_own_has_no_scopes() -> Result<()> {
    let issuer = Issuer::start().await;
    let (scene, _other) = scene(&issuer).await?;
    let session = scene.client("token-of-the-first-client")?.begin(None).await?;
    assert_eq!(session.tools().await?, ["free"]);
    assert_eq!(session.call(1, "quick", &json!({})).await?.status, 403);
    assert_eq!(session.call(2, "free", &json!({})).await?.status, 200);
    Ok(())
}
