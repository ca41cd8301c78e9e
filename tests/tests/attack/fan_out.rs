//! One small request becomes many requests to the servers.

use anyhow::{Context as _, Result};
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::{McpServer, Reaction};
use asyncmcp_tests::session::{Session, answer};
use serde_json::{Value, json};

use crate::{SOON, route};

const SERVERS: usize = 9;
/// Messages of a batch that is allowed.
const BATCH: usize = 32;
const NOTIFICATION: &str = "notifications/roots/list_changed";

struct Stage {
    servers: Vec<McpServer>,
    gateway: DataPlane,
    session: Session,
    _dir: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut servers = Vec::new();
        for _ in 0..SERVERS {
            servers.push(McpServer::start(&[]).await);
        }
        let urls: Vec<_> = servers
            .iter()
            .enumerate()
            .map(|(at, server)| (format!("s{at}"), server.url()))
            .collect();
        let urls: Vec<_> = urls
            .iter()
            .map(|(name, url)| (name.as_str(), url.as_str()))
            .collect();
        let gateway = DataPlane::start(dir.path(), &route(&urls, "  store: {memory: {}}"), &[]).await?;
        let session = batching(&gateway).await?;
        session.tools().await?; // opens a session with each server
        Ok(Self {
            servers,
            gateway,
            session,
            _dir: dir,
        })
    }

    fn seen(&self, method: &str) -> usize {
        self.servers.iter().map(|server| server.seen(method).len()).sum()
    }
}

/// A session of the only version that has batches.
async fn batching(gateway: &DataPlane) -> Result<Session> {
    let nobody = Session::nowhere(&gateway.url())?;
    let params = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
    let reply = answer(nobody.request(initialize.to_string())).await?;
    let id = reply.headers.get("mcp-session-id").context("no session")?;
    Ok(nobody.with_id(id.to_str()?))
}

fn batch(count: usize, message: impl Fn(usize) -> Value) -> String {
    (0..count).map(message).collect::<Value>().to_string()
}

#[tokio::test]
async fn a_batch_has_few_messages_and_one_list() -> Result<()> {
    let stage = Stage::open().await?;
    let before = stage.seen("tools/list");
    let list = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"});
    let refused = stage.session.post(batch(256, list)).await?;
    assert_eq!(refused.json()["error"]["code"], -32600, "{}", refused.json());
    assert_eq!(stage.seen("tools/list"), before);

    let answers = stage.session.post(batch(BATCH, list)).await?.json();
    let answers = answers.as_array().context("no array")?;
    let listed = answers
        .iter()
        .filter(|answer| answer["result"]["tools"].is_array());
    assert_eq!((answers.len(), listed.count()), (BATCH, 1));
    assert_eq!(stage.seen("tools/list"), before + SERVERS);
    Ok(())
}

/// Servers that hang make visible what is under way at the same time.
#[tokio::test]
async fn notifications_of_one_client_reach_the_servers_a_few_at_a_time() -> Result<()> {
    let stage = Stage::open().await?;
    for server in &stage.servers {
        server.on(NOTIFICATION, [Reaction::Hangs]);
    }
    let notification = |_| json!({"jsonrpc": "2.0", "method": NOTIFICATION});
    for _ in 0..2 {
        stage.session.post(batch(BATCH, notification)).await?;
    }
    // Four messages, to eight servers each; the others wait.
    eventually(SOON, || async {
        let seen = stage.seen(NOTIFICATION);
        if seen >= 32 {
            Ok(())
        } else {
            Err(format!("{seen} arrived"))
        }
    })
    .await;
    // What another client sends goes its way meanwhile.
    let other = batching(&stage.gateway).await?;
    other.tools().await?;
    other
        .post(json!({"jsonrpc": "2.0", "method": NOTIFICATION}).to_string())
        .await?;
    eventually(SOON, || async {
        let seen = stage.seen(NOTIFICATION);
        if seen >= 40 {
            Ok(())
        } else {
            Err(format!("{seen} arrived"))
        }
    })
    .await;
    assert_eq!(stage.seen(NOTIFICATION), 40);
    Ok(())
}
