//! The guard over scripted answers, and the system's resolver against name servers on loopback.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig};
use tokio::net::UdpSocket;

use super::*;
use crate::egress::{ClientPolicy, FromClients, Scheme};

/// Gives one scripted answer after the other, as a rebinding name server does.
pub(crate) struct Scripted(Mutex<VecDeque<Result<Vec<IpAddr>, LookupError>>>);

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<Vec<IpAddr>, LookupError>>) -> Self {
        Self(Mutex::new(answers.into_iter().collect()))
    }
}

#[async_trait]
impl Lookup for Scripted {
    async fn lookup(&self, _name: &str) -> Result<Vec<IpAddr>, LookupError> {
        self.0.lock().unwrap().pop_front().expect("an answer is scripted")
    }
}

fn egress() -> Rules {
    Rules {
        from_clients: FromClients {
            policy: ClientPolicy::Allowlist,
            hosts: Vec::new(),
            cidrs: Vec::new(),
            schemes: vec![Scheme::Https],
        },
    }
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What is dialled, or the error in words.
async fn dialled(lookup: &Scripted, named_by: NamedBy) -> Result<Vec<IpAddr>, Error> {
    let addresses = guarded(lookup, &egress(), named_by, "receiver.example").await;
    addresses.map(|addresses| addresses.map(|address| address.ip()).collect())
}

fn rule(outcome: &Result<Vec<IpAddr>, Error>) -> &'static str {
    match outcome {
        Err(Error::Refused(refusal)) => refusal.rule(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_looked_up_is_what_is_dialled() {
    let lookup = Scripted::new([Ok(ips(&["1.1.1.1", "2606:4700::1111"]))]);
    let addresses = dialled(&lookup, NamedBy::Session).await.unwrap();
    assert_eq!(addresses, ips(&["1.1.1.1", "2606:4700::1111"]));
}

#[tokio::test]
async fn one_private_answer_refuses_the_name() {
    let lookup = Scripted::new([Ok(ips(&["1.1.1.1", "10.0.0.1"]))]);
    assert_eq!(rule(&dialled(&lookup, NamedBy::Session).await), "private_10");
}

#[tokio::test]
async fn a_name_that_is_bound_anew_is_judged_anew() {
    let lookup = Scripted::new([Ok(ips(&["1.1.1.1"])), Ok(ips(&["127.0.0.1"]))]);
    assert!(dialled(&lookup, NamedBy::Session).await.is_ok());
    assert_eq!(rule(&dialled(&lookup, NamedBy::Session).await), "loopback");
}

#[tokio::test]
async fn the_authors_name_may_be_private_but_no_metadata_address() {
    let lookup = Scripted::new([Ok(ips(&["10.0.0.1"])), Ok(ips(&["169.254.169.254"]))]);
    assert!(dialled(&lookup, NamedBy::Default).await.is_ok());
    assert_eq!(rule(&dialled(&lookup, NamedBy::Default).await), "link_local");
}

#[tokio::test]
async fn a_name_without_an_address_is_the_receivers_affair() {
    let lookup = Scripted::new([Ok(Vec::new())]);
    let outcome = dialled(&lookup, NamedBy::Session).await;
    assert_eq!(outcome, Err(Error::Lookup(LookupError::NoAddress)));
}

#[test]
fn only_cluster_names_go_through_the_search_list() {
    for (name, question) in [
        ("receiver", "receiver"),
        ("api.prod.svc", "api.prod.svc"),
        ("api.prod.svc.", "api.prod.svc."),
        ("api.prod.svc.cluster.local", "api.prod.svc.cluster.local."),
        ("hooks.example.com", "hooks.example.com."),
        ("hooks.example.com.", "hooks.example.com."),
    ] {
        assert_eq!(asked(name), question, "{name}");
    }
}

/// What a name server does with a question.
#[derive(Clone, Copy, Debug)]
enum Answers {
    /// This response code, and no records.
    Code(u8),
    /// `1.1.1.1` and `2606:4700::1111`.
    Both,
    Never,
}

impl Answers {
    /// The response to `query` (RFC 1035 §4).
    fn to(self, query: &[u8]) -> Option<Vec<u8>> {
        let name_end = 12 + query[12..].iter().position(|byte| *byte == 0)?;
        let question = &query[12..name_end + 5];
        let (code, answers): (u8, u8) = match self {
            Self::Code(code) => (code, 0),
            Self::Both => (0, 1),
            Self::Never => return None,
        };
        let header = [
            query[0],
            query[1],
            0x81,
            0x80 | code,
            0,
            1,
            0,
            answers,
            0,
            0,
            0,
            0,
        ];
        let mut response = [&header, question].concat();
        if answers == 1 {
            let kind = query[name_end + 2];
            let address: &[u8] = match kind {
                1 => &[1, 1, 1, 1],
                _ => &[0x26, 6, 0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x11],
            };
            let length = u8::try_from(address.len()).ok()?;
            response.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length]);
            response.extend(address);
        }
        Some(response)
    }
}

async fn name_server(answers: Answers) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
            if let Some(response) = answers.to(&packet[..length]) {
                socket.send_to(&response, peer).await.unwrap();
            }
        }
    });
    address
}

/// Resolves through one name server.
async fn resolved(answers: Answers) -> Result<Vec<IpAddr>, LookupError> {
    let server = name_server(answers).await;
    let mut connection = ConnectionConfig::new(ProtocolConfig::Udp);
    connection.port = server.port();
    let mut config = ResolverConfig::default();
    config.add_name_server(NameServerConfig::new(server.ip(), true, vec![connection]));
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    if matches!(answers, Answers::Never) {
        builder.options_mut().timeout = Duration::from_millis(50);
    }
    Dns::build(builder).unwrap().lookup("receiver.example").await
}

#[tokio::test]
async fn asks_for_the_addresses_of_both_families() {
    let mut addresses = resolved(Answers::Both).await.unwrap();
    addresses.sort();
    assert_eq!(addresses, ips(&["1.1.1.1", "2606:4700::1111"]));
}

#[tokio::test]
async fn nxdomain_and_an_empty_answer_are_no_address() {
    for code in [3, 0] {
        assert_eq!(
            resolved(Answers::Code(code)).await,
            Err(LookupError::NoAddress),
            "{code}"
        );
    }
}

#[tokio::test]
async fn servfail_refused_and_silence_are_an_unavailable_resolver() {
    for answers in [Answers::Code(2), Answers::Code(5), Answers::Never] {
        let resolved = resolved(answers).await;
        let unavailable = matches!(resolved, Err(LookupError::Unavailable(_)));
        assert!(unavailable, "{answers:?}: {resolved:?}");
    }
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let addresses = Dns::system().unwrap().lookup("localhost").await.unwrap();
    assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
}

#[tokio::test]
async fn what_is_no_name_has_no_address() {
    let label = "x".repeat(64);
    let error = Dns::system().unwrap().lookup(&format!("{label}.example")).await;
    assert_eq!(error, Err(LookupError::NoAddress));
}
