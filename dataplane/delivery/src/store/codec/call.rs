//! The snapshot of a call, written once at acceptance and read by every execution and attempt.
//!
//! Invariant: every field is written, in the order of the type; what a later version added comes last, and only if it
//! is present. The job's dedupe key is part of it, so that it is encrypted and authenticated with the rest. The call of an
//! event has a layout of its own: a version that does not know events leaves them to one that does, instead of sending them
//! as results.

use super::{NOTICE, Reader, Writer, code};
use crate::egress::NamedBy;
use crate::job::{Call, OnInterruption, Retry, Target, Trace};
use crate::signature::SigningKey;
use crate::store::Error;

/// A value's index is its code in the file: only append.
const INTERRUPTIONS: [OnInterruption; 2] = [OnInterruption::Fail, OnInterruption::Retry];

/// A value's index is its code in the file: only append.
const NAMED_BY: [NamedBy; 4] = [NamedBy::Session, NamedBy::Default, NamedBy::Call, NamedBy::Notify];

pub(in crate::store) fn encode_call(call: &Call, dedupe: [u8; 32]) -> Vec<u8> {
    let is_notice = call
        .target
        .as_ref()
        .is_some_and(|target| target.named_by == NamedBy::Notify);
    let mut value = if is_notice {
        Writer::of_layout(NOTICE)
    } else {
        Writer::new()
    };
    value.str(&call.server);
    value.str(&call.tool);
    value.str(&call.shown_as);
    value.str(&call.request_id);
    value.str(&call.client);
    value.duration(call.timeout);
    value.u8(code(&call.on_interruption, &INTERRUPTIONS));
    value.option(call.target.as_ref(), |value, target| {
        value.str(&target.url);
        value.u8(code(&target.named_by, &NAMED_BY));
        value.option(target.secret.as_ref(), |value, secret| {
            value.bytes(secret.bytes());
        });
    });
    write_retry(&mut value, &call.retry);
    value.str(&call.trace.parent);
    value.str(&call.trace.state);
    value.u8(u8::from(call.as_task));
    value.array(dedupe);
    if let Some(owner) = call.owner {
        value.array(owner);
    }
    value.done()
}

/// The call, and the dedupe key of its job.
pub(in crate::store) fn decode_call(value: &[u8]) -> Result<(Call, [u8; 32]), Error> {
    let mut value = Reader::open_either(value, NOTICE)?;
    let mut call = Call {
        server: value.str()?,
        tool: value.str()?,
        shown_as: value.str()?,
        request_id: value.str()?,
        client: value.str()?,
        timeout: value.duration()?,
        on_interruption: value.variant("onInterruption", &INTERRUPTIONS)?,
        target: value.option(read_target)?,
        retry: read_retry(&mut value)?,
        trace: Trace {
            parent: value.str()?,
            state: value.str()?,
        },
        as_task: value.u8()? != 0,
        owner: None, // it comes later
    };
    let dedupe = value.array()?;
    if !value.is_over() {
        call.owner = Some(value.array()?);
    }
    value.end()?;
    Ok((call, dedupe))
}

fn read_target(value: &mut Reader<'_>) -> Result<Target, Error> {
    Ok(Target {
        url: value.str()?,
        named_by: value.variant("origin", &NAMED_BY)?,
        secret: value.option(read_secret)?,
    })
}

fn read_secret(value: &mut Reader<'_>) -> Result<SigningKey, Error> {
    SigningKey::from_bytes(value.bytes()?).map_err(|error| Error::Corrupt(error.to_string()))
}

fn write_retry(value: &mut Writer, retry: &Retry) {
    match retry {
        Retry::Exponential {
            retries,
            initial,
            max,
            jitter_percent,
        } => {
            value.u8(0);
            value.u32(*retries);
            value.duration(*initial);
            value.duration(*max);
            value.u8(*jitter_percent);
        }
        Retry::Schedule {
            waits,
            jitter_percent,
        } => {
            value.u8(1);
            value.u32(u32::try_from(waits.len()).expect("a schedule is a few waits"));
            for wait in waits {
                value.duration(*wait);
            }
            value.u8(*jitter_percent);
        }
    }
}

fn read_retry(value: &mut Reader<'_>) -> Result<Retry, Error> {
    match value.u8()? {
        0 => Ok(Retry::Exponential {
            retries: value.u32()?,
            initial: value.duration()?,
            max: value.duration()?,
            jitter_percent: value.u8()?,
        }),
        1 => {
            let waits = value.u32()?;
            Ok(Retry::Schedule {
                waits: (0..waits).map(|_| value.duration()).collect::<Result<_, _>>()?,
                jitter_percent: value.u8()?,
            })
        }
        other => Err(Error::Corrupt(format!("{other} is not a retry schedule"))),
    }
}
