//! The header of a job, which every step rewrites.
//!
//! Invariant: under 400 bytes for every job.

use std::time::Duration;

use super::{Reader, Writer, code};
use crate::id::JobId;
use crate::job::{Job, Owner, Receiver};
use crate::state::{Category, End, Exec, Push, State};
use crate::store::Error;

/// An ending's index is its code in the file: only append.
pub(super) const ENDS: [End; 6] = [
    End::Result,
    End::Error,
    End::Timeout,
    End::Unknown,
    End::Cancelled,
    End::TooLarge,
];

/// A category's index is its code in the file: only append.
pub(super) const CATEGORIES: [Category; 14] = [
    Category::ConnectionRefused,
    Category::ConnectionReset,
    Category::DnsError,
    Category::Timeout,
    Category::TlsError,
    Category::Http3xx,
    Category::Http4xx,
    Category::Http5xx,
    Category::Blocked,
    Category::Expired,
    Category::Corrupt,
    Category::Evicted,
    Category::Http1xx,
    Category::ReceiverAborted,
];

/// What few jobs have comes last, each after a number of its own.
const REPLAYED: u8 = 1;
const NAME: u8 = 2;
const OWNER: u8 = 3;
const UNSENT: u8 = 4;
const KEPT_LONGER: u8 = 5;
const TOOL_FAILED: u8 = 6;

pub(in crate::store) fn encode_job(job: &Job) -> Vec<u8> {
    let mut value = Writer::new();
    value.u64(job.version);
    value.u32(job.run);
    write_exec(&mut value, job.state.exec);
    write_push(&mut value, job.state.push);
    value.array(job.server.0);
    value.array(job.client.0);
    value.option(job.receiver, write_receiver);
    value.array(job.dedupe);
    value.millis(job.accepted);
    value.option(job.started, Writer::millis);
    value.option(job.ended, Writer::millis);
    value.millis(job.turn);
    value.u8(job.executions);
    value.u32(job.attempts);
    value.u32(job.replays);
    value.option(job.last, |value, why| value.u8(code(&why, &CATEGORIES)));
    value.u32(job.size);
    value.u8(u8::from(job.has_resume_token));
    value.u8(u8::from(job.poisoned));
    if let Some(at) = job.replayed {
        value.u8(REPLAYED);
        value.millis(at);
    }
    if let Some(owner) = job.owner {
        value.u8(OWNER);
        value.u32(owner.replica);
        value.u64(owner.epoch);
    }
    if let Some(since) = job.unsent_since {
        value.u8(UNSENT);
        value.millis(since);
    }
    if !job.kept_longer.is_zero() {
        value.u8(KEPT_LONGER);
        value.duration(job.kept_longer);
    }
    if job.tool_failed {
        value.u8(TOOL_FAILED);
    }
    for name in &job.names {
        value.u8(NAME);
        value.array(*name);
    }
    value.done()
}

pub(in crate::store) fn decode_job(id: JobId, value: &[u8]) -> Result<Job, Error> {
    let mut value = Reader::open(value)?;
    let mut job = Job {
        id,
        version: value.u64()?,
        run: value.u32()?,
        state: State {
            exec: read_exec(&mut value)?,
            push: read_push(&mut value)?,
        },
        server: value.key()?,
        client: value.key()?,
        receiver: value.option(read_receiver)?,
        dedupe: value.array()?,
        names: Vec::new(), // they come later
        accepted: value.millis()?,
        started: value.option(Reader::millis)?,
        unsent_since: None, // it comes later
        ended: value.option(Reader::millis)?,
        turn: value.millis()?,
        executions: value.u8()?,
        attempts: value.u32()?,
        replays: value.u32()?,
        replayed: None, // it comes later
        last: value.option(read_category)?,
        size: value.u32()?,
        has_resume_token: value.u8()? != 0,
        poisoned: value.u8()? != 0,
        owner: None, // it comes later
        tool_failed: false,
        kept_longer: Duration::ZERO,
    };
    while !value.is_over() {
        match value.u8()? {
            REPLAYED => job.replayed = Some(value.millis()?),
            UNSENT => job.unsent_since = Some(value.millis()?),
            OWNER => {
                let (replica, epoch) = (value.u32()?, value.u64()?);
                job.owner = Some(Owner { replica, epoch });
            }
            KEPT_LONGER => job.kept_longer = value.duration()?,
            TOOL_FAILED => job.tool_failed = true,
            NAME => job.names.push(value.array()?),
            other => return Err(Error::Corrupt(format!("{other} is not a field of a job"))),
        }
    }
    Ok(job)
}

fn write_receiver(value: &mut Writer, receiver: Receiver) {
    value.array(receiver.origin.0);
    value.array(receiver.url.0);
}

fn read_receiver(value: &mut Reader<'_>) -> Result<Receiver, Error> {
    Ok(Receiver {
        origin: value.key()?,
        url: value.key()?,
    })
}

fn write_exec(value: &mut Writer, exec: Exec) {
    match exec {
        Exec::Queued => value.u8(0),
        Exec::Running => value.u8(1),
        Exec::Ended(end) => {
            value.u8(2);
            value.u8(code(&end, &ENDS));
        }
    }
}

fn read_exec(value: &mut Reader<'_>) -> Result<Exec, Error> {
    match value.u8()? {
        0 => Ok(Exec::Queued),
        1 => Ok(Exec::Running),
        2 => value.variant("ending", &ENDS).map(Exec::Ended),
        other => Err(Error::Corrupt(format!("{other} is not a state of an execution"))),
    }
}

fn write_push(value: &mut Writer, push: Push) {
    match push {
        Push::None => value.u8(0),
        Push::Due => value.u8(1),
        Push::Sending => value.u8(2),
        Push::Delivered => value.u8(3),
        Push::Dead(why) => {
            value.u8(4);
            value.u8(code(&why, &CATEGORIES));
        }
        Push::Stopped => value.u8(5),
    }
}

fn read_push(value: &mut Reader<'_>) -> Result<Push, Error> {
    match value.u8()? {
        0 => Ok(Push::None),
        1 => Ok(Push::Due),
        2 => Ok(Push::Sending),
        3 => Ok(Push::Delivered),
        4 => read_category(value).map(Push::Dead),
        5 => Ok(Push::Stopped),
        other => Err(Error::Corrupt(format!("{other} is not a state of a delivery"))),
    }
}

fn read_category(value: &mut Reader<'_>) -> Result<Category, Error> {
    value.variant("category", &CATEGORIES)
}
