//! A world's plan: everything that will be asked of the engine and everything that will go wrong, as a list.
//!
//! `generate` draws one from a seed, `world` and `process` carry it out, `shrink` removes items from it. What a
//! fault hits is named by its call and a count, never by its place in time, so that removing one item leaves the
//! others where they are. Invariant: a plan is data; a world follows from it alone.

use std::time::Duration;

use crate::state::{Category, End, Fault};

/// Names a call within a world.
pub(super) type Number = u8;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Decides the small delays.
    pub(super) seed: u64,
    pub(super) route: Route,
    pub(super) items: Vec<Item>,
    /// Nothing goes wrong from here on.
    pub(super) end: Duration,
}

/// How the route is configured until an edit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    /// Jobs that may run on each server.
    pub(super) rooms: [usize; 3],
    pub(super) max_running: usize,
    pub(super) in_flight: usize,
    pub(super) rate: Option<u32>,
    pub(super) breaker: bool,
    pub(super) max_age: Duration,
    /// What the store may use, in bytes; no edit changes it.
    pub(super) space: Option<u64>,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            rooms: [16; 3],
            max_running: 256,
            in_flight: 8,
            rate: None,
            breaker: true,
            max_age: Duration::from_hours(24),
            space: None,
        }
    }
}

/// One thing that happens; times count from the start of the world.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// A client's call.
    Call(NewCall),
    /// Somebody asks something about a call.
    Ask {
        at: Duration,
        call: Number,
        what: What,
        patience: Patience,
    },
    /// What the server does with the call when it is contacted for the `nth` time.
    Contact { call: Number, nth: u32, does: OnServer },
    /// What the receiver does with the `nth` attempt to deliver the call.
    Attempt {
        call: Number,
        nth: u32,
        does: OnReceiver,
    },
    /// What the store does with the `nth` commit that concerns the call.
    Commit { call: Number, nth: u32, does: OnDisk },
    /// What is wrong for a while with everything.
    Weather {
        from: Duration,
        until: Duration,
        what: Weather,
    },
    /// The route's author edits it.
    Edit { at: Duration, edit: Edit },
    /// SIGTERM; the next process starts `away` after the end of this one.
    Drain {
        at: Duration,
        grace: Duration,
        away: Duration,
    },
    /// SIGKILL.
    Death { at: Duration, away: Duration },
    /// The wall clock jumps; processes that start later see it.
    Jump { at: Duration, hours: i32 },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct NewCall {
    pub(super) at: Duration,
    pub(super) number: Number,
    pub(super) client: u8,
    pub(super) server: u8,
    /// Where its result goes.
    pub(super) receiver: Option<u8>,
    /// Bytes of its arguments and of its result; 0 for a few.
    pub(super) arguments: usize,
    pub(super) result: usize,
    pub(super) timeout: Duration,
    /// Whether it may run again.
    pub(super) repeats: bool,
    pub(super) retries: u32,
    /// Jobs that its client may have pending.
    pub(super) max_pending: u64,
    pub(super) patience: Patience,
}

/// How long a caller waits for a response before it hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as it takes.
    Endless,
    /// For this many polls of the request: it ends at that await.
    Polls(u32),
    /// For so long.
    Lasts(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The same call again, under the same idempotency key.
    Again {
        same_arguments: bool,
    },
    Cancel,
    CancelByKey,
    Name(u8),
    CancelByName(u8),
    CancelOrSay,
    Stop,
    Replay,
    ReplayAll,
    List,
    Show,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnServer {
    Answers {
        after: Duration,
        end: End,
    },
    /// Certainly nothing was sent; what is to be resumed counts as lost.
    IsAway {
        retry_after: Duration,
    },
    /// It cannot be asked to resume the call at present; what is sent reaches it.
    CannotResumeYet {
        retry_after: Duration,
    },
    /// The call reached it, and no answer will come.
    Hangs,
    /// It sends half of a large result, and nothing more.
    StopsHalfway,
    /// It forgets the call: what was sent ends as unknown, what is resumed is lost.
    Loses {
        after: Duration,
    },
    /// Gives a resume token, and continues if the connection breaks.
    GivesToken {
        after: Duration,
        at_once: bool,
        ends: Duration,
    },
    /// Our side of the exchange panics.
    Panics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnReceiver {
    Status {
        status: u16,
        retry_after: Option<Duration>,
        takes: Duration,
    },
    Fails {
        category: Category,
        takes: Duration,
    },
    /// The egress policy forbids it.
    IsRefused,
    /// A fault of ours.
    IsOurFault(Fault),
    /// Until the attempt's timeout.
    Hangs,
    /// Our side of the exchange panics.
    Panics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDisk {
    Stalls(Duration),
    /// Not committed, and says so.
    Refuses,
    /// Committed, but reports a failure.
    IsUnsure,
    /// The process dies before the commit.
    DiesBefore,
    /// The process dies between the commit and the answer.
    DiesAfter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// The store neither reads nor writes.
    StoreDown,
    /// Every commit takes long.
    StoreSlow(Duration),
    /// Every commit is made and reported as failed.
    StoreUnsure,
    /// One receiver answers 503.
    ReceiverBusy(u8),
    /// One receiver hangs.
    ReceiverHangs(u8),
    /// One receiver answers 431 to what one client has sent to it.
    ReceiverRefuses { receiver: u8, client: u8 },
    /// One server cannot be reached.
    ServerAway(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Room(u8, usize),
    Remove(u8),
    MaxRunning(usize),
    ToolRoom(Option<usize>),
    InFlight(usize),
    Rate(Option<u32>),
    Breaker(bool),
    KeysGone,
    KeysBack,
    HeadersGone,
    HeadersBack,
}

impl Plan {
    /// The call of this number, if it is in the plan.
    pub(super) fn call(&self, number: Number) -> Option<&NewCall> {
        self.items.iter().find_map(|item| match item {
            Item::Call(call) if call.number == number => Some(call),
            _ => None,
        })
    }
}

impl Item {
    /// When it happens; `None` for what waits for its occasion.
    pub(super) fn at(&self) -> Option<Duration> {
        match self {
            Self::Call(call) => Some(call.at),
            Self::Ask { at, .. }
            | Self::Edit { at, .. }
            | Self::Drain { at, .. }
            | Self::Death { at, .. }
            | Self::Jump { at, .. } => Some(*at),
            Self::Weather { from, .. } => Some(*from),
            Self::Contact { .. } | Self::Attempt { .. } | Self::Commit { .. } => None,
        }
    }

    /// When it is over; `None` for what waits for its occasion.
    pub(super) fn until(&self) -> Option<Duration> {
        match self {
            Self::Weather { until, .. } => Some(*until),
            other => other.at(),
        }
    }

    /// The same with a caller that waits for the response.
    pub(super) fn patient(&self) -> Self {
        let mut patient = self.clone();
        match &mut patient {
            Self::Call(NewCall { patience, .. }) | Self::Ask { patience, .. } => {
                *patience = Patience::Endless;
            }
            _ => {}
        }
        patient
    }

    /// The call that it is about.
    pub(super) fn call(&self) -> Option<Number> {
        match self {
            Self::Call(call) => Some(call.number),
            Self::Ask { call, .. }
            | Self::Contact { call, .. }
            | Self::Attempt { call, .. }
            | Self::Commit { call, .. } => Some(*call),
            _ => None,
        }
    }
}
