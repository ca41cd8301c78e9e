//! When to reconcile a route again. Changes in the cluster enqueue it anyway; this is for what only pods report.
//!
//! Invariant: randomness is an argument; an idle route is polled every half minute, and polling writes nothing.

use std::time::Duration;
use tokio::time::Instant;

/// Interval while a pod is expected to load its configuration.
const EAGER: Duration = Duration::from_millis(250);
/// How long that interval is used.
const PATIENCE: Duration = Duration::from_secs(30);
/// Interval while something is about to change.
const WATCHFUL: Duration = Duration::from_secs(2);
/// Interval while a deleted route drains.
const DRAINING: Duration = Duration::from_secs(1);
/// Interval of an idle route.
const RESTING: Duration = Duration::from_secs(30);
/// The shortest interval.
const LEAST: Duration = Duration::from_millis(50);

/// How far the pods are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pods {
    /// Every pod serves the current version.
    Programmed,
    /// A pod is running and may report it at any moment.
    Awaited,
    /// Something must change in the cluster first, which enqueues the route.
    #[default]
    Blocked,
}

/// The result of a reconcile, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// How far the pods are.
    pub(super) pods: Pods,
    /// The route is being deleted.
    pub(super) draining: bool,
    /// Something was observed that is not confirmed yet.
    pub(super) settling: bool,
    /// When a pod is to be notified again.
    pub(super) next: Option<Instant>,
}

/// Since when pods do not serve the current version.
#[derive(Debug, Default)]
pub(super) struct Waiting(Option<Instant>);

impl Waiting {
    /// The time until the next reconcile. `chance` is around 1 and spreads idle routes over time.
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
    fn an_idle_route_is_polled_twice_a_minute() {
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
    fn a_running_pod_is_polled_often_but_not_for_ever() {
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
    fn the_earliest_due_time_counts() {
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
