//! The figures as text, each with its ratio to the others of the same run.
//!
//! Invariant: what a figure is compared with was measured in the same run, a few seconds before or after.

use std::fmt::Write as _;

use super::form::Form;
use super::load::Figures;
use super::memory::Memory;
use super::{CONNECTIONS, PACED, Row};

const NOTES: &str = "\
Ordinary calls of a tool that takes no time; 256 bytes of arguments, 256 bytes of result; each connection a client with a
session of its own. The client and the server that does nothing are one process, which shares the machine with what is
measured, so compare figures of one run only. \"server\": calls go to it directly. \"nginx\": one process, proxy_pass,
HTTP/1.1 and connections that stay open. \"asyncmcp\": version 0.2.1, the tool runs in its process.
";

const WRITING: &str = "writing to a string cannot fail";

pub(super) fn text(rows: &[Row], paced: &[(Form, [Figures; 2])], memory: &Memory) -> String {
    let mut text = NOTES.to_owned();
    for form in Form::ALL {
        table(&mut text, form, rows);
    }
    writeln!(
        text,
        "\nAt half of the gateway's most calls/s with {PACED} connections, from when a call was due, ms:"
    )
    .expect(WRITING);
    writeln!(
        text,
        "{:26}{:>10}{:>14}{:>14}{:>12}",
        "", "calls/s", "server p99", "gateway p99", "added"
    )
    .expect(WRITING);
    for (form, [server, gateway]) in paced {
        let (less, more) = (server.took[2], gateway.took[2]);
        writeln!(
            text,
            "{:26}{:>10.0}{less:>14.2}{more:>14.2}{:>12.2}",
            form.to_string(),
            gateway.per_second,
            more - less
        )
        .expect(WRITING);
    }
    writeln!(
        text,
        "\nMemory: {:.1} KiB for each idle session with three servers' sessions, {:.1} KiB for each open stream beside it",
        memory.session / 1024.0,
        memory.stream / 1024.0
    )
    .expect(WRITING);
    text
}

fn table(text: &mut String, form: Form, rows: &[Row]) {
    writeln!(text, "\n{form}").expect(WRITING);
    writeln!(
        text,
        "{:>12} {:10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "connections", "", "calls/s", "p50 ms", "p99 ms", "CPU us", "x nginx", "x asyncmcp"
    )
    .expect(WRITING);
    for connections in CONNECTIONS {
        let here = |row: &&Row| row.form == form && row.connections == connections;
        let rate = |side: &str| {
            let found = rows.iter().filter(here).find(|row| row.side == side);
            found.map(|row| row.figures.per_second)
        };
        for row in rows.iter().filter(here) {
            let figures = &row.figures;
            let ratio = |side: &str| match rate(side) {
                Some(rate) if rate > 0.0 => format!("{:.2}", figures.per_second / rate),
                _ => "-".to_owned(),
            };
            // The server's process is the client's as well.
            let cpu = if row.side == "server" {
                "-".to_owned()
            } else {
                format!("{:.0}", figures.cpu)
            };
            writeln!(
                text,
                "{connections:>12} {:10}{:>10.0}{:>10.3}{:>10.3}{cpu:>10}{:>10}{:>12}",
                row.side,
                figures.per_second,
                figures.took[0],
                figures.took[2],
                ratio("nginx"),
                ratio("asyncmcp")
            )
            .expect(WRITING);
        }
    }
}
