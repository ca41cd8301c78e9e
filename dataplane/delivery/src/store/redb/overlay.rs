//! A file that is opened read-only: what redb writes to repair it stays in memory.
//!
//! The offline commands read through it. Invariant: the file is never written; it is opened read-only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::redb::StorageBackend;

const BLOCK: usize = 4096;

#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    /// What was written, by block.
    written: Mutex<BTreeMap<u64, Box<[u8; BLOCK]>>>,
    len: Mutex<u64>,
}

impl Overlay {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = Mutex::new(file.metadata()?.len());
        Ok(Self {
            file,
            written: Mutex::default(),
            len,
        })
    }

    /// What the file has there; zeros beyond its end.
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < out.len() {
            match self.file.read_at(&mut out[done..], offset + done as u64)? {
                0 => {
                    out[done..].fill(0);
                    return Ok(());
                }
                read => done += read,
            }
        }
        Ok(())
    }

    /// Calls `act` for each block of a range: the block, the part of it, the part of the range.
    fn by_block(offset: u64, len: usize, mut act: impl FnMut(u64, usize, std::ops::Range<usize>)) {
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let within = usize::try_from(at % BLOCK as u64).expect("less than a block");
            let part = (BLOCK - within).min(len - done);
            act(at / BLOCK as u64, within, done..done + part);
            done += part;
        }
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(*lock(&self.len))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_file(offset, out)?;
        let written = lock(&self.written);
        Self::by_block(offset, out.len(), |block, within, range| {
            if let Some(bytes) = written.get(&block) {
                let part = range.len();
                out[range].copy_from_slice(&bytes[within..within + part]);
            }
        });
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        *lock(&self.len) = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut blocks = Vec::new();
        Self::by_block(offset, data.len(), |block, within, range| {
            blocks.push((block, within, range));
        });
        for (block, within, range) in blocks {
            let mut written = lock(&self.written);
            let bytes = match written.entry(block) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut bytes = Box::new([0; BLOCK]);
                    self.read_file(block * BLOCK as u64, &mut bytes[..])?;
                    entry.insert(bytes)
                }
            };
            let part = range.len();
            bytes[within..within + part].copy_from_slice(&data[range]);
        }
        Ok(())
    }
}

/// What these locks guard is valid after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_not_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![1; 10_000]).unwrap();
        let overlay = Overlay::new(File::open(&path).unwrap()).unwrap();
        overlay.write(4000, &[2; 200]).unwrap();
        overlay.set_len(12_000).unwrap();
        let mut out = vec![9; 12_000];
        overlay.read(0, &mut out).unwrap();
        let expected = [vec![1; 4000], vec![2; 200], vec![1; 5800], vec![0; 2000]].concat();
        assert_eq!(out, expected);
        assert_eq!(overlay.len().unwrap(), 12_000);
        assert_eq!(std::fs::read(&path).unwrap(), vec![1; 10_000]);
    }
}
