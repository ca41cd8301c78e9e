//! All recordings, and how much of them is kept.
//!
//! [`super`] begins them and finds them again. Invariant: what was read, or what nobody reads, takes at most [`PER_STREAM`],
//! [`PER_SESSION`] and [`IN_ALL`] bytes; the oldest goes first, of the client that keeps the most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::recording::{Found, Name, Recording};
use crate::caller::Scope;

/// An answer of this size survives its client's connection.
const PER_STREAM: usize = 4 << 20;
/// A client that lost its network lost a few answers at once.
const PER_SESSION: usize = 8 << 20;
/// A pod has 256 MiB as a rule.
const IN_ALL: usize = 32 << 20;
/// Recordings that have ended, in all: the small ones are bounded, too.
const MOST: usize = 4096;
/// How long an answer is kept that nobody reads.
pub(super) const KEPT_FOR: Duration = Duration::from_mins(5);
/// How often what was kept long enough is dropped.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// A client that takes no message for so long has stopped reading.
const STUCK: Duration = Duration::from_mins(1);
/// A client that polls comes back within a few seconds. One that stays away longer is asked nothing.
const AWAY: Duration = Duration::from_secs(30);

/// The recordings. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Kept(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: HashMap<Name, Arc<Recording>>,
    /// What they take, in all and of each session. A session that keeps nothing has no entry.
    bytes: usize,
    sessions: HashMap<Scope, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    stream: usize,
    session: usize,
    in_all: usize,
    most: usize,
}

/// Writes one recording, which has ended when this is dropped.
#[derive(Debug)]
pub(in crate::calls) struct Recorder {
    kept: Kept,
    recording: Arc<Recording>,
}

/// Reads one recording.
#[derive(Debug)]
pub(in crate::calls) struct Reader {
    kept: Kept,
    recording: Arc<Recording>,
    number: u64,
    next: u64,
    /// The client got an event id, or is about to.
    is_known: bool,
}

impl Kept {
    /// Must be called within a runtime: a task drops what was kept long enough, for as long as there are clones.
    pub(super) fn start() -> Self {
        Self::within(Limits {
            stream: PER_STREAM,
            session: PER_SESSION,
            in_all: IN_ALL,
            most: MOST,
        })
    }

    fn within(limits: Limits) -> Self {
        let state = Mutex::default();
        let kept = Self(Arc::new(Inner { limits, state }));
        tokio::spawn(expire(Arc::downgrade(&kept.0)));
        kept
    }

    /// One more, with its first reader.
    pub(super) fn add(&self, recording: Recording) -> (Recorder, Reader) {
        let recording = Arc::new(recording);
        let mut state = self.state();
        state.all.insert(recording.name, Arc::clone(&recording));
        state.limit_count(self.0.limits.most);
        drop(state);
        let recorder = Recorder {
            kept: self.clone(),
            recording: Arc::clone(&recording),
        };
        (recorder, self.reader(recording, 0))
    }

    /// Reads a recording from the message `from` on.
    pub(super) fn read(&self, name: &Name, from: u64) -> Option<Reader> {
        let recording = self.state().all.get(name).cloned()?;
        Some(self.reader(recording, from).known())
    }

    fn reader(&self, recording: Arc<Recording>, from: u64) -> Reader {
        Reader {
            number: recording.attach(from),
            kept: self.clone(),
            recording,
            next: from,
            is_known: false,
        }
    }

    fn holds(&self, recording: &Recording) -> bool {
        self.state().all.contains_key(&recording.name)
    }

    /// No holder panics half way; what it guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, recording: &Recording, message: Bytes, is_response: bool) {
        self.bytes += message.len();
        *self.sessions.entry(recording.scope).or_default() += message.len();
        recording.push(message, is_response);
    }

    fn shrink(&mut self, recording: &Recording, most: usize) {
        self.freed(recording.scope, recording.shrink(most));
    }

    fn remove(&mut self, name: &Name) {
        if let Some(recording) = self.all.remove(name) {
            self.freed(recording.scope, recording.bytes());
        }
    }

    fn freed(&mut self, scope: Scope, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(session) = self.sessions.get_mut(&scope) {
            *session = session.saturating_sub(bytes);
            if *session == 0 {
                self.sessions.remove(&scope);
            }
        }
    }

    /// Drops what is too much, after `latest` has grown or lost its reader. More than it must, so that it is not at every
    /// message of a busy client.
    fn trim(&mut self, latest: &Recording, limits: Limits) {
        self.shrink(latest, limits.stream);
        let session = self.sessions.get(&latest.scope).copied().unwrap_or_default();
        if session > limits.session {
            self.free(session - part(limits.session), |one| one.scope == latest.scope);
        }
        if self.bytes > limits.in_all {
            let less = self.bytes - part(limits.in_all);
            let account = self.heaviest();
            self.free(less, |one| one.account == account);
        }
    }

    /// Frees so many bytes of those that are `meant`: first what ended first, then the oldest of what still grows.
    fn free(&mut self, bytes: usize, meant: impl Fn(&Recording) -> bool) {
        let goal = self.bytes.saturating_sub(bytes);
        let meant = self.all.values().filter(|one| one.bytes() > 0 && meant(one));
        let mut meant: Vec<_> = meant.cloned().collect();
        meant.sort_by_cached_key(|one| one.over().map_or((true, None), |since| (false, Some(since))));
        for one in meant {
            if self.bytes <= goal {
                return;
            }
            if one.over().is_some() {
                self.remove(&one.name);
            } else {
                self.shrink(&one, one.bytes().saturating_sub(self.bytes - goal));
            }
        }
    }

    /// The account that keeps the most.
    fn heaviest(&self) -> String {
        let mut accounts: HashMap<&str, usize> = HashMap::new();
        for one in self.all.values() {
            *accounts.entry(&one.account).or_default() += one.bytes();
        }
        let heaviest = accounts.into_iter().max_by_key(|(_, bytes)| *bytes);
        heaviest
            .map(|(account, _)| account.to_owned())
            .unwrap_or_default()
    }

    fn limit_count(&mut self, most: usize) {
        if self.all.len() <= most {
            return;
        }
        let over = self.all.values().filter_map(|one| Some((one.over()?, one.name)));
        let mut over: Vec<_> = over.collect();
        over.sort_unstable();
        for (_, name) in over.iter().take(self.all.len() - part(most)) {
            self.remove(name);
        }
    }
}

/// What is left where a limit was exceeded.
fn part(limit: usize) -> usize {
    limit / 4 * 3
}

async fn expire(kept: Weak<Inner>) {
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        let Some(inner) = kept.upgrade() else {
            return;
        };
        let Some(then) = Instant::now().checked_sub(KEPT_FOR) else {
            continue;
        };
        let kept = Kept(inner);
        let mut state = kept.state();
        let is_over = |one: &Recording| one.over().is_some_and(|since| since <= then);
        let over = state.all.values().filter(|one| is_over(one));
        for name in over.map(|one| one.name).collect::<Vec<_>>() {
            state.remove(&name);
        }
    }
}

impl Recorder {
    /// One more message. Waits a while for a slow reader, and never for one that is gone.
    pub(in crate::calls) async fn send(&self, message: Bytes, is_response: bool) {
        if timeout(STUCK, self.recording.keeps_up()).await.is_err() {
            self.recording.dismiss();
        }
        let mut state = self.kept.state();
        if state.all.contains_key(&self.recording.name) {
            state.push(&self.recording, message, is_response);
            state.trim(&self.recording, self.kept.0.limits);
        }
    }

    /// Whether nobody has read for so long that nobody should be asked.
    pub(in crate::calls) fn is_away(&self) -> bool {
        self.recording.is_away(AWAY) || !self.kept.holds(&self.recording)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.recording.end();
    }
}

impl Reader {
    /// Which stream it reads.
    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The client gets to know an event id.
    pub(super) fn known(mut self) -> Self {
        self.is_known = true;
        self
    }

    /// The next message and its number, or how it ended.
    pub(super) async fn next(&mut self) -> Found {
        let mut changed = self.recording.changes();
        loop {
            match self.recording.find(self.number, self.next) {
                Found::Later => drop(changed.changed().await), // the sender is in the recording
                Found::Message(number, message) => {
                    self.next = number + 1;
                    return Found::Message(number, message);
                }
                end => return end,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.recording.detach(self.number);
        let mut state = self.kept.state();
        if self.is_known {
            state.trim(&self.recording, self.kept.0.limits);
        } else {
            state.remove(&self.recording.name); // nobody can come back for it
        }
    }
}

#[cfg(test)]
mod tests;
