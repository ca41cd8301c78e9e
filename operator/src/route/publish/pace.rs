//! When to look at a route again. Changes in the cluster wake it anyway; this is for what only pods can say.
//!
//! Invariant: chance is an argument; a route at rest is looked at every half minute, and looking writes nothing.

use std::time::Duration;
use tokio::time::Instant;

/// While a pod is expected to take up its configuration.
const EAGER: Duration = Duration::from_millis(250);
/// How long that is worth it.
const PATIENCE: Duration = Duration::from_secs(30);
/// While something is about to change.
const WATCHFUL: Duration = Duration::from_secs(2);
/// While a deleted route drains.
const DRAINING: Duration = Duration::from_secs(1);
/// At rest.
const RESTING: Duration = Duration::from_secs(30);
/// Never less than this.
const LEAST: Duration = Duration::from_millis(50);

/// How far the pods are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pods {
    /// Every one serves the current form.
    Programmed,
    /// Some pod is running and could say so any moment.
    Awaited,
    /// Something must happen in the cluster first, which wakes the route.
    #[default]
    Blocked,
}

/// What a reconcile came to, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// How far the pods are.
    pub(super) pods: Pods,
    /// The route is being deleted.
    pub(super) draining: bool,
    /// Something was seen that is not believed yet.
    pub(super) settling: bool,
    /// When a pod is to be told again.
    pub(super) next: Option<Instant>,
}

/// Since when pods do not serve what they should.
#[derive(Debug, Default)]
pub(super) struct Waiting(Option<Instant>);

impl Waiting {
    /// The time until the next look. `chance` is around 1 and spreads routes at rest.
    pub(super) fn pace(&mut self, look: &Look, now: Instant, chance: f64) -> Duration {
        let wait = self.base(look, now, chance);
        let next = look.next.map_or(wait, |next| next.saturating_duration_since(now));
        wait.min(next).max(LEAST)
    }

    fn base(&mut self, look: &Look, now: Instant, chance: f64) -> Duration {
        match look.pods {
            Pods::Programmed => self.0 = None,
            Pods::Blocked => {}
            Pods::Awaited => {
                let since = *self.0.get_or_insert(now);
                return if now < since + PATIENCE { EAGER } else { WATCHFUL };
            }
        }
        match look {
            Look { draining: true, .. } => DRAINING,
            Look { settling: true, .. } => WATCHFUL,
            _ => RESTING.mul_f64(chance),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(look: &Look) -> Duration {
        Waiting::default().pace(look, Instant::now(), 1.0)
    }

    fn look(pods: Pods) -> Look {
        Look {
            pods,
            ..Look::default()
        }
    }

    #[test]
    fn a_route_at_rest_is_looked_at_twice_a_minute() {
        assert_eq!(pace(&look(Pods::Programmed)), RESTING);
        assert_eq!(pace(&look(Pods::Blocked)), RESTING);
        assert_eq!(
            pace(&Look {
                settling: true,
                ..look(Pods::Programmed)
            }),
            WATCHFUL
        );
        assert_eq!(
            pace(&Look {
                draining: true,
                ..look(Pods::Programmed)
            }),
            DRAINING
        );
    }

    #[test]
    fn a_pod_that_could_answer_is_asked_eagerly_but_not_for_ever() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let awaited = look(Pods::Awaited);
        assert_eq!(waiting.pace(&awaited, start, 1.0), EAGER);
        assert_eq!(waiting.pace(&awaited, start + PATIENCE, 1.0), WATCHFUL);
        assert_eq!(
            waiting.pace(&look(Pods::Programmed), start + PATIENCE, 1.0),
            RESTING
        );
        assert_eq!(waiting.pace(&awaited, start + PATIENCE, 1.0), EAGER);
    }

    #[test]
    fn what_is_due_sooner_comes_sooner() {
        let now = Instant::now();
        let soon = Look {
            next: Some(now + Duration::from_secs(2)),
            ..look(Pods::Programmed)
        };
        assert_eq!(Waiting::default().pace(&soon, now, 1.0), Duration::from_secs(2));
        let overdue = Look {
            next: Some(now),
            ..look(Pods::Programmed)
        };
        assert_eq!(Waiting::default().pace(&overdue, now, 1.0), LEAST);
    }
}
