//! The jobs API in a pod: the token is the one in the route's Secret.

use anyhow::{Context as _, Result};
use asyncmcp_tests::cluster::{Release, Space};
use serde_json::Value;

use crate::KEY;

const TOKEN: &str = "-o=go-template={{.data.adminToken | base64decode}}";

#[tokio::test]
async fn the_token_of_the_routes_secret_opens_the_jobs_api() -> Result<()> {
    let _release = Release::shared().await?;
    let space = Space::new("jobs").await?;
    space.example(KEY)?;
    space.route(|_| {}).await?;
    space.call("process_batch", r#"{"seconds": 0.1, "items": 13}"#)?;
    space.receives("processed 13 items").await;

    let token = space.kubectl(&["get", "secret", "analytics-keys", TOKEN])?;
    let pod = space.get("pods", "analytics-dataplane-0").await?;
    let address = pod["status"]["podIP"]
        .as_str()
        .context("the pod has no address")?;
    let admin = format!("http://{address}:9464");
    let list = [
        "exec",
        "client",
        "--",
        "/asyncmcp",
        "jobs",
        "list",
        "-o",
        "json",
        "--admin",
        &admin,
    ];
    let found = space.kubectl(&[&list[..], &["--token", token.trim()]].concat())?;
    let found: Value = serde_json::from_str(&found)?;
    assert_eq!(found["jobs"][0]["tool"], "process_batch", "{found}");
    let refused = space.refused(&[&list[..], &["--token", "another"]].concat())?;
    assert!(refused.contains("wrong bearer token"), "{refused}");
    space.done()
}
