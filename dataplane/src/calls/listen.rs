//! `subscriptions/listen` of modern clients: one stream of what they want to hear of, whichever servers it comes from.
//!
//! The edge hands it each one. Lists are watched by the catalogue, so a stream of them costs servers nothing; resources are
//! listened to at their servers, tasks where they run ([`tasks`]). Invariant: the acknowledgement comes first and names what will be notified of, nothing
//! else is sent, and how many streams are open is bounded.

mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use asyncmcp_protocol::initialize::TASKS_EXTENSION;
use asyncmcp_protocol::subscriptions::{self, Filter, LISTEN};
use asyncmcp_protocol::{Id, Request};
use bytes::Bytes;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::bound::Held;
use super::{Context, subscribe};
use crate::caller::access::expired;
use crate::caller::answer::Answer;
use crate::caller::operation::Operation;
use crate::caller::respond::{Error, task};
use crate::servers::lines::{Changes, Part};

/// How long servers may take to say which resources they notify of. What belongs to one that takes longer is acknowledged:
/// the server is asked until it answers.
const SERVERS_TIME: Duration = Duration::from_secs(5);
/// Messages that wait for the client before servers' streams wait.
const WAITING: usize = 64;

/// Opens the stream. It ends with its client, or with a response when its token expires or the process ends (`closing`).
pub(super) fn answer(
    context: &Context,
    request: Request,
    mut operation: Operation,
    closing: CancellationToken,
) -> Answer {
    let opened = permit(context, &request);
    let (filter, held) = match opened {
        Ok(opened) => opened,
        Err(error) => return Answer::refusal(&error, request.id, &mut operation),
    };
    let (messages, stream) = mpsc::channel(WAITING);
    let span = operation.span().clone();
    let listening = Stream {
        // From here on, so that no change is missed before the acknowledgement.
        changes: context.calls.lines.watch_lists(),
        context: context.clone(),
        id: request.id,
        messages,
        closing,
        _held: held,
    };
    tokio::spawn(listening.run(filter, operation).instrument(span));
    Answer::Stream(stream)
}

fn permit(context: &Context, request: &Request) -> Result<(Filter, Held), Error> {
    if context.json_only {
        return Err(Error::NoStream);
    }
    let filter = Filter::parse(request.params.as_ref()).map_err(Error::Filter)?;
    if !filter.tasks.is_empty() && !context.caller.capabilities.has(TASKS_EXTENSION) {
        return Err(task::Error::Undeclared(LISTEN.to_owned()).into());
    }
    let size = filter.uris.iter().chain(&filter.tasks).map(String::len).sum();
    let streams = &context.calls.in_progress.streams;
    let held = streams
        .take(&context.caller.account, size)
        .ok_or(Error::TooManyStreams)?;
    Ok((filter, held))
}

struct Stream {
    context: Context,
    /// The request's id, under which the client knows the stream.
    id: Id,
    changes: Changes,
    messages: mpsc::Sender<Bytes>,
    closing: CancellationToken,
    /// Counts it, until it has ended.
    _held: Held,
}

impl Stream {
    async fn run(self, filter: Filter, operation: Operation) {
        let (updates, heard) = mpsc::channel(WAITING);
        let client = self.messages.clone();
        let listening = async {
            let tasks = tasks::listen(&self.context, (&self.id, &filter.tasks), &updates).await;
            (self.listen(&filter.uris, &updates).await, tasks)
        };
        let ((uris, parts), tasks) = tokio::select! {
            listening = listening => listening,
            () = client.closed() => return,
        };
        let acknowledged = Filter {
            lists: filter.lists,
            uris,
            tasks: tasks.accepted.clone(),
        };
        let first = subscriptions::on(acknowledged.acknowledgement(), &self.id);
        let sent = self.messages.send(first.to_bytes().into()).await;
        drop(operation); // measured to here: the stream is open
        if sent.is_ok() {
            self.pass_on(&acknowledged, heard).await;
        }
        drop((parts, tasks));
    }

    /// Until the client leaves, its token expires or the process ends.
    async fn pass_on(&self, wanted: &Filter, mut heard: mpsc::Receiver<Bytes>) {
        let ends = ends(self.context.caller.expires, self.closing.clone());
        tokio::pin!(ends);
        loop {
            let messages: Vec<Bytes> = tokio::select! {
                lists = self.changes.next() => lists
                    .intersection(&wanted.lists)
                    .map(|list| subscriptions::on(list.changed(), &self.id).to_bytes().into())
                    .collect(),
                Some(update) = heard.recv() => vec![update],
                () = &mut ends => {
                    let last = subscriptions::ended(&self.id).to_bytes();
                    let _ = self.messages.try_send(last.into()); // a client that is far behind sees the stream end
                    return;
                }
                () = self.messages.closed() => return,
            };
            for message in messages {
                tokio::select! {
                    sent = self.messages.send(message) => if sent.is_err() { return },
                    () = &mut ends => return,
                }
            }
        }
    }

    /// Listens to each resource at the first server that takes it; which were taken, and what keeps them listened to.
    async fn listen(
        &self,
        uris: &BTreeSet<String>,
        updates: &mpsc::Sender<Bytes>,
    ) -> (BTreeSet<String>, Vec<Part>) {
        let (mut accepted, mut kept) = (BTreeSet::new(), Vec::new());
        let mut open = BTreeMap::new();
        for uri in uris {
            // What the caller may not read is not acknowledged.
            let candidates = subscribe::candidates(&self.context, uri).await;
            let mut candidates = candidates.unwrap_or_default();
            candidates.reverse(); // the likeliest is taken from the end
            open.insert(uri.clone(), candidates);
        }
        while let Some(servers) = next_of_each(&mut open) {
            let asking = servers.into_iter().filter_map(|(server, uris)| {
                let (lines, id) = (&self.context.calls.lines, self.id.clone());
                let written = move |said| subscriptions::on(said, &id).to_bytes().into();
                let asked = Filter {
                    uris,
                    ..Filter::default()
                };
                let part = lines.listen(&self.context.caller, (&server, asked.clone()), updates, written);
                Some(taken(part.ok()?, asked))
            });
            for (part, Filter { uris: taken, .. }) in join_all(asking).await {
                open.retain(|uri, _| !taken.contains(uri));
                if !taken.is_empty() {
                    kept.push(part);
                }
                accepted.extend(taken);
            }
        }
        (accepted, kept)
    }
}

async fn ends(expires: Option<Instant>, closing: CancellationToken) {
    tokio::select! {
        () = expired(expires) => tracing::debug!("a stream ends with the token that opened it"),
        () = closing.cancelled_owned() => {}
    }
}

/// The next server of each resource that is still open, with the resources that it is to be asked for.
fn next_of_each(open: &mut BTreeMap<String, Vec<String>>) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut servers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (uri, candidates) in open {
        if let Some(server) = candidates.pop() {
            servers.entry(server).or_default().insert(uri.clone());
        }
    }
    (!servers.is_empty()).then_some(servers)
}

/// The part, and what of it is listened to.
async fn taken(mut part: Part, asked: Filter) -> (Part, Filter) {
    let taken = match tokio::time::timeout(SERVERS_TIME, &mut part.accepted).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(_)) => Filter::default(),
        Err(_) => asked,
    };
    (part, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_its_token_or_with_the_process_and_not_before() {
        let hour = Duration::from_hours(1);
        let (begin, closing) = (Instant::now(), CancellationToken::new());
        ends(Some(begin + hour), closing.clone()).await;
        assert_eq!(begin.elapsed(), hour);
        let lasting = ends(None, closing.clone());
        assert!(tokio::time::timeout(1000 * hour, lasting).await.is_err());
        closing.cancel();
        ends(None, closing).await;
    }
}
