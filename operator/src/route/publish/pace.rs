//! When to reconcile a route again. Changes in the cluster enqueue it anyway; this is for what only pods report.
//!
//! Invariant: randomness is an argument; an idle route is polled every half minute, and polling writes nothing.

use std::time::Duration;
use tokio::time::Instant;

/// Interval while a pod is expected to load its configuration.
const LOADING: Duration = Duration::from_millis(250);
/// How long that interval is used; after that, [`SETTLING`].
const LOADING_LIMIT: Duration = Duration::from_secs(30);
/// Interval while something observed is not confirmed yet.
const SETTLING: Duration = Duration::from_secs(2);
/// Interval while a deleted route drains.
const DRAINING: Duration = Duration::from_secs(1);
/// Interval of an idle route.
const IDLE: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(50);

/// How far the pods are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pods {
    /// Every pod serves the current version.
    Programmed,
    /// A pod is running and may report it at any moment.
    Awaited,
    /// There is no pod, or no volume for it, and only an Event says why.
    Stuck,
    /// Something must change in the cluster first, which enqueues the route.
    #[default]
    Blocked,
}

/// The facts about a route that the interval depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
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
    /// The time until the next reconcile. `jitter` is around 1 and spreads idle routes over time.
    pub(super) fn interval(&mut self, progress: &Progress, now: Instant, jitter: f64) -> Duration {
        let wait = self.default_interval(progress, now, jitter);
        let next = progress
            .next
            .map_or(wait, |next| next.saturating_duration_since(now));
        wait.min(next).max(SHORTEST)
    }

    fn default_interval(&mut self, progress: &Progress, now: Instant, jitter: f64) -> Duration {
        match progress.pods {
            Pods::Programmed => self.0 = None,
            Pods::Awaited => return if self.is_early(now) { LOADING } else { SETTLING },
            Pods::Stuck if self.is_early(now) => return SETTLING,
            Pods::Blocked | Pods::Stuck => {}
        }
        match progress {
            Progress { draining: true, .. } => DRAINING,
            Progress { settling: true, .. } => SETTLING,
            _ => IDLE.mul_f64(jitter),
        }
    }

    fn is_early(&mut self, now: Instant) -> bool {
        now < *self.0.get_or_insert(now) + LOADING_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(progress: &Progress) -> Duration {
        Waiting::default().interval(progress, Instant::now(), 1.0)
    }

    fn progress(pods: Pods) -> Progress {
        Progress {
            pods,
            ..Progress::default()
        }
    }

    #[test]
    fn an_idle_route_is_polled_twice_a_minute() {
        assert_eq!(interval(&progress(Pods::Programmed)), IDLE);
        assert_eq!(interval(&progress(Pods::Blocked)), IDLE);
        assert_eq!(
            interval(&Progress {
                settling: true,
                ..progress(Pods::Programmed)
            }),
            SETTLING
        );
        assert_eq!(
            interval(&Progress {
                draining: true,
                ..progress(Pods::Programmed)
            }),
            DRAINING
        );
    }

    #[test]
    fn a_running_pod_is_polled_often_but_not_forever() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let awaited = progress(Pods::Awaited);
        assert_eq!(waiting.interval(&awaited, start, 1.0), LOADING);
        assert_eq!(waiting.interval(&awaited, start + LOADING_LIMIT, 1.0), SETTLING);
        assert_eq!(
            waiting.interval(&progress(Pods::Programmed), start + LOADING_LIMIT, 1.0),
            IDLE
        );
        assert_eq!(waiting.interval(&awaited, start + LOADING_LIMIT, 1.0), LOADING);
    }

    #[test]
    fn events_are_asked_for_soon_and_then_from_time_to_time() {
        let (mut waiting, start) = (Waiting::default(), Instant::now());
        let stuck = progress(Pods::Stuck);
        assert_eq!(waiting.interval(&stuck, start, 1.0), SETTLING);
        assert_eq!(waiting.interval(&stuck, start + LOADING_LIMIT, 1.0), IDLE);
    }

    #[test]
    fn the_earliest_due_time_counts() {
        let now = Instant::now();
        let soon = Progress {
            next: Some(now + Duration::from_secs(2)),
            ..progress(Pods::Programmed)
        };
        assert_eq!(
            Waiting::default().interval(&soon, now, 1.0),
            Duration::from_secs(2)
        );
        let overdue = Progress {
            next: Some(now),
            ..progress(Pods::Programmed)
        };
        assert_eq!(Waiting::default().interval(&overdue, now, 1.0), SHORTEST);
    }
}
