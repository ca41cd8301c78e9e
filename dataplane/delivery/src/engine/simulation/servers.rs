//! Servers that do what the plan says, and after the faults answer at once. They are an executor, for the reason that
//! the receivers are a sender.
//!
//! Invariant: what reached a server is written down before anything else can happen to it; a server that gave a
//! resume token goes on whatever becomes of the process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::event::{Event, ExecutionEnd};
use super::plan::{Number, OnServer, Weather};
use super::world::{SERVERS, World};
use crate::engine::{Begin, Executed, Executor, Run};
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
        && !matches!(does, OnServer::Hangs | OnServer::Panics | OnServer::Loses { .. })
    {
        return resume(world, call).await;
    }
    match does {
        OnServer::Answers { after, end } => {
            tokio::time::sleep(after).await;
            ended(world, call, end)
        }
        OnServer::CannotResumeYet { .. } => ended(world, call, End::Result),
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
            resume(world, call).await
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
async fn resume(world: &World, call: Number) -> Executed {
    let Some(ends) = world.known(call).task else {
        return Executed::Lost;
    };
    tokio::time::sleep(ends.saturating_sub(world.now())).await;
    ended(world, call, End::Result)
}

fn ended(world: &World, call: Number, end: End) -> Executed {
    let run = world.known(call).runs;
    Executed::Ended {
        end,
        body: Bytes::from(format!("{} of call {call}, run {run}", end.as_str())),
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
