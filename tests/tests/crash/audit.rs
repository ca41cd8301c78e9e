//! Whether what receivers, server and log saw is what the guarantee allows for the calls that clients made.
//!
//! Invariant: pure; every complaint names what it is about.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use asyncmcp_tests::attempt::Attempt;
use asyncmcp_tests::receiver::Post;

use crate::ledger::{Acknowledgement, Call, Ends};

/// The error of a call that was cut.
const OUTCOME_UNKNOWN: i64 = -31003;
/// The error of a call whose arguments cannot be read.
const INTERNAL: i64 = -32603;
/// How much later than its sender's death a receiver may have read a POST.
const LATE: Duration = Duration::from_millis(500);

/// What everybody saw.
pub(crate) struct Evidence {
    pub(crate) calls: Vec<Call>,
    pub(crate) posts: Vec<Post>,
    pub(crate) ran: Vec<String>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) deaths: Vec<Instant>,
}

/// What it comes to.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) complaints: Vec<String>,
    pub(crate) acknowledged: usize,
    pub(crate) results: usize,
    pub(crate) unknown: usize,
    pub(crate) damaged: usize,
    pub(crate) duplicates: usize,
}

/// One delivery, as receivers saw it.
struct Delivery<'a> {
    posts: Vec<&'a Post>,
}

impl Delivery<'_> {
    fn taken(&self) -> usize {
        self.posts.iter().filter(|post| post.is_taken()).count()
    }
}

pub(crate) fn audit(evidence: &Evidence) -> Findings {
    let mut findings = Findings::default();
    let deliveries = deliveries(&evidence.posts);
    let interrupted = counts(
        evidence
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome == "interrupted")
            .map(|attempt| attempt.webhook_id.as_str()),
    );
    for (id, delivery) in &deliveries {
        let explained = interrupted.get(id).copied().unwrap_or_default();
        examine(id, delivery, explained, &mut findings);
        let unexplained = repeated_without_a_death(delivery, &evidence.deaths);
        if unexplained > 0 {
            let complaint =
                format!("{id} was sent again {unexplained} times by the process that had sent it");
            findings.complaints.push(complaint);
        }
    }
    let known = each_call(evidence, &deliveries, &mut findings);
    for stray in deliveries.keys().filter(|id| !known.contains(*id)) {
        findings.complaints.push(format!("{stray} belongs to no call"));
    }
    findings
}

/// One outcome per delivery, and a second 2xx only after an attempt that was cut.
fn examine(id: &str, delivery: &Delivery<'_>, explained: usize, findings: &mut Findings) {
    let bodies: HashSet<_> = delivery.posts.iter().map(|post| &post.body).collect();
    if bodies.len() > 1 {
        findings
            .complaints
            .push(format!("{id} carries {} outcomes", bodies.len()));
    }
    let again = delivery.taken().saturating_sub(1);
    findings.duplicates += again;
    if again > explained {
        let complaint = format!("{id} was taken {again} times too often, and {explained} attempts were cut");
        findings.complaints.push(complaint);
    }
}

/// How often a delivery was sent again after a 2xx while the process lived that had sent it.
fn repeated_without_a_death(delivery: &Delivery<'_>, deaths: &[Instant]) -> usize {
    let cut_by = |first: &Post, second: &Post| {
        let end_of_its_sender = deaths.partition_point(|death| *death + LATE < first.at);
        deaths
            .get(end_of_its_sender)
            .is_some_and(|death| *death <= second.at)
    };
    let pairs = delivery.posts.windows(2);
    pairs
        .filter(|pair| pair[0].is_taken() && !cut_by(pair[0], pair[1]))
        .count()
}

/// Says which deliveries belong to a call.
fn each_call<'a>(
    evidence: &'a Evidence,
    deliveries: &HashMap<&'a str, Delivery<'a>>,
    findings: &mut Findings,
) -> HashSet<&'a str> {
    let by_request = by_request(&evidence.posts);
    let ran = counts(evidence.ran.iter().map(String::as_str));
    let mut known = HashSet::new();
    for call in &evidence.calls {
        let ids = match &call.acknowledged {
            None => Vec::new(),
            Some(Acknowledgement::Job { webhook_id }) => vec![webhook_id.as_str()],
            Some(Acknowledgement::Accepted) => by_request
                .get(&(call.path.as_str(), call.id))
                .map(|ids| ids.iter().copied().collect())
                .unwrap_or_default(),
        };
        known.extend(&ids);
        let delivered = match ids[..] {
            [id] => deliveries.get(id).ok_or_else(|| "was not delivered".to_owned()),
            [] => Err("was not delivered".to_owned()),
            _ => Err(format!("became {} jobs", ids.len())),
        };
        let times = ran.get(call.key.as_str()).copied().unwrap_or_default();
        let judged = delivered.and_then(|delivery| judge(call, delivery, times, findings));
        findings.acknowledged += usize::from(call.acknowledged.is_some());
        if let Err(what) = judged {
            findings.complaints.push(format!("{} {what}", call.key));
        }
    }
    known
}

fn judge(call: &Call, delivery: &Delivery<'_>, ran: usize, findings: &mut Findings) -> Result<(), String> {
    if delivery.taken() == 0 {
        return Err("was never taken".to_owned());
    }
    if !call.again && ran > 1 {
        return Err(format!("ran {ran} times"));
    }
    let response = delivery.posts[0].response();
    if response["id"] != call.id {
        return Err(format!("was answered under another id: {response}"));
    }
    match (response["error"]["code"].as_i64(), call.ends) {
        (None, Ends::Usual) if response["result"].is_object() && ran > 0 => findings.results += 1,
        (Some(OUTCOME_UNKNOWN), Ends::Usual | Ends::Unknown) => findings.unknown += 1,
        (Some(INTERNAL), Ends::Damaged) if ran == 0 => findings.damaged += 1,
        _ => return Err(format!("ran {ran} times and ended as {response}")),
    }
    Ok(())
}

fn deliveries(posts: &[Post]) -> HashMap<&str, Delivery<'_>> {
    let mut deliveries = HashMap::new();
    for post in posts {
        let delivery = deliveries
            .entry(post.webhook_id())
            .or_insert(Delivery { posts: Vec::new() });
        delivery.posts.push(post);
    }
    deliveries
}

/// The webhook ids under which each (path, JSON-RPC id) was answered.
fn by_request(posts: &[Post]) -> HashMap<(&str, u64), HashSet<&str>> {
    let mut ids = HashMap::<_, HashSet<_>>::new();
    for post in posts {
        if let Some(id) = post.response()["id"].as_u64() {
            ids.entry((post.path.as_str(), id))
                .or_default()
                .insert(post.webhook_id());
        }
    }
    ids
}

fn counts<'a>(of: impl Iterator<Item = &'a str>) -> HashMap<&'a str, usize> {
    let mut counts = HashMap::new();
    for one in of {
        *counts.entry(one).or_default() += 1;
    }
    counts
}
