//! The Kubernetes cluster that KUBECONFIG names: any cluster that has our images on its nodes.
//!
//! Tests write as users do, with kubectl and helm, and look at what came of it through the API, which is quicker to ask
//! again and again. Invariant: what a test makes in the cluster it removes, also when it fails.

pub mod audit;
pub mod kill;
pub mod operator;
pub mod release;
pub mod space;
pub mod tunnel;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::root;

pub use release::Release;
pub use space::Space;

/// How long anything in a cluster may take that has no promise of its own.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The cluster's API.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
}

impl Cluster {
    /// Connects to it.
    pub async fn connect() -> Result<Self> {
        // Another test may have installed it; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = kube::Client::try_default()
            .await
            .context("no cluster: `make e2e` starts one, or set KUBECONFIG")?;
        Ok(Self { client })
    }

    /// An object, or nothing where there is none.
    pub async fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.client.request::<Value>(get(path)?).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error).with_context(|| path.to_owned()),
        }
    }

    /// What a path of the API server answers, such as that of a pod's port behind its proxy.
    pub async fn text(&self, path: &str) -> Result<String> {
        Ok(self.client.request_text(get(path)?).await?)
    }

    /// Asks the API server whether it would take `object`: its message if it would not.
    pub async fn dry_run(&self, collection: &str, object: &Value) -> Result<Result<(), String>> {
        let uri = format!("{collection}?dryRun=All&fieldValidation=Ignore");
        let request = http::Request::post(uri).header("content-type", "application/json");
        match self
            .client
            .request::<Value>(request.body(serde_json::to_vec(object)?)?)
            .await
        {
            Ok(_) => Ok(Ok(())),
            Err(kube::Error::Api(status)) if status.code < 500 => Ok(Err(status.message.clone())),
            Err(error) => Err(error.into()),
        }
    }
}

/// A write that is only tried: the API server answers as if it did it.
pub struct Attempt<'a> {
    /// The user in whose name it is tried.
    pub user: &'a str,
    /// The HTTP method; a PATCH is a merge patch.
    pub method: &'a str,
    /// The path of the object, or of the collection for a POST.
    pub path: String,
    /// The object, or the change.
    pub body: Value,
}

impl Cluster {
    /// What the API server says against it, if anything.
    pub async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Result<(), String>> {
        let kind = match attempt.method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = http::Request::builder()
            .method(attempt.method)
            .uri(format!("{}?dryRun=All", attempt.path))
            .header("content-type", kind)
            .header("impersonate-user", attempt.user);
        let body = serde_json::to_vec(&attempt.body)?;
        match self.client.request::<Value>(request.body(body)?).await {
            Ok(_) => Ok(Ok(())),
            Err(kube::Error::Api(status)) if status.code < 500 => Ok(Err(status.message.clone())),
            Err(error) => Err(error.into()),
        }
    }
}

fn get(path: &str) -> Result<http::Request<Vec<u8>>> {
    Ok(http::Request::get(path).body(Vec::new())?)
}

/// The path of an object; without a name, that of the collection.
pub fn path(plural: &str, namespace: &str, name: &str) -> String {
    let group = match plural {
        "mcpwebhookroutes" => "/apis/asyncmcp.dev/v1alpha1",
        "statefulsets" | "deployments" => "/apis/apps/v1",
        "leases" => "/apis/coordination.k8s.io/v1",
        _ => "/api/v1",
    };
    let slash = if name.is_empty() { "" } else { "/" };
    format!("{group}/namespaces/{namespace}/{plural}{slash}{name}")
}

/// What kubectl says to `input`; an error with all it said unless it succeeded.
pub fn kubectl_with(input: &str, arguments: &[&str]) -> Result<String> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("kubectl is missing")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "kubectl {}: {said}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
