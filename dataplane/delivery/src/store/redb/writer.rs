//! The writer thread: takes what is queued, commits it as one group, replies to all.
//!
//! A single operation after a pause is committed at once, and the next group gathers while that commit is in progress and
//! for a few milliseconds more. Invariant: no reply is sent before the commit, and after a failed commit nothing in memory
//! is trusted: the file is reopened.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ::redb::WriteTransaction;

use super::Options;
use super::blob::Name;
use super::fault::Fault;
use super::file::Media;
use super::format;
use super::group::{Done, Group};
use super::keys::Timed;
use super::op::{Op, ReplyTo, Waiter};
use super::shared::Shared;
use crate::job::Owner;
use crate::store::Error;

/// The most operations in one commit.
const GROUP_OPS: usize = 512;
/// A group of this many bytes takes no further operation.
const GROUP_BYTES: usize = 8 << 20;
/// The shortest time between two commits of few operations, so that a busy store gathers groups: each commit costs the same
/// however little is in it. A delivery waits for three, which at 200 a second was measured as a p95 of 22 ms.
const SPACING: Duration = Duration::from_micros(7_500);
/// A group of this many operations is not few: more would not make it cheaper.
const ENOUGH: usize = 128;
/// How often it is checked meanwhile whether there are enough.
const CHECKED: Duration = Duration::from_micros(1_500);
/// Failures in a row after which the store fails for good.
const FAILURES: u32 = 3;
/// The same for a full disk: a new process would find no more space.
const FAILURES_FOR_ROOM: u32 = 100;
/// How long to wait before the file is reopened, times the failures so far.
const PAUSE: Duration = Duration::from_millis(100);

/// A group: operations still to be run, and replies that wait for the commit of the others.
#[derive(Default)]
struct Batch {
    todo: VecDeque<Op>,
    waiters: Vec<Waiter>,
    /// Files that rows of this group name: if the group fails, at whatever point, it is unknown whether they stay.
    written: Vec<Name>,
    /// Gets a reply when the file is closed after this group.
    close: Option<ReplyTo<()>>,
    bytes: usize,
}

impl Batch {
    fn take(&mut self, op: Op) {
        self.bytes += op.weight();
        match op {
            Op::Close(reply) => self.close = Some(reply),
            op => self.todo.push_back(op),
        }
    }

    fn is_full(&self) -> bool {
        self.close.is_some() || self.todo.len() >= GROUP_OPS || self.bytes >= GROUP_BYTES
    }

    fn has_enough(&self) -> bool {
        self.is_full() || self.todo.len() >= ENOUGH
    }
}

/// The state of the writer thread.
pub(super) struct Writer {
    inbox: mpsc::Receiver<Op>,
    /// This process.
    owner: Owner,
    shared: Arc<Shared>,
    media: Box<dyn Media>,
    options: Options,
    /// The current group. Kept here so that its callers always learn of a failure only after the store
    /// reports that it is down.
    batch: Batch,
    /// Files of which it is unknown whether a row names them, until the database is reopened.
    doubtful: Vec<Name>,
    /// Where reclaiming delivered results continues.
    reclaimed: Timed,
    /// When the last commit began.
    last: Option<Instant>,
    /// Failures since the last commit that succeeded.
    failures: u32,
    /// Whether it ended on request.
    closed: bool,
}

impl Writer {
    pub(super) fn new(
        inbox: mpsc::Receiver<Op>,
        owner: Owner,
        shared: Arc<Shared>,
        media: Box<dyn Media>,
        options: Options,
    ) -> Self {
        Self {
            inbox,
            owner,
            shared,
            media,
            options,
            batch: Batch::default(),
            doubtful: Vec::new(),
            reclaimed: Timed::default(),
            last: None,
            failures: 0,
            closed: false,
        }
    }

    /// Runs until it is closed or fails for good.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.inbox.recv() {
            self.batch = self.gather(first);
            let committed = self.commit();
            let close = self.batch.close.take();
            if let Err(fault) = committed
                && !self.recover(fault)
            {
                return;
            }
            self.answer();
            if let Some(reply) = close {
                return self.close(reply);
            }
        }
    }

    /// Takes what is queued, and what comes until there are enough or the last commit is long enough ago.
    fn gather(&mut self, first: Op) -> Batch {
        let mut batch = Batch::default();
        batch.take(first);
        loop {
            while !batch.is_full()
                && let Ok(next) = self.inbox.try_recv()
            {
                batch.take(next);
            }
            let early = self.last.map(|last| SPACING.saturating_sub(last.elapsed()));
            let early = early.filter(|early| !early.is_zero() && !batch.has_enough());
            let Some(early) = early else { break };
            thread::sleep(early.min(CHECKED));
        }
        self.last = Some(Instant::now());
        batch
    }

    /// Runs the group in one commit.
    fn commit(&mut self) -> Result<(), Fault> {
        if self.batch.todo.is_empty() {
            return Ok(());
        }
        self.shared.refresh();
        let txn = self.shared.begin_write()?;
        let vault = Arc::clone(self.shared.vault());
        let before = (self.shared.ledger(), self.shared.space(), self.reclaimed);
        let batch = &mut self.batch;
        let mut group = Group::open(&txn, (&vault, self.owner), before, &mut batch.written)?;
        while let Some(op) = batch.todo.pop_front() {
            group.run(op, &mut batch.waiters)?;
        }
        self.reclaimed = group.reclaimed();
        if group.is_idle() {
            drop(group);
            txn.abort()?;
            return Ok(());
        }
        let done = group.finish()?;
        self.make_durable(txn, done)
    }

    fn answer(&mut self) {
        for wake in self.batch.waiters.drain(..) {
            wake();
        }
    }

    fn make_durable(&mut self, txn: WriteTransaction, done: Done) -> Result<(), Fault> {
        let Done {
            info,
            ledger,
            dropped,
            notices,
        } = done;
        if let Some(hook) = &self.options.before_commit {
            hook(info);
        }
        txn.commit()?;
        if let Some(hook) = &self.options.after_commit {
            hook(info);
        }
        self.failures = 0;
        self.batch.written.clear();
        for file in dropped {
            self.remove(file);
        }
        self.shared.committed(info.total(), notices, ledger);
        self.shared.refresh(); // removed files freed space
        Ok(())
    }

    /// Reopens the file after a failure and verifies that it takes commits. False if the store failed for
    /// good; every operation that was queued meanwhile is then refused.
    fn recover(&mut self, fault: Fault) -> bool {
        let patience = if fault.is_about_room() {
            self.shared.budget().is_refused();
            FAILURES_FOR_ROOM
        } else {
            FAILURES
        };
        let mut error = Error::from(fault);
        loop {
            self.failures += 1;
            tracing::error!(%error, failures = self.failures, "the store failed");
            // Closing after a failure reports that failure again.
            let _ = self.shared.set_down(error.to_string());
            self.doubtful.append(&mut self.batch.written);
            self.reclaimed = Timed::default();
            self.batch = Batch::default(); // those that waited get their errors now
            if self.failures >= patience {
                return false;
            }
            thread::sleep(PAUSE * self.failures.min(FAILURES));
            match self.reopen() {
                Ok(()) => return true,
                Err(again) => error = again,
            }
        }
    }

    fn reopen(&mut self) -> Result<(), Error> {
        let (db, ledger) = self.media.open()?;
        let txn = format::begin(&db)?;
        ledger.write(&txn)?;
        txn.commit().map_err(Fault::from)?;
        self.shared.set_open(db, ledger);
        self.settle_doubts();
        tracing::info!("the store is open again");
        Ok(())
    }

    /// Removes the files of commits that turned out to have failed.
    fn settle_doubts(&mut self) {
        let Ok(view) = self.shared.view() else {
            return; // orphans, which the next start removes
        };
        for file in std::mem::take(&mut self.doubtful) {
            if matches!(view.names(file), Ok(false)) {
                self.remove(file);
            }
        }
    }

    /// A file that cannot be removed is an orphan, which the next start removes.
    fn remove(&self, file: Name) {
        if let Err(error) = self.shared.vault().blobs.remove(file) {
            tracing::warn!(%error, %file, "failed to remove the file of a large body that is no longer needed");
        }
    }

    fn close(mut self, reply: ReplyTo<()>) {
        self.closed = true;
        let closed = self.shared.set_down("it is closed");
        let _ = reply.send(closed.map_err(|error| Fault::from(error).into()));
    }
}

impl Drop for Writer {
    /// Also runs when the thread panics.
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        if self.shared.is_up() {
            let _ = self.shared.set_down("its writer panicked");
        }
        self.shared.fatal().cancel();
    }
}
