//! Whether the `CustomResourceDefinition` in the cluster knows every field that this operator knows. Checked by `run`, asked
//! by `publish`, the admin port and each scrape.
//!
//! An older definition makes the API server refuse a whole status because of one field. So status is written without the
//! fields that it lacks, and it is said what they are. The schema is read from the API server's `OpenAPI` document, which every
//! service account may read.
//!
//! Invariant: as long as the schema could not be read, it counts as current.

mod schema;

use crate::cause;
use crate::events::{Note, Recorder};
use asyncmcp_crds::v1alpha1::McpWebhookRoute;
use http::Request;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResourceExt as _;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Time between two checks while the definition is current, and while it is not or could not be read.
const PERIOD: (Duration, Duration) = (Duration::from_mins(10), Duration::from_secs(15));

/// Fields that a message names; it gives the number of the others.
const NAMED: usize = 5;

/// What an older definition lacks.
#[derive(Debug)]
struct Outdated {
    /// The fields it lacks, by path.
    missing: Vec<String>,
    /// The schema of its `status`.
    status: Value,
}

/// The definition in the cluster, as it was last read.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    outdated: Arc<Mutex<Option<Outdated>>>,
    suspected: Arc<Notify>,
    /// Set at each scrape.
    missing: IntGauge,
}

impl Default for Definition {
    fn default() -> Self {
        let missing = Opts::new(
            "asyncmcp_operator_definition_missing_fields",
            "Fields that the operator knows and the CustomResourceDefinition in the cluster does not.",
        );
        Self {
            outdated: Arc::default(),
            suspected: Arc::default(),
            missing: IntGauge::with_opts(missing).expect("the name is valid"),
        }
    }
}

impl Definition {
    /// A status without the fields that the definition lacks.
    pub(crate) fn known(&self, status: Value) -> Value {
        match &*self.lock() {
            Some(outdated) => schema::known(status, &outdated.status),
            None => status,
        }
    }

    /// What the definition lacks; `None` if it is current.
    pub(crate) fn lack(&self) -> Option<String> {
        let outdated = self.lock();
        let missing = &outdated.as_ref()?.missing;
        let named: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
        let others = missing.len().saturating_sub(NAMED);
        let others = if others > 0 {
            format!(" and {others} more")
        } else {
            String::new()
        };
        Some(format!(
            "the CustomResourceDefinition {} is older than the operator: it lacks {}{others}; apply the operator's own",
            McpWebhookRoute::crd_name(),
            named.join(", ")
        ))
    }

    /// The API server refused a field: checks soon.
    pub(crate) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Reads the definition again and again.
    pub(crate) async fn follow(&self, client: kube::Client, recorder: Option<Recorder>) {
        loop {
            let is_read = self.check(&client, recorder.as_ref()).await;
            let current = is_read && self.lock().is_none();
            let period = if current { PERIOD.0 } else { PERIOD.1 };
            // A suspicion that was just answered must not cause a check after the other.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = timeout(period, self.suspected.notified()).await;
        }
    }

    async fn check(&self, client: &kube::Client, recorder: Option<&Recorder>) -> bool {
        let served = match served(client).await {
            Ok(Some(served)) => served,
            Ok(None) => return false,
            Err(error) => {
                tracing::debug!(
                    cause = cause::line(&error),
                    "failed to read the definition's schema"
                );
                return false;
            }
        };
        let before = self.lack();
        self.compare(&served);
        let now = self.lack();
        if let Some(lack) = now.filter(|lack| before.as_ref() != Some(lack)) {
            tracing::warn!("{lack}");
            if let Some(recorder) = recorder {
                recorder
                    .record(&reference(), &[Note::warning("DefinitionOutdated", lack)])
                    .await;
            }
        }
        true
    }

    fn compare(&self, served: &Value) {
        let ours = serde_json::to_value(McpWebhookRoute::crd()).expect("a definition is JSON");
        let ours = &ours["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let missing = ["spec", "status"]
            .iter()
            .flat_map(|part| schema::missing(&ours["properties"][part], &served["properties"][part], part));
        let missing: Vec<String> = missing.collect();
        let status = served["properties"]["status"].clone();
        *self.lock() = (!missing.is_empty()).then_some(Outdated { missing, status });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Outdated>> {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The schema of routes that the API server serves; a new definition is published a moment after it exists.
async fn served(client: &kube::Client) -> Result<Option<Value>, kube::Error> {
    let path = format!("/openapi/v3/apis/{}", asyncmcp_crds::API_VERSION);
    let request = Request::get(path).body(Vec::new()).expect("the path is valid");
    let mut document: Value = client.request(request).await?;
    let schemas = document["components"]["schemas"].as_object_mut();
    let of_routes = schemas.and_then(|schemas| {
        let mut named = schemas.iter_mut();
        let (_, schema) = named.find(|(name, _)| name.rsplit('.').next() == Some(asyncmcp_crds::KIND))?;
        Some(schema.take())
    });
    Ok(of_routes)
}

fn reference() -> ObjectReference {
    ObjectReference {
        api_version: Some("apiextensions.k8s.io/v1".to_owned()),
        kind: Some("CustomResourceDefinition".to_owned()),
        name: Some(McpWebhookRoute::crd_name().to_owned()),
        ..ObjectReference::default()
    }
}

impl Collector for Definition {
    fn desc(&self) -> Vec<&Desc> {
        self.missing.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let count = self.lock().as_ref().map_or(0, |outdated| outdated.missing.len());
        self.missing.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.missing.collect()
    }
}

#[cfg(test)]
mod tests;
