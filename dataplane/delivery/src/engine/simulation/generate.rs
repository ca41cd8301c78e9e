//! A plan from a seed.
//!
//! Each plan has some kinds of trouble and not others, so that one kind does not hide what another would show.
//! Invariant: the seed alone decides.

mod elsewhere;

use std::time::Duration;

use super::dice::Dice;
use super::plan::{Item, NewCall, Number, OnDisk, OnReceiver, OnServer, Patience, Plan, Route, What};
use super::trouble::Trouble;
use super::world::FIRST_EVENT;
use crate::state::{Category, End, Fault};

/// Sizes of a store that is small: a few small calls, or two large ones, fill it.
const SPACES: [u64; 3] = [512 << 10, 4 << 20, 40 << 20];

/// The plan of a seed, with troubles among `allowed`.
pub(super) fn plan(seed: u64, allowed: &[Trouble]) -> Plan {
    let mut dice = Dice::new(seed);
    // All are drawn, so that a seed that has only allowed ones is the same world whatever else is allowed.
    let mut troubles = Trouble::ALL.to_vec();
    troubles.retain(|trouble| dice.below(5) < 2 && allowed.contains(trouble));
    let horizon = dice.pick(&[2, 20, 60, 300]);
    let mut draft = Draft {
        horizon: Duration::from_secs(horizon),
        route: route(&mut dice),
        items: Vec::new(),
        troubles,
        dice,
    };
    if draft.has(Trouble::Room) {
        draft.route.space = Some(draft.dice.pick(&SPACES));
    }
    draft.calls();
    draft.elsewhere();
    let last = draft.items.iter().filter_map(Item::until).max();
    Plan {
        seed,
        route: draft.route,
        items: draft.items,
        end: last.unwrap_or_default() + draft.dice.time(Duration::from_mins(2)),
    }
}

fn route(dice: &mut Dice) -> Route {
    Route {
        rooms: [dice.pick(&[1, 2, 16]), dice.pick(&[1, 16]), 16],
        max_running: dice.pick(&[2, 4, 256, 256]),
        in_flight: dice.pick(&[1, 2, 8, 8]),
        rate: dice.pick(&[None, None, None, Some(1), Some(20)]),
        breaker: !dice.one_in(4),
        max_age: Duration::from_secs(dice.pick(&[90, 900, 86_400, 86_400])),
        space: None,
    }
}

struct Draft {
    dice: Dice,
    troubles: Vec<Trouble>,
    horizon: Duration,
    route: Route,
    items: Vec<Item>,
}

impl Draft {
    fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// The calls, what is asked about them, and what goes wrong with them.
    fn calls(&mut self) {
        let most = if self.dice.one_in(8) { 30 } else { 10 };
        let least = 1 + self.dice.small(5);
        let count = least + self.dice.small(most - least + 1);
        for event in 0..self.dice.small(4) {
            self.on_receiver(FIRST_EVENT + event);
            self.on_disk(FIRST_EVENT + event);
        }
        for number in 0..count {
            let call = self.call(number);
            let at = call.at;
            self.items.push(Item::Call(call));
            self.asks(number, at);
            self.on_server(number);
            self.on_receiver(number);
            self.on_disk(number);
        }
    }

    fn call(&mut self, number: Number) -> NewCall {
        let (arguments, result) = (self.size(4 << 20), self.size(16 << 20));
        // What was for nobody is not deleted before its time, and may fill a store.
        let is_for_nobody = !self.has(Trouble::Room);
        let dice = &mut self.dice;
        NewCall {
            at: dice.time(self.horizon),
            number,
            client: dice.small(3),
            server: dice.small(3),
            receiver: (!(dice.one_in(10) && is_for_nobody)).then(|| dice.small(4)),
            arguments,
            result,
            timeout: Duration::from_secs(dice.pick(&[5, 60, 600])),
            repeats: dice.one_in(3),
            retries: dice.pick(&[0, 1, 3, 8]),
            max_pending: dice.pick(&[1000, 1000, 1000, 2]),
            patience: self.patience(),
        }
    }

    /// Of what a call carries; 0 is a few bytes.
    fn size(&mut self, most: usize) -> usize {
        if !self.has(Trouble::LargeBodies) {
            return 0;
        }
        self.dice.pick(&[0, 0, 1 << 20, most / 4 * 3, most])
    }

    fn patience(&mut self) -> Patience {
        if !self.has(Trouble::HangUps) || self.dice.one_in(2) {
            return Patience::Endless;
        }
        if self.dice.one_in(2) {
            Patience::Polls(1 + self.dice.below(6))
        } else {
            Patience::Lasts(self.dice.time(Duration::from_secs(5)))
        }
    }

    fn asks(&mut self, call: Number, from: Duration) {
        let same_arguments = !self.dice.one_in(4);
        let name = self.dice.small(2);
        let mut choices = Vec::new();
        if self.has(Trouble::Cancels) {
            choices.extend([What::Cancel, What::CancelByKey, What::CancelOrSay]);
            choices.extend([What::Name(name), What::CancelByName(name)]);
        }
        if self.has(Trouble::Stops) {
            choices.extend([
                What::Stop,
                What::Replay,
                What::Stop,
                What::Replay,
                What::ReplayAll,
            ]);
        }
        if self.has(Trouble::Repeats) {
            choices.extend([What::Again { same_arguments }, What::Name(name)]);
        }
        if self.has(Trouble::Looks) {
            choices.extend([What::List, What::Show]);
        }
        if choices.is_empty() {
            return;
        }
        for _ in 0..self.dice.below(4) {
            let item = Item::Ask {
                at: from + self.dice.time(self.horizon),
                call,
                what: self.dice.pick(&choices),
                patience: self.patience(),
            };
            self.items.push(item);
        }
    }

    fn on_server(&mut self, call: Number) {
        let mut choices = vec![OnServer::Answers {
            after: self.dice.time(Duration::from_mins(2)),
            end: End::Result,
        }];
        if self.has(Trouble::Servers) {
            choices.extend(self.bad_servers());
        }
        if self.has(Trouble::Tokens) {
            choices.extend([self.token(), self.token()]);
        }
        if self.has(Trouble::Absences) {
            let retry_after = self.dice.time(Duration::from_secs(30));
            choices.push(OnServer::CannotResumeYet { retry_after });
        }
        if self.has(Trouble::HalfAnswers) {
            choices.push(OnServer::StopsHalfway);
        }
        if self.has(Trouble::Panics) {
            choices.push(OnServer::Panics);
        }
        for nth in 0..self.dice.below(4) {
            let does = self.dice.pick(&choices);
            self.items.push(Item::Contact { call, nth, does });
        }
    }

    fn bad_servers(&mut self) -> [OnServer; 5] {
        let dice = &mut self.dice;
        [
            OnServer::Answers {
                after: dice.time(Duration::from_secs(20)),
                end: dice.pick(&[End::Error, End::TooLarge, End::Unknown]),
            },
            OnServer::IsAway {
                retry_after: dice.time(Duration::from_secs(30)),
            },
            OnServer::IsAway {
                retry_after: Duration::ZERO,
            },
            OnServer::Hangs,
            OnServer::Loses {
                after: dice.time(Duration::from_secs(20)),
            },
        ]
    }

    fn token(&mut self) -> OnServer {
        OnServer::GivesToken {
            after: self.dice.time(Duration::from_secs(2)),
            at_once: self.dice.one_in(2),
            ends: self.dice.time(Duration::from_mins(2)),
        }
    }

    fn on_receiver(&mut self, call: Number) {
        let mut choices = vec![OnReceiver::Status {
            status: 200,
            retry_after: None,
            takes: self.dice.time(Duration::from_secs(29)),
        }];
        if self.has(Trouble::Receivers) {
            choices.extend(self.bad_receivers());
        }
        if self.has(Trouble::Panics) {
            choices.push(OnReceiver::Panics);
        }
        for nth in 0..self.dice.below(5) {
            let does = self.dice.pick(&choices);
            self.items.push(Item::Attempt { call, nth, does });
        }
    }

    fn bad_receivers(&mut self) -> [OnReceiver; 6] {
        let dice = &mut self.dice;
        let takes = dice.time(Duration::from_secs(29));
        let retry_after = dice.time(Duration::from_mins(10));
        [
            OnReceiver::Status {
                status: dice.pick(&[500, 503, 404, 301]),
                retry_after: None,
                takes,
            },
            OnReceiver::Status {
                status: dice.pick(&[503, 429]),
                retry_after: Some(retry_after),
                takes,
            },
            OnReceiver::Status {
                status: 410,
                retry_after: None,
                takes,
            },
            OnReceiver::Fails {
                category: dice.pick(&[Category::DnsError, Category::ConnectionReset]),
                takes,
            },
            OnReceiver::IsOurFault(dice.pick(&Fault::ALL)),
            dice.pick(&[OnReceiver::Hangs, OnReceiver::IsRefused]),
        ]
    }

    fn on_disk(&mut self, call: Number) {
        let mut choices = Vec::new();
        if self.has(Trouble::Refusals) {
            choices.push(OnDisk::Refuses);
        }
        if self.has(Trouble::Doubts) {
            choices.push(OnDisk::IsUnsure);
        }
        if self.has(Trouble::Stalls) {
            choices.push(OnDisk::Stalls(self.dice.time(Duration::from_secs(10))));
        }
        if self.has(Trouble::Deaths) && self.dice.one_in(4) {
            choices.extend([OnDisk::DiesBefore, OnDisk::DiesAfter]);
        }
        for nth in 0..12 {
            if !choices.is_empty() && self.dice.one_in(6) {
                let does = self.dice.pick(&choices);
                self.items.push(Item::Commit { call, nth, does });
            }
        }
    }
}
