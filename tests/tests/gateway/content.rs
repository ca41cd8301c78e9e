//! Prompts, resources and completion through the gateway, for clients and servers of each era.
//!
//! Invariant: what a client gets is asserted beside what its server saw.

use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::content::{prompt, resource, template};
use asyncmcp_tests::mcp::{McpServer, Reaction, Seen, Speaks};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::scene::SOON;

const EVERY: [Speaks; 3] = [Speaks::Legacy, Speaks::Modern, Speaks::Both];

/// A data plane in front of some servers, named `a`, `b`, ... in their order.
pub(crate) struct Servers {
    pub(crate) gateway: DataPlane,
    _dir: TempDir,
}

impl Servers {
    /// Each with its part of the spec, such as `, toolPrefix: p_`.
    pub(crate) async fn start(servers: &[(&str, String)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let gateway = DataPlane::start(dir.path(), &route(servers), &[]).await;
        Self {
            gateway: gateway.expect("a data plane"),
            _dir: dir,
        }
    }
}

/// The route with servers of these URLs.
pub(crate) fn route(servers: &[(&str, String)]) -> String {
    let names = 'a'..='z';
    let servers: Vec<_> = names
        .zip(servers)
        .map(|(name, (more, url))| format!("{{name: {name}, url: '{url}'{more}}}"))
        .collect();
    format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec:\n  servers: \
         [{}]\n  store: {{memory: {{}}}}\n",
        servers.join(", ")
    )
}

/// A server with one of everything, whose names end with `name`.
pub(crate) async fn full(speaks: Speaks, name: &str) -> McpServer {
    let server = McpServer::start(&["quick"]).await;
    {
        let mut nature = server.nature();
        nature.speaks = speaks;
        nature.content.prompts = vec![prompt("greet")];
        nature.content.resources = vec![resource(&format!("test://{name}/one"))];
        nature.content.templates = vec![template(&format!("test://{name}/item/{{id}}"))];
        nature.content.readable = vec![match name {
            "a" => "test://a/item/",
            _ => "test://b/item/",
        }];
        nature.content.completes = true;
    }
    server
}

/// Waits until what every server offers is known.
pub(crate) async fn known(servers: &[&McpServer]) {
    for server in servers {
        eventually(SOON, async || !server.seen("resources/templates/list").is_empty()).await;
    }
}

fn last(server: &McpServer, method: &str) -> Seen {
    server.seen(method).pop().expect("it was asked")
}

#[tokio::test]
async fn every_pairing_gets_prompts_reads_resources_and_completes() {
    for speaks in EVERY {
        let (a, b) = (full(speaks, "a").await, full(speaks, "b").await);
        let servers = [(", toolPrefix: a_", a.url()), (", toolPrefix: b_", b.url())];
        let scene = Servers::start(&servers).await;
        known(&[&a, &b]).await;
        for client in Client::both(&scene.gateway).await {
            let is_modern = client.is_modern();
            let uses_modern = speaks == Speaks::Modern || (speaks == Speaks::Both && is_modern);
            let got = client
                .ask(
                    "prompts/get",
                    json!({"name": "b_greet", "arguments": {"topic": "x"}}),
                )
                .await
                .json();
            let text = &got["result"]["messages"][0]["content"]["text"];
            assert_eq!(text, r#""greet" {"topic":"x"}"#, "{speaks:?}: {got}");
            assert_eq!(got["result"].get("resultType").is_some(), is_modern, "{got}");
            let seen = last(&b, "prompts/get");
            assert_eq!(seen.body["params"]["name"], "greet");
            assert_eq!(seen.headers.contains_key("mcp-session-id"), !uses_modern);

            for (uri, server) in [
                ("test://a/one", &a),
                ("test://b/one", &b),
                ("test://b/item/7", &b),
            ] {
                let read = client.ask("resources/read", json!({"uri": uri})).await.json();
                let contents = &read["result"]["contents"][0];
                assert_eq!(
                    (&contents["uri"], &contents["text"]),
                    (&json!(uri), &json!(server.url())),
                    "{read}"
                );
                for member in ["resultType", "ttlMs", "cacheScope"] {
                    assert_eq!(
                        read["result"].get(member).is_some(),
                        is_modern,
                        "{speaks:?} {member}: {read}"
                    );
                }
            }
            assert!(
                a.seen("resources/read")
                    .iter()
                    .all(|seen| seen.body["params"]["uri"] == "test://a/one")
            );
        }
    }
}

#[tokio::test]
async fn every_pairing_completes_by_what_is_referred_to() {
    let complete = |reference: Value| json!({"ref": reference, "argument": {"name": "x", "value": ""}});
    for speaks in EVERY {
        let (a, b) = (full(speaks, "a").await, full(speaks, "b").await);
        let servers = [(", toolPrefix: a_", a.url()), (", toolPrefix: b_", b.url())];
        let scene = Servers::start(&servers).await;
        known(&[&a, &b]).await;
        for client in Client::both(&scene.gateway).await {
            for (reference, server, value) in [
                (json!({"type": "ref/prompt", "name": "a_greet"}), &a, "greet"),
                (
                    json!({"type": "ref/resource", "uri": "test://b/item/{id}"}),
                    &b,
                    "test://b/item/{id}",
                ),
                (
                    json!({"type": "ref/resource", "uri": "test://b/item/7"}),
                    &b,
                    "test://b/item/7",
                ),
            ] {
                let completed = client
                    .ask("completion/complete", complete(reference))
                    .await
                    .json();
                let values = &completed["result"]["completion"]["values"];
                assert_eq!(*values, json!([value]), "{speaks:?}: {completed}");
                assert_eq!(
                    last(server, "completion/complete").body["params"]["argument"]["name"],
                    "x"
                );
            }
        }
        assert_eq!(a.seen("completion/complete").len(), 2);
        assert_eq!(b.seen("completion/complete").len(), 4);
    }
}

#[tokio::test]
async fn what_is_not_found_has_the_code_of_the_clients_era() {
    for speaks in EVERY {
        let (a, b) = (full(speaks, "a").await, full(speaks, "b").await);
        let scene = Servers::start(&[("", a.url()), ("", b.url())]).await;
        known(&[&a, &b]).await;
        for client in Client::both(&scene.gateway).await {
            let code = if client.is_modern() { -32602 } else { -32002 };
            let asked = (a.seen("resources/read").len(), b.seen("resources/read").len());
            let read = client.ask("resources/read", json!({"uri": "test://none"})).await;
            assert_eq!(
                (read.status, &read.json()["error"]["code"]),
                (200, &json!(code)),
                "{speaks:?}"
            );
            let now = (a.seen("resources/read").len(), b.seen("resources/read").len());
            assert_eq!(now, (asked.0 + 1, asked.1 + 1), "each is asked once");
            let got = client.ask("prompts/get", json!({"name": "none"})).await.json();
            assert_eq!(got["error"]["code"], -32602, "{got}");
            assert!(a.seen("prompts/get").is_empty() && b.seen("prompts/get").is_empty());
            let reference = json!({"ref": {"type": "ref/resource", "uri": "x:{y}"}, "argument": {"name": "y", "value": ""}});
            let completed = client.ask("completion/complete", reference).await.json();
            assert_eq!(completed["error"]["code"], -32602, "{completed}");
        }
    }
}

#[tokio::test]
async fn what_no_server_listed_is_looked_for_in_order_and_nothing_is_read_twice() {
    let (a, b) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    b.nature().content.readable.push("hidden://");
    let scene = Servers::start(&[("", a.url()), ("", b.url())]).await;
    known(&[&a, &b]).await;
    for client in Client::both(&scene.gateway).await {
        let read = client
            .ask("resources/read", json!({"uri": "hidden://x"}))
            .await
            .json();
        assert_eq!(read["result"]["contents"][0]["text"], b.url(), "{read}");
    }
    // Any other answer than that there is no such thing is the answer.
    let refused = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"disk on fire"}}"#;
    a.on("resources/read", [Reaction::Status(200, refused)]);
    let asked = b.seen("resources/read").len();
    for client in Client::both(&scene.gateway).await {
        let read = client
            .ask("resources/read", json!({"uri": "hidden://x"}))
            .await
            .json();
        assert_eq!(read["error"]["message"], "disk on fire", "{read}");
    }
    // The answer that breaks off may have been one.
    a.on("resources/read", [Reaction::Breaks(None, None)]);
    for client in Client::both(&scene.gateway).await {
        let read = client
            .ask("resources/read", json!({"uri": "hidden://x"}))
            .await
            .json();
        assert_eq!(read["error"]["data"]["reason"], "outcome_unknown", "{read}");
        let message = read["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.contains("tool"), "{message}");
    }
    assert_eq!(
        b.seen("resources/read").len(),
        asked,
        "it went to no other server"
    );
}

#[tokio::test]
async fn a_server_that_declares_nothing_is_asked_for_nothing() {
    let (plain, full) = (
        McpServer::start(&["quick"]).await,
        full(Speaks::Legacy, "b").await,
    );
    full.nature().content.completes = false;
    let scene = Servers::start(&[("", plain.url()), ("", full.url())]).await;
    known(&[&full]).await;
    for client in Client::both(&scene.gateway).await {
        for method in ["prompts/list", "resources/list", "resources/templates/list"] {
            let list = client.ask(method, json!({})).await.json();
            assert!(list["result"].is_object(), "{list}");
        }
        client.ask("resources/read", json!({"uri": "test://none"})).await;
        let reference = json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "topic", "value": "x"}});
        let completed = client.ask("completion/complete", reference).await.json();
        assert_eq!(
            completed["result"]["completion"],
            json!({"values": []}),
            "{completed}"
        );
    }
    let methods = [
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    ];
    assert!(methods.iter().all(|method| plain.seen(method).is_empty()));
    assert!(full.seen("completion/complete").is_empty());
}

#[tokio::test]
async fn payloads_pass_as_they_are() {
    const RESULT: &str = r#"{"messages":[ {"role":"user","content":{"type":"text","text":"\u0061"}} ],"big":12345678901234567890123,"n":1.00}"#;
    for speaks in EVERY {
        let server = full(speaks, "a").await;
        server.on("prompts/get", [Reaction::Result(RESULT)]);
        let scene = Servers::start(&[("", server.url())]).await;
        known(&[&server]).await;
        for client in Client::both(&scene.gateway).await {
            let reply = client
                .ask("prompts/get", json!({"name": "greet", "arguments": {"n": "1"}}))
                .await;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(text.contains(&RESULT[1..RESULT.len() - 1]), "{speaks:?}: {text}");
        }
        let sent = last(&server, "prompts/get").raw;
        assert!(sent.contains(r#""arguments":{"n":"1"}"#), "{sent}");
    }
}

#[tokio::test]
async fn malformed_requests_name_the_field() {
    let server = full(Speaks::Legacy, "a").await;
    let scene = Servers::start(&[("", server.url())]).await;
    for client in Client::both(&scene.gateway).await {
        for (method, params, field) in [
            ("prompts/get", json!({"name": 7}), "params.name"),
            ("resources/read", json!({"uri": null}), "params.uri"),
            ("completion/complete", json!({"argument": {}}), "params.ref"),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/other"}}),
                "params.ref",
            ),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/prompt"}}),
                "params.ref",
            ),
            ("resources/list", json!({"cursor": 7}), "params.cursor"),
        ] {
            let error = client.ask(method, params).await.json()["error"].clone();
            let message = error["message"].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                (&error["code"], message.contains(field)),
                (&json!(-32602), true),
                "{error}"
            );
        }
        let long = format!("test://{}", "x".repeat(10_000));
        let read = client.ask("resources/read", json!({"uri": long})).await.json();
        assert!(
            matches!(read["error"]["code"].as_i64(), Some(-32002 | -32602)),
            "{read}"
        );
    }
    assert!(server.seen("resources/read").is_empty());
}

#[tokio::test]
async fn headers_that_contradict_the_uri_are_refused() {
    let server = full(Speaks::Modern, "a").await;
    let scene = Servers::start(&[("", server.url())]).await;
    known(&[&server]).await;
    let [_, client] = Client::both(&scene.gateway).await;
    let Client::Modern(modern) = client else {
        panic!("the second is the modern one")
    };
    let body = crate::client::modern(7, "resources/read", json!({"uri": "test://a/one"}));
    let headers = |name| {
        [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "resources/read"),
            ("mcp-name", name),
        ]
    };
    let refused = modern.bare(&headers("test://a/two"), &body.to_string());
    let refused = asyncmcp_tests::session::answer(refused).await.unwrap();
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (400, &json!(-32020))
    );
    let read = modern.bare(&headers("test://a/one"), &body.to_string());
    let read: Value = asyncmcp_tests::session::answer(read).await.unwrap().json();
    assert_eq!(read["result"]["contents"][0]["uri"], "test://a/one");
    assert_eq!(
        last(&server, "resources/read").headers["mcp-name"],
        "test://a/one"
    );
}
