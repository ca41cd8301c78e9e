//! The definition of routes is older than the operator, or gone for a while.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::cluster::space::condition;
use asyncmcp_tests::cluster::{PATIENCE, Release, Space, space};
use asyncmcp_tests::command::run;
use asyncmcp_tests::eventually;

use crate::KEY;

const CRD: &str = "mcpwebhookroutes.asyncmcp.dev";
const FILE: &str = "crds/asyncmcp.dev_mcpwebhookroutes.yaml";

/// What an older definition would lack.
const OLDER: &str = r#"[
    {"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/summary"},
    {"op": "remove", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/operatorClass"}
]"#;

#[tokio::test]
async fn an_older_definition_is_named_and_status_gets_through_and_a_deleted_one_is_missed_at_once()
-> Result<()> {
    let release = Release::alone().await?;
    let space = Space::new("definition").await?;
    space.example(KEY)?;
    run("kubectl", &["patch", "crd", CRD, "--type=json", "--patch", OLDER])?;
    space.apply(&space::route(|_| {})?)?;
    let lack = "it lacks spec.operatorClass, status.summary;";
    eventually(PATIENCE, || async {
        let route = space
            .get("mcpwebhookroutes", "analytics")
            .await
            .map_err(|error| error.to_string())?;
        let ready = condition(&route, "Ready").filter(|ready| ready["status"] == "True");
        let named = ready.is_some_and(|ready| ready["message"].to_string().contains(lack));
        let written = !route["status"]["servers"].is_null() && route["status"]["summary"].is_null();
        (named && written)
            .then_some(())
            .ok_or_else(|| route["status"].to_string())
    })
    .await;
    let events = run(
        "kubectl",
        &["get", "events", "--field-selector=reason=DefinitionOutdated"],
    )?;
    assert!(events.contains(lack), "{events}");

    space.kubectl(&["delete", "mwr", "analytics", "--timeout=60s"])?;
    run("kubectl", &["delete", "crd", CRD, "--timeout=60s"])?;
    release.renewals(&space.cluster, 15).await?;
    run("kubectl", &["apply", "--server-side", "--filename", FILE])?;
    // kubectl fails at once where there are no conditions yet.
    eventually(Duration::from_secs(30), || async {
        let wait = ["wait", "--for=condition=Established", "crd", CRD, "--timeout=10s"];
        run("kubectl", &wait).map_err(|error| error.to_string())
    })
    .await;
    space.apply(&space::route(|_| {})?)?;
    // Its finalizer is the first thing that the operator writes.
    eventually(Duration::from_secs(20), || async {
        let route = space
            .get("mcpwebhookroutes", "analytics")
            .await
            .map_err(|error| error.to_string())?;
        let seen = !route["metadata"]["finalizers"].is_null();
        seen.then_some(()).ok_or_else(|| route.to_string())
    })
    .await;
    space.ready("analytics").await;
    space.done()
}
