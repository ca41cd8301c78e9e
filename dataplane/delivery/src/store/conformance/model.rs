//! Random operations over few names, so that they meet, and everything that can be asked
//! about a store afterwards: what two stores are compared by.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{apply_any, new_job, target};
use crate::clock::Millis;
use crate::egress::NamedBy;
use crate::history::{Entry, Outcome};
use crate::id::JobId;
use crate::job::{Call, Change, Job, Key, NewJob, Notice, Rank, Receiver, Retry, Stamp, Target};
use crate::signature::SigningKey;
use crate::state::{Category, End, Fault, Stage};
use crate::store::scan::{Filter, Found, Order};
use crate::store::{ClientUse, Counts, Evict, Scan, SessionRow, Store, Sweep, Waiting};

const JOBS: u8 = 6;
/// Events of dead letters, whose jobs have the numbers after those.
const EVENTS: u8 = 2;
const SERVERS: [&str; 2] = ["alpha", "beta"];
const CLIENTS: [&str; 3] = ["ann", "bob", "cleo"];
const RECEIVERS: [&str; 2] = ["https://one.example/", "https://two.example/"];
const SESSIONS: u8 = 2;
/// Times go up to here, in no order.
const END: u64 = 60;

/// Something to do to a store.
#[derive(Clone, Debug)]
pub(in crate::store) enum Op {
    Accept(Box<NewJob>),
    Apply(JobId, Vec<Change>, Millis),
    Remove(JobId, Millis),
    Sweep(Sweep),
    Swap([u8; 16], SessionRow),
    Reclaim(usize),
    Evict(Evict),
}

impl Op {
    /// The bytes of its largest body.
    pub(in crate::store) fn payload(&self) -> usize {
        match self {
            Self::Accept(job) => job.params.len(),
            Self::Apply(_, changes, _) => changes.iter().map(body).max().unwrap_or(0),
            Self::Remove(..) | Self::Sweep(_) | Self::Swap(..) | Self::Reclaim(_) | Self::Evict(_) => 0,
        }
    }
}

fn body(change: &Change) -> usize {
    match change {
        Change::Finish { body, .. } => body.len(),
        _ => 0,
    }
}

/// Does it; the answer as text, errors by their reason.
pub(in crate::store) async fn run(store: &dyn Store, op: Op) -> String {
    let reason = |error: crate::store::Error| error.reason();
    match op {
        Op::Accept(job) => format!("{:?}", store.accept(*job).await.map_err(reason)),
        Op::Apply(id, changes, now) => {
            format!("{:?}", apply_any(store, id, changes, now).await.map_err(reason))
        }
        Op::Remove(id, at) => {
            let by = store.owner();
            format!("{:?}", store.remove(id, Stamp { by, at }).await.map_err(reason))
        }
        Op::Sweep(sweep) => format!("{:?}", store.sweep(sweep).await.map_err(reason)),
        Op::Reclaim(limit) => format!("{:?}", store.reclaim(limit).await.map_err(reason)),
        Op::Evict(evict) => format!("{:?}", store.evict(evict).await.map_err(reason)),
        Op::Swap(sid, row) => format!("{:?}", store.swap_session(sid, row).await.map_err(reason)),
    }
}

/// Everything that a store returns.
#[derive(Debug, PartialEq)]
pub(in crate::store) struct Observation {
    jobs: Vec<Option<Job>>,
    calls: Vec<Option<Call>>,
    blobs: Vec<Option<Bytes>>,
    found: Vec<Option<JobId>>,
    queued_servers: Vec<Key>,
    next: Vec<Option<(Key, JobId)>>,
    queued: Vec<Vec<JobId>>,
    clients: Vec<ClientUse>,
    inflight: Vec<Job>,
    receivers: Vec<(Receiver, Rank, Millis)>,
    due: Vec<Vec<JobId>>,
    next_due: Vec<Option<Millis>>,
    waiting: Vec<Waiting>,
    counts: Counts,
    high_water: Millis,
    sessions: Vec<Option<SessionRow>>,
    histories: Vec<Vec<(u32, Entry)>>,
    scans: Vec<Found>,
}

/// Asks everything.
pub(in crate::store) async fn observe(store: &dyn Store) -> Observation {
    let mut seen = Observation {
        jobs: Vec::new(),
        calls: Vec::new(),
        blobs: Vec::new(),
        found: Vec::new(),
        queued_servers: store.queued_servers().await.unwrap(),
        next: Vec::new(),
        queued: Vec::new(),
        clients: Vec::new(),
        inflight: store.in_flight().await.unwrap(),
        receivers: store.receivers().await.unwrap(),
        due: Vec::new(),
        next_due: Vec::new(),
        waiting: store.waiting(None, Millis(u64::MAX), 99).await.unwrap(),
        counts: store.counts(),
        high_water: store.high_water(),
        sessions: Vec::new(),
        histories: Vec::new(),
        scans: Vec::new(),
    };
    for number in 0..JOBS + EVENTS {
        let job = new_job(number);
        let id = job.id;
        seen.jobs.push(store.job(id).await.unwrap());
        seen.calls.push(store.call(id).await.unwrap());
        seen.blobs.push(store.params(id).await.unwrap());
        seen.blobs.push(store.body(id).await.unwrap());
        seen.blobs.push(store.resume_token(id).await.unwrap());
        seen.found.push(store.find(job.dedupe.key).await.unwrap());
        seen.found.push(store.find(event(number).dedupe()).await.unwrap());
        seen.found.push(store.find([number + 3; 32]).await.unwrap());
        seen.histories.push(store.history(id).await.unwrap());
    }
    ask_by_name(store, &mut seen).await;
    look_through(store, &mut seen).await;
    seen
}

/// Every walk there is, in both orders, a page of two at a time.
async fn look_through(store: &dyn Store, seen: &mut Observation) {
    let stages = [None, Some(Stage::Dead), Some(Stage::Sending), Some(Stage::Due)];
    for (stage, order) in stages
        .iter()
        .flat_map(|stage| [(*stage, Order::Newest), (*stage, Order::Oldest)])
    {
        let mut scan = Scan {
            filter: Filter {
                stage,
                ..Filter::default()
            },
            order,
            after: None,
            limit: 2,
            rows: 3,
        };
        loop {
            let found = store.scan(scan).await.unwrap();
            scan.after = found.next;
            seen.scans.push(found);
            if scan.after.is_none() {
                break;
            }
        }
    }
}

async fn ask_by_name(store: &dyn Store, seen: &mut Observation) {
    for server in SERVERS.map(Key::of) {
        let clients = CLIENTS.map(|client| Some(Key::of(client)));
        for after in clients.into_iter().chain([None]) {
            seen.next.push(store.next_queued(server, after).await.unwrap());
        }
        for client in CLIENTS.map(Key::of) {
            seen.queued.push(store.queued(server, client, 2).await.unwrap());
        }
    }
    for client in CLIENTS.map(Key::of).into_iter().chain([Notice::account()]) {
        seen.clients.push(store.client_use(client).await.unwrap());
    }
    for receiver in RECEIVERS.map(Receiver::of) {
        for rank in Rank::ALL {
            seen.next_due.push(store.next_due(receiver, rank).await.unwrap());
            for (now, limit) in [(END / 2, 9), (END, 2), (u64::MAX, 9)] {
                let due = store.due(receiver, rank, Millis(now), limit).await;
                seen.due.push(due.unwrap());
            }
        }
    }
    for sid in 0..SESSIONS {
        seen.sessions.push(store.session([sid; 16]).await.unwrap());
    }
}

/// Any operation.
pub(in crate::store) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => accept(),
        9 => apply(),
        1 => (0..JOBS + EVENTS, 0..END).prop_map(|(number, at)| Op::Remove(new_job(number).id, Millis(at))),
        1 => sweep(),
        1 => swap(),
        1 => (0..4usize).prop_map(Op::Reclaim),
        1 => (0..3000u64, 0..4usize, 0..END).prop_map(|(bytes, limit, at)| {
            Op::Evict(Evict { bytes, limit, at: Millis(at) })
        }),
    ]
}

fn accept() -> impl Strategy<Value = Op> {
    let names = (
        prop::sample::select(SERVERS.to_vec()),
        prop::sample::select(CLIENTS.to_vec()),
        prop::option::weighted(0.8, prop::sample::select(RECEIVERS.to_vec())),
    );
    let numbers = (0..JOBS, 0..JOBS, 0..2u8);
    (numbers, names, 0..END, 0..40usize, retry()).prop_map(
        |((number, key, fingerprint), (server, client, receiver), at, size, retry)| {
            let mut job = new_job(number);
            // Mostly a key of its own, sometimes another job's.
            job.dedupe.key = [if fingerprint == 0 { number } else { key }; 32];
            job.dedupe.fingerprint = [fingerprint; 32];
            job.at = Millis(at);
            job.call.server = server.to_owned();
            job.call.client = client.to_owned();
            job.call.target = receiver.map(target);
            if let (Some(target), true) = (&mut job.call.target, fingerprint == 1) {
                target.secret = Some(SigningKey::from_bytes(&[number; 24]).expect("24 bytes are a key"));
            }
            job.call.retry = retry;
            job.call.as_task = fingerprint == 1;
            job.params = Bytes::from(vec![number; size * size]);
            job.max_pending = 2;
            job.max_queued = 3;
            Op::Accept(Box::new(job))
        },
    )
}

fn retry() -> impl Strategy<Value = Retry> {
    let span = || (0..99_999u64).prop_map(Duration::from_millis);
    prop_oneof![
        (0..9u32, span(), span(), 0..=100u8).prop_map(|(retries, initial, max, jitter_percent)| {
            Retry::Exponential {
                retries,
                initial,
                max,
                jitter_percent,
            }
        }),
        (prop::collection::vec(span(), 0..4), 0..=100u8).prop_map(|(waits, jitter_percent)| {
            Retry::Schedule {
                waits,
                jitter_percent,
            }
        }),
    ]
}

fn apply() -> impl Strategy<Value = Op> {
    let changes = prop::collection::vec(change(), 0..4);
    (0..JOBS + EVENTS, changes, 0..END)
        .prop_map(|(number, changes, now)| Op::Apply(new_job(number).id, changes, Millis(now)))
}

/// Any change, the steps of an ordinary life more often.
pub(in crate::store) fn change() -> impl Strategy<Value = Change> {
    let category = || prop::sample::select(Category::ALL.to_vec());
    let body = (0..40usize).prop_map(|size| Bytes::from(vec![7; size * size]));
    prop_oneof![
        3 => Just(Change::Start),
        1 => Just(Change::Release),
        1 => Just(Change::PutOff),
        2 => (1..9usize).prop_map(|size| Change::ResumeToken { token: Bytes::from(vec![5; size]) }),
        2 => (0..JOBS + 3).prop_map(|name| Change::Name { name: [name; 32] }),
        1 => prop::sample::select(vec![Change::Resume, Change::Suspend, Change::Poison]),
        4 => (prop::sample::select(End::ALL.to_vec()), body).prop_map(|(end, body)| Change::Finish { end, body }),
        4 => Just(Change::Claim),
        3 => note().prop_map(Change::Attempted),
        3 => (0..END, prop::option::of(category())).prop_map(|(at, why)| Change::Retry { at: Millis(at), why }),
        2 => Just(Change::Deliver),
        2 => category().prop_map(|why| Change::Bury { why }),
        2 => (JOBS..JOBS + EVENTS).prop_map(|number| Change::Notify(Box::new(event(number)))),
        1 => Just(Change::Stop),
        1 => Just(Change::Evict),
        1 => Just(Change::Replay),
    ]
}

/// An event whose job has this number.
fn event(number: u8) -> Notice {
    let job = new_job(number);
    Notice {
        id: job.id,
        body: Bytes::from(vec![number; 90]),
        call: Call {
            target: Some(Target {
                named_by: NamedBy::Notify,
                ..target(RECEIVERS[0])
            }),
            client: "asyncmcp dead-letter notifications".to_owned(),
            ..job.call
        },
    }
}

fn note() -> impl Strategy<Value = Entry> {
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    let fault = prop::option::of(prop::sample::select(Fault::ALL.to_vec()));
    let status = prop::option::of(100..600u16);
    (outcome, fault, status, 0..END).prop_map(|(outcome, fault, status, started)| Entry {
        replay: 0,
        started: Millis(started),
        duration: fault.is_none().then_some(Duration::from_millis(started)),
        outcome,
        category: None,
        fault,
        status,
        next: status.map(|_| Millis(started)),
    })
}

fn sweep() -> impl Strategy<Value = Op> {
    (0..END, 0..END, 0..END, 0..4usize).prop_map(|(now, settled, dead, limit)| {
        Op::Sweep(Sweep {
            now: Millis(now),
            settled_before: Millis(settled),
            dead_before: Millis(dead),
            limit,
        })
    })
}

fn swap() -> impl Strategy<Value = Op> {
    (0..SESSIONS, 0..4u64, 0..END).prop_map(|(sid, version, expires)| {
        let row = SessionRow {
            version,
            expires: Millis(expires),
            bytes: Bytes::from(vec![sid; 9]),
        };
        Op::Swap([sid; 16], row)
    })
}
