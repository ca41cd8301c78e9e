//! Lists of prompts, resources and templates over several servers: merged, page by page, and without those that are away.
//!
//! Invariant: what one server does to its list costs the others nothing.

use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::content::{prompt, resource};
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::process::free_port;
use serde_json::{Value, json};

use crate::client::Client;
use crate::content::{Servers, full, known, route};
use crate::scene::SOON;

const EVERY: [Speaks; 3] = [Speaks::Legacy, Speaks::Modern, Speaks::Both];

/// The keys of a page.
fn keys(list: &Value) -> Vec<String> {
    let result = list["result"].as_object().expect("a list");
    let entries = ["prompts", "resources", "resourceTemplates"];
    let entries = entries.iter().find_map(|member| result.get(*member)?.as_array());
    let entries = entries.expect("a list");
    let key = |entry: &Value| {
        ["uri", "uriTemplate", "name"]
            .iter()
            .find_map(|key| entry[key].as_str().map(str::to_owned))
    };
    entries.iter().filter_map(key).collect()
}

/// All pages, and the last one.
async fn all(client: &Client, method: &str) -> (Vec<Vec<String>>, Value) {
    let (mut pages, mut params) = (Vec::new(), json!({}));
    loop {
        let list = client.ask(method, params).await.json();
        pages.push(keys(&list));
        assert!(pages.len() < 500, "it never ends");
        match list["result"].get("nextCursor") {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => return (pages, list),
        }
    }
}

#[tokio::test]
async fn every_pairing_lists_prompts_on_one_page_and_resources_server_by_server() {
    for speaks in EVERY {
        let (a, b) = (full(speaks, "a").await, full(speaks, "b").await);
        a.nature().content.resources.push(resource("test://a/two"));
        a.nature().content.prompts.push(prompt("two words"));
        for server in [&a, &b] {
            server.nature().content.page = 1;
        }
        let scene = Servers::start(&[(", toolPrefix: a_", a.url()), ("", b.url())]).await;
        known(&[&a, &b]).await;
        for client in Client::both(&scene.gateway).await {
            let is_modern = client.is_modern();
            let list = client.ask("prompts/list", json!({})).await.json();
            assert_eq!(
                keys(&list),
                ["a_greet", "a_two words", "greet"],
                "{speaks:?}: {list}"
            );
            assert_eq!(
                list["result"]["prompts"][0]["arguments"],
                prompt("x")["arguments"]
            );
            let (pages, end) = all(&client, "resources/list").await;
            assert_eq!(
                pages,
                [["test://a/one"], ["test://a/two"], ["test://b/one"]],
                "{speaks:?}"
            );
            let (templates, _) = all(&client, "resources/templates/list").await;
            assert_eq!(
                templates,
                [["test://a/item/{id}"], ["test://b/item/{id}"]],
                "{speaks:?}"
            );
            for list in [&list, &end] {
                for member in ["resultType", "ttlMs", "cacheScope"] {
                    assert_eq!(
                        list["result"].get(member).is_some(),
                        is_modern,
                        "{speaks:?} {member}: {list}"
                    );
                }
                assert!(!is_modern || list["result"]["ttlMs"].as_u64() > Some(0), "{list}");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_and_its_client_alone() {
    let (a, b) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    let scene = Servers::start(&[("", a.url()), ("", b.url())]).await;
    known(&[&a, &b]).await;
    let [one, modern] = Client::both(&scene.gateway).await;
    let [other, _] = Client::both(&scene.gateway).await;
    for (mine, others) in [(&one, [&other, &modern]), (&modern, [&one, &other])] {
        let list = mine.ask("resources/list", json!({})).await.json();
        let cursor = list["result"]["nextCursor"]
            .as_str()
            .expect("a second page")
            .to_owned();
        let asked = b.seen("resources/list").len();
        for client in others {
            let refused = client
                .ask("resources/list", json!({"cursor": cursor}))
                .await
                .json();
            assert_eq!(refused["error"]["code"], -32602, "{refused}");
        }
        let foreign = mine
            .ask("resources/templates/list", json!({"cursor": cursor}))
            .await
            .json();
        assert_eq!(foreign["error"]["code"], -32602, "{foreign}");
        for forged in ["", "1", &cursor[1..]] {
            let refused = mine.ask("resources/list", json!({"cursor": forged})).await.json();
            assert_eq!(refused["error"]["code"], -32602, "{refused}");
        }
        assert_eq!(b.seen("resources/list").len(), asked, "no server was asked");
        let next = mine.ask("resources/list", json!({"cursor": cursor})).await.json();
        assert_eq!(keys(&next), ["test://b/one"]);
    }
}

#[tokio::test]
async fn a_server_that_leaves_between_two_pages_does_not_end_the_list() {
    let (a, b, c) = (
        full(Speaks::Legacy, "a").await,
        full(Speaks::Legacy, "b").await,
        full(Speaks::Legacy, "b").await,
    );
    c.nature().content.resources = vec![resource("test://c/one")];
    let scene = Servers::start(&[("", a.url()), ("", b.url()), ("", c.url())]).await;
    known(&[&a, &b, &c]).await;
    for client in Client::both(&scene.gateway).await {
        let first = client.ask("resources/list", json!({})).await.json();
        let cursor = json!({"cursor": first["result"]["nextCursor"]});
        b.on("resources/list", [Reaction::Status(500, "gone")]);
        let second = client.ask("resources/list", cursor.clone()).await.json();
        assert_eq!(keys(&second), ["test://c/one"], "{second}");
        assert!(!client.is_modern() || second["result"]["ttlMs"] == 0, "{second}");
        b.on("resources/list", []);
        let second = client.ask("resources/list", cursor).await.json();
        assert_eq!(keys(&second), ["test://b/one"], "it is back");
    }
    // The same where the route loses it.
    let [client, _] = Client::both(&scene.gateway).await;
    let first = client.ask("resources/list", json!({})).await.json();
    let cursor = json!({"cursor": first["result"]["nextCursor"]});
    let without = route(&[("", a.url()), ("", b.url()), ("", c.url())]).replace("{name: b,", "{name: d,");
    scene.gateway.edit(&without).unwrap();
    eventually(SOON, async || {
        let second = client.ask("resources/list", cursor.clone()).await.json();
        keys(&second) == ["test://c/one"]
    })
    .await;
}

#[tokio::test]
async fn a_dead_and_a_hanging_server_cost_the_others_nothing() {
    let (live, hangs) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    let dead = format!("http://127.0.0.1:{}/mcp", free_port().unwrap());
    let scene = Servers::start(&[
        (", timeout: 1s", hangs.url()),
        ("", dead),
        (", toolPrefix: c_", live.url()),
    ])
    .await;
    known(&[&live, &hangs]).await;
    for method in ["prompts/list", "resources/list", "resources/templates/list"] {
        hangs.on(method, [Reaction::Hangs]);
    }
    for client in Client::both(&scene.gateway).await {
        for (method, key) in [
            ("prompts/list", "c_greet"),
            ("resources/list", "test://a/one"),
            ("resources/templates/list", "test://a/item/{id}"),
        ] {
            let list = client.ask(method, json!({})).await.json();
            assert_eq!(keys(&list), [key], "{list}");
            assert!(!client.is_modern() || list["result"]["ttlMs"] == 0, "{list}");
        }
        let read = client
            .ask("resources/read", json!({"uri": "test://a/one"}))
            .await
            .json();
        assert!(read["result"].is_object(), "{read}");
        let got = client.ask("prompts/get", json!({"name": "c_greet"})).await.json();
        assert!(got["result"].is_object(), "{got}");
        // Nobody knows whether the dead one has it.
        let read = client
            .ask("resources/read", json!({"uri": "test://none"}))
            .await
            .json();
        assert!(read["error"].is_object(), "{read}");
    }
}

#[tokio::test]
async fn a_server_that_lists_need_fails_them_while_it_is_away_and_nothing_else() {
    let (live, needed) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    let scene = Servers::start(&[("", live.url()), (", failureMode: FailClosed", needed.url())]).await;
    known(&[&live, &needed]).await;
    let methods = [
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ];
    for method in methods {
        needed.on(method, [Reaction::Status(500, "no")]);
    }
    for client in Client::both(&scene.gateway).await {
        for method in &methods[..2] {
            let failed = client.ask(method, json!({})).await.json();
            assert_eq!(
                failed["error"]["data"]["reason"], "server_unreachable",
                "{failed}"
            );
            let message = failed["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains("\"b\""), "{message}");
        }
        // Where there are pages, it fails its own.
        let first = client.ask("resources/list", json!({})).await.json();
        assert_eq!(keys(&first), ["test://a/one"], "{first}");
        let cursor = json!({"cursor": first["result"]["nextCursor"]});
        let failed = client.ask("resources/list", cursor).await.json();
        assert_eq!(
            failed["error"]["data"]["reason"], "server_unreachable",
            "{failed}"
        );
        let read = client
            .ask("resources/read", json!({"uri": "test://b/one"}))
            .await
            .json();
        assert!(read["result"].is_object(), "{read}");
    }
    for method in methods {
        needed.on(method, []);
    }
    for client in Client::both(&scene.gateway).await {
        let list = client.ask("prompts/list", json!({})).await.json();
        assert_eq!(keys(&list), ["greet"], "{list}");
    }
}

#[tokio::test]
async fn what_a_server_listed_is_its_own_while_it_is_away() {
    let (a, b) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    b.nature().content.readable.push("test://a/");
    b.nature().content.prompts = vec![prompt("greet"), prompt("other")];
    let scene = Servers::start(&[("", a.url()), ("", b.url())]).await;
    known(&[&a, &b]).await;
    a.on("POST", [Reaction::Status(500, "no")]);
    for client in Client::both(&scene.gateway).await {
        for (method, params) in [
            ("resources/read", json!({"uri": "test://a/one"})),
            ("resources/read", json!({"uri": "test://a/item/7"})),
            ("prompts/get", json!({"name": "greet"})),
        ] {
            let failed = client.ask(method, params).await.json();
            assert!(failed["error"]["data"]["reason"].is_string(), "{failed}");
        }
        let got = client.ask("prompts/get", json!({"name": "other"})).await.json();
        assert!(got["result"].is_object(), "{got}");
    }
    assert!(b.seen("resources/read").is_empty(), "nothing falls through");
    assert_eq!(b.seen("prompts/get").len(), 2);
}

#[tokio::test]
async fn malformed_entries_and_collisions_cost_no_other_entry_anything_and_status_names_them() {
    let (a, b) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    {
        let content = &mut b.nature().content;
        content.prompts.extend([
            json!({"name": "bad", "arguments": [{"title": "no name"}]}),
            json!({"name": "null", "title": null}),
            json!({"name": "typed", "description": 7}),
            json!({"title": "no name"}),
        ]);
        content.resources.extend([
            json!({"uri": "relative", "name": "n"}),
            json!({"uri": "test://b/nameless"}),
            json!({"uri": "test://a/one", "name": "mine, too"}),
            json!({"uri": "test://b/size", "name": "n", "size": "big"}),
        ]);
        content.templates.push(json!({"uriTemplate": "test://b/{x}"}));
    }
    let scene = Servers::start(&[("", a.url()), ("", b.url())]).await;
    known(&[&a, &b]).await;
    for client in Client::both(&scene.gateway).await {
        let prompts = client.ask("prompts/list", json!({})).await.json();
        assert_eq!(keys(&prompts), ["greet", "null", "typed"], "{prompts}");
        assert_eq!(prompts["result"]["prompts"][1], json!({"name": "null"}));
        let (pages, _) = all(&client, "resources/list").await;
        assert_eq!(pages.concat(), ["test://a/one", "test://b/one", "test://b/size"]);
        let (pages, _) = all(&client, "resources/templates/list").await;
        assert_eq!(pages.concat(), ["test://a/item/{id}", "test://b/item/{id}"]);
    }
    let said = async || {
        let status = scene.gateway.status().await.unwrap();
        status["servers"][1]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for expected in [
        "prompt \"bad\" is left out: each of its arguments must be an object with a name",
        "prompts without a name are left out (1)",
        "prompt \"typed\" is corrected: description has the wrong type",
        "resource \"relative\" (and 1 more) is left out: uri must be an absolute URI",
        "resource \"test://b/size\" is corrected: size has the wrong type",
        "resource template \"test://b/{x}\" is left out: name is missing or not a string",
        "prompt \"greet\" is hidden by server a, which has the same; set toolPrefix",
        "resource \"test://a/one\" is hidden by server a, which has the same",
    ] {
        let text = said().await;
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[tokio::test]
async fn lists_that_never_end_end() {
    const ENDLESS: &str = r#"{"resources":[{"uri":"test://x/CURSOR","name":"n"}],"nextCursor":"CURSOR"}"#;
    let (a, b) = (full(Speaks::Legacy, "a").await, full(Speaks::Legacy, "b").await);
    // One comes back to the same cursor, the other has ever new ones.
    let again = Reaction::Result(ENDLESS.replace("CURSOR", "1").leak());
    a.on("resources/list", [again]);
    let scene = Servers::start(&[("", a.url()), ("", b.url())]).await;
    known(&[&a, &b]).await;
    for client in Client::both(&scene.gateway).await {
        let (pages, _) = all(&client, "resources/list").await;
        assert_eq!(pages.len(), 3, "{pages:?}");
        assert_eq!(pages[2], ["test://b/one"]);
    }
    let [client, _] = Client::both(&scene.gateway).await;
    let pages = (1..300).map(|n| Reaction::Result(ENDLESS.replace("CURSOR", &n.to_string()).leak()));
    a.on("resources/list", pages.collect::<Vec<_>>());
    let (pages, _) = all(&client, "resources/list").await;
    assert_eq!(pages.len(), 101, "a hundred of the one, one of the other");
    assert_eq!(pages[100], ["test://b/one"]);
}

#[tokio::test]
async fn a_change_that_a_server_notifies_of_is_noticed() {
    let server: McpServer = full(Speaks::Legacy, "a").await;
    let scene = Servers::start(&[("", server.url())]).await;
    known(&[&server]).await;
    eventually(SOON, async || server.listeners() > 0).await;
    let [client, _] = Client::both(&scene.gateway).await;
    server.nature().content.prompts.push(prompt("new"));
    server.nature().content.resources.clear();
    for what in ["prompts", "resources"] {
        server.push(&json!({"jsonrpc": "2.0", "method": format!("notifications/{what}/list_changed")}));
    }
    eventually(SOON, async || {
        let got = client.ask("prompts/get", json!({"name": "new"})).await.json();
        got["result"].is_object()
    })
    .await;
}
