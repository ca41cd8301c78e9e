//! The delivery numbers in status: summed over the pods, rounded, and not written too often.
//!
//! Invariant: a busy route causes one status write a minute, an idle one none.

use crate::route::feedback::Observed;
use asyncmcp_crds::v1alpha1::DeliveryStatus;
use asyncmcp_crds::{McpWebhookRouteStatus, StatusReport};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two writes that only change numbers.
const INTERVAL: Duration = Duration::from_mins(1);

/// The sum over all pods; `None` if no pod has reported.
pub(super) fn sum(pods: &[Observed]) -> Option<DeliveryStatus> {
    let numbers = reports(pods).map(|report| report.delivery.clone());
    let total = numbers.reduce(|one, other| DeliveryStatus {
        pending: one.pending.saturating_add(other.pending),
        dead_lettered: one.dead_lettered.saturating_add(other.dead_lettered),
        oldest_pending_time: one
            .oldest_pending_time
            .into_iter()
            .chain(other.oldest_pending_time)
            .min(),
    })?;
    Some(DeliveryStatus {
        pending: two_digits(total.pending),
        dead_lettered: two_digits(total.dead_lettered),
        oldest_pending_time: total
            .oldest_pending_time
            .map(|time| super::conditions::seconds(time.0)),
    })
}

/// How many receivers get nothing because they asked for that; `before` if no pod has reported, absent for none.
pub(super) fn disabled(pods: &[Observed], before: Option<i64>) -> Option<i64> {
    let counts: Vec<i64> = reports(pods)
        .map(|report| i64::from(report.disabled_receivers))
        .collect();
    if counts.is_empty() {
        return before;
    }
    Some(two_digits(counts.iter().sum())).filter(|count| *count > 0)
}

fn reports(pods: &[Observed]) -> impl Iterator<Item = &StatusReport> {
    let pods = pods
        .iter()
        .filter(|observed| !observed.pod.terminating && observed.trusted);
    pods.filter_map(|observed| observed.report.as_deref())
}

/// Rounds to two significant digits: 1 234 is 1 200, 99 is 99.
fn two_digits(number: i64) -> i64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number.saturating_add(unit / 2) / unit * unit
}

/// When numbers were last written.
#[derive(Debug, Default)]
pub(super) struct Pacing(Option<Instant>);

impl Pacing {
    /// Restores the old numbers in a status that would be written too early for new numbers alone.
    pub(super) fn hold_back(
        &mut self,
        status: &mut McpWebhookRouteStatus,
        base: &McpWebhookRouteStatus,
        now: Instant,
    ) {
        if (&status.delivery, status.disabled_receivers) == (&base.delivery, base.disabled_receivers) {
            return;
        }
        let numbers = std::mem::replace(&mut status.delivery, base.delivery.clone());
        let disabled = std::mem::replace(&mut status.disabled_receivers, base.disabled_receivers);
        let alone = status == base;
        let early = self.0.is_some_and(|written| now < written + INTERVAL);
        if alone && early {
            return;
        }
        status.delivery = numbers;
        status.disabled_receivers = disabled;
        self.0 = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::feedback::View;
    use asyncmcp_crds::Time;
    use k8s_openapi::jiff::Timestamp;
    use std::sync::Arc;

    fn numbers(pending: i64, oldest: Option<i64>) -> DeliveryStatus {
        let oldest_pending_time = oldest.map(|second| Time(Timestamp::from_second(second).unwrap()));
        DeliveryStatus {
            pending,
            dead_lettered: 0,
            oldest_pending_time,
        }
    }

    fn pod(delivery: DeliveryStatus) -> Observed {
        let report = StatusReport {
            delivery,
            ..StatusReport::default()
        };
        Observed {
            pod: View::default(),
            report: Some(Arc::new(report)),
            trusted: true,
        }
    }

    fn status(pending: i64) -> McpWebhookRouteStatus {
        McpWebhookRouteStatus {
            delivery: Some(numbers(pending, None)),
            ..McpWebhookRouteStatus::default()
        }
    }

    #[test]
    fn figures_have_two_digits() {
        for (exact, shown) in [
            (0, 0),
            (7, 7),
            (99, 99),
            (100, 100),
            (104, 100),
            (105, 110),
            (1234, 1200),
            (9_960, 10_000),
        ] {
            assert_eq!(two_digits(exact), shown, "{exact}");
        }
        assert!(two_digits(i64::MAX) > 0);
    }

    #[test]
    fn pods_are_summed_and_the_oldest_counts() {
        let pods = [
            pod(numbers(3, Some(20))),
            pod(numbers(4, Some(10))),
            pod(numbers(0, None)),
        ];
        assert_eq!(sum(&pods), Some(numbers(7, Some(10))));
        assert_eq!(sum(&[]), None);
    }

    #[test]
    fn receivers_that_disabled_themselves_are_counted_and_the_count_waits_like_the_other_numbers() {
        let with = |disabled_receivers| {
            let mut pod = pod(numbers(0, None));
            Arc::make_mut(pod.report.as_mut().unwrap()).disabled_receivers = disabled_receivers;
            pod
        };
        assert_eq!(disabled(&[with(2), with(1)], None), Some(3));
        assert_eq!(disabled(&[with(0)], Some(3)), None);
        assert_eq!(disabled(&[], Some(3)), Some(3));
        let (mut pacing, now) = (Pacing::default(), Instant::now());
        pacing.hold_back(&mut status(1), &status(0), now);
        let mut next = McpWebhookRouteStatus {
            disabled_receivers: Some(3),
            ..status(1)
        };
        pacing.hold_back(&mut next, &status(1), now + Duration::from_secs(59));
        assert_eq!(next.disabled_receivers, None);
    }

    #[test]
    fn new_numbers_alone_are_written_once_a_minute() {
        let (mut pacing, start) = (Pacing::default(), Instant::now());
        let mut base = status(0);
        let mut written = Vec::new();
        for second in 0..=130 {
            let mut next = status(i64::try_from(second % 90).unwrap() + 1);
            pacing.hold_back(&mut next, &base, start + Duration::from_secs(second));
            if next != base {
                written.push(second);
                base = next;
            }
        }
        assert_eq!(written, [0_u64, 60, 120]);
    }

    #[test]
    fn new_numbers_are_part_of_any_other_write() {
        let (mut pacing, now) = (Pacing::default(), Instant::now());
        pacing.hold_back(&mut status(1), &status(0), now);
        let mut next = McpWebhookRouteStatus {
            observed_generation: Some(2),
            ..status(5)
        };
        pacing.hold_back(&mut next, &status(1), now);
        assert_eq!(next.delivery, Some(numbers(5, None)));
    }
}
