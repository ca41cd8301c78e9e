//! The pods that serve a route.
//!
//! Invariant: only changes in this section are meant to restart the pods of a route.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Quantity, form};

/// The pods that run the data plane of this route. A change in this section restarts them gracefully.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataPlane {
    /// The image of the data plane. If absent, the image configured for the operator is used.
    #[schemars(transform = &form::IMAGE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Resource requests and limits of the data plane's container. The default applies as a whole: with `resources` in the
    /// route, only what it says is set; `{}` sets nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The time a pod has to shut down, at least 40s. Running calls of webhook tools may continue for up to this value
    /// minus 30s; calls that are interrupted then are handled as `onInterruption` says. What is due is delivered until 10s
    /// before the end; the rest stays in the store.
    #[schemars(extend("x-kubernetes-validations" = at_least_40_seconds()))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period: Option<Duration>,
}

/// Resource requests and limits, as in a Pod: `cpu`, `memory` and others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// The minimum resources reserved for the container, by resource name, for example `{cpu: 100m, memory: 128Mi}`.
    #[schemars(extend("maxProperties" = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<BTreeMap<String, Quantity>>,
    /// The maximum resources the container may use, by resource name.
    #[schemars(extend("maxProperties" = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<BTreeMap<String, Quantity>>,
}

pub(crate) const GRACE_MESSAGE: &str =
    "must be at least 40s, so that running calls can finish and their results can be stored";

pub(crate) const SHORTEST_GRACE: std::time::Duration = std::time::Duration::from_secs(40);

fn at_least_40_seconds() -> Vec<serde_json::Value> {
    form::DURATION.rules_and("duration(self) >= duration('40s')", GRACE_MESSAGE)
}
