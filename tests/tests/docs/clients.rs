//! The client set-up page: its programs and its configuration, used by the stock SDKs and the stock Inspector.
//!
//! Needs the peers (`tests/setup/peers`). Invariant: each connects with a token, and the same without one is refused.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result};
use asyncmcp_tests::command::root;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::pages::Page;
use asyncmcp_tests::peers::Peers;
use asyncmcp_tests::receiver::Receiver;
use serde_json::{Value, json};
use tempfile::TempDir;

const PAGE: &str = "docs/how-to/connect-a-client.md";
const TOKEN: &str = "token-of-the-page";
const HERE: &str = "http://127.0.0.1:8080/mcp";

/// A route with `auth`, and the peers. Dropped in this order.
struct Scene {
    gateway: DataPlane,
    _example: Example,
    receiver: Receiver,
    peers: Peers,
    dir: TempDir,
}

impl Scene {
    async fn open() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        DataPlane::write_secret(dir.path(), "clients", "page", TOKEN)?;
        let (example, receiver) = (Example::start(dir.path()).await?, Receiver::willing().await?);
        let spec = json!({
            "auth": {"bearerSecretRefs": [{"name": "clients", "key": "page"}]},
            "servers": [{"name": "example", "url": example.url}],
            "webhookTools": [{"name": "process_batch"}],
            "webhook": {"receivers": {"default": {"url": receiver.url("/hook")}}},
        });
        let (version, kind) = ("asyncmcp.dev/v1alpha1", "McpWebhookRoute");
        let route = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "page"}, "spec": spec});
        Ok(Self {
            gateway: DataPlane::start(dir.path(), &route.to_string(), &[]).await?,
            _example: example,
            receiver,
            peers: Peers::in_dir(dir.path())?,
            dir,
        })
    }

    /// A program of `examples/clients`, with the modules that it needs.
    fn program(&self, name: &str) -> Result<Command> {
        let file = root().join("examples/clients").join(name);
        let mut command = match name {
            "client.mjs" => {
                // Node looks for modules beside the program.
                let place = self.dir.path().join("node");
                std::fs::create_dir_all(&place)?;
                let _ = symlink(self.peers.module(""), place.join("node_modules")); // there from the call before
                std::fs::copy(&file, place.join(name))?;
                let mut node = Command::new("node");
                node.arg(place.join(name));
                return Ok(node);
            }
            "fastmcp_client.py" => self.peers.python("fastmcp", ""),
            _ => self.peers.python("mcp", ""),
        };
        command = Command::new(command.get_program());
        command.arg(file);
        Ok(command)
    }

    fn runs(&self, name: &str, token: Option<&str>, call: [&str; 2]) -> Result<Output> {
        let mut command = self.program(name)?;
        command.arg(self.gateway.url()).args(call).env_remove("MCP_TOKEN");
        command.envs(token.map(|token| ("MCP_TOKEN", token)));
        Ok(command.output()?)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_of_the_page_call_both_kinds_of_tools() -> Result<()> {
    let scene = Scene::open().await?;
    for (count, name) in ["client.mjs", "client.py", "fastmcp_client.py"]
        .into_iter()
        .enumerate()
    {
        let quick = scene.runs(name, Some(TOKEN), ["echo", r#"{"text": "hello"}"#])?;
        assert_eq!(text(&quick.stdout), "hello\n", "{name}: {}", text(&quick.stderr));
        let slow = scene.runs(
            name,
            Some(TOKEN),
            ["process_batch", r#"{"seconds": 0, "items": 1}"#],
        )?;
        let said = text(&slow.stdout);
        let webhook_id = said.strip_prefix("accepted: the result comes by webhook, as ");
        let webhook_id = webhook_id.with_context(|| format!("{name}: {said}{}", text(&slow.stderr)))?;
        let posts = scene
            .receiver
            .answered(count + 1, std::time::Duration::from_secs(30))
            .await;
        assert_eq!(posts[count].webhook_id(), webhook_id.trim(), "{name}");
        let refused = scene.runs(name, None, ["echo", r#"{"text": "hello"}"#])?;
        assert!(
            !refused.status.success(),
            "{name} without a token: {}",
            text(&refused.stdout)
        );
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The only JSON of a section, with the URL of a data plane.
fn configuration(section: &str, url: &str) -> Result<Value> {
    let blocks = Page::read(PAGE)?.section(section);
    let block = blocks
        .iter()
        .find(|block| block.language == "json")
        .context("no JSON")?;
    assert!(block.text.contains(HERE), "{}", block.text);
    Ok(serde_json::from_str(&block.text.replace(HERE, url))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_of_the_page_connects_the_inspector() -> Result<()> {
    let scene = Scene::open().await?;
    let section = "Claude Code, and others that read .mcp.json";
    let file = configuration(&section.replace(".mcp.json", "`.mcp.json`"), &scene.gateway.url())?.to_string();
    let listed = inspect(&scene, &file.replace("${MCP_TOKEN}", TOKEN))?;
    assert!(listed.contains("process_batch"), "{listed}");
    let refused = inspect(&scene, &file.replace("${MCP_TOKEN}", "another"))?;
    assert!(!refused.contains("process_batch"), "{refused}");

    // The same server under other names: nothing here can run an editor.
    let file: Value = serde_json::from_str(&file.replace("${MCP_TOKEN}", "${input:mcp-token}"))?;
    let code = configuration("VS Code", &scene.gateway.url())?;
    assert_eq!(code["servers"], file["mcpServers"]);
    assert_eq!(code["inputs"][0]["id"], "mcp-token");
    Ok(())
}

/// What the Inspector says of the server `analytics` of this file.
fn inspect(scene: &Scene, file: &str) -> Result<String> {
    let path = scene.dir.path().join(".mcp.json");
    std::fs::write(&path, file)?;
    inspector(
        scene,
        &[
            "--config",
            &path.to_string_lossy(),
            "--server",
            "analytics",
            "--method",
            "tools/list",
        ],
    )
}

fn inspector(scene: &Scene, args: &[&str]) -> Result<String> {
    let driven = scene.peers.inspector()?;
    let script = scene
        .peers
        .module("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
    let output = Command::new(driven.get_program())
        .arg(script)
        .arg("--cli")
        .args(args)
        .output()?;
    Ok(text(&[output.stdout, output.stderr].concat()))
}

/// What the page says after `npx @modelcontextprotocol/inspector --cli`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_for_the_inspector_work() -> Result<()> {
    let scene = Scene::open().await?;
    let blocks = Page::read(PAGE)?.section("Inspector");
    let block = blocks
        .iter()
        .find(|block| block.language == "sh")
        .context("no commands")?;
    let commands = asyncmcp_tests::readme::commands(&block.text);
    let mut said = Vec::new();
    for command in &commands {
        let words = command
            .strip_prefix("npx @modelcontextprotocol/inspector --cli ")
            .context("another program")?;
        let words = words.replace(HERE, &scene.gateway.url());
        let header = format!("Authorization: Bearer {TOKEN}");
        let args: Vec<_> = words.split_whitespace().chain(["--header", &header]).collect();
        said.push(inspector(&scene, &args)?);
    }
    let [listed, called] = said.as_slice() else {
        anyhow::bail!("{} commands", commands.len())
    };
    assert!(
        listed.contains("process_batch") && called.contains(r#""text": "hello""#),
        "{listed}{called}"
    );
    Ok(())
}

#[test]
fn no_program_stands_in_the_directory_that_the_page_does_not_link() -> Result<()> {
    let links: Vec<_> = Page::read(PAGE)?
        .links()
        .into_iter()
        .map(|link| link.file)
        .collect();
    for entry in std::fs::read_dir(root().join("examples/clients"))? {
        let file = Path::new("examples/clients").join(entry?.file_name());
        assert!(links.contains(&file), "{}", file.display());
    }
    Ok(())
}
