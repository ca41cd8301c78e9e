//! `asyncmcp receivers`: which receivers get attempts, which do not and why, and how the last one went.
//!
//! Invariant: a value that the API does not return is shown as a hyphen, never as a guess.

use std::process::ExitCode;

use serde_json::Value;

use super::connection::Connection;
use super::output::{self, Output};
use super::print::{self, text, time};
use super::table::table;

/// The arguments of `asyncmcp receivers`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Output format.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let open = args.connection.open().await?;
    let answer = open.admin.get("/receivers", &[]).await?;
    match args.output {
        Output::Json | Output::Yaml => args.output.document(&answer)?,
        Output::Table | Output::Wide | Output::Name => print::line(report(&answer))?,
    }
    let left_out = answer["leftOut"].as_u64().unwrap_or_default();
    if left_out > 0 {
        print::note(format!("{left_out} more receivers are not listed"));
    }
    Ok(ExitCode::SUCCESS)
}

fn report(answer: &Value) -> String {
    let receivers = answer["receivers"].as_array().into_iter().flatten();
    let rows: Vec<[String; 8]> = receivers.map(row).collect();
    let headings = [
        "RECEIVER",
        "STATE",
        "UNTIL",
        "WAITS FOR",
        "DUE",
        "IN FLIGHT",
        "LAST ATTEMPT",
        "LAST DELIVERED",
    ];
    table(headings, &rows)
}

fn row(receiver: &Value) -> [String; 8] {
    let due = match receiver["due"].as_u64() {
        Some(100) => "100+".to_owned(),
        _ => text(&receiver["due"]),
    };
    [
        text(&receiver["url"]),
        text(&receiver["state"]),
        time(&receiver["until"]),
        text(&receiver["waitingFor"]["reason"]),
        due,
        format!(
            "{}/{}",
            text(&receiver["inFlight"]),
            text(&receiver["maxInFlight"])
        ),
        last(&receiver["lastAttempt"]),
        time(&receiver["lastDeliveredAt"]),
    ]
}

fn last(attempt: &Value) -> String {
    let words = [&attempt["outcome"], &attempt["status"], &attempt["category"]];
    let words: Vec<String> = words
        .into_iter()
        .filter(|word| !word.is_null())
        .map(text)
        .collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_a_receiver_waits_for_and_how_the_last_attempt_went() {
        let table = report(&json!({"receivers": [
            {"url": "https://r.example/hook", "state": "breaker_open", "until": "2026-11-28T21:00:00.5Z",
             "waitingFor": {"reason": "breaker"}, "due": 100, "inFlight": 0, "maxInFlight": 8,
             "lastAttempt": {"outcome": "retry", "status": 503, "category": "http_5xx"}, "lastDeliveredAt": null},
            {"url": null, "state": "idle", "due": 0, "inFlight": 1, "maxInFlight": 8},
        ]}));
        let lines: Vec<&str> = table.lines().collect();
        let cells = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            cells(lines[1]),
            "https://r.example/hook breaker_open 2026-11-28T21:00:00Z breaker 100+ 0/8 retry 503 http_5xx -"
        );
        assert_eq!(cells(lines[2]), "- idle - - 0 1/8 - -");
    }
}
