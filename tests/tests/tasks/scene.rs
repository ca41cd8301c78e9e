//! A data plane in front of a server whose tool `slow` is a webhook tool, and clients of both eras that know tasks.
//!
//! Invariant: nothing is sent that a test did not ask for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::modern::{Modern, meta};
use asyncmcp_tests::session::{Reply, Session};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long what should happen may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Two clients' tokens.
pub(crate) const ONE: &str = "token-of-the-first-client";
pub(crate) const TWO: &str = "token-of-the-second-client";
/// With it, the route asks for them.
pub(crate) const AUTH: &str =
    "  auth: {bearerSecretRefs: [{name: clients, key: one}, {name: clients, key: two}]}\n";
/// No parser would write it like this, and nothing may change it.
pub(crate) const RESULT: &str =
    r#"{"content":[ {"type":"text","text":"\u0061"} ],"big":12345678901234567890123,"n":1.00}"#;

/// What is running. Dropped in this order.
pub(crate) struct Scene {
    pub(crate) gateway: DataPlane,
    pub(crate) server: McpServer,
    pub(crate) dir: TempDir,
}

impl Scene {
    /// A route without a receiver, with the ordinary tool `quick`, the webhook tool `slow`, and `more` of a spec: lines
    /// indented by two.
    pub(crate) async fn open(more: &str) -> Result<Self> {
        Self::before(McpServer::start(&["quick", "slow"]).await, more).await
    }

    /// The same with a server of the test's.
    pub(crate) async fn before(server: McpServer, more: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        for (key, value) in [("one", ONE), ("two", TWO)] {
            DataPlane::write_secret(dir.path(), "clients", key, value)?;
        }
        let gateway = DataPlane::start(dir.path(), &route(&server, more), &[]).await?;
        Ok(Self { gateway, server, dir })
    }

    pub(crate) async fn legacy(&self) -> Result<Client> {
        Ok(Client::Legacy(Session::open(&self.gateway.url(), None).await?))
    }

    pub(crate) fn modern(&self) -> Result<Client> {
        Ok(Client::Modern(Modern::at(&self.gateway.url())?))
    }

    /// A client of each era.
    pub(crate) async fn both(&self) -> Result<[Client; 2]> {
        Ok([self.legacy().await?, self.modern()?])
    }

    /// The same with a token.
    pub(crate) async fn both_with(&self, token: &str) -> Result<[Client; 2]> {
        let url = self.gateway.url();
        let session = Session::nowhere(&url)?.with_token(token).begin(None).await?;
        Ok([
            Client::Legacy(session),
            Client::Modern(Modern::at(&url)?.with_token(token)),
        ])
    }
}

/// The route of a scene. `more` may say something else of the webhook tools.
pub(crate) fn route(server: &McpServer, more: &str) -> String {
    let tools = if more.contains("webhookTools:") {
        ""
    } else {
        "  webhookTools: [{name: slow, onInterruption: Retry}]\n"
    };
    format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: tasks}}\nspec:\n  servers: [{{name: a, \
         url: '{}'}}]\n{tools}{more}",
        server.url(),
    )
}

/// A client that knows tasks, of one of the eras.
pub(crate) enum Client {
    Legacy(Session),
    Modern(Modern),
}

static IDS: AtomicU64 = AtomicU64::new(1000);

/// The extension, as a modern client declares it.
pub(crate) fn declared() -> Value {
    json!({"io.modelcontextprotocol/clientCapabilities":
        {"extensions": {"io.modelcontextprotocol/tasks": {}}}})
}

impl Client {
    pub(crate) fn is_modern(&self) -> bool {
        matches!(self, Self::Modern(_))
    }

    /// Sends a request with these params; the modern client declares the extension in it.
    pub(crate) async fn send(&self, method: &str, mut params: Value) -> Result<Reply> {
        let is_modern = self.is_modern();
        if is_modern {
            let mut more = declared();
            for (key, value) in params["_meta"].as_object().into_iter().flatten() {
                more[key] = value.clone();
            }
            params["_meta"] = meta(&more);
        }
        let id = IDS.fetch_add(1, Ordering::Relaxed); // a session uses each once
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        match self {
            Self::Legacy(client) => Ok(client.post(body.to_string()).await?),
            Self::Modern(client) => client.send(&body).await,
        }
    }

    /// The answer to it.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Value> {
        Ok(self.send(method, params).await?.json())
    }

    /// Begins a task of `slow` and returns what is said of it.
    pub(crate) async fn begin(&self) -> Result<Value> {
        self.begin_with(json!({})).await
    }

    /// The same with more members of `params`.
    pub(crate) async fn begin_with(&self, mut params: Value) -> Result<Value> {
        params["name"] = "slow".into();
        if !self.is_modern() && params["task"].is_null() {
            params["task"] = json!({});
        }
        let answer = self.ask("tools/call", params).await?;
        self.created(&answer)
    }

    /// What a `CreateTaskResult` says of the task, flat.
    pub(crate) fn created(&self, answer: &Value) -> Result<Value> {
        let result = &answer["result"];
        let task = if self.is_modern() {
            anyhow::ensure!(
                result["resultType"] == "task" && result["task"].is_null(),
                "{answer}"
            );
            result
        } else {
            &result["task"]
        };
        anyhow::ensure!(task["taskId"].is_string(), "no task: {answer}");
        Ok(task.clone())
    }

    /// Asks about a task.
    pub(crate) async fn about(&self, method: &str, id: &Value) -> Result<Value> {
        self.ask(method, json!({"taskId": id, "inputResponses": {}}))
            .await
    }

    /// The task, once it has this status.
    pub(crate) async fn once(&self, id: &Value, status: &str) -> Value {
        eventually(SOON, || async {
            let answer = self
                .about("tasks/get", id)
                .await
                .map_err(|error| error.to_string())?;
            if answer["result"]["status"] == status {
                Ok(answer["result"].clone())
            } else {
                Err(answer.to_string())
            }
        })
        .await
    }
}

/// The id of a task.
pub(crate) fn id(task: &Value) -> Result<&str> {
    task["taskId"].as_str().context("no id")
}

/// Whether a time in milliseconds is this one, or a little more: the clock goes on until it is said.
pub(crate) fn is_about(millis: &Value, expected: u64) -> bool {
    millis
        .as_u64()
        .is_some_and(|millis| (expected..expected + 10_000).contains(&millis))
}

/// The code of the error that `answer` is.
pub(crate) fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_default()
}
