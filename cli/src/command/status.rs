//! `asyncmcp status`: what a data plane reports of itself, for people.
//!
//! Invariant: everything that needs attention is shown, whatever the output format.

use std::process::ExitCode;

use serde_json::Value;

use super::connection::Connection;
use super::format::Format;
use super::jobs::show::text;
use super::print;

/// The arguments of `asyncmcp status`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Output format.
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let output = args.output;
    let open = args.connection.open_reader().await?;
    let status = open.admin.get("/status", &[]).await?;
    match output {
        Format::Text => print::line(report(&status))?,
        Format::Json => print::line(status)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn report(status: &Value) -> String {
    let mut lines = Vec::new();
    for server in items(&status["servers"]) {
        let counts = format!("{} tools, {} by webhook", server["tools"], server["webhookTools"]);
        let state = format!("{} ({counts})", text(&server["state"]));
        lines.push(line("server", &server["name"], &with(&state, &server["message"])));
    }
    for tool in items(&status["webhookTools"]) {
        lines.push(line(
            "webhook tool",
            &tool["name"],
            &format!("matches {}", tool["matched"]),
        ));
    }
    let delivery = &status["delivery"];
    let oldest = with("", &delivery["oldestPendingTime"]);
    let counts = format!(
        "{} pending, {} dead letters{oldest}",
        delivery["pending"], delivery["deadLettered"]
    );
    lines.push(line("deliveries", &Value::Null, &counts));
    for waiting in items(&status["waiting"]) {
        let receivers = format!("{} receivers", waiting["receivers"]);
        lines.push(line("waiting for", &waiting["reason"], &receivers));
    }
    lines.extend(items(&status["missingKeys"]).map(|key| line("key", key, "cannot be read")));
    for key in items(&status["unusableKeys"]) {
        lines.push(line("key", &key["key"], &text(&key["message"])));
    }
    for (name, value) in [
        ("store", &status["storeProblem"]["message"]),
        ("refused", &status["refused"]["message"]),
    ] {
        lines.extend((!value.is_null()).then(|| line(name, &Value::Null, &text(value))));
    }
    for (field, what) in [
        ("unsigned", "deliveries are not signed"),
        ("draining", "the route is being deleted"),
    ] {
        lines.extend((status[field] == true).then(|| line("note", &Value::Null, what)));
    }
    lines.join("\n")
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn line(kind: &str, name: &Value, what: &str) -> String {
    let name = if name.is_null() {
        String::new()
    } else {
        format!("{}  ", text(name))
    };
    format!("{kind:14}{name}{what}")
}

/// A text, and a detail where there is one.
fn with(text_before: &str, detail: &Value) -> String {
    match detail {
        Value::Null => text_before.to_owned(),
        detail => format!("{text_before}: {}", text(detail)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_needs_attention_is_shown() {
        let status = json!({
            "servers": [{"name": "ex", "state": "Unreachable", "tools": 0, "webhookTools": 0, "message": "refused"}],
            "webhookTools": [{"name": "run", "matched": 0}],
            "delivery": {"pending": 1, "deadLettered": 2},
            "waiting": [{"reason": "breaker", "receivers": 1}],
            "missingKeys": ["secrets/s/k"],
            "unusableKeys": [{"key": "secrets/s/l", "message": "is empty"}],
            "unsigned": true,
            "draining": false,
        });
        let expected = [
            "server        ex  Unreachable (0 tools, 0 by webhook): refused",
            "webhook tool  run  matches 0",
            "deliveries    1 pending, 2 dead letters",
            "waiting for   breaker  1 receivers",
            "key           secrets/s/k  cannot be read",
            "key           secrets/s/l  is empty",
            "note          deliveries are not signed",
        ];
        assert_eq!(report(&status), expected.join("\n"));
    }
}
