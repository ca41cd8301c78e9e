//! Lists of tools that are malformed, go round in circles or never end.

use super::*;

#[tokio::test]
async fn malformed_entries_cost_no_other_tool_anything_and_status_names_them() {
    let (good, bad) = (McpServer::start(&["x"]).await, McpServer::start(&["ok"]).await);
    bad.nature().tools.extend([
        json!({"name": "text", "inputSchema": {"type": "string"}}),
        json!({"name": "other", "inputSchema": "none"}),
        json!({"name": "hidden", "inputSchema": "none"}),
        json!({"title": "no name"}),
        json!({"name": "none", "title": null, "annotations": null}),
        json!({"name": "untyped", "inputSchema": {"type": "object"}, "outputSchema": {"description": "x"}}),
    ]);
    let more = ", tools: {exclude: [hidden]}";
    let route = Route::start(&format!(
        "servers:\n{}\n{}",
        server("a", &good, ""),
        server("b", &bad, more)
    ));
    route.catalogue.tried_once().await;
    let list = route.list().await;
    let names: Vec<_> = list.iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["x", "ok", "none", "untyped"]);
    assert_eq!(
        list[2],
        json!({"name": "none", "inputSchema": {"type": "object"}})
    );
    assert_eq!(
        list[3],
        json!({"name": "untyped", "inputSchema": {"type": "object"}})
    );
    assert_eq!(route.tool("text").await, None, "nobody could call it");
    let reports = route.catalogue.servers();
    assert_eq!((reports[0].tools, &reports[0].message), (1, &None));
    assert_eq!((reports[1].tools, reports[1].state), (3, ServerState::Ready));
    let message = "tool \"text\" (and 1 more) is left out: inputSchema must be a JSON Schema of type \"object\"; \
                   tools without a name are left out (1); \
                   tool \"none\" (and 1 more) is corrected: inputSchema lacks \"type\": \"object\"";
    assert_eq!(reports[1].message.as_deref(), Some(message));
}

#[tokio::test]
async fn a_list_that_goes_round_in_circles_ends_where_it_began() {
    const PAGE: &str = r#"{"tools":[{"name":"x","inputSchema":{"type":"object"}}],"nextCursor":"CURSOR"}"#;
    for cursor in ["", "8"] {
        let fake = McpServer::start(&[]).await;
        fake.on(
            "tools/list",
            [Reaction::Result(PAGE.replace("CURSOR", cursor).leak())],
        );
        let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
        assert!(route.tool("x").await.is_some());
        assert_eq!(fake.seen("tools/list").len(), 2, "{cursor:?}");
        assert_eq!(route.names().await, ["x"]);
        let message = route.catalogue.servers()[0].message.clone().unwrap();
        assert!(
            message.contains(&format!("nextCursor {cursor:?} of tools/list occurs twice")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_list_ends_where_an_empty_cursor_is_refused() {
    let fake = McpServer::start(&[]).await;
    let page = r#"{"tools":[{"name":"x","inputSchema":{"type":"object"}}],"nextCursor":""}"#;
    let refusal = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"Invalid cursor"}}"#;
    fake.on(
        "tools/list",
        [Reaction::Result(page), Reaction::Status(200, refusal)],
    );
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    assert!(route.tool("x").await.is_some());
    assert_eq!(route.catalogue.servers()[0].message, None);
}

#[tokio::test]
async fn the_pages_of_a_list_are_bounded_and_status_says_so() {
    let names: Vec<String> = (0..101).map(|n| format!("t{n:03}")).collect();
    let fake = McpServer::start(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    fake.nature().page = 1;
    let route = Route::start(&format!("servers:\n{}", server("a", &fake, "")));
    route.catalogue.tried_once().await;
    let report = route.catalogue.servers().remove(0);
    assert_eq!(report.tools, 100);
    assert!(report.message.unwrap().contains("more than 100 pages"));
    fake.nature().page = 50;
    route.catalogue.list_again("a");
    eventually(SOON, async || route.catalogue.servers()[0].tools == 101).await;
    assert_eq!(route.catalogue.servers()[0].message, None);
}
