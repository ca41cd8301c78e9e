//! The volume of the store: how much is free, and the reserve file (the ballast) that is deleted when nothing is.
//!
//! The disk budget uses it. Invariant: the reserve file is really allocated, not a hole in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Beside the data file.
pub(super) const BALLAST: &str = "ballast";
/// What `st_blocks` counts.
const BLOCK: u64 = 512;

/// A measurement of the volume, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Free for this process.
    pub(super) free: u64,
    /// What the database's file uses, without holes.
    pub(super) file: u64,
    /// The size of the reserve file.
    pub(super) ballast: u64,
}

/// A volume.
pub(super) trait Volume: Send + Sync {
    /// Measures it.
    fn look(&self) -> io::Result<Room>;
    /// Creates a reserve file of this size, in place of an earlier one.
    fn make_ballast(&self, bytes: u64) -> io::Result<()>;
    /// Deletes the reserve file.
    fn drop_ballast(&self) -> io::Result<()>;
}

/// The volume of a directory.
#[derive(Clone, Debug)]
pub(super) struct Mounted {
    dir: PathBuf,
    file: PathBuf,
}

impl Mounted {
    pub(super) fn new(dir: &Path, file: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            file: file.to_owned(),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.dir.join(BALLAST)
    }
}

impl Volume for Mounted {
    fn look(&self) -> io::Result<Room> {
        let volume = statvfs(&self.dir)?;
        Ok(Room {
            free: volume.f_bavail.saturating_mul(volume.f_frsize),
            file: taken(&self.file)?,
            ballast: taken(&self.ballast())?,
        })
    }

    fn make_ballast(&self, bytes: u64) -> io::Result<()> {
        self.drop_ballast()?;
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.ballast())?;
        let made = fill(&file, bytes).and_then(|()| file.sync_all());
        made.inspect_err(|_| {
            // A partial one would be taken for a complete one.
            let _ = self.drop_ballast();
        })
    }

    fn drop_ballast(&self) -> io::Result<()> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn taken(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(data) => Ok(data.blocks() * BLOCK),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Allocates space; by writing, if the file system cannot preallocate.
fn fill(mut file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let zeros = vec![0; 1 << 20];
            let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
            while left > 0 {
                let part = left.min(zeros.len());
                file.write_all(&zeros[..part])?;
                left -= part;
            }
            Ok(())
        }
        made => Ok(made?),
    }
}

/// Whether a write failed because the disk is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ballast_takes_room_and_gives_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let volume = Mounted::new(dir.path(), &dir.path().join("jobs.redb"));
        let before = volume.look().unwrap();
        assert!(before.free > 0);
        assert_eq!((before.file, before.ballast), (0, 0));
        volume.make_ballast(3 << 20).unwrap();
        assert!(volume.look().unwrap().ballast >= 3 << 20);
        volume.make_ballast(1 << 20).unwrap();
        assert!((1 << 20..2 << 20).contains(&volume.look().unwrap().ballast));
        volume.drop_ballast().unwrap();
        volume.drop_ballast().unwrap();
        assert_eq!(volume.look().unwrap().ballast, 0);
    }

    #[test]
    fn holes_in_the_file_take_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jobs.redb");
        let mut file = File::create(&path).unwrap();
        file.write_all(&[1; 8192]).unwrap();
        file.set_len(1 << 30).unwrap();
        file.sync_all().unwrap();
        let room = Mounted::new(dir.path(), &path).look().unwrap();
        assert!((8192..1 << 20).contains(&room.file), "{room:?}");
    }
}
