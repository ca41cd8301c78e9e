//! A disk that loses what was not synced when the power is cut, and fails on request.
//!
//! What a cut leaves of the unsynced writes is drawn from a seed: each may have reached the
//! disk whole, up to a sector, or not at all, whatever came before or after it.

mod handle;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use ::redb::Database;

use self::handle::Handle;
use crate::store::Error;
use crate::store::redb::blob::{Blobs, Name};
use crate::store::redb::fault::Fault;
use crate::store::redb::file::{Media, builder};
use crate::store::redb::format::{self, Ledger};
use crate::store::redb::volume::{Room, Volume};

const SECTOR: usize = 512;
const BLOCK: usize = 4096;

/// A disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<(Mutex<Platters>, Condvar)>);

#[derive(Debug, Default)]
struct Platters {
    /// What survives a cut.
    durable: Vec<u8>,
    /// What is read: durable, and everything written since.
    live: Vec<u8>,
    unsynced: Vec<Change>,
    /// Files beside the database: what is read, and what a cut may bring back.
    files: Vec<(Name, Vec<u8>)>,
    removed: Vec<(Name, Vec<u8>)>,
    /// Handles of an earlier power-on are dead.
    power_ons: u32,
    dark: bool,
    /// Bytes that fit, holes not counted; 0 is as many as there are.
    capacity: usize,
    /// Blocks of the database that were written.
    written: BTreeSet<usize>,
    ballast: usize,
    failing_syncs: u32,
    /// How many reads of the database succeed before one fails.
    until_unread: Option<u32>,
    /// How many syncs succeed before one fails and forgets: what it should have written is read as before, and
    /// no later sync writes it.
    until_forgotten: Option<u32>,
    /// Blocks that were forgotten and not written since.
    forgotten: BTreeSet<usize>,
    failing_opens: u32,
    held: bool,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

impl Disk {
    fn platters(&self) -> MutexGuard<'_, Platters> {
        self.0.0.lock().unwrap()
    }

    /// This many of the next syncs fail.
    pub(super) fn fail_syncs(&self, count: u32) {
        self.platters().failing_syncs = count;
    }

    /// After this many more reads of the database one fails.
    pub(super) fn fail_a_read_after(&self, reads: u32) {
        self.platters().until_unread = Some(reads);
    }

    /// Whether that read is still to come.
    pub(super) fn has_read_to_fail(&self) -> bool {
        self.platters().until_unread.take().is_some()
    }

    /// After this many more syncs one fails and forgets what was written, as a kernel does that marks pages
    /// clean although they never reached the disk.
    pub(super) fn forget_a_sync_after(&self, syncs: u32) {
        self.platters().until_forgotten = Some(syncs);
    }

    /// This many of the next opens fail.
    pub(super) fn fail_opens(&self, count: u32) {
        self.platters().failing_opens = count;
    }

    /// The disk holds at most this many bytes.
    pub(super) fn set_capacity(&self, bytes: usize) {
        self.platters().capacity = bytes;
    }

    /// How many bytes are taken, holes not counted.
    pub(super) fn taken(&self) -> usize {
        self.platters().taken()
    }

    pub(super) fn ballast(&self) -> usize {
        self.platters().ballast
    }

    /// Whether opening waits.
    pub(super) fn hold_opens(&self, held: bool) {
        self.platters().held = held;
        self.0.1.notify_all();
    }

    /// Cuts the power. Nothing can be read or written until it is back.
    pub(super) fn cut(&self, seed: u64) {
        let mut platters = self.platters();
        let mut dice = seed | 1;
        for change in std::mem::take(&mut platters.unsynced) {
            platters.keep_some(change, roll(&mut dice));
        }
        for file in std::mem::take(&mut platters.removed) {
            if roll(&mut dice).is_multiple_of(2) {
                platters.files.push(file);
            }
        }
        platters.dark = true;
    }

    /// Turns the power on again.
    pub(super) fn power_on(&self) {
        let mut platters = self.platters();
        platters.live = platters.durable.clone();
        platters.forgotten.clear();
        platters.power_ons += 1;
        platters.dark = false;
    }
}

/// Xorshift: a repeatable rng.
fn roll(dice: &mut u64) -> usize {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    usize::try_from(*dice >> 32).unwrap()
}

impl Platters {
    fn taken(&self) -> usize {
        let files = self.files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        self.written.len() * BLOCK + files + self.ballast
    }

    /// Fails if this many more bytes do not fit.
    fn make_room(&self, bytes: usize) -> io::Result<()> {
        if self.capacity > 0 && self.taken() + bytes > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Takes the blocks of a write.
    fn touch(&mut self, change: &Change) -> io::Result<()> {
        match change {
            Change::Write(..) => {
                let blocks = change.blocks();
                let new = blocks
                    .clone()
                    .filter(|block| !self.written.contains(block))
                    .count();
                self.make_room(new * BLOCK)?;
                self.written.extend(blocks);
            }
            Change::Resize(len) => self.written.retain(|block| block * BLOCK < *len),
        }
        Ok(())
    }

    /// Writes what is unsynced, and with it the blocks that it touches as they are read: the page cache knows
    /// no smaller piece.
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            change.make(&mut self.durable);
            for block in change.blocks() {
                if self.forgotten.remove(&block) {
                    self.write_back(block);
                }
            }
        }
    }

    fn write_back(&mut self, block: usize) {
        let start = block * BLOCK;
        let end = (start + BLOCK).min(self.live.len());
        let bytes = self.live[start..end].to_vec();
        Change::Write(start, bytes).make(&mut self.durable);
    }

    fn forget(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Resize(_) => change.make(&mut self.durable), // the file system's journal, not its pages
                Change::Write(..) => self.forgotten.extend(change.blocks()),
            }
        }
    }

    fn keep_some(&mut self, change: Change, dice: usize) {
        let kept = match (dice % 3, change) {
            (0, _) => return,
            (1, Change::Write(at, mut data)) => {
                data.truncate(dice / 3 % (data.len() / SECTOR + 1) * SECTOR);
                Change::Write(at, data)
            }
            (_, change) => change,
        };
        kept.make(&mut self.durable);
    }
}

impl Change {
    fn blocks(&self) -> std::ops::Range<usize> {
        match self {
            Self::Write(at, data) => at / BLOCK..(at + data.len()).div_ceil(BLOCK),
            Self::Resize(_) => 0..0,
        }
    }

    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Resize(len) => bytes.resize(*len, 0),
            Self::Write(at, data) => {
                let end = at + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(data);
            }
        }
    }
}

impl Media for Disk {
    fn open(&self) -> Result<(Database, Ledger), Error> {
        let (power_on, empty) = {
            let held = |platters: &mut Platters| platters.held;
            let mut platters = self.0.1.wait_while(self.platters(), held).unwrap();
            if platters.dark || platters.failing_opens > 0 {
                platters.failing_opens = platters.failing_opens.saturating_sub(1);
                return Err(Error::Down("no disk".to_owned()));
            }
            (platters.power_ons, platters.live.is_empty())
        };
        let disk = self.clone();
        let opened = builder().create_with_backend(Handle { disk, power_on });
        let db = opened.map_err(Fault::from)?;
        if empty {
            format::create(&db)?;
        }
        let ledger = format::read(&db)?;
        Ok((db, ledger))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.clone())
    }

    fn volume(&self) -> Arc<dyn Volume> {
        Arc::new(self.clone())
    }
}

impl Volume for Disk {
    fn look(&self) -> io::Result<Room> {
        let platters = self.platters();
        let free = match platters.capacity {
            0 => 1 << 40,
            capacity => capacity.saturating_sub(platters.taken()),
        };
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap();
        Ok(Room {
            free: bytes(free),
            file: bytes(platters.written.len() * BLOCK),
            ballast: bytes(platters.ballast),
        })
    }

    fn make_ballast(&self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).unwrap();
        let mut platters = self.platters();
        platters.ballast = 0;
        platters.make_room(bytes)?;
        platters.ballast = bytes;
        Ok(())
    }

    fn drop_ballast(&self) -> io::Result<()> {
        self.platters().ballast = 0;
        Ok(())
    }
}

/// Written files are on the disk; removals are like unsynced writes. A write that meets the dark
/// leaves half a file.
impl Blobs for Disk {
    fn write(&self, name: Name, bytes: &[u8]) -> io::Result<()> {
        let mut platters = self.platters();
        assert!(
            platters.files.iter().all(|(other, _)| *other != name),
            "{name} is used twice"
        );
        if platters.dark {
            platters.files.push((name, bytes[..bytes.len() / 2].to_vec()));
            return Err(io::Error::other("the power was cut"));
        }
        platters.make_room(bytes.len())?;
        platters.files.push((name, bytes.to_vec()));
        Ok(())
    }

    fn read(&self, name: Name) -> io::Result<Vec<u8>> {
        let platters = self.platters();
        let file = platters.files.iter().find(|(other, _)| *other == name);
        file.map(|(_, bytes)| bytes.clone())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&self, name: Name) -> io::Result<()> {
        let mut platters = self.platters();
        if platters.dark {
            return Err(io::Error::other("the power was cut"));
        }
        let at = platters.files.iter().position(|(other, _)| *other == name);
        let file = platters.files.remove(at.ok_or(io::ErrorKind::NotFound)?);
        platters.removed.push(file);
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<Name>> {
        Ok(self.platters().files.iter().map(|(name, _)| *name).collect())
    }
}
