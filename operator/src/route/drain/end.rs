//! What becomes of a route's objects at its end: the garbage collector gets them, or they are kept. Called by `drain`.
//!
//! Invariant: a claim is handed over only if nothing on it waits for delivery, and only if it was made for this route
//! and no other route asks for it. A kept claim that is being deleted keeps its finalizer: without it the data goes.

use super::End;
use crate::events::Note;
use crate::kinds::{Key, Kind, Meta};
use crate::labels;
use crate::names::Names;
use crate::route::apply::{self, Applied, hand_over};
use crate::route::claim::{self, hold};
use crate::route::context::Context;
use crate::route::subject::Subject;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why an object was not handed over or released; it is retried.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Error(#[from] apply::Error);

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is deleted with the route.
    HandedOver,
    /// Nobody's: it stays.
    Kept,
    /// It is being deleted; our finalizer keeps it.
    Guarded,
}

/// Hands over or keeps every object; returns what a person should know.
pub(super) async fn objects(
    context: &Context,
    subject: &Subject,
    end: End,
    undelivered: Option<i64>,
    applied: &BTreeMap<Key, Applied>,
) -> Result<Option<Note>, Error> {
    let names = &subject.names;
    let keeps = keeps_volume(end, undelivered);
    let mut left = Vec::new();
    for meta in claim::held(&context.caches, names) {
        let key = Key::new(
            Kind::PersistentVolumeClaim,
            meta.metadata.name.clone().unwrap_or_default(),
        );
        let fate = fate(context, names, &key, &meta, end, keeps);
        release(context, names, &key, &meta, fate, &marks(end)).await?;
        if fate != Fate::HandedOver {
            left.push((key, fate));
        }
    }
    if end != End::Orphaned {
        hand_over::children(context, names, applied).await?;
    }
    if !keeps && end != End::Orphaned {
        fresh_claim(context, names, applied).await?;
    }
    Ok(note(end, keeps, undelivered, &left))
}

/// Whether what is on the volume has to be kept.
fn keeps_volume(end: End, undelivered: Option<i64>) -> bool {
    match end {
        End::NeverServed | End::NamespaceGone | End::Drained => false,
        // An unknown number may be more than 0.
        End::TimedOut => undelivered.is_none_or(|jobs| jobs > 0),
        End::Abandoned => undelivered.is_some_and(|jobs| jobs > 0),
        End::StoreLost | End::Orphaned => true,
    }
}

fn fate(context: &Context, names: &Names, key: &Key, meta: &Meta, end: End, keeps: bool) -> Fate {
    let own = key.name == names.store();
    let wanted = || claim::wanted_by_another(&context.caches, names, &key.name);
    if end == End::NamespaceGone || (own && !keeps && !wanted()) {
        return Fate::HandedOver;
    }
    if keeps && meta.metadata.deletion_timestamp.is_some() {
        return Fate::Guarded;
    }
    Fate::Kept
}

/// The mark of an orphaned route tells a new one of its name which volume the pod is on.
fn marks(end: End) -> Value {
    match end {
        End::Orphaned => json!({}),
        _ => json!({labels::HELD_BY: null}),
    }
}

/// The claim, and the Secret with its keys.
async fn release(
    context: &Context,
    names: &Names,
    key: &Key,
    meta: &Meta,
    fate: Fate,
    marks: &Value,
) -> Result<(), Error> {
    let owners = match fate {
        Fate::Guarded => return Ok(()),
        Fate::HandedOver => hand_over::owners(&meta.metadata, names),
        Fate::Kept => hand_over::other_owners(&meta.metadata, names),
    };
    let secret = Key::new(Kind::Secret, Names::keys_of(&key.name));
    if let Some(keys) = context.caches.meta(names.namespace(), &secret) {
        let stays = fate == Fate::Kept && keys.metadata.deletion_timestamp.is_some();
        if !stays && hold::is_held(&keys) {
            let change = json!({"annotations": marks});
            hold::let_go(context, names.namespace(), &secret, &keys, change).await?;
        }
    }
    let change = json!({"annotations": marks, "ownerReferences": owners});
    Ok(hold::let_go(context, names.namespace(), key, meta, change).await?)
}

/// A claim that was applied a moment ago is not in the cache yet, and holds nothing.
async fn fresh_claim(
    context: &Context,
    names: &Names,
    applied: &BTreeMap<Key, Applied>,
) -> Result<(), Error> {
    let key = Key::new(Kind::PersistentVolumeClaim, names.store());
    match context.caches.meta(names.namespace(), &key) {
        Some(_) => Ok(()),
        None => Ok(hand_over::child(context, names, &key, applied).await?),
    }
}

fn note(end: End, keeps: bool, undelivered: Option<i64>, left: &[(Key, Fate)]) -> Option<Note> {
    let guarded = left.iter().any(|(_, fate)| *fate == Fate::Guarded);
    if !keeps && !guarded {
        return None;
    }
    let jobs = undelivered.map_or_else(|| "unknown".to_owned(), |jobs| jobs.to_string());
    let ended = match end {
        End::Orphaned => {
            "the route was deleted with --cascade=orphan, so its objects stay, and its pod goes on without \
                          an operator"
                .to_owned()
        }
        End::StoreLost => {
            "the route was deleted, and the volume with its results was gone before they were delivered"
                .to_owned()
        }
        _ => "the route was deleted before everything was delivered".to_owned(),
    };
    let kept: Vec<String> = left.iter().map(|(key, fate)| kept(key, *fate)).collect();
    let reason = if kept.is_empty() { "JobsLeft" } else { "StoreKept" };
    let text = [vec![format!("{ended}; undelivered jobs: {jobs}")], kept]
        .concat()
        .join(". ");
    Some(Note::warning(reason, text))
}

fn kept(key: &Key, fate: Fate) -> String {
    match fate {
        Fate::Guarded => format!(
            "{key} was deleted by somebody; only the finalizer {} keeps it and its data. To rescue them, set \
             persistentVolumeReclaimPolicy of its PersistentVolume to Retain and copy Secret {} before you remove the \
             finalizer",
            asyncmcp_crds::STORE_FINALIZER,
            Names::keys_of(&key.name)
        ),
        _ => format!(
            "{key} is kept; to use it again, set store.embedded.existingClaim of a new route to its name"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_with_undelivered_jobs_is_kept() {
        for (end, undelivered, expect) in [
            (End::Drained, Some(0), false),
            (End::TimedOut, Some(3), true),
            (End::TimedOut, Some(0), false),
            (End::TimedOut, None, true),
            (End::Abandoned, Some(3), true),
            (End::Abandoned, None, false),
            (End::NeverServed, None, false),
            (End::NamespaceGone, Some(3), false),
            (End::StoreLost, Some(0), true),
            (End::StoreLost, None, true),
            (End::Orphaned, Some(0), true),
        ] {
            assert_eq!(keeps_volume(end, undelivered), expect, "{end:?} {undelivered:?}");
        }
    }

    #[test]
    fn what_is_left_is_named_with_its_way_out() {
        let key = Key::new(Kind::PersistentVolumeClaim, "a-store");
        let text = |end, left: &[(Key, Fate)]| note(end, true, Some(3), left).unwrap().text;
        let kept = text(End::TimedOut, &[(key.clone(), Fate::Kept)]);
        assert!(
            kept.contains("undelivered jobs: 3") && kept.contains("PersistentVolumeClaim a-store is kept"),
            "{kept}"
        );
        let guarded = text(End::TimedOut, &[(key.clone(), Fate::Guarded)]);
        assert!(
            guarded.contains("asyncmcp.dev/store") && guarded.contains("Retain"),
            "{guarded}"
        );
        assert!(text(End::Orphaned, &[(key, Fate::Kept)]).contains("--cascade=orphan"));
        assert_eq!(note(End::StoreLost, true, None, &[]).unwrap().reason, "JobsLeft");
        assert!(note(End::Drained, false, Some(0), &[]).is_none());
    }
}
