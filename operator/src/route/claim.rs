//! The claim that a route's store is on, and whether the route may go on with it. `find` reads it from the caches,
//! `hold` keeps it; [`standing`] is pure.
//!
//! Called by `resolve`, by `route` before anything is applied, by `publish` and by `drain`.
//!
//! Invariant: a route never goes on with another volume than the one it has stored results on, and adopts only a claim
//! that is whole: not being deleted, not used by another route, and with the keys of its volume.

pub(crate) mod abandoned;
mod find;
pub(crate) mod hold;

use super::apply::Problem;
use super::subject::Record;
use crate::names::Names;
use asyncmcp_crds::ACCEPT_LOSS_ANNOTATION;
use asyncmcp_crds::v1alpha1::StoreStatus;
pub(crate) use find::{find, held, name, record, wanted_by_another};
use k8s_openapi::jiff::Timestamp;

/// Reasons of conditions and Events about a store, each of which a person has to act on.
pub(crate) const REASONS: [&str; 9] = [
    LOST,
    "StoreChanged",
    "StoreDeleting",
    "ClaimDeleting",
    "ClaimInUse",
    "StoreKeysLost",
    "StoreKeysDeleting",
    KEY_MISSING,
    "EarlierRoute",
];
/// The claim that held the route's results is gone.
pub(crate) const LOST: &str = "StoreLost";
/// A pod lacks a key of its store.
pub(crate) const KEY_MISSING: &str = "StoreKeyMissing";

/// The claim that a route's spec asks for, as far as the caches know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) name: String,
    /// `None` if there is no such claim.
    pub(crate) live: Option<Live>,
    pub(crate) keys: Keys,
    /// Another route that has the better right to it.
    pub(crate) user: Option<String>,
}

/// An existing claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) uid: String,
    pub(crate) created: Option<Timestamp>,
    /// It has a volume, so something may be stored on it.
    pub(crate) bound: bool,
    /// It has a deletion timestamp.
    pub(crate) deleting: bool,
    /// The Secret with its volume's keys was created at some time.
    pub(crate) keys_made: bool,
}

/// The Secret with the keys of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keys {
    Present,
    /// It has a deletion timestamp; this operator's finalizer keeps it.
    Deleting,
    /// It belongs to a claim that had the same name, and goes with that.
    OfAnother,
    Missing,
    /// Secrets are not watched.
    #[default]
    Unknown,
}

/// What is wrong with a route's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) problem: Problem,
    /// Nothing is applied. Otherwise the route uses the claim already, and its pods go on.
    pub(crate) blocks: bool,
}

impl Claim {
    /// It is the claim on which the route has stored results, according to its status.
    pub(crate) fn is(&self, recorded: &StoreStatus) -> bool {
        let uid = self.live.as_ref().map(|live| live.uid.as_str());
        self.name == recorded.claim && uid == Some(recorded.uid.as_str())
    }
}

/// The store that the route is bound to, unless its owner gave it up.
pub(crate) fn binding<'a>(record: &Record<'a>) -> Option<&'a StoreStatus> {
    record
        .store
        .filter(|store| record.accepted != Some(store.uid.as_str()))
}

/// What is wrong with the claim; `None` if the route may go on with it. `claim` is `None` if the route asks for none.
pub(crate) fn standing(claim: Option<&Claim>, record: &Record<'_>) -> Option<Trouble> {
    let recorded = binding(record);
    if let Some(recorded) = recorded.filter(|recorded| claim.is_none_or(|claim| claim.name != recorded.claim))
    {
        return Some(blocking("StoreChanged", changed(recorded, claim)));
    }
    let claim = claim?;
    if let Some(recorded) = recorded.filter(|recorded| !claim.is(recorded)) {
        return Some(blocking(LOST, lost(claim, recorded, record.route)));
    }
    let used = recorded.is_some();
    let problem = deleting(claim, used, record.route)
        .or_else(|| in_use(claim).filter(|_| !used))
        .or_else(|| keys(claim))?;
    Some(Trouble {
        problem,
        blocks: !used,
    })
}

fn blocking(reason: &'static str, message: String) -> Trouble {
    let problem = Problem { reason, message };
    Trouble {
        problem,
        blocks: true,
    }
}

fn changed(recorded: &StoreStatus, claim: Option<&Claim>) -> String {
    let asked = claim.map_or("no claim", |claim| claim.name.as_str());
    format!(
        "the route's results are on PersistentVolumeClaim {}, but its spec asks for {asked}. Nothing is changed. Restore \
         spec.store; to use another store, create a second route and delete this one, which delivers its pending \
         results before it is removed",
        recorded.claim
    )
}

fn lost(claim: &Claim, recorded: &StoreStatus, route: &str) -> String {
    let StoreStatus { claim: name, uid } = recorded;
    let found = match &claim.live {
        None => {
            format!("PersistentVolumeClaim {name}, on which the route's results are, does not exist any more")
        }
        Some(live) => format!(
            "PersistentVolumeClaim {name} is not the one on which the route's results are: its uid is {}, not {uid}",
            live.uid
        ),
    };
    format!(
        "{found}. No volume is used in its place. Look for the PersistentVolume, which may still exist, or for a backup. \
         To go on without what was stored: kubectl annotate mwr {route} {ACCEPT_LOSS_ANNOTATION}={uid}"
    )
}

fn deleting(claim: &Claim, used: bool, route: &str) -> Option<Problem> {
    claim.live.as_ref().filter(|live| live.deleting)?;
    let name = &claim.name;
    if !used {
        let message = format!("PersistentVolumeClaim {name} is being deleted, so the route does not use it");
        return Some(Problem {
            reason: "ClaimDeleting",
            message,
        });
    }
    let message = format!(
        "PersistentVolumeClaim {name} was deleted, which cannot be undone. The operator keeps it and nothing is lost, but \
         once the pod stops, no other pod can use the volume. Delete route {route} while the pod runs: it delivers what \
         is pending; then create it again. If the pod cannot run any more: set persistentVolumeReclaimPolicy of the \
         PersistentVolume to Retain, and bind it to a new claim for a new route's existingClaim, with a copy of Secret {} \
         that is named NEW-CLAIM-keys and has no ownerReferences",
        Names::keys_of(name)
    );
    Some(Problem {
        reason: "StoreDeleting",
        message,
    })
}

fn in_use(claim: &Claim) -> Option<Problem> {
    let message = format!(
        "PersistentVolumeClaim {} is the store of route {}. It can be adopted once that route is gone",
        claim.name,
        claim.user.as_ref()?
    );
    Some(Problem {
        reason: "ClaimInUse",
        message,
    })
}

fn keys(claim: &Claim) -> Option<Problem> {
    let secret = Names::keys_of(&claim.name);
    let live = claim.live.as_ref()?;
    match claim.keys {
        Keys::Missing if live.keys_made => Some(Problem {
            reason: "StoreKeysLost",
            message: format!(
                "Secret {secret} is gone, without which nothing on the volume of PersistentVolumeClaim {} can be read. It \
                 is not created again, since a new key reads nothing. Restore it from a backup. A pod that still runs \
                 has the key in /etc/asyncmcp/keys/store.json: do not stop it before the Secret is back",
                claim.name
            ),
        }),
        Keys::Deleting => Some(Problem {
            reason: "StoreKeysDeleting",
            message: format!(
                "Secret {secret} was deleted. The operator keeps it and nothing is lost. To restore it, save it (kubectl \
                 get secret {secret} -o yaml), remove its finalizer asyncmcp.dev/store, and create it again from the copy \
                 without deletionTimestamp, uid and resourceVersion"
            ),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
