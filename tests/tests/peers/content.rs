//! A server whose prompts, resources and templates are malformed, in front of a good one: stock clients judge what gets
//! through.
//!
//! Invariant: each malformation here is one for which a stock client of the server itself refuses the whole list.

use std::time::Duration;

use asyncmcp_fakes::mcp::McpServer;
use asyncmcp_fakes::mcp::content::{prompt, resource, template};
use asyncmcp_tests::eventually;
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::{Client, Kind, Scene};
use serde_json::{Value, json};

const LISTS: [&str; 3] = ["prompts", "resources", "templates"];

/// The entries of a list, and whether clients see them, corrected.
fn malformed(list: &str) -> Vec<(Value, bool)> {
    let annotated =
        |uri: &str, annotations: Value| json!({"uri": uri, "name": "n", "annotations": annotations});
    match list {
        "prompts" => vec![
            (json!({"name": "title", "title": null}), true),
            (json!({"name": "description", "description": ["a"]}), true),
            (json!({"name": "arguments", "arguments": {}}), true),
            (
                json!({"name": "required", "arguments": [{"name": "a", "required": "yes"}]}),
                true,
            ),
            (json!({"name": "icons", "icons": [{}]}), true),
            (json!({"name": "meta", "_meta": null}), true),
            (json!({"name": "nameless", "arguments": [{"title": "x"}]}), false),
        ],
        "resources" => vec![
            (json!({"uri": "x://size", "name": "n", "size": "big"}), true),
            (json!({"uri": "x://type", "name": "n", "mimeType": null}), true),
            (annotated("x://priority", json!({"priority": 7})), true),
            (
                annotated("x://modified", json!({"lastModified": "yesterday"})),
                true,
            ),
            (annotated("x://audience", json!({"audience": ["robot"]})), true),
            (json!({"uri": "x://nameless"}), false),
            (json!({"uri": "relative", "name": "n"}), false),
        ],
        _ => vec![
            (
                json!({"uriTemplate": "x://{type}", "name": "n", "mimeType": 7}),
                true,
            ),
            (json!({"uriTemplate": "x://{nameless}"}), false),
        ],
    }
}

fn fine(list: &str) -> Value {
    match list {
        "prompts" => prompt("fine"),
        "resources" => resource("x://fine"),
        _ => template("x://{fine}/y"),
    }
}

fn set(server: &McpServer, list: &str, entries: Vec<Value>) {
    let content = &mut server.nature().content;
    match list {
        "prompts" => content.prompts = entries,
        "resources" => content.resources = entries,
        _ => content.templates = entries,
    }
}

fn key(entry: &Value) -> String {
    let keys = ["uri", "uriTemplate", "name"];
    let key = keys.iter().find_map(|key| entry[key].as_str());
    key.expect("it has a name").to_owned()
}

async fn listed(client: &mut Client, list: &str) -> Vec<String> {
    let entries = client.ask(json!({"do": list})).await.expect("a list");
    entries.as_array().expect("a list").iter().map(key).collect()
}

#[tokio::test]
async fn one_servers_malformed_content_costs_no_client_an_entry() {
    let scene = Scene::new().unwrap();
    let (bad, good) = (
        McpServer::start(&["bad"]).await,
        McpServer::start(&["good"]).await,
    );
    for list in LISTS {
        set(&bad, list, vec![fine(list)]);
        set(&good, list, vec![]);
    }
    good.nature().content.prompts = vec![prompt("good")];
    let mut judges = Vec::new();
    for kind in [Kind::Sdk1, Kind::Mcp1] {
        judges.push(scene.client(kind, &bad.url(), false).await.unwrap());
    }
    for list in LISTS {
        for (entry, _) in malformed(list) {
            set(&bad, list, vec![fine(list), entry.clone()]);
            let mut refused = 0;
            for judge in &mut judges {
                refused += usize::from(judge.fail(json!({"do": list})).await.is_ok());
            }
            assert!(refused > 0, "{entry} is no malformation");
        }
        let all = malformed(list).into_iter().map(|(entry, _)| entry);
        set(&bad, list, std::iter::once(fine(list)).chain(all).collect());
    }
    let behind = |name, url| Behind {
        name,
        url,
        prefix: "",
    };
    let (bad_url, good_url) = (bad.url(), good.url());
    let servers = [behind("a", &bad_url), behind("b", &good_url)];
    let gateway = scene.gateway(&servers, &[], None).await.unwrap();
    eventually(Duration::from_secs(20), async || {
        let status = gateway.status().await.unwrap();
        let message = status["servers"][0]["message"].as_str().unwrap_or_default();
        message.contains("resource template") && message.contains("left out")
    })
    .await;
    let kinds = [
        Kind::Sdk1,
        Kind::Sdk2Legacy,
        Kind::Sdk2Modern,
        Kind::Mcp1,
        Kind::Mcp2Legacy,
        Kind::Mcp2Modern,
    ];
    for kind in kinds {
        let mut client = scene.client(kind, &gateway.url(), false).await.unwrap();
        for list in LISTS {
            let shown = malformed(list).into_iter().filter(|(_, listed)| *listed);
            let shown = shown.map(|(entry, _)| key(&entry));
            let mut expected: Vec<_> = std::iter::once(key(&fine(list))).chain(shown).collect();
            expected.extend((list == "prompts").then(|| "good".to_owned()));
            assert_eq!(listed(&mut client, list).await, expected, "{kind:?} {list}");
        }
    }
}
