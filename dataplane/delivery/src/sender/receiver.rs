//! A receiver on loopback that misbehaves by a script, byte by byte.
//!
//! For this package's tests. Invariant: one request per connection, answered by the next line of the
//! script; the last line is repeated.

use std::collections::VecDeque;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers with this status and these header lines, and no body.
    Status(u16, &'static str),
    /// Reads the request and says nothing.
    Silence,
    /// Answers 200 and one byte of ten, then nothing.
    Drip,
    /// Answers 200 and a body without end.
    Endless,
    /// Closes the connection after the request.
    HangUp,
    /// Answers with something that is not HTTP.
    Noise,
}

/// A request as it came in.
#[derive(Debug)]
pub(crate) struct Request {
    /// The request line.
    pub(crate) line: String,
    /// Header names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header's value; empty without one.
    pub(crate) fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map_or("", |(_, value)| value)
    }
}

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
}

impl Receiver {
    /// Starts one that follows `script`.
    pub(crate) async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let mut script: VecDeque<_> = script.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = if script.len() > 1 {
                    script.pop_front()
                } else {
                    script.front().cloned()
                };
                tokio::spawn(serve(stream, answer.unwrap(), seen.clone()));
            }
        });
        Self { port, requests }
    }

    /// Its URL by address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }

    /// How many requests were not read by the test.
    pub(crate) fn unseen(&mut self) -> usize {
        std::iter::from_fn(|| self.requests.try_recv().ok()).count()
    }
}

/// A port on loopback where nothing listens.
pub(crate) async fn nobody() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

async fn serve(stream: TcpStream, answer: Answer, seen: mpsc::UnboundedSender<Request>) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let _ = seen.send(request);
    let mut stream = stream.into_inner();
    match answer {
        Answer::Status(status, headers) => {
            let head =
                format!("HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        }
        Answer::Silence => std::future::pending().await,
        Answer::Drip => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\nx")
                .await;
            std::future::pending::<()>().await;
        }
        Answer::Endless => endless(stream).await,
        Answer::HangUp => {}
        Answer::Noise => {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    }
}

/// Writes until the connection is closed.
async fn endless(mut stream: TcpStream) {
    let head = b"HTTP/1.1 200 x\r\ncontent-length: 1000000000\r\n\r\n";
    let mut open = stream.write_all(head).await.is_ok();
    while open {
        open = stream.write_all(&[b'x'; 4096]).await.is_ok();
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: Vec<_> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        line: lines[0].clone(),
        headers,
        body,
    })
}
