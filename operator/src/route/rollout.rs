//! How many routes restart at a time when a new version of the operator or of its default image changes their pods. Asked
//! in `route::program`, before the pods' owner is applied.
//!
//! The new version is tried on one route; when a pod of it is ready, on the others, [`Rollouts::new`]'s `max` at a time. The
//! rest keep their pods, and say in status what they wait for.
//!
//! Invariant: a route waits only while a pod of it serves, and only for changes that are not its author's.

use super::feedback::Observed;
use crate::names::Names;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Route = (String, String);

/// The routes whose pods are being replaced. One for the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Rollouts {
    max: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rolling: BTreeSet<Route>,
    /// A pod of the new version was ready once.
    proven: bool,
}

/// Whether the pods' owner may be applied now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    Wait {
        /// The pod template that stays.
        template: String,
        /// What the route waits for.
        reason: String,
    },
}

/// A route's pods, as far as a rollout is concerned.
#[derive(Clone, Copy, Debug)]
struct Pods<'a> {
    /// The template of a ready pod that is not of the new one.
    old: Option<&'a str>,
    any_new: bool,
    ready_new: bool,
}

impl<'a> Pods<'a> {
    fn of(pods: &'a [Observed], template: &str) -> Self {
        let present = pods
            .iter()
            .map(|observed| &observed.pod)
            .filter(|pod| !pod.terminating);
        let is_new = |pod: &super::feedback::View| pod.template == template;
        let mut old = present.clone().filter(|pod| pod.ready && !is_new(pod));
        Self {
            old: old.next().map(|pod| pod.template.as_str()),
            any_new: present.clone().any(is_new),
            ready_new: present.clone().any(|pod| pod.ready && is_new(pod)),
        }
    }
}

impl Rollouts {
    /// At most `max` routes at a time.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            state: Arc::default(),
        }
    }

    /// Whether this route's pods may be replaced by those of `template`. `edited`: its author changed it since this process
    /// knows it, so that a restart is theirs.
    pub(crate) fn turn(&self, names: &Names, template: &str, pods: &[Observed], edited: bool) -> Turn {
        let route = key(names);
        let pods = Pods::of(pods, template);
        let mut state = self.lock();
        let Some(old) = pods.old else {
            if pods.ready_new {
                state.proven = true;
                state.rolling.remove(&route);
            }
            return Turn::Now;
        };
        if edited || pods.any_new || state.rolling.contains(&route) {
            state.rolling.insert(route);
            return Turn::Now;
        }
        if let Some(reason) = state.obstacle(self.max) {
            let template = old.to_owned();
            return Turn::Wait { template, reason };
        }
        state.rolling.insert(route);
        Turn::Now
    }

    /// Forgets a route that is being deleted.
    pub(crate) fn forget(&self, names: &Names) {
        self.lock().rolling.remove(&key(names));
    }

    /// Forgets the routes that no longer exist.
    pub(crate) fn retain(&self, exists: impl Fn(&str, &str) -> bool) {
        self.lock()
            .rolling
            .retain(|(namespace, route)| exists(namespace, route));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Why no further route may start.
    fn obstacle(&self, max: usize) -> Option<String> {
        let first = self.rolling.first()?;
        if !self.proven {
            return Some(format!(
                "the pods of a new version are tried on route {} first; this route keeps its pods until one is ready there",
                name(first)
            ));
        }
        (self.rolling.len() >= max).then(|| {
            let rolling: Vec<String> = self.rolling.iter().take(max).map(name).collect();
            format!(
                "{max} routes get the pods of a new version at a time; this route waits for {}",
                rolling.join(", ")
            )
        })
    }
}

fn key(names: &Names) -> Route {
    (names.namespace().to_owned(), names.route().to_owned())
}

fn name((namespace, route): &Route) -> String {
    format!("{namespace}/{route}")
}

#[cfg(test)]
mod tests;
