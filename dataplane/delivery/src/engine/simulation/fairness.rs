//! Whether clients got their turns and no more than their share of what runs.
//!
//! `judge` feeds it every event. Invariant: goes by the largest limit that the route ever had where it asks for too much,
//! and by the smallest where it asks for too little, since an edit may come at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::event::{Commit, Event, Moment, Step};
use super::judge::{Condition, Finding};
use super::plan::{Edit, Item, NewCall, Number, Plan};
use crate::engine::shares;
use crate::state::{Exec, State};

/// How often another client may be served before a client whose call waits for the same server. In turn it is once; a
/// request about the call may hold it for a moment.
const OVERTAKEN: u32 = 6;

#[derive(Default)]
pub(super) struct Fairness {
    /// What this process executes, unless it resumed it.
    executing: BTreeSet<Number>,
    /// What is running by its row: it counts for its client until its end is committed.
    running: BTreeSet<Number>,
    queued: BTreeSet<Number>,
    /// When last and how often other clients were served since a client with a queued call was, by server.
    overtaken: BTreeMap<(u8, u8), BTreeMap<u8, (Duration, u32)>>,
    /// What was put off waits for more than its turn.
    put_off: BTreeSet<Number>,
    /// From then on the route has the default limits.
    is_calm: bool,
    pub(super) findings: Vec<Finding>,
}

impl Fairness {
    pub(super) fn read(&mut self, plan: &Plan, moment: &Moment) {
        match &moment.event {
            Event::Started(_) => self.executing.clear(),
            Event::Calm => self.is_calm = true,
            Event::Committed(commit) => self.commit(plan, moment.at, commit),
            Event::Executing { call, resumed: false } => {
                self.executing.insert(*call);
                if !self.is_calm {
                    self.check_share(plan, *call);
                }
            }
            Event::ExecutionOver { call, .. } => drop(self.executing.remove(call)),
            _ => {}
        }
    }

    fn commit(&mut self, plan: &Plan, at: Duration, commit: &Commit) {
        let Some(after) = commit.after else { return };
        if commit.steps.contains(&Step::PutOff) {
            self.put_off.insert(commit.call);
        }
        if after.state.exec == Exec::Running {
            self.running.insert(commit.call);
        } else {
            self.running.remove(&commit.call);
        }
        if is_queued(after.state) {
            self.queued.insert(commit.call);
        } else if self.queued.remove(&commit.call) && after.state.exec == Exec::Running {
            self.check_turns(plan, at, commit.call);
        }
    }

    /// A client runs no more than its share of its server's limit.
    fn check_share(&mut self, plan: &Plan, call: Number) {
        let Some(given) = plan.call(call) else { return };
        let most = shares::of(rooms(plan, given.server).max().unwrap_or_default());
        let running = on_server(plan, &self.executing, given);
        if running > most {
            let says = format!(
                "it is the {running}th of client {} on its server, where {most} may run",
                given.client
            );
            self.find(call, &says);
        }
    }

    /// A client is served: every other one with a queued call on the server is overtaken.
    fn check_turns(&mut self, plan: &Plan, at: Duration, call: Number) {
        let Some(given) = plan.call(call) else { return };
        self.overtaken.remove(&(given.server, given.client));
        let queued = self.queued.iter().filter_map(|other| plan.call(*other));
        let here = queued.filter(|other| other.server == given.server && other.client != given.client);
        let waiting = here.filter(|other| self.waits_for_its_turn_alone(plan, other.number));
        let waiting: BTreeMap<u8, Number> = waiting.map(|other| (other.client, other.number)).collect();
        self.overtaken
            .retain(|(server, client), _| *server != given.server || waiting.contains_key(client));
        for (client, other) in waiting {
            let overtaken = self.overtaken.entry((given.server, client)).or_default();
            let (last, times) = overtaken.entry(given.client).or_default();
            // What begins together is one turn: what waits may have come after it was drawn up.
            *times += u32::from(*times == 0 || *last != at);
            *last = at;
            if *times == OVERTAKEN {
                let says = format!("client {} was served {OVERTAKEN} times before it", given.client);
                self.find(other, &says);
            }
        }
    }

    fn waits_for_its_turn_alone(&self, plan: &Plan, call: Number) -> bool {
        let waits_for_room = plan.route.space.is_some();
        let has_tool_limits = plan.items.iter().any(|item| {
            let Item::Edit { edit, .. } = item else {
                return false;
            };
            matches!(edit, Edit::ToolRoom(_))
        });
        let share = |given: &NewCall| shares::of(rooms(plan, given.server).min().unwrap_or_default());
        let most = shares::of(max_running(plan).min().unwrap_or_default());
        let call = plan.call(call).filter(|given| {
            on_server(plan, &self.running, given) < share(given)
                && in_all_of(plan, &self.running, given.client) < most
        });
        let waits_for_more = |given: &NewCall| given.arguments > 0 || self.put_off.contains(&given.number);
        !has_tool_limits && !waits_for_room && call.is_some_and(|given| !waits_for_more(given))
    }

    fn find(&mut self, call: Number, says: &str) {
        let says = format!("call {call}: {says}");
        let condition = Condition::Unfair;
        self.findings.push(Finding { condition, says });
    }
}

/// How many of these are of the client.
fn in_all_of(plan: &Plan, these: &BTreeSet<Number>, client: u8) -> usize {
    let calls = these.iter().filter_map(|other| plan.call(*other));
    calls.filter(|other| other.client == client).count()
}

/// How many of these are of the call's client on its server.
fn on_server(plan: &Plan, these: &BTreeSet<Number>, given: &NewCall) -> usize {
    let calls = these.iter().filter_map(|other| plan.call(*other));
    let same = calls.filter(|other| (other.client, other.server) == (given.client, given.server));
    same.count()
}

fn is_queued(state: State) -> bool {
    state.exec == Exec::Queued
}

/// Every limit on all servers that the route ever has.
fn max_running(plan: &Plan) -> impl Iterator<Item = usize> {
    let edits = plan.items.iter().filter_map(|item| match item {
        Item::Edit {
            edit: Edit::MaxRunning(room),
            ..
        } => Some(*room),
        _ => None,
    });
    edits.chain([plan.route.max_running])
}

/// Every limit on a server, and on all of them, that the route ever has.
fn rooms(plan: &Plan, server: u8) -> impl Iterator<Item = usize> {
    let at_first = plan.route.rooms[usize::from(server)].min(plan.route.max_running);
    let edits = plan.items.iter().filter_map(move |item| match item {
        Item::Edit {
            edit: Edit::Room(of, room),
            ..
        } if *of == server => Some(*room),
        Item::Edit {
            edit: Edit::MaxRunning(room),
            ..
        } => Some(*room),
        _ => None,
    });
    edits.chain([at_first])
}
