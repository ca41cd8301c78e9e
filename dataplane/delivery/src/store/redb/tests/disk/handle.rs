//! The open database file of a [`Disk`], as redb sees it.
//!
//! Invariant: after a cut it fails, also when the power is on again.

use std::io;
use std::sync::MutexGuard;

use ::redb::StorageBackend;

use super::{Change, Disk, Platters};

#[derive(Debug)]
pub(super) struct Handle {
    pub(super) disk: Disk,
    pub(super) power_on: u32,
}

impl Handle {
    fn platters(&self) -> io::Result<MutexGuard<'_, Platters>> {
        let platters = self.disk.platters();
        if platters.dark || platters.power_ons != self.power_on {
            return Err(io::Error::other("the power was cut"));
        }
        Ok(platters)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut platters = self.platters()?;
        platters.touch(&change)?;
        change.make(&mut platters.live);
        platters.unsynced.push(change);
        Ok(())
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platters()?.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platters = self.platters()?;
        platters.until_unread = match platters.until_unread {
            Some(0) => {
                platters.until_unread = None;
                return Err(io::Error::other("the read failed"));
            }
            reads => reads.map(|reads| reads - 1),
        };
        let at = usize::try_from(offset).unwrap();
        let bytes = platters.live.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Resize(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platters = self.platters()?;
        if platters.failing_syncs > 0 {
            platters.failing_syncs -= 1;
            return Err(io::Error::other("the sync failed"));
        }
        platters.until_forgotten = match platters.until_forgotten {
            Some(0) => {
                platters.until_forgotten = None;
                platters.forget();
                return Err(io::Error::other("the sync failed"));
            }
            syncs => syncs.map(|syncs| syncs - 1),
        };
        platters.sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(usize::try_from(offset).unwrap(), data.to_vec()))
    }
}
