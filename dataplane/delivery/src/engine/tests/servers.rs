//! Scripted servers: the tool's name is the script. They are an executor and speak no MCP, unlike
//! `asyncmcp_fakes::mcp`: the engine knows none.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::engine::{Begin, Executed, Executor, Run};
use crate::id::JobId;
use crate::job::Call;
use crate::state::End;

/// Servers that do what the tool's name says: `echo` answers, `hang` waits for ever, `takes-N` answers
/// after N seconds, `down-N` cannot be reached N times and then answers, `busy-N` may have run N times and
/// then answers. `task-N` and `stream-N` take N
/// seconds, too, and leave a resume token, `task-N` one that must not be lost; resumed, they take N seconds
/// again. `forgets-N` is a `task-N` that cannot be resumed. `big-N` answers with N MiB.
#[derive(Default)]
pub(super) struct Servers {
    /// Jobs in the order in which they were executed, every time.
    pub(super) executed: Mutex<Vec<JobId>>,
    /// The tokens with which jobs were resumed.
    pub(super) resumed: Mutex<Vec<Bytes>>,
    /// Jobs whose execution was asked to stop.
    pub(super) aborted: Mutex<Vec<JobId>>,
}

impl Servers {
    /// How often anything was executed.
    pub(super) fn count(&self) -> usize {
        self.executed.lock().unwrap().len()
    }
}

#[async_trait]
impl Executor for Servers {
    async fn execute(&self, run: Run<'_>) -> Executed {
        let Run {
            job, call, cancel, ..
        } = &run;
        let job = *job;
        if let Begin::Resume(token) = &run.begin {
            self.resumed.lock().unwrap().push(token.clone());
        }
        let tries = {
            let mut executed = self.executed.lock().unwrap();
            executed.push(job);
            executed.iter().filter(|id| **id == job).count()
        };
        let (script, number) = call.tool.split_once('-').unwrap_or((&call.tool, "0"));
        let number: u64 = number.parse().unwrap();
        let mut body = Bytes::from("answered");
        let work = match script {
            "forgets" if matches!(run.begin, Begin::Resume(_)) => return Executed::Lost,
            "takes" => Duration::from_secs(number),
            "task" | "forgets" => {
                run.tokens.keep_at_once(Bytes::from("task"));
                Duration::from_secs(number)
            }
            "stream" => {
                run.tokens.keep(Bytes::from("event"));
                Duration::from_secs(number)
            }
            "big" => {
                run.room.take(16 << 20).await;
                body = vec![b'x'; usize::try_from(number << 20).unwrap()].into();
                Duration::from_secs(1)
            }
            "hang" => Duration::from_hours(1000),
            "busy" if tries as u64 <= number => {
                let retry_after = Duration::from_secs(1);
                return Executed::Again { retry_after };
            }
            "down" | "full" if tries as u64 <= number => {
                return Executed::NotSent {
                    retry_after: Duration::ZERO,
                    is_away: script == "down",
                };
            }
            _ => Duration::ZERO,
        };
        tokio::select! {
            () = cancel.cancelled() => self.aborted.lock().unwrap().push(job),
            () = tokio::time::sleep(work) => {}
        }
        Executed::Ended {
            end: End::Result,
            body,
        }
    }

    fn body(&self, _call: &Call, end: End) -> Bytes {
        Bytes::from(end.as_str())
    }

    fn poisoned(&self, _call: &Call) -> Bytes {
        Bytes::from("poisoned")
    }
}
