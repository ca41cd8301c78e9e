//! The Lease object behind an election. Called by `leader`.
//!
//! Invariant: every write carries the `resourceVersion` that was read, so of two replicas that write at once
//! one gets a conflict.

use super::election::Record;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

/// Storage of an election's lease. A trait, so that tests can drive both the lease and the clock.
pub(crate) trait Leases: Send + Sync + std::fmt::Display {
    /// The lease as read, including the version that a later write must carry.
    type Lease: Send + Sync;
    /// Why a request failed.
    type Error: std::fmt::Display + Send;

    /// The fields that the rules use.
    fn record(lease: &Self::Lease) -> Record;
    /// Reads the lease; `None` if it does not exist yet.
    fn get(&self) -> impl Future<Output = Result<Option<Self::Lease>, Self::Error>> + Send;
    /// Replaces the lease that was read; `false` if another replica wrote it first.
    fn put(
        &self,
        found: Option<Self::Lease>,
        record: Record,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
    /// Empties the holder if that is still `me`.
    fn release(&self, me: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A Lease object in the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    api: Api<Lease>,
    name: String,
    /// Labels of a lease that this process creates.
    labels: Option<BTreeMap<String, String>>,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Named {
    /// The lease `name` behind `api`.
    pub(crate) fn new(api: Api<Lease>, name: &str) -> Self {
        Self {
            api,
            name: name.to_owned(),
            labels: None,
        }
    }

    /// The lease with this label.
    pub(crate) fn labelled(self, key: &str, value: &str) -> Self {
        let labels = Some([(key.to_owned(), value.to_owned())].into());
        Self { labels, ..self }
    }

    async fn replace(&self, lease: Lease) -> Result<bool, kube::Error> {
        let params = PostParams::default();
        let written = match lease.metadata.resource_version {
            Some(_) => self.api.replace(&self.name, &params, &lease).await,
            None => self.api.create(&params, &lease).await,
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Leases for Named {
    type Lease = Lease;
    type Error = kube::Error;

    fn record(lease: &Lease) -> Record {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.unwrap_or_default();
        Record {
            holder: spec.holder_identity.unwrap_or_default(),
            transitions: spec.lease_transitions.unwrap_or_default(),
            renewed: spec.renew_time.map(|time| time.0.to_string()).unwrap_or_default(),
            duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        }
    }

    async fn get(&self) -> Result<Option<Lease>, kube::Error> {
        self.api.get_opt(&self.name).await
    }

    async fn put(&self, found: Option<Lease>, record: Record) -> Result<bool, kube::Error> {
        let now = MicroTime(Timestamp::now());
        let mut lease = found.unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: self.labels.clone(),
                ..ObjectMeta::default()
            },
            spec: None,
        });
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(record.holder.as_str()) {
            spec.acquire_time = Some(now.clone());
        }
        *spec = LeaseSpec {
            holder_identity: Some(record.holder),
            lease_duration_seconds: i32::try_from(record.duration.as_secs()).ok(),
            lease_transitions: Some(record.transitions),
            renew_time: Some(now),
            ..spec.clone()
        };
        self.replace(lease).await
    }

    async fn release(&self, me: &str) -> Result<(), kube::Error> {
        let Some(mut lease) = self.get().await? else {
            return Ok(());
        };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(me) {
            // An empty holder is not valid in a Lease; an absent one is, and means "free".
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            self.replace(lease).await?;
        }
        Ok(())
    }
}
