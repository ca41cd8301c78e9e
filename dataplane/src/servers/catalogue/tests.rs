//! Whose a name is, over servers that come, go and change their lists.

mod lists;

use std::sync::Arc;
use std::time::Duration;

use asyncmcp_crds::v1alpha1::ServerState;
use asyncmcp_delivery::store::Store;
use asyncmcp_fakes::mcp::{McpServer, Reaction, tool};
use asyncmcp_fakes::{eventually, unused_port};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Catalogue, Cursors, Resolved, Tool};
use crate::caller::session::seal::Ring;
use crate::config::Config;
use crate::servers::lines::{Lines, Wrap};
use crate::tests::route::{SOON, client, config, store, upstreams};

struct Route {
    catalogue: Catalogue,
    lines: Lines,
    change: watch::Sender<Arc<Config>>,
}

impl Route {
    fn start(spec: &str) -> Self {
        let (upstreams, change) = upstreams(spec);
        let ring = Arc::new(Ring::random());
        let cursors = Cursors::new(Arc::clone(&ring), "r".to_owned());
        let wrap = Wrap::new(ring, "r".to_owned());
        let lines = Lines::new(upstreams.clone(), store() as Arc<dyn Store>, wrap);
        Self {
            catalogue: Catalogue::start(upstreams, lines.clone(), cursors),
            lines,
            change,
        }
    }

    async fn tool(&self, name: &str) -> Option<Tool> {
        match self.catalogue.resolve(name).await {
            Resolved::Tool(tool) => Some(tool),
            _ => None,
        }
    }

    async fn list(&self) -> Vec<Value> {
        let result: Value = serde_json::from_str(
            asyncmcp_protocol::tools::list_result(&self.catalogue.list(&client(1)).await.unwrap().tools)
                .get(),
        )
        .unwrap();
        result["tools"].as_array().unwrap().clone()
    }

    async fn names(&self) -> Vec<String> {
        let tools = self.list().await;
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn state(&self, server: &str) -> ServerState {
        self.catalogue
            .servers()
            .iter()
            .find(|report| report.name == server)
            .unwrap()
            .state
    }
}

fn server(name: &str, fake: &McpServer, more: &str) -> String {
    format!("- {{name: {name}, url: \"{}\"{more}}}", fake.url())
}

#[tokio::test]
async fn names_get_prefixes_and_filters_bind_calls_as_well_as_lists() {
    let fake = McpServer::start(&["echo", "secret_a", "admin", "bad name"]).await;
    let more = ", toolPrefix: p_, tools: {include: [echo, \"secret_*\", \"bad*\"], exclude: [secret_a]}";
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, more)));
    assert_eq!(
        route.tool("p_echo").await.map(|tool| (tool.server, tool.name)),
        Some(("a".into(), "echo".into()))
    );
    assert_eq!(route.names().await, ["p_echo"]);
    for hidden in ["echo", "p_secret_a", "p_admin", "p_bad name"] {
        assert_eq!(
            route.catalogue.resolve(hidden).await,
            Resolved::Unknown,
            "{hidden}"
        );
    }
    let message = route.catalogue.servers()[0].message.clone().unwrap();
    assert!(message.contains("\"bad name\" is left out"), "{message}");
}

#[tokio::test]
async fn a_contested_name_goes_to_who_names_it_best_and_status_says_so() {
    let (a, b, c) = (
        McpServer::start(&["x", "y"]).await,
        McpServer::start(&["x", "y", "z"]).await,
        McpServer::start(&["y"]).await,
    );
    let servers = [
        server("c", &c, ", tools: {include: [y]}"),
        server("b", &b, ""),
        server("a", &a, ""),
    ];
    let route = Route::start(&format!("servers:\n{}", servers.join("\n")));
    assert_eq!(route.tool("x").await.unwrap().server, "a", "the lexically first");
    assert_eq!(
        route.tool("y").await.unwrap().server,
        "c",
        "an exact name beats all"
    );
    assert_eq!(route.tool("z").await.unwrap().server, "b");
    assert_eq!(route.names().await, ["x", "z", "y"]);
    let reports = route.catalogue.servers();
    let counts: Vec<_> = reports
        .iter()
        .map(|report| (report.name.as_str(), report.tools))
        .collect();
    assert_eq!(counts, [("a", 1), ("b", 1), ("c", 1)]);
    assert!(
        reports[0]
            .message
            .as_ref()
            .unwrap()
            .contains("y is hidden by server c"),
        "{reports:?}"
    );
}

#[tokio::test]
async fn webhook_tools_lose_their_output_schema_and_are_marked() {
    let fake = McpServer::start(&["slow", "slower", "echo"]).await;
    let entries =
        "webhookTools: [{name: \"p_slo*\", timeout: 1m}, {name: p_slow, timeout: 2m}, {name: nothing}]";
    let route = Route::start(&format!(
        "servers:\n{}\n{entries}",
        server("a", &fake, ", toolPrefix: p_")
    ));
    let timeout = |tool: Option<Tool>| tool.unwrap().webhook.map(|entry| entry.timeout);
    assert_eq!(
        timeout(route.tool("p_slow").await),
        Some(Duration::from_mins(2)),
        "exact beats a pattern"
    );
    assert_eq!(
        timeout(route.tool("p_slower").await),
        Some(Duration::from_mins(1))
    );
    assert_eq!(timeout(route.tool("p_echo").await), None);
    for tool in route.list().await {
        let webhook = tool["name"] != "p_echo";
        assert_eq!(
            tool["_meta"]["dev.asyncmcp/delivery"] == "webhook",
            webhook,
            "{tool}"
        );
        assert_eq!(tool.get("outputSchema").is_none(), webhook, "{tool}");
    }
    let matched: Vec<_> = route
        .catalogue
        .webhook_tools()
        .iter()
        .map(|entry| entry.matched)
        .collect();
    assert_eq!(matched, [1, 1, 0]);
    assert_eq!(route.catalogue.servers()[0].webhook_tools, 2);
}

#[tokio::test]
async fn hints_make_a_tool_repeatable() {
    let fake = McpServer::start(&[]).await;
    let hinted = |name: &str, hint: &str| {
        let mut tool = tool(name);
        tool["annotations"] = json!({hint: true});
        tool
    };
    fake.nature().tools = vec![
        hinted("a", "idempotentHint"),
        hinted("b", "readOnlyHint"),
        tool("c"),
    ];
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    for (name, repeatable) in [("a", true), ("b", true), ("c", false)] {
        assert_eq!(route.tool(name).await.unwrap().repeatable, repeatable, "{name}");
    }
}

#[tokio::test]
async fn all_pages_are_read_and_the_list_is_one_page() {
    let names: Vec<String> = (0..25).map(|n| format!("t{n:02}")).collect();
    let fake = McpServer::start(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fake.nature().page = 10;
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    assert!(route.tool("t24").await.is_some());
    assert_eq!(route.names().await, names);
}

#[tokio::test]
async fn a_dead_servers_tools_leave_the_list_and_their_calls_go_nowhere_else() {
    let (a, b) = (
        McpServer::start(&["x", "only_a"]).await,
        McpServer::start(&["x"]).await,
    );
    let route = Route::start(&format!(
        "servers:\n{}\n{}",
        server("a", &a, ""),
        server("b", &b, "")
    ));
    route.catalogue.tried_once().await;
    assert_eq!(route.names().await, ["x", "only_a"]);
    let mut stream = Box::pin(route.lines.stream(&client(1)));
    a.forget_sessions();
    a.on("POST", [Reaction::of_a_proxy(503)]);
    assert!(route.names().await.is_empty(), "x of b would be another tool");
    assert_eq!(route.tool("x").await.unwrap().server, "a");
    eventually(SOON, async || route.state("a") == ServerState::Unreachable).await;
    assert!(changed(&mut stream).await, "clients see fewer tools");
    a.on("POST", []);
    eventually(SOON, async || route.catalogue.may_answer("a")).await;
    assert_eq!(route.names().await, ["x", "only_a"]);
    eventually(SOON, async || route.state("a") == ServerState::Ready).await;
}

async fn changed(stream: &mut (impl futures::Stream<Item = axum::body::Bytes> + Unpin)) -> bool {
    let next = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    next.is_ok_and(|message| message.is_some_and(|raw| raw.ends_with(b"list_changed\"}")))
}

#[tokio::test]
async fn a_late_server_is_there_within_about_a_second() {
    let early = McpServer::start(&["x"]).await;
    let port = unused_port();
    let late = format!("- {{name: late, url: \"http://127.0.0.1:{port}/mcp\", toolPrefix: l_}}");
    let route = Route::start(&format!("servers:\n{}\n{late}", server("a", &early, "")));
    route.catalogue.tried_once().await;
    let unavailable = Resolved::Unavailable {
        server: "late".to_owned(),
    };
    assert_eq!(route.catalogue.resolve("l_y").await, unavailable);
    assert_eq!(
        route.catalogue.resolve("y").await,
        Resolved::Unknown,
        "no server could have it"
    );
    assert_eq!(route.state("late"), ServerState::Unreachable);
    let _late = McpServer::at(port, &["y"]).await;
    let began = Instant::now();
    eventually(SOON, async || route.catalogue.servers()[1].tools == 1).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(route.tool("l_y").await.is_some());
}

#[tokio::test]
async fn a_name_waits_for_a_server_with_a_better_claim_that_was_not_tried_yet() {
    let (slow, quick) = (McpServer::start(&["x"]).await, McpServer::start(&["x"]).await);
    slow.nature().slow_start = Duration::from_millis(300);
    let route = Route::start(&format!(
        "servers:\n{}\n{}",
        server("a", &slow, ""),
        server("b", &quick, "")
    ));
    assert_eq!(route.tool("x").await.unwrap().server, "a");
}

#[tokio::test]
async fn a_changed_list_is_fetched_and_clients_are_told() {
    let fake = McpServer::start(&["x"]).await;
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    assert!(route.tool("x").await.is_some());
    let mut stream = Box::pin(route.lines.stream(&client(1)));
    eventually(SOON, async || fake.listeners() == 1).await; // the catalogue's own
    fake.nature().tools = vec![tool("y")];
    fake.push(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    assert!(changed(&mut stream).await);
    assert_eq!(route.tool("x").await, None);
    assert!(route.tool("y").await.is_some());
}

#[tokio::test]
async fn a_tool_that_only_a_client_was_shown_can_be_called_soon() {
    let fake = McpServer::start(&["x"]).await;
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    assert!(route.tool("x").await.is_some());
    fake.nature().tools.push(tool("new"));
    assert_eq!(route.names().await, ["x", "new"]);
    eventually(SOON, async || route.catalogue.servers()[0].tools == 2).await;
}

#[tokio::test]
async fn a_change_of_the_route_is_live_and_clients_are_told() {
    let fake = McpServer::start(&["x"]).await;
    let spec = format!("servers:\n{}", server("a", &fake, ""));
    let route = Route::start(&spec);
    assert_eq!(route.tool("x").await.unwrap().webhook, None);
    let mut stream = Box::pin(route.lines.stream(&client(1)));
    route
        .change
        .send_replace(config(&format!("{spec}\nwebhookTools: [{{name: x}}]")));
    assert!(changed(&mut stream).await);
    assert!(route.tool("x").await.unwrap().webhook.is_some());
    assert_eq!(fake.seen("initialize").len(), 1, "the server was not touched");
    let other = McpServer::start(&["y"]).await;
    route
        .change
        .send_replace(config(&format!("servers:\n{}", server("b", &other, ""))));
    assert!(changed(&mut stream).await);
    assert!(route.tool("y").await.is_some());
    assert_eq!(route.catalogue.resolve("x").await, Resolved::Unknown);
    eventually(SOON, async || fake.seen_http(&http::Method::DELETE).pop()).await;
}

#[tokio::test]
async fn instructions_stand_under_their_servers_name() {
    let fake = McpServer::start(&["x"]).await;
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    route.catalogue.tried_once().await;
    assert_eq!(route.catalogue.instructions().as_deref(), Some("# a\nBe kind."));
}
