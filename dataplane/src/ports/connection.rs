//! One connection, from its first byte to its end.
//!
//! Invariant: a connection without a request in progress is closed after [`IDLE`], whether its client sends nothing, an
//! incomplete head, or only pings; and HTTP/2 takes a bounded amount of memory.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::activity::{Activity, Answer};
use super::peer::Peer;

/// The idle timeout. Longer than the pools of common proxies keep idle connections.
const IDLE: Duration = Duration::from_secs(75);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// How often an HTTP/2 peer is pinged, and how long its answer may take.
const PING: Duration = Duration::from_secs(30);

pub(super) async fn serve<S>(stream: S, peer: Peer, router: Router, closing: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::default();
    let answering = activity.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        answer(router.clone(), answering.clone(), request)
    });
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut is_closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(error, "a connection ended with an error");
                }
                return;
            }
            () = activity.idle_for(IDLE) => return,
            () = closing.cancelled(), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

async fn answer(
    router: Router,
    activity: Activity,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let request_in_progress = activity.begin();
    let response = router.oneshot(request.map(Body::new)).await?;
    Ok(response.map(|body| request_in_progress.until_sent(body)))
}
