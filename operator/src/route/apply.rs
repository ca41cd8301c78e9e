//! Fifth step of a reconcile: applies what `build` made, by server-side apply under one field manager.
//!
//! Invariant: an object that the route does not own is never changed, and while one has the name of a child nothing is
//! applied: pods must not mount another owner's ConfigMap. An object that is already as wanted is not written again.

pub(crate) mod hand_over;
mod live;
mod prune;

use super::build::{Child, Children};
use super::context::Context;
use super::subject::Subject;
use crate::kinds::{Key, Meta};
use crate::labels::{self, OPERATOR};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
pub(crate) use live::Owner;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Why a change failed; it is retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No answer from the API server, or an unexpected one.
    #[error("failed to {verb} {key}")]
    Api {
        verb: &'static str,
        key: Key,
        #[source]
        source: kube::Error,
    },
}

/// A problem for the user or the cluster's administrator to fix; shown in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// The reason of a problem with one child, while the others were applied.
pub(crate) const REFUSED: &str = "ChildRefused";

/// What was applied to a child: the object as requested, and the fingerprint of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    requested: u64,
    result: Fingerprint,
}

impl Applied {
    /// The uid of the object.
    fn uid(&self) -> Option<&String> {
        match &self.result {
            Fingerprint::Generation { uid, .. } | Fingerprint::Version { uid, .. } => uid.as_ref(),
        }
    }
}

/// Identifies the state of an object, to notice changes by others. For an object with a generation it ignores status
/// changes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fingerprint {
    Generation {
        uid: Option<String>,
        generation: i64,
        metadata: u64,
    },
    Version {
        uid: Option<String>,
        version: Option<String>,
    },
}

impl Fingerprint {
    fn of(meta: &ObjectMeta) -> Self {
        let uid = meta.uid.clone();
        match meta.generation {
            Some(generation) => {
                let owners: Vec<_> = meta
                    .owner_references
                    .iter()
                    .flatten()
                    .map(|owner| &owner.uid)
                    .collect();
                let metadata = hash(&(&meta.labels, &meta.annotations, owners));
                Self::Generation {
                    uid,
                    generation,
                    metadata,
                }
            }
            None => Self::Version {
                uid,
                version: meta.resource_version.clone(),
            },
        }
    }
}

/// Applies and prunes. Returns what was rejected.
pub(crate) async fn children(
    context: &Context,
    subject: &Subject,
    children: &Children,
    applied: &mut BTreeMap<Key, Applied>,
) -> Result<Vec<Problem>, Error> {
    let foreign = live::foreign(context, &subject.names, children).await?;
    if !foreign.is_empty() {
        return Ok(foreign);
    }
    prune::unwanted(context, subject, children).await?;
    let mut problems = Vec::new();
    for child in children.due() {
        problems.extend(one(context, subject, child, applied).await?);
    }
    Ok(problems)
}

async fn one(
    context: &Context,
    subject: &Subject,
    child: &Child,
    applied: &mut BTreeMap<Key, Applied>,
) -> Result<Option<Problem>, Error> {
    let live = context.caches.meta(subject.names.namespace(), &child.key);
    let requested = hash(&child.value.to_string());
    let is_current = |meta: &Meta| {
        applied.get(&child.key)
            == Some(&Applied {
                requested,
                result: Fingerprint::of(&meta.metadata),
            })
    };
    if live.as_deref().is_some_and(is_current) {
        return Ok(None);
    }
    let api: Api<DynamicObject> = Api::namespaced_with(
        context.client.clone(),
        subject.names.namespace(),
        &child.key.kind.resource(),
    );
    let params = PatchParams::apply(OPERATOR).force();
    match api
        .patch_metadata(&child.key.name, &params, &Patch::Apply(&child.value))
        .await
    {
        Ok(mut written) => {
            // As in the cache, with which it is compared.
            labels::trim(&mut written.metadata);
            let result = Fingerprint::of(&written.metadata);
            applied.insert(child.key.clone(), Applied { requested, result });
            Ok(None)
        }
        Err(source) => refused(&child.key, source).map(Some),
    }
}

/// Whether this version of a child is what was applied last.
pub(crate) fn is_applied(child: &Child, applied: &BTreeMap<Key, Applied>) -> bool {
    let requested = hash(&child.value.to_string());
    applied
        .get(&child.key)
        .is_some_and(|applied| applied.requested == requested)
}

/// A rejection by the API server is shown to the user; any other failure is retried.
fn refused(key: &Key, source: kube::Error) -> Result<Problem, Error> {
    match source {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => Ok(Problem {
            reason: REFUSED,
            message: format!("the API server rejected {key}: {}", status.message),
        }),
        source => Err(Error::Api {
            verb: "apply",
            key: key.clone(),
            source,
        }),
    }
}

/// An object that is gone needs no change.
pub(crate) fn gone_is_fine(
    verb: &'static str,
    key: &Key,
    outcome: Result<(), kube::Error>,
) -> Result<(), Error> {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(Error::Api {
            verb,
            key: key.clone(),
            source,
        }),
        Ok(()) => Ok(()),
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kind;
    use kube::core::Status;

    fn meta(generation: Option<i64>, version: &str) -> ObjectMeta {
        ObjectMeta {
            generation,
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn a_status_change_is_no_change_where_objects_have_a_generation() {
        let fingerprint = |generation, version| Fingerprint::of(&meta(generation, version));
        assert_eq!(fingerprint(Some(1), "5"), fingerprint(Some(1), "6"));
        assert_ne!(fingerprint(Some(1), "5"), fingerprint(Some(2), "5"));
        assert_ne!(fingerprint(None, "5"), fingerprint(None, "6"));
    }

    #[test]
    fn a_removed_label_is_a_change() {
        let mut labelled = meta(Some(1), "5");
        labelled.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert_ne!(Fingerprint::of(&labelled), Fingerprint::of(&meta(Some(1), "5")));
    }

    #[test]
    fn a_rejection_is_a_problem_and_an_outage_an_error() {
        let key = Key::new(Kind::PersistentVolumeClaim, "a-store");
        for (code, shown) in [(403, true), (422, true), (409, false), (429, false), (500, false)] {
            let status = Status {
                code,
                message: "no".to_owned(),
                ..Status::default()
            };
            let outcome = refused(&key, kube::Error::Api(Box::new(status)));
            assert_eq!(outcome.is_ok(), shown, "{code}");
        }
    }
}
