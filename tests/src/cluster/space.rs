//! A namespace of a test's own, which enforces the restricted profile.
//!
//! Invariant: it goes with its test. A test that ends without [`Space::done`] failed, and everything in the namespace
//! is shown first.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Cluster, PATIENCE, kubectl_with, operator, path};
use crate::command::{refused, run};
use crate::eventually;

/// A namespace and what a test does in it.
pub struct Space {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: Cluster,
    /// The release that serves its routes, and their class.
    operator: String,
    class: String,
    is_done: bool,
}

impl Space {
    /// Makes one for a test.
    pub async fn new(test: &str) -> Result<Self> {
        let name = format!("e2e-{test}-{}", std::process::id());
        let cluster = Cluster::connect().await?;
        run("kubectl", &["create", "namespace", &name])?;
        let space = Self::of(cluster, &name);
        space.restrict()?;
        Ok(space)
    }

    /// One that the test makes itself.
    pub fn of(cluster: Cluster, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            cluster,
            operator: operator::NAME.to_owned(),
            class: String::new(),
            is_done: false,
        }
    }

    /// Its routes are of `class`, which the release `operator` serves.
    pub(super) fn is_served(&mut self, operator: &str, class: &str) {
        operator.clone_into(&mut self.operator);
        class.clone_into(&mut self.class);
    }

    /// Admits only pods of the restricted profile.
    pub fn restrict(&self) -> Result<()> {
        let label = "pod-security.kubernetes.io/enforce=restricted";
        run("kubectl", &["label", "namespace", &self.name, label]).map(drop)
    }

    /// What kubectl says, in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        run("kubectl", &[&["--namespace", &self.name], arguments].concat())
    }

    /// What kubectl says when it refuses.
    pub fn refused(&self, arguments: &[&str]) -> Result<String> {
        refused("kubectl", &[&["--namespace", &self.name], arguments].concat())
    }

    /// Applies YAML; a route is of the class of this namespace's release.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        let yaml = &self.classified(yaml)?;
        kubectl_with(yaml, &["--namespace", &self.name, "apply", "--filename=-"]).map(drop)
    }

    fn classified(&self, yaml: &str) -> Result<String> {
        if self.class.is_empty() {
            return Ok(yaml.to_owned());
        }
        let mut object: Value = serde_yaml::from_str(yaml)?;
        if object["kind"] == "McpWebhookRoute" && object["spec"]["operatorClass"].is_null() {
            object["spec"]["operatorClass"] = Value::from(self.class.as_str());
        }
        Ok(object.to_string())
    }

    /// What the API server says against YAML.
    pub fn apply_refused(&self, yaml: &str) -> Result<String> {
        match self.apply(yaml) {
            Ok(()) => anyhow::bail!("the API server should have refused:\n{yaml}"),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// Starts the example server, the receiver with `key`, and a pod to call from.
    pub fn example(&self, key: &str) -> Result<()> {
        let key = format!("--from-literal=secret={key}");
        self.kubectl(&["create", "secret", "generic", "analytics-signing", &key])?;
        self.kubectl(&["apply", "--filename=examples/cluster/server.yaml"])?;
        self.kubectl(&["apply", "--filename=tests/e2e/client.yaml"])?;
        let ready = ["wait", "--for=condition=Ready", "pod", "--timeout=60s"];
        self.kubectl(&["rollout", "status", "deployment/example-server", "--timeout=60s"])?;
        self.kubectl(&["rollout", "status", "deployment/receiver", "--timeout=60s"])?;
        self.kubectl(&[&ready[..], &["--selector=app=client"]].concat())
            .map(drop)
    }

    /// Applies the example route, changed by `edit`, and waits until it is served and clients reach it: a node's Service
    /// rules follow a ready pod by up to a second.
    pub async fn route(&self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        self.apply(&route(edit)?)?;
        self.ready("analytics").await;
        eventually(PATIENCE, || async {
            self.call("echo", r#"{"text": "is anybody there?"}"#)
        })
        .await;
        Ok(())
    }

    /// Waits until a route is Ready as it is written.
    pub async fn ready(&self, route: &str) {
        eventually(PATIENCE, || async {
            let route = self
                .get("mcpwebhookroutes", route)
                .await
                .map_err(|error| error.to_string())?;
            let is_ready = ["Accepted", "Programmed", "Ready"]
                .iter()
                .all(|kind| holds(&route, kind));
            is_ready.then_some(()).ok_or_else(|| route["status"].to_string())
        })
        .await;
    }

    /// The message of a route that is not Ready for this reason, if it contains `text`.
    pub async fn not_ready(&self, route: &str, reason: &str, text: &str) -> Result<String, String> {
        let route = self
            .get("mcpwebhookroutes", route)
            .await
            .map_err(|error| error.to_string())?;
        let ready = condition(&route, "Ready").unwrap_or(&Value::Null);
        let message = ready["message"].as_str().unwrap_or_default();
        let is_so = ready["status"] == "False" && ready["reason"] == reason && message.contains(text);
        is_so
            .then(|| message.to_owned())
            .ok_or_else(|| route["status"].to_string())
    }

    /// An object that is there.
    pub async fn get(&self, plural: &str, name: &str) -> Result<Value> {
        let found = self.find(plural, name).await?;
        found.with_context(|| format!("there is no {plural} {name}"))
    }

    /// An object, if it is there.
    pub async fn find(&self, plural: &str, name: &str) -> Result<Option<Value>> {
        self.cluster.find(&path(plural, &self.name, name)).await
    }

    /// What was made for routes, by kind and name, with its resourceVersion; the routes and their pods too.
    pub async fn children(&self) -> Result<BTreeMap<String, String>> {
        let kinds = [
            "configmaps",
            "secrets",
            "persistentvolumeclaims",
            "services",
            "serviceaccounts",
            "pods",
            "statefulsets",
            "deployments",
        ];
        let selector = "?labelSelector=app.kubernetes.io/part-of%3Dasyncmcp";
        let mut versions = BTreeMap::new();
        for kind in kinds {
            let list = self.get_list(&(path(kind, &self.name, "") + selector)).await?;
            versions.extend(list.iter().map(|object| version(kind, object)));
        }
        let routes = self.get_list(&path("mcpwebhookroutes", &self.name, "")).await?;
        versions.extend(routes.iter().map(|route| version("mcpwebhookroutes", route)));
        Ok(versions)
    }

    async fn get_list(&self, path: &str) -> Result<Vec<Value>> {
        let list = self.cluster.find(path).await?.context(path.to_owned())?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// What the pod of the embedded route says at its admin port.
    pub async fn status(&self) -> Result<Value> {
        let pod = path("pods", &self.name, "analytics-dataplane-0");
        let text = self.cluster.text(&format!("{pod}:9464/proxy/status")).await?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Calls a tool of the example route from the client's pod; what it printed.
    pub fn call(&self, tool: &str, arguments: &str) -> Result<String> {
        let url = "http://analytics-dataplane:8080/mcp";
        let client = ["exec", "client", "--", "/asyncmcp", "call", tool];
        self.kubectl(&[&client[..], &["--url", url, "--json", arguments]].concat())
    }

    /// Stops the receiver; returns once its pod is gone, since a pod that is being stopped still takes deliveries.
    pub fn stop_receiver(&self) -> Result<()> {
        self.kubectl(&["scale", "deployment/receiver", "--replicas=0"])?;
        self.kubectl(&[
            "wait",
            "--for=delete",
            "pod",
            "--selector=app=receiver",
            "--timeout=60s",
        ])
        .map(drop)
    }

    /// Starts the receiver again. Its log is a new one.
    pub fn start_receiver(&self) -> Result<()> {
        self.kubectl(&["scale", "deployment/receiver", "--replicas=1"])
            .map(drop)
    }

    /// What the receiver logged.
    pub fn received(&self) -> Result<String> {
        self.kubectl(&["logs", "--selector=app=receiver", "--tail=-1"])
    }

    /// Waits until the receiver logged `text`; all it logged.
    pub async fn receives(&self, text: &str) -> String {
        eventually(PATIENCE, || async {
            let log = self.received().map_err(|error| error.to_string())?;
            if log.contains(text) { Ok(log) } else { Err(log) }
        })
        .await
    }

    /// The test passed: removes the routes, which needs their operator, and then the namespace, which needs nobody.
    pub fn done(mut self) -> Result<()> {
        self.kubectl(&["delete", "mwr", "--all", "--timeout=60s"])?;
        self.is_done = true;
        run("kubectl", &["delete", "namespace", &self.name, "--wait=false"]).map(drop)
    }

    /// The test passed with routes that still hold jobs: the namespace goes with all of them.
    pub fn goes(mut self) -> Result<()> {
        run("kubectl", &["delete", "namespace", &self.name, "--timeout=150s"])?;
        self.is_done = true;
        Ok(())
    }

    fn show_all(&self) {
        let all = "mwr,statefulsets,deployments,pods,services,configmaps,persistentvolumeclaims";
        let pods = [
            "app=receiver",
            "app=client",
            "app=example-server",
            "app.kubernetes.io/part-of=asyncmcp",
        ];
        let logs = pods.map(|pods| self.kubectl(&["logs", "--selector", pods, "--prefix", "--tail=60"]));
        let looks = [
            self.kubectl(&["get", all, "--output=wide"]),
            self.kubectl(&["get", "mwr", "--output=yaml"]),
            self.kubectl(&["get", "events", "--sort-by=.metadata.creationTimestamp"]),
        ];
        for said in looks
            .into_iter()
            .chain(logs)
            .chain([Ok(operator::log(&self.operator))])
        {
            show(&said.unwrap_or_else(|error| error.to_string()));
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        show(&format!("--- namespace {}", self.name));
        self.show_all();
        // Its operator may be what failed: nothing may wait for it.
        let free = r#"{"metadata": {"finalizers": null}}"#;
        let held = "mwr,persistentvolumeclaims,secrets";
        let objects = self.kubectl(&["get", held, "--output=name"]).unwrap_or_default();
        for object in objects.lines() {
            let _ = self.kubectl(&["delete", object, "--wait=false"]);
            let _ = self.kubectl(&["patch", object, "--type=merge", "--patch", free]);
        }
        let _ = run("kubectl", &["delete", "namespace", &self.name, "--wait=false"]);
    }
}

/// The example route as YAML, changed by `edit`.
pub fn route(edit: impl FnOnce(&mut Value)) -> Result<String> {
    let text = std::fs::read_to_string(crate::command::root().join("examples/cluster/route.yaml"))?;
    let mut route: Value = serde_yaml::from_str(&text)?;
    edit(&mut route);
    Ok(route.to_string())
}

/// A condition of a route that is of the route as it is now.
pub fn condition<'a>(route: &'a Value, kind: &str) -> Option<&'a Value> {
    let mut conditions = route["status"]["conditions"].as_array()?.iter();
    let found = conditions.find(|condition| condition["type"] == kind)?;
    (found["observedGeneration"] == route["metadata"]["generation"]).then_some(found)
}

/// Whether a condition is True.
pub fn holds(route: &Value, kind: &str) -> bool {
    condition(route, kind).is_some_and(|condition| condition["status"] == "True")
}

fn version(kind: &str, object: &Value) -> (String, String) {
    let metadata = &object["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
    (format!("{kind}/{}", text("name")), text("resourceVersion"))
}

#[expect(clippy::print_stderr, reason = "shown by the test runner when a test fails")]
fn show(text: &str) {
    eprintln!("{text}");
}
