//! A real Prometheus scrapes a data plane that delivered: the dashboard finds data, the alert rules fire.

use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_client::RawValue;
use asyncmcp_tests::dashboard::{self, Dashboard};
use asyncmcp_tests::prometheus::Prometheus;
use asyncmcp_tests::{command, eventually};
use http::StatusCode;

use crate::world::{World, receiver};

const SOON: Duration = Duration::from_secs(30);

/// Something of everything: an ordinary call, a failed one, deliveries that need a retry, are given up, are refused.
pub(crate) async fn stir(world: &World) -> Result<()> {
    let mut flaky = receiver(1, StatusCode::SERVICE_UNAVAILABLE).await?;
    let client = world.client(&flaky.url()).await?;
    let text = RawValue::from_string(r#"{"text": "hello"}"#.to_owned())?;
    client.call_tool("echo", text.clone(), |_| {}).await?;
    anyhow::ensure!(client.call_tool("no_such_tool", text, |_| {}).await.is_err());
    World::process_batch(&client).await?;
    let first = flaky.next().await.context("no attempt")?;
    assert_eq!(first.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        flaky.next().await.context("no second attempt")?.status,
        StatusCode::OK
    );

    let mut gone = receiver(u32::MAX, StatusCode::GONE).await?;
    World::process_batch(&world.client(&gone.url()).await?).await?;
    assert_eq!(gone.next().await.context("no attempt")?.status, StatusCode::GONE);

    anyhow::ensure!(
        world.client("http://169.254.169.254/webhook").await.is_err(),
        "a metadata address"
    );
    Ok(())
}

async fn prometheus(world: &World) -> Result<Prometheus> {
    let admin = world.dataplane.admin("");
    let target = admin.strip_prefix("http://").context("the admin port's URL")?;
    Prometheus::start(world.dir.path(), target).await
}

/// As Grafana fills the variables in, for a person who chose this namespace and route.
fn filled(expression: &str) -> String {
    let variables = [
        ("$namespace", "tools"),
        ("$route", "monitored"),
        ("$__rate_interval", "1m"),
        ("$__range", "5m"),
    ];
    variables
        .iter()
        .fold(expression.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
}

#[tokio::test]
async fn every_query_of_the_dashboards_finds_data() -> Result<()> {
    let world = World::start("{}").await?;
    let prometheus = prometheus(&world).await?;
    // A rate needs a sample from before and one from after.
    stir(&world).await?;
    eventually(SOON, || prometheus.query("asyncmcp_jobs{state=\"dead\"} == 1")).await;
    stir(&world).await?;
    eventually(SOON, || prometheus.query("asyncmcp_jobs{state=\"dead\"} == 2")).await;
    for query in dashboard::all()?.iter().flat_map(Dashboard::queries) {
        let expression = filled(&query.expression);
        assert!(!expression.contains('$'), "{query:?}");
        let found = eventually(SOON, || prometheus.query(&expression)).await;
        for series in found {
            let named = query.labels.iter().all(|label| series.labels.contains_key(label));
            assert!(
                named,
                "the legend of {query:?} needs labels that {series:?} lacks"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_dashboards_variables_offer_the_route() -> Result<()> {
    let world = World::start("{}").await?;
    let prometheus = prometheus(&world).await?;
    for board in dashboard::all()? {
        let variables = board.json["templating"]["list"]
            .as_array()
            .context("no variables")?;
        for (name, value) in [("namespace", "tools"), ("route", "monitored")] {
            let variable = variables
                .iter()
                .find(|variable| variable["name"] == name)
                .context(name)?;
            let query = variable["query"]["query"].as_str().context("no query")?;
            let inside = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inside
                .and_then(|inside| inside.rsplit_once(", "))
                .context("the query's form")?;
            assert_eq!(prometheus.label_values(&filled(selector), label).await?, [value]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_letter_fires_its_alert() -> Result<()> {
    let world = World::start("{}").await?;
    let prometheus = prometheus(&world).await?;
    stir(&world).await?;
    let firing = r#"ALERTS{alertname="AsyncmcpDeadLetters", alertstate="firing", namespace="tools", route="monitored", reason="http_4xx"}"#;
    eventually(SOON, || prometheus.query(firing)).await;
    let rules = eventually(SOON, || async {
        let rules = prometheus.rules().await?;
        let evaluated = rules.iter().all(|rule| rule["health"] == "ok");
        anyhow::ensure!(evaluated && !rules.is_empty(), "{rules:?}");
        Ok(rules)
    })
    .await;
    let rule = rules
        .iter()
        .find(|rule| rule["name"] == "AsyncmcpDeadLetters")
        .context("no rule")?;
    let said = rule["alerts"][0]["annotations"]["description"]
        .as_str()
        .context("no description")?;
    assert!(
        said.starts_with("About ") && !said.contains("<error") && !said.contains("<no value>"),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn promtool_finds_no_fault_with_a_scrape() -> Result<()> {
    let world = World::start("{}").await?;
    stir(&world).await?;
    let path = world.dir.path().join("scrape.txt");
    let scrape = world.dataplane.metrics().await?;
    anyhow::ensure!(scrape.contains("asyncmcp_jobs_accepted_total{"), "{scrape}");
    std::fs::write(&path, scrape)?;
    let check = "promtool check metrics <\"$0\"";
    let said = command::run("sh", &["-c", check, &path.to_string_lossy()])?;
    assert_eq!(said, "");
    Ok(())
}
