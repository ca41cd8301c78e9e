//! A name server that answers what a test decides, question by question (RFC 1035).
//!
//! Invariant: nothing it says may be kept (its TTL is 0), and every question it was asked is noted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// The length of a message's header.
const HEADER: usize = 12;
/// The question's type: an IPv4 address.
const A: u16 = 1;

/// What a question for an IPv4 address is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These addresses.
    Addresses(Vec<Ipv4Addr>),
    /// NXDOMAIN: there is no such name.
    NoName,
    /// SERVFAIL: nobody can say.
    Failure,
}

/// A running name server; dropping it stops it. There are no IPv6 addresses in its world.
pub struct NameServer {
    asked: Arc<Mutex<usize>>,
    _server: JoinSet<()>,
}

impl NameServer {
    /// Starts one at `address`: the first question for an IPv4 address gets the first line of `script`, and so on; the
    /// last line is repeated.
    pub async fn start(address: SocketAddr, script: Vec<Answer>) -> Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        let asked = Arc::<Mutex<usize>>::default();
        let mut server = JoinSet::new();
        server.spawn(serve(socket, script, Arc::clone(&asked)));
        Ok(Self {
            asked,
            _server: server,
        })
    }

    /// How often it was asked for an IPv4 address.
    pub fn asked(&self) -> usize {
        *lock(&self.asked)
    }
}

async fn serve(socket: UdpSocket, script: Vec<Answer>, asked: Arc<Mutex<usize>>) {
    let mut message = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut message).await {
        let Some(question) = question(&message[..length]) else {
            continue; // no question: nothing to answer
        };
        let kind = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
        let line = *lock(&asked);
        if kind == A {
            *lock(&asked) += 1;
        }
        let Some(answer) = script.get(line.min(script.len() - 1)) else {
            return;
        };
        // Whoever asked may be gone.
        let _ = socket
            .send_to(&reply(&message, question, kind, answer), from)
            .await;
    }
}

/// The question section of a message that has one question: name, type and class.
fn question(message: &[u8]) -> Option<&[u8]> {
    let mut end = HEADER;
    while *message.get(end)? != 0 {
        end += 1 + usize::from(message[end]);
    }
    message.get(HEADER..end + 5)
}

fn reply(request: &[u8], question: &[u8], kind: u16, answer: &Answer) -> Vec<u8> {
    let (code, addresses) = match answer {
        Answer::Addresses(addresses) if kind == A => (0, addresses.as_slice()),
        Answer::Addresses(_) => (0, [].as_slice()),
        Answer::NoName => (3, [].as_slice()),
        Answer::Failure => (2, [].as_slice()),
    };
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let mut reply = request[..2].to_vec(); // its id
    reply.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    reply.extend(question);
    for address in addresses {
        // The name of the question; type A, class IN, TTL 0, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}

fn lock(asked: &Mutex<usize>) -> MutexGuard<'_, usize> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}
