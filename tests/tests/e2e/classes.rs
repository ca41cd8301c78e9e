//! Two operators in one cluster: of one class, and each with its own.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::audit::Writes;
use asyncmcp_tests::cluster::release::{VALUES, operator_log};
use asyncmcp_tests::cluster::{Cluster, PATIENCE, Release, Space, path, space};
use asyncmcp_tests::command::run;
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

/// The second operator's namespace, which goes with it.
struct Second;

impl Second {
    const NAME: &str = "asyncmcp-second";

    fn helm(verb: &str, flags: &[&str]) -> Result<()> {
        let chart = [verb, "second", "charts/asyncmcp", "--namespace", Self::NAME];
        let values = [
            "--values",
            VALUES,
            "--set=crds.install=false,rbac.aggregate=false",
        ];
        run("helm", &[&chart[..], &values, flags].concat()).map(drop)
    }

    fn install(flags: &[&str]) -> Result<Self> {
        let second = Self;
        Self::helm("install", &[&["--create-namespace"], flags].concat())?;
        Ok(second)
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = run(
            "helm",
            &["uninstall", "second", "--namespace", Self::NAME, "--wait"],
        );
        let _ = run(
            "kubectl",
            &["delete", "namespace", Self::NAME, "--ignore-not-found"],
        );
    }
}

/// What the second operator logged.
fn log() -> Result<String> {
    let pods = "--selector=app.kubernetes.io/component=operator";
    run(
        "kubectl",
        &["--namespace", Second::NAME, "logs", pods, "--tail=200"],
    )
}

async fn ready_replicas(cluster: &Cluster) -> Result<u64> {
    let deployment = cluster
        .find(&path("deployments", Second::NAME, "second-asyncmcp"))
        .await?;
    let deployment = deployment.context("no deployment")?;
    Ok(deployment["status"]["readyReplicas"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn a_second_operator_of_a_class_does_nothing_and_one_of_another_class_serves_its_own_routes()
-> Result<()> {
    let _first = Release::alone(&[]).await?;
    let space = Space::new("classes").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = space.children().await?;

    let second = Second::install(&[])?;
    let refusal = "the operator asyncmcp/asyncmcp serves the routes of this class";
    eventually(PATIENCE, || async {
        let log = log().map_err(|error| error.to_string())?;
        if log.contains(refusal) { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(ready_replicas(&space.cluster).await?, 0, "it is not ready");
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

    Second::helm(
        "upgrade",
        &["--set=operatorClass=team-a", "--wait", "--timeout=90s"],
    )?;
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
        r#"--patch=[{"op": "remove", "path": "/spec/operatorClass"}]"#,
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
    let first = Release::alone(&[]).await?;
    let space = Space::new("narrow").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = space.get("statefulsets", "analytics-dataplane").await?;

    let watch = format!("--set=watchNamespaces={{{}}}", space.name);
    let _second = Second::install(&[&watch, "--wait", "--timeout=90s"])?;
    let log = operator_log();
    assert!(
        log.contains("another operator of this class serves this namespace"),
        "{log}"
    );
    let lease = space.get("leases", "asyncmcp-operator-lock").await?;
    assert_eq!(lease["spec"]["holderIdentity"], "asyncmcp-second/second-asyncmcp");
    let writes = Writes::from_now();
    space
        .route(|route| route["spec"]["webhook"]["retry"]["max"] = json!(9))
        .await?;
    first.renewals(&space.cluster, 3).await?;
    if let Some(writes) = writes {
        // Those of the first.
        assert_eq!(writes.beside_leases()?, Vec::<String>::new());
    }
    let after = space.get("statefulsets", "analytics-dataplane").await?;
    assert_eq!(before["spec"], after["spec"], "the pods stay");
    space.done()
}
