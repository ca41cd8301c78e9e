//! A delivery: a job that is being sent, and the call whose result it brings.
//!
//! Attempts, their log lines and the reconciler take it. Invariant: both are of the same job.

use std::sync::Arc;

use super::commit;
use crate::job::{Call, Expect, Job};

pub(super) struct Delivery {
    /// The header as the claim left it.
    pub(super) job: Job,
    pub(super) call: Arc<Call>,
}

impl Delivery {
    /// What a step of its holder expects.
    pub(super) fn held(&self) -> Expect {
        commit::held(&self.job)
    }
}
