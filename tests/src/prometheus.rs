//! A real Prometheus that scrapes what a test runs, and evaluates the chart's alert rules.
//!
//! Invariant: it scrapes and evaluates each second, and keeps what it scraped in a directory of the test.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::{Process, free_port};
use crate::{chart, command, eventually};

/// One series that a query found, at one moment.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

impl Series {
    fn read(found: &Value) -> Option<Self> {
        let labels = serde_json::from_value(found["metric"].clone()).ok()?;
        let value: f64 = found["value"][1].as_str()?.parse().ok()?;
        value.is_finite().then_some(Self { labels, value })
    }
}

/// A running Prometheus.
pub struct Prometheus {
    process: Process,
    url: String,
    client: reqwest::Client,
}

impl Prometheus {
    /// Starts one that scrapes `target` (`host:port`); its files go to `dir`.
    pub async fn start(dir: &Path, target: &str) -> Result<Self> {
        let port = free_port()?;
        std::fs::write(dir.join("prometheus.yml"), configuration(target))?;
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", dir.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()));
        command.args([
            &format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn",
        ]);
        let process = Process::start(&mut command, &dir.join("prometheus.log"))?;
        let url = format!("http://127.0.0.1:{port}");
        let this = Self {
            process,
            url,
            client: reqwest::Client::new(),
        };
        eventually(Duration::from_secs(20), || this.query("up == 1")).await;
        Ok(this)
    }

    /// The series that an instant query finds, those whose value is no number left out; an error if it finds none.
    pub async fn query(&self, expression: &str) -> Result<Vec<Series>> {
        let answer = self.get("/api/v1/query", &[("query", expression)]).await?;
        let found = answer["result"].as_array().cloned().unwrap_or_default();
        let series: Vec<Series> = found.iter().filter_map(Series::read).collect();
        anyhow::ensure!(
            !series.is_empty(),
            "no data for {expression}: {found:?}\n{}",
            self.process.output()
        );
        Ok(series)
    }

    /// The values of a label on the series that a selector finds, as Grafana's variables ask for them.
    pub async fn label_values(&self, selector: &str, label: &str) -> Result<Vec<String>> {
        let path = format!("/api/v1/label/{label}/values");
        let answer = self.get(&path, &[("match[]", selector)]).await?;
        Ok(serde_json::from_value(answer)?)
    }

    /// Every rule, as the server that evaluates it sees it.
    pub async fn rules(&self) -> Result<Vec<Value>> {
        let answer = self.get("/api/v1/rules", &[]).await?;
        let groups = answer["groups"].as_array().context("no groups")?;
        Ok(groups
            .iter()
            .filter_map(|group| group["rules"].as_array())
            .flatten()
            .cloned()
            .collect())
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let url = url(&self.url, path, query)?;
        let text = self.client.get(url).send().await?.text().await?;
        let answer: Value = serde_json::from_str(&text)?;
        anyhow::ensure!(answer["status"] == "success", "{query:?}: {answer}");
        Ok(answer["data"].clone())
    }
}

/// `honor_labels`, since the target is a process and not a pod: only the series name their route and its namespace.
fn configuration(target: &str) -> String {
    let rules = command::root().join(chart::CHART).join("alerts/*.rules.yaml");
    format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [\"{}\"]
scrape_configs:
- job_name: asyncmcp
  honor_labels: true
  static_configs: [{{targets: [\"{target}\"]}}]
",
        rules.display()
    )
}

fn url(base: &str, path: &str, query: &[(&str, &str)]) -> Result<reqwest::Url> {
    let mut url = reqwest::Url::parse(base)?.join(path)?;
    url.query_pairs_mut().extend_pairs(query);
    Ok(url)
}
