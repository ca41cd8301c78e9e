//! `asyncmcp tools`: the tools of an endpoint as its clients see them.
//!
//! Invariant: one line for each tool, and which of them are delivered by webhook.

use std::path::PathBuf;
use std::process::ExitCode;

use asyncmcp_client::{Client, Config, RawObject, Tool};
use serde_json::json;

use super::jobs::table::table;
use super::{bearer_token, http_url, print};

/// The arguments of `asyncmcp tools`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// URL of the MCP endpoint.
    #[arg(long, env = "ASYNCMCP_URL", default_value = "http://127.0.0.1:8080/mcp", value_parser = http_url)]
    url: String,
    /// File with the bearer token, for a route with `auth`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print one JSON object per tool: its name, whether it is delivered by webhook, and its description.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = Config {
        server_url: args.url,
        bearer_token: bearer_token(args.token_file.as_deref())?,
        ..Config::default()
    };
    let client = Client::connect(&config).await?;
    let tools = client.list_tools().await;
    // What was listed counts; a session that cannot be closed expires.
    let _ = client.close().await;
    let rows: Vec<_> = tools?.iter().map(row).collect();
    if args.json {
        for [name, delivery, about] in rows {
            print::line(json!({"name": name, "webhook": delivery == WEBHOOK, "description": about}))?;
        }
    } else {
        print::line(table(["TOOL", "RESULT", "DESCRIPTION"], &rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

const WEBHOOK: &str = "by webhook";

fn row(tool: &Tool) -> [String; 3] {
    let object = tool.object();
    let about = object.text("description").unwrap_or_default();
    let about = about.lines().next().unwrap_or_default();
    let delivery = if is_by_webhook(object) {
        WEBHOOK
    } else {
        "in the answer"
    };
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect();
    [plain(tool.name()), delivery.to_owned(), plain(about)]
}

fn is_by_webhook(tool: &RawObject) -> bool {
    let meta = tool.object("_meta").ok().flatten();
    meta.is_some_and(|meta| meta.text("dev.asyncmcp/delivery").as_deref() == Some("webhook"))
}
