//! Two operators in one cluster: of one class, and each with its own.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::audit::Writes;
use asyncmcp_tests::cluster::{Cluster, PATIENCE, Release, Space, path, space};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

async fn ready_replicas(release: &Release, cluster: &Cluster) -> Result<u64> {
    let path = path("deployments", release.name(), release.name());
    let deployment = cluster.find(&path).await?.context("no deployment")?;
    Ok(deployment["status"]["readyReplicas"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn a_second_operator_of_a_class_does_nothing_and_one_of_another_class_serves_its_own_routes()
-> Result<()> {
    let first = Release::own("first", &[]).await?;
    let space = first.space("classes").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = space.children().await?;

    let second = first.rival("second", &[])?;
    let refusal = format!(
        "the operator {0}/{0} serves the routes of this class",
        first.name()
    );
    eventually(PATIENCE, || async {
        let log = second.log();
        if log.contains(&refusal) { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(
        ready_replicas(&second, &space.cluster).await?,
        0,
        "it is not ready"
    );
    let mut other = space::route(|route| route["metadata"]["name"] = json!("other"))?;
    space.apply(&other)?;
    space.ready("other").await;
    let now = space.children().await?;
    let touched: Vec<&String> = before
        .keys()
        .filter(|key| now.get(*key) != before.get(*key))
        .collect();
    // The route's own status may change, by its own operator; nobody replaced what was made for it.
    assert!(
        touched.iter().all(|key| key.starts_with("mcpwebhookroutes/")),
        "{touched:?}"
    );

    second.upgrade(&["--set=operatorClass=team-a"])?;
    other = space::route(|route| {
        route["metadata"]["name"] = json!("other");
        route["spec"]["operatorClass"] = json!("team-a");
        route["spec"]["webhook"]["retry"]["max"] = json!(3);
    })?;
    space.apply(&other)?;
    space.ready("other").await;
    let served = writer(&space, "other").await?;
    assert!(served.contains("team-a"), "{served}");
    drop(second);

    // No operator serves this class any more. In the first operator's class the route is drained and deleted.
    space.kubectl(&[
        "patch",
        "mwr/other",
        "--type=json",
        &format!(
            r#"--patch=[{{"op": "replace", "path": "/spec/operatorClass", "value": "{}"}}]"#,
            first.class()
        ),
    ])?;
    space.ready("other").await;
    space.done()
}

/// The document of a route's pods, which its operator wrote.
async fn writer(space: &Space, route: &str) -> Result<String> {
    let map = space
        .get("configmaps", &format!("{route}-dataplane-config"))
        .await?;
    let document: Value = serde_json::from_str(map["data"]["route.json"].as_str().context("no document")?)?;
    Ok(document["spec"].to_string())
}

#[tokio::test]
async fn an_operator_of_some_namespaces_gets_them_from_one_of_the_whole_cluster() -> Result<()> {
    let first = Release::own("wide", &[]).await?;
    let space = first.space("narrow").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = space.get("statefulsets", "analytics-dataplane").await?;

    let watch = format!("--set=watchNamespaces={{{}}}", space.name);
    let second = first.rival("narrow", &[&watch, "--wait", "--timeout=90s"])?;
    let log = first.log();
    assert!(
        log.contains("another operator of this class serves this namespace"),
        "{log}"
    );
    let lock = format!("asyncmcp-operator-lock.{}", first.class());
    let lease = space.get("leases", &lock).await?;
    assert_eq!(lease["spec"]["holderIdentity"], format!("{0}/{0}", second.name()));
    let writes = Writes::from_now();
    space
        .route(|route| route["spec"]["webhook"]["retry"]["max"] = json!(9))
        .await?;
    first.renewals(&space.cluster, 3).await?;
    if let Some(writes) = writes {
        // Those of the first.
        assert_eq!(writes.beside_leases(&first)?, Vec::<String>::new());
    }
    let after = space.get("statefulsets", "analytics-dataplane").await?;
    assert_eq!(before["spec"], after["spec"], "the pods stay");
    space.done()
}
