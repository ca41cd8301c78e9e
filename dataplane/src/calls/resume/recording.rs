//! The messages of one answer, numbered from 0, as far as they are kept.
//!
//! [`super::kept`] writes and bounds it, one reader at a time reads it. Invariant: the newest reader is the only one, and what
//! it has still to read is not dropped before it leaves.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asyncmcp_protocol::Id;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::caller::Scope;

/// What names a stream: random, so that an earlier process had none of the same name.
pub(super) type Name = [u8; 16];
/// Messages that a reader has still to take before the server's stream waits for it.
const BACKLOG: u64 = 16;

#[derive(Debug)]
pub(super) struct Recording {
    pub(super) name: Name,
    /// Whose session it belongs to.
    pub(super) scope: Scope,
    /// Whom its memory counts for.
    pub(super) account: String,
    /// The request that it answers.
    pub(super) request: Id,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    messages: VecDeque<Bytes>,
    /// The number of the first of them.
    first: u64,
    bytes: usize,
    /// The last one is the response.
    answered: bool,
    /// No more comes, since then.
    ended: Option<Instant>,
    /// Who reads, the next number it takes, and how many readers there were.
    reader: Option<u64>,
    taken: u64,
    readers: u64,
    /// Since when nobody reads.
    left: Instant,
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The first message that is kept from there on, and its number.
    Message(u64, Bytes),
    /// Nothing yet.
    Later,
    /// All of it was read, the response last.
    End,
    /// The end, but no response: there was none, or it is not kept.
    NoResponse,
    /// Another reader took over.
    TakenOver,
}

impl Recording {
    pub(super) fn new(scope: Scope, account: &str, request: Id) -> Self {
        Self {
            name: rand::random(),
            scope,
            account: account.to_owned(),
            request,
            state: Mutex::new(State {
                messages: VecDeque::new(),
                first: 0,
                bytes: 0,
                answered: false,
                ended: None,
                reader: None,
                taken: 0,
                readers: 0,
                left: Instant::now(),
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// One more message.
    pub(super) fn push(&self, message: Bytes, is_response: bool) {
        let mut state = self.state();
        state.bytes += message.len();
        state.messages.push_back(message);
        state.answered = is_response;
        self.tell(state);
    }

    /// No more comes.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended.get_or_insert_with(Instant::now);
        self.tell(state);
    }

    /// A reader from the message `from` on, in place of any other.
    pub(super) fn attach(&self, from: u64) -> u64 {
        let mut state = self.state();
        state.readers += 1;
        let number = state.readers;
        (state.reader, state.taken) = (Some(number), from);
        self.tell(state);
        number
    }

    /// The reader is gone. Nothing where another one took over.
    pub(super) fn detach(&self, reader: u64) {
        let mut state = self.state();
        if state.reader == Some(reader) {
            (state.reader, state.left) = (None, Instant::now());
            self.tell(state);
        }
    }

    /// Ends whoever reads.
    pub(super) fn dismiss(&self) {
        let mut state = self.state();
        if state.reader.take().is_some() {
            state.left = Instant::now();
        }
        self.tell(state);
    }

    /// What `reader`, which has read everything before `next`, reads now.
    pub(super) fn find(&self, reader: u64, next: u64) -> Found {
        let mut state = self.state();
        if state.reader != Some(reader) {
            return Found::TakenOver;
        }
        let number = next.max(state.first);
        let at = usize::try_from(number - state.first).unwrap_or(usize::MAX);
        if let Some(message) = state.messages.get(at).cloned() {
            state.taken = number + 1;
            self.tell(state);
            return Found::Message(number, message);
        }
        match state.ended {
            None => Found::Later,
            Some(_) if state.answered && next >= state.end() => Found::End,
            Some(_) => Found::NoResponse,
        }
    }

    /// Returns when the reader, if there is one, has not too much to read.
    pub(super) async fn keeps_up(&self) {
        let mut changed = self.changed.subscribe();
        while self.state().unread() >= BACKLOG {
            let _ = changed.changed().await; // the sender is in `self`
        }
    }

    /// What tells a reader that it should look again.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Drops the oldest messages until there are at most `most` bytes, and returns how many bytes were dropped. What a reader
    /// has still to read stays.
    pub(super) fn shrink(&self, most: usize) -> usize {
        let mut state = self.state();
        let before = state.bytes;
        while state.bytes > most && (state.reader.is_none() || state.first < state.taken) {
            let Some(message) = state.messages.pop_front() else {
                break;
            };
            state.bytes -= message.len();
            state.first += 1;
        }
        before - state.bytes
    }

    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Since when no more comes and nobody reads.
    pub(super) fn over(&self) -> Option<Instant> {
        let state = self.state();
        let ended = state.ended.filter(|_| state.reader.is_none())?;
        Some(ended.max(state.left))
    }

    /// Whether nobody has read for `time`.
    pub(super) fn is_away(&self, time: Duration) -> bool {
        let state = self.state();
        state.reader.is_none() && state.left.elapsed() >= time
    }

    fn tell(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.changed.send_replace(());
    }

    /// No holder panics half way; what it guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The number of the next message.
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    fn unread(&self) -> u64 {
        match self.reader {
            Some(_) => self.end().saturating_sub(self.taken),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        Recording::new(Scope([1; 16]), "a", Id::number(1))
    }

    fn message(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[tokio::test]
    async fn the_newest_reader_reads_on_where_it_says_and_the_one_before_ends() {
        let recording = recording();
        recording.push(message("a"), false);
        let first = recording.attach(0);
        assert_eq!(recording.find(first, 0), Found::Message(0, message("a")));
        assert_eq!(recording.find(first, 1), Found::Later);
        let second = recording.attach(0);
        assert_eq!(recording.find(first, 1), Found::TakenOver);
        recording.detach(first);
        recording.push(message("b"), true);
        recording.end();
        assert_eq!(recording.find(second, 0), Found::Message(0, message("a")));
        assert_eq!(recording.find(second, 1), Found::Message(1, message("b")));
        assert_eq!(recording.find(second, 2), Found::End);
    }

    #[tokio::test]
    async fn what_a_reader_has_still_to_read_is_kept_and_all_else_is_bounded() {
        let recording = recording();
        for text in ["aaaa", "bbbb", "cccc"] {
            recording.push(message(text), false);
        }
        let reader = recording.attach(1);
        assert_eq!(recording.shrink(0), 4, "only what was read");
        assert_eq!(recording.find(reader, 1), Found::Message(1, message("bbbb")));
        recording.detach(reader);
        assert_eq!(recording.shrink(4), 4);
        recording.push(message("dd"), true);
        assert_eq!((recording.shrink(2), recording.bytes()), (4, 2));
        let reader = recording.attach(1);
        assert_eq!(
            recording.find(reader, 1),
            Found::Message(3, message("dd")),
            "a gap is skipped"
        );
        recording.detach(reader);
        recording.end();
        recording.shrink(0);
        let reader = recording.attach(1);
        assert_eq!(recording.find(reader, 1), Found::NoResponse);
    }

    #[tokio::test]
    async fn an_end_without_a_response_says_so() {
        let recording = recording();
        recording.push(message("a"), false);
        recording.end();
        let reader = recording.attach(1);
        assert_eq!(recording.find(reader, 1), Found::NoResponse);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_holds_up_and_nobody_does_not() {
        let recording = recording();
        let reader = recording.attach(0);
        for _ in 0..BACKLOG {
            recording.push(message("a"), false);
        }
        let waits = tokio::time::timeout(Duration::from_mins(1), recording.keeps_up());
        assert!(waits.await.is_err() && !recording.is_away(Duration::ZERO));
        recording.find(reader, 0);
        recording.keeps_up().await;
        recording.dismiss();
        recording.push(message("a"), false);
        recording.push(message("a"), false);
        recording.keeps_up().await;
        assert_eq!(recording.find(reader, 1), Found::TakenOver);
        assert!(recording.is_away(Duration::ZERO));
    }
}
