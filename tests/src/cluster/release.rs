//! The operator, installed with helm from the tree: shared by tests that leave it alone, or one test's own.
//!
//! A test that changes its operator installs one of another class, which serves that test's routes alone, so that the
//! others run beside it. Only what belongs to the whole cluster, the definition, takes a cluster without other tests.
//!
//! Invariant: at most one release serves the routes without a class, and the last test that uses it removes it.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

pub use super::operator::NAME;
use super::operator::log as operator_log;
use super::{Cluster, PATIENCE, Space, path};
use crate::command::run;
use crate::eventually;

/// Images of this tree.
pub const VALUES: &str = "tests/e2e/values.yaml";
const CRD: &str = "mcpwebhookroutes.asyncmcp.dev";

static TURNS: LazyLock<Arc<RwLock<()>>> = LazyLock::new(Arc::default);
static SHARED: Mutex<Weak<Installed>> = Mutex::new(Weak::new());

/// A running release.
pub struct Release {
    /// Its name, and its namespace's.
    name: String,
    /// The class of the routes that it serves.
    class: Option<String>,
    /// Dropped first: an own release is removed while the shared one, which has the definition, is there.
    own: Option<Removed>,
    installed: Option<Arc<Installed>>,
    turn: Arc<Turn>,
}

#[expect(dead_code, reason = "a turn is held, not looked at")]
enum Turn {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

struct Installed;

/// A release of another class; removed when this is dropped.
struct Removed(String);

impl Release {
    /// The release with the chart's own values, beside other tests.
    pub async fn shared() -> Result<Self> {
        let turn = Turn::Shared(TURNS.clone().read_owned().await);
        let mut shared = lock();
        let installed = match shared.upgrade() {
            Some(installed) => installed,
            None => Arc::new(Installed::new()?),
        };
        *shared = Arc::downgrade(&installed);
        Ok(Self::of(installed, turn))
    }

    /// A release of the test's own, with more `flags`, beside other tests. Its class is its name, and [`Self::space`]
    /// gives the test a namespace for it.
    pub async fn own(test: &str, flags: &[&str]) -> Result<Self> {
        let class = format!("{NAME}-{test}");
        let shared = Self::shared().await?;
        shared.beside(test, &class, &[flags, &["--wait", "--timeout=90s"]].concat())
    }

    /// Another release for the routes of this one's class. It may not get ready.
    pub fn rival(&self, test: &str, flags: &[&str]) -> Result<Self> {
        self.beside(test, self.class(), flags)
    }

    /// It shares this one's turn: a test that waited for a second one could wait for itself.
    fn beside(&self, test: &str, class: &str, flags: &[&str]) -> Result<Self> {
        let name = format!("{NAME}-{test}");
        let release = Self {
            class: Some(class.to_owned()),
            own: Some(Removed(name.clone())),
            name,
            installed: self.installed.clone(),
            turn: Arc::clone(&self.turn),
        };
        release.helm("install", &[flags, &["--create-namespace"]].concat())?;
        Ok(release)
    }

    /// A release while no other test runs.
    pub async fn alone() -> Result<Self> {
        let turn = Turn::Alone(TURNS.clone().write_owned().await);
        Ok(Self::of(Arc::new(Installed::new()?), turn))
    }

    /// No release yet, and nobody else's until this is dropped; for a test that installs one itself.
    pub async fn none() -> Result<Self> {
        let turn = Turn::Alone(TURNS.clone().write_owned().await);
        remove()?;
        Ok(Self::of(Arc::new(Installed), turn))
    }

    fn of(installed: Arc<Installed>, turn: Turn) -> Self {
        Self {
            name: NAME.to_owned(),
            class: None,
            own: None,
            installed: Some(installed),
            turn: Arc::new(turn),
        }
    }

    /// Upgrades a release of the test's own, with `flags`.
    pub fn upgrade(&self, flags: &[&str]) -> Result<()> {
        self.helm("upgrade", &[flags, &["--wait", "--timeout=90s"]].concat())
    }

    fn helm(&self, verb: &str, flags: &[&str]) -> Result<()> {
        let chart = [verb, &self.name, "charts/asyncmcp", "--namespace", &self.name];
        let class = format!("--set=operatorClass={}", self.class());
        let once = "--set=crds.install=false,rbac.aggregate=false";
        run(
            "helm",
            &[&chart[..], &["--values", VALUES, once, &class], flags].concat(),
        )
        .map(drop)
    }

    /// Its name, which is its namespace's and its Deployment's, too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The class of its routes; empty for those without one.
    pub fn class(&self) -> &str {
        self.class.as_deref().unwrap_or_default()
    }

    /// The user name of its operator's account.
    pub fn account(&self) -> String {
        format!("system:serviceaccount:{0}:{0}", self.name)
    }

    /// A namespace for a test, whose routes are of this release's class.
    pub async fn space(&self, test: &str) -> Result<Space> {
        let mut space = Space::new(test).await?;
        self.serves(&mut space);
        Ok(space)
    }

    /// Makes the routes of a namespace this release's.
    pub fn serves(&self, space: &mut Space) {
        space.is_served(&self.name, self.class());
    }

    /// What its operator's pods logged.
    pub fn log(&self) -> String {
        operator_log(&self.name)
    }

    /// The operator's pods that are not going away.
    pub async fn pods(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        let selector = "?labelSelector=app.kubernetes.io/component%3Doperator";
        let list = cluster.find(&(path("pods", &self.name, "") + selector)).await?;
        let mut list = list.context("no pods")?;
        let pods = list["items"].as_array_mut().map(std::mem::take);
        let stays = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null();
        Ok(pods.into_iter().flatten().filter(stays).collect())
    }

    /// The Lease.
    pub async fn lease(&self, cluster: &Cluster) -> Result<Value> {
        let lease = cluster.find(&path("leases", &self.name, &self.name)).await?;
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
        let pod = path("pods", &self.name, pod);
        cluster.text(&format!("{pod}:9464/proxy/{page}")).await
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        drop(self.own.take());
        // Whoever comes next must not find a release that is just going.
        let shared = lock();
        drop(self.installed.take());
        drop(shared);
    }
}

impl Installed {
    fn new() -> Result<Self> {
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
        run("helm", &[&chart[..], &how].concat())?;
        Ok(installed)
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        let name = self.0.as_str();
        if std::thread::panicking() {
            show(&operator_log(name));
        }
        let uninstall = ["uninstall", name, "--namespace", name, "--ignore-not-found"];
        let _ = run("helm", &[&uninstall[..], &["--wait", "--timeout=60s"]].concat());
        let delete = ["delete", "namespace", name, "--ignore-not-found", "--wait=false"];
        let _ = run("kubectl", &delete);
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&operator_log(NAME));
        }
        if let Err(error) = remove() {
            show(&format!("the release was not removed: {error:#}"));
        }
    }
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
