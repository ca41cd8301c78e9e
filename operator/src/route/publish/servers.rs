//! The servers in status: what the pods report about each, shown after three equal reports.
//!
//! Invariant: a state changes only after [`EQUAL`] equal observations, except away from `Unknown`. A message changes with
//! its state, and otherwise only once it has been the same for [`STABLE`]: where its wording differs between attempts,
//! nothing is written.

use super::conditions::NO_SERVER;
use crate::route::apply::Problem;
use crate::route::feedback::Observed;
use asyncmcp_crds::ServerReport;
use asyncmcp_crds::effective::Route;
use asyncmcp_crds::v1alpha1::{FailureMode, ServerState, ServerStatus};
use k8s_openapi::jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Equal observations before a state changes.
const EQUAL: u32 = 3;

/// How long a new message has to stay before it is shown.
const STABLE: Duration = Duration::from_secs(20);

/// What was observed and is not confirmed yet, by server.
#[derive(Debug, Default)]
pub(super) struct Settling {
    /// States, with their number of equal observations.
    states: HashMap<String, (ServerState, u32)>,
    /// Messages, and since when each is the same.
    messages: HashMap<String, (Option<String>, Timestamp)>,
}

impl Settling {
    /// Some server's state is unknown or not confirmed yet.
    pub(super) fn is_settling(&self, servers: &[ServerStatus]) -> bool {
        !self.states.is_empty() || servers.iter().any(|server| server.state == ServerState::Unknown)
    }

    /// The servers as status should show them.
    pub(super) fn settle(
        &mut self,
        names: &[&str],
        before: &[ServerStatus],
        pods: &[Observed],
        now: Timestamp,
    ) -> Vec<ServerStatus> {
        self.states.retain(|name, _| names.contains(&name.as_str()));
        self.messages.retain(|name, _| names.contains(&name.as_str()));
        let servers = names.iter().map(|name| {
            let before = before.iter().find(|server| server.name == *name);
            let report = best(pods, name);
            match (before, report) {
                (Some(before), Some(report)) => self.one(before, report, now),
                (Some(before), None) => before.clone(),
                (None, Some(report)) => shown(report, report.state, now),
                (None, None) => untried(name, now),
            }
        });
        servers.collect()
    }

    fn one(&mut self, before: &ServerStatus, report: &ServerReport, now: Timestamp) -> ServerStatus {
        if report.state == before.state {
            self.states.remove(&report.name);
            return ServerStatus {
                message: self.message(before, report, now),
                last_transition_time: before.last_transition_time.clone(),
                ..shown(report, report.state, now)
            };
        }
        self.messages.remove(&report.name);
        if report.state == ServerState::Unknown {
            // A pod that just started has not tried yet, so it knows nothing about the server.
            return before.clone();
        }
        if before.state == ServerState::Unknown || self.seen(report) >= EQUAL {
            self.states.remove(&report.name);
            return shown(report, report.state, now);
        }
        before.clone()
    }

    /// The message of a server whose state stays.
    fn message(&mut self, before: &ServerStatus, report: &ServerReport, now: Timestamp) -> Option<String> {
        if report.message == before.message {
            self.messages.remove(&report.name);
            return before.message.clone();
        }
        let fresh = (report.message.clone(), now);
        let seen = self
            .messages
            .entry(report.name.clone())
            .or_insert_with(|| fresh.clone());
        if seen.0 != report.message {
            *seen = fresh;
        }
        if now.duration_since(seen.1).unsigned_abs() < STABLE {
            return before.message.clone();
        }
        self.messages.remove(&report.name);
        report.message.clone()
    }

    fn seen(&mut self, report: &ServerReport) -> u32 {
        let (state, times) = self
            .states
            .entry(report.name.clone())
            .or_insert((report.state, 0));
        *times = if *state == report.state {
            times.saturating_add(1)
        } else {
            1
        };
        *state = report.state;
        *times
    }
}

/// What the pods report about a server: one that reaches it overrides the others.
fn best<'a>(pods: &'a [Observed], name: &str) -> Option<&'a ServerReport> {
    let reports = pods
        .iter()
        .filter(|observed| !observed.pod.terminating && observed.trusted);
    let servers = reports.filter_map(|observed| {
        observed
            .report
            .as_ref()?
            .servers
            .iter()
            .find(|it| it.name == name)
    });
    servers.min_by_key(|server| match server.state {
        ServerState::Ready => 0,
        ServerState::Rejected => 1,
        ServerState::Unreachable => 2,
        ServerState::Unknown => 3,
    })
}

fn shown(report: &ServerReport, state: ServerState, now: Timestamp) -> ServerStatus {
    let known = state == ServerState::Ready;
    let count = |number: u32| known.then(|| i32::try_from(number).unwrap_or(i32::MAX));
    ServerStatus {
        name: report.name.clone(),
        state,
        protocol_version: report.protocol_version.clone(),
        tools: count(report.tools),
        webhook_tools: count(report.webhook_tools),
        last_transition_time: Some(super::conditions::seconds(now)),
        message: report.message.clone(),
    }
}

fn untried(name: &str, now: Timestamp) -> ServerStatus {
    let report = ServerReport {
        name: name.to_owned(),
        ..ServerReport::default()
    };
    shown(&report, ServerState::Unknown, now)
}

/// Ready servers of all servers, as `2/3`.
pub(super) fn summary(servers: &[ServerStatus]) -> String {
    let ready = servers
        .iter()
        .filter(|server| server.state == ServerState::Ready)
        .count();
    format!("{ready}/{}", servers.len())
}

/// Why lists fail: every server that they need (`failureMode: FailClosed`) is settled as away.
pub(super) fn unreachable(route: &Route, servers: Option<&[ServerStatus]>) -> Option<Problem> {
    let needed = route.servers.iter();
    let needed = needed.filter(|server| server.failure_mode == FailureMode::FailClosed);
    let needed: Vec<_> = needed.map(|server| server.name.as_str()).collect();
    let is_away = |name: &&str| {
        let mut settled = servers.into_iter().flatten();
        settled.any(|server| {
            server.name == **name && matches!(server.state, ServerState::Unreachable | ServerState::Rejected)
        })
    };
    let is_cut_off = !needed.is_empty() && needed.iter().all(is_away);
    is_cut_off.then(|| Problem {
        reason: NO_SERVER,
        message: format!(
            "lists fail, since no server with failureMode: FailClosed can be reached: {}",
            needed.join(", ")
        ),
    })
}

/// Whether a pod has tried each of its servers.
pub(super) fn all_tried(servers: &[ServerReport]) -> bool {
    servers.iter().all(|server| server.state != ServerState::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::feedback::View;
    use ServerState::{Ready, Unknown, Unreachable};
    use asyncmcp_crds::StatusReport;
    use std::sync::Arc;

    fn report(state: ServerState, message: &str) -> ServerReport {
        let message = Some(message.to_owned());
        ServerReport {
            name: "a".to_owned(),
            state,
            tools: 3,
            webhook_tools: 1,
            message,
            ..ServerReport::default()
        }
    }

    fn pod(server: ServerReport) -> Observed {
        let report = StatusReport {
            servers: vec![server],
            ..StatusReport::default()
        };
        Observed {
            pod: View::default(),
            report: Some(Arc::new(report)),
            trusted: true,
        }
    }

    fn run(states: &[ServerState]) -> Vec<ServerState> {
        let (mut settling, mut before) = (Settling::default(), Vec::new());
        let step = |state: &ServerState| {
            before = settling.settle(&["a"], &before, &[pod(report(*state, ""))], Timestamp::UNIX_EPOCH);
            before[0].state
        };
        states.iter().map(step).collect()
    }

    #[test]
    fn a_route_is_cut_off_once_no_server_that_its_lists_need_is_there() {
        let route = |modes: [&str; 2]| {
            let [a, b] = modes;
            let text = format!(
                "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: r}}\nspec: {{servers: [{{name: a, \
                 url: 'http://a', failureMode: {a}}}, {{name: b, url: 'http://b', failureMode: {b}}}]}}"
            );
            let loaded = asyncmcp_crds::load::load(&text, asyncmcp_crds::load::Unknown::Refuse).unwrap();
            asyncmcp_crds::effective(&loaded.route)
        };
        let is_cut_off = |modes, states: [ServerState; 2]| {
            let servers = ["a", "b"].into_iter().zip(states);
            let servers: Vec<_> = servers
                .map(|(name, state)| ServerStatus {
                    state,
                    ..untried(name, Timestamp::UNIX_EPOCH)
                })
                .collect();
            unreachable(&route(modes), Some(&servers)).is_some()
        };
        let (open, closed) = ("FailOpen", "FailClosed");
        assert!(!is_cut_off([open, open], [Unreachable, Unreachable]));
        assert!(!is_cut_off([closed, closed], [Unreachable, Ready]));
        assert!(!is_cut_off([closed, closed], [Unreachable, Unknown]));
        assert!(is_cut_off([closed, closed], [Unreachable, ServerState::Rejected]));
        assert!(is_cut_off([closed, open], [Unreachable, Ready]));
        assert_eq!(
            unreachable(&route([closed, open]), None),
            None,
            "nobody has tried"
        );
    }

    #[test]
    fn a_state_changes_after_three_equal_observations() {
        assert_eq!(
            run(&[Ready, Unreachable, Unreachable, Unreachable]),
            [Ready, Ready, Ready, Unreachable]
        );
        let flapping = [Ready, Unreachable, Ready, Unreachable, Unreachable, Ready];
        assert_eq!(run(&flapping), [Ready; 6]);
    }

    #[test]
    fn the_first_known_state_counts_at_once_and_never_becomes_unknown_again() {
        assert_eq!(
            run(&[Unknown, Ready, Unknown, Unknown, Unknown]),
            [Unknown, Ready, Ready, Ready, Ready]
        );
    }

    /// The messages shown when these are reported, each at its second.
    fn messages(reported: &[(i64, &str)]) -> Vec<String> {
        let (mut settling, mut before) = (Settling::default(), Vec::new());
        let step = |(second, message): &(i64, &str)| {
            let now = Timestamp::from_second(*second).unwrap();
            before = settling.settle(&["a"], &before, &[pod(report(Unreachable, message))], now);
            assert_eq!(before[0].last_transition_time.as_ref().unwrap().0.as_second(), 0);
            before[0].message.clone().unwrap()
        };
        reported.iter().map(step).collect()
    }

    #[test]
    fn a_message_follows_its_trouble_once_it_stays_the_same() {
        let stays = [
            (0, "refused"),
            (30, "500"),
            (32, "500"),
            (49, "500"),
            (50, "500"),
            (80, "500"),
        ];
        assert_eq!(
            messages(&stays),
            ["refused", "refused", "refused", "refused", "500", "500"]
        );
        let alternates: Vec<_> = (0..20)
            .flat_map(|poll| [(poll * 60, "refused"), (poll * 60 + 30, "timed out")])
            .collect();
        assert!(messages(&alternates).iter().all(|shown| shown == "refused"));
    }

    #[test]
    fn one_pod_that_reaches_a_server_is_enough() {
        let pods = [pod(report(Unreachable, "")), pod(report(Ready, ""))];
        let servers = Settling::default().settle(&["a", "b"], &[], &pods, Timestamp::UNIX_EPOCH);
        assert_eq!(servers[0].state, Ready);
        assert_eq!(summary(&servers), "1/2");
    }
}
