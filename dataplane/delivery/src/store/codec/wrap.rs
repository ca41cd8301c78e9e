//! The wrapping of a value that is encrypted or kept in a file beside the store: layout 2.
//!
//! Stores that keep bytes call this around the values of calls, arguments, results and
//! sessions. Invariant: a plain value has layout 1 or 3, and what layout 2 wraps is a complete value of one of these,
//! header included.

use super::{NOTICE, PLAIN, Reader, VERSION};
use crate::store::Error;

/// The layout of a value that is wrapped.
const WRAPPED: u8 = 2;
/// An encrypted value follows.
const HERE: u8 = 0;
/// The file of the value follows.
const FILE: u8 = 1;
/// There was a value, and it was deleted early.
const GONE: u8 = 2;

/// A value as it is stored in a row or in a file.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Wrapped<'a> {
    /// A complete value of layout 1 or 3.
    Plain(&'a [u8]),
    /// Such a value, encrypted with this key.
    Sealed(u32, &'a [u8]),
    /// A value in a file.
    Filed(Filed),
    /// A value that was deleted early.
    Gone,
}

/// The file of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Filed {
    /// The key it is encrypted with; 0 is plain.
    pub(in crate::store) key: u32,
    /// How long the file is.
    pub(in crate::store) len: u64,
    /// Distinguishes the file from others of the same job and field.
    pub(in crate::store) tag: u64,
}

impl<'a> Wrapped<'a> {
    /// What `value` is.
    pub(in crate::store) fn read(value: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader { rest: value };
        let (layout, key) = (reader.u8()?, reader.u32()?);
        if layout > NOTICE {
            return Err(Error::NewerFormat {
                found: layout.into(),
                known: NOTICE.into(),
            });
        }
        if layout == VERSION || layout == NOTICE {
            return Ok(Self::Plain(value));
        }
        match reader.u8()? {
            HERE if key != PLAIN => Ok(Self::Sealed(key, reader.rest())),
            FILE => {
                let (len, tag) = (reader.u64()?, reader.u64()?);
                reader.end()?;
                Ok(Self::Filed(Filed { key, len, tag }))
            }
            GONE if key == PLAIN => {
                reader.end()?;
                Ok(Self::Gone)
            }
            other => Err(Error::Corrupt(format!(
                "a value is in place {other}, which never was"
            ))),
        }
    }

    /// The key that it is encrypted with; 0 is plain.
    pub(in crate::store) fn key(&self) -> u32 {
        match self {
            Self::Plain(_) | Self::Gone => PLAIN,
            Self::Sealed(key, _) => *key,
            Self::Filed(filed) => filed.key,
        }
    }
}

/// The stored value of `sealed`.
pub(in crate::store) fn encode_sealed(key: u32, sealed: &[u8]) -> Vec<u8> {
    [&[WRAPPED], &key.to_be_bytes()[..], &[HERE], sealed].concat()
}

/// The stored value in place of one that was deleted early.
pub(in crate::store) const GIVEN_BACK: [u8; 6] = [WRAPPED, 0, 0, 0, 0, GONE];

/// The stored value that names a file.
pub(in crate::store) fn encode_filed(filed: Filed) -> Vec<u8> {
    let Filed { key, len, tag } = filed;
    let [len, tag] = [len, tag].map(u64::to_be_bytes);
    [&[WRAPPED], &key.to_be_bytes()[..], &[FILE], &len, &tag].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::encode_blob;

    #[test]
    fn each_kind_reads_back() {
        let plain = encode_blob(b"text");
        assert_eq!(Wrapped::read(&plain).unwrap(), Wrapped::Plain(&plain));
        let sealed = encode_sealed(7, b"opaque");
        assert_eq!(Wrapped::read(&sealed).unwrap(), Wrapped::Sealed(7, b"opaque"));
        let (key, len, tag) = (0, 1 << 40, u64::MAX);
        let filed = Filed { key, len, tag };
        assert_eq!(
            Wrapped::read(&encode_filed(filed)).unwrap(),
            Wrapped::Filed(filed)
        );
        assert_eq!(Wrapped::read(&GIVEN_BACK).unwrap(), Wrapped::Gone);
    }

    #[test]
    fn the_file_format_is_what_it_was() {
        assert_eq!(encode_sealed(258, b"x"), [2, 0, 0, 1, 2, 0, b'x']);
        assert_eq!(GIVEN_BACK, [2, 0, 0, 0, 0, 2]);
        let (key, len, tag) = (1, 2, 3);
        let filed = encode_filed(Filed { key, len, tag });
        assert_eq!(
            filed,
            [2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]
        );
    }

    #[test]
    fn what_is_neither_is_refused() {
        for value in [
            &[][..],
            &[2, 0, 0, 0, 0, 0, 9],
            &[2, 0, 0, 0, 1, 2],
            &[2, 0, 0, 0, 0, 2, 5],
            &[2, 0, 0, 0, 1, 1, 5],
        ] {
            assert!(
                matches!(Wrapped::read(value), Err(Error::Corrupt(_))),
                "{value:?}"
            );
        }
        let newer = Wrapped::read(&[4, 0, 0, 0, 0]);
        assert!(matches!(newer, Err(Error::NewerFormat { found: 4, known: 3 })));
    }
}
