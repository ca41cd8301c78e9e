//! Mistakes: refused by the API server, or a condition that names the field; what ran before runs on.

use anyhow::Result;
use asyncmcp_crds::fixtures;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

#[tokio::test]
async fn a_mistake_that_only_the_operator_sees_is_a_condition_that_names_the_field() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("mistakes").await?;
    let seen_late =
        |fixture: &fixtures::Fixture| fixture.api_server.is_none() && !fixture.problems.is_empty();
    let fixtures: Vec<_> = fixtures::all().into_iter().filter(seen_late).collect();
    assert!(!fixtures.is_empty());
    for (number, fixture) in fixtures.iter().enumerate() {
        let mut route = fixture.object();
        route["metadata"]["name"] = json!(format!("mistake-{number}"));
        space.apply(&route.to_string())?;
    }
    for (number, fixture) in fixtures.iter().enumerate() {
        let message = rejected(&space, &format!("mistake-{number}")).await;
        for field in fixture
            .problems
            .keys()
            .filter(|field| !field.starts_with("metadata"))
        {
            assert!(message.contains(field.as_str()), "{}: {message}", fixture.title);
        }
    }
    let children = space.children().await?;
    let made = children
        .keys()
        .filter(|child| !child.starts_with("mcpwebhookroutes/"));
    assert_eq!(made.count(), 0, "{children:?}");
    space.done()
}

#[tokio::test]
async fn a_mistake_in_a_live_route_leaves_the_one_before_in_force() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("mistake").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = space.status().await?;

    let refused = space.apply_refused(&space::route(|route| {
        route["spec"]["servers"][0]["url"] = json!("http://elsewhere.example.com/mcp");
    })?)?;
    assert!(refused.contains("spec.servers[0]: Invalid value"), "{refused}");
    assert!(refused.contains("set exactly one of url, service"), "{refused}");

    space.apply(&space::route(|route| {
        route["spec"]["transport"]["maxRequestSize"] = json!("100m");
    })?)?;
    let message = rejected(&space, "analytics").await;
    assert!(message.contains("spec.transport.maxRequestSize"), "{message}");
    assert_eq!(space.status().await?["configHash"], before["configHash"]);
    space.call("echo", r#"{"text": "still here"}"#)?;
    let events = space.kubectl(&["get", "events", "--field-selector=reason=Rejected"])?;
    assert!(events.contains("spec.transport.maxRequestSize"), "{events}");

    space.route(|_| {}).await?;
    space.done()
}

#[tokio::test]
async fn an_object_of_somebody_else_is_left_alone() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("foreign").await?;
    space.example(KEY)?;
    space.kubectl(&[
        "create",
        "service",
        "clusterip",
        "analytics-dataplane",
        "--tcp=80:80",
    ])?;
    let theirs = space.get("services", "analytics-dataplane").await?;
    space.apply(&space::route(|_| {})?)?;
    let message = eventually(PATIENCE, || async {
        refused(&space, "analytics", "Programmed", "ForeignChild").await
    })
    .await;
    assert!(message.contains("analytics-dataplane"), "{message}");
    assert_eq!(space.get("services", "analytics-dataplane").await?, theirs);

    space.kubectl(&["delete", "service", "analytics-dataplane"])?;
    space.ready("analytics").await;
    space.done()
}

async fn rejected(space: &Space, route: &str) -> String {
    eventually(PATIENCE, || async { refused(space, route, "Accepted", "").await }).await
}

/// The message of a condition that is False, for `reason` if one is given.
async fn refused(space: &Space, route: &str, kind: &str, reason: &str) -> Result<String, String> {
    let route = space
        .get("mcpwebhookroutes", route)
        .await
        .map_err(|error| error.to_string())?;
    let is_refused = |condition: &&Value| {
        condition["status"] == "False" && (reason.is_empty() || condition["reason"] == reason)
    };
    let condition = space::condition(&route, kind).filter(is_refused);
    let message = condition.and_then(|condition| condition["message"].as_str());
    message
        .map(str::to_owned)
        .ok_or_else(|| route["status"].to_string())
}
