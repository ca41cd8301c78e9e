//! The operator, installed with helm from the tree: shared by tests that leave it alone, or one test's own.
//!
//! Invariant: at most one release exists at a time, since routes of all namespaces belong to it; the last test that uses
//! it removes it.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::{Cluster, PATIENCE, path};
use crate::command::run;
use crate::eventually;

/// The release's name, and its namespace's.
pub const NAME: &str = "asyncmcp";
/// Images of this tree.
pub const VALUES: &str = "tests/e2e/values.yaml";
const CRD: &str = "mcpwebhookroutes.asyncmcp.dev";

static TURNS: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);
static SHARED: Mutex<Weak<Installed>> = Mutex::new(Weak::new());

/// A running release.
pub struct Release {
    installed: Option<Arc<Installed>>,
    _turn: Turn,
}

#[expect(dead_code, reason = "a turn is held, not looked at")]
enum Turn {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

struct Installed;

impl Release {
    /// The release with the chart's own values, beside other tests.
    pub async fn shared() -> Result<Self> {
        let turn = Turn::Shared(TURNS.clone().read_owned().await);
        let mut shared = lock();
        let installed = match shared.upgrade() {
            Some(installed) => installed,
            None => Arc::new(Installed::new(&[])?),
        };
        *shared = Arc::downgrade(&installed);
        Ok(Self {
            installed: Some(installed),
            _turn: turn,
        })
    }

    /// A release with more `flags`, while no other test runs.
    pub async fn alone(flags: &[&str]) -> Result<Self> {
        let turn = Turn::Alone(TURNS.clone().write_owned().await);
        Ok(Self {
            installed: Some(Arc::new(Installed::new(flags)?)),
            _turn: turn,
        })
    }

    /// No release yet, and nobody else's until this is dropped; for a test that installs one itself.
    pub async fn none() -> Result<Self> {
        let turn = Turn::Alone(TURNS.clone().write_owned().await);
        remove()?;
        Ok(Self {
            installed: Some(Arc::new(Installed)),
            _turn: turn,
        })
    }

    /// The operator's pods that are not going away.
    pub async fn pods(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        let selector = "?labelSelector=app.kubernetes.io/component%3Doperator";
        let list = cluster.find(&(path("pods", NAME, "") + selector)).await?;
        let mut list = list.context("no pods")?;
        let pods = list["items"].as_array_mut().map(std::mem::take);
        let stays = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null();
        Ok(pods.into_iter().flatten().filter(stays).collect())
    }

    /// The Lease.
    pub async fn lease(&self, cluster: &Cluster) -> Result<Value> {
        let lease = cluster.find(&path("leases", NAME, NAME)).await?;
        lease.context("there is no Lease")
    }

    /// Waits until the Lease was renewed `times` times, every 2 s: time passes for the operator as it does for nobody else.
    pub async fn renewals(&self, cluster: &Cluster, times: u32) -> Result<()> {
        for _ in 0..times {
            let before = self.lease(cluster).await?["spec"]["renewTime"].clone();
            eventually(PATIENCE, || async {
                let lease = self.lease(cluster).await.map_err(|error| error.to_string())?;
                (lease["spec"]["renewTime"] != before)
                    .then_some(())
                    .ok_or_else(|| lease.to_string())
            })
            .await;
        }
        Ok(())
    }

    /// A page of the admin port of an operator pod.
    pub async fn admin(&self, cluster: &Cluster, pod: &str, page: &str) -> Result<String> {
        let pod = path("pods", NAME, pod);
        cluster.text(&format!("{pod}:9464/proxy/{page}")).await
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        // Whoever comes next must not find a release that is just going.
        let shared = lock();
        drop(self.installed.take());
        drop(shared);
    }
}

impl Installed {
    fn new(flags: &[&str]) -> Result<Self> {
        remove()?;
        let chart = ["install", NAME, "charts/asyncmcp", "--namespace", NAME];
        let how = [
            "--create-namespace",
            "--wait",
            "--timeout=90s",
            "--values",
            VALUES,
        ];
        let installed = Self;
        run("helm", &[&chart, &how, flags].concat())?;
        Ok(installed)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&operator_log());
        }
        if let Err(error) = remove() {
            show(&format!("the release was not removed: {error:#}"));
        }
    }
}

/// What the operator's pods logged.
pub fn operator_log() -> String {
    let pods = "--selector=app.kubernetes.io/component=operator";
    let log = run(
        "kubectl",
        &["--namespace", NAME, "logs", pods, "--prefix", "--tail=200"],
    );
    log.unwrap_or_else(|error| error.to_string())
}

/// Removes the release, its definition and its namespace, if they are there.
fn remove() -> Result<()> {
    let wait = "--timeout=60s";
    let uninstall = [
        "uninstall",
        NAME,
        "--namespace",
        NAME,
        "--ignore-not-found",
        "--wait",
        wait,
    ];
    run("helm", &uninstall)?;
    run("kubectl", &["delete", "crd", CRD, "--ignore-not-found", wait])?;
    // A namespace goes at once if it is empty, else with its controller's next try, seconds later.
    run(
        "kubectl",
        &["--namespace", NAME, "wait", "--for=delete", "pod", "--all", wait],
    )?;
    run(
        "kubectl",
        &["delete", "namespace", NAME, "--ignore-not-found", wait],
    )?;
    Ok(())
}

fn lock() -> MutexGuard<'static, Weak<Installed>> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::print_stderr, reason = "shown by the test runner when a test fails")]
fn show(text: &str) {
    eprintln!("{text}");
}
