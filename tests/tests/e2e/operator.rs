//! The operator is killed, is one of two, rests, is confined: each test has a release and a class of its own.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::audit::Writes;
use asyncmcp_tests::cluster::kill::sigkill;
use asyncmcp_tests::cluster::{Cluster, PATIENCE, Release, Space, space};
use asyncmcp_tests::command::{refused, run};
use asyncmcp_tests::eventually;
use serde_json::{Value, json};

use crate::KEY;

#[tokio::test]
async fn a_killed_operator_changes_nothing_that_was_right_and_at_rest_writes_nothing_but_its_lease()
-> Result<()> {
    let release = Release::own("killed", &[]).await?;
    let space = release.space("killed-operator").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let before = settled(&space, &release).await?;

    let pod = only(&release, &space.cluster).await?;
    sigkill(&pod, "asyncmcp-operator")?;
    restarted(&release, &space.cluster, &pod).await;
    release.renewals(&space.cluster, 2).await?;
    assert_eq!(space.children().await?, before, "after SIGKILL");

    let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
    run("kubectl", &["--namespace", release.name(), "delete", "pod", name])?;
    let pod = acting(&release, &space.cluster, name).await;
    let writes = Writes::from_now();
    // Longer than the 30 s between two looks at a pod that serves what it should.
    release.renewals(&space.cluster, 18).await?;
    assert_eq!(
        space.children().await?,
        before,
        "after its pod was deleted, and at rest"
    );
    if let Some(writes) = writes {
        assert_eq!(writes.beside_leases(&release)?, Vec::<String>::new());
    }

    // It still acts.
    space
        .route(|route| route["spec"]["webhook"]["retry"]["max"] = json!(9))
        .await?;
    let metrics = release.admin(&space.cluster, &pod, "metrics").await?;
    assert_eq!(
        sum(&metrics, "asyncmcp_operator_reconcile_errors_total"),
        0,
        "{metrics}"
    );
    space.done()
}

#[tokio::test]
async fn of_two_replicas_one_acts_and_the_other_takes_over() -> Result<()> {
    let release = Release::own("two", &["--set=replicas=2"]).await?;
    let space = release.space("two").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    let pods = release.pods(&space.cluster).await?;
    assert_eq!(pods.len(), 2);
    let mut leaders = 0;
    for pod in &pods {
        let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
        let metrics = release.admin(&space.cluster, name, "metrics").await?;
        leaders += sum(&metrics, "asyncmcp_operator_leader");
    }
    assert_eq!(leaders, 1);

    let holder = holder(&release, &space.cluster).await?;
    let leader = pods.iter().find(|pod| pod["metadata"]["name"] == holder.as_str());
    sigkill(leader.context("the leader is no pod")?, "asyncmcp-operator")?;
    space
        .route(|route| route["spec"]["webhookTools"] = json!([{"name": "echo"}]))
        .await?;
    space.done()
}

#[tokio::test]
async fn an_operator_for_some_namespaces_has_no_say_in_others() -> Result<()> {
    let (mut inside, mut outside) = (Space::new("inside").await?, Space::new("outside").await?);
    let watched = format!("watchNamespaces={{{}}}", inside.name);
    let release = Release::own("confined", &["--set", &watched]).await?;
    for space in [&mut inside, &mut outside] {
        release.serves(space);
    }
    let account = format!("--as={}", release.account());
    inside.example(KEY)?;
    outside.apply(&space::route(|_| {})?)?;
    inside.route(|_| {}).await?;
    inside.call("process_batch", r#"{"seconds": 0.1, "items": 41}"#)?;
    inside.receives("processed 41 items").await;

    release.renewals(&inside.cluster, 2).await?;
    let route = outside.get("mcpwebhookroutes", "analytics").await?;
    assert!(
        route["status"].is_null() && route["metadata"]["finalizers"].is_null(),
        "{route}"
    );
    for what in [
        ["list", "secrets"],
        ["create", "statefulsets"],
        ["patch", "mcpwebhookroutes"],
    ] {
        inside.kubectl(&[&["auth", "can-i", &account], &what[..]].concat())?;
        outside.refused(&[&["auth", "can-i", &account], &what[..]].concat())?;
    }
    for never in [
        ["get", "secrets"],
        ["create", "pods"],
        ["delete", "services"],
        ["create", "pods/exec"],
    ] {
        inside.refused(&[&["auth", "can-i", &account], &never[..]].concat())?;
    }
    refused("kubectl", &["auth", "can-i", &account, "list", "nodes"])?;
    let pod = only(&release, &inside.cluster).await?;
    let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
    let metrics = release.admin(&inside.cluster, name, "metrics").await?;
    assert_eq!(
        sum(&metrics, "asyncmcp_operator_reconcile_errors_total"),
        0,
        "{metrics}"
    );
    inside.done()?;
    outside.done()
}

/// The versions of everything, once they no longer change: a first delivery count or the like may follow Ready.
async fn settled(space: &Space, release: &Release) -> Result<std::collections::BTreeMap<String, String>> {
    let mut before = space.children().await?;
    loop {
        release.renewals(&space.cluster, 1).await?;
        let now = space.children().await?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
}

async fn only(release: &Release, cluster: &Cluster) -> Result<Value> {
    let pods = release.pods(cluster).await?;
    anyhow::ensure!(pods.len() == 1, "{} pods", pods.len());
    pods.into_iter().next().context("no pod")
}

async fn holder(release: &Release, cluster: &Cluster) -> Result<String> {
    let lease = release.lease(cluster).await?;
    let holder = lease["spec"]["holderIdentity"].as_str();
    Ok(holder.context("nobody holds the Lease")?.to_owned())
}

async fn restarted(release: &Release, cluster: &Cluster, pod: &Value) {
    eventually(PATIENCE, || async {
        let now = only(release, cluster).await.map_err(|error| error.to_string())?;
        let same = now["metadata"]["uid"] == pod["metadata"]["uid"];
        let container = &now["status"]["containerStatuses"][0];
        let is_back = same && container["restartCount"] == 1 && container["ready"] == true;
        is_back.then_some(()).ok_or_else(|| container.to_string())
    })
    .await;
    acting(release, cluster, "").await;
}

/// The name of a pod other than `gone` that leads and has looked at a route.
async fn acting(release: &Release, cluster: &Cluster, gone: &str) -> String {
    eventually(PATIENCE, || async {
        let pod = only(release, cluster).await.map_err(|error| error.to_string())?;
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let metrics = release
            .admin(cluster, &name, "metrics")
            .await
            .map_err(|error| error.to_string())?;
        let acts = sum(&metrics, "asyncmcp_operator_leader") > 0
            && sum(&metrics, "asyncmcp_operator_reconcile_seconds_count") > 0;
        if acts && name != gone {
            Ok(name)
        } else {
            Err(metrics)
        }
    })
    .await
}

/// The sum of a metric's samples, which are whole numbers.
fn sum(metrics: &str, name: &str) -> u64 {
    let samples = metrics.lines().filter(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    samples
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
