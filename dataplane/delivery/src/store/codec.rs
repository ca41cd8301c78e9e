//! How values are encoded: a header of our own, then big-endian fields in a fixed order.
//!
//! Stores that keep bytes call it; there is no derived encoding, so a renamed type cannot change a file. Only bytes and
//! values live here, no file and no key. Invariant: reading never goes past the value's end; an incomplete value is
//! [`Error::Corrupt`], and what a newer version wrote is [`Error::NewerFormat`].

mod call;
mod history;
mod job;
pub(super) mod wrap;

use std::time::Duration;

use bytes::Bytes;

pub(super) use self::call::{decode_call, encode_call};
pub(super) use self::history::{decode_entry, encode_entry};
pub(super) use self::job::{decode_job, encode_job};
use super::{Error, SessionRow};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Dedupe, Key};

/// The newest layout of values that this version reads and writes.
const VERSION: u8 = 1;
/// The layout of the call of an event, which versions before it do not read. 2 is that of wrapped values.
const NOTICE: u8 = 3;
/// The key id of a value that is not encrypted.
const PLAIN: u32 = 0;
/// What every value begins with: the layout's version and the key's id.
const HEADER: [u8; 5] = [VERSION, 0, 0, 0, 0];

/// A payload's value.
pub(super) fn encode_blob(payload: &[u8]) -> Vec<u8> {
    [&HEADER[..], payload].concat()
}

/// The payload of a value.
pub(super) fn decode_blob(value: Vec<u8>) -> Result<Bytes, Error> {
    Reader::open(&value)?;
    Ok(Bytes::from(value).slice(HEADER.len()..))
}

/// The job of a dedupe row, and the fingerprint of its arguments.
pub(super) fn encode_dedupe(id: JobId, dedupe: &Dedupe) -> Vec<u8> {
    let mut value = Writer::new();
    value.array(id.to_bytes());
    value.array(dedupe.fingerprint);
    value.done()
}

/// The job and the fingerprint of a dedupe row.
pub(super) fn decode_dedupe(value: &[u8]) -> Result<(JobId, [u8; 32]), Error> {
    let mut value = Reader::open(value)?;
    let row = (JobId::from_bytes(value.array()?), value.array()?);
    value.end()?;
    Ok(row)
}

pub(super) fn encode_session(row: &SessionRow) -> Vec<u8> {
    let mut value = Writer::new();
    value.u64(row.version);
    value.millis(row.expires);
    value.bytes(&row.bytes);
    value.done()
}

pub(super) fn decode_session(value: &[u8]) -> Result<SessionRow, Error> {
    let mut value = Reader::open(value)?;
    let row = SessionRow {
        version: value.u64()?,
        expires: value.millis()?,
        bytes: Bytes::copy_from_slice(value.bytes()?),
    };
    value.end()?;
    Ok(row)
}

/// A value being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        let mut value = Vec::with_capacity(160);
        value.extend_from_slice(&HEADER);
        Self(value)
    }

    /// A value of another layout.
    pub(super) fn of_layout(layout: u8) -> Self {
        let mut value = Self::new();
        value.0[0] = layout;
        value
    }

    pub(super) fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.array(number.to_be_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.array(number.to_be_bytes());
    }

    pub(super) fn millis(&mut self, at: Millis) {
        self.u64(at.0);
    }

    pub(super) fn duration(&mut self, span: Duration) {
        self.u64(span.as_secs());
        self.u32(span.subsec_nanos());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).expect("nothing that is kept is 4 GiB long"));
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn str(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A presence byte, then what is present.
    pub(super) fn option<T>(&mut self, field: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(field.is_some()));
        if let Some(field) = field {
            write(self, field);
        }
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A value being read.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The same for a value that may have another layout.
    pub(super) fn open_either(value: &'a [u8], layout: u8) -> Result<Self, Error> {
        let mut reader = Self { rest: value };
        match (reader.u8()?, reader.u32()?) {
            (found, PLAIN) if found == layout => Ok(reader),
            _ => Self::open(value),
        }
    }

    /// Starts after the header, if this version can read it.
    pub(super) fn open(value: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Self { rest: value };
        match (reader.u8()?, reader.u32()?) {
            (VERSION, PLAIN) => Ok(reader),
            (VERSION, key) => Err(Error::Corrupt(format!(
                "a value of layout {VERSION}, which is never sealed, names key {key}"
            ))),
            (found, _) if found > VERSION => Err(Error::NewerFormat {
                found: found.into(),
                known: VERSION.into(),
            }),
            (found, _) => Err(Error::Corrupt(format!(
                "a value has layout {found}, which never was"
            ))),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(short)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn millis(&mut self) -> Result<Millis, Error> {
        self.u64().map(Millis)
    }

    pub(super) fn key(&mut self) -> Result<Key, Error> {
        self.array().map(Key)
    }

    pub(super) fn duration(&mut self) -> Result<Duration, Error> {
        let (secs, nanos) = (self.u64()?, self.u32()?);
        if nanos >= 1_000_000_000 {
            return Err(Error::Corrupt(format!(
                "{nanos} nanoseconds are more than a second"
            )));
        }
        Ok(Duration::new(secs, nanos))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let len = usize::try_from(self.u32()?).map_err(|_| short())?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(short)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn str(&mut self) -> Result<String, Error> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(str::to_owned)
            .map_err(|_| Error::Corrupt("a text is not UTF-8".to_owned()))
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(Error::Corrupt(format!("{other} is neither present nor absent"))),
        }
    }

    /// The variant whose index in `known` is written here.
    pub(super) fn variant<T: Copy>(&mut self, what: &str, known: &[T]) -> Result<T, Error> {
        let code = self.u8()?;
        let found = known.get(usize::from(code)).copied();
        found.ok_or_else(|| Error::Corrupt(format!("{code} is not a known {what}")))
    }

    /// The rest.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing follows; what is read next was added by a later version.
    pub(super) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// The value must end here.
    pub(super) fn end(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::Corrupt(format!(
            "a value goes on for {} bytes",
            self.rest.len()
        )))
    }
}

/// The index of `variant` in `known`, which is its code in the file.
pub(super) fn code<T: PartialEq>(variant: &T, known: &[T]) -> u8 {
    let place = known.iter().position(|other| other == variant);
    let place = place.expect("every variant is in its table, which a test walks");
    u8::try_from(place).expect("no table has 256 variants")
}

fn short() -> Error {
    Error::Corrupt("a value ends early".to_owned())
}

#[cfg(test)]
mod tests;
