//! What goes wrong, or changes, for all calls at once: weather, edits, deaths.
//!
//! Part of a [`Draft`]. Invariant: as in [`super`], the seed alone decides.

use std::time::Duration;

use super::Draft;
use crate::engine::simulation::plan::{Edit, Item, Weather};
use crate::engine::simulation::trouble::Trouble;

impl Draft {
    /// What happens to no call of its own.
    pub(super) fn elsewhere(&mut self) {
        if self.has(Trouble::Weather) {
            (0..=self.dice.below(3)).for_each(|_| self.weather());
        }
        if self.has(Trouble::Edits) {
            (0..=self.dice.below(4)).for_each(|_| self.edit());
        }
        if self.has(Trouble::Keys) {
            let (at, back) = (self.dice.time(self.horizon), self.dice.time(self.horizon));
            let (gone, restored) = self.dice.pick(&[
                (Edit::KeysGone, Edit::KeysBack),
                (Edit::HeadersGone, Edit::HeadersBack),
            ]);
            self.items.push(Item::Edit { at, edit: gone });
            let at = at + back;
            self.items.push(Item::Edit { at, edit: restored });
        }
        if self.has(Trouble::Jumps) {
            let hours = self.dice.pick(&[-1000, -1, 1, 100, 100_000]);
            let at = self.dice.time(self.horizon);
            self.items.push(Item::Jump { at, hours });
        }
        if self.has(Trouble::Deaths) {
            (0..=self.dice.below(2)).for_each(|_| self.death());
        }
        if self.has(Trouble::Drains) {
            (0..=self.dice.below(2)).for_each(|_| self.drain());
        }
    }

    fn weather(&mut self) {
        let has_doubts = self.has(Trouble::Doubts);
        let dice = &mut self.dice;
        let from = dice.time(self.horizon);
        let what = match dice.below(7) {
            0 => Weather::StoreDown,
            1 => Weather::StoreSlow(dice.time(Duration::from_secs(3))),
            2 => Weather::ReceiverBusy(dice.small(4)),
            3 => Weather::ReceiverHangs(dice.small(4)),
            4 => Weather::ServerAway(dice.small(3)),
            5 => Weather::ReceiverRefuses {
                receiver: dice.small(4),
                client: dice.small(3),
            },
            _ if has_doubts => Weather::StoreUnsure,
            _ => Weather::StoreDown,
        };
        let until = from + dice.time(self.horizon);
        self.items.push(Item::Weather { from, until, what });
    }

    fn edit(&mut self) {
        let dice = &mut self.dice;
        let at = dice.time(self.horizon);
        let edit = match dice.below(7) {
            0 => Edit::Room(dice.small(3), dice.pick(&[1, 16])),
            1 => Edit::Remove(dice.small(3)),
            2 => Edit::MaxRunning(dice.pick(&[1, 256])),
            3 => Edit::ToolRoom(dice.pick(&[None, Some(1), Some(3)])),
            4 => Edit::InFlight(dice.pick(&[1, 8])),
            5 => Edit::Rate(dice.pick(&[None, Some(1)])),
            _ => Edit::Breaker(dice.one_in(2)),
        };
        self.items.push(Item::Edit { at, edit });
    }

    fn death(&mut self) {
        let item = Item::Death {
            at: self.dice.time(self.horizon),
            away: self.dice.time(Duration::from_secs(30)),
        };
        self.items.push(item);
    }

    fn drain(&mut self) {
        let item = Item::Drain {
            at: self.dice.time(self.horizon),
            grace: self.dice.time(Duration::from_secs(30)),
            away: self.dice.time(Duration::from_secs(30)),
        };
        self.items.push(item);
    }
}
