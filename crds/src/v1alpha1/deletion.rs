//! What deleting a route does to the results it still holds.
//!
//! Invariant: either way a deleted route takes no new calls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, form};

/// What happens to undelivered results when the route is deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// `Drain` refuses new calls and finishes the deliveries before the route goes; `Abandon` does not wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<DeletionPolicy>,
    /// How long a draining route waits. What is then still undelivered stays on its volume, which an Event names;
    /// `store.embedded.existingClaim` of a new route adopts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What happens to undelivered results when the route is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = form::undescribed)]
pub enum DeletionPolicy {
    /// Deliver them first.
    Drain,
    /// Do not wait.
    Abandon,
}
