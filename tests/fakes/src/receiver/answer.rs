//! What a receiver answers, well or badly, byte by byte.

use std::io::Result;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::io::AsyncWriteExt as _;

use super::bomb;
use super::wire::{Reading, gone};

/// Between two bytes of a dripping answer.
const DRIP: Duration = Duration::from_secs(1);

/// What a receiver does with a request. Whatever is not a whole answer ends the connection.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers with this status and these header lines (each ends in CR LF), and no body.
    Status(u16, String),
    /// Answers with this status and, as `Retry-After`, the date that is so far away.
    BusyFor(u16, Duration),
    /// Says nothing.
    Silence,
    /// Answers 200, announces a body and never sends it.
    NoBody,
    /// Answers 200 and sends its body a byte at a time, each in good time.
    Drip,
    /// Answers 200 and cuts the connection (RST) in the middle of the body.
    Reset,
    /// Answers 200 and closes the connection in the middle of the body.
    Short,
    /// Closes the connection without an answer.
    HangUp,
    /// Answers 200 and a body of so many bytes.
    Flood(usize),
    /// Answers 200 and a gzip stream that would unpack to so many bytes.
    Bomb(usize),
    /// Greets as a mail server would. It is also what anybody hears who does not speak HTTP.
    Noise,
}

impl From<StatusCode> for Answer {
    fn from(status: StatusCode) -> Self {
        Self::status(status.as_u16())
    }
}

impl Answer {
    /// This status, and nothing else.
    pub fn status(status: u16) -> Self {
        Self::Status(status, String::new())
    }

    /// This status and this header line.
    pub fn with(status: u16, header: &str) -> Self {
        Self::Status(status, format!("{header}\r\n"))
    }

    /// Its status, if it is a whole answer.
    pub(super) fn as_status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(status, _) | Self::BusyFor(status, _) => StatusCode::from_u16(*status).ok(),
            _ => None,
        }
    }

    /// Whether another request may come on this connection.
    pub(super) async fn give(self, stream: &mut Reading, flooded: &AtomicUsize) -> Result<bool> {
        match self {
            Self::Status(status, headers) => {
                send(stream, &head(status, &headers, 0)).await?;
                return Ok(!headers.contains("connection: close"));
            }
            Self::BusyFor(status, wait) => {
                let date = httpdate::fmt_http_date(SystemTime::now() + wait);
                send(stream, &head(status, &format!("retry-after: {date}\r\n"), 0)).await?;
                return Ok(true);
            }
            Self::Silence => gone(stream).await,
            Self::HangUp => stream.shutdown().await?,
            Self::Short => {
                send(stream, &half()).await?;
                stream.shutdown().await?;
            }
            Self::Reset => {
                send(stream, &half()).await?;
                stream.get_ref().reset_on_close()?;
            }
            Self::NoBody => {
                send(stream, &head(200, "", 10)).await?;
                gone(stream).await;
            }
            Self::Drip => drip(stream).await?,
            Self::Flood(bytes) => flood(stream, bytes, flooded).await?,
            Self::Bomb(bytes) => {
                let bomb = bomb::of(bytes);
                let head = head(200, "content-encoding: gzip\r\n", bomb.len());
                send(stream, &[head, bomb].concat()).await?;
            }
            Self::Noise => {
                send(stream, b"220 mail.example.com ESMTP\r\n").await?;
                gone(stream).await;
            }
        }
        Ok(false)
    }
}

fn head(status: u16, headers: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\n\r\n").into_bytes()
}

fn half() -> Vec<u8> {
    [&head(200, "", 10)[..], b"half"].concat()
}

async fn send(stream: &mut Reading, bytes: &[u8]) -> Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn drip(stream: &mut Reading) -> Result<()> {
    send(stream, &head(200, "", 1000)).await?;
    loop {
        send(stream, b"x").await?;
        tokio::time::sleep(DRIP).await;
    }
}

async fn flood(stream: &mut Reading, bytes: usize, flooded: &AtomicUsize) -> Result<()> {
    static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    send(stream, &head(200, "", bytes)).await?;
    let mut left = bytes;
    while left > 0 {
        let written = stream.write(&CHUNK[..left.min(CHUNK.len())]).await?;
        flooded.fetch_add(written, Ordering::SeqCst);
        left -= written;
    }
    stream.flush().await
}
