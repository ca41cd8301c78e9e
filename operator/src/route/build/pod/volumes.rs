//! The volumes of a data plane: one projected volume with everything it reads, one claim with everything it stores.
//!
//! Invariant: document, keys and references are in one volume, so the kubelet replaces all of them with one rename.

use super::super::{Plan, keys, pvc};
use crate::names::Names;
use asyncmcp_crds::effective::Store;
use asyncmcp_crds::{ObjectKey, ObjectKind};
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, KeyToPath, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource,
    SecretProjection, Volume, VolumeMount, VolumeProjection,
};
use std::collections::{BTreeMap, BTreeSet};

/// Where the route document, its references and its keys are.
pub(super) const CONFIG_DIR: &str = "/etc/asyncmcp";
/// Where the embedded store is.
pub(super) const STATE_DIR: &str = "/var/lib/asyncmcp";

const CONFIG: &str = "config";
const STATE: &str = "state";

pub(super) fn volumes(plan: &Plan<'_>) -> Vec<Volume> {
    let config = Volume {
        name: CONFIG.to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(sources(plan)),
            ..Default::default()
        }),
        ..Volume::default()
    };
    let Some(claim_name) = pvc::name(plan.names(), &plan.valid.route.store) else {
        return vec![config];
    };
    let state = Volume {
        name: STATE.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name,
            read_only: None,
        }),
        ..Volume::default()
    };
    vec![config, state]
}

pub(super) fn mounts(store: &Store) -> Vec<VolumeMount> {
    let config = VolumeMount {
        read_only: Some(true),
        ..mount(CONFIG, CONFIG_DIR)
    };
    match store {
        Store::Embedded(_) => vec![config, mount(STATE, STATE_DIR)],
        Store::Memory => vec![config],
    }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    }
}

fn sources(plan: &Plan<'_>) -> Vec<VolumeProjection> {
    let document = ConfigMapProjection {
        name: plan.names().config_map(),
        ..ConfigMapProjection::default()
    };
    let document = VolumeProjection {
        config_map: Some(document),
        ..VolumeProjection::default()
    };
    let claim = pvc::name(plan.names(), &plan.valid.route.store);
    let of_volume = claim.map(|claim| keys_of(Names::keys_of(&claim), &[keys::STORE]));
    let of_route = keys_of(plan.names().keys(), &[keys::SESSIONS, keys::ADMIN_TOKEN]);
    let view_token = optional(keys_of(plan.names().keys(), &[keys::VIEW_TOKEN]));
    [document, of_route, view_token]
        .into_iter()
        .chain(of_volume)
        .chain(referenced(&plan.valid.keys))
        .collect()
}

fn keys_of(secret: String, keys: &[&str]) -> VolumeProjection {
    let items = keys.iter().map(|key| item(key, format!("keys/{key}")));
    VolumeProjection {
        secret: Some(SecretProjection {
            name: secret,
            items: Some(items.collect()),
            optional: None,
        }),
        ..VolumeProjection::default()
    }
}

/// The same for a key that the Secret may lack.
fn optional(projection: VolumeProjection) -> VolumeProjection {
    let secret = projection.secret.map(|secret| SecretProjection {
        optional: Some(true),
        ..secret
    });
    VolumeProjection { secret, ..projection }
}

/// `optional`: a missing Secret or ConfigMap must not keep the rest of the route from being served.
fn referenced(keys: &BTreeSet<ObjectKey>) -> impl Iterator<Item = VolumeProjection> {
    let mut by_object: BTreeMap<(ObjectKind, &str), Vec<KeyToPath>> = BTreeMap::new();
    for object in keys {
        by_object
            .entry((object.kind, &object.name))
            .or_default()
            .push(item(&object.key, object.to_string()));
    }
    by_object.into_iter().map(projection)
}

fn projection(((kind, name), items): ((ObjectKind, &str), Vec<KeyToPath>)) -> VolumeProjection {
    let (name, items, optional) = (name.to_owned(), Some(items), Some(true));
    match kind {
        ObjectKind::ConfigMap => VolumeProjection {
            config_map: Some(ConfigMapProjection {
                name,
                items,
                optional,
            }),
            ..VolumeProjection::default()
        },
        ObjectKind::Secret => VolumeProjection {
            secret: Some(SecretProjection {
                name,
                items,
                optional,
            }),
            ..VolumeProjection::default()
        },
    }
}

fn item(key: &str, path: String) -> KeyToPath {
    KeyToPath {
        key: key.to_owned(),
        path,
        ..KeyToPath::default()
    }
}
