//! The conformance suite of the MCP project, which plays clients against a server, and what it found there.
//!
//! Used by `tests/tests/peers/conformance.rs`. Invariant: a check that was made twice passed if it passed both times.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Peers;

/// The variable that names one scenario, which then runs alone.
pub const ALONE: &str = "CONFORMANCE_SCENARIO";

/// What the suite found at one server.
#[derive(Debug)]
pub struct Found {
    /// By scenario and check: what is wrong, if anything.
    checks: BTreeMap<(String, String), Option<String>>,
    /// Whether every scored scenario passed.
    pub conformant: bool,
    /// What the suite printed at its end.
    pub summary: String,
}

/// What is known to fail: scenarios, or checks as `scenario:check`.
#[derive(Debug, Deserialize)]
pub struct Expected {
    server: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: String,
    error_message: Option<String>,
}

impl Found {
    /// Runs the set that the revision `version` requires against `url`; what the suite writes goes to `dir`.
    pub async fn at(url: &str, version: &str, peers: &Peers, dir: &Path) -> Result<Self> {
        let mut suite = peers.conformance()?;
        suite.args(["server", "--url", url]).arg("--output-dir").arg(dir);
        match std::env::var(ALONE) {
            Ok(scenario) => suite.args(["--scenario", &scenario, "--spec-version", version]),
            Err(_) => suite.args(["--requirements", version]),
        };
        let output = tokio::task::spawn_blocking(move || suite.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout);
        let from = said.find("=== SUMMARY ===").unwrap_or_default();
        Ok(Self {
            checks: checks(dir)?,
            conformant: output.status.success(),
            summary: said[from..].to_owned(),
        })
    }

    /// How many checks passed.
    pub fn passed(&self) -> usize {
        self.checks.values().filter(|wrong| wrong.is_none()).count()
    }

    /// The checks that passed here but not in `other`, and are not `expected` to fail; then what is expected to
    /// fail and does not.
    pub fn surprises(&self, other: &Self, expected: &Expected) -> Vec<String> {
        let lost: Vec<_> = self.lost(other).collect();
        let mut surprises = Vec::new();
        for (scenario, check, wrong) in &lost {
            if !expected.names(scenario, check) {
                surprises.push(format!("{scenario}:{check}: {wrong}"));
            }
        }
        for line in &expected.server {
            let stale = !lost.iter().any(|(scenario, check, _)| is(line, scenario, check));
            if stale && self.has_run(line) {
                surprises.push(format!("{line}: is expected to fail, and passes"));
            }
        }
        surprises
    }

    fn lost<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        let passed = self.checks.iter().filter(|(_, wrong)| wrong.is_none());
        passed.filter_map(|(of, _)| {
            let wrong = match other.checks.get(of) {
                Some(None) => return None,
                Some(Some(wrong)) => wrong.as_str(),
                None => "was not made",
            };
            Some((of.0.as_str(), of.1.as_str(), wrong))
        })
    }

    /// Whether the scenario of `line` was run, which one that runs alone keeps others from.
    fn has_run(&self, line: &str) -> bool {
        let scenario = line.split(':').next();
        std::env::var_os(ALONE).is_none() || self.checks.keys().any(|(run, _)| Some(run.as_str()) == scenario)
    }
}

impl Expected {
    /// Reads `file`.
    pub fn read(file: &Path) -> Result<Self> {
        Ok(serde_yaml::from_str(&std::fs::read_to_string(file)?)?)
    }

    fn names(&self, scenario: &str, check: &str) -> bool {
        self.server.iter().any(|line| is(line, scenario, check))
    }
}

fn is(line: &str, scenario: &str, check: &str) -> bool {
    match line.split_once(':') {
        Some(both) => both == (scenario, check),
        None => line == scenario,
    }
}

/// Reads `server-<scenario>-<time>/checks.json` of every scenario.
fn checks(dir: &Path) -> Result<BTreeMap<(String, String), Option<String>>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let place = entry?.path();
        let scenario = scenario(&place).with_context(|| format!("no scenario: {}", place.display()))?;
        let made: Vec<Check> = serde_json::from_slice(&std::fs::read(place.join("checks.json"))?)?;
        for check in made {
            let known = all.entry((scenario.clone(), check.id.clone())).or_insert(None);
            *known = known.take().or(check.wrong());
        }
    }
    Ok(all)
}

fn scenario(place: &Path) -> Option<String> {
    let name = place.file_name()?.to_str()?.strip_prefix("server-")?;
    let time = name.len().checked_sub("-2026-07-28T00-00-00-000Z".len())?;
    name.get(..time).map(str::to_owned)
}

impl Check {
    /// What is wrong, if anything. What was skipped was not found: it is lost where a capability is.
    fn wrong(self) -> Option<String> {
        match self.status.as_str() {
            "SUCCESS" | "INFO" => None,
            _ => Some(self.error_message.unwrap_or(self.status)),
        }
    }
}
