//! The share of a capacity that one neighbour may use.
//!
//! Executions, attempts and memory are shared by it. Invariant: what is in use cannot be taken back, so that a part of
//! every capacity of two or more is left for others, even while nobody else waits.

/// Three quarters.
pub(super) fn of(capacity: usize) -> usize {
    percent(capacity, 75)
}

/// This share of a capacity, in percent. A capacity of 1 is first come, first served.
pub(super) fn percent(capacity: usize, percent: usize) -> usize {
    let share = capacity.saturating_mul(percent) / 100;
    share.clamp(capacity.min(1), capacity.saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_every_capacity_of_two_or_more_is_left_for_others() {
        assert_eq!([0, 1, 2, 3, 4, 16, 256].map(of), [0, 1, 1, 2, 3, 12, 192]);
        assert_eq!(percent(2, 100), 1);
        assert_eq!(percent(10, 1), 1);
    }
}
