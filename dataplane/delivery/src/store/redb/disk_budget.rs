//! The disk budget: the store may use 80 % of its volume, which is measured from time to time; and whether the disk was
//! full at a write.
//!
//! The writer refreshes it before each group; everything else reads the last measurement. Invariant: while the disk is
//! full no new work is accepted, and the reserve file (the ballast) is created again before new work is.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::format::Ledger;
use super::volume::{Room, Volume};
use crate::store::space::{Space, reserved};

/// The share of its volume that the store may use, in percent.
const SHARE: u64 = 80;
/// The reserve file is at most this part of the volume.
const BALLAST_PART: u64 = 16;
/// A smaller reserve file is of no use.
const LEAST_BALLAST: u64 = 1 << 20;
/// Free space with which a disk counts as full no longer, if there is no reserve file; an eighth of a small disk.
const LEAST_FREE: u64 = 16 << 20;

/// See the module.
pub(super) struct DiskBudget {
    volume: Arc<dyn Volume>,
    /// The configured size of the volume, if that is less than its real size.
    size: AtomicU64,
    /// The largest reserve file.
    ballast: u64,
    look_every: Duration,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    at: Option<Instant>,
    /// Bytes that the store could use if nothing else used any.
    volume: u64,
    /// Bytes of the reserve file; 0 is none.
    ballast: u64,
    /// The space of the deleted reserve file, which is for work in progress: new work may not use it.
    given_up: u64,
    is_full: bool,
    /// Whether the lack of a reserve file was logged.
    said: bool,
}

impl DiskBudget {
    pub(super) fn new(volume: Arc<dyn Volume>, size: u64, ballast: u64, look_every: Duration) -> Self {
        Self {
            volume,
            size: AtomicU64::new(size),
            ballast,
            look_every,
            found: Mutex::default(),
        }
    }

    pub(super) fn set_size(&self, bytes: u64) {
        self.size.store(bytes, Ordering::Relaxed);
    }

    /// Measures the volume, if the last measurement is old, and creates the reserve file if there is space for it.
    pub(super) fn refresh(&self, ledger: &Ledger) {
        let mut found = self.found();
        if found.at.is_some_and(|at| at.elapsed() < self.look_every) {
            return;
        }
        if let Err(error) = self.look(&mut found, ledger) {
            tracing::warn!(%error, "failed to read the free space of the store's volume");
        }
        found.at = Some(Instant::now());
    }

    /// The disk was full at a write: deletes the reserve file, so that work in progress can end.
    pub(super) fn is_refused(&self) {
        let mut found = self.found();
        if !found.is_full {
            tracing::error!("the store's volume is full: new calls are refused until there is space");
        }
        found.is_full = true;
        found.at = Some(Instant::now()); // not measured again at once
        if found.ballast > 0 {
            found.given_up = std::mem::take(&mut found.ballast);
            match self.volume.drop_ballast() {
                Ok(()) => tracing::warn!("the reserve file was deleted to free space"),
                Err(error) => tracing::error!(%error, "failed to delete the reserve file"),
            }
        }
    }

    /// The space at the last measurement, with `ledger`.
    pub(super) fn space(&self, ledger: &Ledger) -> Space {
        let found = self.found();
        let volume = found.volume.min(self.size.load(Ordering::Relaxed));
        let (used, share) = (used(ledger), volume / 100 * SHARE);
        // A full disk leaves nothing beyond what is used, whatever the budget is.
        let budget = if found.is_full { share.min(used) } else { share };
        Space {
            used,
            budget: found.at.map(|_| budget),
            is_full: found.is_full,
        }
    }

    fn look(&self, found: &mut Found, ledger: &Ledger) -> io::Result<()> {
        let mut room = self.volume.look()?;
        found.volume = room.free + room.file + room.ballast + ledger.usage.files;
        found.ballast = room.ballast;
        let wanted = self.wanted(found.volume).max(found.given_up);
        if wanted == 0 && self.ballast > 0 && !found.said {
            found.said = true;
            tracing::warn!(
                volume = found.volume,
                "the volume is too small for the reserve file"
            );
        }
        if found.ballast == 0 && wanted > 0 && room.free >= 2 * wanted {
            self.volume.make_ballast(wanted)?;
            (found.ballast, found.given_up) = (wanted, 0);
            room.free -= wanted;
        }
        if found.is_full && has_room(found, wanted, &room, ledger) {
            found.is_full = false;
            tracing::info!("the store's volume has space again");
        }
        Ok(())
    }

    /// How large the reserve file should be on a volume of this many bytes.
    fn wanted(&self, volume: u64) -> u64 {
        let part = volume.min(self.size.load(Ordering::Relaxed)) / BALLAST_PART;
        let ballast = part.min(self.ballast);
        if ballast < LEAST_BALLAST { 0 } else { ballast }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a disk that was full is so no longer: there is a reserve file again, or much of the file is free pages, which
/// the store uses before it asks the disk for more.
fn has_room(found: &Found, wanted: u64, room: &Room, ledger: &Ledger) -> bool {
    let inside = room.file.saturating_sub(ledger.usage.pages);
    let enough_inside = inside >= room.file / 2 && inside >= LEAST_FREE.max(2 * wanted);
    let enough_free = room.free >= LEAST_FREE.min(found.volume / 8);
    found.ballast > 0 || enough_inside || (wanted == 0 && enough_free)
}

/// What the rows and files use, and what is reserved.
pub(super) fn used(ledger: &Ledger) -> u64 {
    ledger.usage.pages + ledger.usage.files + reserved(&ledger.counts)
}
