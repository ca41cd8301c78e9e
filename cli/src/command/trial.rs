//! `asyncmcp try`: sends one signed test delivery to a receiver and says how it went.
//!
//! Invariant: the exit code is 0 only if the receiver answered 2xx.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::connection::Connection;
use super::output::{self, Output};
use super::print::{self, text};

/// The arguments of `asyncmcp try`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// URL of the receiver; the route's default receiver if absent.
    #[arg(value_name = "URL", default_value = "default")]
    receiver: String,
    /// Output format.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let open = args.connection.open().await?;
    let asked = json!({"receiver": args.receiver});
    let tried = open.admin.post("/try", Some(&asked)).await?;
    match args.output {
        Output::Json | Output::Yaml => args.output.document(&tried)?,
        Output::Table | Output::Wide | Output::Name => print::line(report(&tried))?,
    }
    Ok(if tried["delivered"] == true {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(tried: &Value) -> String {
    let signed = if tried["signed"] == true {
        "signed"
    } else {
        "not signed"
    };
    format!(
        "{} ({} ms, {signed}, webhook-id {})",
        text(&tried["message"]),
        text(&tried["durationMs"]),
        text(&tried["webhookId"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_it_went_and_whether_it_was_signed() {
        let tried = json!({"delivered": true, "message": "delivered: the receiver answered 204", "durationMs": 12,
                           "signed": true, "webhookId": "msg_1"});
        assert_eq!(
            report(&tried),
            "delivered: the receiver answered 204 (12 ms, signed, webhook-id msg_1)"
        );
    }
}
