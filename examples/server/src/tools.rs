//! The tools: a quick one with progress, a slow one, and one that fails.
//!
//! Served by `main`; rmcp clones them for every session.
//!
//! Invariant: an execution is recorded in the journal before it has any effect.

use std::sync::Arc;
use std::time::Duration;

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{
    CallToolResult, ContentBlock, Implementation, ProgressNotificationParam, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::Journal;

/// Steps of `echo`, and the time each takes.
const ECHO_STEPS: u32 = 3;
const ECHO_STEP: Duration = Duration::from_millis(100);
/// Maximum duration of `process_batch`, in seconds.
const MAX_SECONDS: f64 = 3600.0;

/// The tools and the journal that they share.
#[derive(Clone)]
pub(crate) struct Tools {
    journal: Arc<Journal>,
}

/// The arguments of `echo`.
#[derive(Deserialize, JsonSchema)]
struct Echo {
    /// The text to return.
    text: String,
}

/// The arguments of `process_batch`.
#[derive(Deserialize, JsonSchema)]
struct Batch {
    /// How long the batch takes, in seconds (at most 3600).
    #[serde(default = "default_seconds")]
    seconds: f64,
    /// How many items the batch has (at least 1).
    #[serde(default = "default_items")]
    items: u32,
    /// A name for this execution in the server's journal.
    #[serde(default)]
    key: Option<String>,
}

fn default_seconds() -> f64 {
    2.0
}

fn default_items() -> u32 {
    3
}

/// The result of `process_batch`.
#[derive(Serialize, JsonSchema)]
struct Done {
    /// How many items were processed.
    processed: u32,
    /// How long it took, in seconds.
    seconds: f64,
    /// A summary in one sentence.
    summary: String,
}

/// The arguments of `fail`.
#[derive(Deserialize, JsonSchema)]
struct Failure {
    /// The error message.
    #[serde(default)]
    message: Option<String>,
    /// A name for this execution in the server's journal.
    #[serde(default)]
    key: Option<String>,
}

#[tool_router]
impl Tools {
    pub(crate) fn new(journal: Journal) -> Self {
        Self {
            journal: Arc::new(journal),
        }
    }

    #[tool(
        description = "Returns the text, in three steps that report progress.",
        annotations(read_only_hint = true)
    )]
    async fn echo(
        &self,
        Parameters(Echo { text }): Parameters<Echo>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        self.record("echo", None)?;
        work(&context, ECHO_STEPS, ECHO_STEP).await?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }

    #[tool(description = "Processes a batch of items slowly and returns a summary.")]
    async fn process_batch(
        &self,
        Parameters(batch): Parameters<Batch>,
        context: RequestContext<RoleServer>,
    ) -> Result<Json<Done>, ErrorData> {
        let step = batch.step()?;
        self.record("process_batch", batch.key.as_deref())?;
        work(&context, batch.items, step).await?;
        Ok(Json(Done {
            processed: batch.items,
            seconds: batch.seconds,
            summary: format!("processed {} items in {} s", batch.items, batch.seconds),
        }))
    }

    #[tool(description = "Always returns an error result.")]
    async fn fail(&self, Parameters(failure): Parameters<Failure>) -> Result<CallToolResult, ErrorData> {
        self.record("fail", failure.key.as_deref())?;
        let message = failure.message.unwrap_or_else(|| "failed as asked".to_owned());
        Ok(CallToolResult::error(vec![ContentBlock::text(message)]))
    }

    fn record(&self, tool: &str, key: Option<&str>) -> Result<(), ErrorData> {
        self.journal
            .record(tool, key)
            .map_err(|error| ErrorData::internal_error(format!("failed to write the journal: {error}"), None))
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions(
                "`echo` returns at once. `process_batch` takes as long as its argument `seconds` says.",
            )
    }
}

impl Batch {
    fn step(&self) -> Result<Duration, ErrorData> {
        if !(0.0..=MAX_SECONDS).contains(&self.seconds) || self.items == 0 {
            let message = "`seconds` must be between 0 and 3600, `items` must be at least 1";
            return Err(ErrorData::invalid_params(message, None));
        }
        Ok(Duration::from_secs_f64(self.seconds) / self.items)
    }
}

/// Runs `steps` steps of `step` each, and reports each one if the caller gave a progress token.
async fn work(context: &RequestContext<RoleServer>, steps: u32, step: Duration) -> Result<(), ErrorData> {
    for done in 1..=steps {
        tokio::select! {
            () = tokio::time::sleep(step) => report(context, done, steps).await,
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("cancelled", None)),
        }
    }
    Ok(())
}

async fn report(context: &RequestContext<RoleServer>, done: u32, steps: u32) {
    let Some(token) = context.meta.get_progress_token() else {
        return;
    };
    let progress = ProgressNotificationParam::new(token, f64::from(done))
        .with_total(f64::from(steps))
        .with_message(format!("step {done} of {steps}"));
    // The work continues even if the caller has disconnected.
    let _ = context.peer.notify_progress(progress).await;
}
