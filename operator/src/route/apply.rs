//! Fifth step of a reconcile: makes the cluster hold what `build` says, by server-side apply under one field manager.
//!
//! Invariant: an object that is not the route's own is never touched, and while one stands in the way nothing is
//! applied: pods must not mount somebody else's ConfigMap. An object that is as it should be is not written again.

mod live;
mod prune;

use super::build::{Child, Children};
use super::context::Context;
use super::subject::Subject;
use crate::kinds::{Key, Meta};
use crate::labels::OPERATOR;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
pub use live::Owner;
pub use prune::release;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What keeps the cluster from being changed; tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not answer, or not as it should.
    #[error("failed to {verb} {key}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On what.
        key: Key,
        /// What went wrong.
        #[source]
        source: kube::Error,
    },
}

/// What the user has to mend, or the platform; shown in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Reason of the condition.
    pub reason: &'static str,
    /// What is wrong.
    pub message: String,
}

/// What was applied to a child: what was asked for, and what the cluster made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    asked: u64,
    became: Fingerprint,
}

/// Identifies the state of an object that somebody may change. Where objects have a generation, status changes leave
/// it alone.
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

/// Applies and prunes. Answers with what was refused.
pub async fn children(
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
    for child in &children.objects {
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
    let asked = hash(&child.value.to_string());
    let is_current = |meta: &Meta| {
        applied.get(&child.key)
            == Some(&Applied {
                asked,
                became: Fingerprint::of(&meta.metadata),
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
        Ok(written) => {
            let became = Fingerprint::of(&written.metadata);
            applied.insert(child.key.clone(), Applied { asked, became });
            Ok(None)
        }
        Err(source) => refused(&child.key, source).map(Some),
    }
}

/// What the API server says no to is for the user to see; what it could not say is tried again.
fn refused(key: &Key, source: kube::Error) -> Result<Problem, Error> {
    match source {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => Ok(Problem {
            reason: "ChildRefused",
            message: format!("the API server refuses {key}: {}", status.message),
        }),
        source => Err(Error::Api {
            verb: "apply",
            key: key.clone(),
            source,
        }),
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
        let print = |generation, version| Fingerprint::of(&meta(generation, version));
        assert_eq!(print(Some(1), "5"), print(Some(1), "6"));
        assert_ne!(print(Some(1), "5"), print(Some(2), "5"));
        assert_ne!(print(None, "5"), print(None, "6"));
    }

    #[test]
    fn a_label_taken_away_is_a_change() {
        let mut labelled = meta(Some(1), "5");
        labelled.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert_ne!(Fingerprint::of(&labelled), Fingerprint::of(&meta(Some(1), "5")));
    }

    #[test]
    fn a_refusal_is_a_problem_and_an_outage_an_error() {
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
