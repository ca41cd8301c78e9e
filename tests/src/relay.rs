//! A wire that a test cuts: connections to it are connections to somebody else.
//!
//! Invariant: a cut ends the connections of that moment, and later ones pass.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// The wire. It ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
    /// What came back over it.
    answers: Answers,
    listening: AbortHandle,
}

type Answers = Arc<Mutex<Vec<u8>>>;

impl Relay {
    /// A wire to a loopback port.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections: Arc<Mutex<JoinSet<()>>> = Arc::default();
        let answers = Answers::default();
        let (all, back) = (Arc::clone(&connections), Arc::clone(&answers));
        let listening = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.spawn(pass(from, port, Arc::clone(&back)));
            }
        });
        Ok(Self {
            address,
            connections,
            answers,
            listening: listening.abort_handle(),
        })
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whether `text` has come back over it.
    pub fn has_answered(&self, text: &str) -> bool {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// Ends all connections.
    pub fn cut(&self) {
        let mut all = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        all.abort_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn pass(from: TcpStream, port: u16, answers: Answers) {
    let Ok(to) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (mut asks, mut hears) = from.into_split();
    let (mut says, mut takes) = to.into_split();
    let back = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = says.read(&mut buffer).await {
            if hears.write_all(&buffer[..count]).await.is_err() {
                return;
            }
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::select! { // either side ended it
        _ = tokio::io::copy(&mut asks, &mut takes) => {}
        () = back => {}
    }
}
