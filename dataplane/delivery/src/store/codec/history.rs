//! One entry of a job's history, written once when an attempt ended.
//!
//! Invariant: every field is written, in the order of the type.

use std::time::Duration;

use super::job::CATEGORIES;
use super::{Reader, Writer, code};
use crate::history::{Entry, Outcome};
use crate::state::Fault;
use crate::store::Error;

/// An outcome's index is its code in the file: only append.
const OUTCOMES: [Outcome; 4] = [
    Outcome::Delivered,
    Outcome::Retry,
    Outcome::Dead,
    Outcome::Interrupted,
];

/// A fault's index is its code in the file: only append.
const FAULTS: [Fault; 3] = [Fault::Resolver, Fault::Descriptors, Fault::Client];

pub(in crate::store) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let mut value = Writer::new();
    value.u32(entry.replay);
    value.millis(entry.started);
    value.option(entry.duration, Writer::duration);
    value.u8(code(&entry.outcome, &OUTCOMES));
    value.option(entry.category, |value, why| value.u8(code(&why, &CATEGORIES)));
    value.option(entry.fault, |value, fault| value.u8(code(&fault, &FAULTS)));
    value.option(entry.status, |value, status| value.u32(status.into()));
    value.option(entry.next, Writer::millis);
    value.done()
}

pub(in crate::store) fn decode_entry(value: &[u8]) -> Result<Entry, Error> {
    let mut value = Reader::open(value)?;
    let entry = Entry {
        replay: value.u32()?,
        started: value.millis()?,
        duration: value.option(read_duration)?,
        outcome: value.variant("outcome", &OUTCOMES)?,
        category: value.option(|value| value.variant("category", &CATEGORIES))?,
        fault: value.option(|value| value.variant("fault", &FAULTS))?,
        status: value.option(read_status)?,
        next: value.option(Reader::millis)?,
    };
    value.end()?;
    Ok(entry)
}

fn read_duration(value: &mut Reader<'_>) -> Result<Duration, Error> {
    value.duration()
}

fn read_status(value: &mut Reader<'_>) -> Result<u16, Error> {
    let status = value.u32()?;
    u16::try_from(status).map_err(|_| Error::Corrupt(format!("{status} is not an HTTP status")))
}
