//! As much of HTTP/1.1 as the bench speaks: messages with `content-length`, or in chunks, on connections that stay open.
//!
//! Client, receivers and tool server share it, by hand, so that they cost little beside what is measured.
//! Invariant: what follows a message on the connection stays for the next one.

use std::io;
use std::net::Ipv4Addr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// One end of a connection.
pub(crate) struct Wire {
    stream: TcpStream,
    read: BytesMut,
}

/// A request or a response.
pub(crate) struct Message {
    /// The first line and the headers.
    pub(crate) head: Bytes,
    /// The body.
    pub(crate) body: Bytes,
}

impl Message {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

impl Wire {
    /// Connects to a port on loopback.
    pub(crate) async fn connect(port: u16) -> io::Result<Self> {
        Self::of(TcpStream::connect(("127.0.0.1", port)).await?)
    }

    /// The same from this loopback address.
    pub(crate) async fn connect_from(address: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((address, 0).into())?;
        Self::of(socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?)
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let read = BytesMut::with_capacity(8 << 10);
        Ok(Self { stream, read })
    }

    /// Writes all of it.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next first line and headers; an error where the connection ends before them.
    pub(crate) async fn head(&mut self) -> io::Result<Bytes> {
        let mut looked = 0;
        loop {
            let from = usize::saturating_sub(looked, 3);
            if let Some(at) = self.read[from..].windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(self.read.split_to(from + at + 4).freeze());
            }
            looked = self.read.len();
            self.more().await?;
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> io::Result<Message> {
        let head = self.head().await?;
        let length = header(&head, "content-length").and_then(|value| value.parse().ok());
        let body = self.exactly(length.unwrap_or(0)).await?;
        Ok(Message { head, body })
    }

    /// The next message, whose body may come in chunks.
    pub(crate) async fn response(&mut self) -> io::Result<Message> {
        let head = self.head().await?;
        let Some(length) = header(&head, "content-length") else {
            let body = self.chunks().await?;
            return Ok(Message { head, body });
        };
        let length = length.parse().unwrap_or(0);
        let body = self.exactly(length).await?;
        Ok(Message { head, body })
    }

    /// Chunks up to the last, which is empty.
    async fn chunks(&mut self) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let size = loop {
                match self.read.windows(2).position(|two| two == b"\r\n") {
                    Some(at) => break self.read.split_to(at + 2),
                    None => self.more().await?,
                }
            };
            let size = std::str::from_utf8(&size).ok().map(str::trim);
            let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.ok_or(io::ErrorKind::InvalidData)?;
            let chunk = self.exactly(size + 2).await?;
            if size == 0 {
                return Ok(body.freeze());
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Bytes> {
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(self.read.split_to(length).freeze())
    }

    /// All until the other end closes.
    pub(crate) async fn rest(mut self) -> io::Result<Bytes> {
        while self.stream.read_buf(&mut self.read).await? > 0 {}
        Ok(self.read.freeze())
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// A header's value in a head.
pub(crate) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).ok()?;
    let mut fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}

/// What answers requests.
pub(crate) trait Answer: Clone + Send + 'static {
    /// The whole response.
    fn answer(&self, request: Message) -> impl Future<Output = Vec<u8>> + Send;
}

/// Listens on a loopback port, and lets `service` answer all that comes. Says the port.
pub(crate) async fn serve(service: impl Answer) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(attend(stream, service.clone()));
        }
    });
    Ok(port)
}

/// Until the other end goes.
async fn attend(stream: TcpStream, service: impl Answer) -> io::Result<()> {
    let mut wire = Wire::of(stream)?;
    loop {
        let request = wire.message().await?;
        let response = service.answer(request).await;
        wire.send(&response).await?;
    }
}

/// A response with a body of JSON, or with none.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() {
        ""
    } else {
        "content-type: application/json\r\n"
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{kind}{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}
