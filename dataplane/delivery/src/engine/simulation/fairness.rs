//! Whether clients got their turns and no more than their share of what runs.
//!
//! `judge` feeds it every event. Invariant: goes by the largest limit that the route ever had where it asks for too much,
//! and by the smallest where it asks for too little, since an edit may come at any moment.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Commit, Event, Step};
use super::judge::{Condition, Finding};
use super::plan::{Edit, Item, NewCall, Number, Plan};
use crate::engine::shares;
use crate::state::{Exec, State};

/// How often another client's call may begin before the oldest one of a client on the same server. In turn it is once; a
/// request about the call may hold it for a moment.
const OVERTAKEN: u32 = 6;

#[derive(Default)]
pub(super) struct Fairness {
    /// What this process executes, unless it resumed it.
    executing: BTreeSet<Number>,
    /// What is queued, in the order of acceptance, and how often each other client was served before it.
    queued: BTreeMap<usize, (Number, BTreeMap<u8, u32>)>,
    /// Calls in the order in which they were accepted.
    accepted: Vec<Number>,
    /// What was put off waits for more than its turn.
    put_off: BTreeSet<Number>,
    /// From then on the route has the default limits.
    is_calm: bool,
    pub(super) findings: Vec<Finding>,
}

impl Fairness {
    pub(super) fn read(&mut self, plan: &Plan, event: &Event) {
        match event {
            Event::Started(_) => self.executing.clear(),
            Event::Calm => self.is_calm = true,
            Event::Committed(commit) => self.commit(plan, commit),
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

    fn commit(&mut self, plan: &Plan, commit: &Commit) {
        let Some(after) = commit.after else { return };
        if commit.steps.contains(&Step::PutOff) {
            self.put_off.insert(commit.call);
        }
        let place = self.place(commit.call);
        if is_queued(after.state) {
            let overtaken = BTreeMap::new();
            self.queued.entry(place).or_insert((commit.call, overtaken));
        } else if self.queued.remove(&place).is_some() && after.state.exec == Exec::Running {
            self.check_turns(plan, commit.call);
        }
    }

    fn place(&mut self, call: Number) -> usize {
        let known = self.accepted.iter().position(|known| *known == call);
        known.unwrap_or_else(|| {
            self.accepted.push(call);
            self.accepted.len() - 1
        })
    }

    /// A client runs no more than its share of its server's limit.
    fn check_share(&mut self, plan: &Plan, call: Number) {
        let Some(given) = plan.call(call) else { return };
        let most = shares::of(rooms(plan, given.server).max().unwrap_or_default());
        let running = self.running(plan, given);
        if running > most {
            let says = format!(
                "it is the {running}th of client {} on its server, where {most} may run",
                given.client
            );
            self.find(call, &says);
        }
    }

    /// The oldest call of every other client on the server has been overtaken.
    fn check_turns(&mut self, plan: &Plan, call: Number) {
        let Some(given) = plan.call(call) else { return };
        let mut oldest: BTreeMap<u8, (usize, Number)> = BTreeMap::new();
        for (place, (other, _)) in &self.queued {
            let other = plan.call(*other).filter(|other| other.server == given.server);
            if let Some(other) = other.filter(|other| other.client != given.client) {
                oldest.entry(other.client).or_insert((*place, other.number));
            }
        }
        for (place, other) in oldest.into_values() {
            if self.waits_for_its_turn_alone(plan, other)
                && let Some((_, overtaken)) = self.queued.get_mut(&place)
            {
                let times = overtaken.entry(given.client).or_default();
                *times += 1;
                if *times == OVERTAKEN {
                    let says = format!("client {} was served {OVERTAKEN} times before it", given.client);
                    self.find(other, &says);
                }
            }
        }
    }

    fn waits_for_its_turn_alone(&self, plan: &Plan, call: Number) -> bool {
        let has_tool_limits = plan.items.iter().any(|item| {
            let Item::Edit { edit, .. } = item else {
                return false;
            };
            matches!(edit, Edit::ToolRoom(_))
        });
        let share = |given: &NewCall| shares::of(rooms(plan, given.server).min().unwrap_or_default());
        let in_all = shares::of(max_running(plan).min().unwrap_or_default());
        let call = plan.call(call).filter(|given| {
            self.running(plan, given) < share(given) && self.running_in_all(plan, given.client) < in_all
        });
        !has_tool_limits && call.is_some_and(|given| !self.put_off.contains(&given.number))
    }

    /// How many of a client run on all servers.
    fn running_in_all(&self, plan: &Plan, client: u8) -> usize {
        let others = self.executing.iter().filter_map(|other| plan.call(*other));
        others.filter(|other| other.client == client).count()
    }

    /// How many of the same client run on the same server.
    fn running(&self, plan: &Plan, given: &NewCall) -> usize {
        let others = self.executing.iter().filter_map(|other| plan.call(*other));
        let same = others.filter(|other| (other.client, other.server) == (given.client, given.server));
        same.count()
    }

    fn find(&mut self, call: Number, says: &str) {
        let says = format!("call {call}: {says}");
        let condition = Condition::Unfair;
        self.findings.push(Finding { condition, says });
    }
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
