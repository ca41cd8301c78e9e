//! The pods that serve a route.
//!
//! Invariant: a change here is the only change of a route that is meant to restart its pods.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Quantity, form};

/// The pods that serve the route. A change here restarts them, after they finished what they were doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataPlane {
    /// The image of the data plane. Absent: the one that belongs to the operator's version.
    #[schemars(transform = &form::IMAGE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The resources of the data plane's container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How long a pod that is asked to end may take to finish running calls and deliveries, at least 40s. Calls of
    /// webhook tools may run for this long less 30s; those cut off then follow `onInterruption`.
    #[schemars(extend("x-kubernetes-validations" = at_least_40_seconds()))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_period: Option<Duration>,
}

/// What a container asks for and what it may use, as in a Pod: `cpu`, `memory` and others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the container is guaranteed, by resource name, for example `{cpu: 100m, memory: 128Mi}`.
    #[schemars(extend("maxProperties" = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<BTreeMap<String, Quantity>>,
    /// What the container may use at most, by resource name.
    #[schemars(extend("maxProperties" = 16))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<BTreeMap<String, Quantity>>,
}

pub(crate) const GRACE_MESSAGE: &str =
    "must be at least 40s, so that running calls can end and results be stored";

pub(crate) const SHORTEST_GRACE: std::time::Duration = std::time::Duration::from_secs(40);

fn at_least_40_seconds() -> Vec<serde_json::Value> {
    form::DURATION.rules_and("duration(self) >= duration('40s')", GRACE_MESSAGE)
}
