//! Ports over real sockets, with a clock that runs ahead while nobody does anything.

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;

/// The first frame of an HTTP/2 connection, and an empty SETTINGS.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

async fn port(limits: Limits) -> (std::net::SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let closing = CancellationToken::new();
    let port = Port {
        name: "test",
        listener,
        router: Router::new().route("/", get(|| async { "here" })),
        limits,
        tls: Tls::never(),
        closing: closing.clone(),
    };
    let metrics = Metrics::register(&Registry::new()).unwrap();
    tokio::spawn(serve(port, metrics));
    (address, closing)
}

async fn connected(address: std::net::SocketAddr, sends: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sends).await.unwrap();
    stream
}

async fn all_of(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_whole_request_is_closed() {
    let (address, _open) = port(Limits::admin()).await;
    for sends in [b"".as_slice(), b"GET / HTTP/1.1\r\nHost: x\r\n", HTTP2] {
        let begun = Instant::now();
        all_of(connected(address, sends).await).await;
        let took = begun.elapsed();
        let right = Duration::from_secs(30)..=Duration::from_mins(2);
        assert!(right.contains(&took), "{took:?} for {sends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_too_many_is_told_so_and_a_closing_port_answers_what_it_got() {
    let limits = Limits {
        in_all: 9,
        from_one: 1,
    };
    let (address, closing) = port(limits).await;
    let first = connected(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let told = all_of(TcpStream::connect(address).await.unwrap()).await;
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains(&format!("content-length: {}", body.len())));
    first.readable().await.unwrap();
    closing.cancel();
    let answer = all_of(first).await;
    assert!(answer.ends_with("here"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err(), "it takes no more");
}
