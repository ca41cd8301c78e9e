//! One route: resolve (read) → validate (pure) → ensure (made once) → build (pure) → apply → publish.
//!
//! Called by `controller`, for one route at a time, whenever something that may concern it changed.
//!
//! Invariant: level-triggered. It reads the current state, not what happened; a mistake in a route is a condition,
//! never an error, and an error is retried with exponential backoff and jitter.

pub(crate) mod apply;
pub(crate) mod build;
pub(crate) mod claim;
pub(crate) mod context;
pub(crate) mod drain;
pub(crate) mod ensure;
pub(crate) mod feedback;
pub(crate) mod memory;
pub(crate) mod namespace;
pub(crate) mod publish;
pub(crate) mod reload;
pub(crate) mod resolve;
pub(crate) mod rollout;
pub(crate) mod stuck;
pub(crate) mod subject;
pub(crate) mod validate;

#[cfg(test)]
pub(crate) mod fixture;

use crate::caches::RouteObject;
use crate::cause;
use crate::kinds::Kind;
use apply::Problem;
use build::{Children, Plan};
use context::Context;
use kube::runtime::controller::Action;
use memory::{Memories, Memory};
use publish::Outcome;
use resolve::Found;
use rollout::Turn;
use std::sync::Arc;
use std::time::Duration;
use subject::Subject;
use tokio::time::Instant;
use validate::Valid;

/// The routes of a scope: what their reconciles share, and what the operator remembers about each.
pub(crate) struct Routes {
    /// What their reconciles share.
    pub(crate) context: Context,
    /// What the operator remembers about each.
    pub(crate) memories: Memories,
}

/// Why a reconcile failed and is retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    /// Creating the finalizer or the keys failed.
    #[error(transparent)]
    Ensure(#[from] ensure::Error),
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// Annotating the pods failed.
    #[error(transparent)]
    Reload(#[from] reload::Error),
    #[error(transparent)]
    Publish(#[from] publish::Error),
    /// Ending a deleted route failed.
    #[error(transparent)]
    Drain(#[from] drain::Error),
}

impl Error {
    /// The step that failed, as a metric label.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Ensure(_) => "ensure",
            Self::Apply(_) => "apply",
            Self::Reload(_) => "reload",
            Self::Publish(_) => "publish",
            Self::Drain(_) => "drain",
        }
    }
}

/// Brings the cluster to the state that the route describes.
pub(crate) async fn reconcile(object: Arc<RouteObject>, routes: Arc<Routes>) -> Result<Action, Error> {
    let context = &routes.context;
    // An object that the cache does not hold yet would appear to be missing.
    context.caches.warm().await;
    if !context.leadership.holds() {
        return Ok(Action::await_change());
    }
    if class(&object) != context.settings.class.as_deref() {
        return Ok(Action::await_change()); // another operator's
    }
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    if context.left.holder(namespace).is_some() {
        return Ok(Action::requeue(LEFT)); // another operator's, as long as it holds its lock
    }
    let _timer = context.metrics.reconcile_seconds.start_timer();
    let mut subject = Subject::read(object);
    if subject.deleted_at.is_some() && !subject.has_finalizer() {
        return Ok(Action::await_change()); // finalizers of others remain
    }
    let memory = routes.memories.of(&subject.names);
    let mut memory = memory.lock().await;
    memory.published.recall(&mut subject);
    let action = step(context, &subject, &mut memory).await?;
    memory.failures = 0;
    Ok(action)
}

/// The class that a route names.
pub(crate) fn class(route: &RouteObject) -> Option<&str> {
    route.data["spec"]["operatorClass"].as_str()
}

async fn step(context: &Context, subject: &Subject, memory: &mut Memory) -> Result<Action, Error> {
    let found = resolve::everything(context, subject, &mut memory.reports, &mut memory.written).await?;
    if let Some(end) = drain::end(context, subject, &found, memory.written.as_ref()).await? {
        drain::finish(context, subject, end, &found.pods, &memory.applied).await?;
        return Ok(Action::await_change());
    }
    let last_accepted = || drain::last_accepted(subject, memory.written.as_ref());
    let outcome = match validate::route(subject).or_else(|invalid| last_accepted().ok_or(invalid)) {
        Ok(valid) => program(context, subject, valid, &found, memory).await?,
        Err(invalid) => Outcome::Rejected(Problem {
            reason: invalid.reason(),
            message: invalid.to_string(),
        }),
    };
    Ok(publish::status(context, subject, &found, &outcome, &mut memory.published).await?)
}

async fn program(
    context: &Context,
    subject: &Subject,
    valid: Valid,
    found: &Found,
    memory: &mut Memory,
) -> Result<Outcome, Error> {
    ensure::add_finalizer(context, subject).await?;
    let written = memory.written.clone().unwrap_or_default();
    let plan = Plan {
        valid: &valid,
        last: written.last.as_ref(),
        settings: &context.settings,
    };
    let mut children = build::children(&plan);
    let turn = turn(context, subject, &children, found, memory);
    memory.published.waits = hold(&mut children, turn);
    let problems = apply(context, subject, &children, found, memory).await?;
    let mut next = children.holds_pods.then(|| Instant::now() + TURN);
    let published = is_published(&children, &problems, memory);
    if published {
        memory.written.get_or_insert_default().current = Some(valid.document.clone());
        let reload = memory
            .reloads
            .plan(&valid.document.hash, found.versions, &found.pods, Instant::now());
        reload::notify(context, subject.names.namespace(), &reload).await?;
        next = next.into_iter().chain(reload.next).min();
    }
    let template = &children.template;
    let stuck = stuck::look(context, &subject.names, template, found, &mut memory.stuck).await;
    Ok(Outcome::Programmed {
        valid: Box::new(valid),
        template: children.template,
        problems,
        published,
        stuck,
        next,
    })
}

/// Whether the pods may be replaced now, if the new template asks for it.
fn turn(
    context: &Context,
    subject: &Subject,
    children: &Children,
    found: &Found,
    memory: &mut Memory,
) -> Turn {
    if subject.deleted_at.is_some() {
        context.rollouts.forget(&subject.names);
        return Turn::Now;
    }
    let edited = *memory.generation.get_or_insert(subject.generation) != subject.generation;
    context
        .rollouts
        .turn(&subject.names, &children.template, &found.pods, edited)
}

/// Lets the pods stay as they are until it is their turn; returns what the route waits for.
fn hold(children: &mut Children, turn: Turn) -> Option<String> {
    let Turn::Wait { template, reason } = turn else {
        return None;
    };
    children.template = template;
    children.holds_pods = true;
    Some(reason)
}

/// Whether the pods can read this version of the route. A child that was refused does not keep it from the others.
fn is_published(children: &Children, problems: &[Problem], memory: &Memory) -> bool {
    let was_applied = problems.iter().all(|problem| problem.reason == apply::REFUSED);
    let mut documents = children
        .objects
        .iter()
        .filter(|child| child.key.kind == Kind::ConfigMap);
    was_applied && documents.all(|document| apply::is_applied(document, &memory.applied))
}

/// Applies the children and creates their keys, unless the route's claim is in doubt: then nothing is touched.
async fn apply(
    context: &Context,
    subject: &Subject,
    children: &Children,
    found: &Found,
    memory: &mut Memory,
) -> Result<Vec<Problem>, Error> {
    let trouble = claim::standing(found.claim.as_ref(), &subject.record());
    if let Some(trouble) = trouble.filter(|trouble| trouble.blocks) {
        return Ok(vec![trouble.problem]);
    }
    let problems = apply::children(context, subject, children, &mut memory.applied).await?;
    let is_foreign = problems.iter().any(|problem| problem.reason != apply::REFUSED);
    if !is_foreign {
        ensure::keys(context, subject, &mut memory.secrets).await?;
        ensure::volume_keys(context, subject, found.claim.as_ref(), &mut memory.secrets).await?;
    }
    Ok(problems)
}

/// When a route of a namespace that is left to another operator is looked at again.
const LEFT: Duration = Duration::from_secs(30);

/// When a route that waits for its turn asks again.
const TURN: Duration = Duration::from_secs(2);

/// First and longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// Called by the queue after an error: counts it, logs it, and waits longer each time.
pub(crate) fn error_policy(object: Arc<RouteObject>, error: &Error, routes: &Routes) -> Action {
    let subject = Subject::read(object);
    routes
        .context
        .metrics
        .reconcile_errors
        .with_label_values(&[error.reason()])
        .inc();
    let memory = routes.memories.of(&subject.names);
    let failures = memory.try_lock().map_or(1, |mut memory| {
        memory.failures = memory.failures.saturating_add(1);
        memory.failures
    });
    let wait = backoff(failures, rand::random_range(0.5..1.0));
    tracing::warn!(
        route = subject.names.route(),
        namespace = subject.names.namespace(),
        cause = cause::line(error),
        ?wait,
        "reconcile failed; retrying"
    );
    Action::requeue(wait)
}

fn backoff(failures: u32, jitter: f64) -> Duration {
    let (first, longest) = BACKOFF;
    let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(factor).min(longest).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_wait_longer_each_time_and_with_jitter() {
        assert_eq!(backoff(1, 1.0), Duration::from_millis(500));
        assert_eq!(backoff(4, 1.0), Duration::from_secs(4));
        assert_eq!(backoff(4, 0.5), Duration::from_secs(2));
        assert_eq!(backoff(u32::MAX, 1.0), Duration::from_mins(1));
    }
}
