//! The pods' own account: it has no permissions, and no token is mounted.
//!
//! Invariant: a data plane never gets the permissions of the namespace's default account.

use super::Plan;
use k8s_openapi::api::core::v1::ServiceAccount;

pub(super) fn build(plan: &Plan<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: plan.meta(plan.names().dataplane()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
