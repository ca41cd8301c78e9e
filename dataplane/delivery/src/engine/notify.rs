//! The events of dead letters (`webhook.deadLetter.notify`).
//!
//! Whatever buries a delivery asks here for the event, and makes it part of the same step; a store writes both in one
//! commit, or neither. Invariant: an event that becomes a dead letter itself has none.

use super::core::Core;
use super::hints::Hint;
use crate::job::{Call, Change, Death, Job, Notice, Rank};
use crate::state::{Category, Push};

impl Core {
    /// What makes a job a dead letter, and its event where the route wants one. `None` for a call that cannot be read.
    pub(super) fn burial(&self, job: &Job, call: Option<&Call>, why: Category) -> Vec<Change> {
        let event = self.event(job, call, why).map(Box::new);
        let bury = Change::Bury { why };
        [bury].into_iter().chain(event.map(Change::Notify)).collect()
    }

    fn event(&self, job: &Job, call: Option<&Call>, why: Category) -> Option<Notice> {
        let policy = self.policy();
        let to = &policy.notify.as_ref().filter(|_| !job.is_notice())?.to;
        let death = Death {
            job,
            call,
            why,
            at: self.now(),
            route: (&policy.namespace, &policy.route),
        };
        Some(Notice::of(&death, to, |at| self.clock.shown(at)))
    }

    /// Has the delivery loop consider the receiver of the event that these changes stored.
    pub(super) fn schedule_event(&self, changes: &[Change]) {
        let notice = changes.iter().find_map(Change::notice);
        let receiver = notice.and_then(|notice| notice.call.target.as_ref());
        if let Some(target) = receiver {
            let due = Hint::Due(target.receiver(), Rank::Live, self.now(), Notice::account());
            self.hint(due);
        }
    }

    /// Deletes an event that was delivered: nobody asks for it again. If that fails, it goes with its retention.
    pub(super) async fn forget_event(&self, job: &Job) {
        if job.is_notice()
            && job.state.push == Push::Delivered
            && let Err(error) = self.store.remove(job.id, self.stamp()).await
        {
            tracing::debug!(target: "asyncmcp::delivery", %error, webhook_id = job.id.webhook_id(), "a notification that was delivered stays for its retention");
        }
    }
}
