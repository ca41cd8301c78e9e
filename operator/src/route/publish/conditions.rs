//! The four conditions: `Accepted`, `ResolvedRefs`, `Programmed`, `Ready` (after Gateway API's GEP-1364).
//!
//! Invariant: all four are always present, each with the observed generation, a reason and a message; a transition time
//! changes only with the status it belongs to.

use crate::route::apply::Problem;
use asyncmcp_crds::{Condition, StoreProblem, Time};
use k8s_openapi::jiff::{Timestamp, Unit};

/// Reason of `ResolvedRefs` if a Secret lacks a key.
pub(crate) const KEY_NOT_FOUND: &str = "KeyNotFound";
/// Reason of `ResolvedRefs` if a key of a Secret has a value that cannot be used.
pub(crate) const KEY_INVALID: &str = "KeyInvalid";
/// Reason of `Ready` while no delivery can be signed.
pub(crate) const NO_SIGNING_KEY: &str = "NoSigningKey";
/// Reason of `Ready` while a header of the default receiver cannot be sent.
pub(crate) const NO_HEADER: &str = "NoReceiverHeader";
/// Reason of `Ready` while the MCP endpoint has no certificate.
pub(crate) const NO_CERTIFICATE: &str = "NoCertificate";
/// Reason of `Ready` while no client has credentials that the pods can check.
pub(crate) const NO_CREDENTIALS: &str = "NoCredentials";
/// Reason of `Ready` while the tokens of an issuer cannot be checked.
pub(crate) const NO_ISSUER_KEYS: &str = "NoIssuerKeys";
/// Reason of `Ready` while lists fail, since none of the servers that they need can be reached.
pub(crate) const NO_SERVER: &str = "ServersUnreachable";
/// Reasons of `Ready` while a pod serves, and clients cannot connect or are refused, calls are not stored or results not
/// delivered.
pub(crate) const HINDRANCES: [&str; 8] = [
    NO_CERTIFICATE,
    NO_CREDENTIALS,
    NO_ISSUER_KEYS,
    NO_SIGNING_KEY,
    NO_HEADER,
    NO_SERVER,
    StoreProblem::StoreFull.as_str(),
    StoreProblem::StoreDown.as_str(),
];
/// Reason of `Ready` while a pod does not run, and it is known why.
pub(crate) const NOT_RUNNING: &str = "PodNotRunning";

/// The types, in the order in which they are listed.
pub(crate) const TYPES: [&str; 4] = ["Accepted", "ResolvedRefs", "Programmed", "Ready"];

/// A condition without its transition time and generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// `True`, `False` or `Unknown`.
    pub(crate) status: &'static str,
    /// Machine-readable reason in CamelCase.
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Verdict {
    pub(crate) fn yes(reason: &str, message: impl Into<String>) -> Self {
        Self::new("True", reason, message)
    }

    pub(crate) fn no(reason: &str, message: impl Into<String>) -> Self {
        Self::new("False", reason, message)
    }

    pub(crate) fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self::new("Unknown", reason, message)
    }

    fn new(status: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// Whether the status is `True`.
    pub(crate) fn holds(&self) -> bool {
        self.status == "True"
    }
}

/// The facts the conditions depend on.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) accepted: Verdict,
    pub(crate) resolved: Verdict,
    pub(crate) programmed: Verdict,
    /// Pods that are ready.
    pub(crate) ready_pods: usize,
    /// Why a pod does not run.
    pub(crate) pod_trouble: Option<String>,
    /// What is wrong with the route's volume or its keys.
    pub(crate) store: Option<Problem>,
    /// Why calls cannot be stored, or results not delivered, although a pod serves.
    pub(crate) hindrance: Option<Problem>,
    /// The route is being deleted.
    pub(crate) deleting: bool,
    /// A hint for the user of a ready route.
    pub(crate) hint: Option<&'static str>,
}

/// The verdict on a valid route.
pub(crate) fn accepted(unknown: &[String]) -> Verdict {
    if unknown.is_empty() {
        return Verdict::yes("Accepted", "the route is valid");
    }
    let fields = unknown.join(", ");
    Verdict::yes(
        "Accepted",
        format!("this operator does not know {fields}; it is passed to the pods unchanged"),
    )
}

/// Accepted, with a sound store, programmed, a pod is ready, and nothing keeps it from storing calls and delivering
/// results; else the first that is missing.
fn ready(facts: &Facts) -> Verdict {
    if facts.deleting {
        let message = "the route is being deleted: it refuses new calls and finishes its deliveries";
        return Verdict::no("Draining", message);
    }
    let store = facts.store.as_ref();
    let store = store.map(|store| Verdict::no(store.reason, store.message.clone()));
    let blocking = [Some(&facts.accepted), store.as_ref(), Some(&facts.programmed)]
        .into_iter()
        .flatten()
        .find(|verdict| !verdict.holds());
    if let Some(blocking) = blocking {
        return Verdict::no(&blocking.reason, blocking.message.clone());
    }
    if facts.ready_pods == 0 {
        return match facts.pod_trouble.clone() {
            Some(trouble) => Verdict::no(NOT_RUNNING, trouble),
            None => Verdict::no("NoReadyPod", "no pod is ready"),
        };
    }
    if let Some(Problem { reason, message }) = &facts.hindrance {
        return Verdict::no(reason, message.clone());
    }
    let hint = facts.hint.map(|hint| format!("; {hint}"));
    Verdict::yes(
        "Ready",
        format!("the route is served{}", hint.unwrap_or_default()),
    )
}

/// The four conditions; a condition whose status did not change keeps its time.
pub(crate) fn all(base: &[Condition], facts: &Facts, generation: i64, now: Timestamp) -> Vec<Condition> {
    let verdicts = [
        facts.accepted.clone(),
        facts.resolved.clone(),
        facts.programmed.clone(),
        ready(facts),
    ];
    let condition = |(type_, verdict): (&str, Verdict)| {
        let before = base.iter().find(|condition| condition.type_ == type_);
        let unchanged = before.filter(|before| before.status == verdict.status);
        Condition {
            type_: type_.to_owned(),
            status: verdict.status.to_owned(),
            reason: verdict.reason,
            message: verdict.message,
            observed_generation: Some(generation),
            last_transition_time: unchanged
                .map_or_else(|| seconds(now), |before| before.last_transition_time.clone()),
        }
    };
    TYPES.into_iter().zip(verdicts).map(condition).collect()
}

/// The API stores whole seconds; with fractions every status would differ from what is read back.
pub(super) fn seconds(time: Timestamp) -> Time {
    let whole = k8s_openapi::jiff::TimestampRound::new()
        .smallest(Unit::Second)
        .mode(k8s_openapi::jiff::RoundMode::Trunc);
    Time(time.round(whole).unwrap_or(time))
}
