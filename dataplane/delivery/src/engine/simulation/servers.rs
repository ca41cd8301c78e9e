//! Servers that do what the plan says, and after the faults answer at once. They are an executor, for the reason that
//! the receivers are a sender.
//!
//! Invariant: what reached a server is written down before anything else can happen to it; a server that gave a
//! resume token goes on whatever becomes of the process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::bodies;
use super::event::{Event, ExecutionEnd};
use super::plan::{Number, OnServer, Weather};
use super::world::{SERVERS, World};
use crate::engine::{Begin, Executed, Executor, Room, Run};
use crate::job::Call;
use crate::state::End;

/// See the module.
pub(super) struct Servers(pub(super) Arc<World>);

/// One execution in progress; when nobody waits for it any more, that is written down.
struct Execution<'a> {
    world: &'a World,
    call: Number,
    how: ExecutionEnd,
}

/// How long a server takes for a quarter of a large result.
const QUARTER: Duration = Duration::from_millis(250);
/// How much of a large result comes where the rest does not.
const HALF: usize = 6 << 20;

const AT_ONCE: OnServer = OnServer::Answers {
    after: Duration::ZERO,
    end: End::Result,
};

impl Servers {
    fn does(&self, call: Number, server: &str) -> OnServer {
        let planned = self.0.contact(call);
        let is_away = |weather| matches!(weather, Weather::ServerAway(number) if SERVERS[usize::from(number)] == server);
        if self.0.weather().any(is_away) {
            return OnServer::IsAway {
                retry_after: Duration::ZERO,
            };
        }
        planned.unwrap_or(AT_ONCE)
    }

    async fn run(&self, call: Number, run: &Run<'_>, does: OnServer) -> Executed {
        let mut execution = Execution::begin(&self.0, call, matches!(run.begin, Begin::Send(_)));
        let executed = tokio::select! {
            biased;
            () = run.cancel.cancelled() => {
                self.0.note(Event::CancelTold { call });
                self.0.change(call, |known| known.task = None);
                execution.how = ExecutionEnd::Stopped;
                return Executed::Lost;
            }
            executed = answer(&self.0, call, run, does) => executed,
        };
        execution.how = match &executed {
            Executed::Ended { end, .. } => ExecutionEnd::Answered(*end),
            Executed::NotSent { .. } | Executed::Again { .. } | Executed::Lost => ExecutionEnd::Lost,
        };
        executed
    }
}

/// What becomes of a call that does not reach its server.
fn not_sent(run: &Run<'_>, does: OnServer) -> Option<Executed> {
    match (does, &run.begin) {
        (OnServer::IsAway { retry_after }, Begin::Send(_))
        | (OnServer::CannotResumeYet { retry_after }, Begin::Resume(_)) => Some(Executed::NotSent {
            retry_after,
            is_away: retry_after.is_zero(),
        }),
        (OnServer::IsAway { .. }, Begin::Resume(_)) => Some(Executed::Lost),
        _ => None,
    }
}

/// What the server makes of a call that reached it.
async fn answer(world: &World, call: Number, run: &Run<'_>, does: OnServer) -> Executed {
    if let Begin::Resume(_) = run.begin
        && !matches!(
            does,
            OnServer::Hangs | OnServer::StopsHalfway | OnServer::Panics | OnServer::Loses { .. }
        )
    {
        return resume(world, call, run).await;
    }
    match does {
        OnServer::Answers { after, end } => {
            tokio::time::sleep(after).await;
            read(world, call, run, end).await
        }
        OnServer::CannotResumeYet { .. } => read(world, call, run, End::Result).await,
        OnServer::Loses { after } => {
            tokio::time::sleep(after).await;
            match run.begin {
                Begin::Send(_) => ended(world, call, End::Unknown),
                Begin::Resume(_) => Executed::Lost,
            }
        }
        OnServer::GivesToken { after, at_once, ends } => {
            let ends = world.now() + ends;
            world.change(call, |known| known.task = Some(ends));
            tokio::time::sleep(after).await;
            leave(run, at_once);
            resume(world, call, run).await
        }
        OnServer::StopsHalfway => {
            run.room.take(HALF).await;
            let _stalled = run.room.read(std::future::pending::<()>()).await;
            ended(world, call, End::Unknown)
        }
        OnServer::Panics => std::panic::resume_unwind(Box::new("the plan says so")),
        OnServer::Hangs | OnServer::IsAway { .. } => std::future::pending().await,
    }
}

fn leave(run: &Run<'_>, at_once: bool) {
    let token = Bytes::from_static(b"token");
    if at_once {
        run.tokens.keep_at_once(token);
    } else {
        run.tokens.keep(token);
    }
}

/// Waits for the end of what the server runs on its own.
async fn resume(world: &World, call: Number, run: &Run<'_>) -> Executed {
    let Some(ends) = world.known(call).task else {
        return Executed::Lost;
    };
    tokio::time::sleep(ends.saturating_sub(world.now())).await;
    read(world, call, run, End::Result).await
}

/// Reads the server's answer in four parts.
async fn read(world: &World, call: Number, run: &Run<'_>, end: End) -> Executed {
    let size = result_size(world, call, end);
    for quarter in 1..=4 {
        run.room.take(size / 4 * quarter).await;
        if size > Room::SMALL {
            let part = run.room.read(tokio::time::sleep(QUARTER)).await;
            part.expect("it takes less than a server's silence may");
        }
    }
    ended(world, call, end)
}

fn result_size(world: &World, call: Number, end: End) -> usize {
    let call = world.plan.call(call).filter(|_| end == End::Result);
    call.map_or(0, |call| call.result)
}

fn ended(world: &World, call: Number, end: End) -> Executed {
    let run = world.known(call).runs;
    let says = format!("{} of call {call}, run {run}", end.as_str());
    Executed::Ended {
        end,
        body: bodies::result(result_size(world, call, end), says, call, run),
    }
}

#[async_trait]
impl Executor for Servers {
    async fn execute(&self, run: Run<'_>) -> Executed {
        self.0.alive().await;
        let call = self.0.number(run.job);
        let does = self.does(call, &run.call.server);
        if let Some(not_sent) = not_sent(&run, does) {
            self.0.note(Event::NotSent { call });
            return not_sent;
        }
        self.run(call, &run, does).await
    }

    fn body(&self, call: &Call, end: End) -> Bytes {
        Bytes::from(format!("{} of {}", end.as_str(), call.request_id))
    }
}

impl<'a> Execution<'a> {
    fn begin(world: &'a World, call: Number, sent: bool) -> Self {
        world.change(call, |known| {
            known.runs += u32::from(sent);
            known.held += 1;
        });
        world.note(Event::Executing { call, resumed: !sent });
        Self {
            world,
            call,
            how: ExecutionEnd::Dropped,
        }
    }
}

impl Drop for Execution<'_> {
    fn drop(&mut self) {
        let Self { world, call, how } = *self;
        if !world.is_dead() {
            world.change(call, |known| known.held -= 1);
            world.note(Event::ExecutionOver { call, how });
        }
    }
}
