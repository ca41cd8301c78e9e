//! What a running process warns of, and how it says why it does not start.
//!
//! Invariant: a test reads the log or the terminal, as a person does, never the code's own notices.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::{DataPlane, Launch};
use asyncmcp_tests::eventually;
use asyncmcp_tests::mcp::McpServer;
use asyncmcp_tests::process::{binary, free_port};
use serde_json::Value;
use tempfile::TempDir;

/// How soon a change is noticed.
const SOON: Duration = Duration::from_secs(20);
const LOST: &str = "accepted calls and dead letters are lost when the process ends";
const OLD: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";
const NEW: &str = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3";

fn route(servers: &str, spec: &str) -> String {
    format!(
        "apiVersion: asyncmcp.dev/v1alpha1\nkind: McpWebhookRoute\nmetadata: {{name: warned}}\nspec:\n  \
         servers: [{servers}]\n{spec}"
    )
}

/// The lines of the log with this text anywhere in them.
fn lines(gateway: &DataPlane, text: &str) -> Vec<Value> {
    let lines = gateway.process.json_lines().into_iter();
    lines.filter(|line| line.to_string().contains(text)).collect()
}

/// The one line with this text, once it is there.
async fn warned(gateway: &DataPlane, level: &str, text: &str) -> Value {
    let found = eventually(SOON, || async {
        let found = lines(gateway, text);
        if found.is_empty() {
            Err(format!("no line has {text:?}"))
        } else {
            Ok(found)
        }
    })
    .await;
    assert_eq!(found.len(), 1, "once: {found:?}");
    assert_eq!(found[0]["level"], level, "{found:?}");
    found[0].clone()
}

async fn start(servers: &str, spec: &str) -> Result<(DataPlane, TempDir)> {
    let dir = tempfile::tempdir()?;
    let gateway = DataPlane::start(dir.path(), &route(servers, spec), &[]).await?;
    Ok((gateway, dir))
}

#[tokio::test]
async fn a_store_in_memory_is_warned_of_although_there_is_a_state_directory() -> Result<()> {
    let server = McpServer::start(&["run"]).await;
    let servers = format!("{{name: one, url: \"{}\"}}", server.url());
    let tools = "  webhookTools: [{name: run}]\n  store: {memory: {}}\n";
    let (gateway, _dir) = start(&servers, tools).await?;
    warned(&gateway, "WARN", LOST).await;
    Ok(())
}

#[tokio::test]
async fn another_store_takes_effect_at_the_next_start_and_the_log_says_so() -> Result<()> {
    let server = McpServer::start(&["run"]).await;
    let servers = format!("{{name: one, url: \"{}\"}}", server.url());
    let tools = "  webhookTools: [{name: run}]\n";
    let (gateway, _dir) = start(&servers, tools).await?;
    let memory = format!("{tools}  store: {{memory: {{}}}}\n");
    gateway.edit(&route(&servers, &memory))?;
    let line = warned(&gateway, "WARN", "takes effect at the next start").await;
    assert!(line.to_string().contains("in use is embedded"), "{line}");
    gateway.edit(&route(&servers, tools))?;
    let over = "the configuration no longer needs attention";
    eventually(SOON, || async {
        let lines = lines(&gateway, over);
        let ours = lines.iter().any(|line| line.to_string().contains("next start"));
        ours.then_some(()).ok_or("still warned of")
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn tools_that_are_hidden_and_names_that_match_nothing_are_warned_of_once() -> Result<()> {
    let (one, two) = (
        McpServer::start(&["echo", "run"]).await,
        McpServer::start(&["echo", "run"]).await,
    );
    let servers = format!(
        "{{name: one, url: \"{}\"}}, {{name: two, url: \"{}\"}}, {{name: three, url: \"{}\", toolPrefix: x_, tools: {{include: [x_echo]}}}}",
        one.url(),
        two.url(),
        one.url()
    );
    let (gateway, _dir) = start(&servers, "  webhookTools: [{name: \"misspelt_*\"}]\n").await?;
    let hidden = warned(&gateway, "WARN", "is hidden by server one")
        .await
        .to_string();
    assert!(
        hidden.contains("server two") && hidden.contains("set toolPrefix"),
        "{hidden}"
    );
    let idle = warned(&gateway, "WARN", "matches no tool").await.to_string();
    assert!(idle.contains("misspelt_*"), "{idle}");
    let include = warned(&gateway, "WARN", "tools.include matches none")
        .await
        .to_string();
    assert!(
        include.contains("server three") && include.contains("without toolPrefix"),
        "{include}"
    );

    // An edit of another field does not log the warning again.
    let edited = route(
        &servers,
        "  webhookTools: [{name: \"misspelt_*\"}]\n  transport: {timeout: 20s}\n",
    );
    let hash = gateway.status().await?["configHash"].clone();
    gateway.edit(&edited)?;
    eventually(SOON, || async {
        let now = gateway.status().await.map_err(|error| error.to_string())?;
        (now["configHash"] != hash)
            .then_some(())
            .ok_or("not yet".to_owned())
    })
    .await;
    for text in [
        "is hidden by server one",
        "matches no tool",
        "tools.include matches none",
    ] {
        warned(&gateway, "WARN", text).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_rotation_of_signing_keys_is_in_the_log_by_their_names() -> Result<()> {
    let server = McpServer::start(&["run"]).await;
    let servers = format!("{{name: one, url: \"{}\"}}", server.url());
    let dir = tempfile::tempdir()?;
    DataPlane::write_secret(dir.path(), "signing", "old", OLD)?;
    let spec = |refs: &str| {
        format!("  webhookTools: [{{name: run}}]\n  webhook: {{signing: {{secretRefs: [{refs}]}}}}\n")
    };
    let (old, new) = ("{name: signing, key: old}", "{name: signing, key: new}");
    let gateway = DataPlane::start(dir.path(), &route(&servers, &spec(old)), &[]).await?;
    DataPlane::write_secret(dir.path(), "signing", "new", NEW)?;
    gateway.edit(&route(&servers, &spec(&format!("{old}, {new}"))))?;
    let both = warned(&gateway, "INFO", "signing/old, signing/new").await;
    assert_eq!(both["message"], "the signing keys in use changed");
    gateway.edit(&route(&servers, &spec(new)))?;
    eventually(SOON, || async {
        let lines = lines(&gateway, "the signing keys in use changed");
        let last = lines.last().map(|line| line["keys"].clone());
        (last == Some("signing/new".into()))
            .then_some(())
            .ok_or("not yet")
    })
    .await;
    let log = gateway.process.output();
    assert!(!log.contains(OLD) && !log.contains(NEW), "a key is in the log");
    Ok(())
}

#[tokio::test]
async fn text_has_colours_on_a_terminal_only() -> Result<()> {
    let server = McpServer::start(&["run"]).await;
    let servers = format!("{{name: one, url: \"{}\"}}", server.url());
    let dir = tempfile::tempdir()?;
    let launch = Launch {
        flags: ["--log-format", "text"].map(str::to_owned).into(),
        ..Launch::default()
    };
    let gateway = DataPlane::start_as(dir.path(), &route(&servers, ""), launch).await?;
    let log = gateway.process.output();
    assert!(log.contains("INFO") && log.contains("serving"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
    let on_a_terminal = failed_start(dir.path(), &["--log-format", "text"], true)?;
    assert!(said(&on_a_terminal).contains('\u{1b}'), "{on_a_terminal:?}");
    Ok(())
}

/// A start that cannot succeed since its port is taken.
fn failed_start(dir: &Path, flags: &[&str], on_a_terminal: bool) -> Result<Output> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let taken = listener.local_addr()?.to_string();
    let admin = format!("127.0.0.1:{}", free_port()?);
    let program = binary("asyncmcp-dataplane")?;
    let arguments = [
        "--route",
        "route.yaml",
        "--listen",
        &taken,
        "--admin-listen",
        &admin,
    ];
    let mut command = if on_a_terminal {
        let line: Vec<&str> = [program.to_str().unwrap_or_default()]
            .into_iter()
            .chain(arguments)
            .chain(flags.iter().copied())
            .collect();
        let mut command = Command::new("script");
        command.args(["-qec", &line.join(" "), "/dev/null"]);
        command
    } else {
        let mut command = Command::new(program);
        command.args(arguments).args(flags);
        command
    };
    Ok(command.current_dir(dir).env_remove("NO_COLOR").output()?)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn why_it_does_not_start_names_the_flag_in_the_form_of_its_log() -> Result<()> {
    let server = McpServer::start(&["run"]).await;
    let servers = format!("{{name: one, url: \"{}\"}}", server.url());
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("route.yaml"), route(&servers, ""))?;
    let piped = failed_start(dir.path(), &[], false)?;
    assert_eq!(piped.status.code(), Some(1), "{piped:?}");
    let last = said(&piped).lines().last().map(str::to_owned).unwrap_or_default();
    let line: Value = serde_json::from_str(&last)?;
    assert_eq!(
        (&line["level"], &line["message"]),
        (&"ERROR".into(), &"exiting".into())
    );
    let error = line["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("--listen 127.0.0.1:") && error.contains("in use"),
        "{line}"
    );

    let shown = said(&failed_start(dir.path(), &[], true)?);
    let last = shown.lines().last().unwrap_or_default();
    assert!(
        !last.starts_with('{') && last.contains("--listen") && last.contains("in use"),
        "{shown}"
    );

    // A second process on the same state directory.
    let gateway = DataPlane::start(dir.path(), &route(&servers, ""), &[]).await?;
    let (listen, admin) = (
        format!("127.0.0.1:{}", free_port()?),
        format!("127.0.0.1:{}", free_port()?),
    );
    let second = Command::new(binary("asyncmcp-dataplane")?)
        .args(["--route", "route.yaml", "--state-dir", "state"])
        .args(["--listen", &listen, "--admin-listen", &admin])
        .current_dir(dir.path())
        .output()?;
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let text = said(&second);
    assert!(
        text.contains("state") && text.contains("another process"),
        "{text}"
    );
    drop(gateway);
    Ok(())
}
