//! Scripted servers: the tool's name is the script.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::engine::{Executed, Executor};
use crate::id::JobId;
use crate::job::Call;
use crate::state::End;

/// Servers that do what the tool's name says: `echo` answers, `hang` waits for ever, `takes-N` answers
/// after N seconds, `down-N` cannot be reached N times and then answers.
#[derive(Default)]
pub(super) struct Servers {
    /// Jobs in the order in which they were executed, every time.
    pub(super) executed: Mutex<Vec<JobId>>,
    /// Jobs whose execution was told to stop.
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
    async fn execute(&self, job: JobId, call: &Call, _params: Bytes, cancel: CancellationToken) -> Executed {
        let tries = {
            let mut executed = self.executed.lock().unwrap();
            executed.push(job);
            executed.iter().filter(|id| **id == job).count()
        };
        let (script, number) = call.tool.split_once('-').unwrap_or((&call.tool, "0"));
        let number: u64 = number.parse().unwrap();
        let work = match script {
            "takes" => Duration::from_secs(number),
            "hang" => Duration::from_hours(1000),
            "down" if tries as u64 <= number => {
                let retry_after = Duration::ZERO;
                return Executed::NotSent { retry_after };
            }
            _ => Duration::ZERO,
        };
        tokio::select! {
            () = cancel.cancelled() => self.aborted.lock().unwrap().push(job),
            () = tokio::time::sleep(work) => {}
        }
        let body = Bytes::from("answered");
        Executed::Ended {
            end: End::Result,
            body,
        }
    }

    fn body(&self, _call: &Call, end: End) -> Bytes {
        Bytes::from(end.as_str())
    }
}
