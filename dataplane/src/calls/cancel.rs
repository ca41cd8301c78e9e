//! `notifications/cancelled` from a client: does it name a job, or an ordinary call?
//!
//! [`super::Context`] asks for each one, and passes on to the servers what names no job. Invariant: what runs is cancelled
//! only by a caller of the scope that began it, and what has ended stays as it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncmcp_protocol::{Id, Notification};
use tokio::sync::Notify;

use super::Context;
use super::accept::of_request;
use crate::caller::Scope;

/// The ordinary calls in progress, by their client's scope and id.
#[derive(Clone, Debug, Default)]
pub(super) struct Cancellable(Arc<Mutex<HashMap<Key, Arc<Notify>>>>);

type Key = (Option<Scope>, String);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct InProgress {
    key: Key,
    notify: Arc<Notify>,
    all: Cancellable,
}

impl Cancellable {
    /// One more. Of two with the same id the newer one is cancelled.
    pub(super) fn add(&self, scope: Option<Scope>, id: &Id) -> InProgress {
        let (key, notify) = (key(scope, id), Arc::new(Notify::new()));
        self.lock().insert(key.clone(), Arc::clone(&notify));
        InProgress {
            key,
            notify,
            all: self.clone(),
        }
    }

    fn cancel(&self, scope: Option<Scope>, id: &Id) {
        if let Some(notify) = self.lock().get(&key(scope, id)) {
            notify.notify_one();
        }
    }

    /// No holder panics half way; what it guards is whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InProgress {
    /// Returns when it is cancelled.
    pub(super) async fn cancelled(&self) {
        self.notify.notified().await;
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if all
            .get(&self.key)
            .is_some_and(|notify| Arc::ptr_eq(notify, &self.notify))
        {
            all.remove(&self.key);
        }
    }
}

/// Cancels the ordinary call that `notification` names, where it waits for a server that would not hear of it.
pub(super) fn call(context: &Context, notification: &Notification) {
    if let (scope @ Some(_), Some(id)) = (context.caller.scope, notification.cancelled_request()) {
        context.calls.in_progress.cancellable.cancel(scope, &id);
    }
}

/// An id that is a number is another one than the same digits as a text.
fn key(scope: Option<Scope>, id: &Id) -> Key {
    (scope, id.raw().get().to_owned())
}

/// Cancels the job of the request that `notification` names; `false` where there is none that has not ended.
pub(super) async fn job(context: &Context, notification: &Notification) -> bool {
    let (Some(scope), Some(id)) = (context.caller.scope, notification.cancelled_request()) else {
        return false;
    };
    let cancelling = context.calls.engine.cancel_call(of_request(scope, &id));
    cancelling.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "failed to cancel a job");
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_cancelled_in_its_scope_only_and_leaves_nothing_behind() {
        let (all, scope) = (Cancellable::default(), |number| Some(Scope([number; 16])));
        let (mine, text) = (
            all.add(scope(1), &Id::number(7)),
            all.add(scope(1), &Id::text("7")),
        );
        let other = all.add(scope(2), &Id::number(7));
        all.cancel(scope(1), &Id::number(7));
        mine.cancelled().await;
        for running in [&text, &other] {
            assert!(futures::FutureExt::now_or_never(running.cancelled()).is_none());
        }
        let newer = all.add(scope(1), &Id::number(7));
        drop(mine); // the newer one stays
        all.cancel(scope(1), &Id::number(7));
        newer.cancelled().await;
        drop((newer, text, other));
        assert!(all.lock().is_empty());
    }
}
