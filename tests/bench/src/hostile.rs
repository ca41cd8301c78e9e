//! How late deliveries are beside a client that does what it can to delay them: `make bench-delivery HOSTILE=1`.
//!
//! Sixty sessions with a receiver each are measured twice, alone and beside the hostile client, which is one session with
//! - thousands of URLs of one host that hangs,
//! - as many of one that refuses for good, so that each delivery is a dead letter,
//! - calls of a server whose answers stop half way, and arguments that this server refuses,
//! - trace headers of 70 KB.
//!
//! Invariant: both figures are of one process, with the limits that a route has by default.

mod ends;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::StreamExt as _;
use tokio::task::JoinSet;

use self::ends::{Ends, HALF, REFUSED};
use crate::book::Book;
use crate::client::Session;
use crate::load::{Load, WARM_UP, accepted_since, percentiles};
use crate::measure::{RATE, sessions};
use crate::receivers::Receivers;
use crate::say;
use crate::subject::Subject;
use crate::tool;

/// Receivers that are measured.
const NEIGHBOURS: usize = 60;
/// URLs of the host that hangs.
const URLS: u64 = 2_500;
/// Calls under way while the URLs are named for the first time.
const AT_ONCE: usize = 16;
/// Between two hostile calls of a kind.
const PAUSE: Duration = Duration::from_millis(50);
/// The ratio of the p99s that is wanted.
const WANTED: f64 = 2.0;

const ROUTE: &str = r#"apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: bench}
spec:
  servers:
  - {name: bench, url: "http://127.0.0.1:TOOL/mcp"}
  - {name: hostile, url: "http://127.0.0.1:HOSTILE/mcp", toolPrefix: hostile_}
  webhookTools: [{name: work}, {name: "hostile_*"}]
  webhook:
    signing: {secretRefs: [{name: signing, key: secret}]}
    receivers:
      fromClients: {policy: Allowlist, allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}
"#;

/// Measures for `time` alone, and for `time` beside the hostile client.
pub(crate) async fn measure(binary: &Path, time: Duration) -> Result<String> {
    let (dir, ends) = (tempfile::tempdir()?, Ends::start().await?);
    let route = ROUTE.replace("TOOL", &tool::start().await?.to_string());
    let route = route.replace("HOSTILE", &ends.server.to_string());
    let subject = Subject::with_route(binary, dir.path(), &route).await?;
    let book = Book::default();
    let mut receivers = Receivers::start(&book, true).await?;
    receivers.ports.truncate(NEIGHBOURS);
    let sessions = sessions(&subject, &receivers).await?.into();
    let load = Load { sessions, book };

    say("alone");
    let alone = late(&load, time).await?;
    say("the hostile client names its receivers");
    let session = Session::open(subject.port, ends.refusing, subject.acknowledgement).await?;
    let hostile = Arc::new(Hostile {
        session,
        hanging: ends.hanging,
        refusing: ends.refusing,
        accepted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    });
    hostile.name_all().await;
    say("beside it");
    let _attack = hostile.attack();
    let beside = late(&load, time).await?;
    let lost = load.book.missing();
    Ok(report([alone, beside], lost, &hostile, &ends))
}

/// p50, p95 and p99 from acceptance to delivery, in milliseconds. What never came counts as late as it is waited for.
async fn late(load: &Load, time: Duration) -> Result<[f64; 3]> {
    let from = Instant::now() + WARM_UP;
    let to = from + time;
    let deliveries = accepted_since(load.paced(RATE, to).await?, from);
    Ok(percentiles(deliveries.iter().map(|one| one.took).collect()))
}

fn report([alone, beside]: [[f64; 3]; 2], lost: usize, hostile: &Hostile, ends: &Ends) -> String {
    let row = |name: &str, [p50, p95, p99]: [f64; 3]| format!("{name:34}{p50:>10.1}{p95:>10.1}{p99:>10.1}\n");
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let [hung, gone] = ends.deliveries();
    format!(
        "{NEIGHBOURS} receivers, {RATE} calls/s in all; accepted to delivered, in ms\n{:34}{:>10}{:>10}{:>10}\n{}{}\
         p99 beside / alone: {:.2} (wanted: at most {WANTED}); not delivered within 30 s: {lost}\n\
         hostile calls: {} accepted, {} refused; deliveries: {hung} hang, {gone} refused for good\n",
        "",
        "p50",
        "p95",
        "p99",
        row("alone", alone),
        row("beside the hostile client", beside),
        beside[2] / alone[2],
        count(&hostile.accepted),
        count(&hostile.refused),
    )
}

/// What a hostile call is about.
#[derive(Clone, Copy)]
enum Kind {
    Hanging,
    Gone,
    Half,
    TooLarge,
    Traced,
}

const KINDS: [Kind; 5] = [
    Kind::Hanging,
    Kind::Gone,
    Kind::Half,
    Kind::TooLarge,
    Kind::Traced,
];

/// The hostile client.
struct Hostile {
    session: Arc<Session>,
    /// The port of the host that hangs.
    hanging: u16,
    /// The port of the one that refuses.
    refusing: u16,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Hostile {
    /// Names every URL once.
    async fn name_all(&self) {
        let calls = futures::stream::iter(0..URLS).map(|id| self.call(self.body(Kind::Hanging, id)));
        calls.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// All that it does, each at a pace of its own, until the set is dropped.
    fn attack(self: &Arc<Self>) -> JoinSet<()> {
        let mut attack = JoinSet::new();
        for kind in KINDS {
            let this = Arc::clone(self);
            attack.spawn(async move {
                for id in 0.. {
                    tokio::time::sleep(PAUSE).await;
                    this.call(this.body(kind, id)).await;
                }
            });
        }
        attack
    }

    async fn call(&self, body: String) {
        // What is refused is what limits are for.
        let count = match self.session.post(&body).await {
            Ok(call) => {
                self.session.finish(call);
                &self.accepted
            }
            Err(_) => &self.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn body(&self, kind: Kind, id: u64) -> String {
        match kind {
            Kind::Hanging => call(tool::NAME, "", &named(self.hanging, id % URLS)),
            // Always another URL, of which no breaker knows anything.
            Kind::Gone => call(tool::NAME, "", &named(self.refusing, id)),
            Kind::Half => call(&format!("hostile_{HALF}"), "", ""),
            Kind::TooLarge => call(&format!("hostile_{REFUSED}"), &"x".repeat(150 << 10), ""),
            Kind::Traced => {
                let meta = format!(r#""traceparent":"{}""#, "0".repeat(70 << 10));
                call(tool::NAME, "", &meta)
            }
        }
    }
}

/// The receiver of a call.
fn named(port: u16, url: u64) -> String {
    format!(r#""dev.asyncmcp/webhook":{{"url":"http://127.0.0.1:{port}/hook/{url}"}}"#)
}

/// A call under an id of its own: one that comes twice is one job.
fn call(tool: &str, text: &str, meta: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed);
    format!(
        r#"{{"jsonrpc":"2.0","id":"hostile-{id}","method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}"}},"_meta":{{{meta}}}}}}}"#
    )
}
