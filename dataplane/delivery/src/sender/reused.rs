//! Which connections brought an answer before: a failure on one of those may only mean that the receiver closed it.
//!
//! [`super::HttpSender`] notes every answer and asks when a request fails. Invariant: bounded by the number of local
//! ports, since two open connections of a process to one place differ in theirs.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper_util::client::legacy::Error as ClientError;
use hyper_util::client::legacy::connect::HttpInfo;
use tokio::time::Instant;

use super::clients::IDLE;

/// How much later than the answer's head a connection may have become idle, and more.
const SLACK: Duration = Duration::from_secs(1);

/// The connections that brought an answer, by their local port.
#[derive(Default)]
pub(super) struct Answered(Mutex<HashMap<u16, Answer>>);

struct Answer {
    local: SocketAddr,
    remote: SocketAddr,
    at: Instant,
}

impl Answered {
    /// A connection brought this answer.
    pub(super) fn note(&self, response: &reqwest::Response) {
        if let Some(info) = response.extensions().get::<HttpInfo>() {
            let answer = Answer {
                local: info.local_addr(),
                remote: info.remote_addr(),
                at: Instant::now(),
            };
            self.answers().insert(answer.local.port(), answer);
        }
    }

    /// Whether a request that began then and failed was sent on a connection that had brought an answer before.
    pub(super) fn is_reused(&self, error: &reqwest::Error, began: Instant) -> bool {
        let Some(info) = connection(error) else {
            return false;
        };
        let answers = self.answers();
        let answer = answers.get(&info.local_addr().port());
        answer.is_some_and(|answer| {
            let is_same = (answer.local, answer.remote) == (info.local_addr(), info.remote_addr());
            // A connection that was idle for longer is not used again: the port is that of a newer one.
            is_same && answer.at + IDLE + SLACK >= began
        })
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<u16, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection on which no answer came; `None` where there was no connection, or an answer that is not HTTP.
fn connection(error: &reqwest::Error) -> Option<HttpInfo> {
    let mut causes = std::iter::successors(error.source(), |error| StdError::source(*error));
    let failed = causes.find_map(<dyn StdError>::downcast_ref::<ClientError>)?;
    let mut under = causes.filter_map(<dyn StdError>::downcast_ref::<hyper::Error>);
    if under.any(hyper::Error::is_parse) {
        return None;
    }
    let mut extras = http::Extensions::new();
    failed.connect_info()?.get_extras(&mut extras);
    extras.remove()
}
