//! What happens to the undelivered results of a route that is deleted.
//!
//! Invariant: under either policy a deleted route accepts no new calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, form};

/// What happens to undelivered results when the route is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// `Drain`: the route refuses new calls and is removed once its results are delivered. `Abandon`: the route is
    /// removed without waiting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<DeletionPolicy>,
    /// How long a draining route waits for its deliveries. Results that are still undelivered then stay on the route's
    /// volume, and an Event names that volume; a new route adopts it with `store.embedded.existingClaim`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What happens to undelivered results when the route is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum DeletionPolicy {
    /// Deliver the results, then remove the route.
    Drain,
    /// Remove the route without waiting.
    Abandon,
}
