//! `asyncmcp tools`: the tools of an endpoint as its clients see them.
//!
//! Invariant: one line for each tool, and which of them are delivered by webhook.

use std::process::ExitCode;

use asyncmcp_client::{Client, RawObject, RawValue, Tool};
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::output::{self, Output};
use super::table::table;
use super::{explain, print};

/// The arguments of `asyncmcp tools`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    endpoint: Endpoint,
    /// Output format. wide: with the arguments; name: names alone.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&output::ALL))]
    output: Output,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let explained = |error| explain::endpoint(error, &args.endpoint.url);
    let client = Client::connect(&args.endpoint.config()?)
        .await
        .map_err(explained)?;
    let tools = client.list_tools().await.map_err(explained);
    // What was listed counts; a session that cannot be closed expires.
    let _ = client.close().await;
    let tools: Vec<Value> = tools?.iter().map(document).collect();
    match args.output {
        Output::Json | Output::Yaml => args.output.document(&json!({"tools": tools}))?,
        Output::Name => Output::names(&tools, "name")?,
        Output::Table | Output::Wide if tools.is_empty() => print::note("no tools found"),
        Output::Table => {
            let rows: Vec<_> = tools.iter().map(row).collect();
            print::line(table(["TOOL", "RESULT", "DESCRIPTION"], &rows))?;
        }
        Output::Wide => {
            let rows: Vec<_> = tools.iter().map(wide_row).collect();
            print::line(table(["TOOL", "RESULT", "ARGUMENTS", "DESCRIPTION"], &rows))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn document(tool: &Tool) -> Value {
    let object = tool.object();
    let schema = object.get("inputSchema").map(RawValue::get);
    let schema: Value = schema
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    json!({
        "name": tool.name(),
        "webhook": is_by_webhook(object),
        "description": object.text("description"),
        "inputSchema": schema,
    })
}

fn row(tool: &Value) -> [String; 3] {
    let delivery = if tool["webhook"] == true {
        "by webhook"
    } else {
        "in the answer"
    };
    let about = tool["description"].as_str().and_then(|text| text.lines().next());
    [
        print::text(&tool["name"]),
        delivery.to_owned(),
        print::text(&about.unwrap_or_default().into()),
    ]
}

fn wide_row(tool: &Value) -> [String; 4] {
    let [name, delivery, about] = row(tool);
    [name, delivery, arguments(&tool["inputSchema"]), about]
}

/// The names of the arguments; those that may be left out are in brackets.
fn arguments(schema: &Value) -> String {
    let required = schema["required"].as_array().into_iter().flatten();
    let required: Vec<&Value> = required.collect();
    let names = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys());
    let spelt = names.map(|name| {
        let text = print::text(&name.as_str().into());
        let is_required = required.iter().any(|required| *required == name);
        if is_required { text } else { format!("[{text}]") }
    });
    spelt.collect::<Vec<_>>().join(" ")
}

fn is_by_webhook(tool: &RawObject) -> bool {
    let meta = tool.object("_meta").ok().flatten();
    meta.is_some_and(|meta| meta.text("dev.asyncmcp/delivery").as_deref() == Some("webhook"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_the_arguments_and_no_control_character() {
        let tool = json!({
            "name": "a\u{1b}[2J", "webhook": true, "description": "does\nit",
            "inputSchema": {"properties": {"items": {}, "seconds": {}}, "required": ["seconds"]},
        });
        assert_eq!(wide_row(&tool), ["a[2J", "by webhook", "[items] seconds", "does"]);
        assert_eq!(arguments(&Value::Null), "");
    }
}
