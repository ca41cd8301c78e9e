//! How far the wall clock was ahead of the store's clock, from when on.
//!
//! [`super::Clock`] keeps one, so that a time of the store can be shown as the wall time at which it was written, also
//! after the wall clock was set. Invariant: the entries are in the order of the store's times, and at most [`MOST`].

use serde::{Deserialize, Serialize};

use super::Millis;

/// The entries that are kept. Each is one wrong or corrected clock; older times are shown with the oldest one.
const MOST: usize = 64;

/// From a time of the store's clock on, the wall clock was ahead of it by this many milliseconds, or behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offset {
    from: u64,
    ahead: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offsets(Vec<Offset>);

impl Offsets {
    /// How far the wall clock is ahead, and what the store's clock had reached when that was noted.
    pub(super) fn last(&self) -> (i64, Millis) {
        let last = self.0.last().map(|last| (last.ahead, Millis(last.from)));
        last.unwrap_or_default()
    }

    /// From `now` on the wall clock is ahead by this much.
    pub(super) fn push(&mut self, now: Millis, ahead: i64) {
        let from = now.max(self.last().1).0;
        self.0.retain(|offset| offset.from < from);
        if self.0.is_empty() && from > 0 {
            self.0.push(Offset { from: 0, ahead: 0 });
        }
        self.0.push(Offset { from, ahead });
        let over = self.0.len().saturating_sub(MOST);
        self.0.drain(..over);
    }

    /// The wall time when the store's clock read `at`.
    pub(super) fn shown(&self, at: Millis) -> Millis {
        let offset = self.0.iter().rev().find(|offset| offset.from <= at.0);
        let offset = offset.or(self.0.first());
        Millis(at.0.saturating_add_signed(offset.map_or(0, |offset| offset.ahead)))
    }

    /// The earliest time of the store's clock that is shown as `wall` or later.
    pub(super) fn since(&self, wall: Millis) -> Millis {
        let reached = |(from, end, ahead): (u64, u64, i64)| {
            let at = from.max(wall.0.saturating_add_signed(ahead.saturating_neg()));
            (at < end).then_some(Millis(at))
        };
        self.spans().find_map(reached).unwrap_or(wall)
    }

    /// The earliest time of the store's clock from which on no time is shown as one before `wall`.
    pub(super) fn until(&self, wall: Millis) -> Millis {
        let passed = |(from, end, ahead): (u64, u64, i64)| {
            let at = wall.0.saturating_add_signed(ahead.saturating_neg()).min(end);
            (at > from).then_some(Millis(at))
        };
        let mut spans: Vec<_> = self.spans().collect();
        spans.reverse();
        spans.into_iter().find_map(passed).unwrap_or_default()
    }

    /// Each offset with the times of the store's clock between which it applies.
    fn spans(&self) -> impl Iterator<Item = (u64, u64, i64)> {
        let nothing = self.0.is_empty().then_some((0, u64::MAX, 0));
        let ends = self.0.iter().skip(1).map(|offset| offset.from).chain([u64::MAX]);
        let first = self.0.first().map(|offset| offset.from);
        let from = move |from| if Some(from) == first { 0 } else { from };
        let spans = self.0.iter().zip(ends);
        let spans = spans.map(move |(offset, end)| (from(offset.from), end, offset.ahead));
        nothing.into_iter().chain(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(entries: &[(u64, i64)]) -> Offsets {
        let mut offsets = Offsets::default();
        for (from, ahead) in entries {
            offsets.push(Millis(*from), *ahead);
        }
        offsets
    }

    #[test]
    fn a_time_is_shown_as_the_wall_clock_read_then() {
        let offsets = offsets(&[(100, 1000), (200, -50)]);
        for (at, shown) in [(0, 0), (99, 99), (100, 1100), (199, 1199), (200, 150), (300, 250)] {
            assert_eq!(offsets.shown(Millis(at)), Millis(shown), "{at}");
        }
        assert_eq!(Offsets::default().shown(Millis(7)), Millis(7));
    }

    #[test]
    fn a_filter_misses_no_time_that_is_shown_within_it() {
        for entries in [
            &[][..],
            &[(100, 1000)],
            &[(100, 1000), (200, -50)],
            &[(100, -80)],
            &[(0, 5), (9, 90)],
        ] {
            let offsets = offsets(entries);
            for wall in (0..1300).map(Millis) {
                let (since, until) = (offsets.since(wall), offsets.until(wall));
                for at in (0..1300).map(Millis) {
                    let shown = offsets.shown(at);
                    assert!(shown < wall || at >= since, "{entries:?} {wall:?} {at:?}");
                    assert!(shown >= wall || at < until, "{entries:?} {wall:?} {at:?}");
                }
                assert!(offsets.shown(since) >= wall, "it is no earlier than it must be");
            }
        }
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let entries: Vec<_> = (1..=200_u64).map(|n| (n * 10, n.cast_signed())).collect();
        let offsets = offsets(&entries);
        assert_eq!((offsets.0.len(), offsets.last()), (MOST, (200, Millis(2000))));
        assert_eq!(offsets.shown(Millis(5)), Millis(5 + 137));
    }
}
