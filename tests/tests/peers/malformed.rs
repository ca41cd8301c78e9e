//! A server whose list of tools is malformed, behind one route with a good one: stock clients judge what gets through.
//!
//! Invariant: each malformation here is one for which a stock client of the server itself refuses the whole list.

use asyncmcp_fakes::mcp::{McpServer, tool};
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::{Kind, Scene};
use serde_json::{Value, json};

/// The entries, and whether clients see them, corrected.
fn malformed() -> Vec<(Value, bool)> {
    let object = || json!({"type": "object"});
    let with = |name: &str, member: &str, value: Value| {
        let mut tool = json!({"name": name, "inputSchema": object()});
        tool[member] = value;
        tool
    };
    let input = |name: &str, schema: Value| with(name, "inputSchema", schema);
    vec![
        (json!({"name": "none"}), true),
        (input("empty", json!({"$schema": "x"})), true),
        (input("oneof", json!({"oneOf": [{"required": ["a"]}]})), true),
        (
            input("properties", json!({"type": "object", "properties": null})),
            true,
        ),
        (input("list", json!({"type": "object", "properties": []})), true),
        (
            input("bool", json!({"type": "object", "properties": {"a": true}})),
            true,
        ),
        (input("text", json!({"type": "string"})), false),
        (input("word", json!("string")), false),
        (with("output", "outputSchema", json!({"description": "x"})), true),
        (with("title", "title", Value::Null), true),
        (with("description", "description", json!(["a"])), true),
        (with("annotations", "annotations", Value::Null), true),
        (with("hints", "annotations", json!({"readOnlyHint": "yes"})), true),
        (with("icons", "icons", Value::Null), true),
        (
            with("execution", "execution", json!({"taskSupport": "maybe"})),
            true,
        ),
        (with("meta", "_meta", Value::Null), true),
    ]
}

#[tokio::test]
async fn one_servers_malformed_tools_cost_no_client_a_tool() {
    let scene = Scene::new().unwrap();
    let (good, bad) = (
        McpServer::start(&["good"]).await,
        McpServer::start(&["fine"]).await,
    );
    for (entry, _) in malformed() {
        let name = entry["name"].clone();
        bad.nature().tools = vec![tool("fine"), entry];
        let mut client = scene.client(Kind::Sdk1, &bad.url(), false).await.unwrap();
        let refused = client.fail(json!({"do": "list"})).await;
        assert!(refused.is_ok(), "{name} is no malformation: {refused:?}");
    }
    bad.nature().tools = std::iter::once(tool("fine"))
        .chain(malformed().into_iter().map(|(entry, _)| entry))
        .collect();
    let behind = |name, url| Behind {
        name,
        url,
        prefix: "",
    };
    let (good_url, bad_url) = (good.url(), bad.url());
    let servers = [behind("a", &good_url), behind("b", &bad_url)];
    let gateway = scene.gateway(&servers, &[], None).await.unwrap();

    let listed = malformed().into_iter().filter(|(_, listed)| *listed);
    let listed = listed.map(|(entry, _)| entry["name"].as_str().unwrap().to_owned());
    let names = ["good".to_owned(), "fine".to_owned()].into_iter().chain(listed);
    let names: Vec<_> = names.collect();
    for kind in [Kind::Sdk1, Kind::Sdk2Legacy, Kind::Mcp1, Kind::Mcp2Legacy] {
        let mut client = scene.client(kind, &gateway.url(), false).await.unwrap();
        let tools = client.tools().await.unwrap();
        let seen: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
        assert_eq!(seen, names, "{kind:?}");
        let called = client.call("output", &json!({})).await.unwrap();
        assert!(called["result"]["content"].is_array(), "{kind:?}: {called}");
    }
    let status = gateway.status().await.unwrap();
    let message = status["servers"][1]["message"].as_str().unwrap();
    assert!(
        message.contains("tool \"text\" (and 1 more) is left out: inputSchema"),
        "{message}"
    );
    assert!(message.contains("is corrected: "), "{message}");
    assert_eq!(status["servers"][0].get("message"), None);
}
