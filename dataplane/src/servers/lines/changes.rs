//! Changes of lists that somebody waits to be notified of, gathered.
//!
//! A client's standalone stream and each `subscriptions/listen` have one. A server says on every session that its list has
//! changed, and the catalogue finds the same out by itself: who waits is notified once. Invariant: a change is notified
//! after it was noted, never before, and none is lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use asyncmcp_protocol::subscriptions::List;
use tokio::sync::Notify;

/// How long what belongs together may take to be noted. No shorter than the catalogue takes to fetch a list again.
const GATHER: Duration = Duration::from_millis(500);

/// What waits. Cheap to clone; every clone is the same.
#[derive(Clone, Default)]
pub struct Changes(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    lists: Mutex<BTreeSet<List>>,
    noted: Notify,
}

/// All who want to hear of every change.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<Weak<Waiting>>>);

impl Changes {
    /// This list has changed.
    pub(super) fn note(&self, list: List) {
        lock(&self.0.lists).insert(list);
        self.0.noted.notify_one();
    }

    /// The lists that have changed, once there are any. What is noted meanwhile is in it; a dropped wait loses nothing.
    pub async fn next(&self) -> BTreeSet<List> {
        while lock(&self.0.lists).is_empty() {
            self.0.noted.notified().await;
        }
        tokio::time::sleep(GATHER).await;
        std::mem::take(&mut *lock(&self.0.lists))
    }
}

/// No holder of these locks panics half way; what they guard is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watchers {
    /// Another one, until it is dropped.
    pub(super) fn add(&self) -> Changes {
        let changes = Changes::default();
        let mut watchers = lock(&self.0);
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(&changes.0));
        changes
    }

    /// Notes a change for each.
    pub(super) fn note(&self, list: List) {
        for watcher in lock(&self.0).iter().filter_map(Weak::upgrade) {
            Changes(watcher).note(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_noted_together_is_heard_once_and_what_comes_later_again() {
        let watchers = Watchers::default();
        let (one, other) = (watchers.add(), watchers.add());
        watchers.note(List::Tools);
        let hearing = tokio::spawn({
            let one = one.clone();
            async move { one.next().await }
        });
        tokio::time::sleep(GATHER / 2).await;
        watchers.note(List::Tools);
        watchers.note(List::Prompts);
        assert_eq!(hearing.await.unwrap(), [List::Tools, List::Prompts].into());
        assert_eq!(other.next().await, [List::Tools, List::Prompts].into());
        let nothing = tokio::time::timeout(10 * GATHER, one.next());
        assert!(nothing.await.is_err(), "it was heard");
        watchers.note(List::Tools);
        let dropped = tokio::time::timeout(GATHER / 2, one.next());
        assert!(dropped.await.is_err());
        assert_eq!(
            one.next().await,
            [List::Tools].into(),
            "a dropped wait loses nothing"
        );
    }
}
