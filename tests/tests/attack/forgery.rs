//! Somebody who can write the volume or a backup, but has no key, changes a job: its result, or whose it is.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use asyncmcp_delivery::job::Key;
use asyncmcp_tests::dataplane::{DataPlane, store};
use asyncmcp_tests::eventually;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::receiver::{Answer, Receiver, following};
use asyncmcp_tests::session::Session;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{SOON, route};

const FORGED: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":{"forged":true}}"#;

/// The export's lines, each job changed.
fn forged(lines: &[u8], change: fn(&mut Value) -> Result<()>) -> Result<String> {
    let mut lines: Vec<Value> = serde_json::Deserializer::from_slice(lines)
        .into_iter()
        .collect::<Result<_, _>>()?;
    for line in lines.iter_mut().filter(|line| line["body"].is_object()) {
        change(line)?;
    }
    let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
    Ok(lines.join("\n"))
}

/// A plain body in place of the encrypted one: layout 1, key 0, the bytes.
fn plain_body(line: &mut Value) -> Result<()> {
    ensure!(line["body"]["key"] != 0, "it was not encrypted");
    let value = STANDARD.encode([&[1, 0, 0, 0, 0], FORGED].concat());
    line["body"] = json!({"key": 0, "value": value});
    Ok(())
}

/// A header that names the server `b` where its call names `a`.
fn other_server(line: &mut Value) -> Result<()> {
    let header = line["header"].as_str().context("no header")?;
    let mut header = STANDARD.decode(header)?;
    let [from, to] = ["a", "b"].map(|server| Key::of(server).0);
    let at = header.windows(from.len()).position(|part| part == from);
    let at = at.context("the header does not name the server")?;
    header[at..at + to.len()].copy_from_slice(&to);
    line["header"] = json!(STANDARD.encode(header));
    Ok(())
}

#[tokio::test]
async fn a_plain_result_in_an_encrypted_store_is_found_and_not_delivered() -> Result<()> {
    is_found_and_not_delivered(plain_body, "not encrypted").await
}

#[tokio::test]
async fn a_header_that_was_changed_is_found_and_its_result_is_not_delivered() -> Result<()> {
    is_found_and_not_delivered(other_server, "changed it").await
}

/// A job is due, its process is killed, and `change` is made to the files; the route's keys stay.
async fn is_found_and_not_delivered(change: fn(&mut Value) -> Result<()>, finding: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let example = Example::start(dir.path()).await?;
    let receiver = Receiver::start(following([Answer::status(503), Answer::status(200)])).await?;
    let rest = format!(
        "  webhookTools: [{{name: echo}}]\n  webhook: {{retry: {{schedule: [10s]}}, receivers: {{default: {{url: '{}'}}}}}}",
        receiver.url("/hook")
    );
    let mut gateway = DataPlane::start(dir.path(), &route(&[("a", &example.url)], &rest), &[]).await?;
    let session = Session::open(&gateway.url(), None).await?;
    session.call(1, "echo", &json!({"text": "real"})).await?;
    receiver.answered(1, SOON).await;
    eventually(SOON, || async {
        let failed = gateway.metric("asyncmcp_jobs", &[r#"state="due""#]).await;
        match failed {
            Ok(due) if due > 0.5 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    gateway.process.kill()?;

    let (state, lines) = (dir.path().join("state"), dir.path().join("lines"));
    fs::write(&lines, forged(&store("export", &state, None)?.stdout, change)?)?;
    fs::rename(&state, dir.path().join("old"))?;
    assert!(store("import", &state, Some(&lines))?.status.success());
    for keys in ["store.json", "sessions.json"] {
        fs::copy(dir.path().join("old").join(keys), state.join(keys))?;
    }
    let checked = store("check", &state, None)?;
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success() && said.contains(finding), "{said}");

    gateway.restart(&[]).await?;
    eventually(SOON * 3, || async {
        let status = gateway.status().await.map_err(|error| error.to_string())?;
        match status["delivery"]["deadLettered"].as_u64() {
            Some(1) => Ok(()),
            dead => Err(format!("dead: {dead:?}")),
        }
    })
    .await;
    assert_eq!(receiver.count(), 1, "the forged result was sent");
    Ok(())
}
