//! Exports every job and session that can be read, as JSON lines, also from a damaged file.
//!
//! Invariant: a row that cannot be read is the only one lost, as far as the file's pages allow.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use ::redb::{ReadOnlyTable, Value};

use super::guard::{guarded, whole};
use super::lines::{Attempt, Base64, Head, JobLine, SessionLine, Stored, VERSION};
use super::{Failure, Reading};
use crate::id::JobId;
use crate::state::{Exec, Push, State};
use crate::store::codec;
use crate::store::redb::format;
use crate::store::redb::keys;
use crate::store::redb::read::table;
use crate::store::redb::tables::{self, Id};
use crate::store::seal::{Field, Sealer};

/// How often reading is tried from the middle of an unreadable range.
const TRIES: u32 = 4096;

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Jobs.
    pub jobs: u64,
    /// Sessions.
    pub sessions: u64,
    /// Jobs of them that lack something that cannot be read.
    pub incomplete: u64,
    /// Whether some rows could not be read.
    pub damaged: bool,
}

/// Writes everything that can be read to `out`; encrypted values stay encrypted.
pub fn export(dir: &Path, out: &mut dyn Write) -> Result<Exported, Failure> {
    whole(dir, || write(dir, out))
}

fn write(dir: &Path, out: &mut dyn Write) -> Result<Exported, Failure> {
    let reading = Reading::open(dir, Sealer::default())?;
    let ledger = guarded(|| format::ledger(&reading.view.0).ok()).flatten();
    let mut exported = Exported {
        damaged: ledger.is_none(),
        ..Exported::default()
    };
    let head = Head {
        asyncmcp_store: VERSION,
        route: reading.route.clone(),
        high_water: ledger.unwrap_or_default().high_water.0,
    };
    line(out, &head)?;
    for id in all(&reading, tables::JOB, &mut exported.damaged) {
        match guarded(|| job(&reading, JobId::from_bytes(id))) {
            Some(Some(job)) => {
                exported.jobs += 1;
                exported.incomplete += u64::from(job.call.is_none() || job.dedupe.is_none());
                line(out, &job)?;
            }
            _ => exported.damaged = true,
        }
    }
    for session in sessions(&reading, &mut exported.damaged) {
        exported.sessions += 1;
        line(out, &session)?;
    }
    out.flush().map_err(Failure::Lines)?;
    Ok(exported)
}

fn line(out: &mut dyn Write, line: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec(line).map_err(|error| Failure::Lines(error.into()))?;
    text.push(b'\n');
    out.write_all(&text).map_err(Failure::Lines)
}

fn job(reading: &Reading, id: JobId) -> Option<JobLine> {
    let raw = raw(reading, tables::JOB, id)?;
    let header = codec::decode_job(id, &raw).ok()?;
    let dedupe = guarded(|| reading.view.dedupe_row(header.dedupe).ok().flatten()).flatten();
    let (exec, push) = words(header.state);
    let history = guarded(|| reading.view.history(id).unwrap_or_default()).unwrap_or_default();
    let attempts = history.iter().map(|(number, entry)| Attempt {
        number: *number,
        value: Base64(codec::encode_entry(entry)),
    });
    let field = |field| stored(reading, field, id);
    Some(JobLine {
        job: id.to_string(),
        exec,
        push,
        header: Base64(raw),
        dedupe: dedupe.map(Base64),
        call: field(Field::Call),
        params: field(Field::Params),
        body: field(Field::Body),
        token: field(Field::ResumeToken),
        attempts: attempts.collect(),
    })
}

fn words(state: State) -> (String, String) {
    let exec = match state.exec {
        Exec::Queued => "queued",
        Exec::Running => "running",
        Exec::Ended(end) => end.as_str(),
    };
    let push = match state.push {
        Push::None => "none",
        Push::Due => "due",
        Push::Sending => "sending",
        Push::Delivered => "delivered",
        Push::Stopped => "stopped",
        Push::Dead(why) => return (exec.to_owned(), format!("dead: {why}")),
    };
    (exec.to_owned(), push.to_owned())
}

/// A value without its file.
fn stored(reading: &Reading, field: Field, id: JobId) -> Option<Stored> {
    let raw = raw(reading, table(field), id)?;
    let value = reading.view.1.whole(field, id.to_bytes(), &raw).ok()?;
    let key = codec::wrap::Wrapped::read(&value).ok()?.key();
    Some(Stored {
        key,
        value: Base64(value),
    })
}

fn raw(
    reading: &Reading,
    table: ::redb::TableDefinition<'static, Id, &'static [u8]>,
    id: JobId,
) -> Option<Vec<u8>> {
    guarded(|| {
        let rows = reading.view.0.open_table(table).ok()?;
        let row = rows.get(&id.to_bytes()).ok()?;
        row.map(|row| row.value().to_vec())
    })
    .flatten()
}

fn sessions(reading: &Reading, damaged: &mut bool) -> Vec<SessionLine> {
    let mut expiries = BTreeMap::new();
    for row in all(reading, tables::SESSION_EXPIRE, damaged) {
        expiries.insert(keys::timed_id(&row), keys::at(&row).0);
    }
    let mut sessions = Vec::new();
    for (sid, expires) in expiries {
        match stored(reading, Field::Session, JobId::from_bytes(sid)) {
            Some(row) => sessions.push(SessionLine {
                session: Base64(sid.to_vec()),
                expires,
                row,
            }),
            None => *damaged = true,
        }
    }
    sessions
}

/// The keys of a table: from its start, from its end, and from the middles of what is left in between.
fn all<const N: usize, V: Value + 'static>(
    reading: &Reading,
    table: ::redb::TableDefinition<'static, &'static [u8; N], V>,
    damaged: &mut bool,
) -> Vec<[u8; N]> {
    let opened = guarded(|| reading.view.0.open_table(table).ok()).flatten();
    let Some(rows) = opened else {
        *damaged = true;
        return Vec::new();
    };
    let mut found = std::collections::BTreeSet::new();
    let mut gaps = vec![([0; N], [255; N])];
    for _ in 0..TRIES {
        let Some((first, last)) = gaps.pop() else {
            break;
        };
        let Err(low) = run(&rows, first, last, false, &mut found) else {
            continue; // to the end
        };
        *damaged = true;
        let Err(high) = run(&rows, first, last, true, &mut found) else {
            continue;
        };
        let middle = between(low.unwrap_or(first), high.unwrap_or(last));
        if let Some(middle) = middle {
            gaps.push((low.unwrap_or(first), middle));
            gaps.push((middle, high.unwrap_or(last)));
        }
    }
    found.into_iter().collect()
}

/// Reads one way until it is over or a row cannot be read; the error is the last one before that.
fn run<const N: usize, V: Value + 'static>(
    rows: &ReadOnlyTable<&'static [u8; N], V>,
    first: [u8; N],
    last: [u8; N],
    backwards: bool,
    found: &mut std::collections::BTreeSet<[u8; N]>,
) -> Result<(), Option<[u8; N]>> {
    let mut good = None;
    let over = guarded(|| {
        let Ok(mut range) = rows.range::<&[u8; N]>(&first..=&last) else {
            return false;
        };
        loop {
            let row = if backwards {
                range.next_back()
            } else {
                range.next()
            };
            match row {
                None => return true,
                Some(Ok((key, _))) => {
                    found.insert(*key.value());
                    good = Some(*key.value());
                }
                Some(Err(_)) => return false,
            }
        }
    });
    if over == Some(true) { Ok(()) } else { Err(good) }
}

/// The middle of two keys, if there is one.
fn between<const N: usize>(low: [u8; N], high: [u8; N]) -> Option<[u8; N]> {
    let (mut sum, mut carry) = ([0; N], 0);
    for at in (0..N).rev() {
        let digit = u16::from(low[at]) + u16::from(high[at]) + carry;
        [_, sum[at]] = digit.to_be_bytes();
        carry = digit >> 8;
    }
    for digit in &mut sum {
        let whole = carry << 8 | u16::from(*digit);
        [_, *digit] = (whole / 2).to_be_bytes();
        carry = whole % 2;
    }
    (sum > low && sum < high).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn the_middle_is_between() {
        assert_eq!(between([0, 0], [255, 255]), Some([127, 255]));
        assert_eq!(between([1, 0], [2, 0]), Some([1, 128]));
        assert_eq!(between([255, 1], [255, 255]), Some([255, 128]));
        assert_eq!(between([7, 7], [7, 8]), None);
        assert_eq!(between([7, 7], [7, 7]), None);
    }
}
