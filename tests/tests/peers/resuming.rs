//! The data plane is killed while a stock server works for it: the result arrives, and the tool ran once.
//!
//! Invariant: a kill comes only when the data plane has written down what it goes on by.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::peers::scene::Behind;
use asyncmcp_tests::peers::{Client, Kind, Receiver, Scene, Server};
use serde_json::{Value, json};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A data plane in front of one server, a client, and a receiver that verifies.
struct Stage {
    server: Server,
    gateway: DataPlane,
    receiver: Receiver,
    client: Client,
    _scene: Scene,
}

impl Stage {
    async fn open(tools: &[&str], everything: bool) -> Result<Self> {
        let scene = Scene::new()?;
        let server = if everything {
            Server::everything(&scene.peers, scene.dir()).await?
        } else {
            Server::resuming(&scene.peers, scene.dir()).await?
        };
        let receiver = scene.npm_receiver().await?;
        let behind = Behind {
            name: "behind",
            url: &server.url,
            prefix: "",
        };
        let gateway = scene.gateway(&[behind], tools, Some(&receiver)).await?;
        let client = scene.client(Kind::Sdk1, &gateway.url(), false).await?;
        Ok(Self {
            server,
            gateway,
            receiver,
            client,
            _scene: scene,
        })
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Result<()> {
        let acknowledged = self.client.call(tool, &arguments).await?;
        let status = &acknowledged["result"]["_meta"]["dev.asyncmcp/job"]["status"];
        assert_eq!(status, "working", "{acknowledged}");
        Ok(())
    }

    /// Waits for a line of the server's log.
    async fn says(&self, line: &str) {
        eventually(PATIENCE, || async {
            let output = self.server.process.output();
            output
                .lines()
                .any(|said| said == line)
                .then_some(())
                .ok_or(output)
        })
        .await;
    }

    /// Waits until a metric of the gateway is more than `than`.
    async fn more(&self, metric: &str, labels: &[&str], than: f64) {
        eventually(PATIENCE, || async {
            match self.gateway.metric(metric, labels).await {
                Ok(count) if count > than => Ok(()),
                other => Err(format!("{metric}: {other:?}")),
            }
        })
        .await;
    }

    async fn commits(&self) -> Result<f64> {
        self.gateway.metric(COMMITS, &[]).await
    }

    /// The one webhook that comes.
    async fn delivered(&self) -> Value {
        let delivered = eventually(PATIENCE, || async {
            let all = self.receiver.deliveries().map_err(|error| error.to_string())?;
            all.into_iter()
                .next()
                .ok_or_else(|| format!("nothing was delivered; {:?}", self.gateway.attempts()))
        });
        delivered.await["body"].clone()
    }

    /// How often the server's log says something.
    fn times(&self, line: &str) -> usize {
        let output = self.server.process.output();
        output.lines().filter(|said| *said == line).count()
    }
}

const COMMITS: &str = "asyncmcp_store_commit_batch_size_count";
const POLLED: (&str, &[&str]) = (
    "mcp_client_operation_duration_seconds_count",
    &[r#"mcp_method_name="tasks/get""#],
);

#[tokio::test]
async fn a_stream_is_resumed_after_a_kill_and_the_tool_runs_once() {
    let mut stage = Stage::open(&["stream", "task"], false).await.unwrap();
    stage
        .call("stream", json!({"name": "a", "seconds": 4}))
        .await
        .unwrap();
    stage.says("begun stream a").await;
    // Accepted and started; what is committed next is where the stream is.
    let before = stage.commits().await.unwrap();
    stage.more(COMMITS, &[], before).await;
    stage.gateway.restart(&[]).await.unwrap();
    let body = stage.delivered().await;
    assert_eq!(body["result"]["content"][0]["text"], "stream a", "{body}");
    assert_eq!(
        (stage.times("begun stream a"), stage.times("ended stream a")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_task_is_polled_on_after_a_kill_and_the_tool_runs_once() {
    let mut stage = Stage::open(&["stream", "task"], false).await.unwrap();
    stage
        .call("task", json!({"name": "b", "seconds": 3}))
        .await
        .unwrap();
    stage.says("begun task b").await;
    stage.more(POLLED.0, POLLED.1, 1.5).await;
    stage.gateway.restart(&[]).await.unwrap();
    let body = stage.delivered().await;
    assert_eq!(body["result"]["content"][0]["text"], "task b", "{body}");
    assert_eq!(body["result"].get("_meta"), None, "{body}");
    assert_eq!((stage.times("begun task b"), stage.times("ended task b")), (1, 1));
}

#[tokio::test]
async fn a_task_that_ended_while_nobody_was_there_is_delivered() {
    let mut stage = Stage::open(&["task"], false).await.unwrap();
    stage
        .call("task", json!({"name": "c", "seconds": 2}))
        .await
        .unwrap();
    stage.more(POLLED.0, POLLED.1, 1.5).await;
    stage.gateway.process.kill().unwrap();
    stage.says("ended task c").await;
    stage.gateway.relaunch(&[]).unwrap();
    let body = stage.delivered().await;
    assert_eq!(body["result"]["content"][0]["text"], "task c", "{body}");
    assert_eq!(stage.times("begun task c"), 1);
}

#[tokio::test]
async fn a_required_task_of_server_everything_survives_a_kill() {
    let mut stage = Stage::open(&["simulate-research-query"], true).await.unwrap();
    stage
        .call("simulate-research-query", json!({"topic": "durability"}))
        .await
        .unwrap();
    stage.more(POLLED.0, POLLED.1, 0.5).await;
    stage.gateway.restart(&[]).await.unwrap();
    let body = stage.delivered().await;
    let text = body["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("# Research Report: durability"), "{body}");
}

#[tokio::test]
async fn a_task_whose_client_gives_up_is_cancelled_at_its_server() {
    let scene = Scene::new().unwrap();
    let server = Server::resuming(&scene.peers, scene.dir()).await.unwrap();
    let behind = Behind {
        name: "behind",
        url: &server.url,
        prefix: "",
    };
    let gateway = scene.gateway(&[behind], &["task"], None).await.unwrap();
    let mut client = scene.client(Kind::Asyncmcp, &gateway.url(), false).await.unwrap();
    let arguments = json!({"name": "d", "seconds": 2});
    let order = json!({"do": "begin", "tool": "task", "arguments": arguments});
    client.ask(order).await.unwrap();
    let polled = || async {
        match gateway.metric(POLLED.0, POLLED.1).await {
            Ok(count) if count > 0.5 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    eventually(PATIENCE, polled).await;
    let answer = client.ask(json!({"do": "give_up"})).await.unwrap();
    assert_eq!(answer["code"], -31006, "{answer}");
    eventually(PATIENCE, || async {
        let output = server.process.output();
        output
            .lines()
            .any(|said| said == "cancelled task d")
            .then_some(())
            .ok_or(output)
    })
    .await;
    client.close().await.unwrap();
}
