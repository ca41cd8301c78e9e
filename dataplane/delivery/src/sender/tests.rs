//! Single attempts against real receivers on loopback.

mod answers;
mod signing;

use std::net::IpAddr;

use asyncmcp_fakes::receiver::{Answer, Receiver, following};
use asyncmcp_fakes::unused_port;

use super::*;
use crate::egress::resolver::{Dns, LookupError};
use crate::egress::{ClientPolicy, FromClients, NamedBy, Rules, Scheme};
use crate::id::JobId;
use crate::job::{Dedupe, NewJob, OnInterruption, Retry};
use crate::policy::Signing;

/// 2015-10-21T07:28:00Z.
const NOW: Millis = Millis(1_445_412_480_000);
const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

struct World {
    policy: Policy,
    job: Job,
    call: Call,
    secret: Option<crate::signature::SigningKey>,
    sender: HttpSender,
}

/// Resolves every name to these addresses, or not at all.
struct Everywhere(Result<Vec<IpAddr>, LookupError>);

#[async_trait]
impl Lookup for Everywhere {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, LookupError> {
        self.0.clone()
    }
}

fn everywhere(address: &str) -> Arc<dyn Lookup> {
    Arc::new(Everywhere(Ok(vec![address.parse().unwrap()])))
}

pub(crate) fn policy() -> Policy {
    Policy {
        egress: Rules {
            from_clients: FromClients {
                policy: ClientPolicy::Allowlist,
                hosts: vec!["receiver.example".parse().unwrap()],
                cidrs: vec!["127.0.0.0/8".parse().unwrap()],
                schemes: vec![Scheme::Http, Scheme::Https],
            },
        },
        signing: Signing::Off,
        attempt_timeout: Duration::from_secs(30),
        default_headers: Some(http::HeaderMap::new()),
        max_age: Duration::from_hours(24),
        retry_after_max: Duration::from_hours(1),
        result_retention: Duration::from_hours(24),
        dead_retention: Duration::from_hours(168),
        servers: std::collections::BTreeMap::new(),
        tools: crate::policy::ToolLimits::default(),
        max_result_size: 16 << 20,
        longest_timeout: Duration::from_hours(1),
        max_running: 1,
        max_running_percent: 75,
        per_receiver: crate::policy::PerReceiver {
            max_in_flight: 8,
            rate: None,
            breaker: true,
        },
        namespace: "tools".to_owned(),
        route: "analytics".to_owned(),
    }
}

pub(crate) fn call() -> Call {
    Call {
        server: "analytics".to_owned(),
        tool: "batch".to_owned(),
        shown_as: "process batch%é".to_owned(),
        request_id: "1".to_owned(),
        client: "sid".to_owned(),
        timeout: Duration::from_hours(1),
        on_interruption: OnInterruption::Fail,
        target: None,
        retry: Retry::Schedule {
            waits: Vec::new(),
            jitter_percent: 0,
        },
        trace: Trace::default(),
        as_task: false,
        owner: None,
    }
}

impl World {
    fn new(lookup: Arc<dyn Lookup>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let new = NewJob {
            id: JobId::new(NOW, [1; 10]),
            at: NOW,
            call: call(),
            params: Bytes::new(),
            dedupe: Dedupe {
                key: [0; 32],
                fingerprint: [0; 32],
            },
            names: Vec::new(),
            max_pending: u64::MAX,
            max_queued: u64::MAX,
            kept_longer: Duration::ZERO,
        };
        let mut job = Job::accepted(&new);
        job.ended = Some(NOW);
        Self {
            policy: policy(),
            job,
            call: new.call,
            secret: None,
            sender: HttpSender::new(lookup),
        }
    }

    async fn send(&self, url: &str, named_by: NamedBy) -> Attempt {
        let target = Target {
            url: url.to_owned(),
            named_by,
            secret: self.secret.clone(),
        };
        let trace = Trace {
            parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            state: String::new(),
        };
        self.sender
            .send(Post {
                job: &self.job,
                call: &self.call,
                target: &target,
                body: &Bytes::from_static(BODY),
                at: NOW,
                ended: self.job.ended.unwrap(),
                trace: &trace,
                policy: &self.policy,
                kind: Kind::Result,
            })
            .await
    }
}

fn world() -> World {
    World::new(Arc::new(Dns::system().unwrap()))
}

async fn verdict(answer: Answer) -> Verdict {
    let receiver = Receiver::start(following([answer])).await.unwrap();
    world()
        .send(&receiver.url("/hook"), NamedBy::Session)
        .await
        .verdict
}

#[tokio::test]
async fn sends_the_body_untouched_under_the_promised_headers() {
    let receiver = Receiver::start(following([Answer::status(204)])).await.unwrap();
    let world = world();
    let attempt = world.send(&receiver.url("/hook"), NamedBy::Session).await;
    assert_eq!((attempt.status, attempt.verdict), (Some(204), Verdict::Delivered));
    let request = receiver.posts().remove(0);
    assert_eq!((&*request.method, &*request.path), ("POST", "/hook"));
    assert_eq!(request.body, BODY);
    let id = world.job.id.webhook_id();
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", concat!("asyncmcp/", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", &id),
        ("webhook-timestamp", "1445412480"),
        ("ce-specversion", "1.0"),
        ("ce-id", &id),
        ("ce-source", "/namespaces/tools/mcpwebhookroutes/analytics"),
        ("ce-type", "dev.asyncmcp.tool.result.v1"),
        ("ce-subject", "process%20batch%25%C3%A9"),
        ("ce-time", "2015-10-21T07:28:00Z"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("webhook-signature", ""),
        ("asyncmcp-replay", ""),
        ("mcp-session-id", ""),
        ("tracestate", ""),
        ("accept-encoding", ""),
        ("referer", ""),
        ("cookie", ""),
    ] {
        assert_eq!(request.header(name), value, "{name}");
    }
    let text = format!("{request:?}");
    assert!(
        !text.contains(&world.job.id.to_string()),
        "the job's id is a capability"
    );
}

#[tokio::test]
async fn only_the_authors_receiver_gets_the_authors_headers_and_none_wins_over_ours() {
    let receiver = Receiver::willing().await.unwrap();
    let mut world = world();
    world.job.replays = 2;
    let extra = world.policy.default_headers.as_mut().unwrap();
    extra.insert("authorization", "Bearer x".parse().unwrap());
    extra.insert("webhook-id", "forged".parse().unwrap());
    extra.insert("webhook-signature", "forged".parse().unwrap());
    world.send(&receiver.url("/hook"), NamedBy::Default).await;
    let request = receiver.posts().remove(0);
    assert_eq!(request.header("authorization"), "Bearer x");
    assert_eq!(request.header("webhook-id"), world.job.id.webhook_id());
    assert_eq!(request.header("webhook-signature"), "");
    assert_eq!(request.header("asyncmcp-replay"), "2");
    world.send(&receiver.url("/hook"), NamedBy::Session).await;
    assert_eq!(receiver.posts()[1].header("authorization"), "");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = "location: http://169.254.169.254/latest/meta-data";
    let receiver = Receiver::start(following([Answer::with(307, elsewhere)]))
        .await
        .unwrap();
    let attempt = world().send(&receiver.url("/hook"), NamedBy::Session).await;
    assert_eq!(attempt.status, Some(307));
    assert_eq!(attempt.verdict, Verdict::Retry(Category::Http3xx));
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_down_refuses_the_connection() {
    let url = format!("http://127.0.0.1:{}/", unused_port());
    let attempt = world().send(&url, NamedBy::Session).await;
    assert_eq!(attempt.verdict, Verdict::Retry(Category::ConnectionRefused));
    assert_eq!(attempt.status, None);
}

#[tokio::test]
async fn silence_ends_at_the_timeout() {
    let receiver = Receiver::start(following([Answer::Silence])).await.unwrap();
    let mut world = world();
    world.policy.attempt_timeout = Duration::from_millis(200);
    let attempt = world.send(&receiver.url("/hook"), NamedBy::Session).await;
    assert_eq!(attempt.verdict, Verdict::Retry(Category::Timeout));
    assert!(attempt.duration >= world.policy.attempt_timeout);
}

#[tokio::test]
async fn a_broken_answer_is_a_broken_connection() {
    for answer in [Answer::HangUp, Answer::Noise] {
        let broken = verdict(answer.clone()).await;
        assert_eq!(broken, Verdict::Retry(Category::ConnectionReset), "{answer:?}");
    }
}

/// A certificate that is not trusted, as a TLS server shows it.
fn stranger() -> Arc<rustls::ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into());
    Arc::new(config.unwrap())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_a_tls_error() {
    let world = world(); // its provider is what the stranger needs too
    let accepting = following([Answer::status(200)]);
    let receiver = Receiver::start_at(stranger(), accepting).await.unwrap();
    let attempt = world.send(&receiver.url("/hook"), NamedBy::Session).await;
    assert_eq!(attempt.verdict, Verdict::Retry(Category::TlsError));
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_is_refused() {
    let receiver = Receiver::willing().await.unwrap();
    let mut world = World::new(everywhere("127.0.0.1"));
    world.policy.egress.from_clients.cidrs.clear();
    let url = receiver.url_as("receiver.example");
    match world.send(&url, NamedBy::Session).await.verdict {
        Verdict::Refused(refusal) => assert_eq!(refusal.rule(), "loopback"),
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(receiver.count(), 0, "nothing was sent");
    let attempt = world.send(&url, NamedBy::Default).await;
    assert_eq!(
        attempt.verdict,
        Verdict::Delivered,
        "the author's receiver may be private"
    );
}

#[tokio::test]
async fn a_policy_that_was_tightened_holds_for_open_connections_too() {
    let receiver = Receiver::willing().await.unwrap();
    let mut world = World::new(everywhere("127.0.0.1"));
    let url = receiver.url_as("receiver.example");
    assert_eq!(
        world.send(&url, NamedBy::Session).await.verdict,
        Verdict::Delivered
    );
    world.policy.egress.from_clients.cidrs.clear();
    let refused = world.send(&url, NamedBy::Session).await.verdict;
    assert_eq!(refused.category(), Some(Category::Blocked));
}

#[tokio::test]
async fn a_missing_name_is_theirs_and_a_dead_resolver_is_ours() {
    let send = async |error| {
        let world = World::new(Arc::new(Everywhere(Err(error))));
        world
            .send("http://receiver.example/", NamedBy::Session)
            .await
            .verdict
    };
    assert_eq!(
        send(LookupError::NoAddress).await,
        Verdict::Retry(Category::DnsError)
    );
    let dead = LookupError::Unavailable("timed out".to_owned());
    assert_eq!(send(dead).await, Verdict::Requeue(Fault::Resolver));
}

#[tokio::test]
async fn an_unreadable_stored_url_is_refused_not_retried() {
    let refused = world().send("not a url", NamedBy::Session).await.verdict;
    assert_eq!(refused.category(), Some(Category::Blocked));
}

/// Never finds anything.
struct Stuck;

#[async_trait]
impl Lookup for Stuck {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, LookupError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn time_that_runs_out_while_a_name_is_looked_up_is_our_fault() {
    let mut world = World::new(Arc::new(Stuck));
    world.policy.attempt_timeout = Duration::from_millis(20);
    let attempt = world.send("http://receiver.example/hook", NamedBy::Session).await;
    assert_eq!(attempt.verdict, Verdict::Requeue(Fault::Resolver));
    assert!(
        !world.sender.clients.is_looking_up("receiver.example"),
        "it is over"
    );
}
