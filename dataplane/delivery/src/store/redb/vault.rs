//! Values before they are stored and after they are read: encrypted if there is a key, in a file if
//! they are large.
//!
//! Callers' tasks prepare values here, off the writer thread; reads come through [`super::read`].
//! Invariant: with a key, a row has nothing of an encrypted field in plain text, and nothing in plain text is believed: it
//! is not from here.

use std::io;
use std::sync::Arc;

use super::blob::{Blobs, Draft, Name};
use crate::id::JobId;
use crate::store::codec::wrap::{self, Filed, Wrapped};
use crate::store::seal::{Field, Place, Sealer};
use crate::store::{Error, codec};

/// Prepares and reads values.
pub(super) struct Vault {
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) sealer: Arc<Sealer>,
    /// The route for which values are encrypted.
    pub(super) route: String,
    /// Larger bodies are files.
    pub(super) large: usize,
}

/// A value ready to be put into a row.
#[derive(Debug)]
pub(super) struct Stowed {
    pub(super) value: Vec<u8>,
    /// The file that the value names.
    pub(super) draft: Option<Draft>,
}

impl Vault {
    /// Whether this payload becomes a file, which takes a while.
    pub(super) fn is_large(&self, payload: &[u8]) -> bool {
        payload.len() > self.large
    }

    /// The value of a payload. Writes a file if it is large.
    pub(super) fn stow(&self, field: Field, id: JobId, payload: &[u8]) -> io::Result<Stowed> {
        let value = self.seal(field, id.to_bytes(), codec::encode_blob(payload));
        if !self.is_large(payload) {
            return Ok(Stowed { value, draft: None });
        }
        self.file(field, id, &value)
    }

    /// A value of an export, as a row here; a file if it is large.
    pub(super) fn put_back(&self, field: Field, id: JobId, value: Vec<u8>) -> io::Result<Stowed> {
        if !self.is_large(&value) {
            return Ok(Stowed { value, draft: None });
        }
        self.file(field, id, &value)
    }

    /// A value in a file of its own.
    fn file(&self, field: Field, id: JobId, value: &[u8]) -> io::Result<Stowed> {
        let key = Wrapped::read(value).map_err(io::Error::other)?.key();
        let (tag, len) = (rand::random(), value.len() as u64);
        let draft = Draft::write(Arc::clone(&self.blobs), Name { id, field, tag }, value)?;
        Ok(Stowed {
            value: wrap::encode_filed(Filed { key, len, tag }),
            draft: Some(draft),
        })
    }

    /// A row's value with its file's contents in place of the file, still encrypted.
    pub(super) fn whole(&self, field: Field, id: [u8; 16], stored: &[u8]) -> Result<Vec<u8>, Error> {
        match Wrapped::read(stored)? {
            Wrapped::Filed(filed) => self.read(name(field, id, filed), filed.len),
            _ => Ok(stored.to_vec()),
        }
    }

    /// `value`, encrypted if there is a key.
    pub(super) fn seal(&self, field: Field, id: [u8; 16], value: Vec<u8>) -> Vec<u8> {
        let place = self.place(field, id);
        match self.sealer.seal(&place, &value, rand::random()) {
            Some((key, sealed)) => wrap::encode_sealed(key, &sealed),
            None => value,
        }
    }

    /// The value of layout 1 of a `stored` one.
    pub(super) fn open(&self, field: Field, id: [u8; 16], stored: &[u8]) -> Result<Vec<u8>, Error> {
        let Wrapped::Filed(filed) = Wrapped::read(stored)? else {
            return self.unseal(field, id, stored);
        };
        if !self.sealer.knows(filed.key) {
            return Err(Error::Sealed { key: filed.key }); // saves reading the file
        }
        self.unseal(field, id, &self.read(name(field, id, filed), filed.len)?)
    }

    fn unseal(&self, field: Field, id: [u8; 16], stored: &[u8]) -> Result<Vec<u8>, Error> {
        match Wrapped::read(stored)? {
            Wrapped::Plain(_) if self.sealer.seals() => Err(Error::Corrupt(format!(
                "a {} is not encrypted, although the store has a key: somebody else wrote it",
                field.as_str()
            ))),
            Wrapped::Plain(value) => Ok(value.to_vec()),
            Wrapped::Sealed(key, sealed) => self.sealer.open(key, &self.place(field, id), sealed),
            Wrapped::Filed(_) => Err(Error::Corrupt(
                "a row of a large body names the file of another".to_owned(),
            )),
            Wrapped::Gone => Err(Error::Corrupt(
                "a value is marked as deleted that is never deleted".to_owned(),
            )),
        }
    }

    fn read(&self, name: Name, len: u64) -> Result<Vec<u8>, Error> {
        let bytes = self.blobs.read(name).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Corrupt(format!("the file blobs/{name} is missing")),
            _ => Error::Down(format!("blobs/{name}: {error}")),
        })?;
        if bytes.len() as u64 == len {
            return Ok(bytes);
        }
        let found = bytes.len();
        Err(Error::Corrupt(format!(
            "blobs/{name} has {found} bytes instead of {len}"
        )))
    }

    fn place(&self, field: Field, id: [u8; 16]) -> Place<'_> {
        let route = &self.route;
        Place { route, id, field }
    }
}

/// The file that a row of `field` names.
pub(super) fn file_of(field: Field, id: [u8; 16], stored: &[u8]) -> Option<Name> {
    match Wrapped::read(stored) {
        Ok(Wrapped::Filed(filed)) => Some(name(field, id, filed)),
        _ => None,
    }
}

fn name(field: Field, id: [u8; 16], filed: Filed) -> Name {
    let (id, tag) = (JobId::from_bytes(id), filed.tag);
    Name { id, field, tag }
}
