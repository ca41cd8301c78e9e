//! Stock clients that get their tokens themselves, from a real authorization server, and call a real server with them.
//!
//! Invariant: a client is given nothing but the URL of the route, and credentials where its flow needs some.

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::peers::{Client, Kind, Scene, Server};
use serde_json::{Value, json};

/// The clients; those of one line share their code, and so their flows.
const CLIENTS: [Kind; 3] = [Kind::Sdk1, Kind::Mcp2Legacy, Kind::Mcp2Auto];

/// A route that takes tokens of `issuer` for itself with the scope `mcp`; the tools of `behind` need `tools` as well, if
/// `guarded`.
fn route(behind: &str, issuer: &str, resource: &str, guarded: bool) -> String {
    let scopes = if guarded { ", tools: {scopes: [tools]}" } else { "" };
    format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: peers}}\nspec:\n  \
         servers: [{{name: python, url: '{behind}'{scopes}}}]\n  store: {{memory: {{}}}}\n  \
         auth: {{jwt: [{{issuer: '{issuer}', resource: '{resource}', scopes: [mcp]}}]}}\n"
    )
}

struct Town {
    gateway: DataPlane,
    issuer: Server,
    _server: Server,
    scene: Scene,
}

impl Town {
    async fn open(guarded: bool) -> Result<Self> {
        let scene = Scene::new()?;
        let issuer = Server::authorization(&scene.peers, scene.dir()).await?;
        let server = Server::python(&scene.peers, scene.dir()).await?;
        let first = route(&server.url, &issuer.url, "http://127.0.0.1/mcp", guarded);
        let gateway = DataPlane::start(scene.dir(), &first, &[]).await?;
        // What the endpoint is called is known only now.
        gateway.edit(&route(&server.url, &issuer.url, &gateway.url(), guarded))?;
        let metadata = gateway
            .url()
            .replace("/mcp", "/.well-known/oauth-protected-resource");
        asyncmcp_tests::eventually(std::time::Duration::from_secs(20), || async {
            let text = reqwest::get(&metadata).await.map_err(|error| error.to_string())?;
            let text = text.text().await.map_err(|error| error.to_string())?;
            if text.contains(&gateway.url()) {
                Ok(())
            } else {
                Err(text)
            }
        })
        .await;
        Ok(Self {
            gateway,
            issuer,
            _server: server,
            scene,
        })
    }

    async fn client(&self, kind: Kind, flow: &str) -> Result<Client> {
        let place = (&*self.gateway.url(), &*self.issuer.url, flow);
        let client = Client::authorized(kind, &self.scene.peers, self.scene.dir(), place).await;
        client.with_context(|| format!("{kind:?} {flow}: {}", self.issuer.process.output()))
    }
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
}

#[tokio::test]
async fn stock_clients_find_the_issuer_and_come_in_by_either_flow() -> Result<()> {
    let town = Town::open(false).await?;
    for kind in CLIENTS {
        for flow in ["credentials", "code"] {
            let mut client = town.client(kind, flow).await?;
            let tools = client.tools().await?;
            assert!(names(&tools).contains(&"quick"), "{kind:?} {flow}: {tools:?}");
            let answer = client.call("quick", &json!({"text": "hello"})).await?;
            assert!(answer["result"]["isError"] != true, "{kind:?} {flow}: {answer}");
            let scope = client.ask(json!({"do": "scope"})).await?;
            assert_eq!(scope, "mcp", "{kind:?} {flow}");
            client.close().await?;
        }
    }
    let refused = "asyncmcp_unauthorized_requests_total";
    let without = town.gateway.metric(refused, &["reason=\"missing\""]).await?;
    let in_all = town.gateway.metric(refused, &[]).await?;
    assert!(
        without >= 6.0 && (in_all - without).abs() < 0.1,
        "{without} of {in_all}"
    );
    Ok(())
}

/// In a session, too: a 403 with the scopes is what the clients act on (the TypeScript SDK by the flow with a person only).
#[tokio::test]
async fn stock_clients_get_a_token_with_more_scopes_when_a_tool_needs_them() -> Result<()> {
    let town = Town::open(true).await?;
    for (kind, flow) in [
        (Kind::Sdk1, "code"),
        (Kind::Mcp2Legacy, "credentials"),
        (Kind::Mcp2Legacy, "code"),
    ] {
        let mut client = town.client(kind, flow).await?;
        let before = client.tools().await?;
        assert!(before.is_empty(), "{kind:?} {flow}: {before:?}");
        let answer = client.call("quick", &json!({"text": "hello"})).await?;
        assert!(answer["result"]["isError"] != true, "{kind:?} {flow}: {answer}");
        let scope = client.ask(json!({"do": "scope"})).await?;
        assert_eq!(scope, "mcp tools", "{kind:?} {flow}");
        assert!(
            names(&client.tools().await?).contains(&"quick"),
            "{kind:?} {flow}"
        );
        client.close().await?;
    }
    Ok(())
}
