//! The receivers that the docs show, each behind a real data plane, and against deliveries that are forged, old or repeated.
//!
//! Invariant: what a page shows of a program is what runs here. A language that this machine lacks is a failure, with how to
//! install it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::process::{Process, free_port};
use asyncmcp_tests::session::Session;
use asyncmcp_tests::{eventually, pages};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tempfile::TempDir;

/// Deliveries are signed with both; the receivers know the second one only.
const KEYS: [&str; 2] = [
    "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "whsec_YW4gZXhhbXBsZSBrZXkgb2YgdGhpcnR5LXR3byBieXQ=",
];
/// Building the one in Go takes a while on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_mins(1);
const PROGRAMS: &str = "examples/receivers";
/// How each language is installed where it is missing.
const STEP: &str = "tests/setup/all docs installs it";

/// A receiver of the docs, and what delivers to it. Dropped in this order.
struct Scene {
    program: Process,
    gateway: DataPlane,
    _example: Example,
    url: String,
    inbox: PathBuf,
    _dir: TempDir,
}

impl Scene {
    async fn open(language: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let (port, inbox) = (free_port()?, dir.path().join("inbox"));
        let mut command = program(language, dir.path())?;
        command
            .arg(port.to_string())
            .arg(&inbox)
            .env("WEBHOOK_KEYS", KEYS[1]);
        let program = Process::start(&mut command, &dir.path().join("receiver.log"))?;
        let url = format!("http://127.0.0.1:{port}/webhook");
        let example = Example::start(dir.path()).await?;
        for (name, key) in ["old", "new"].into_iter().zip(KEYS) {
            DataPlane::write_secret(dir.path(), "signing", name, key)?;
        }
        let gateway = DataPlane::start(dir.path(), &route(&example.url, &url), &[]).await?;
        eventually(PATIENCE, || tokio::net::TcpStream::connect(("127.0.0.1", port))).await;
        Ok(Self {
            program,
            gateway,
            _example: example,
            url,
            inbox,
            _dir: dir,
        })
    }

    /// The lines of the program so far that have this field.
    fn lines(&self, field: &str) -> Vec<Value> {
        let mut lines = self.program.json_lines();
        lines.retain(|line| line.get(field).is_some());
        lines
    }

    async fn post(&self, delivery: &Delivery) -> Result<u16> {
        let request = reqwest::Client::new().post(&self.url).body(delivery.body.clone());
        let request = request
            .header("webhook-id", &delivery.id)
            .header("webhook-timestamp", delivery.timestamp.to_string())
            .header("webhook-signature", &delivery.signature);
        Ok(request.send().await?.status().as_u16())
    }

    fn stored(&self) -> Result<Vec<String>> {
        let mut stored = Vec::new();
        for entry in std::fs::read_dir(&self.inbox)? {
            stored.push(entry?.file_name().to_string_lossy().into_owned());
        }
        stored.sort();
        Ok(stored)
    }
}

/// A delivery by an implementation that is not ours.
#[derive(Clone)]
struct Delivery {
    id: String,
    timestamp: i64,
    signature: String,
    body: Vec<u8>,
}

impl Delivery {
    fn signed(id: &str, key: &str, age: i64, body: Vec<u8>) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let timestamp = i64::try_from(now)? - age;
        let signature = Webhook::new(key)?.sign(id, timestamp, &body)?;
        Ok(Self {
            id: id.to_owned(),
            timestamp,
            signature,
            body,
        })
    }
}

fn route(server: &str, receiver: &str) -> String {
    let spec = json!({
        "servers": [{"name": "example", "url": server}],
        "webhookTools": [{"name": "process_batch"}],
        "webhook": {
            "retry": {"schedule": ["1s", "1s", "1s"]},
            "signing": {"secretRefs": [{"name": "signing", "key": "old"}, {"name": "signing", "key": "new"}]},
            "receivers": {"default": {"url": receiver}},
        },
    });
    json!({"apiVersion": "asyncmcp.dev/v1alpha1", "kind": "McpWebhookRoute", "metadata": {"name": "docs"}, "spec": spec}).to_string()
}

/// The program in this language; Go is compiled first, so that nothing is left of `go run` when it is killed.
fn program(language: &str, dir: &Path) -> Result<Command> {
    let file = root().join(PROGRAMS).join(format!("receiver.{language}"));
    let (program, version) = match language {
        "py" => ("python3", "--version"),
        "mjs" => ("node", "--version"),
        _ => ("go", "version"),
    };
    let asked = Command::new(program).arg(version).output();
    asked.with_context(|| format!("{program} is missing; {STEP}"))?;
    if program != "go" {
        let mut command = Command::new(program);
        command.arg(file);
        return Ok(command);
    }
    let built = dir.join("receiver");
    let output = Command::new(program)
        .arg("build")
        .arg("-o")
        .arg(&built)
        .arg(file)
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Command::new(built))
}

#[tokio::test]
async fn the_receiver_in_python_takes_each_delivery_once_and_no_forged_one() -> Result<()> {
    takes_each_delivery_once("py").await
}

#[tokio::test]
async fn the_receiver_in_javascript_takes_each_delivery_once_and_no_forged_one() -> Result<()> {
    takes_each_delivery_once("mjs").await
}

#[tokio::test]
async fn the_receiver_in_go_takes_each_delivery_once_and_no_forged_one() -> Result<()> {
    takes_each_delivery_once("go").await
}

async fn takes_each_delivery_once(language: &str) -> Result<()> {
    let scene = Scene::open(language).await?;
    real_deliveries_are_stored(&scene).await?;
    repeated_ones_are_stored_once(&scene).await?;
    forged_and_old_ones_are_refused(&scene).await?;
    large_ones_are_taken(&scene).await?;
    one_that_cannot_be_stored_comes_again(&scene).await
}

/// Two, signed by the data plane with both keys, while the second one waits for the first.
async fn real_deliveries_are_stored(scene: &Scene) -> Result<()> {
    let session = Session::open(&scene.gateway.url(), None).await?;
    for id in 1..=2 {
        let reply = session
            .call(id, "process_batch", &json!({"seconds": 0, "items": id}))
            .await?;
        assert!(reply.is_acknowledgement(), "{}", reply.json());
    }
    let lines = eventually(PATIENCE, || async {
        let lines = scene.lines("webhookId");
        if lines.len() == 2 {
            Ok(lines)
        } else {
            Err(scene.program.output())
        }
    })
    .await;
    let mut ids = Vec::new();
    for line in &lines {
        assert_eq!(
            (&line["tool"], &line["duplicate"]),
            (&json!("process_batch"), &json!(false))
        );
        let name = format!("{}.json", line["webhookId"].as_str().context("no id")?);
        let response: Value = serde_json::from_slice(&std::fs::read(scene.inbox.join(name))?)?;
        ids.push(response["id"].as_u64());
    }
    ids.sort_unstable();
    assert_eq!(ids, [Some(1), Some(2)]);
    Ok(())
}

async fn repeated_ones_are_stored_once(scene: &Scene) -> Result<()> {
    let before = scene.stored()?.len();
    let delivery = Delivery::signed("msg_repeated", KEYS[1], 0, b"{}".to_vec())?;
    let attempts = (0..8).map(|_| scene.post(&delivery));
    for status in futures::future::join_all(attempts).await {
        assert_eq!(status?, 200);
    }
    let lines = scene.lines("webhookId");
    let fresh = lines
        .iter()
        .filter(|line| line["webhookId"] == "msg_repeated" && line["duplicate"] == false);
    assert_eq!(
        (fresh.count(), scene.stored()?.len()),
        (1, before + 1),
        "{lines:?}"
    );
    Ok(())
}

async fn forged_and_old_ones_are_refused(scene: &Scene) -> Result<()> {
    let before = scene.stored()?;
    let good = Delivery::signed("msg_forged", KEYS[1], 0, b"{\"n\":1}".to_vec())?;
    let (mut body, mut id, mut time, mut unsigned) = (good.clone(), good.clone(), good.clone(), good);
    body.body = b"{\"n\":2}".to_vec();
    "msg_other".clone_into(&mut id.id);
    time.timestamp += 1;
    unsigned.signature.clear();
    let forged = [
        body,
        id,
        time,
        unsigned,
        Delivery::signed("msg_other_key", KEYS[0], 0, b"{}".to_vec())?,
        Delivery::signed("msg_old", KEYS[1], 301, b"{}".to_vec())?,
        Delivery::signed("msg_new", KEYS[1], -330, b"{}".to_vec())?,
    ];
    for delivery in &forged {
        assert_eq!(scene.post(delivery).await?, 401, "{} was taken", delivery.id);
    }
    assert_eq!(scene.stored()?, before);
    assert_eq!(scene.lines("refused").len(), forged.len());
    Ok(())
}

/// Frameworks refuse more than 100 KiB or 1 MiB unless they are told otherwise.
async fn large_ones_are_taken(scene: &Scene) -> Result<()> {
    let large = Delivery::signed("msg_large", KEYS[1], 0, vec![b' '; 16 << 20])?;
    assert_eq!(scene.post(&large).await?, 200);
    let too_large = Delivery::signed("msg_too_large", KEYS[1], 0, vec![b' '; 18 << 20])?;
    // The connection may end before all of it is sent.
    assert!(matches!(scene.post(&too_large).await, Ok(413) | Err(_)));
    assert!(
        !scene
            .stored()?
            .iter()
            .any(|name| name.starts_with("msg_too_large"))
    );
    Ok(())
}

/// The disk fails under the receiver: it must not say that it has what it has not.
async fn one_that_cannot_be_stored_comes_again(scene: &Scene) -> Result<()> {
    let hidden = scene.inbox.with_extension("hidden");
    std::fs::rename(&scene.inbox, &hidden)?;
    let session = Session::open(&scene.gateway.url(), None).await?;
    session
        .call(3, "process_batch", &json!({"seconds": 0, "items": 3}))
        .await?;
    let retried = |attempt: &Value| attempt["message"] == "attempt" && attempt["status"] == 503;
    eventually(PATIENCE, || async {
        scene.gateway.process.json_lines().iter().any(retried)
    })
    .await;
    std::fs::rename(&hidden, &scene.inbox)?;
    scene.gateway.at_rest(PATIENCE).await;
    assert_eq!(scene.gateway.status().await?["delivery"]["deadLettered"], 0);
    let stored = scene.lines("webhookId");
    assert_eq!(stored.last().context("nothing")?["duplicate"], false);
    Ok(())
}

#[test]
fn what_a_page_shows_of_a_program_is_in_a_program_that_runs() -> Result<()> {
    let mut count = 0;
    for page in pages::all()? {
        for block in page.blocks() {
            let extension = match block.language.as_str() {
                "python" => "py",
                "js" => "mjs",
                "go" => "go",
                _ => continue,
            };
            let runs = programs(extension)?;
            assert!(
                runs.iter().any(|program| program.contains(&block.text)),
                "{}: in no program that is tested:\n{}",
                page.path.display(),
                block.text
            );
            count += 1;
        }
    }
    assert_eq!(count, 6);
    Ok(())
}

/// The receivers and the clients in a language; `clients` runs the latter.
fn programs(extension: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for dir in [PROGRAMS, "examples/clients"] {
        for entry in std::fs::read_dir(root().join(dir))? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension) {
                found.push(std::fs::read_to_string(path)?);
            }
        }
    }
    Ok(found)
}
